"""Is the first half of a load like the second? Welch's t test and interval on means over windows.

A window is a twelfth of the load and 5 s at least: long enough that neighbours are nearly independent (a queue that
is not full forgets within seconds), short enough for six in each half. Windows scatter as much as the run's own noise
makes them, so that the test's level accounts for it. The rule is ``RULE_EQUIVALENCE``
with the tolerance ``MIN_RELEVANT_CHANGE``:
with thousands of requests a difference of no consequence is significant, and in a short or noisy load a great one is
not; the first passes, the second is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from pipeline.ledger.catalogue import ALL
from pipeline.measure.time_series import TimeSeries
from pipeline.measure.window import MissingData
from pipeline.quality.check import (
    CONFIDENCE,
    RULE_EQUIVALENCE,
    Check,
    Result,
    equivalence_result,
    not_evaluated,
    words,
)

Array = NDArray[np.float64]

WINDOWS = 12
SHORTEST_S = 5.0
FEWEST = 6
"""Three windows a half: with fewer there is no variance to speak of."""
MIN_RELEVANT_CHANGE = 0.05
"""Share of the first half's mean by which the second may differ, whatever the test says."""
ROUNDING = 1e-9
"""Windows that differ by less, as a share of the largest, do not differ."""
UNIFORM = "spread evenly"
"""Flag of a series of which nothing tells when requests were completed."""

TOO_SHORT = "the load is too short"
NONE_DONE = "no request was completed in a whole window"
RATIOS = (
    ("throughput", (ALL,), "completions", "length_s", TOO_SHORT, "requests/s", 1.0, "requests a second"),
    *(
        (what, (root,), station, "completions", NONE_DONE, "s", 1e3, "ms")
        for station, what, root in (
            ("guest_cpu", "CPU time a request in the guest", "T_cpu"),
            ("host_cpu", "CPU time a request on the host", "T_qemu"),
            ("vdisk", "time a request at the guest's disk", "T_vdisk"),
            ("disk", "time a request at the host's disk", "T_disk"),
        )
    ),
)  # fmt: skip
"""What is compared, and the quantities that rest on it: sums of one column of the series over those of another, why
there is none where the latter is 0, the unit, and how often it goes into the one of the sentence."""


@dataclass(frozen=True)
class HalvesComparison:
    """Two halves of a series of windows, compared."""

    first: float
    second: float
    p: float
    """How often windows of one mean would differ as much."""
    low: float
    high: float
    """95 % interval of the second half's mean less the first's."""

    @property
    def change(self) -> float:
        """Of the second half, as a share of the first; 0 where both are nothing."""
        if self.first == self.second:
            return 0.0
        return (self.second - self.first) / self.first if self.first else np.inf

    @property
    def tolerance(self) -> float:
        """By how much the second half may differ."""
        return MIN_RELEVANT_CHANGE * abs(self.first)

    @property
    def result(self) -> Result:
        """Whether the halves are alike, by the rule ``checks.RULE_EQUIVALENCE``."""
        apart = self.second - self.first
        return equivalence_result(apart, self.low, self.high, self.p, 0.0, self.tolerance)


def compare_halves(values: Array) -> HalvesComparison:
    """The first half of ``values`` (windows in order) against the second; an odd one in the middle is left out."""
    if len(values) < FEWEST:
        raise MissingData(f"{len(values)} windows, {FEWEST} are needed")
    half = len(values) // 2
    first, second = values[:half], values[-half:]
    scale = float(np.abs(values).max())
    if max(np.ptp(first), np.ptp(second)) <= ROUNDING * scale:
        apart = float(second[0] - first[0])
        same = abs(apart) <= ROUNDING * scale
        return HalvesComparison(
            float(first[0]), float(second[0]), 1.0 if same else 0.0, apart, apart
        )
    apart = float(second.mean() - first.mean())
    parts = [part.var(ddof=1) / len(part) for part in (first, second)]
    error = float(np.sqrt(sum(parts)))
    freedom = sum(parts) ** 2 / sum(v**2 / (half - 1) for v in parts)  # Welch and Satterthwaite
    p = float(2 * stats.t.sf(abs(apart) / error, freedom))
    low, high = (float(end) for end in stats.t.interval(CONFIDENCE, freedom, apart, error))
    return HalvesComparison(float(first.mean()), float(second.mean()), p, low, high)


