"""A load on simulated virtual servers: requests through the queues, and the background beside them."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from pipeline.synthetic.event_engine import Clock, Fcfs, GuestDisk, Shared
from pipeline.synthetic.event_history import HOST_ITSELF, Guest, History, Operations, Served, wall
from pipeline.synthetic.plan import Load, Plan, VirtualServer
from pipeline.synthetic.process_table import OTHERS, SERVER, WEB_WORKERS, WORKERS, WRITER
from pipeline.synthetic.random_times import counts, stream, times

SETTLE_S = 3.0
"""Between the beginning of the recording and the before-state."""
AFTER_S = 4.0
"""Between the end of the load and the end of the recording."""
LEAD_S = 0.002
"""Between the beginning of a window and the first request, and the last reply and the end."""
BURST_S = 0.001
"""Mean CPU time of one burst of background work (exponential)."""

Request = list
"""[worker, operations left, arrival]; a plain list, since there are many."""


def simulate(plan: Plan, server: str, run: str, seed: int) -> History:
    """Run ``run`` of ``plan`` on ``server``. The same arguments give the same history.

    Each virtual server has a CPU of its own: guests meet at the host's disks only.
    """
    sequence = np.random.SeedSequence([seed, zlib.crc32(f"{server}/{run}".encode())])
    clock = Clock()
    start_s = SETTLE_S + plan.before_seconds
    known = {
        name: virtual.on(plan.servers[server]) for name, virtual in plan.virtual_servers.items()
    }
    disks = {virtual.host_disk: Fcfs(clock) for virtual in known.values()}
    guests: dict[str, _Guest] = {}
    for number, (name, virtual) in enumerate(known.items()):
        disk, own = disks[virtual.host_disk], sequence.spawn(1)[0]
        guests[name] = _Guest(clock, virtual, number, disk, np.random.default_rng(own))
    for name, load in plan.runs[run].items():
        guests[name].begin(load, start_s, plan.seconds)

    clock.finish()
    loads = [guest.load_end_s for guest in guests.values() if guest.load is not None]
    window_end_s = max(loads, default=start_s + plan.seconds)
    end_s = window_end_s + AFTER_S
    clock.run(end_s)
    writes = np.random.default_rng(sequence.spawn(1)[0])
    operations = {name: _host_operations(disk) for name, disk in disks.items()}
    for number, guest in enumerate(guests.values()):
        below = operations[guest.server.host_disk]
        mine = below.owner == number
        guest.is_write = writes.random(mine.sum()) < guest.server.write_share
        below.is_write[mine] = guest.is_write
    return History(
        plan,
        server,
        run,
        seed,
        {name: guest.history() for name, guest in guests.items()},
        operations,
        before_s=(SETTLE_S, start_s),
        window_s=(start_s, window_end_s),
        end_s=end_s,
    )


class _Guest:
    """One virtual server while it runs."""

    def __init__(
        self,
        clock: Clock,
        server: VirtualServer,
        number: int,
        host_disk: Fcfs,
        rng: np.random.Generator,
    ) -> None:
        self.clock, self.server, self.load = clock, server, None
        self.cpu = (Shared if server.scheduling == "ps" else Fcfs)(clock)
        bursts = 1 + server.disk_operations
        layer_rng, disk_rng, burst_rng, after_rng, count_rng, self._rng, quiet = rng.spawn(7)
        self.disk = GuestDisk(
            clock,
            host_disk,
            number,
            stream(layer_rng, server.layer_s, server.layer_scv),
            (host_times := stream(disk_rng, server.disk_s, server.disk_scv)),
            server.queue_depth,
        )
        self._burst_s = stream(burst_rng, server.cpu_s / bursts, server.cpu_scv)
        self._after_s = stream(after_rng, server.cpu_after_reply_s, server.cpu_scv)
        self._operations = counts(count_rng, server.disk_operations)
        self._arrivals: list[float] = []
        self._replies: list[tuple[float, float, int]] = []
        self._stop_s = 0.0
        self.wake_ups = 0
        self.is_write = np.zeros(0, bool)
        self.load_start_s = self.load_end_s = 0.0
        prefork = server.kind == "open"
        self._born = [-1.0] * (WEB_WORKERS if prefork else 0)
        self._died = [float("inf")] * len(self._born)
        self._answered = [0] * len(self._born)
        self._idle_workers = list(range(len(self._born)))
        self._busy_threads: dict[int, float | None] = {}
        self._background(quiet, host_disk, host_times)

    # -- the load

    def begin(self, load: Load, start_s: float, seconds: float) -> None:
        """Put a load on this virtual server from ``start_s`` on."""
        self.load, self.load_start_s = load, start_s
        if self.server.kind == "open":
            number = max(1, round(load.rate_per_s * seconds))
            gaps = times(self._rng, 1 / load.rate_per_s, load.arrivals_scv, number)
            gaps[0] = start_s + LEAD_S
            self._arrivals = np.cumsum(gaps)[::-1].tolist()
            self.clock.owed += number
            self.clock.at(self._arrivals.pop(), self._arrive, None)
        else:
            self._stop_s = start_s + LEAD_S + seconds
            self.clock.owed += load.threads
            self._think_s = stream(self._rng, load.think_time_s, 1.0)
            self._born = [start_s] * load.threads
            self._died = [float("inf")] * load.threads
            for thread in range(load.threads):
                first = start_s + LEAD_S + next(self._think_s)
                self.clock.at(first, self._send, thread)

    def _arrive(self, now: float, _: None) -> None:
        """A connection is opened; an idle process takes it, or a new one."""
        if self._arrivals:
            self.clock.at(self._arrivals.pop(), self._arrive, None)
        if self._idle_workers:
            worker = heapq.heappop(self._idle_workers)
        else:
            worker = len(self._born)
            self._born.append(now)
            self._died.append(float("inf"))
            self._answered.append(0)
        self._begin_request(now, worker, now)

    def _send(self, now: float, thread: int) -> None:
        """A client's thread sends its next request, or has done for the day."""
        if now >= self._stop_s:
            self.clock.owed -= 1
        elif thread in self._busy_threads:  # still at work after its last reply
            self._busy_threads[thread] = now
        else:
            self._begin_request(now, thread, now)

    def _begin_request(self, now: float, worker: int, arrival_s: float) -> None:
        if self.server.kind == "closed":
            self._busy_threads[worker] = None
        self._burst(now, [worker, next(self._operations), arrival_s])

    def _burst(self, now: float, request: Request) -> None:
        self._work(now, next(self._burst_s), request, self._after_burst)

    def _work(self, now: float, work_s: float, request: Request, done: Callable) -> None:
        if self.server.wake_up_s and self.cpu.is_idle(now):
            self.wake_ups += 1
            work_s += self.server.wake_up_s
        self.cpu.serve(now, work_s, WORKERS + request[0], done, request)

    def _after_burst(self, now: float, request: Request) -> None:
        if request[1]:
            request[1] -= 1
            self.disk.issue(now, WORKERS + request[0], self._burst, request)
            return
        self._replies.append((request[2], now, request[0]))
        back_s = now + self.server.network_s
        self.load_end_s = max(self.load_end_s, back_s + LEAD_S)
        if self.server.kind == "closed":
            self.clock.at(back_s + next(self._think_s), self._send, request[0])
        else:
            self.clock.owed -= 1
        if self.server.cpu_after_reply_s:
            self._work(now, next(self._after_s), request, self._end_request)
        else:
            self._end_request(now, request)

    def _end_request(self, now: float, request: Request) -> None:
        worker = request[0]
        if self.server.kind == "closed":
            waiting = self._busy_threads.pop(worker)
            if waiting is not None:
                self._begin_request(now, worker, waiting)
            return
        self._answered[worker] += 1
        if self._answered[worker] == self.server.requests_per_process:
            self._died[worker] = now
        else:
            heapq.heappush(self._idle_workers, worker)

    # -- the background

    def _background(
        self, rng: np.random.Generator, host_disk: Fcfs, host_times: Iterator[float]
    ) -> None:
        """Work that comes all the time, as Poisson streams."""
        what = self.server.background
        server_rng, other_rng, moved_rng, journal_rng, host_rng, who_rng = rng.spawn(6)
        shares = np.array([process.cpu_share for process in OTHERS])
        others = _choices(who_rng, shares / shares.sum())

        def compute(owner: Callable[[], int], burst_s: Iterator[float]) -> Callable[[float], None]:
            return lambda now: self.cpu.serve(now, next(burst_s), owner(), _nothing, None)

        def move(owner: int) -> Callable[[float], None]:
            return lambda now: self.disk.issue(now, owner, _nothing, None)

        bursts = (stream(source.spawn(1)[0], BURST_S, 1.0) for source in (server_rng, other_rng))
        self._source(server_rng, what.server_cpu / BURST_S, compute(lambda: SERVER, next(bursts)))
        self._source(
            other_rng, what.other_cpu / BURST_S, compute(lambda: next(others), next(bursts))
        )
        self._source(moved_rng, what.server_operations_per_s, move(SERVER))
        self._source(journal_rng, what.other_operations_per_s, move(WRITER))
        self._source(
            host_rng,
            what.host_operations_per_s,
            lambda now: host_disk.serve(now, next(host_times), HOST_ITSELF, _nothing, None),
        )

    def _source(
        self, rng: np.random.Generator, rate_per_s: float, act: Callable[[float], None]
    ) -> None:
        if not rate_per_s:
            return
        gaps = stream(rng, 1 / rate_per_s, 1.0)

        def come(now: float, _: None) -> None:
            act(now)
            self.clock.at(now + next(gaps), come, None)

        self.clock.at(next(gaps), come, None)

    # -- what happened

    def history(self) -> Guest:
        """All of it as arrays."""
        owner, _, start, end = _columns(self.cpu.served, 4)
        meter = wall
        if isinstance(self.cpu, Shared):
            at, received = _columns(self.cpu.progress, 2)
            meter = lambda time_s: np.interp(time_s, at, received)  # noqa: E731
        issuer, issued, done, work_s = _columns(self.disk.operations, 4)
        arrival, reply, worker = _columns(self._replies, 3)
        return Guest(
            self.server,
            self.load,
            Served(owner.astype(np.int64), start, end, meter),
            Operations(
                issuer.astype(np.int64),
                issued,
                done,
                work_s,
                # The guest's operations end in the order in which the host's disk serves them.
                self.is_write[: len(done)],
            ),
            arrival,
            reply,
            worker.astype(np.int64),
            np.array(self._born, float),
            np.array(self._died, float),
            self.wake_ups,
            self.load_start_s,
            self.load_end_s,
        )


def _host_operations(disk: Fcfs) -> Operations:
    owner, issued, start, done = _columns(disk.served, 4)
    return Operations(owner.astype(np.int64), issued, done, done - start, np.zeros(len(done), bool))


def _columns(rows: list[tuple], width: int) -> list[np.ndarray]:
    return list(np.array(rows, float).reshape(-1, width).T)


def _choices(rng: np.random.Generator, shares: np.ndarray) -> Iterator[int]:
    while True:
        yield from rng.choice(len(shares), 4096, p=shares).tolist()


def _nothing(now: float, job: None) -> None:
    """Nobody waits for background work."""
