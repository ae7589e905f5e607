"""A quantity that grows over time, and where in it a load of known length is.

A load makes counters grow: CPU time, requests, bytes. Its window is where most of the growth lies between two
readings that bracket it, which is also how :mod:`pipeline.measure` takes an increase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_POSITIONS = 20_000
MAX_SECONDS = 1_000_000
"""Longest log of events that is counted at every second."""
STEPS_PER_INTERVAL = 20
"""Positions that are tried per sampling interval."""
TOLERANCE = 0.002
"""Share of the growth by which positions may differ and count as equally good."""
MAX_UNCERTAIN_SHARE = 0.05
"""A window whose place is less certain than this share of its length (or two samples) has no place."""
MIN_SAMPLES = 3
NEIGHBOURHOOD, MAX_NEIGHBOUR_SHARE = 8, 0.6
"""In this part of the window's length before and after it a signal may rise at this share of the rate inside."""
MAX_NEW_S = 5.0
"""CPU time of a process that can have started since the snapshot before."""


@dataclass(frozen=True)
class Signal:
    """Readings of a quantity that does not decrease."""

    at_s: Array
    """When it was read, ascending; seconds since 1970 by the clock of its machine."""
    total: Array
    name: str = ""
    resolution: float = 0.0

    @property
    def step_s(self) -> float:
        """Median time between two readings."""
        return float(np.median(np.diff(self.at_s))) if len(self.at_s) > 1 else 0.0

    @property
    def growth(self) -> float:
        """Its increase from the first reading to the last."""
        return float(self.total[-1] - self.total[0]) if len(self.total) else 0.0

    def between(self, start_s: Array | float, end_s: Array | float) -> Array:
        """Increase between the last reading at or before ``start_s`` and the first at or after ``end_s``."""
        last = len(self.at_s) - 1
        first = np.clip(np.searchsorted(self.at_s, start_s, side="right") - 1, 0, last)
        end = np.clip(np.searchsorted(self.at_s, end_s, side="left"), 0, last)
        return self.total[end] - self.total[first]


@dataclass(frozen=True)
class Place:
    """Where a window of known length begins, by the clock of one machine."""

    start_s: float
    uncertainty_s: float
    signal: str


def place_window(signal: Signal, length_s: float) -> Place | None:
    """Where a window of ``length_s`` holds most of the growth of a signal.

    Parameters
    ----------
    signal : Signal
    length_s : float

    Returns
    -------
    Place or None
        None where the signal does not tell: fewer than three readings, no growth, equally much of it in windows
        far apart, or as fast a growth outside.

    Examples
    --------
    >>> at = np.arange(0.0, 30.0)
    >>> place = place_window(Signal(at, np.clip(at - 10.4, 0, 9.3)), 9.3)
    >>> abs(place.start_s - 10.4) < 0.5
    True
    """
    at_s = signal.at_s
    if len(at_s) < MIN_SAMPLES or length_s <= 0 or signal.growth <= 2 * signal.resolution:
        return None
    step_s = signal.step_s
    first_s, last_s = at_s[0] - 0.5 * step_s, at_s[-1] + 0.5 * step_s - length_s
    if last_s < first_s:  # the log is shorter than the load
        slack_s = length_s - (at_s[-1] - at_s[0])
        if slack_s > max(2 * step_s, MAX_UNCERTAIN_SHARE * length_s):
            return None
        return Place((first_s + last_s) / 2, max(slack_s / 2, step_s / 2), signal.name)
    count = int(np.clip((last_s - first_s) / step_s * STEPS_PER_INTERVAL, 1, MAX_POSITIONS)) + 1
    starts_s = np.linspace(first_s, last_s, count)
    growth = signal.between(starts_s, starts_s + length_s)
    tolerance = max(TOLERANCE * growth.max(), signal.resolution)
    best_s = starts_s[growth >= growth.max() - tolerance]
    uncertainty_s = (best_s[-1] - best_s[0]) / 2
    if uncertainty_s > max(2 * step_s, MAX_UNCERTAIN_SHARE * length_s):
        return None
    start_s = float(best_s[0] + best_s[-1]) / 2
    if _goes_on(signal, start_s, length_s):
        return None
    return Place(start_s, max(uncertainty_s, step_s / 2), signal.name)


