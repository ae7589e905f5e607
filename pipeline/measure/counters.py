"""A counter and its increase: bounds, wraps and resets.

A counter is read at moments that are not the window's. Its *increase* over a window is taken between the last reading
at or before the start and the first at or after the end (docs/decisions/0001-one-window.md). Between two moments of
another source it is interpolated; its readings on both sides bound it there (a counter does not decrease), whatever
the load did in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.measure import texts
from pipeline.measure.window import (
    NS_PER_S,
    MissingData,
    SnapshotSpan,
    bracketing_indices,
    contained_indices,
    require_ascending,
    snapshot_times,
)
from pipeline.raw import Window

Array = NDArray[np.float64]
Times = NDArray[np.int64]

MAX_LATE_S = 1.0
"""Time by which a reading may be later than the longest interval allows."""
WRAP_MS = 2**32
"""The millisecond fields of a block device's statistics are 32 bits wide."""


@dataclass(frozen=True)
class BoundedValue:
    """A measured number with its bounds, from what the source's resolution allows, and flags."""

    value: float
    low: float
    high: float
    flags: tuple[str, ...] = ()

    def __add__(self, other: BoundedValue) -> BoundedValue:
        return BoundedValue(
            self.value + other.value,
            self.low + other.low,
            self.high + other.high,
            tuple(dict.fromkeys((*self.flags, *other.flags))),
        )

    def scaled(self, factor: float) -> BoundedValue:
        """The same in another unit."""
        return BoundedValue(self.value * factor, self.low * factor, self.high * factor, self.flags)

    def widened(self, step: float) -> BoundedValue:
        """The same with ``step`` more uncertainty on both sides, not below 0."""
        return BoundedValue(self.value, max(0.0, self.low - step), self.high + step, self.flags)


