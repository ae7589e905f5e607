"""Cross-checks of disks: bytes by iotop, by the kernel's counters and by sectors; busy time against the queue."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import polars as pl

from pipeline.equations import SECTOR_BYTES
from pipeline.measure.counters import (
    ZERO,
    BoundedValue,
    Endpoints,
    counters_by_key,
    exact_endpoints,
    median_period_s,
    process_tree_total,
    sampled_endpoints,
)
from pipeline.measure.disks import (
    device_rows,
    disk_counter,
    task_bytes,
    total_bytes,
    with_interval_s,
)
from pipeline.measure.group_sums import sum_by_group
from pipeline.measure.processes import THREAD_KEYS
from pipeline.measure.window import NS_PER_S, MissingData, SnapshotSpan, bracketing_span
from pipeline.quality import texts
from pipeline.quality.agreement import Measurement, common_span, within_span
from pipeline.raw import Window

Direction = Literal["read", "write"]
DIRECTIONS: dict[Direction, str] = {"read": "read", "write": "written"}

EXITED_TASK = "no such process"
"""What iotop prints for a task that exited before its name was read."""

PAUSE_FACTOR = 3.0
"""iotop paused where two snapshots are this many times as far apart as the median."""
SLOW_FACTOR = 1.5
"""iotop is slow where its snapshots are this many times as far apart as requested."""
MIN_UNNAMED_SHARE = 0.1
"""Bytes of tasks without a name are a cause from this share of the difference on."""
QUEUE_RESOLUTION_S = 0.001


# -- iotop ------------------------------------------------------------------------------------------------


def bytes_transferred(
    tasks: pl.DataFrame,
    totals: pl.DataFrame,
    span: SnapshotSpan,
    direction: Direction,
    *,
    with_clock_error: bool = True,
) -> BoundedValue:
    """Bytes that iotop's rows show in ``span``.

    Uncertain are half a last digit of each number, and the interval that iotop divided by: it is iotop's own, and the
    time between two prints differs from it about as much as it does from the median. Those errors are independent.
    Against another number of iotop the second does not count (``with_clock_error``).
    """
    if tasks.is_empty():
        return ZERO
    opposite = "write" if direction == "read" else "read"
    blank = [
        pl.when(pl.col(f"{opposite}_{unit}").is_not_null()).then(0.0).alias(f"{opposite}_{unit}")
        for unit in ("bytes_per_s", "bytes")
    ]
    by_task = task_bytes(with_interval_s(tasks.with_columns(blank), totals), span)
    transferred = total_bytes(by_task, span)
    if not with_clock_error:
        return transferred
    column = f"{direction}_bytes_per_s"
    rates = sum_by_group(within_span(tasks, span), ["snapshot"], **{column: pl.col(column)})
    return transferred.widened(_clock_error(rates, totals, column))


def _clock_error(rates: pl.DataFrame, totals: pl.DataFrame, column: str) -> float:
    """Bytes that are uncertain because iotop's intervals are its own; ``rates``: one row per snapshot."""
    timed = with_interval_s(rates, totals).drop_nulls([column, "interval_s"])
    median_s = with_interval_s(totals, totals)["interval_s"].median()
    if timed.is_empty() or median_s is None:
        return 0.0
    errors = timed[column].to_numpy() * (timed["interval_s"].to_numpy() - median_s)
    return float(np.sqrt(np.sum(errors**2)))


