"""The plan of a study: demands of virtual servers, servers, loads, and the monitoring."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pipeline.errors import Error
from pipeline.synthetic import texts

Kind = Literal["open", "closed"]
Scheduling = Literal["ps", "fcfs"]
CpuCounter = Literal["exact", "sampled"]
DiskCounter = Literal["exact", "jiffies", "sampled"]
Accelerator = Literal["kvm", "tcg"]

ARRIVALS_SCV = {"even": 0.0, "poisson": 1.0}
"""c_a² of the named arrival processes."""

CPU_TIMES = ("cpu_s", "cpu_after_reply_s", "wake_up_s", "iothread_s", "layer_s")
"""Times of a virtual server that depend on the host's CPU."""

MAX_REQUESTS = 2_000_000
"""Largest number of requests in a run."""

MAX_OPERATIONS = 10_000_000
"""Largest number of disk operations, or of services of the background load, in a run."""

MAX_SNAPSHOTS = 200_000
"""Largest number of snapshots in a run."""

MAX_RUNS = 10_000
"""Largest number of runs times servers."""


class PlanError(Error):
    """A plan that cannot be simulated; the text gives the key and the reason."""


@dataclass(frozen=True)
class Background:
    """Background load of a virtual server and its host, independent of requests."""

    server_cpu: float = 0.002
    """Share of the guest's CPU used by the server's own processes."""
    other_cpu: float = 0.02
    """Share of the guest's CPU used by other processes (kernel threads, the collectors)."""
    server_operations_per_s: float = 0.0
    """Operations of the server's own processes on the guest's disk."""
    other_operations_per_s: float = 0.2
    """Operations of other processes on the guest's disk."""
    host_operations_per_s: float = 0.0
    """The host's own operations on its disk."""


@dataclass(frozen=True)
class VirtualServer:
    """The demands of one virtual server. Times are means; ``…_scv`` is the squared coefficient of variation.

    A request of n disk operations runs n + 1 CPU bursts with the operations between them, is answered, and uses
    ``cpu_after_reply_s`` more. The mean of n is ``disk_operations``, a fraction by chance.
    """

    name: str
    kind: Kind
    cpu_s: float
    """CPU time per request before its reply, all bursts together."""
    cpu_after_reply_s: float = 0.0
    """CPU time per request after its reply (closing, logging), which the client does not wait for."""
    cpu_scv: float = 1.0
    """Of each burst."""
    wake_up_s: float = 0.0
    """Additional CPU time of a burst that finds the CPU idle: the demand decreases with the load."""
    scheduling: Scheduling = "ps"
    """Scheduling of the guest's one CPU: processor sharing or FCFS."""
    disk_operations: float = 1.0
    """Mean number of disk operations per request."""
    disk_s: float = 0.003
    """Time of one operation at the host's disk."""
    disk_scv: float = 1.0
    layer_s: float = 0.0005
    """Time per operation in the virtualization layer, in addition to the host's disk."""
    layer_scv: float = 0.0
    queue_depth: int = 1
    """Operations that the guest issues at once; others wait in the guest."""
    operation_bytes: int = 16384
    write_share: float = 0.0
    """Fraction of the operations that are (synchronous, direct) writes."""
    exit_share: float = 0.1
    """Fraction of the guest's CPU time that the host's kernel spends on exits (R_kvm); the rest is guest mode."""
    iothread_s: float = 0.0001
    """CPU time of QEMU's I/O thread per operation. It adds no delay: that is ``layer_s``."""
    network_s: float = 0.0002
    """Constant part of the client's response time outside the server."""
    host_disk: str = "loop0"
    requests_per_process: int = 0
    """Requests after which a web server's process exits and another starts; 0: never."""
    background: Background = field(default_factory=Background)

    @property
    def vdisk_s(self) -> float:
        """Time of one operation at the guest's disk without queueing: layer and host disk."""
        return self.layer_s + self.disk_s

    def scaled_to(self, server: Server) -> VirtualServer:
        """The same virtual server on ``server``'s hardware."""
        scaled = {name: getattr(self, name) * server.cpu_times for name in CPU_TIMES}
        return replace(self, **scaled, disk_s=self.disk_s * server.disk_times)


@dataclass(frozen=True)
class Server:
    """One host's hardware, relative to the host that the demands are given for."""

    name: str
    title: str = ""
    cpu_times: float = 1.0
    """Factor of CPU times, and of the layer's."""
    disk_times: float = 1.0
    """Factor of disk times."""


@dataclass(frozen=True)
class Load:
    """The load on one virtual server in one run."""

    rate_per_s: float | None = None
    arrivals_scv: float = 1.0
    """c² of the interarrival times: 0 evenly spaced, 1 Poisson."""
    threads: int | None = None
    think_time_s: float = 0.0
    """Mean of the exponential think time between reply and next request (closed)."""

    @property
    def arrivals(self) -> str | None:
        """The name of the arrival process in run.json, if it has one."""
        names = {scv: name for name, scv in ARRIVALS_SCV.items()}
        return names.get(self.arrivals_scv)

    def to_manifest(self, kind: Kind) -> dict[str, Any]:
        """The load in the form of study.json and run.json."""
        if kind == "closed":
            return {"kind": kind, "population": self.threads, "think_time_s": self.think_time_s}
        arrivals = {"arrivals": self.arrivals} if self.arrivals else {}
        return {"kind": kind, "rate_per_s": self.rate_per_s, **arrivals}


