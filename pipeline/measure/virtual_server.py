"""All counters of one virtual server in one run, over its load and over its idle baseline.

Ledger, demands, checks and charts use this module, so that one quantity has one increase. Units: seconds of CPU or
busy time, sectors, operations, bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from pipeline.measure import texts
from pipeline.measure.clients import client_rows, requests_logged
from pipeline.measure.counters import BoundedValue, Counter
from pipeline.measure.disks import (
    DISKS,
    Disk,
    busy_time_flags,
    device_rows,
    disk_counter,
    disk_location,
    jiffy_s,
    server_iotop_rows,
    task_bytes,
    total_bytes,
    with_interval_s,
)
from pipeline.measure.processes import (
    cpu_times,
    kernel_counter,
    qemu_counter,
    server_pattern,
    server_rows,
    top_counter,
    total_cpu_time,
)
from pipeline.measure.run_tables import RunTables
from pipeline.measure.snapshots import TICKED, coverage, recording_flags
from pipeline.measure.window import (
    NS_PER_S,
    MissingData,
    SnapshotSpan,
    bracketing_indices,
    bracketing_span,
    contained_span,
    load_window,
)
from pipeline.raw import HOST, Run, VirtualServer, Window

T = TypeVar("T")

MAX_SECTORS_PER_OPERATION = 2**16
"""32 MiB: more than any block device transfers in one operation."""

STATIONS = ("guest_cpu", "host_cpu", "vdisk", "disk")
"""The server's processes in the guest; its whole QEMU on the host; the guest's disk; the host's disk under it."""
COUNTERS = (*STATIONS, "neighbour_cpu", "vdisk_operations", "disk_operations")
"""What is counted over time: CPU and busy seconds, and operations."""


def value_or_reason(measure: Callable[[], T]) -> T | str:
    """The result of ``measure``, or the reason of its ``MissingData``."""
    try:
        return measure()
    except MissingData as reason:
        return str(reason)


