"""What the equations need of one run and virtual server, measured from its tables.

Each input is a ``Quantity``: where a log is missing or does not reach, the input is missing with its reason and
the others stand. ``used`` is the growth over the load's window, ``idle`` the growth over the idle before-state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl

from pipeline import equations, ingest
from pipeline.bundle import HOST, Run, VirtualServer, Window
from pipeline.ledger.quantity import Quantity, between, exact, missing
from pipeline.measure.clients import client_result, requests_logged
from pipeline.measure.disks import (
    DiskGrowth,
    disk_growth,
    rows_of_server,
    task_bytes,
    with_interval_s,
)
from pipeline.measure.processes import cpu_times, kernel_cpu_time, pids_named, tids_of
from pipeline.measure.window import Enclosure, Unmeasured, enclose, inside, on_client_clock
from pipeline.tables import IOTOP_TASKS, empty

T = TypeVar("T")
Bounds = Callable[[pl.DataFrame, Window], Enclosure]
"""Which snapshots stand for a span: ``enclose`` (the load) or ``inside`` (the before-state)."""
Disk = Literal["vdisk", "disk"]

DISKS: tuple[Disk, ...] = ("vdisk", "disk")


@dataclass(frozen=True)
class Used:
    """Growths over one span (the load's window, or the before-state)."""

    processes: pl.DataFrame | None
    """Equation 1's terms, ``measure.processes.PROCESS_TIMES``."""
    cpu_s: Quantity
    disks: dict[Disk, DiskUse]


@dataclass(frozen=True)
class DiskUse:
    """One disk's growths over one span."""

    tasks: pl.DataFrame | None
    """Equation 7's terms, a row a task."""
    growth: DiskGrowth | None
    """The counters at both ends, None where missing."""
    busy_s: Quantity
    read_bytes: Quantity
    written_bytes: Quantity
    server_bytes: Quantity
    operations: Quantity
    queue_s: Quantity


@dataclass(frozen=True)
class Inputs:
    """Everything that the equations need of one virtual server in one run."""

    window: Window
    before: Window | None
    also_loaded: tuple[str, ...]
    """Other virtual servers of the host that had a load in the same run."""
    requests: Quantity
    requests_logged: Quantity
    kernel_cpu_s: Quantity
    qemu_cpu_s: Quantity
    """CPU time of the virtual server's QEMU on the host, by the task counters."""
    guest_cpus: Quantity
    client_throughput: Quantity
    client_response_time_s: Quantity
    used: Used
    idle: Used | None


class RunTables:
    """The stored tables of one run, each read once, times brought to the client's clock."""

    def __init__(self, run: Run, processed: Path):
        self.run, self.processed = run, processed
        self._kept: dict[tuple[str, str], pl.DataFrame] = {}

    def rows(self, table: str, role: str) -> pl.DataFrame:
        """Rows of one role; ``Unmeasured`` if there are none or the role's clock is unknown."""
        key = (table, role)
        if key not in self._kept:
            frame = ingest.load(
                table,
                self.processed,
                study=self.run.study,
                server=self.run.server,
                run=self.run.run,
                role=role,
            )
            self._kept[key] = frame
        frame = self._kept[key]
        if frame.is_empty():
            raise Unmeasured(f"{role} has no rows of {table}")
        return frame

    def sampled(self, table: str, role: str) -> pl.DataFrame:
        """Rows of a sampled table with ``client_ns``."""
        offset_ns = self.run.clock_offset_ns(role)
        if offset_ns is None:
            raise Unmeasured(f"the clock of {role} was not compared with the client's")
        return on_client_clock(self.rows(table, role), offset_ns)


def measure_inputs(run: Run, server: VirtualServer, processed: Path) -> Inputs:
    """The inputs of equations (1) to (10) for ``server`` in ``run``.

    Raises ``Unmeasured`` only where nothing can be said: no window, or no load on this virtual server.
    """
    if server.workload is None:
        raise Unmeasured("no load on this virtual server")
    window = server.workload.window or run.window
    if window is None:
        raise Unmeasured("run.json does not say when the load ran")
    tables = RunTables(run, processed)
    client = _tried(lambda: client_result(_client_rows(tables, server)))
    if isinstance(client, str):
        requests = throughput = response = missing(client)
    else:
        requests = exact(client.completions, *client.flags)
        throughput = _optional(client.throughput_per_s, "the client does not print a throughput")
        response = _optional(
            client.response_time_mean_s, "the client does not print a response time"
        )
    return Inputs(
        window=window,
        before=run.before,
        also_loaded=tuple(
            name
            for name, other in sorted(run.virtual_servers.items())
            if name != server.name and other.workload is not None
        ),
        requests=requests,
        requests_logged=_quantity(lambda: exact(_logged(tables, server, window))),
        kernel_cpu_s=_quantity(lambda: _kernel_cpu(tables, server, window)),
        qemu_cpu_s=_quantity(lambda: _qemu_cpu(tables, server, window)),
        guest_cpus=_optional(
            run.facts(server.role).get("cpus"), f"facts.json of {server.role} has no cpus"
        ),
        client_throughput=throughput,
        client_response_time_s=response,
        used=_used(tables, server, window, enclose),
        idle=None if run.before is None else _used(tables, server, run.before, inside),
    )


def _client_rows(tables: RunTables, server: VirtualServer) -> pl.DataFrame:
    log = tables.run.client_log(server.name)
    if log is None:
        raise Unmeasured("the client's log is missing")
    return tables.rows("client", log.role).filter(pl.col("tool") == log.kind)


def _logged(tables: RunTables, server: VirtualServer, window: Window) -> int:
    offset_ns = tables.run.clock_offset_ns(server.role)
    if offset_ns is None:
        raise Unmeasured(f"the clock of {server.role} was not compared with the client's")
    return requests_logged(tables.rows("requests", server.role), window, offset_ns)


def measure_qemu_cpu(
    run: Run, server: VirtualServer, processed: Path
) -> tuple[Quantity, Window] | None:
    """CPU time of a virtual server's QEMU over the run, with or without a load on it; None without a window."""
    if run.window is None:
        return None
    tables, window = RunTables(run, processed), run.window
    return _quantity(lambda: _qemu_cpu(tables, server, window)), window


def _qemu_cpu(tables: RunTables, server: VirtualServer, window: Window) -> Quantity:
    processes = tables.sampled("task_processes", HOST)
    told = pl.col("command_line").str.contains(_pattern(server.qemu_process))
    pids = processes.filter(told)["pid"].unique().sort()
    if pids.is_empty():
        raise Unmeasured(f"no process of the host is {server.qemu_process}")
    return _counted(tables, HOST, processes, pids, window)


def _kernel_cpu(tables: RunTables, server: VirtualServer, window: Window) -> Quantity:
    processes = tables.sampled("task_processes", server.role)
    pids = pids_named(processes, _pattern(server.server_processes))
    return _counted(tables, server.role, processes, pids, window)


def _counted(
    tables: RunTables, role: str, processes: pl.DataFrame, pids: pl.Series, window: Window
) -> Quantity:
    """Growth of the kernel's ticks of ``pids``; a tick at each end of each process is uncertain."""
    ticks_per_s = tables.run.facts(role).get("clock_ticks_per_s")
    if not ticks_per_s:
        raise Unmeasured(f"facts.json of {role} does not say clock_ticks_per_s")
    used = kernel_cpu_time(processes, enclose(processes, window), pids, ticks_per_s)
    step = 2 * used.height / ticks_per_s
    total = float(used["cpu_time_s"].sum())
    return between(total, max(0.0, total - step), total + step)


def _used(tables: RunTables, server: VirtualServer, window: Window, bounds: Bounds) -> Used:
    cpu = _tried(lambda: _cpu(tables, server, window, bounds))
    processes, cpu_s = (None, missing(cpu)) if isinstance(cpu, str) else cpu
    return Used(
        processes,
        cpu_s,
        {
            "vdisk": _disk_use(tables, server.role, server.virtual_disk, server, window, bounds),
            "disk": _disk_use(tables, HOST, server.host_disk, server, window, bounds),
        },
    )


def _cpu(
    tables: RunTables, server: VirtualServer, window: Window, bounds: Bounds
) -> tuple[pl.DataFrame, Quantity]:
    enclosure = bounds(tables.sampled("top_summary", server.role), window)
    pattern = _pattern(server.server_processes)
    times = cpu_times(tables.sampled("top_processes", server.role), enclosure, pattern)
    if times.is_empty():
        raise Unmeasured(f"no process of {server.role} is called {pattern}")
    ended = int(times["ended"].sum())
    flags = [*enclosure.flags]
    if ended:
        flags.append(f"{ended} processes ended in the window: CPU time up to their last sighting")
    total, low, high = (
        enclosure.scale * float(equations.cpu_time(times[name]))
        for name in ("cpu_time_s", "low_s", "high_s")
    )
    return times, between(total, low, high, *flags)


def _disk_use(
    tables: RunTables,
    role: str,
    device: str | None,
    server: VirtualServer,
    window: Window,
    bounds: Bounds,
) -> DiskUse:
    growth = _tried(lambda: _growth(tables, role, device, window, bounds))
    moved = _tried(lambda: _moved(tables, role, server, window, bounds))
    tasks, server_bytes = (None, missing(moved)) if isinstance(moved, str) else moved
    if isinstance(growth, str):
        lost = missing(growth)
        return DiskUse(tasks, None, lost, lost, lost, server_bytes, lost, lost)

    def grown(amount: float) -> Quantity:
        return exact(growth.scale * amount, *growth.flags)

    return DiskUse(
        tasks=tasks,
        growth=growth,
        busy_s=grown(growth.busy_s),
        read_bytes=grown(
            equations.bytes_read(growth.sectors_read_before, growth.sectors_read_after)
        ),
        written_bytes=grown(
            equations.bytes_written(growth.sectors_written_before, growth.sectors_written_after)
        ),
        server_bytes=server_bytes,
        operations=grown(growth.operations),
        queue_s=grown(growth.queue_s),
    )


def _growth(
    tables: RunTables, role: str, device: str | None, window: Window, bounds: Bounds
) -> DiskGrowth:
    if device is None:
        raise Unmeasured(f"run.json does not say which disk of {role} it is")
    rows = tables.sampled("block", role)
    return disk_growth(rows, bounds(rows, window), device)


def _moved(
    tables: RunTables, role: str, server: VirtualServer, window: Window, bounds: Bounds
) -> tuple[pl.DataFrame, Quantity]:
    totals = tables.sampled("iotop_totals", role)
    enclosure = bounds(totals, window)
    mine = server_iotop_rows(tables, role, server)
    tasks = task_bytes(with_interval_s(mine, totals), enclosure)
    moved = float(equations.bytes_moved_by_server(tasks["read_bytes"], tasks["written_bytes"]))
    total = enclosure.scale * moved
    step = enclosure.scale * float(tasks["uncertain_bytes"].sum())
    return tasks, between(total, max(0.0, total - step), total + step, *enclosure.flags)


def server_iotop_rows(tables: RunTables, role: str, server: VirtualServer) -> pl.DataFrame:
    """The server's rows of iotop; none where iotop ran and saw no task move anything."""
    try:
        rows = tables.sampled("iotop_tasks", role)
    except Unmeasured:
        return empty(IOTOP_TASKS)
    if role == HOST:
        return rows.filter(pl.col("command").str.contains(_pattern(server.qemu_process)))
    pattern = _pattern(server.server_processes)
    pids = pids_named(tables.rows("top_processes", role), pattern)
    try:
        tids = tids_of(tables.rows("tasks", role), pids)
    except Unmeasured:
        tids = pids
    return rows_of_server(rows, pids, tids, pattern)


def _pattern(pattern: str | None) -> str:
    if pattern is None:
        raise Unmeasured("run.json does not say how the processes are told")
    return pattern


def _optional(value: float | None, reason: str) -> Quantity:
    return missing(reason) if value is None else exact(value)


def _quantity(measure: Callable[[], Quantity]) -> Quantity:
    found = _tried(measure)
    return missing(found) if isinstance(found, str) else found


def _tried(measure: Callable[[], T]) -> T | str:
    """What ``measure`` gives, or the reason why it cannot."""
    try:
        return measure()
    except Unmeasured as reason:
        return str(reason)
