"""Replications of a load: geometric mean, its confidence interval, and ratios of two servers.

Runs of a load differ by factors, and models are fitted to logarithms, so the average over a load's runs is the
geometric mean.

The interval of a ratio contains the variation within each run (bootstrap draws) and between runs. The latter is the
variance of replications of one load minus the former, pooled over both servers on a logarithmic scale, with Student's t
for few runs (Searle, Casella and McCulloch, Variance Components, 1992, chapter 3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.bootstrap import interval
from pipeline.distributions import t_quantile
from pipeline.evaluate import texts
from pipeline.measure.window import MissingData

Array = NDArray[np.float64]

DRAWS = 20_000
"""Draws of a ratio; many, as Student's t with few degrees of freedom has heavy tails."""
MIN_RELATIVE_DRAW = 1e-3
"""Lower bound of a draw over its estimate, so that its logarithm exists."""


def geometric_mean(values: Iterable[float]) -> float:
    """Geometric mean of positive values."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(list(values)))))


def geometric_mean_ci(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Confidence interval of the geometric mean, by Student's t of the mean logarithm.

    None with fewer than two values, or for a value that is not positive and finite.
    """
    replications = np.asarray(values, float)
    runs = len(replications)
    if runs < 2 or not (np.isfinite(replications) & (replications > 0)).all():
        return None
    logs = np.log(replications)
    half_width = logs.std(ddof=1) / np.sqrt(runs) * t_quantile((1 + level) / 2, runs - 1)
    low, high = np.exp(np.minimum([logs.mean() - half_width, logs.mean() + half_width], 700.0))
    return float(low), float(high)


@dataclass(frozen=True)
class Ratio:
    """Numerator over denominator, geometric means over their runs, with a 95 % interval."""

    value: float
    low: float | None
    high: float | None
    runs: tuple[int, int]
    """Number of runs of numerator and denominator."""
    note: str | None = None


def geometric_mean_ratio(
    numerator: Sequence[Array], denominator: Sequence[Array], *, seed: int = 0
) -> Ratio:
    """Ratio of two servers' geometric means.

    Parameters
    ----------
    numerator, denominator
        One array per run: the estimate, then its draws, if any.

    Raises
    ------
    MissingData
        Without a run, or where an estimate is not positive.
    """
    random = np.random.default_rng(seed)
    sides = [_server_runs(runs, random) for runs in (numerator, denominator)]
    value = float(np.exp(sides[0].estimates.mean() - sides[1].estimates.mean()))
    counts = (sides[0].estimates.size, sides[1].estimates.size)
    degrees_of_freedom = sum(counts) - 2
    within = float(np.mean([spread for side in sides for spread in side.within]))
    draws, note = sides[0].draws - sides[1].draws, None
    if degrees_of_freedom > 0:
        squares = sum(
            float(((side.estimates - side.estimates.mean()) ** 2).sum()) for side in sides
        )
        between = max(0.0, squares / degrees_of_freedom - within)
        standard_error = np.sqrt(between * (1 / counts[0] + 1 / counts[1]))
        draws = draws + standard_error * random.standard_t(degrees_of_freedom, DRAWS)
    elif within == 0:
        note = texts.RUN_VARIATION_UNKNOWN
        return Ratio(value, None, None, counts, note)
    else:
        note = texts.RUN_VARIATION_NOT_INCLUDED
    return Ratio(value, *interval(np.exp(draws)), counts, note)


@dataclass(frozen=True)
class _ServerRuns:
    """One server: logarithms of its runs' estimates, their variances within runs, and draws of their mean."""

    estimates: Array
    within: Array
    draws: Array


def _server_runs(runs: Sequence[Array], random: np.random.Generator) -> _ServerRuns:
    if not runs:
        raise MissingData(texts.NO_REPLICATION)
    estimates, within, means = [], [], np.zeros(DRAWS)
    for run in runs:
        if not (np.isfinite(run[0]) and run[0] > 0):
            raise MissingData(texts.NOT_POSITIVE)
        estimate = float(np.log(run[0]))
        relative_draws = np.maximum(run[1:][np.isfinite(run[1:])] / run[0], MIN_RELATIVE_DRAW)
        logs = np.log(relative_draws) if relative_draws.size else np.zeros(1)
        estimates.append(estimate)
        within.append(float(logs.var()))
        means += estimate + random.choice(logs, DRAWS)
    return _ServerRuns(np.array(estimates), np.array(within), means / len(runs))