def _goes_on(signal: Signal, start_s: float, length_s: float) -> bool:
    """Whether the signal rises as fast just before or just after a window: the load was longer, or not the only one."""
    step_s = signal.step_s
    span_s = max(length_s / NEIGHBOURHOOD, MIN_SAMPLES * step_s)
    inside = float(signal.between(start_s, start_s + length_s)) / length_s
    for first_s in (start_s - step_s - span_s, start_s + length_s + step_s):
        within = (signal.at_s >= first_s) & (signal.at_s <= first_s + span_s)
        at_s, total = signal.at_s[within], signal.total[within]
        if len(at_s) < MIN_SAMPLES:
            continue
        if (total[-1] - total[0]) / (at_s[-1] - at_s[0]) > MAX_NEIGHBOUR_SHARE * inside:
            return True
    return False


def times_s(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with ``at_s``: its ``time`` in seconds since 1970."""
    return frame.with_columns(at_s=pl.col("time").dt.epoch("ns") / 1e9)


def event_signal(times: pl.Series, name: str) -> Signal | None:
    """The number of events until each second; None without an event that has a time."""
    at_s = (times.drop_nulls().dt.epoch("ns") / 1e9).floor().sort().to_numpy()
    if not len(at_s):
        return None
    if at_s[-1] - at_s[0] < MAX_SECONDS:
        seconds = np.arange(at_s[0], at_s[-1] + 2)
    else:  # the number is constant between the events
        seconds = np.unique(np.concatenate([at_s, at_s + 1]))
    return Signal(seconds, np.searchsorted(at_s, seconds, side="left").astype(float), name)


def total_signal(rows: pl.DataFrame, ticks: pl.DataFrame, name: str) -> Signal | None:
    """The CPU time of processes together at every snapshot.

    Parameters
    ----------
    rows : polars.DataFrame
        Rows of ``top_processes`` of the processes.
    ticks : polars.DataFrame
        ``snapshot`` and ``time`` of every snapshot of the log.
    name : str

    Returns
    -------
    Signal or None
        None with fewer than two snapshots that have a time.
    """
    order = (
        times_s(ticks)
        .select("snapshot", "at_s")
        .drop_nulls()
        .unique("snapshot", keep="first", maintain_order=True)
        .sort("at_s")
    )
    if order.height < 2:
        return None
    growth = with_growth(rows).group_by("snapshot").agg(pl.col("growth_s").sum())
    per_snapshot = order.join(growth, on="snapshot", how="left", maintain_order="left")
    at_s, grown = per_snapshot.select("at_s", pl.col("growth_s").fill_null(0.0)).to_numpy().T
    if not _has_fine_times(rows):
        steps_s = np.diff(at_s, prepend=at_s[0])
        percent = rows.group_by("snapshot").agg(pl.col("cpu_percent").sum())
        used = order.join(percent, on="snapshot", how="left", maintain_order="left")
        grown = used["cpu_percent"].fill_null(0.0).to_numpy() / 100 * steps_s
    return Signal(at_s, np.cumsum(grown), name, 0.01)


def with_growth(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``top_processes`` with ``growth_s``: CPU time since the process was printed last.

    A process that is printed first after the first snapshot has all its CPU time as growth, up to ``MAX_NEW_S``: with
    more it is older, and ``top`` prints busy processes only.
    """
    start = rows["snapshot"].min()
    before = pl.col("cpu_time_s").shift().over("pid", order_by="snapshot")
    is_again = pl.col("cpu_time_s") < before
    is_new = before.is_null() & (pl.col("snapshot") > start)
    growth = (
        pl.when(is_new | is_again)
        .then(pl.when(pl.col("cpu_time_s") <= MAX_NEW_S).then(pl.col("cpu_time_s")))
        .otherwise((pl.col("cpu_time_s") - before).fill_null(0.0))
    )
    return rows.with_columns(growth_s=growth.fill_null(0.0))


def _has_fine_times(rows: pl.DataFrame) -> bool:
    """Whether TIME+ is printed with hundredths of a second for most of the rows."""
    steps = rows["cpu_time_resolution_s"].drop_nulls()
    return steps.len() > 0 and float(steps.quantile(0.9)) <= 0.1
