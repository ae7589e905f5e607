"""Bytes by iotop against the kernel's counters and the disk's; a disk's busy time against its queue."""

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
from pipeline.measure.processes import THREAD_KEYS
from pipeline.measure.window import NS_PER_S, MissingData, SnapshotSpan, bracketing_span
from pipeline.quality.agreement import Measurement, common_span, within_span
from pipeline.raw import Window

Direction = Literal["read", "write"]
DIRECTIONS: dict[Direction, str] = {"read": "read", "write": "written"}

GONE = "no such process"
"""What iotop prints for a task that ended while it looked: it has no name any more, and is nobody's."""

PAUSE = 3.0
"""iotop is said to have paused where two snapshots are this many times as far apart as usual."""
SLOW = 1.5
"""iotop is called slow where its snapshots are this many times as far apart as was asked for."""


# -- iotop ------------------------------------------------------------------------------------------------


def moved(
    tasks: pl.DataFrame,
    totals: pl.DataFrame,
    span: SnapshotSpan,
    direction: Direction,
    *,
    own_clock: bool = True,
) -> BoundedValue:
    """Bytes that iotop's rows say were moved in ``span``.

    Uncertain are half a last digit of each number, and the interval that iotop divided by: it is its own, and
    ours, between two prints, differs from it about as much as it does from the usual one. Those errors are independent.
    Against another number of iotop's own they do not count (``own_clock``).
    """
    if tasks.is_empty():
        return ZERO
    other = "write" if direction == "read" else "read"
    blank = [
        pl.when(pl.col(f"{other}_{unit}").is_not_null()).then(0.0).alias(f"{other}_{unit}")
        for unit in ("bytes_per_s", "bytes")
    ]
    summed = task_bytes(with_interval_s(tasks.with_columns(blank), totals), span)
    read = total_bytes(summed, span)
    if not own_clock:
        return read
    rate = f"{direction}_bytes_per_s"
    rates = (
        within_span(tasks, span).group_by("snapshot", maintain_order=True).agg(pl.col(rate).sum())
    )
    return read.widened(_own_clock(rates, totals, rate))


def _own_clock(rates: pl.DataFrame, totals: pl.DataFrame, column: str) -> float:
    """Bytes that are uncertain because iotop's intervals are not ours; ``rates``: a row a snapshot."""
    timed = with_interval_s(rates, totals).drop_nulls([column, "interval_s"])
    usual = with_interval_s(totals, totals)["interval_s"].median()
    if timed.is_empty() or usual is None:
        return 0.0
    off = timed[column].to_numpy() * (timed["interval_s"].to_numpy() - usual)
    return float(np.sqrt(np.sum(off**2)))


def against_counters(
    tasks: pl.DataFrame,
    every_task: pl.DataFrame,
    totals: pl.DataFrame,
    counters: pl.DataFrame,
    counter_ticks: pl.DataFrame,
    window: Window,
    asked_s: float | None,
    direction: Direction,
) -> Measurement:
    """Bytes of some processes by iotop, and by /proc/PID/io of the same processes.

    ``tasks``: the processes' rows of iotop, ``every_task`` all of them; ``counters``: rows of task_processes.
    A write that is cancelled (truncated before it was flushed) iotop takes off, and so does this.
    """
    key = f"{direction}_bytes"
    known = counters.drop_nulls(key)
    if known.is_empty():
        raise MissingData(
            "tasks.log has no byte counters of these processes (no right to read them)"
        )
    span = common_span(totals, window, counter_ticks["client_ns"])
    endpoints = sampled_endpoints(totals, span, asked_s)
    one = moved(tasks, totals, span, direction)
    net = pl.col(key)
    if direction == "write":
        net = net - pl.col("cancelled_write_bytes").fill_null(0)
    other = process_tree_total(known, net, counter_ticks).increase_between(endpoints)
    gone = every_task.filter(pl.col("command").str.contains(GONE, literal=True))
    nameless = moved(gone, totals, span, direction).value
    causes = slowness(totals, asked_s)
    if one.value < other.value:
        ended = _ended(known, counter_ticks, endpoints)
        if ended:
            causes.append(
                f"{ended} processes ended in the window, and what they moved after iotop saw them last is "
                "lost to it"
            )
        if nameless > 0.1 * (other.value - one.value):
            causes.append(
                f"{_bytes(nameless)} are in rows of threads that had ended before iotop could name them"
            )
    return Measurement(one, other, "; ".join(causes))


def _ended(counters: pl.DataFrame, ticks: pl.DataFrame, endpoints: Endpoints) -> int:
    last = counters.group_by("pid", "starttime_ticks").agg(pl.col("client_ns").max())["client_ns"]
    end_ns = min(endpoints.end_ns, int(ticks["client_ns"].max()))  # type: ignore[arg-type]
    return int(last.is_between(endpoints.start_ns, end_ns, closed="left").sum())


def against_disk(
    tasks: pl.DataFrame,
    totals: pl.DataFrame,
    rows: pl.DataFrame,
    window: Window,
    asked_s: float | None,
    direction: Direction,
) -> Measurement:
    """Bytes of some processes by iotop, and bytes that the disk (``rows``) moved by its sectors."""
    span = common_span(totals, window, rows["client_ns"])
    one = moved(tasks, totals, span, direction)
    other = _sectors(rows, direction, sampled_endpoints(totals, span, asked_s))
    causes = slowness(totals, asked_s)
    if direction == "write":
        causes.append(
            "a write is charged to a task when its page is dirtied, to the disk when it is flushed"
        )
    return Measurement(one, other, "; ".join(causes))


