"""What is known before anything is simulated: demands of virtual servers, servers, loads, and how kernels count."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.errors import Error

Kind = Literal["open", "closed"]
Scheduling = Literal["ps", "fcfs"]
CpuCounter = Literal["exact", "sampled"]
DiskCounter = Literal["exact", "jiffies", "sampled"]
Accelerator = Literal["kvm", "tcg"]

ARRIVALS_SCV = {"even": 0.0, "poisson": 1.0}
"""c_a² of the arrivals that have a name."""

CPU_TIMES = ("cpu_s", "cpu_after_reply_s", "wake_up_s", "iothread_s", "layer_s")
"""Times of a virtual server that depend on the host's CPU."""

MOST_REQUESTS = 2_000_000
"""No run may have more: each request is simulated, and is a line of a log."""


class PlanError(Error):
    """A plan that cannot be simulated; the text says which key is wrong and why."""


@dataclass(frozen=True)
class Background:
    """What a virtual server does without any request, all the time."""

    server_cpu: float = 0.002
    """Share of the guest's CPU that the server's own processes use."""
    other_cpu: float = 0.02
    """Share of the guest's CPU that other processes use (kernel threads, the collectors)."""
    server_operations_per_s: float = 0.0
    """Operations of the server's own processes on the guest's disk."""
    other_operations_per_s: float = 0.2
    """Operations of other processes on the guest's disk."""
    host_operations_per_s: float = 0.0
    """Operations of the host's own on the disk below."""


@dataclass(frozen=True)
class VirtualServer:
    """The demands of one virtual server. Times are means; ``…_scv`` is the squared coefficient of variation.

    A request of n disk operations runs n + 1 bursts of CPU with the operations between them, is answered, and
    works on for ``cpu_after_reply_s``. n is ``disk_operations``, a fraction by chance.
    """

    name: str
    kind: Kind
    cpu_s: float
    """CPU time of a request up to its reply, all bursts together."""
    cpu_after_reply_s: float = 0.0
    """CPU time of a request after its reply: closing, logging. The client does not wait for it."""
    cpu_scv: float = 1.0
    """Of each burst."""
    wake_up_s: float = 0.0
    """Additional CPU time of a burst that finds the CPU idle: the demand falls as the load grows."""
    scheduling: Scheduling = "ps"
    """How the guest's one CPU is shared: processor sharing, or first come, first served."""
    disk_operations: float = 1.0
    """Disk operations of a request, on average."""
    disk_s: float = 0.003
    """Time of one operation at the host's disk."""
    disk_scv: float = 1.0
    layer_s: float = 0.0005
    """Time that the virtualization layer adds to one operation, above the host's disk."""
    layer_scv: float = 0.0
    queue_depth: int = 1
    """Operations that the guest hands down at once; the others wait in the guest."""
    operation_bytes: int = 16384
    write_share: float = 0.0
    """Part of the operations that are (synchronous, direct) writes."""
    exit_share: float = 0.1
    """Part of the guest's CPU time that the host's kernel spends on exits (R_kvm); the rest is guest mode."""
    iothread_s: float = 0.0001
    """CPU time of QEMU's I/O thread an operation. It delays nothing: the layer's time is what the guest waits."""
    network_s: float = 0.0002
    """What the client measures beyond the server: the same for every request."""
    host_disk: str = "loop0"
    requests_per_process: int = 0
    """A web server's process ends after so many requests and another is born; 0: never."""
    background: Background = field(default_factory=Background)

    @property
    def vdisk_s(self) -> float:
        """Time of one operation at the guest's disk without queueing: layer and host disk."""
        return self.layer_s + self.disk_s

    def on(self, server: Server) -> VirtualServer:
        """The same virtual server on ``server``'s hardware."""
        scaled = {name: getattr(self, name) * server.cpu_times for name in CPU_TIMES}
        return replace(self, **scaled, disk_s=self.disk_s * server.disk_times)


@dataclass(frozen=True)
class Server:
    """One host's hardware, relative to the one that the virtual servers' demands are given for."""

    name: str
    title: str = ""
    cpu_times: float = 1.0
    """CPU times (and the layer's) are so many times as long."""
    disk_times: float = 1.0
    """Disk times are so many times as long."""