ZERO = BoundedValue(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Endpoints:
    """Two moments at which another source was read; the read happened at most the read delay earlier."""

    start_ns: int
    end_ns: int
    start_read_delay_ns: int = 0
    end_read_delay_ns: int = 0


@dataclass(frozen=True)
class Counter:
    """Readings of a quantity that increases."""

    at_ns: Times
    """When it was read, ascending, the client's clock."""
    total: Array
    """The readings."""
    name: str = "the counter"
    resolution: float = 0.0
    """Resolution of one reading, in the counter's unit."""
    bound: float = 0.0
    """Bound of the error of an increase."""
    exited_ns: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    """Last samples of processes that exited: what they used afterwards is not counted."""
    may_fall: bool = False
    """Whether it is a difference of counters, each truncated to a tick, so that it may decrease."""
    wrapped_ns: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    """Times of the wraps."""
    has_turnover: bool = False
    """Whether it is a sum over processes of which some started or exited in the log."""

    def exceeds_rate(self, per_s: float) -> bool:
        """Whether it increases by more than ``per_s`` allows, between any two readings.

        A reading may be late by the time to the next one; the bound is the longest of them.
        """
        lengths_s = np.diff(self.at_ns) / NS_PER_S
        excess = np.diff(self.total) - per_s * lengths_s
        # the largest sum of consecutive steps
        sums = np.concatenate(([0.0], np.cumsum(excess)))
        largest = float(np.max(sums - np.minimum.accumulate(sums)))
        return largest > per_s * (float(lengths_s.max()) + MAX_LATE_S) + self.bound

    def interpolate(self, moments_ns: Times | Array) -> Array:
        """The counter at other moments, on the straight line between two readings; flat outside them."""
        return np.interp(moments_ns - self.at_ns[0], self.at_ns - self.at_ns[0], self.total)

    def increase(self, window: Window) -> BoundedValue:
        """Its increase over a load, between the readings that bracket the window."""
        first, last, flags = bracketing_indices(self.at_ns, window)
        return self._between(first, last, flags)

    def idle_increase(self, idle: Window) -> BoundedValue:
        """Its increase over an idle baseline, scaled from the readings inside it to its whole length."""
        first, last, flags = contained_indices(self.at_ns, idle)
        span_s = float(self.at_ns[last] - self.at_ns[first]) / NS_PER_S
        return self._between(first, last, flags).scaled(idle.duration_s / span_s)

    def check(self, first: int = 0, last: int | None = None) -> None:
        """Raise ``MissingData`` if it decreased between two readings: a reset, or another device.

        Also if the readings are not in the order of their times.
        """
        stop = None if last is None else last + 1
        require_ascending(self.at_ns)
        if not self.may_fall and np.any(np.diff(self.total[first:stop]) < 0):
            raise MissingData(texts.counter_fell(self.name))

    def _between(self, first: int, last: int, flags: tuple[str, ...]) -> BoundedValue:
        self.check(max(first - 1, 0), last + 1)  # an end that the next reading contradicts is wrong
        start, end = self.at_ns[first], self.at_ns[last]
        if np.any((self.wrapped_ns > start) & (self.wrapped_ns <= end)):
            flags = (*flags, texts.wrapped(self.name))
        increase = float(self.total[last] - self.total[first])
        exited = ((self.exited_ns >= start) & (self.exited_ns < end)).sum()
        if exited:
            flags = (*flags, texts.exited(exited))
        return BoundedValue(increase, increase, increase, flags).widened(self.bound)

    def increase_between(self, endpoints: Endpoints) -> BoundedValue:
        """Its increase between two moments of another source; constant outside the readings.

        Value: on the straight line between readings. Low and high: the readings on both sides of each moment, and of
        each moment that ``endpoints`` allows for.
        """
        self.check()
        times_ns, last = self.at_ns, len(self.total) - 1

        def before(moment_ns: int) -> float:
            return self.total[max(int(np.searchsorted(times_ns, moment_ns, side="right")) - 1, 0)]

        def after(moment_ns: int) -> float:
            return self.total[min(int(np.searchsorted(times_ns, moment_ns, side="left")), last)]

        at_start, at_end = self.interpolate(np.array([endpoints.start_ns, endpoints.end_ns]))
        low = before(endpoints.end_ns - endpoints.end_read_delay_ns) - after(endpoints.start_ns)
        high = after(endpoints.end_ns) - before(endpoints.start_ns - endpoints.start_read_delay_ns)
        return BoundedValue(float(at_end - at_start), max(0.0, float(low)), float(high))

    def rates(self) -> pl.DataFrame:
        """Its rate over time: ``client_ns`` and ``value`` (per second, over the time since the reading before)."""
        seconds, increases = np.diff(self.at_ns) / NS_PER_S, np.diff(self.total)
        is_valid = (seconds > 0) & (increases >= 0)
        rate = np.where(is_valid, increases / np.where(is_valid, seconds, 1), np.nan)
        frame = pl.DataFrame({"client_ns": self.at_ns[1:], "value": rate})
        return frame.with_columns(pl.col("value").fill_nan(None))


def unwrapped(readings_ms: Array, at_ns: Times, max_ms: Array | float) -> tuple[Array, Times]:
    """A 32-bit millisecond counter continued where it began again at 0, and when it did.

    A decrease is a wrap if it then stands for an increase of at most ``max_ms`` (per step between two readings);
    else the device was reset, and the decrease stays.
    """
    increases = np.diff(readings_ms)
    wraps = (increases < 0) & (increases + WRAP_MS <= max_ms)
    added = np.concatenate(([0], np.cumsum(wraps))) * float(WRAP_MS)
    return readings_ms + added, at_ns[1:][wraps]


# -- counters of many processes ------------------------------------------------------------------------------


def total_with_exited(
    rows: pl.DataFrame, keys: list[str], value: pl.Expr, ticks: pl.DataFrame
) -> Array:
    """Sum over ``keys`` of the increases of ``value`` since the first snapshot; an exited process keeps its last.

    A process that starts later begins at 0. Increases are taken per process, in the type of ``value``: what one of
    them had used before the first snapshot, however much, takes no digits from the others.
    """
    steps = (
        rows.select(*keys, "snapshot", value.alias("value"))
        .drop_nulls("value")
        .sort(*keys, "snapshot")
        .with_columns(
            (pl.col("value") - pl.col("value").shift().over(keys).fill_null(0)).alias("d")
        )
        .join(ticks.select("snapshot").with_row_index("tick"), on="snapshot", maintain_order="left")
    )
    # NumPy adds in the order of the rows; Polars does not fix the order, and with it the last digit
    of_tick = np.bincount(steps["tick"], weights=steps["d"], minlength=ticks.height)
    of_tick[:1] = 0.0
    return np.cumsum(of_tick)


def counters_by_key(
    rows: pl.DataFrame, keys: list[str], total: pl.Expr, ticks: pl.DataFrame
) -> dict[tuple, Counter]:
    """A counter of each process or thread.

    ``rows`` have ``snapshot`` and ``client_ns``; ``ticks`` are all snapshots of the log. One that appears after
    the first snapshot started at 0 after the snapshot before; one of the first snapshot counts from there. An exited
    one keeps its last value.
    """
    order = snapshot_times(ticks)
    numbers, times = order["snapshot"].to_numpy(), order["client_ns"].to_numpy()
    counters = {}
    readings = (
        rows.select(*keys, "snapshot", "client_ns", total=total)
        .drop_nulls()
        .sort(*keys, "snapshot")
    )
    for key, group in readings.group_by(keys, maintain_order=True):
        at, totals = group["client_ns"].to_numpy(), group["total"].to_numpy()
        first = int(np.searchsorted(numbers, group["snapshot"][0]))
        if first > 0:
            at, totals = np.insert(at, 0, times[first - 1]), np.insert(totals, 0, 0)
        counters[key] = Counter(at, (totals - totals[0]).astype(np.float64))
    return counters


def process_tree_total(rows: pl.DataFrame, total: pl.Expr, ticks: pl.DataFrame) -> Counter:
    """A counter of some processes together, since the first snapshot of the log, at every snapshot.

    ``total`` is a counter that the kernel adds to a parent's when it reaps its child (/proc/PID/io is; utime and
    stime with cutime and cstime are). The sum is over live processes: the usage of an exited child is
    in its parent's. One whose parent is not among ``rows`` keeps its last value.
    """
    order = snapshot_times(ticks)
    processes = rows.select("snapshot", "pid", "ppid", "starttime_ticks", total=total).drop_nulls(
        "total"
    )
    # whole numbers: exact in any order, also where one is beyond the digits of a float
    live = processes.group_by("snapshot").agg(pl.col("total").sum())
    last = processes.group_by("pid", "starttime_ticks").agg(
        pl.col("snapshot").max(),
        pl.col("total", "ppid").sort_by("snapshot").last(),
    )
    orphans = last.filter(
        ~pl.col("ppid").is_in(processes["pid"].unique().implode()).fill_null(False)
        & (pl.col("snapshot") < order["snapshot"].max())
    )
    by_snapshot = order.join(live, on="snapshot", how="left", maintain_order="left")["total"]
    totals = by_snapshot.fill_null(0).to_numpy().copy()
    for snapshot, last_total in orphans.select("snapshot", "total").iter_rows():
        totals[order["snapshot"].to_numpy() > snapshot] += last_total
    # a child that is reaped between two lines of one snapshot is in neither, until the next one
    totals = np.maximum.accumulate(totals)
    return Counter(order["client_ns"].to_numpy(), (totals - totals[:1]).astype(np.float64))


# -- spans of two sources -----------------------------------------------------------------------------------


def sampled_endpoints(
    ticks: pl.DataFrame, span: SnapshotSpan, interval_s: float | None
) -> Endpoints:
    """The two ends of ``span``, and how long before each of them the source can have been read.

    A tool sleeps for the requested interval, reads, and prints: the rest of a period is reading. Without a known
    interval reading may take the whole period.
    """
    order = snapshot_times(ticks)
    numbers, times = order["snapshot"].to_numpy(), order["client_ns"].to_numpy()
    median_ns = int(np.median(np.diff(times)))
    interval_ns = int((interval_s or 0.0) * NS_PER_S)

    def end(snapshot: int) -> tuple[int, int]:
        index = int(np.searchsorted(numbers, snapshot))
        period = int(times[index] - times[index - 1]) if index else median_ns
        return int(times[index]), max(0, period - interval_ns)

    (start_ns, start_delay), (end_ns, end_delay) = end(span.first), end(span.last)
    return Endpoints(start_ns, end_ns, start_delay, end_delay)


def exact_endpoints(ticks: pl.DataFrame, span: SnapshotSpan) -> Endpoints:
    """The two ends of ``span``, for a source whose times are those of reading."""
    at = ticks.filter(pl.col("snapshot").is_in([span.first, span.last]))["client_ns"]
    return Endpoints(int(at.min()), int(at.max()))  # type: ignore[arg-type]


def median_period_s(ticks: pl.DataFrame) -> float | None:
    """The median time between two snapshots."""
    times = ticks["client_ns"].drop_nulls().unique().sort()
    median = times.diff().drop_nulls().median()
    return None if median is None else float(median) / NS_PER_S