def totals_against_rows(
    tasks: pl.DataFrame, totals: pl.DataFrame, window: Window, direction: Direction
) -> Measurement:
    """Bytes by iotop's line of totals, and by the sum of its rows."""
    span = bracketing_span(totals, window)
    rows = moved(tasks, totals, span, direction, own_clock=False)
    return Measurement(_totals(totals, span, f"{direction}_bytes_per_s", own_clock=False), rows)


def actual_against_disks(
    totals: pl.DataFrame,
    block: pl.DataFrame,
    devices: list[str],
    window: Window,
    asked_s: float | None,
    direction: Direction,
) -> Measurement:
    """Bytes by iotop's line of what devices did (Actual, Current), and by the sectors of all disks."""
    rows = [device_rows(block, device) for device in devices]
    span = common_span(totals, window, block["client_ns"])
    endpoints = sampled_endpoints(totals, span, asked_s)
    one = _totals(totals, span, f"actual_{direction}_bytes_per_s")
    other = sum((_sectors(mine, direction, endpoints) for mine in rows), start=ZERO)
    return Measurement(one, other, "; ".join(slowness(totals, asked_s)))


def _totals(
    totals: pl.DataFrame, span: SnapshotSpan, column: str, *, own_clock: bool = True
) -> BoundedValue:
    rows = within_span(with_interval_s(totals, totals), span).drop_nulls(column)
    if rows.is_empty():
        raise MissingData("iotop printed no such total in the window")
    shown = (pl.col(column) > 0).cast(pl.Float64)
    value, step = rows.select(
        value=(pl.col(column) * pl.col("interval_s")).sum(),
        step=(0.5 * pl.col("resolution_bytes") * shown * pl.col("interval_s")).sum(),
    ).row(0)
    clock = _own_clock(rows.select("snapshot", column), totals, column) if own_clock else 0.0
    return BoundedValue(value, value, value).widened(step + clock)


def slowness(ticks: pl.DataFrame, asked_s: float | None) -> list[str]:
    """A clause where iotop could not keep the pace that was asked for."""
    step = median_period_s(ticks)
    if asked_s is None or step is None:
        return []
    found = []
    if step > SLOW * asked_s:
        found.append(
            f"iotop needed {step:.1f} s for a snapshot (asked for: {asked_s:g} s), so that what it saw at "
            "each end is uncertain by that much"
        )
    longest = ticks["client_ns"].drop_nulls().unique().sort().diff().max()
    if longest is not None and longest / NS_PER_S > PAUSE * max(step, asked_s):
        found.append(
            f"iotop paused for up to {longest / NS_PER_S:.1f} s, and over what time its next rates are means "
            "it does not say"
        )
    return found


def _bytes(amount: float) -> str:
    return f"{amount / 1e6:.3g} MB" if amount >= 1e5 else f"{amount / 1e3:.3g} kB"


# -- disks --------------------------------------------------------------------------------------------------


def _sectors(rows: pl.DataFrame, direction: Direction, endpoints: Endpoints) -> BoundedValue:
    return (
        disk_counter(rows, DIRECTIONS[direction]).increase_between(endpoints).scaled(SECTOR_BYTES)
    )


def guest_against_host(
    guest: pl.DataFrame, host: pl.DataFrame, window: Window, direction: Direction
) -> Measurement:
    """Bytes that a guest's disk counted, and those of the host's disk under it.

    ``guest``, ``host``: rows of one device each (``disks.device_rows``), on the client's clock.
    """
    endpoints = exact_endpoints(guest, common_span(guest, window, host["client_ns"]))
    return Measurement(_sectors(guest, direction, endpoints), _sectors(host, direction, endpoints))


def busy_against_queue(rows: pl.DataFrame, window: Window, jiffy_s: float) -> Measurement:
    """Time with a request in flight (io_ticks), and all requests' time in flight added up (time_in_queue).

    The first cannot be longer. It counts whole jiffies: one at most too many for each operation.
    """
    busy, queue, operations = (
        disk_counter(rows, what).increase(window) for what in ("busy", "queue", "operations")
    )
    too_many_s = jiffy_s * (1 + operations.value)
    one = BoundedValue(busy.value, max(0.0, busy.value - too_many_s), busy.value + jiffy_s)
    other = queue.widened(0.001)
    cause = "io_ticks counts a whole jiffy for an operation that is shorter, and Linux 5.0 to 6.9 sample it"
    return Measurement(one, other, cause if busy.value > queue.value else "")


def delay_against_queue(
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
    known = threads.drop_nulls("blkio_delay_ticks")
    if known.is_empty():
        raise MissingData("the kernel gave no delays (delay accounting is off)")
    span = common_span(rows, window, ticks["client_ns"])
    endpoints = exact_endpoints(rows, span)
    waited, count = ZERO, 0
    for counter in counters_by_key(known, THREAD_KEYS, pl.col("blkio_delay_ticks"), ticks).values():
        delay = replace(
            counter, total=np.maximum.accumulate(counter.total)
        )  # it may fall by a tick
        grown = delay.increase_between(endpoints)
        waited, count = waited + grown, count + (grown.high > 0)
    one = waited.scaled(1 / ticks_per_s).widened(count / ticks_per_s)
    other = disk_counter(rows, "queue").increase_between(endpoints).widened(0.001)
    cause = (
        "a thread's delay lasts until it runs again, so it includes waiting for a CPU, threads that wait for "
        "one page each count it, and since Linux 6.5 sleeping in io_uring counts, too, whatever it waits for"
    )
    return Measurement(one, other, cause if one.value > other.value else "")