@dataclass(frozen=True)
class Load:
    """The load on one virtual server in one run."""

    rate_per_s: float | None = None
    arrivals_scv: float = 1.0
    """c² of the times between arrivals: 0 evenly spaced, 1 Poisson."""
    threads: int | None = None
    think_time_s: float = 0.0
    """Mean of an exponential pause between reply and next request (closed)."""

    @property
    def arrivals(self) -> str | None:
        """The name that run.json has for the arrivals, if it has one."""
        names = {scv: name for name, scv in ARRIVALS_SCV.items()}
        return names.get(self.arrivals_scv)

    def described(self, kind: Kind) -> dict[str, Any]:
        """The load as study.json and run.json say it."""
        if kind == "closed":
            return {"kind": kind, "population": self.threads, "think_time_s": self.think_time_s}
        arrivals = {"arrivals": self.arrivals} if self.arrivals else {}
        return {"kind": kind, "rate_per_s": self.rate_per_s, **arrivals}


@dataclass(frozen=True)
class Instruments:
    """How the machines count and how often they are looked at."""

    cpu_counter: CpuCounter = "exact"
    """exact: time on the CPU, printed in whole ticks. sampled: who runs when the timer ticks is charged the tick."""
    disk_counter: DiskCounter = "jiffies"
    """exact: busy time in ms. jiffies: Linux 6.10 and its backports. sampled: Linux 5.0 to 6.9."""
    interval_s: float = 1.0
    jitter_s: float = 0.002
    """Mean delay of a snapshot beyond its deadline."""
    clock_offset_s: float = 0.02
    """Guests' clocks are off by up to so much."""
    server_logs: bool = True
    """Write access.log and general.log."""


@dataclass(frozen=True)
class Plan:
    """A study: its virtual servers, servers, and runs (run name → virtual server → load)."""

    virtual_servers: dict[str, VirtualServer]
    runs: dict[str, dict[str, Load]]
    servers: dict[str, Server] = field(default_factory=lambda: {"first": Server("first")})
    title: str = "A simulated host with known demands"
    seconds: float = 120.0
    before_seconds: float = 30.0
    accelerator: Accelerator = "kvm"
    instruments: Instruments = field(default_factory=Instruments)

    def __post_init__(self):
        for name, loads in self.runs.items():
            for server, load in loads.items():
                self._check(f"runs.{name}.{server}", server, load)
            kinds = [self.virtual_servers[server].kind for server in loads]
            if len(set(kinds)) < len(kinds):
                raise PlanError(f"runs.{name}: two loads of one kind; there is one client of each")
        for server in self.virtual_servers.values():
            if self.instruments.cpu_counter == "sampled" and server.scheduling == "ps":
                raise PlanError(
                    f"virtual_servers.{server.name}.scheduling: cpu_counter sampled needs fcfs: "
                    "with ps nobody is alone on the CPU when the timer ticks"
                )

    def _check(self, where: str, server: str, load: Load) -> None:
        known = self.virtual_servers.get(server)
        if known is None:
            raise PlanError(f"{where}: no virtual server is called so")
        if known.kind == "open":
            if load.rate_per_s is None or load.rate_per_s <= 0:
                raise PlanError(f"{where}.rate_per_s: an open load needs a rate above 0")
            if load.rate_per_s * self.seconds < 1:
                raise PlanError(f"{where}.rate_per_s: not one request in {self.seconds:g} s")
            if load.rate_per_s * self.seconds > MOST_REQUESTS:
                raise PlanError(f"{where}.rate_per_s: more than {MOST_REQUESTS} requests")
        else:
            if load.threads is None or load.threads < 1:
                raise PlanError(f"{where}.threads: a closed load needs 1 thread or more")
            slowest = max(known.cpu_s, known.disk_operations * known.disk_s)
            if self.seconds > MOST_REQUESTS * (slowest + load.think_time_s / load.threads):
                raise PlanError(f"{where}: more than {MOST_REQUESTS} requests")
