"""Steal, pressure, throttled CPU quotas and halt polling of a machine in a window: what its CPU time means.

Steal is in /proc/stat (table cpus); the others are ``k`` lines of tasks.log (table kernel_counters), which recordings
of older collectors do not have. ``MissingData`` without rows, or where a counter decreased.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measure import texts
from pipeline.measure.counters import Counter
from pipeline.measure.processes import ALL_STATES, machine_counter, qemu_counter, qemu_rows
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.raw import HOST, VirtualServer, Window

POLLING = ("halt_poll_success_ns", "halt_poll_fail_ns")
"""Their sum is the CPU time that vCPU threads spent polling."""


@dataclass(frozen=True)
class CpuQuota:
    """A cgroup with a CPU quota, and how often it was throttled in a window."""

    path: str
    cpus: float | None
    """The quota: CPU time per period; None if it was not recorded."""
    periods: float
    throttled_periods: float
    throttled_s: float

    @property
    def throttled_share(self) -> float:
        """Share of the periods in which the quota was used up; 0 without a period."""
        return self.throttled_periods / self.periods if self.periods else 0.0


def steal_counter(tables: RunTables, role: str, hertz: float = 1.0) -> Counter:
    """Ticks (or seconds, with ``hertz``) of steal; ``MissingData`` under TCG, where a guest has no steal clock."""
    if role != HOST and tables.run.accelerator == "tcg":
        raise MissingData(texts.NO_STEAL)
    rows = tables.sampled("cpus", role).drop_nulls("steal_ticks")
    return machine_counter(rows, ("steal",), hertz)


def steal_share(tables: RunTables, role: str, window: Window) -> float:
    """Share of a machine's CPU time that its hypervisor gave to others."""
    total = machine_counter(tables.sampled("cpus", role), ALL_STATES).increase(window).value
    if total <= 0:
        raise MissingData(texts.NO_CPU_LINE)
    return steal_counter(tables, role).increase(window).value / total


def pressure_share(
    tables: RunTables, role: str, resource: str, window: Window, kind: str = "some"
) -> float:
    """Share of the time in which some, or all (``full``), tasks waited for ``cpu``, ``io`` or ``memory``."""
    rows = _rows(tables, role, "pressure", f"{kind}_us").filter(pl.col("subject") == resource)
    waited = _counter(rows, f"{kind} pressure of {resource}")
    passed = Counter(waited.at_ns, (waited.at_ns - waited.at_ns[0]) / NS_PER_S)
    return waited.increase(window).value / 1e6 / passed.increase(window).value


def cpu_quotas(
    tables: RunTables, role: str, window: Window, pids: Iterable[int] | None = None
) -> Iterator[CpuQuota]:
    """The CPU quotas of a machine, or those that hold one of the processes ``pids``, by path."""
    rows = _rows(tables, role, "cgroup")
    names = pl.col("name")
    held = rows if pids is None else rows.filter(names == "pid", pl.col("value").is_in([*pids]))
    for path in sorted(held["subject"].unique()):
        of_group = rows.filter(pl.col("subject") == path)
        settings = {
            name: of_group.filter(names == name)["value"].drop_nulls()
            for name in ("quota_us", "period_us")
        }
        quota, period = (None if v.is_empty() else v[-1] for v in settings.values())
        periods, throttled, throttled_us = (
            _counter(of_group.filter(names == name), f"{name} of {path}").increase(window).value
            for name in ("nr_periods", "nr_throttled", "throttled_us")
        )
        cpus = quota / period if quota and period else None
        yield CpuQuota(path, cpus, periods, throttled, throttled_us / 1e6)


def halt_polling(tables: RunTables, server: VirtualServer, window: Window) -> tuple[float, float]:
    """CPU seconds that the vCPUs of a virtual server spent polling for work, and all CPU seconds of its QEMU."""
    pids = qemu_rows(tables, server)["pid"].unique()
    rows = _rows(tables, HOST, "kvm").filter(
        pl.col("subject").is_in(pids.cast(pl.String).implode()), pl.col("name").is_in(POLLING)
    )
    if rows.is_empty():
        raise MissingData(texts.NO_HALT_COUNTERS)
    polled_ns = [
        _counter(group, "the halt counter").increase(window).value
        for _, group in rows.group_by("name", "subject", maintain_order=True)
    ]
    return sum(polled_ns) / NS_PER_S, qemu_counter(tables, [server]).increase(window).value


def has_kernel_counters(tables: RunTables, role: str) -> bool:
    """Whether a machine's tasks.log has ``k`` lines."""
    return not tables.table("kernel_counters", role).is_empty()


def _rows(tables: RunTables, role: str, source: str, name: str | None = None) -> pl.DataFrame:
    rows = tables.sampled("kernel_counters", role).filter(pl.col("source") == source)
    return rows if name is None else rows.filter(pl.col("name") == name)


def _counter(rows: pl.DataFrame, name: str) -> Counter:
    """One counter; ``rows``: its rows of kernel_counters."""
    readings = (
        rows.drop_nulls(["value", "client_ns"])
        .unique("snapshot", keep="first", maintain_order=True)
        .sort("snapshot")
    )
    if readings.height < 2:
        raise MissingData(texts.few_readings(name))
    total = readings["value"].to_numpy().astype(np.float64)
    return Counter(readings["client_ns"].to_numpy(), total, name)
