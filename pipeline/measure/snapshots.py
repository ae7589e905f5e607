"""Times of snapshots on the client's clock, and what a log of snapshots lacks in a window.

Each snapshot has two times: the machine's clock, of which the offset to the client was measured, and its monotonic
clock, which is never set. Their difference is constant until the clock is set. Snapshots after that are placed by the
monotonic clock. ``seq`` numbers the snapshots: a step of more than 1 is a snapshot that is not in the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.measure import texts
from pipeline.measure.window import (
    NS_PER_S,
    MissingData,
    bracketing_indices,
    contained_indices,
    snapshot_times,
)
from pipeline.raw import Window

CLOCK_LOGS = ("top_summary", "iotop_totals", "block", "task_processes")
"""One table of each log of snapshots."""
TICKED = ("block", "task_processes")
"""Tables of logs that the collector writes itself, at every tick; top and iotop take the time that they take."""

MEDIAN_OF = 5
"""Snapshots over which the difference of the two clocks is smoothed: they are not read at one moment."""
MIN_STEP_NS = 50_000_000
"""A clock was set if the smoothed difference moved by this; in the recorded study it moves by less than 0.1 ms."""
MIN_SINGLE_STEP_NS = 500_000_000
"""The same for one snapshot: a busy machine has read the two clocks up to 0.3 s apart."""
MAX_LATE_TICKS = 3.0
"""Ticks by which a snapshot of the collector may be late; what is later was numbered as missed."""
MAX_PAUSE_S = 15.0
"""top paused if two of its snapshots are farther apart; on a saturated guest they were up to 13 s apart."""


# -- times ---------------------------------------------------------------------------------------------------


def clock_difference_ns(frames: Iterable[pl.DataFrame], *, at_end: bool = False) -> int | None:
    """A machine's clock minus its monotonic clock when the offset to the client was measured.

    Parameters
    ----------
    frames : iterable of polars.DataFrame
        One table per log, with ``snapshot``, ``time`` and ``monotonic_ns``. The median of the logs counts.
    at_end : bool
        Whether the offset was measured after the recording, not before it.

    Returns
    -------
    int or None
        Nanoseconds; None if no log has both times.
    """
    of_logs = []
    for frame in frames:
        both = _differences(frame)["difference_ns"].drop_nulls()
        if both.len():
            near = both.tail(MEDIAN_OF) if at_end else both.head(MEDIAN_OF)
            of_logs.append(sorted(near)[(near.len() - 1) // 2])
    return sorted(of_logs)[(len(of_logs) - 1) // 2] if of_logs else None


def clock_step_ns(frame: pl.DataFrame, difference_ns: int) -> int:
    """By how much a machine's clock was set within a log, the largest step; 0 if it was not.

    ``difference_ns``: ``clock_difference_ns`` of the machine.
    """
    if "monotonic_ns" not in frame.columns:
        return 0
    steps = _differences(frame)["difference_ns"].drop_nulls() - difference_ns
    smooth = steps.cast(pl.Float64).rolling_median(MEDIAN_OF, min_samples=1, center=True)
    set_by = steps.filter((smooth.abs() > MIN_STEP_NS) | (steps.abs() > MIN_SINGLE_STEP_NS))
    return 0 if set_by.is_empty() else int(set_by[int(set_by.abs().arg_max())])  # type: ignore[arg-type]


def by_monotonic_clock(frame: pl.DataFrame, offset_ns: int) -> pl.DataFrame:
    """``frame`` with ``client_ns``: its ``monotonic_ns`` brought to the client's clock by adding ``offset_ns``."""
    return frame.with_columns((pl.col("monotonic_ns") + offset_ns).alias("client_ns"))


def _differences(frame: pl.DataFrame) -> pl.DataFrame:
    ticks = (
        frame.select("snapshot", "time", "monotonic_ns")
        .unique("snapshot", keep="first", maintain_order=True)
        .sort("snapshot")
    )
    return ticks.with_columns(difference_ns=pl.col("time").dt.epoch("ns") - pl.col("monotonic_ns"))