def iotop_vs_counters(
    tasks: pl.DataFrame,
    all_tasks: pl.DataFrame,
    totals: pl.DataFrame,
    counters: pl.DataFrame,
    counter_ticks: pl.DataFrame,
    window: Window,
    interval_s: float | None,
    direction: Direction,
) -> Measurement:
    """Bytes of some processes by iotop, and by /proc/PID/io of the same processes.

    ``tasks``: the processes' rows of iotop, ``all_tasks`` all of them; ``counters``: rows of task_processes.
    Cancelled writes (truncated before they were flushed) are subtracted, as iotop does.
    """
    key = f"{direction}_bytes"
    readable = counters.drop_nulls(key)
    if readable.is_empty():
        raise MissingData(texts.NO_BYTE_COUNTERS)
    span = common_span(totals, window, counter_ticks["client_ns"])
    endpoints = sampled_endpoints(totals, span, interval_s)
    by_iotop = bytes_transferred(tasks, totals, span, direction)
    net = pl.col(key)
    if direction == "write":
        net = net - pl.col("cancelled_write_bytes").fill_null(0)
    by_kernel = process_tree_total(readable, net, counter_ticks).increase_between(endpoints)
    unnamed = all_tasks.filter(pl.col("command").str.contains(EXITED_TASK, literal=True))
    unnamed_bytes = bytes_transferred(unnamed, totals, span, direction).value
    causes = sampling_warnings(totals, interval_s)
    if by_iotop.value < by_kernel.value:
        exited = _count_exited(readable, counter_ticks, endpoints)
        if exited:
            causes.append(texts.exited_iotop(exited))
        if unnamed_bytes > MIN_UNNAMED_SHARE * (by_kernel.value - by_iotop.value):
            causes.append(texts.unnamed_rows(unnamed_bytes))
    return Measurement(by_iotop, by_kernel, "; ".join(causes))


def _count_exited(counters: pl.DataFrame, ticks: pl.DataFrame, endpoints: Endpoints) -> int:
    last = counters.group_by("pid", "starttime_ticks").agg(pl.col("client_ns").max())["client_ns"]
    end_ns = min(endpoints.end_ns, int(ticks["client_ns"].max()))  # type: ignore[arg-type]
    return int(last.is_between(endpoints.start_ns, end_ns, closed="left").sum())


def iotop_vs_disk(
    tasks: pl.DataFrame,
    totals: pl.DataFrame,
    rows: pl.DataFrame,
    window: Window,
    interval_s: float | None,
    direction: Direction,
) -> Measurement:
    """Bytes of some processes by iotop, and bytes of the disk by its sectors; ``rows``: of the disk."""
    span = common_span(totals, window, rows["client_ns"])
    by_disk = _disk_bytes(rows, direction, sampled_endpoints(totals, span, interval_s))
    causes = sampling_warnings(totals, interval_s)
    if direction == "write":
        causes.append(texts.CAUSE_DIRTY_PAGES)
    return Measurement(
        bytes_transferred(tasks, totals, span, direction), by_disk, "; ".join(causes)
    )


def totals_vs_rows(
    tasks: pl.DataFrame, totals: pl.DataFrame, window: Window, direction: Direction
) -> Measurement:
    """Bytes by iotop's line of totals, and by the sum of its rows."""
    span = bracketing_span(totals, window)
    column = f"{direction}_bytes_per_s"
    return Measurement(
        _total_bytes_of_line(totals, span, column, with_clock_error=False),
        bytes_transferred(tasks, totals, span, direction, with_clock_error=False),
    )


def actual_vs_disks(
    totals: pl.DataFrame,
    block: pl.DataFrame,
    devices: list[str],
    window: Window,
    interval_s: float | None,
    direction: Direction,
) -> Measurement:
    """Bytes by iotop's line of what devices did (Actual, Current), and by the sectors of all disks."""
    by_device = [device_rows(block, device) for device in devices]
    span = common_span(totals, window, block["client_ns"])
    endpoints = sampled_endpoints(totals, span, interval_s)
    return Measurement(
        _total_bytes_of_line(totals, span, f"actual_{direction}_bytes_per_s"),
        sum((_disk_bytes(rows, direction, endpoints) for rows in by_device), start=ZERO),
        "; ".join(sampling_warnings(totals, interval_s)),
    )


def _total_bytes_of_line(
    totals: pl.DataFrame, span: SnapshotSpan, column: str, *, with_clock_error: bool = True
) -> BoundedValue:
    rows = within_span(with_interval_s(totals, totals), span).drop_nulls(column)
    if rows.is_empty():
        raise MissingData(texts.NO_TOTALS)
    is_positive = (pl.col(column) > 0).cast(pl.Float64)
    value, resolution = rows.select(
        value=(pl.col(column) * pl.col("interval_s")).sum(),
        resolution=(0.5 * pl.col("resolution_bytes") * is_positive * pl.col("interval_s")).sum(),
    ).row(0)
    clock_error = 0.0
    if with_clock_error:
        clock_error = _clock_error(rows.select("snapshot", column), totals, column)
    return BoundedValue(value, value, value).widened(resolution + clock_error)


