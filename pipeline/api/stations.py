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
from pipeline.raw import HOST, VirtualServer
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
    3). Of the host: the CPU limit of all guests, used by every QEMU by the task counters.
    """
    rows = [station for vs in data.loaded for station in _of_virtual_server(data, vs)]
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
        row = numbers.row(quantity, background=KEPT)
        net = numbers.value(quantity, background=OFF)
        title = f"{vs.name}: {name}" if len(data.loaded) > 1 else name
        numbers_of_it = (row["value"], row["low"], row["high"], net, cpus)
        rows.append(Station(kind, name, title, vs.name, data.title(vs.name), *numbers_of_it))
    return rows


def busiest_station(of: Sequence[Station]) -> Station | None:
    """The station with the highest utilization; None where none was measured."""
    measured = [s for s in of if s.utilization is not None and math.isfinite(s.utilization)]
    return max(measured, key=lambda station: station.utilization or 0.0, default=None)


def df_stations(data: RunData) -> pl.DataFrame:
    """Utilization of each of :func:`stations`: ``station``, ``utilization``, ``low``, ``high``."""
    rows = [(s.title, s.utilization, s.low, s.high) for s in stations(data)]
    return of_rows(rows, texts("station") | floats("utilization", "low", "high"))
