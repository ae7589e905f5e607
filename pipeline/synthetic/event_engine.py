"""An event queue, and the queues of a request: CPU, guest disk, host disk.

Times are seconds since the start of the recording. A queue calls ``done(now, job)`` when it has served a job, and
records its services as plain tuples; :mod:`pipeline.synthetic.event_history` converts them to arrays.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

Done = Callable[[float, Any], None]
_Operation = tuple[int, float, float, float, Done, Any]


class EventQueue:
    """Events in order of time; simultaneous ones in the order in which they were scheduled."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Done, Any]] = []
        self._scheduled = 0
        self.pending = 0
        """Number of unfinished requests and client threads."""

    def schedule(self, time_s: float, action: Done, job: Any) -> None:
        """Call ``action(time_s, job)`` at ``time_s``."""
        self._scheduled += 1
        heapq.heappush(self._events, (time_s, self._scheduled, action, job))

    def run_until_done(self) -> None:
        """Process events until nothing is pending."""
        events = self._events
        while self.pending and events:
            time_s, _, action, job = heapq.heappop(events)
            action(time_s, job)

    def run_until(self, end_s: float) -> None:
        """Process all events up to ``end_s``."""
        events = self._events
        while events and events[0][0] <= end_s:
            time_s, _, action, job = heapq.heappop(events)
            action(time_s, job)


class FcfsQueue:
    """A single FCFS server: a CPU, or a host disk that does one operation at a time.

    ``served``: (owner, arrival, start of service, end of service), in order of completion.
    """

    def __init__(self, event_queue: EventQueue) -> None:
        self.event_queue = event_queue
        self.served: list[tuple[int, float, float, float]] = []
        self._free = 0.0

    def is_idle(self, now: float) -> bool:
        """Whether a job that arrives now is served at once."""
        return now >= self._free

    def serve(self, now: float, work_s: float, owner: int, done: Done, job: Any) -> None:
        """Queue a job of ``work_s`` seconds."""
        start = now if now > self._free else self._free
        self._free = end = start + work_s
        self.served.append((owner, now, start, end))
        self.event_queue.schedule(end, done, job)


class ProcessorSharingQueue:
    """A single server shared equally by all its jobs (processor sharing).

    ``served`` is that of :class:`FcfsQueue`, with service starting on arrival; ``progress``: (time, attained service of
    a job present since time 0), piecewise linear.
    """

    def __init__(self, event_queue: EventQueue) -> None:
        self.event_queue = event_queue
        self.served: list[tuple[int, float, float, float]] = []
        self.progress: list[tuple[float, float]] = [(0.0, 0.0)]
        self._jobs: list[tuple[float, int, int, float, Done, Any]] = []
        self._attained_s = 0.0
        self._last_s = 0.0
        self._arrived = 0
        self._version = 0

    def is_idle(self, now: float) -> bool:
        """Whether the server has no job."""
        return not self._jobs

    def serve(self, now: float, work_s: float, owner: int, done: Done, job: Any) -> None:
        """Add a job of ``work_s`` seconds."""
        self._advance(now)
        self._arrived += 1
        heapq.heappush(
            self._jobs, (self._attained_s + work_s, self._arrived, owner, now, done, job)
        )
        self._schedule_departure(now)

    def _advance(self, now: float) -> None:
        if self._jobs:
            self._attained_s += (now - self._last_s) / len(self._jobs)
        self._last_s = now
        self.progress.append((now, self._attained_s))

    def _schedule_departure(self, now: float) -> None:
        self._version += 1
        if self._jobs:
            remaining_s = max(0.0, self._jobs[0][0] - self._attained_s) * len(self._jobs)
            self.event_queue.schedule(now + remaining_s, self._depart, self._version)

    def _depart(self, now: float, version: int) -> None:
        if version != self._version:
            return  # another job arrived in between, and the departure was rescheduled
        self._advance(now)
        _, _, owner, arrival, done, job = heapq.heappop(self._jobs)
        self.served.append((owner, arrival, arrival, now))
        self._schedule_departure(now)
        done(now, job)


class GuestDisk:
    """A guest disk: at most ``depth`` operations in the virtualization layer and at the host disk, others wait.

    The layer (QEMU's I/O thread) serves one operation at a time. With ``depth`` 1 the service time is that of the
    layer plus that of the host disk, and U = X D holds. ``operations``: (owner, issued, done, work).
    """

    def __init__(
        self,
        event_queue: EventQueue,
        host_disk: FcfsQueue,
        guest: int,
        layer_s: Iterator[float],
        disk_s: Iterator[float],
        depth: int,
    ) -> None:
        self.event_queue, self.host_disk, self.guest, self.depth = (
            event_queue,
            host_disk,
            guest,
            depth,
        )
        self.operations: list[tuple[int, float, float]] = []
        self._layer_s, self._disk_s = layer_s, disk_s
        self._layer_free = 0.0
        self._in_flight = 0
        self._waiting: deque[_Operation] = deque()

    def issue(self, now: float, owner: int, done: Done, job: Any) -> None:
        """Issue an operation to the guest's kernel."""
        operation = (owner, now, next(self._layer_s), next(self._disk_s), done, job)
        if self._in_flight < self.depth:
            self._start(now, operation)
        else:
            self._waiting.append(operation)

    def _start(self, now: float, operation: _Operation) -> None:
        self._in_flight += 1
        start = now if now > self._layer_free else self._layer_free
        self._layer_free = end = start + operation[2]
        self.event_queue.schedule(end, self._pass_layer, operation)

    def _pass_layer(self, now: float, operation: _Operation) -> None:
        self.host_disk.serve(now, operation[3], self.guest, self._done, operation)

    def _done(self, now: float, operation: _Operation) -> None:
        owner, issued, layer_s, disk_s, done, job = operation
        self.operations.append((owner, issued, now, layer_s + disk_s))
        self._in_flight -= 1
        if self._waiting:
            self._start(now, self._waiting.popleft())
        done(now, job)