# -- what is missing in a window -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """The snapshots of a log that stand for a window.

    ``at_ns``: times of all snapshots; ``seq``: their numbers; ``is_interval``: false for the first one after a start
    of the tool; ``first``, ``last``: those that stand for the window.
    """

    at_ns: NDArray[np.int64]
    seq: NDArray[np.int64]
    is_interval: NDArray[np.bool_]
    first: int
    last: int
    window: Window
    is_idle: bool
    flags: tuple[str, ...]
    """Those of ``bracketing_indices`` or ``contained_indices``."""

    @property
    def steps(self) -> NDArray[np.int64]:
        """Increase of ``seq`` from each snapshot to the next, between ``first`` and ``last``; 1 without a gap."""
        return np.maximum(np.diff(self.seq[self.first : self.last + 1]), 1)

    @property
    def lengths_s(self) -> NDArray[np.float64]:
        """Time from each snapshot to the next, between ``first`` and ``last``."""
        return np.diff(self.at_ns[self.first : self.last + 1]) / NS_PER_S

    def missing_at_ends(self) -> int:
        """Snapshots missing where they would have been nearer to an end of the window than those that are there."""
        missing = 0
        inner = -1 if self.is_idle else 1
        ends = (
            (self.first, self.first + inner, self.window.start_ns),
            (self.last, self.last - inner, self.window.end_ns),
        )
        for index, adjacent, end_ns in ends:
            if not 0 <= adjacent < len(self.at_ns):
                continue
            step = abs(int(self.seq[adjacent] - self.seq[index]))
            if step <= 1:
                continue
            towards = end_ns - self.at_ns[index]
            per_step = (self.at_ns[adjacent] - self.at_ns[index]) / step
            if per_step and towards / per_step >= 1:
                missing += min(step - 1, int(towards / per_step))
        return missing

    def share_without_rate(self) -> float:
        """Share of the span in which no snapshot has a rate: missing ones, and first ones of a tool's start."""
        lengths, steps = self.lengths_s, self.steps
        covered = np.where(self.is_interval[self.first + 1 : self.last + 1], 1 / steps, 0.0)
        return float((lengths * (1 - covered)).sum() / lengths.sum()) if lengths.sum() else 0.0

    def pauses_s(self, interval_s: float | None) -> float:
        """The longest time between two snapshots that their numbers do not explain; 0 if there is none."""
        lengths = self.lengths_s
        if interval_s is None:
            late = lengths > MAX_PAUSE_S
        else:
            tick_s = max(interval_s, float(np.median(lengths / self.steps)))
            late = lengths > (self.steps + MAX_LATE_TICKS) * tick_s
        return float(lengths[late].max()) if late.any() else 0.0


def coverage(rows: pl.DataFrame, window: Window, *, is_idle: bool = False) -> Coverage:
    """The snapshots of a log that stand for a window; ``MissingData`` where none do.

    ``rows``: any rows of the log with ``snapshot``, ``client_ns`` and ``seq``; ``is_idle``: the window is an idle
    baseline, and the snapshots lie inside it.
    """
    ticks = snapshot_times(rows)
    has_interval = "is_interval" in rows.columns
    numbers = rows.select(
        "snapshot", "seq", is_interval=pl.col("is_interval") if has_interval else pl.lit(True)
    ).unique("snapshot", keep="first", maintain_order=True)
    ticks = ticks.join(numbers, on="snapshot", how="left", maintain_order="left")
    at_ns = ticks["client_ns"].to_numpy()
    bounds = contained_indices if is_idle else bracketing_indices
    first, last, flags = bounds(at_ns, window)
    seq = ticks["seq"]
    if seq.null_count():
        seq = pl.int_range(ticks.height, eager=True)
    return Coverage(
        at_ns, seq.to_numpy(), ticks["is_interval"].to_numpy(), first, last, window, is_idle, flags
    )


def recording_flags(
    covered: Coverage,
    *,
    interval_s: float | None = None,
    has_rates: bool = False,
    has_turnover: bool = False,
) -> tuple[str, ...]:
    """What is wrong with an increase because of what its log lacks; none for a complete log.

    Parameters
    ----------
    covered : Coverage
        The snapshots that stand for the window.
    interval_s : float, optional
        Time between ticks of a log that the collector writes at every tick.
    has_rates : bool
        Whether the number is a sum of rates, each over the time since the snapshot before.
    has_turnover : bool
        Whether it is a sum over processes of which some started or exited: others may have done both in a gap.
    """
    flags = list(covered.flags)
    missing = covered.missing_at_ends()
    if missing:
        flags.append(texts.missing_at_ends(missing))
    share = covered.share_without_rate() if has_rates else 0.0
    if share:
        flags.append(texts.rates_missing(share))
    lost = int((covered.steps - 1).sum())
    if has_turnover and lost:
        flags.append(texts.unseen_processes(lost))
    pause_s = 0.0 if has_rates else covered.pauses_s(interval_s)
    if pause_s and (has_turnover or interval_s is not None):
        flags.append(texts.paused(pause_s))
    return tuple(flags)


def require_one_boot(rows: pl.DataFrame, role: str) -> None:
    """``MissingData`` if a machine was restarted within a log: its counters begin anew, its clock is another."""
    if "boot_id" in rows.columns and rows["boot_id"].drop_nulls().n_unique() > 1:
        raise MissingData(texts.restarted(role))
