"""A clock with events, and the queues that a request passes: CPU, guest's disk, host's disk.

Times are seconds since the recording began. A queue calls ``done(now, job)`` when it has served a job, and keeps
what it did as plain tuples; :mod:`pipeline.synthetic.event_history` makes arrays of them.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

Done = Callable[[float, Any], None]
_Operation = tuple[int, float, float, float, Done, Any]


class Clock:
    """Events in the order of their times; those of one time in the order in which they were made."""

    def __init__(self) -> None:
        self._events: list[tuple[float, int, Done, Any]] = []
        self._made = 0
        self.owed = 0
        """Requests and clients that have not finished."""

    def at(self, time_s: float, action: Done, job: Any) -> None:
        """Call ``action(time_s, job)`` when it is time."""
        self._made += 1
        heapq.heappush(self._events, (time_s, self._made, action, job))

    def finish(self) -> None:
        """Run until nothing is owed any more (``owed``)."""
        events = self._events
        while self.owed and events:
            time_s, _, action, job = heapq.heappop(events)
            action(time_s, job)

    def run(self, end_s: float) -> None:
        """Run on until the next event lies beyond ``end_s``."""
        events = self._events
        while events and events[0][0] <= end_s:
            time_s, _, action, job = heapq.heappop(events)
            action(time_s, job)


class Fcfs:
    """One server, first come, first served: a CPU, or a disk of the host, which does one operation at a time.

    ``served``: (owner, arrival, start of service, end of service), in the order of the ends.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.served: list[tuple[int, float, float, float]] = []
        self._free = 0.0

    def is_idle(self, now: float) -> bool:
        """Whether a job that comes now is served at once."""
        return now >= self._free

    def serve(self, now: float, work_s: float, owner: int, done: Done, job: Any) -> None:
        """Queue a job of ``work_s`` seconds."""
        start = now if now > self._free else self._free
        self._free = end = start + work_s
        self.served.append((owner, now, start, end))
        self.clock.at(end, done, job)


class Shared:
    """One server, shared evenly by all jobs that are there (processor sharing).

    ``served`` as :class:`Fcfs` has it, since service begins on arrival; ``progress``: (time, what a job that has been
    there from the very beginning would have received by then), piecewise linear.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.served: list[tuple[int, float, float, float]] = []
        self.progress: list[tuple[float, float]] = [(0.0, 0.0)]
        self._jobs: list[tuple[float, int, int, float, Done, Any]] = []
        self._received = 0.0
        self._last = 0.0
        self._come = 0
        self._version = 0

    def is_idle(self, now: float) -> bool:
        """Whether nobody is there."""
        return not self._jobs

    def serve(self, now: float, work_s: float, owner: int, done: Done, job: Any) -> None:
        """Let in a job of ``work_s`` seconds."""
        self._advance(now)
        self._come += 1
        heapq.heappush(self._jobs, (self._received + work_s, self._come, owner, now, done, job))
        self._next(now)

    def _advance(self, now: float) -> None:
        if self._jobs:
            self._received += (now - self._last) / len(self._jobs)
        self._last = now
        self.progress.append((now, self._received))

    def _next(self, now: float) -> None:
        self._version += 1
        if self._jobs:
            left = max(0.0, self._jobs[0][0] - self._received) * len(self._jobs)
            self.clock.at(now + left, self._leave, self._version)

    def _leave(self, now: float, version: int) -> None:
        if version != self._version:
            return  # somebody came in between: that departure was announced anew
        self._advance(now)
        _, _, owner, arrival, done, job = heapq.heappop(self._jobs)
        self.served.append((owner, arrival, arrival, now))
        self._next(now)
        done(now, job)


class GuestDisk:
    """A guest's disk: at most ``depth`` operations on their way through the layer and the host's disk, others wait.

    The layer (QEMU's one I/O thread) serves one at a time. With ``depth`` 1 an operation's service is layer and
    host disk, one after the other, and U = X D holds for it. ``operations``: (owner, issued, done, work).
    """

    def __init__(
        self,
        clock: Clock,
        host_disk: Fcfs,
        guest: int,
        layer_s: Iterator[float],
        disk_s: Iterator[float],
        depth: int,
    ) -> None:
        self.clock, self.host_disk, self.guest, self.depth = clock, host_disk, guest, depth
        self.operations: list[tuple[int, float, float]] = []
        self._layer_s, self._disk_s = layer_s, disk_s
        self._layer_free = 0.0
        self._under_way = 0
        self._waiting: deque[_Operation] = deque()

    def issue(self, now: float, owner: int, done: Done, job: Any) -> None:
        """Hand an operation to the guest's kernel."""
        operation = (owner, now, next(self._layer_s), next(self._disk_s), done, job)
        if self._under_way < self.depth:
            self._start(now, operation)
        else:
            self._waiting.append(operation)

    def _start(self, now: float, operation: _Operation) -> None:
        self._under_way += 1
        start = now if now > self._layer_free else self._layer_free
        self._layer_free = end = start + operation[2]
        self.clock.at(end, self._through_layer, operation)

    def _through_layer(self, now: float, operation: _Operation) -> None:
        self.host_disk.serve(now, operation[3], self.guest, self._done, operation)

    def _done(self, now: float, operation: _Operation) -> None:
        owner, issued, layer_s, disk_s, done, job = operation
        self.operations.append((owner, issued, now, layer_s + disk_s))
        self._under_way -= 1
        if self._waiting:
            self._start(now, self._waiting.popleft())
        done(now, job)
