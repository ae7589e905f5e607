"""Steady state: the first half of a load against the second, by Welch's t test on means over windows.

A window is a twelfth of the load and 5 s at least: long enough that neighbours are nearly independent (a queue that
is not full forgets within seconds), short enough for six in each half. The scatter of the windows is the run's own
noise, so the level of the test accounts for it. The rule is ``check.RULE_EQUIVALENCE`` with the tolerance
``MIN_RELEVANT_CHANGE``: with thousands of requests an irrelevant difference is significant, and in a short or noisy
load a large one is not; the first passes, the second is inconclusive.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.distributions import t_quantile, t_tail
from pipeline.ledger.catalogue import ALL
from pipeline.measure.texts import UNIFORM_COMPLETIONS
from pipeline.measure.time_series import TimeSeries
from pipeline.measure.window import MissingData
from pipeline.quality import texts
from pipeline.quality.check import (
    CONFIDENCE,
    RULE_EQUIVALENCE,
    Check,
    Result,
    equivalence_result,
    not_evaluated,
)

Array = NDArray[np.float64]

MAX_WINDOWS = 12
MIN_WINDOW_S = 5.0
MIN_WINDOWS = 6
"""Three per half: with fewer there is no useful variance."""
MIN_RELEVANT_CHANGE = 0.05
"""Share of the first half's mean by which the second may differ, whatever the result of the test."""
ROUNDING = 1e-9
"""Windows that differ by less, as a share of the largest, do not differ."""


@dataclass(frozen=True)
class Ratio:
    """A ratio over time: the increase of one column of the series over that of another."""

    quantity: str
    dependents: tuple[str, ...]
    numerator: str
    denominator: str
    reason: str
    """Why there is none where the denominator is 0."""
    unit: str
    factor: float
    """Brings a value to ``message_unit``."""
    message_unit: str


RATIOS = (
    Ratio(
        "throughput", (ALL,), "completions", "length_s", texts.TOO_SHORT, "requests/s", 1.0, "requests/s"
    ),
    *(
        Ratio(
            quantity, (root,), station, "completions", texts.NO_COMPLETIONS_IN_WINDOW, "s", 1e3, "ms"
        )
        for station, quantity, root in (
            ("guest_cpu", "CPU time per request in the guest", "T_cpu"),
            ("host_cpu", "CPU time per request on the host", "T_qemu"),
            ("vdisk", "time per request at the guest's disk", "T_vdisk"),
            ("disk", "time per request at the host's disk", "T_disk"),
        )
    ),
)  # fmt: skip


@dataclass(frozen=True)
class HalvesComparison:
    """Two halves of a series of windows, compared."""

    first: float
    second: float
    p: float
    """Probability of a difference as large with equal means."""
    low: float
    high: float
    """95 % interval of the second half's mean less the first's."""

    @property
    def change(self) -> float:
        """Change of the second half, as a share of the first; 0 where both are 0."""
        if self.first == self.second:
            return 0.0
        return (self.second - self.first) / self.first if self.first else np.inf

    @property
    def tolerance(self) -> float:
        """Difference of the second half that is allowed."""
        return MIN_RELEVANT_CHANGE * abs(self.first)

    @property
    def result(self) -> Result:
        """Whether the halves are equivalent, by the rule ``check.RULE_EQUIVALENCE``."""
        difference = self.second - self.first
        return equivalence_result(difference, self.low, self.high, self.p, 0.0, self.tolerance)


def compare_halves(values: Array) -> HalvesComparison:
    """The first half of ``values`` (windows in order) against the second; an odd one in the middle is left out."""
    if len(values) < MIN_WINDOWS:
        raise MissingData(texts.few_windows(len(values), MIN_WINDOWS))
    half = len(values) // 2
    first, second = values[:half], values[-half:]
    scale = float(np.abs(values).max())
    if max(np.ptp(first), np.ptp(second)) <= ROUNDING * scale:
        difference = float(second[0] - first[0])
        p = 1.0 if abs(difference) <= ROUNDING * scale else 0.0
        return HalvesComparison(float(first[0]), float(second[0]), p, difference, difference)
    difference = float(second.mean() - first.mean())
    variances = [part.var(ddof=1) / len(part) for part in (first, second)]
    error = float(np.sqrt(sum(variances)))
    # Welch and Satterthwaite
    degrees = sum(variances) ** 2 / sum(v**2 / (half - 1) for v in variances)
    p = 2 * t_tail(abs(difference) / error, degrees)
    low, high = (
        t_quantile(end, degrees) * error + difference
        for end in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    )
    return HalvesComparison(float(first.mean()), float(second.mean()), p, low, high)


