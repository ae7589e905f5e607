"""Simulation of the virtual servers of one host: requests through the queues, and background load."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from pipeline.synthetic.event_engine import EventQueue, FcfsQueue, GuestDisk, ProcessorSharingQueue
from pipeline.synthetic.event_history import (
    HOST_OWNER,
    CpuServices,
    GuestHistory,
    Operations,
    RunHistory,
    identity,
)
from pipeline.synthetic.plan import Load, Plan, VirtualServer
from pipeline.synthetic.process_table import (
    FIRST_WORKER,
    JOURNAL_OWNER,
    OTHER_PROCESSES,
    SERVER_OWNER,
    WEB_WORKERS,
)
from pipeline.synthetic.random_times import count_stream, draw_times, time_stream

SETTLE_S = 3.0
"""Time between the start of the recording and the idle baseline."""
AFTER_S = 4.0
"""Time between the end of the load and the end of the recording."""
LEAD_S = 0.002
"""Time between the start of a window and its first request, and between the last reply and its end."""
BACKGROUND_BURST_S = 0.001
"""Mean CPU time of a background burst (exponential)."""

Request = list
"""[worker, remaining operations, arrival]; a plain list because there are many."""


def simulate_run(plan: Plan, server: str, run: str, seed: int) -> RunHistory:
    """Simulate a run of a plan on a server.

    Each virtual server has a CPU of its own: guests contend for the host's disks only.

    Parameters
    ----------
    plan : Plan
    server, run : str
        Names in ``plan.servers`` and ``plan.runs``.
    seed : int
        The same arguments give the same history.

    Returns
    -------
    RunHistory

    Examples
    --------
    >>> history = simulate_run(plan, "first", "web-020-even", seed=1)  # doctest: +SKIP
    """
    sequence = np.random.SeedSequence([seed, zlib.crc32(f"{server}/{run}".encode())])
    event_queue = EventQueue()
    start_s = SETTLE_S + plan.before_seconds
    virtual_servers = {
        name: virtual.scaled_to(plan.servers[server])
        for name, virtual in plan.virtual_servers.items()
    }
    disks = {virtual.host_disk: FcfsQueue(event_queue) for virtual in virtual_servers.values()}
    guests: dict[str, _VirtualServer] = {}
    for number, (name, virtual) in enumerate(virtual_servers.items()):
        disk, seed_sequence = disks[virtual.host_disk], sequence.spawn(1)[0]
        guests[name] = _VirtualServer(
            event_queue, virtual, number, disk, np.random.default_rng(seed_sequence)
        )
    for name, load in plan.runs[run].items():
        guests[name].start_load(load, start_s, plan.seconds)

    event_queue.run_until_done()
    loads = [guest.load_end_s for guest in guests.values() if guest.load is not None]
    window_end_s = max(loads, default=start_s + plan.seconds)
    end_s = window_end_s + AFTER_S
    event_queue.run_until(end_s)
    writes = np.random.default_rng(sequence.spawn(1)[0])
    operations = {name: _host_operations(disk) for name, disk in disks.items()}
    for number, guest in enumerate(guests.values()):
        host_operations = operations[guest.server.host_disk]
        is_own = host_operations.owner == number
        guest.is_write = writes.random(is_own.sum()) < guest.server.write_share
        host_operations.is_write[is_own] = guest.is_write
    return RunHistory(
        plan,
        server,
        run,
        seed,
        {name: guest.to_history() for name, guest in guests.items()},
        operations,
        before_s=(SETTLE_S, start_s),
        window_s=(start_s, window_end_s),
        end_s=end_s,
    )


class _VirtualServer:
    """The state of one virtual server during the simulation."""

    def __init__(
        self,
        event_queue: EventQueue,
        server: VirtualServer,
        number: int,
        host_disk: FcfsQueue,
        rng: np.random.Generator,
    ) -> None:
        self.event_queue, self.server, self.load = event_queue, server, None
        self.cpu = (ProcessorSharingQueue if server.scheduling == "ps" else FcfsQueue)(event_queue)
        bursts = 1 + server.disk_operations
        layer_rng, disk_rng, burst_rng, after_rng, count_rng, self._rng, background_rng = rng.spawn(
            7
        )
        self.disk = GuestDisk(
            event_queue,
            host_disk,
            number,
            time_stream(layer_rng, server.layer_s, server.layer_scv),
            (host_times := time_stream(disk_rng, server.disk_s, server.disk_scv)),
            server.queue_depth,
        )
        self._burst_s = time_stream(burst_rng, server.cpu_s / bursts, server.cpu_scv)
        self._after_s = time_stream(after_rng, server.cpu_after_reply_s, server.cpu_scv)
        self._operations = count_stream(count_rng, server.disk_operations)
        self._arrivals: list[float] = []
        self._replies: list[tuple[float, float, int]] = []
        self._stop_s = 0.0
        self.wake_ups = 0
        self.is_write = np.zeros(0, bool)
        self.load_start_s = self.load_end_s = 0.0
        prefork = server.kind == "open"
        self._started = [-1.0] * (WEB_WORKERS if prefork else 0)
        self._exited = [float("inf")] * len(self._started)
        self._answered = [0] * len(self._started)
        self._idle_workers = list(range(len(self._started)))
        self._busy_threads: dict[int, float | None] = {}
        self._start_background(background_rng, host_disk, host_times)

    # -- load

    def start_load(self, load: Load, start_s: float, seconds: float) -> None:
        """Start a load on this virtual server at ``start_s``."""
        self.load, self.load_start_s = load, start_s
        if self.server.kind == "open":
            number = max(1, round(load.rate_per_s * seconds))
            gaps = draw_times(self._rng, 1 / load.rate_per_s, load.arrivals_scv, number)
            gaps[0] = start_s + LEAD_S
            self._arrivals = np.cumsum(gaps)[::-1].tolist()
            self.event_queue.pending += number
            self.event_queue.schedule(self._arrivals.pop(), self._arrive, None)
        else:
            self._stop_s = start_s + LEAD_S + seconds
            self.event_queue.pending += load.threads
            self._think_s = time_stream(self._rng, load.think_time_s, 1.0)
            self._started = [start_s] * load.threads
            self._exited = [float("inf")] * load.threads
            for thread in range(load.threads):
                first = start_s + LEAD_S + next(self._think_s)
                self.event_queue.schedule(first, self._send, thread)

    def _arrive(self, now: float, _: None) -> None:
        """Open a connection, which an idle process or a new one serves."""
        if self._arrivals:
            self.event_queue.schedule(self._arrivals.pop(), self._arrive, None)
        if self._idle_workers:
            worker = heapq.heappop(self._idle_workers)
        else:
            worker = len(self._started)
            self._started.append(now)
            self._exited.append(float("inf"))
            self._answered.append(0)
        self._start_request(now, worker, now)

    def _send(self, now: float, thread: int) -> None:
        """Send the next request of a client thread, or end the thread."""
        if now >= self._stop_s:
            self.event_queue.pending -= 1
        elif thread in self._busy_threads:  # still working after its last reply
            self._busy_threads[thread] = now
        else:
            self._start_request(now, thread, now)

    def _start_request(self, now: float, worker: int, arrival_s: float) -> None:
        if self.server.kind == "closed":
            self._busy_threads[worker] = None
        self._burst(now, [worker, next(self._operations), arrival_s])

    def _burst(self, now: float, request: Request) -> None:
        self._work(now, next(self._burst_s), request, self._after_burst)

    def _work(self, now: float, work_s: float, request: Request, done: Callable) -> None:
        if self.server.wake_up_s and self.cpu.is_idle(now):
            self.wake_ups += 1
            work_s += self.server.wake_up_s
        self.cpu.serve(now, work_s, FIRST_WORKER + request[0], done, request)

    def _after_burst(self, now: float, request: Request) -> None:
        if request[1]:
            request[1] -= 1
            self.disk.issue(now, FIRST_WORKER + request[0], self._burst, request)
            return
        self._replies.append((request[2], now, request[0]))
        back_s = now + self.server.network_s
        self.load_end_s = max(self.load_end_s, back_s + LEAD_S)
        if self.server.kind == "closed":
            self.event_queue.schedule(back_s + next(self._think_s), self._send, request[0])
        else:
            self.event_queue.pending -= 1
        if self.server.cpu_after_reply_s:
            self._work(now, next(self._after_s), request, self._end_request)
        else:
            self._end_request(now, request)

    def _end_request(self, now: float, request: Request) -> None:
        worker = request[0]
        if self.server.kind == "closed":
            waiting = self._busy_threads.pop(worker)
            if waiting is not None:
                self._start_request(now, worker, waiting)
            return
        self._answered[worker] += 1
        if self._answered[worker] == self.server.requests_per_process:
            self._exited[worker] = now
        else:
            heapq.heappush(self._idle_workers, worker)

    # -- background

    def _start_background(
        self, rng: np.random.Generator, host_disk: FcfsQueue, host_times: Iterator[float]
    ) -> None:
        """Start the background load, as Poisson streams."""
        background = self.server.background
        server_rng, other_rng, server_disk_rng, other_disk_rng, host_disk_rng, owner_rng = (
            rng.spawn(6)
        )
        shares = np.array([process.cpu_share for process in OTHER_PROCESSES])
        others = _choices(owner_rng, shares / shares.sum())

        def compute(owner: Callable[[], int], burst_s: Iterator[float]) -> Callable[[float], None]:
            return lambda now: self.cpu.serve(now, next(burst_s), owner(), _ignore, None)

        def issue(owner: int) -> Callable[[float], None]:
            return lambda now: self.disk.issue(now, owner, _ignore, None)

        bursts = (
            time_stream(source.spawn(1)[0], BACKGROUND_BURST_S, 1.0)
            for source in (server_rng, other_rng)
        )
        self._start_stream(
            server_rng,
            background.server_cpu / BACKGROUND_BURST_S,
            compute(lambda: SERVER_OWNER, next(bursts)),
        )
        self._start_stream(
            other_rng,
            background.other_cpu / BACKGROUND_BURST_S,
            compute(lambda: next(others), next(bursts)),
        )
        self._start_stream(server_disk_rng, background.server_operations_per_s, issue(SERVER_OWNER))
        self._start_stream(other_disk_rng, background.other_operations_per_s, issue(JOURNAL_OWNER))
        self._start_stream(
            host_disk_rng,
            background.host_operations_per_s,
            lambda now: host_disk.serve(now, next(host_times), HOST_OWNER, _ignore, None),
        )

    def _start_stream(
        self, rng: np.random.Generator, rate_per_s: float, action: Callable[[float], None]
    ) -> None:
        if not rate_per_s:
            return
        gaps = time_stream(rng, 1 / rate_per_s, 1.0)

        def arrive(now: float, _: None) -> None:
            action(now)
            self.event_queue.schedule(now + next(gaps), arrive, None)

        self.event_queue.schedule(next(gaps), arrive, None)

    # -- result

    def to_history(self) -> GuestHistory:
        """The history as arrays."""
        owner, _, start, end = _columns(self.cpu.served, 4)
        cumulative_work = identity
        if isinstance(self.cpu, ProcessorSharingQueue):
            at, received = _columns(self.cpu.progress, 2)
            cumulative_work = lambda time_s: np.interp(time_s, at, received)  # noqa: E731
        issuer, issued, done, work_s = _columns(self.disk.operations, 4)
        arrival, reply, worker = _columns(self._replies, 3)
        return GuestHistory(
            self.server,
            self.load,
            CpuServices(owner.astype(np.int64), start, end, cumulative_work),
            Operations(
                issuer.astype(np.int64),
                issued,
                done,
                work_s,
                # The guest's operations complete in the order in which the host disk serves them.
                self.is_write[: len(done)],
            ),
            arrival,
            reply,
            worker.astype(np.int64),
            np.array(self._started, float),
            np.array(self._exited, float),
            self.wake_ups,
            self.load_start_s,
            self.load_end_s,
        )


def _host_operations(disk: FcfsQueue) -> Operations:
    owner, issued, start, done = _columns(disk.served, 4)
    return Operations(owner.astype(np.int64), issued, done, done - start, np.zeros(len(done), bool))


def _columns(rows: list[tuple], width: int) -> list[np.ndarray]:
    return list(np.array(rows, float).reshape(-1, width).T)


def _choices(rng: np.random.Generator, shares: np.ndarray) -> Iterator[int]:
    while True:
        yield from rng.choice(len(shares), 4096, p=shares).tolist()


def _ignore(now: float, job: None) -> None:
    """Completion of background work, for which no request waits."""
