"""Busy time of each station and completed requests, window by window.

Every source is read as a counter that increases: TIME+, ticks, io_ticks. Each is read at its own times, so a
counter is interpolated to the edges of common windows on the client's clock; sums over windows are then increases of
the counters, and no increase is lost or included in two windows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.measure import texts
from pipeline.measure.clients import IS_REQUEST, client_result, completions_per_window
from pipeline.measure.counters import Counter
from pipeline.measure.virtual_server import COUNTERS, RunCounters, value_or_reason
from pipeline.measure.window import MAX_UNSEEN_S, NS_PER_S, MissingData, on_client_clock

Array = NDArray[np.float64]

MIN_TIMED_SHARE = 0.9
"""A log gives the times of completions if it has at least this share of them: else a part of it is missing."""


@dataclass(frozen=True)
class TimeSeries:
    """One virtual server in one run, over the load or the idle baseline.

    ``frame`` has one row per window: ``start_s`` (since the load began), ``length_s``, ``completions`` (requests) and
    the columns of ``COUNTERS`` that could be measured. ``resolution``: of each of them; ``missing``: why a
    column is not there.
    """

    frame: pl.DataFrame
    resolution: dict[str, float]
    missing: dict[str, str]
    flags: tuple[str, ...] = ()
    column_flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → its flags."""

    def column(self, name: str) -> Array:
        """A column as numbers; raises ``MissingData`` with the reason where it is missing."""
        if name not in self.frame.columns:
            raise MissingData(self.missing.get(name, f"no {name}"))
        return self.frame[name].to_numpy()


def load_series(counters: RunCounters, length_s: float = 1.0) -> TimeSeries:
    """The windows of the load, and a margin on both sides, where nothing is completed.

    With the margin the sources cover the whole load: a reading counts all that went before it. Raises
    ``MissingData`` without completed requests.
    """
    margin_s = counters.margin_s()
    edges = _edges(-margin_s, counters.window.duration_s + margin_s, length_s)
    completions, flags = _completions(counters, edges)
    return _series(counters, edges, completions, flags)


def idle_series(counters: RunCounters, length_s: float = 1.0) -> TimeSeries:
    """The windows of the idle baseline without the margin before the load; ``completions`` are 0.

    Raises ``MissingData`` without an idle baseline of two windows.
    """
    baseline = counters.run.idle_before
    if baseline is None:
        raise MissingData(texts.NO_IDLE_BASELINE)
    first, last = (
        (moment - counters.window.start_ns) / NS_PER_S
        for moment in (baseline.start_ns, baseline.end_ns)
    )
    edges = _edges(first, min(last, -counters.margin_s()), length_s)
    if len(edges) < 3:
        raise MissingData(texts.SHORT_IDLE_BASELINE)
    return _series(counters, edges, np.zeros(len(edges) - 1), ())


def _series(
    counters: RunCounters, edges: Array, completions: Array, flags: tuple[str, ...]
) -> TimeSeries:
    measured = {
        name: value_or_reason(lambda name=name: counters.counter(name)) for name in COUNTERS
    }
    frame = pl.DataFrame(
        {"start_s": edges[:-1], "length_s": np.diff(edges), "completions": completions}
    )
    return on_windows(frame, counters.window.start_ns, measured, flags)


def on_windows(
    frame: pl.DataFrame,
    start_ns: int,
    measured: Mapping[str, Counter | str],
    flags: tuple[str, ...] = (),
) -> TimeSeries:
    """Increases of ``measured`` (name → counter, or why there is none) in the windows of ``frame``.

    ``frame``: ``start_s``, ``length_s`` and ``completions``; ``start_ns``: what its seconds count from.
    """
    starts = frame["start_s"].to_numpy()
    edges = np.append(starts, starts[-1] + frame["length_s"][-1])
    edges_ns = start_ns + np.round(edges * NS_PER_S).astype(np.int64)
    slack_ns = int(MAX_UNSEEN_S * NS_PER_S)
    columns, resolution, missing, column_flags = {}, {}, {}, {}
    for name, counter in measured.items():
        if isinstance(counter, str):
            missing[name] = counter
        elif (
            counter.at_ns[0] > edges_ns[0] + slack_ns or counter.at_ns[-1] < edges_ns[-1] - slack_ns
        ):
            missing[name] = texts.not_covered(name)
        elif isinstance(fall := value_or_reason(counter.check), str):
            missing[name] = fall
        else:
            columns[name] = np.diff(counter.interpolate(edges_ns))
            resolution[name] = counter.resolution
            inside = (counter.exited_ns >= edges_ns[0]) & (counter.exited_ns < edges_ns[-1])
            if inside.any():
                column_flags[name] = (texts.exited(inside.sum()),)
    return TimeSeries(frame.with_columns(**columns), resolution, missing, flags, column_flags)


def _edges(first_s: float, last_s: float, length_s: float) -> Array:
    """Edges of windows of about ``length_s`` that fill the span."""
    if last_s <= first_s:
        raise MissingData(texts.EMPTY_SPAN)
    return np.linspace(first_s, last_s, max(1, round((last_s - first_s) / length_s)) + 1)


def _completions(counters: RunCounters, edges: Array) -> tuple[Array, tuple[str, ...]]:
    """Requests completed in each window: the client's sum, with the times of the best log."""
    ways: tuple[tuple[str, Callable[[RunCounters, Array], Array]], ...] = (
        ("", lambda counters, edges: completions_per_window(counters.client(), edges)),
        (texts.COMPLETIONS_FROM_SERVER_LOG, _by_server_log),
    )
    total = client_result(counters.client()).completions
    if total <= 0:
        raise MissingData(texts.NO_REQUEST_COMPLETED)
    for flag, way in ways:
        try:
            spread = way(counters, edges)
        except MissingData:
            continue
        if spread.sum() >= MIN_TIMED_SHARE * total:
            return spread * (total / spread.sum()), ((flag,) if flag else ())
    return np.diff(edges) * (total / (edges[-1] - edges[0])), (texts.UNIFORM_COMPLETIONS,)


def _by_server_log(counters: RunCounters, edges: Array) -> Array:
    rows = counters.tables.rows("requests", counters.server.role)
    offset = counters.run.clock_offset_ns(counters.server.role)
    if offset is None:
        raise MissingData(texts.unknown_clock(counters.server.role))
    rows = on_client_clock(rows.filter(IS_REQUEST), offset).drop_nulls("client_ns")
    if rows.is_empty():
        raise MissingData(texts.NO_TIMED_REQUEST)
    at_s = (rows["client_ns"].to_numpy() - counters.window.start_ns) / NS_PER_S
    if np.any(rows["time"].dt.nanosecond().to_numpy()):
        return np.histogram(np.clip(at_s, edges[0], edges[-1]), edges)[0].astype(float)
    # in a log with whole seconds a request is spread uniformly over its second
    seconds, counts = np.unique(at_s, return_counts=True)
    moments = np.concatenate((seconds, seconds + 1))
    inside = np.clip(moments[:, None] - seconds, 0, 1)
    cumulative = (inside * counts).sum(axis=1)
    order = np.argsort(moments)
    return np.diff(np.interp(edges, moments[order], cumulative[order]))
