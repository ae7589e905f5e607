"""The snapshots of a log that bracket an experiment.

The load runs wholly inside [start, end] of the client's clock. An increase is taken between the last snapshot at
or before the start and the first at or after the end: nothing of the load is lost, and the at most two ticks
outside it are idle. T is the experiment's own length, the same for all sources, so that
U = busy / T, X = λ_total / T and D = U / X = busy / λ_total are consistent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.errors import Error
from pipeline.measure import texts
from pipeline.raw import Run, VirtualServer, Window

NS_PER_S = 1_000_000_000

MAX_UNSEEN_S = 2.0
"""A log may begin or end inside the window by this much, and its increase is a lower bound; beyond, it has none. If its
snapshots lie outside the window by more than this, its increase is an upper bound."""


@dataclass(frozen=True)
class SnapshotSpan:
    """Two snapshots of one log that stand for a window, the time between them, and flags.

    An increase between the two is multiplied by ``scale``: 1 where the window lies inside.
    """

    first: int
    last: int
    span_s: float
    scale: float = 1.0
    flags: tuple[str, ...] = ()


class MissingData(Error):  # noqa: N818 - a reason that becomes a flag in the ledger, not a failure
    """A quantity that the logs do not hold; the message is the reason."""


def on_client_clock(frame: pl.DataFrame, clock_offset_ns: int) -> pl.DataFrame:
    """``frame`` with the column ``client_ns``: its ``time`` brought to the client's clock (ns since 1970)."""
    return frame.with_columns((pl.col("time").dt.epoch("ns") - clock_offset_ns).alias("client_ns"))


def load_window(run: Run, server: VirtualServer | None = None) -> Window:
    """The window of a virtual server's own load; the run's where it has none. ``MissingData`` without either."""
    work = None if server is None else server.workload
    window = run.window if work is None or work.window is None else work.window
    if window is None:
        raise MissingData(texts.NO_WINDOW)
    return window


def bracketing_indices(
    times_ns: NDArray[np.int64], window: Window, *, partial: bool = False
) -> tuple[int, int, tuple[str, ...]]:
    """Indices of the last time at or before ``window`` and of the first at or after it, and flags.

    ``MissingData`` where the times leave more than ``MAX_UNSEEN_S`` of either end out: what is missing there can be
    anything. A flag where they lie more than that, and than a sampling interval, outside it. ``partial``: whatever
    part of the window there is will do.
    """
    if len(times_ns) < 2:
        raise MissingData(texts.FEW_SNAPSHOTS)
    require_ascending(times_ns)
    first = int(np.searchsorted(times_ns, window.start_ns, side="right")) - 1
    last = int(np.searchsorted(times_ns, window.end_ns, side="left"))
    late_s = (int(times_ns[0]) - window.start_ns) / NS_PER_S
    early_s = (window.end_ns - int(times_ns[-1])) / NS_PER_S
    first, last = max(first, 0), min(last, len(times_ns) - 1)
    if first >= last:
        raise MissingData(texts.NO_SNAPSHOT_IN_WINDOW)
    excess_s = [
        (window.start_ns - int(times_ns[first])) / NS_PER_S,
        (int(times_ns[last]) - window.end_ns) / NS_PER_S,
    ]
    reasons = [
        *([texts.late_start(late_s)] if late_s > 0 else []),
        *([texts.early_end(early_s)] if early_s > 0 else []),
    ]
    if max(late_s, early_s) > MAX_UNSEEN_S and not partial:
        raise MissingData("; ".join(reasons))
    beyond = [texts.beyond_window(each) for each in excess_s if each > _max_unseen_s(times_ns)]
    return first, last, (*texts.lower_bounds(reasons), *beyond)


def _max_unseen_s(times_ns: NDArray[np.int64]) -> float:
    """``MAX_UNSEEN_S``, or the median interval of a log that is sampled less often."""
    return max(MAX_UNSEEN_S, float(np.median(np.diff(times_ns))) / NS_PER_S)


def contained_indices(
    times_ns: NDArray[np.int64], window: Window
) -> tuple[int, int, tuple[str, ...]]:
    """Indices of the first and the last time inside ``window``, and a flag if they leave a part of it out."""
    require_ascending(times_ns)
    within_ns = np.flatnonzero((times_ns >= window.start_ns) & (times_ns <= window.end_ns))
    if len(within_ns) < 2:
        raise MissingData(texts.FEW_IDLE_SNAPSHOTS)
    first, last = int(within_ns[0]), int(within_ns[-1])
    unseen_ns = max(times_ns[first] - window.start_ns, window.end_ns - times_ns[last])
    if unseen_ns <= _max_unseen_s(times_ns) * NS_PER_S:
        return first, last, ()
    span_s = float(times_ns[last] - times_ns[first]) / NS_PER_S
    return first, last, (texts.short_of_baseline(span_s, window.duration_s),)


def require_ascending(times_ns: NDArray[np.int64]) -> None:
    """``MissingData`` where snapshots are not in the order of their times: which came first is not known."""
    if np.any(np.diff(times_ns) < 0):
        raise MissingData(texts.TIMES_DESCEND)


def bracketing_span(
    snapshots: pl.DataFrame, window: Window, *, partial: bool = False
) -> SnapshotSpan:
    """The snapshots that bracket ``window``; see ``bracketing_indices``.

    ``snapshots``: columns ``snapshot`` and ``client_ns``, any number of rows per snapshot.
    """
    ticks = snapshot_times(snapshots)
    first, last, flags = bracketing_indices(ticks["client_ns"].to_numpy(), window, partial=partial)
    return _span_between(ticks, first, last, flags)


def contained_span(snapshots: pl.DataFrame, window: Window) -> SnapshotSpan:
    """The first and the last snapshot inside ``window``: for an idle baseline, which must contain no load."""
    ticks = snapshot_times(snapshots)
    span = _span_between(ticks, *contained_indices(ticks["client_ns"].to_numpy(), window))
    return replace(span, scale=window.duration_s / span.span_s)


def snapshot_times(rows: pl.DataFrame) -> pl.DataFrame:
    """The snapshots of a sampled table: ``snapshot`` and ``client_ns``. Raises ``MissingData`` with fewer than two."""
    ticks = (
        rows.select("snapshot", "client_ns")
        .drop_nulls()
        .unique("snapshot", keep="first", maintain_order=True)
        .sort("snapshot")
    )
    if ticks.height < 2:
        raise MissingData(texts.FEW_SNAPSHOTS)
    return ticks


def _span_between(
    ticks: pl.DataFrame, first: int, last: int, flags: tuple[str, ...]
) -> SnapshotSpan:
    (start, start_ns), (end, end_ns) = ticks.row(first), ticks.row(last)
    return SnapshotSpan(start, end, (end_ns - start_ns) / NS_PER_S, flags=flags)
