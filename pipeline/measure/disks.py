"""Growth of a disk's counters (equations 3 to 6) and the bytes that tasks moved (equation 7)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.measure.window import NS_PER_S, Enclosure, Unmeasured

WRAP_MS = 2**32
"""The millisecond fields of a block device's statistics are 32 bits wide."""


@dataclass(frozen=True)
class DiskGrowth:
    """What one disk did between two snapshots."""

    busy_s: float
    sectors_read_before: int
    sectors_read_after: int
    sectors_written_before: int
    sectors_written_after: int
    operations: int
    queue_s: float
    scale: float
    flags: tuple[str, ...] = ()


def disk_growth(rows: pl.DataFrame, enclosure: Enclosure, device: str) -> DiskGrowth:
    """Growth of ``device``'s counters in the enclosure.

    ``rows``: table block with ``client_ns``. A 32-bit millisecond counter that wrapped is unwrapped when the
    growth is then no longer than the span (io_ticks) or plausible for it; otherwise the device was reset and
    ``Unmeasured`` says so. Operations are reads and writes completed.
    """
    ends = rows.filter(
        (pl.col("device") == device) & pl.col("snapshot").is_in([enclosure.first, enclosure.last])
    ).sort("snapshot")
    if ends.height != 2:
        raise Unmeasured(f"no statistics of {device} at both ends of the window")
    before, after = ends.row(0, named=True), ends.row(1, named=True)
    for counter in ("reads", "writes", "read_sectors", "write_sectors"):
        if after[counter] < before[counter]:
            raise Unmeasured(f"{counter} of {device} fell: the device was reset or replaced")
    flags = []
    busy_ms = after["io_ticks_ms"] - before["io_ticks_ms"]
    queue_ms = after["time_in_queue_ms"] - before["time_in_queue_ms"]
    if busy_ms < 0:
        busy_ms += WRAP_MS
        flags.append("io_ticks wrapped at 2^32 ms")
        if busy_ms > enclosure.span_s * 1100:
            raise Unmeasured(f"io_ticks of {device} fell: the device was reset or replaced")
    if queue_ms < 0:
        queue_ms += WRAP_MS
        flags.append("time_in_queue wrapped at 2^32 ms")
    if busy_ms > queue_ms + 1000 * enclosure.span_s * 0.05 + 8:
        flags.append("io_ticks exceeds the time in queue: sampled by this kernel, suspect")
    return DiskGrowth(
        busy_s=busy_ms / 1000,
        sectors_read_before=before["read_sectors"],
        sectors_read_after=after["read_sectors"],
        sectors_written_before=before["write_sectors"],
        sectors_written_after=after["write_sectors"],
        operations=after["reads"] + after["writes"] - before["reads"] - before["writes"],
        queue_s=queue_ms / 1000,
        scale=enclosure.scale,
        flags=(*enclosure.flags, *flags),
    )


def with_interval_s(rows: pl.DataFrame, ticks: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of iotop with ``interval_s``: the time since the snapshot before, over which its rates hold.

    ``ticks``: a frame with ``snapshot`` and ``client_ns`` for every snapshot of the log (iotop_totals).
    """
    steps = (
        ticks.select("snapshot", "client_ns")
        .unique("snapshot")
        .sort("snapshot")
        .with_columns(
            ((pl.col("client_ns") - pl.col("client_ns").shift()) / NS_PER_S).alias("interval_s")
        )
    )
    return rows.join(
        steps.select("snapshot", "interval_s"), on="snapshot", how="left", maintain_order="left"
    )


def task_bytes(rows: pl.DataFrame, enclosure: Enclosure) -> pl.DataFrame:
    """Equation 7's terms: bytes read and written in the enclosure, one row a task.

    ``rows``: iotop_tasks with ``interval_s``, the server's tasks only. A rate counts over the interval that
    ends with its snapshot; the first iteration is none. Columns: ``task`` (tid, or pid with iotop -P),
    ``read_bytes``, ``written_bytes``, ``uncertain_bytes`` (half a last digit for each rate that was not zero).
    """
    accumulated = rows["read_bytes"].is_not_null().any()
    task = pl.coalesce("tid", "pid").alias("task")
    if accumulated:
        upto = (
            rows.filter(pl.col("snapshot") <= enclosure.last)
            .with_columns(task)
            .sort("task", "snapshot")
        )
        start = pl.col("snapshot") <= enclosure.first
        read, written = (
            pl.col(name).last() - pl.col(name).filter(start).last().fill_null(0.0)
            for name in ("read_bytes", "write_bytes")
        )
        step = pl.col("resolution_bytes").max()
    else:
        upto = rows.filter(
            (pl.col("snapshot") > enclosure.first)
            & (pl.col("snapshot") <= enclosure.last)
            & pl.col("is_interval")
        ).with_columns(task)
        read, written = (
            (pl.col(name) * pl.col("interval_s")).sum()
            for name in ("read_bytes_per_s", "write_bytes_per_s")
        )
        shown = (pl.col("read_bytes_per_s") > 0).cast(pl.Float64) + (
            pl.col("write_bytes_per_s") > 0
        ).cast(pl.Float64)
        step = (0.5 * pl.col("resolution_bytes") * shown * pl.col("interval_s")).sum()
    return (
        upto.group_by("task", maintain_order=True)
        .agg(read_bytes=read, written_bytes=written, uncertain_bytes=step)
        .sort("task")
    )


def rows_of_server(
    iotop: pl.DataFrame, pids: pl.Series, tids: pl.Series, pattern: str
) -> pl.DataFrame:
    """Rows of iotop that belong to a server: by pid or tid where known, else by the command's name.

    ``pattern`` is matched with the name of the program at the head of the command line, so that a server is
    still found in logs that have no task counters beside them.
    """
    program = pl.col("command").str.extract(r"^(\S+)").str.extract(r"([^/]+)$")
    mine = pl.col("pid").is_in(pids.implode()) | pl.col("tid").is_in(tids.implode())
    return iotop.filter(mine.fill_null(False) | program.str.contains(pattern).fill_null(False))
