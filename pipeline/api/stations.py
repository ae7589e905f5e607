"""Stations of a run: how busy each is, the busiest, and how much more load fits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.api import texts as api_texts
from pipeline.api.run import RunData
from pipeline.ledger.catalogue import CORRECTED, KEPT, VARIANTS
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.processes import busy_share
from pipeline.measure.run_tables import has_host
from pipeline.measure.virtual_server import value_or_reason
from pipeline.raw import CLIENT, HOST, VirtualServer
from pipeline.tables import floats, of_rows, texts

HOST_CPU, VCPU, GUEST_DISK, HOST_DISK = "host CPU", "vCPU", "guest disk", "host disk"
"""Kinds of stations."""
OFF = VARIANTS[CORRECTED]["background"]


@dataclass(frozen=True)
class Station:
    """One station under the load of a run. Numbers that are missing are None."""

    kind: str
    """``HOST_CPU``, ``VCPU``, ``GUEST_DISK`` or ``HOST_DISK``."""
    name: str
    """``host CPU``, ``vCPU``, ``guest disk vda``, ``host disk loop1``."""
    title: str
    """The name in charts, with that of the virtual server where several had a load."""
    virtual_server: str | None
    """Whose station it is; None: of all guests."""
    owner: str = ""
    """The title of that virtual server."""
    utilization: float | None = None
    """Share of the load's time in which it was busy, background included."""
    low: float | None = None
    high: float | None = None
    """Resolution interval of the utilization."""
    load_utilization: float | None = None
    """The part that requests cause: without background."""
    cpus: float = 1.0
    """CPUs of the station; a quota may be below 1."""
    is_limit: bool = False
    """Whether ``cpus`` is less than the machine has."""

    @property
    def headroom(self) -> float | None:
        """How many times the load fits at constant service demands: (1 − background) / (utilization by requests).

        None where a utilization is missing, the requests do not use the station, or it is full.
        """
        if self.utilization is None or not self.load_utilization or self.load_utilization <= 0:
            return None
        background = max(self.utilization - self.load_utilization, 0.0)
        factor = (1 - background) / self.load_utilization
        return factor if factor > 1 else None


def stations(data: RunData) -> list[Station]:
    """The stations of each loaded virtual server, then the CPU of the host.

    Of a virtual server: its vCPUs (T_cpu over T and their number), its guest disk and the host disk under it (equation
    3). Of the host: the CPU limit of all guests, used by every QEMU by the task counters. In a run without a host, the
    CPUs of the machine, used by all its processes (/proc/stat), and its disk.
    """
    rows = [station for vs in data.loaded for station in _of_virtual_server(data, vs)]
    if not has_host(data.run):
        return rows
    cpus, machine_cpus = data.cpus, data.run.facts(HOST).get("cpus")
    views = [LedgerView(data.ledger, name) for name in data.titles]
    kept = [view.row("U_qemu", background=KEPT) for view in views]
    loaded = [
        LedgerView(data.ledger, vs.name).row("U_qemu", background=OFF)["value"]
        for vs in data.loaded
    ]
    ends = (
        _total((row["value"] if row[end] is None else row[end] for row in kept), cpus)
        for end in ("value", "low", "high")
    )
    is_limit = machine_cpus is not None and cpus < machine_cpus
    title = api_texts.cpu_limit_station(cpus)
    host = Station(
        HOST_CPU, "host CPU", title, None, "", *ends, _total(loaded, cpus), cpus, is_limit
    )
    return [*rows, host]


def _total(values: Iterable[float | None], cpus: float) -> float | None:
    """Sum over virtual servers per CPU; None if one is missing."""
    numbers = list(values)
    return sum(numbers) / cpus if numbers and None not in numbers else None  # type: ignore[arg-type]


def _of_virtual_server(data: RunData, vs: VirtualServer) -> list[Station]:
    numbers = LedgerView(data.ledger, vs.name)
    cpus = data.run.facts(vs.role).get("cpus") or 1
    rows = []
    for quantity, kind, name in (
        ("U_vcpu", VCPU, api_texts.vcpus(cpus)),
        ("U_vdisk_total", GUEST_DISK, f"guest disk {vs.virtual_disk}"),
        ("U_disk_total", HOST_DISK, f"host disk {vs.host_disk}"),
    ):
        if kind == HOST_DISK and not has_host(data.run):
            continue
        row = numbers.row(quantity, background=KEPT)
        net = numbers.value(quantity, background=OFF)
        if kind == VCPU and not has_host(data.run):
            whole = _busy_share(data, vs)
            row = {"value": row["value"] if whole is None else whole, "low": None, "high": None}
            if whole is None:
                name, net = api_texts.server_processes_only(name), None
            elif net is None:  # no idle baseline: all that the server's own processes used
                net = numbers.value(quantity, background=KEPT)
        title = f"{vs.name}: {name}" if len(data.loaded) > 1 else name
        numbers_of_it = (row["value"], row["low"], row["high"], net, cpus)
        rows.append(Station(kind, name, title, vs.name, data.title(vs.name), *numbers_of_it))
    return rows


def _busy_share(data: RunData, vs: VirtualServer) -> float | None:
    """Share of the machine's CPU time that all processes used; without a host nothing else shows what is left of it."""
    counters = data.counters(vs.name)
    share = value_or_reason(lambda: busy_share(counters.tables, vs.role, counters.window))
    return None if isinstance(share, str) else share


def is_client_machine(data: RunData, virtual_server: str) -> bool:
    """Whether the load generator runs on the virtual server's own machine: by the boot id, or among its processes."""
    run, role = data.run, data.run.virtual_servers[virtual_server].role
    boots = [
        (name in run.roles and run.roles[name].boot_id) or run.facts(name).get("boot_id")
        for name in (role, CLIENT)
    ]
    if boots[0] and boots[0] == boots[1]:
        return True
    log = run.client_log(virtual_server)
    processes = data.table("top_processes", role)
    return log is not None and not processes.filter(pl.col("command") == log.kind).is_empty()


def busiest_station(of: Sequence[Station]) -> Station | None:
    """The station with the highest utilization; None where none was measured."""
    measured = [s for s in of if s.utilization is not None and math.isfinite(s.utilization)]
    return max(measured, key=lambda station: station.utilization or 0.0, default=None)


def df_stations(data: RunData) -> pl.DataFrame:
    """Utilization of each of :func:`stations`: ``station``, ``utilization``, ``low``, ``high``."""
    rows = [(s.title, s.utilization, s.low, s.high) for s in stations(data)]
    return of_rows(rows, texts("station") | floats("utilization", "low", "high"))
