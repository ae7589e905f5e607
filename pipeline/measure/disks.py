"""A disk's counters (equations 3 to 6 and 9) and the bytes that tasks transferred (equation 7)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import polars as pl

from pipeline.measure import texts
from pipeline.measure.counters import WRAP_MS, BoundedValue, Counter, unwrapped
from pipeline.measure.group_sums import sum_by_group
from pipeline.measure.processes import matching_pids, qemu_rows, server_pattern, thread_ids
from pipeline.measure.run_tables import RunTables, require_recorded
from pipeline.measure.window import NS_PER_S, MissingData, SnapshotSpan
from pipeline.raw import HOST, Run, VirtualServer
from pipeline.tables import IOTOP_TASKS, empty

Disk = Literal["vdisk", "disk"]
DISKS: tuple[Disk, ...] = ("vdisk", "disk")

MAX_JIFFY_MS = 10
"""That of a kernel with HZ = 100, the slowest in use."""


# -- which disk ----------------------------------------------------------------------------------------------


def disk_location(run: Run, server: VirtualServer, disk: Disk) -> tuple[str, str]:
    """Role and device of a virtual server's disk; ``MissingData`` without its key in run.json."""
    role, device = (
        (server.role, server.virtual_disk) if disk == "vdisk" else (HOST, server.host_disk)
    )
    if device is None:
        require_recorded(run, role)
        raise MissingData(
            texts.no_key(server.name, "virtual_disk" if disk == "vdisk" else "host_disk")
        )
    return role, device


def is_shared(tables: RunTables, server: VirtualServer, disk: Disk) -> bool:
    """Whether another virtual server of the run uses the same disk (docs/decisions/0008-one-demand.md)."""
    neighbours = [vs for vs in tables.run.virtual_servers.values() if vs.name != server.name]
    return disk == "disk" and any(vs.host_disk == server.host_disk for vs in neighbours)


def device_rows(block: pl.DataFrame, device: str) -> pl.DataFrame:
    """Rows of one device, in the order of their snapshots; ``MissingData`` without any."""
    rows = block.filter(pl.col("device") == device).drop_nulls("client_ns")
    rows = rows.unique("snapshot", keep="first", maintain_order=True).sort("snapshot")
    if rows.height < 2:
        raise MissingData(texts.no_device(device))
    return rows


# -- its counters --------------------------------------------------------------------------------------------


def disk_counter(rows: pl.DataFrame, what: str, jiffy: float = 0.0) -> Counter:
    """A counter of one device. ``rows``: ``device_rows``.

    ``what``: ``busy`` (seconds with a request in flight), ``queue`` (all requests' seconds in flight), ``operations``
    (reads and writes completed), ``read`` or ``written`` (sectors). Busy time cannot grow faster than the clock: what
    is more is no wrap of the 32-bit counter but a device that was reset.
    """
    at_ns, device = rows["client_ns"].to_numpy(), rows["device"][0]
    if what in ("busy", "queue"):
        column = "io_ticks_ms" if what == "busy" else "time_in_queue_ms"
        max_ms = 1.1 * np.diff(at_ns) / 1e6 if what == "busy" else WRAP_MS / 2
        total, wrapped_ns = unwrapped(rows[column].to_numpy().astype(float), at_ns, max_ms)
        name = f"{column.removesuffix('_ms')} of {device}"
        return Counter(at_ns, total / 1000, name, jiffy, wrapped_ns=wrapped_ns)
    if what == "operations":
        total = (rows["reads"] + rows["writes"]).to_numpy().astype(float)
        return Counter(at_ns, total, f"operations of {device}")
    column = "read_sectors" if what == "read" else "write_sectors"
    total = rows[column].to_numpy().astype(float)
    return Counter(at_ns, total, f"{column} of {device}")


def busy_time_flags(busy: BoundedValue, queue: BoundedValue, span_s: float) -> tuple[str, ...]:
    """A flag if a disk was busy for longer than its requests were in it."""
    if busy.value > queue.value + 0.05 * span_s + 0.008:
        return (texts.BUSY_EXCEEDS_QUEUE,)
    return ()


def jiffy_s(block: pl.DataFrame, hertz: float | None) -> float:
    """Length of a jiffy: by the kernel's HZ where it was recorded, else what all io_ticks are multiples of."""
    if hertz:
        return 1 / hertz
    printed = block["io_ticks_ms"].drop_nulls().to_list()
    return min(math.gcd(*printed) or MAX_JIFFY_MS, MAX_JIFFY_MS) / 1000


# -- bytes of tasks ------------------------------------------------------------------------------------------