def sampling_warnings(ticks: pl.DataFrame, interval_s: float | None) -> list[str]:
    """Causes of a difference: iotop was slower than requested, or paused."""
    period_s = median_period_s(ticks)
    if interval_s is None or period_s is None:
        return []
    warnings = []
    if period_s > SLOW_FACTOR * interval_s:
        warnings.append(texts.slow_iotop(period_s, interval_s))
    longest_ns = ticks["client_ns"].drop_nulls().unique().sort().diff().max()
    if longest_ns is not None and longest_ns / NS_PER_S > PAUSE_FACTOR * max(period_s, interval_s):
        warnings.append(texts.paused_iotop(longest_ns / NS_PER_S))
    return warnings


# -- disks --------------------------------------------------------------------------------------------------


def _disk_bytes(rows: pl.DataFrame, direction: Direction, endpoints: Endpoints) -> BoundedValue:
    sectors = disk_counter(rows, DIRECTIONS[direction])
    return sectors.increase_between(endpoints).scaled(SECTOR_BYTES)


def guest_vs_host(
    guest: pl.DataFrame, host: pl.DataFrame, window: Window, direction: Direction
) -> Measurement:
    """Bytes that a guest's disk counted, and those of the host's disk under it.

    ``guest``, ``host``: rows of one device each (``disks.device_rows``), on the client's clock.
    """
    endpoints = exact_endpoints(guest, common_span(guest, window, host["client_ns"]))
    return Measurement(
        _disk_bytes(guest, direction, endpoints), _disk_bytes(host, direction, endpoints)
    )


def busy_vs_queue(rows: pl.DataFrame, window: Window, jiffy_s: float) -> Measurement:
    """Time with a request in flight (io_ticks), and the sum of all requests' times in flight (time_in_queue).

    The first cannot be longer. It counts whole jiffies: at most one too many per operation.
    """
    busy, queue, operations = (
        disk_counter(rows, what).increase(window) for what in ("busy", "queue", "operations")
    )
    excess_s = jiffy_s * (1 + operations.value)
    return Measurement(
        BoundedValue(busy.value, max(0.0, busy.value - excess_s), busy.value + jiffy_s),
        queue.widened(QUEUE_RESOLUTION_S),
        texts.CAUSE_JIFFIES if busy.value > queue.value else "",
    )


def delay_vs_queue(
    threads: pl.DataFrame,
    ticks: pl.DataFrame,
    rows: pl.DataFrame,
    window: Window,
    ticks_per_s: float,
) -> Measurement:
    """Time that threads waited for block I/O (delay accounting), and the disk's time_in_queue.

    ``threads``: rows of tasks of some processes; ``rows``: of the disk. Work that no thread waits for (asynchronous
    I/O, write-back) is in the second only; two threads that wait for one page are in the first twice.
    """
    with_delay = threads.drop_nulls("blkio_delay_ticks")
    if with_delay.is_empty():
        raise MissingData(texts.NO_DELAYS)
    span = common_span(rows, window, ticks["client_ns"])
    endpoints = exact_endpoints(rows, span)
    waited, waiting_threads = ZERO, 0
    by_thread = counters_by_key(with_delay, THREAD_KEYS, pl.col("blkio_delay_ticks"), ticks)
    for counter in by_thread.values():
        # it may fall by a tick
        delay = replace(counter, total=np.maximum.accumulate(counter.total))
        increase = delay.increase_between(endpoints)
        if increase.low > ticks_per_s * (window.end_ns - window.start_ns) / NS_PER_S:
            raise MissingData(texts.DELAY_SINCE_BOOT)
        waited, waiting_threads = waited + increase, waiting_threads + (increase.high > 0)
    waited_s = waited.scaled(1 / ticks_per_s).widened(waiting_threads / ticks_per_s)
    queue_s = disk_counter(rows, "queue").increase_between(endpoints).widened(QUEUE_RESOLUTION_S)
    return Measurement(
        waited_s, queue_s, texts.CAUSE_DELAYS if waited_s.value > queue_s.value else ""
    )