@dataclass(frozen=True)
class Monitoring:
    """How the machines count, and how often their counters are read."""

    cpu_counter: CpuCounter = "exact"
    """exact: time on the CPU in whole ticks. sampled: each tick is charged to the running task."""
    disk_counter: DiskCounter = "jiffies"
    """exact: busy time in ms. jiffies: Linux 6.10 and its backports. sampled: Linux 5.0 to 6.9."""
    interval_s: float = 1.0
    jitter_s: float = 0.002
    """Mean delay of a snapshot beyond its deadline."""
    clock_offset_s: float = 0.02
    """Largest clock offset of a guest."""
    server_logs: bool = True
    """Write access.log and general.log."""


@dataclass(frozen=True)
class Plan:
    """A study: its virtual servers, servers, and runs (run name → virtual server → load)."""

    virtual_servers: dict[str, VirtualServer]
    runs: dict[str, dict[str, Load]]
    servers: dict[str, Server] = field(default_factory=lambda: {"first": Server("first")})
    title: str = texts.PLAN_TITLE
    seconds: float = 120.0
    before_seconds: float = 30.0
    accelerator: Accelerator = "kvm"
    monitoring: Monitoring = field(default_factory=Monitoring)

    def __post_init__(self):
        if len(self.runs) * len(self.servers) > MAX_RUNS:
            raise PlanError(f"runs: more than {MAX_RUNS} on all servers")
        seconds = self.seconds + self.before_seconds
        if seconds > MAX_SNAPSHOTS * self.monitoring.interval_s:
            raise PlanError(f"interval_s: more than {MAX_SNAPSHOTS} snapshots in {seconds:g} s")
        for name, virtual in self.virtual_servers.items():
            self._check_background(f"virtual_servers.{name}.background", virtual.background)
        for name, loads in self.runs.items():
            for server, load in loads.items():
                self._check(f"runs.{name}.{server}", server, load)
            kinds = [self.virtual_servers[server].kind for server in loads]
            if len(set(kinds)) < len(kinds):
                raise PlanError(
                    f"runs.{name}: two loads of the same kind (one client of each kind)"
                )
        for server in self.virtual_servers.values():
            if self.monitoring.cpu_counter == "sampled" and server.scheduling == "ps":
                raise PlanError(
                    f"virtual_servers.{server.name}.scheduling: must be fcfs with cpu_counter sampled "
                    "(with ps several tasks run when the timer ticks)"
                )

    def _check_background(self, where: str, background: Background) -> None:
        seconds = self.seconds + self.before_seconds
        for key in (
            "server_operations_per_s",
            "other_operations_per_s",
            "host_operations_per_s",
        ):
            if getattr(background, key) * seconds > MAX_OPERATIONS:
                raise PlanError(f"{where}.{key}: more than {MAX_OPERATIONS} in {seconds:g} s")

    def _check(self, where: str, server: str, load: Load) -> None:
        virtual = self.virtual_servers.get(server)
        if virtual is None:
            raise PlanError(f"{where}: unknown virtual server")
        if virtual.kind == "open":
            if load.rate_per_s is None or load.rate_per_s <= 0:
                raise PlanError(f"{where}.rate_per_s: must be above 0 for an open load")
            if load.rate_per_s * self.seconds < 1:
                raise PlanError(f"{where}.rate_per_s: less than one request in {self.seconds:g} s")
            if load.rate_per_s * self.seconds > MAX_REQUESTS:
                raise PlanError(f"{where}.rate_per_s: more than {MAX_REQUESTS} requests")
            if load.rate_per_s * self.seconds * virtual.disk_operations > MAX_OPERATIONS:
                raise PlanError(f"{where}.rate_per_s: more than {MAX_OPERATIONS} disk operations")
        else:
            if load.threads is None or load.threads < 1:
                raise PlanError(f"{where}.threads: must be at least 1 for a closed load")
            slowest = max(virtual.cpu_s, virtual.disk_operations * virtual.disk_s)
            if self.seconds > MAX_REQUESTS * (slowest + load.think_time_s / load.threads):
                raise PlanError(f"{where}: more than {MAX_REQUESTS} requests")
        cpu_times = max((each.cpu_times for each in self.servers.values()), default=1.0)
        disk_times = max((each.disk_times for each in self.servers.values()), default=1.0)
        cpu_s = (virtual.cpu_s + virtual.cpu_after_reply_s) * cpu_times
        disk_s = virtual.disk_operations * (
            virtual.disk_s * disk_times + virtual.layer_s * cpu_times
        )
        waiting = (load.rate_per_s or 0) * self.seconds + (load.threads or 0)
        if waiting * (cpu_s + disk_s) > MAX_SNAPSHOTS * self.monitoring.interval_s:
            raise PlanError(f"{where}: its requests take more than {MAX_SNAPSHOTS} snapshots")
