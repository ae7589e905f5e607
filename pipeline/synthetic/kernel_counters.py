"""Kernel counters of a simulated run: CPU time in ticks, disk statistics, bytes charged to tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.event_history import (
    CumulativeWork,
    Floats,
    Ints,
    Operations,
    cumulative_by_owner,
)
from pipeline.synthetic.plan import DiskCounter

TICKS_PER_S = 100
"""USER_HZ: the unit of utime and stime in /proc/PID/stat."""
HZ = 250
"""Jiffies per second of Debian's kernels, the resolution of io_ticks."""
SECTOR_BYTES = 512
ROUNDING_TOLERANCE = 1e-9
"""Allowed float error of a sum that should be a whole number of ticks."""


def floor_to_int(amount: Floats | float) -> Ints:
    """Round down to whole numbers, as the kernel does."""
    return np.floor(np.asarray(amount, float) + ROUNDING_TOLERANCE).astype(np.int64)


def to_ticks(cpu_s: Floats | float) -> Ints:
    """CPU time in whole ticks."""
    return floor_to_int(np.asarray(cpu_s, float) * TICKS_PER_S)


def periodic(step_s: float, phase_s: float) -> CumulativeWork:
    """Cumulative time of a counter that samples the clock every ``step_s`` and counts whole steps."""
    return lambda time_s: floor_to_int((np.asarray(time_s) - phase_s) / step_s) * step_s


@dataclass(frozen=True)
class DiskCounters:
    """/sys/block/DEV/stat, one entry per snapshot. Index 0 of a pair is reads, 1 writes."""

    operations: tuple[Ints, Ints]
    sectors: tuple[Ints, Ints]
    time_ms: tuple[Ints, Ints]
    in_flight: Ints
    io_ticks_ms: Ints


def disk_counters(
    operations: Operations,
    times_s: Floats,
    operation_bytes: Ints,
    method: DiskCounter,
    phase_s: float,
) -> DiskCounters:
    """The disk's counters, all 0 at the start of the recording. ``operation_bytes``: bytes of each operation."""
    done = operations.done_s
    order = np.argsort(done, kind="stable")
    completed = np.searchsorted(done[order], times_s, side="right")

    def summed(amount: Floats | Ints) -> Floats:
        return np.concatenate([[0.0], np.cumsum(np.asarray(amount, float)[order])])[completed]

    by_kind = [
        (
            floor_to_int(summed(is_kind)),
            floor_to_int(summed(is_kind * (operation_bytes // SECTOR_BYTES))),
            floor_to_int(1000 * summed(is_kind * (done - operations.issued_s))),
        )
        for is_kind in (~operations.is_write, operations.is_write)
    ]
    issued = np.searchsorted(np.sort(operations.issued_s), times_s, side="right")
    io_ticks = io_ticks_ms(operations, times_s, method, phase_s)
    return DiskCounters(*zip(*by_kind, strict=True), issued - completed, io_ticks)


def io_ticks_ms(
    operations: Operations, times_s: Floats, method: DiskCounter, phase_s: float
) -> Ints:
    """Field 10, time with an operation in flight, as three generations of kernels count it.

    ``exact``: the time itself. ``jiffies`` (6.10 and later, and kernels with its fix): the jiffies that begin while
    an operation is in flight; unbiased, since operations begin at random within a jiffy. ``sampled`` (5.0 to 6.9): one
    jiffy for each in which an operation begins, and the jiffies since the last event where one ends: too high for
    short operations, too low for overlapping ones.
    """
    if method == "sampled":
        return _sampled_io_ticks_ms(operations, times_s, phase_s)
    cumulative_work: CumulativeWork = (
        periodic(1 / HZ, phase_s) if method == "jiffies" else np.asarray
    )
    start, end = operations.busy_periods()
    cumulative = np.concatenate([[0.0], np.cumsum(cumulative_work(end) - cumulative_work(start))])
    period = np.searchsorted(start, times_s, side="left")
    busy = cumulative[period]
    has_started = period > 0
    last = period[has_started] - 1
    remaining = np.maximum(end[last] - times_s[has_started], 0)
    is_running = remaining > 0
    busy[has_started] -= np.where(
        is_running, cumulative_work(end[last]) - cumulative_work(times_s[has_started]), 0.0
    )
    return floor_to_int(1000 * busy)


def _sampled_io_ticks_ms(operations: Operations, times_s: Floats, phase_s: float) -> Ints:
    at = np.concatenate([operations.issued_s, operations.done_s])
    is_end = np.repeat([False, True], len(operations.issued_s))
    order = np.lexsort((is_end, at))
    at, is_end = at[order], is_end[order]
    jiffy = floor_to_int((at - phase_s) * HZ)
    elapsed = np.diff(jiffy, prepend=jiffy[:1] - 1)
    cumulative = np.cumsum(np.where(elapsed > 0, np.where(is_end, elapsed, 1), 0))
    completed = np.searchsorted(at, times_s, side="right")
    return floor_to_int(np.concatenate([[0.0], cumulative])[completed] * 1000 / HZ)


def charged_to_owners(
    operations: Operations, times_s: Floats, operation_bytes: Ints, owners: int
) -> tuple[Ints, Ints, Floats]:
    """Bytes read, bytes written and seconds waited that are charged to owners 0, 1, …; (owners, snapshots) each.

    Bytes are charged when an operation is issued, waiting time when it is completed.
    """
    ops = operations
    read, written = (
        cumulative_by_owner(ops.owner, ops.issued_s, is_kind * operation_bytes, times_s, owners)
        for is_kind in (~ops.is_write, ops.is_write)
    )
    waited_s = cumulative_by_owner(
        ops.owner, ops.done_s, ops.done_s - ops.issued_s, times_s, owners
    )
    return floor_to_int(read), floor_to_int(written), waited_s
