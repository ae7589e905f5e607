"""The same quantity by two instruments: how far they lie apart, and how far their resolution lets them.

Both values come with an interval: all that the true growth can have been, by what the instrument prints. Where the
intervals overlap, the difference says nothing about the instruments.

The two instruments never read at the same moment. The one (top, iotop) is taken as it stands, from one of its
snapshots to another; the other is a counter, interpolated to those two moments. What it can have been there lies
between its readings on both sides (a counter does not fall), so the misalignment is bounded without any assumption on
how the load is spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.bundle import Window
from pipeline.measure.window import NS_PER_S, Enclosure, Unmeasured, enclose

TOLERANCE = 0.02
"""Two instruments may differ by this much of the second one's value, beyond what their resolution leaves."""

Relation = Literal["equal", "at most"]
Verdict = Literal["agree", "within resolution", "disagree", "missing"]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What one instrument says: its value, and the least and the most that the truth can have been."""

    value: float
    low: float
    high: float

    def __add__(self, other: Reading) -> Reading:
        return Reading(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Reading:
        """The same in another unit."""
        return Reading(self.value * factor, self.low * factor, self.high * factor)

    def widened(self, step: float) -> Reading:
        """The same with ``step`` more uncertainty on both sides; nothing grows by less than nothing."""
        return Reading(self.value, max(0.0, self.low - step), self.high + step)


NOTHING = Reading(0.0, 0.0, 0.0)


def judge(
    one: Reading, other: Reading, relation: Relation = "equal", tolerance: float = TOLERANCE
) -> Verdict:
    """Whether two readings can be of one quantity (``equal``), or the one of a part of the other (``at most``).

    ``agree``: they differ by no more than ``tolerance`` of the second. ``within resolution``: by more, but not
    beyond what their intervals leave. ``disagree``: by more than ``tolerance`` beyond that.
    """
    allowed = tolerance * abs(other.value)
    if difference(one, other, relation) <= allowed:
        return "agree"
    return "within resolution" if gap(one, other, relation) <= allowed else "disagree"


def difference(one: Reading, other: Reading, relation: Relation = "equal") -> float:
    """How far the values lie apart; for ``at most``, how far the first exceeds the second."""
    apart = one.value - other.value
    return abs(apart) if relation == "equal" else max(0.0, apart)


def gap(one: Reading, other: Reading, relation: Relation = "equal") -> float:
    """How far the intervals lie apart; 0 where they overlap."""
    over = one.low - other.high
    under = other.low - one.high if relation == "equal" else -math.inf
    return max(0.0, over, under)


# -- counters -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moments:
    """Two moments at which another instrument read: it did so no later than ``at``, and ``lag`` earlier at most."""

    start_ns: int
    end_ns: int
    start_lag_ns: int = 0
    end_lag_ns: int = 0


def growth(times_ns: NDArray[np.int64], totals: Numbers, moments: Moments) -> Reading:
    """Growth of a counter between two moments that are not its own.

    ``times_ns``: when the counter was read, ascending; ``totals``: what it had come to, never falling. Value: on the
    straight line between readings. Low and high: the readings on both sides of each moment, and of each moment
    that ``moments`` allows for. Outside the readings the counter stands still.
    """
    if len(times_ns) == 0:
        raise Unmeasured("no reading of the counter")
    if np.any(np.diff(totals) < 0):
        raise Unmeasured("the counter fell: it was reset or replaced")

    def before(moment_ns: int) -> float:
        index = int(np.searchsorted(times_ns, moment_ns, side="right")) - 1
        return float(totals[max(index, 0)])

    def after(moment_ns: int) -> float:
        index = int(np.searchsorted(times_ns, moment_ns, side="left"))
        return float(totals[min(index, len(totals) - 1)])

    at_start, at_end = np.interp(
        np.array([moments.start_ns, moments.end_ns]) - times_ns[0],
        times_ns - times_ns[0],
        totals,
    )
    return Reading(
        float(at_end - at_start),
        max(0.0, before(moments.end_ns - moments.end_lag_ns) - after(moments.start_ns)),
        after(moments.end_ns) - before(moments.start_ns - moments.start_lag_ns),
    )


def series(
    rows: pl.DataFrame, keys: list[str], total: pl.Expr, ticks: pl.DataFrame
) -> dict[tuple, tuple[NDArray[np.int64], Numbers]]:
    """A counter of each process or thread: key → times (ns) and totals.

    ``rows`` have ``snapshot`` and ``client_ns``; ``ticks`` are all snapshots of the log. One that appears after
    the first snapshot was born at 0 after the snapshot before; one that ends keeps what it had.
    """
    order = _order(ticks)
    numbers, times = order["snapshot"].to_numpy(), order["client_ns"].to_numpy()
    found = {}
    chosen = (
        rows.select(*keys, "snapshot", "client_ns", total=total.cast(pl.Float64))
        .drop_nulls()
        .sort(*keys, "snapshot")
    )
    for key, group in chosen.group_by(keys, maintain_order=True):
        at, totals = group["client_ns"].to_numpy(), group["total"].to_numpy()
        first = int(np.searchsorted(numbers, group["snapshot"][0]))
        if first > 0:
            at, totals = np.insert(at, 0, times[first - 1]), np.insert(totals, 0, 0.0)
        found[key] = (at, totals)
    return found


def family_total(
    rows: pl.DataFrame, total: pl.Expr, ticks: pl.DataFrame
) -> tuple[NDArray[np.int64], Numbers]:
    """A counter of some processes together: times (ns) and totals, at every snapshot of the log.

    ``total`` is a counter that the kernel adds to a parent's when it reaps its child (/proc/PID/io is; utime and
    stime with cutime and cstime are). What is added up are therefore those that live: what a child had is in its
    parent's when it is gone, to the last byte. One whose parent is not among ``rows`` keeps what it had.
    """
    order = _order(ticks)
    processes = rows.select(
        "snapshot", "pid", "ppid", "starttime_ticks", total=total.cast(pl.Float64)
    ).drop_nulls("total")
    living = processes.group_by("snapshot").agg(pl.col("total").sum())
    last = processes.group_by("pid", "starttime_ticks").agg(
        pl.col("snapshot").max(),
        pl.col("total", "ppid").sort_by("snapshot").last(),
    )
    orphans = last.filter(
        ~pl.col("ppid").is_in(processes["pid"].unique().implode()).fill_null(False)
        & (pl.col("snapshot") < order["snapshot"].max())
    )
    kept = order.join(living, on="snapshot", how="left", maintain_order="left")["total"]
    totals = kept.fill_null(0.0).to_numpy().copy()
    for snapshot, had in orphans.select("snapshot", "total").iter_rows():
        totals[order["snapshot"].to_numpy() > snapshot] += had
    # a child that is reaped between two lines of one snapshot is in neither, until the next one
    return order["client_ns"].to_numpy(), np.maximum.accumulate(totals)


def _order(ticks: pl.DataFrame) -> pl.DataFrame:
    return ticks.select("snapshot", "client_ns").drop_nulls().unique("snapshot").sort("snapshot")


# -- spans --------------------------------------------------------------------------------------------------


def common_span(ticks: pl.DataFrame, window: Window, other_ns: pl.Series) -> Enclosure:
    """The snapshots of the first instrument that enclose ``window``, as far as the other one was reading, too.

    ``ticks``: snapshots of the first instrument (``snapshot``, ``client_ns``); ``other_ns``: times of the other.
    Raises ``Unmeasured`` where the two logs do not overlap in the window.
    """
    first, last = other_ns.min(), other_ns.max()
    if first is None or last is None:
        raise Unmeasured("the other log has no times")
    return enclose(ticks.filter(pl.col("client_ns").is_between(first, last)), window)


def moments_of(ticks: pl.DataFrame, span: Enclosure, asked_s: float | None) -> Moments:
    """The two ends of ``span``, and how long before each of them the instrument can have read.

    An instrument sleeps for as long as it was asked to, reads, and prints: what a period is longer than the sleep
    went into reading. Without a known sleep it can have been the whole period.
    """
    order = _order(ticks)
    numbers, times = order["snapshot"].to_numpy(), order["client_ns"].to_numpy()
    typical = int(np.median(np.diff(times)))
    asked_ns = int((asked_s or 0.0) * NS_PER_S)

    def end(snapshot: int) -> tuple[int, int]:
        index = int(np.searchsorted(numbers, snapshot))
        period = int(times[index] - times[index - 1]) if index else typical
        return int(times[index]), max(0, period - asked_ns)

    (start_ns, start_lag), (end_ns, end_lag) = end(span.first), end(span.last)
    return Moments(start_ns, end_ns, start_lag, end_lag)


def ends_of(ticks: pl.DataFrame, span: Enclosure) -> Moments:
    """The two ends of ``span``, for an instrument that reads when it says so."""
    at = ticks.filter(pl.col("snapshot").is_in([span.first, span.last]))["client_ns"]
    return Moments(int(at.min()), int(at.max()))  # type: ignore[arg-type]


def period_s(ticks: pl.DataFrame) -> float | None:
    """The median time between two snapshots."""
    times = ticks["client_ns"].drop_nulls().unique().sort()
    median = times.diff().drop_nulls().median()
    return None if median is None else float(median) / NS_PER_S