def window_count(length_s: float) -> int:
    """Number of windows of a load."""
    return min(MAX_WINDOWS, int(length_s // MIN_WINDOW_S))


def check_stationarity(
    series: TimeSeries | str, intervals: pl.DataFrame, length_s: float
) -> Iterator[Check]:
    """Throughput, response time and demands in the load's two halves.

    ``series``: the load in windows of about a second (``measure.time_series.load_series``), or why there is none;
    ``intervals``: interval rows of table client, if the client prints any; ``length_s``: the load's length.
    """
    count = window_count(length_s)
    if not isinstance(series, str):
        in_load = series.frame.filter(
            (pl.col("start_s") >= 0) & (pl.col("start_s") + pl.col("length_s") <= length_s)
        )
        window = _window_at(in_load["start_s"] + in_load["length_s"] / 2, length_s, count)
    for ratio in RATIOS:
        name, dependents = texts.steady(ratio.quantity), ratio.dependents
        if isinstance(series, str):
            yield not_evaluated(name, series, dependents)
        elif ratio.numerator not in in_load.columns:
            reason = series.missing.get(ratio.numerator, texts.NOT_MEASURED)
            yield not_evaluated(name, reason, dependents)
        elif UNIFORM_COMPLETIONS in series.flags:
            yield not_evaluated(name, texts.UNKNOWN_COMPLETION_TIMES, dependents)
        elif not np.all((divisor := _sums(in_load[ratio.denominator], window, count)) > 0):
            yield not_evaluated(name, ratio.reason, dependents)
        else:
            values = _sums(in_load[ratio.numerator], window, count) / divisor
            yield _check_halves(
                ratio.quantity, values, dependents, ratio.unit, ratio.factor, ratio.message_unit
            )
    yield _check_response_time(intervals, length_s, count)


def _window_at(at_s: pl.Series, length_s: float, count: int) -> NDArray[np.int64]:
    """The window that each moment of a load lies in."""
    window = (at_s.to_numpy() / length_s * count).astype(np.int64)
    return np.minimum(window, max(count - 1, 0))


def _sums(column: pl.Series, window: NDArray[np.int64], count: int) -> Array:
    return np.bincount(window, weights=column.to_numpy(), minlength=count)


def _check_response_time(rows: pl.DataFrame, length_s: float, count: int) -> Check:
    quantity, dependents = "response time", ("R_client",)
    name = texts.steady(quantity)
    column = next(
        (
            column
            for column in ("response_time_mean_s", "response_time_percentile_s")
            if column in rows.columns and rows[column].drop_nulls().len() >= MIN_WINDOWS
        ),
        None,
    )
    if column is None:
        return not_evaluated(name, texts.NO_RESPONSE_TIMES, dependents)
    timed = rows.drop_nulls([column, "elapsed_s"]).filter(pl.col("elapsed_s") <= length_s)
    window = _window_at(timed["elapsed_s"], length_s, count)
    lines = np.bincount(window, minlength=count)
    if not np.all(lines > 0):
        return not_evaluated(name, texts.NO_LINE_IN_WINDOW, dependents)
    means = _sums(timed[column], window, count) / lines
    statistic = "mean" if column == "response_time_mean_s" else "percentile"
    return _check_halves(quantity, means, dependents, "s", 1e3, f"ms ({statistic})")


def _check_halves(
    quantity: str,
    values: Array,
    dependents: tuple[str, ...],
    unit: str,
    factor: float,
    message_unit: str,
) -> Check:
    name = texts.steady(quantity)
    try:
        both = compare_halves(values)
    except MissingData as reason:
        return not_evaluated(name, str(reason), dependents)
    message = texts.halves(
        factor * both.first, factor * both.second, both.change, both.p, len(values), message_unit
    )
    return Check(
        name, both.result, message, dependents, both.second, both.first, both.tolerance, unit,
        texts.halves_flag(quantity, both.change),
        low=both.first + both.low, high=both.first + both.high, p=both.p, rule=RULE_EQUIVALENCE,
    )  # fmt: skip