def with_interval_s(rows: pl.DataFrame, ticks: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of iotop with ``interval_s``: the time since the snapshot before, over which its rates hold.

    ``ticks``: a frame with ``snapshot`` and ``client_ns`` for every snapshot of the log (iotop_totals).
    """
    steps = (
        ticks.select("snapshot", "client_ns")
        .unique("snapshot", keep="first", maintain_order=True)
        .sort("snapshot")
        .with_columns(
            ((pl.col("client_ns") - pl.col("client_ns").shift()) / NS_PER_S).alias("interval_s")
        )
    )
    return rows.join(
        steps.select("snapshot", "interval_s"), on="snapshot", how="left", maintain_order="left"
    )


def task_bytes(rows: pl.DataFrame, span: SnapshotSpan) -> pl.DataFrame:
    """Equation 7's terms: bytes read and written in the span, one row per task.

    ``rows``: iotop_tasks with ``interval_s``, the server's tasks only. A rate counts over the interval that
    ends with its snapshot; the first iteration is none. Columns: ``task`` (tid, or pid with iotop -P),
    ``read_bytes``, ``written_bytes``, ``uncertain_bytes`` (half a last digit for each rate that was not zero).
    """
    accumulated = rows["read_bytes"].is_not_null().any()
    task = pl.coalesce("tid", "pid").alias("task")
    if accumulated:
        upto = (
            rows.filter(pl.col("snapshot") <= span.last).with_columns(task).sort("task", "snapshot")
        )
        start = pl.col("snapshot") <= span.first
        read, written = (
            pl.col(name).last() - pl.col(name).filter(start).last().fill_null(0.0)
            for name in ("read_bytes", "write_bytes")
        )
        by_task = upto.group_by("task", maintain_order=True).agg(
            read_bytes=read, written_bytes=written, uncertain_bytes=pl.col("resolution_bytes").max()
        )
    else:
        within = rows.filter(
            (pl.col("snapshot") > span.first)
            & (pl.col("snapshot") <= span.last)
            & pl.col("is_interval")
        ).with_columns(task)
        interval_s = pl.col("interval_s")
        read_per_s, written_per_s = pl.col("read_bytes_per_s"), pl.col("write_bytes_per_s")
        shown = (read_per_s > 0).cast(pl.Float64) + (written_per_s > 0).cast(pl.Float64)
        by_task = sum_by_group(
            within,
            ["task"],
            read_bytes=read_per_s * interval_s,
            written_bytes=written_per_s * interval_s,
            uncertain_bytes=0.5 * pl.col("resolution_bytes") * shown * interval_s,
        )
    return by_task.sort("task")


def total_bytes(tasks: pl.DataFrame, span: SnapshotSpan) -> BoundedValue:
    """Equation 7: the sum of ``task_bytes``, scaled by ``span``."""
    total = float(tasks["read_bytes"].sum() + tasks["written_bytes"].sum())
    read = BoundedValue(total, total, total, span.flags)
    return read.widened(float(tasks["uncertain_bytes"].sum())).scaled(span.scale)


def server_task_rows(
    iotop: pl.DataFrame, pids: pl.Series, tids: pl.Series, pattern: str
) -> pl.DataFrame:
    """Rows of iotop that belong to a server: by pid or tid, or by the command's name.

    ``pattern`` is matched with the name of the program at the head of the command line, so that a server
    is also found without task counters.
    """
    program = pl.col("command").str.extract(r"^(\S+)").str.extract(r"([^/]+)$")
    own = pl.col("pid").is_in(pids.implode()) | pl.col("tid").is_in(tids.implode())
    return iotop.filter(own.fill_null(False) | program.str.contains(pattern).fill_null(False))


def server_iotop_rows(tables: RunTables, role: str, server: VirtualServer) -> pl.DataFrame:
    """The server's rows of iotop: of its own processes in the guest, or of its QEMU on the host.

    None where iotop ran and reported no task of it. ``MissingData`` where no log shows that the server
    ran at all: a pattern that matches nothing measures nothing.
    """
    try:
        rows = tables.sampled("iotop_tasks", role)
    except MissingData:
        rows = empty(IOTOP_TASKS)
    if role == HOST:
        require_recorded(tables.run, role)
        if server.qemu_process is None:
            raise MissingData(texts.no_key(server.name, "qemu_process"))
        own = rows.filter(pl.col("command").str.contains(server.qemu_process))
        if own.is_empty():
            qemu_rows(tables, server)
        return own
    pattern = server_pattern(server)
    pids = _guest_pids(tables, server, pattern)
    try:
        tids = thread_ids(tables.rows("tasks", role), pids)
    except MissingData:
        tids = pids
    own = server_task_rows(rows, pids, tids, pattern)
    if own.is_empty() and pids.is_empty():
        raise MissingData(texts.no_process(role, pattern))
    return own


def _guest_pids(tables: RunTables, server: VirtualServer, pattern: str) -> pl.Series:
    """Pids of the server by top, or by the task counters where top was not recorded."""
    for table in ("top_processes", "task_processes"):
        try:
            return matching_pids(tables.rows(table, server.role), pattern)
        except MissingData:
            continue
    return pl.Series("pid", [], pl.Int64)
