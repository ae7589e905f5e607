"""Everything that was counted for one virtual server in one run, over its load and before it.

Ledger, demands, cross-checks and charts read this, so that one quantity has one increase. ``USED`` names what there
is: CPU and busy time in seconds, sectors, operations, and the bytes of the server's tasks.
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

STATIONS = ("guest_cpu", "host_cpu", "vdisk", "disk")
"""The server's processes in the guest; its whole QEMU on the host; the guest's disk; the host's disk under it."""
COUNTERS = (*STATIONS, "neighbour_cpu", "vdisk_operations", "disk_operations")
"""What is counted over time: CPU and busy seconds, and operations."""


def value_or_reason(measure: Callable[[], T]) -> T | str:
    """What ``measure`` gives, or the reason why it cannot."""
    try:
        return measure()
    except MissingData as reason:
        return str(reason)


class RunCounters:
    """The counters of one virtual server in one run; each is read once, when it is first asked for."""

    def __init__(self, run: Run, server: VirtualServer, processed: Path | str):
        self.run, self.server = run, server
        self.tables = RunTables(run, processed)
        self.window: Window = load_window(run, server)
        self._kept: dict[tuple[str, str], object] = {}

    def counter(self, name: str) -> Counter:
        """One of ``COUNTERS``, or ``vdisk_read`` and the like, or ``kernel_cpu``; raises ``MissingData``."""
        return self._once("counter", name, lambda: self._read(name))

    def increase(self, name: str) -> BoundedValue:
        """Its increase over the load, from enclosing snapshot to enclosing snapshot; raises ``MissingData``."""
        return self._once(
            "increase", name, lambda: self._increase(name, self.window, bracketing_span)
        )

    def increase_per_s(self, name: str) -> float:
        """What it grew by in a second of the load; raises ``MissingData``.

        Per second between the enclosing snapshots: what is used all the time is used up to the last of them.
        """
        times_ns = self.counter(name).at_ns
        first, last, _ = bracketing_indices(times_ns, self.window)
        return self.increase(name).value * NS_PER_S / float(times_ns[last] - times_ns[first])

    def idle_increase(self, name: str) -> BoundedValue:
        """Its increase over the whole idle baseline; raises ``MissingData``, also without one."""
        before = self.run.idle_before
        if before is None:
            raise MissingData(texts.NO_IDLE_BASELINE)
        return self._once(
            "idle_increase", name, lambda: self._increase(name, before, contained_span)
        )

    def idle_increase_per_s(self, name: str) -> float:
        """What it grows by in a second without load; raises ``MissingData``."""
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

    def others(self) -> list[VirtualServer]:
        """The other virtual servers of the run, by name."""
        every = sorted(self.run.virtual_servers.items())
        return [one for name, one in every if name != self.server.name]

    def margin_s(self) -> float:
        """A step and a half of the slowest instrument."""
        steps = [0.0]
        for name in COUNTERS:
            found = value_or_reason(lambda name=name: self.counter(name))
            if not isinstance(found, str):
                steps.append(float(np.median(np.diff(found.at_ns))) / NS_PER_S)
        return 1.5 * max(steps)

    def _once(self, kind: str, name: str, measure: Callable[[], T]) -> T:
        if (kind, name) not in self._kept:
            try:
                self._kept[kind, name] = measure()
            except MissingData as reason:
                self._kept[kind, name] = reason
        found = self._kept[kind, name]
        if isinstance(found, MissingData):
            raise found
        return found  # type: ignore[return-value]

    def _read(self, name: str) -> Counter:
        if name == "guest_cpu":
            rows = server_rows(self.tables, self.server, "top_processes")
            return top_counter(rows, self.tables.sampled("top_summary", self.server.role))
        if name == "kernel_cpu":
            return kernel_counter(self.tables, self.server)
        if name in ("host_cpu", "neighbour_cpu"):
            servers = [self.server] if name == "host_cpu" else self.others()
            return qemu_counter(self.tables, servers)
        disk, _, what = name.partition("_")
        role, device = disk_location(self.server, disk)  # type: ignore[arg-type]
        rows = device_rows(self.tables.sampled("block", role), device)
        hertz = self.run.facts(role).get("kernel_hz")
        return disk_counter(rows, what or "busy", jiffy_s(rows, hertz))

    def _increase(
        self, name: str, window: Window, bounds: Callable[..., SnapshotSpan]
    ) -> BoundedValue:
        if name == "guest_cpu":
            return total_cpu_time(*self._cpu_times(window, bounds))
        if name.endswith("_bytes"):
            return total_bytes(*self._task_bytes(name.removesuffix("_bytes"), window, bounds))  # type: ignore[arg-type]
        counter = self.counter(name)
        found = (
            counter.increase(window) if bounds is bracketing_span else counter.idle_increase(window)
        )
        if name in DISKS:
            queue = value_or_reason(lambda: self.counter(f"{name}_queue").increase(window))
            if not isinstance(queue, str):
                doubts = busy_time_flags(found, queue, window.duration_s)
                found = replace(found, flags=(*found.flags, *doubts))
        return found

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