class RunCounters:
    """The counters of one virtual server in one run; each is read once, when it is first used."""

    def __init__(self, run: Run, server: VirtualServer, processed: Path | str):
        self.run, self.server = run, server
        self.tables = RunTables(run, processed)
        self.window: Window = load_window(run, server)
        self._cache: dict[tuple[str, str], object] = {}

    def counter(self, name: str) -> Counter:
        """One of ``COUNTERS``, or ``vdisk_read`` and the like, or ``kernel_cpu``; raises ``MissingData``."""
        return self._once("counter", name, lambda: self._read(name))

    def increase(self, name: str) -> BoundedValue:
        """Its increase over the load, between the snapshots that bracket it; raises ``MissingData``."""
        return self._once(
            "increase", name, lambda: self._increase(name, self.window, bracketing_span)
        )

    def increase_per_s(self, name: str) -> float:
        """Its increase per second of the load; raises ``MissingData``.

        Per second between the bracketing snapshots: what is used all the time is used up to the last of them.
        """
        times_ns = self.counter(name).at_ns
        first, last, _ = bracketing_indices(times_ns, self.window)
        return self.increase(name).value * NS_PER_S / float(times_ns[last] - times_ns[first])

    def recording_flags(self, name: str) -> tuple[str, ...]:
        """What is wrong with an increase over the load because of what its log lacks; raises ``MissingData``."""
        return self._once("recording", name, lambda: self._recording_flags(name, self.window))

    def idle_increase(self, name: str) -> BoundedValue:
        """Its increase over the whole idle baseline; raises ``MissingData``, also without one."""
        baseline = self.run.idle_before
        if baseline is None:
            raise MissingData(texts.NO_IDLE_BASELINE)
        return self._once(
            "idle_increase", name, lambda: self._increase(name, baseline, contained_span)
        )

    def idle_increase_per_s(self, name: str) -> float:
        """Its increase per second without load; raises ``MissingData``."""
        return self.idle_increase(name).value / self.run.idle_before.duration_s  # type: ignore[union-attr]

    def processes(self) -> pl.DataFrame:
        """Equation 1's terms over the load, form ``processes.PROCESS_TIMES``; raises ``MissingData``."""
        return self._once("processes", "", lambda: self._cpu_times(self.window, bracketing_span)[0])

    def tasks(self, disk: Disk) -> pl.DataFrame:
        """Equation 7's terms over the load (``disks.task_bytes``); raises ``MissingData``."""
        return self._once(
            "tasks", disk, lambda: self._task_bytes(disk, self.window, bracketing_span)[0]
        )

    def requests_logged(self) -> int:
        """User requests in the server's own log; raises ``MissingData``."""
        return requests_logged(self.tables.sampled("requests", self.server.role), self.window)

    def client(self) -> pl.DataFrame:
        """Rows of the client's log; raises ``MissingData``."""
        return client_rows(self.tables, self.server)

    def neighbours(self) -> list[VirtualServer]:
        """The other virtual servers of the run, by name."""
        by_name = sorted(self.run.virtual_servers.items())
        return [server for name, server in by_name if name != self.server.name]

    def margin_s(self) -> float:
        """One and a half median periods of the slowest source."""
        periods_s = [0.0]
        for name in COUNTERS:
            counter = value_or_reason(lambda name=name: self.counter(name))
            if not isinstance(counter, str):
                periods_s.append(float(np.median(np.diff(counter.at_ns))) / NS_PER_S)
        return 1.5 * max(periods_s)

    def _once(self, kind: str, name: str, measure: Callable[[], T]) -> T:
        if (kind, name) not in self._cache:
            try:
                self._cache[kind, name] = measure()
            except MissingData as reason:
                self._cache[kind, name] = reason
        result = self._cache[kind, name]
        if isinstance(result, MissingData):
            raise result
        return result  # type: ignore[return-value]

    def _read(self, name: str) -> Counter:
        if name == "guest_cpu":
            rows = server_rows(self.tables, self.server, "top_processes")
            return top_counter(rows, self.tables.sampled("top_summary", self.server.role))
        if name == "kernel_cpu":
            return kernel_counter(self.tables, self.server)
        if name in ("host_cpu", "neighbour_cpu"):
            servers = [self.server] if name == "host_cpu" else self.neighbours()
            return qemu_counter(self.tables, servers)
        disk, _, quantity = name.partition("_")
        role, device = disk_location(self.run, self.server, disk)  # type: ignore[arg-type]
        rows = device_rows(self.tables.sampled("block", role), device)
        hertz = self.run.facts(role).get("kernel_hz")
        return disk_counter(rows, quantity or "busy", jiffy_s(rows, hertz))

    def _increase(
        self, name: str, window: Window, bounds: Callable[..., SnapshotSpan]
    ) -> BoundedValue:
        increase = self._counted(name, window, bounds)
        flags = self._recording_flags(name, window, is_idle=bounds is contained_span)
        return replace(increase, flags=tuple(dict.fromkeys((*increase.flags, *flags))))

    def _recording_flags(
        self, name: str, window: Window, *, is_idle: bool = False
    ) -> tuple[str, ...]:
        table, role = self.log_of(name)
        rows = self.tables.sampled(table, role)
        has_rates, has_turnover, limits = False, False, ()
        if table == "block":
            rows = device_rows(rows, disk_location(self.run, self.server, _disk_of(name))[1])
            limits = self._sector_flags(name, window) if not is_idle else ()
        elif table == "iotop_totals":
            has_rates = rows["read_bytes"].null_count() == rows.height
        else:
            counter = self.counter(name)
            has_turnover = counter.has_turnover
            cpus = self.run.facts(role).get("cpus")
            if cpus and counter.exceeds_rate(float(cpus)):
                limits = (texts.too_fast(counter.name, cpus),)
        ticked_s = self.run.facts(role).get("interval_s") if table in TICKED else None
        return (
            *self.tables.clock_flags(table, role),
            *recording_flags(
                coverage(rows, window, is_idle=is_idle),
                interval_s=ticked_s,
                has_rates=has_rates,
                has_turnover=has_turnover,
            ),
            *limits,
        )

    def log_of(self, name: str) -> tuple[str, str]:
        """Table and role of the log that a counter is read from."""
        if name == "guest_cpu":
            return "top_summary", self.server.role
        if name == "kernel_cpu":
            return "task_processes", self.server.role
        if name in ("host_cpu", "neighbour_cpu"):
            return "task_processes", HOST
        role = self.server.role if _disk_of(name) == "vdisk" else HOST
        return ("iotop_totals" if name.endswith("_bytes") else "block"), role

    def _sector_flags(self, name: str, window: Window) -> tuple[str, ...]:
        """A flag if a disk moved more than its operations can have moved."""
        disk, _, quantity = name.partition("_")
        if quantity not in ("read", "written"):
            return ()
        sectors = self.counter(name).increase(window).value
        operations = self.counter(f"{disk}_operations").increase(window).value
        if sectors > MAX_SECTORS_PER_OPERATION * operations:
            return (texts.too_many_sectors(self.counter(name).name),)
        return ()

    def _counted(
        self, name: str, window: Window, bounds: Callable[..., SnapshotSpan]
    ) -> BoundedValue:
        if name == "guest_cpu":
            return total_cpu_time(*self._cpu_times(window, bounds))
        if name.endswith("_bytes"):
            return total_bytes(*self._task_bytes(name.removesuffix("_bytes"), window, bounds))  # type: ignore[arg-type]
        counter = self.counter(name)
        increase = (
            counter.increase(window) if bounds is bracketing_span else counter.idle_increase(window)
        )
        if name in DISKS:
            queue = value_or_reason(lambda: self.counter(f"{name}_queue").increase(window))
            if not isinstance(queue, str):
                flags = busy_time_flags(increase, queue, window.duration_s)
                increase = replace(increase, flags=(*increase.flags, *flags))
        return increase

    def _cpu_times(
        self, window: Window, bounds: Callable[..., SnapshotSpan]
    ) -> tuple[pl.DataFrame, SnapshotSpan]:
        pattern, role = server_pattern(self.server), self.server.role
        span = bounds(self.tables.sampled("top_summary", role), window)
        times = cpu_times(self.tables.sampled("top_processes", role), span, pattern)
        if times.is_empty():
            raise MissingData(texts.no_process(role, pattern))
        return times, span

    def _task_bytes(
        self, disk: Disk, window: Window, bounds: Callable[..., SnapshotSpan]
    ) -> tuple[pl.DataFrame, SnapshotSpan]:
        role = self.server.role if disk == "vdisk" else HOST
        totals = self.tables.sampled("iotop_totals", role)
        span = bounds(totals, window)
        own = server_iotop_rows(self.tables, role, self.server)
        return task_bytes(with_interval_s(own, totals), span), span


def _disk_of(name: str) -> Disk:
    return name.partition("_")[0]  # type: ignore[return-value]