def window_count(length_s: float) -> int:
    """How many windows a load is cut into."""
    return min(WINDOWS, int(length_s // SHORTEST_S))


def check_stationarity(
    series: TimeSeries | str, responses: pl.DataFrame, length_s: float
) -> Iterator[Check]:
    """Throughput, response time and demands in the load's two halves.

    ``series``: the load in windows of a second or so (``measure.time_series.load_series``), or why there is none;
    ``responses``: interval rows of table client, if the client prints any; ``length_s``: the load's length.
    """
    count = window_count(length_s)
    if not isinstance(series, str):
        inside = series.frame.filter(
            (pl.col("start_s") >= 0) & (pl.col("start_s") + pl.col("length_s") <= length_s)
        )
        window = _window_at(inside["start_s"] + inside["length_s"] / 2, length_s, count)
    for what, dependents, column, per, why, *words_ in RATIOS:
        name = f"steady {what}"
        if isinstance(series, str):
            yield not_evaluated(name, series, dependents)
        elif column not in inside.columns:
            yield not_evaluated(name, series.missing.get(column, "it was not measured"), dependents)
        elif any(UNIFORM in flag for flag in series.flags):
            yield not_evaluated(name, "nothing says when requests were completed", dependents)
        elif not np.all((whole := _sums(inside[per], window, count)) > 0):
            yield not_evaluated(name, why, dependents)
        else:
            yield _judged(name, _sums(inside[column], window, count) / whole, dependents, *words_)
    yield _responses(responses, length_s, count)


def _window_at(at_s: pl.Series, length_s: float, count: int) -> NDArray[np.int64]:
    """The window that each moment of a load lies in."""
    window = (at_s.to_numpy() / length_s * count).astype(np.int64)
    return np.minimum(window, max(count - 1, 0))


def _sums(column: pl.Series, window: NDArray[np.int64], count: int) -> Array:
    return np.bincount(window, weights=column.to_numpy(), minlength=count)


def _responses(rows: pl.DataFrame, length_s: float, count: int) -> Check:
    name, dependents = "steady response time", ("R_client",)
    column = next(
        (
            name
            for name in ("response_time_mean_s", "response_time_percentile_s")
            if name in rows.columns and rows[name].drop_nulls().len() >= FEWEST
        ),
        None,
    )
    if column is None:
        return not_evaluated(name, "the client prints no response times over time", dependents)
    known = rows.drop_nulls([column, "elapsed_s"]).filter(pl.col("elapsed_s") <= length_s)
    window = _window_at(known["elapsed_s"], length_s, count)
    lines = np.bincount(window, minlength=count)
    if not np.all(lines > 0):
        return not_evaluated(name, "a window has no interval line of the client", dependents)
    means = _sums(known[column], window, count) / lines
    which = "mean" if column == "response_time_mean_s" else "percentile that it prints"
    return _judged(name, means, dependents, "s", 1e3, f"ms ({which})")


def _judged(
    name: str, values: Array, dependents: tuple[str, ...], unit: str, factor: float, words_: str
) -> Check:
    try:
        both = compare_halves(values)
    except MissingData as reason:
        return not_evaluated(name, f"the load is too short: {reason}", dependents)
    first, second = words(factor * both.first), words(factor * both.second)
    change = f"{100 * both.change:+.3g} %" if np.isfinite(both.change) else "from nothing"
    return Check(
        name, both.result,
        f"{first} in the first half, {second} in the second {words_} ({change}, p = {both.p:.2g}, "
        f"{len(values)} windows)",
        dependents, both.second, both.first, both.tolerance, unit,
        f"{name.removeprefix('check_stationarity ')} {change} in the second half",
        low=both.first + both.low, high=both.first + both.high, p=both.p, rule=RULE_EQUIVALENCE,
    )  # fmt: skip
