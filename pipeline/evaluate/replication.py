"""What repeated runs of a load say: the typical run, how sure it is, how many times one server is better than another.

Runs of a load differ by factors, and models are fitted to logarithms. So the average over a load's runs is the
geometric mean, which is what a model of the typical run speaks of; the mean over runs lies above it.

A ratio of servers comes with its interval, in which two scatters are: within each run (the bootstrap draws of what was
measured in it) and from run to run. The second is what repetitions of one load differ by beyond the first, pooled over
both servers on a logarithmic scale, with Student's t for the few runs there are (Searle, Casella and McCulloch,
Variance Components, 1992, chapter 3, for between less within).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gmean
from scipy.stats import t as student

from pipeline.demands.bootstrap import interval
from pipeline.measure.window import MissingData

Array = NDArray[np.float64]

DRAWS = 20_000
"""Draws of a ratio: they cost nothing, and Student's t with few degrees of freedom has far tails."""
MIN_RELATIVE_DRAW = 1e-3
"""A draw is not taken for less than so much of its estimate: no logarithm of 0."""


def geometric_mean(values: Iterable[float]) -> float:
    """The typical run of a load: the geometric mean of its repetitions, which are above 0."""
    return float(gmean(list(values)))


def geometric_mean_ci(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Where the typical run of a load lies, from its repetitions; None with fewer than two, or one that is not above 0.

    Student's t of the mean logarithm.
    """
    found = np.asarray(values, float)
    runs = len(found)
    if runs < 2 or not (np.isfinite(found) & (found > 0)).all():
        return None
    logs = np.log(found)
    wide = logs.std(ddof=1) / np.sqrt(runs) * student.ppf((1 + level) / 2, runs - 1)
    low, high = np.exp(np.minimum([logs.mean() - wide, logs.mean() + wide], 700.0))
    return float(low), float(high)


@dataclass(frozen=True)
class Ratio:
    """Numerator over denominator, geometric means over their runs."""

    value: float
    low: float | None
    high: float | None
    runs: tuple[int, int]
    """Runs of the numerator and of the denominator."""
    note: str | None = None


def geometric_mean_ratio(
    numerator: Sequence[Array], denominator: Sequence[Array], *, seed: int = 0
) -> Ratio:
    """The ratio of two servers' means. Each run is an array: the estimate, then its draws, if it has any.

    Raises ``MissingData`` where a server has no run or an estimate is not above 0.
    """
    random = np.random.default_rng(seed)
    sides = [_server_runs(runs, random) for runs in (numerator, denominator)]
    value = float(np.exp(sides[0].estimates.mean() - sides[1].estimates.mean()))
    counts = (sides[0].estimates.size, sides[1].estimates.size)
    freedom = sum(counts) - 2
    within = float(np.mean([spread for side in sides for spread in side.within]))
    draws, note = sides[0].draws - sides[1].draws, None
    if freedom > 0:
        squares = sum(
            float(((side.estimates - side.estimates.mean()) ** 2).sum()) for side in sides
        )
        between = max(0.0, squares / freedom - within)
        error = np.sqrt(between * (1 / counts[0] + 1 / counts[1]))
        draws = draws + error * random.standard_t(freedom, DRAWS)
    elif within == 0:
        note = "one run on each server: how far runs scatter is not known"
        return Ratio(value, None, None, counts, note)
    else:
        note = "one run on each server: scatter from run to run is not in it"
    return Ratio(value, *interval(np.exp(draws)), counts, note)


@dataclass(frozen=True)
class _ServerRuns:
    """One server: logarithms of its runs' estimates, their variances within runs, and draws of their mean."""

    estimates: Array
    within: Array
    draws: Array


def _server_runs(runs: Sequence[Array], random: np.random.Generator) -> _ServerRuns:
    if not runs:
        raise MissingData("no run of this load")
    estimates, within, means = [], [], np.zeros(DRAWS)
    for run in runs:
        if not (np.isfinite(run[0]) and run[0] > 0):
            raise MissingData("in one run it is too small to be measured")
        estimate = float(np.log(run[0]))
        relative_draws = np.maximum(run[1:][np.isfinite(run[1:])] / run[0], MIN_RELATIVE_DRAW)
        logs = np.log(relative_draws) if relative_draws.size else np.zeros(1)
        estimates.append(estimate)
        within.append(float(logs.var()))
        means += estimate + random.choice(logs, DRAWS)
    return _ServerRuns(np.array(estimates), np.array(within), means / len(runs))
