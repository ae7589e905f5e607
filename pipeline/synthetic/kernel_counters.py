"""What a kernel counts: CPU time in ticks, a disk's statistics, bytes charged to tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.event_history import Floats, Ints, Meter, Operations, grown_by
from pipeline.synthetic.plan import DiskCounter

TICKS_PER_S = 100
"""USER_HZ: the unit of utime and stime in /proc/PID/stat."""
HZ = 250
"""Jiffies a second of Debian's kernels: what io_ticks counts in."""
SECTOR_BYTES = 512
ROUNDING = 1e-9
"""A sum of floats that should be a whole number of ticks may lie so much below it."""


def whole(amount: Floats | float) -> Ints:
    """Cut down to whole numbers, as the kernel does."""
    return np.floor(np.asarray(amount, float) + ROUNDING).astype(np.int64)


def ticks(cpu_s: Floats | float) -> Ints:
    """CPU time in whole ticks."""
    return whole(np.asarray(cpu_s, float) * TICKS_PER_S)


def every(step_s: float, phase_s: float) -> Meter:
    """The meter of a counter that looks at the clock every ``step_s`` and counts whole steps."""
    return lambda time_s: whole((np.asarray(time_s) - phase_s) / step_s) * step_s


@dataclass(frozen=True)
class DiskCounters:
    """/sys/block/DEV/stat at some moments, one entry a moment. Index 0 of a pair is reads, 1 writes."""

    operations: tuple[Ints, Ints]
    sectors: tuple[Ints, Ints]
    time_ms: tuple[Ints, Ints]
    in_flight: Ints
    io_ticks_ms: Ints


def disk_counters(
    operations: Operations,
    moments_s: Floats,
    operation_bytes: Ints,
    how: DiskCounter,
    phase_s: float,
) -> DiskCounters:
    """The disk's counters, all 0 when the recording began. ``operation_bytes``: of each operation."""
    done = operations.done_s
    order = np.argsort(done, kind="stable")
    there = np.searchsorted(done[order], moments_s, side="right")

    def summed(amount: Floats | Ints) -> Floats:
        return np.concatenate([[0.0], np.cumsum(np.asarray(amount, float)[order])])[there]

    of_kinds = [
        (
            whole(summed(is_kind)),
            whole(summed(is_kind * (operation_bytes // SECTOR_BYTES))),
            whole(1000 * summed(is_kind * (done - operations.issued_s))),
        )
        for is_kind in (~operations.is_write, operations.is_write)
    ]
    issued = np.searchsorted(np.sort(operations.issued_s), moments_s, side="right")
    io_ticks = io_ticks_ms(operations, moments_s, how, phase_s)
    return DiskCounters(*zip(*of_kinds, strict=True), issued - there, io_ticks)


def io_ticks_ms(
    operations: Operations, moments_s: Floats, how: DiskCounter, phase_s: float
) -> Ints:
    """Field 10, time with an operation in flight, as three generations of kernels count it.

    ``exact``: the time itself. ``jiffies`` (6.10 and later, and kernels that took its fix): the jiffies that begin
    while something is in flight; right on average, since an operation begins anywhere in a jiffy. ``sampled`` (5.0
    to 6.9): one jiffy for each that an operation begins in, and the jiffies since the last event where one ends:
    too much for short operations, too little for operations that overlap.
    """
    if how == "sampled":
        return _sampled_io_ticks_ms(operations, moments_s, phase_s)
    meter: Meter = every(1 / HZ, phase_s) if how == "jiffies" else np.asarray
    start, end = operations.busy_periods()
    grown = np.concatenate([[0.0], np.cumsum(meter(end) - meter(start))])
    period = np.searchsorted(start, moments_s, side="left")
    busy = grown[period]
    under_way = period > 0
    last = period[under_way] - 1
    after = np.maximum(end[last] - moments_s[under_way], 0)
    late = after > 0
    busy[under_way] -= np.where(late, meter(end[last]) - meter(moments_s[under_way]), 0.0)
    return whole(1000 * busy)


def _sampled_io_ticks_ms(operations: Operations, moments_s: Floats, phase_s: float) -> Ints:
    at = np.concatenate([operations.issued_s, operations.done_s])
    is_end = np.repeat([False, True], len(operations.issued_s))
    order = np.lexsort((is_end, at))
    at, is_end = at[order], is_end[order]
    jiffy = whole((at - phase_s) * HZ)
    since = np.diff(jiffy, prepend=jiffy[:1] - 1)
    grown = np.cumsum(np.where(since > 0, np.where(is_end, since, 1), 0))
    there = np.searchsorted(at, moments_s, side="right")
    return whole(np.concatenate([[0.0], grown])[there] * 1000 / HZ)


def moved_by(
    operations: Operations, moments_s: Floats, operation_bytes: Ints, owners: int
) -> tuple[Ints, Ints, Floats]:
    """What owners 0, 1, … are charged with: bytes read, bytes written, seconds waited; (owners, moments) each.

    A task is charged when it hands the operation over, not when the disk has done it; it has waited for those that
    are done.
    """
    of = operations
    read, written = (
        grown_by(of.owner, of.issued_s, is_kind * operation_bytes, moments_s, owners)
        for is_kind in (~of.is_write, of.is_write)
    )
    waited_s = grown_by(of.owner, of.done_s, of.done_s - of.issued_s, moments_s, owners)
    return whole(read), whole(written), waited_s
