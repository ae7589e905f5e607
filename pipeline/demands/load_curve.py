"""A demand that depends on the load: what a request costs when the server is cold, idle, or busy.

Two mechanisms make a request cheaper as the load grows, and both show in the counters:

- *cold start*: with empty caches the first requests read what later ones find (directories, inodes, code). That is
  work of the run, not of a request: D gains B/n over a run of n requests.
- *waking up*: a request that finds the CPU idle pays for leaving the idle loop, for an interrupt of its own, for
  cold caches; one that finds it busy does not. This is a queue whose busy periods begin with an exceptional
  service (Welch, Operations Research 12, 1964, page 736): D gains w (1 − U).

So D(n, U) = D∞ + B/n + w (1 − U), no coefficient negative. A term is kept only if leaving each run out in turn is
then predicted better: few runs cannot carry three terms.

Runs recorded one after another (a batch) resemble each other: a machine is faster or slower for a while, whatever the
load. The logarithm of a run's demand is modelled as the curve + a random intercept of its batch + an error of its own.
``ratio`` is the variance between batches over the variance within. Least squares after ``quasi_demean`` is generalized
least squares for these random effects; with a ratio of 0 it is ordinary least squares (Fuller and Battese, JASA 68,
1973, page 626; Searle, Casella and McCulloch, Variance Components, 1992, chapter 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]
Batches = NDArray[np.int64]
"""Which batch each run belongs to, shape (runs,)."""

TERMS = ("saturated", "cold start", "wake-up")
MAX_LOG_RESIDUAL = 1.0
"""Logarithm beyond which a run's error counts no more: a demand that came out as almost nothing outweighs none."""
ITERATIONS = 6


@dataclass(frozen=True)
class DemandCurve:
    """D(n, U); each coefficient has a value for each draw, shape (draws,)."""

    saturated_s: Array
    """D∞: the demand of a request on a warm and busy server, seconds."""
    cold_start_s: Array
    """B: work of a run's cold start, seconds a run."""
    wake_up_s: Array
    """w: what a request more takes if it always found the CPU idle, seconds."""

    def at(self, requests: Array | float, utilization: Array | float) -> Array:
        """The demand, seconds a request."""
        idle = np.clip(1 - np.asarray(utilization), 0, 1)
        return (
            self.saturated_s + self.cold_start_s / np.maximum(requests, 1.0) + self.wake_up_s * idle
        )

    def scaled(self, factor: Array | float) -> DemandCurve:
        """The curve of a server ``factor`` times as slow; a number, or one a draw."""
        return DemandCurve(
            *(np.asarray(factor) * x for x in (self.saturated_s, self.cold_start_s, self.wake_up_s))
        )

    def point_estimate(self) -> DemandCurve:
        """The estimate alone, without the draws."""
        return DemandCurve(self.saturated_s[:1], self.cold_start_s[:1], self.wake_up_s[:1])

    @property
    def terms(self) -> tuple[str, ...]:
        """Which terms are in it, by the point estimate."""
        values = (self.saturated_s[0], self.cold_start_s[0], self.wake_up_s[0])
        return tuple(name for name, value in zip(TERMS, values, strict=True) if value > 0)


def fit_curve(
    demands_s: Array,
    requests: Array,
    utilizations: Array,
    batches: Batches | None = None,
    *,
    load_dependent: bool = True,
) -> DemandCurve:
    """Fit the curve to runs.

    ``demands_s``: shape (runs, draws), draw 0 the estimates themselves; ``requests``: n of each run;
    ``utilizations``: U of each run; ``batches``: which runs were recorded one after another, all apart if not given.
    With ``load_dependent`` false only D∞ is fitted. The terms are chosen on draw 0.
    """
    demands = np.atleast_2d(np.asarray(demands_s, float))
    batches = np.arange(len(demands)) if batches is None else np.asarray(batches)
    design = np.column_stack(
        (np.ones(len(requests)), 1 / np.maximum(requests, 1), 1 - np.clip(utilizations, 0, 1))
    )
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1
    scaled = design / scale
    curve = scaled @ _fit_nonnegative_log(scaled, demands[:, 0], batches, 0.0)
    ratio = between_within_variance_ratio(_log_residual(demands[:, 0], curve), batches)
    kept = _select_terms(scaled, demands[:, 0], batches, ratio) if load_dependent else (0,)
    coefficients = np.zeros((demands.shape[1], 3))
    for draw in range(demands.shape[1]):
        coefficients[draw, kept] = _fit_nonnegative_log(
            scaled[:, kept], demands[:, draw], batches, ratio
        )
    return DemandCurve(*(coefficients / scale).T)


def _select_terms(design: Array, demands: Array, batches: Batches, ratio: float) -> tuple[int, ...]:
    """The terms under which each run is best predicted from the others; the fewest on a tie."""
    runs = len(demands)
    candidates = [(0, *more) for size in (0, 1, 2) for more in combinations((1, 2), size)]
    best, best_error = (0,), np.inf
    for columns in candidates:
        if runs < len(columns) + 2:
            continue
        error = 0.0
        for out in range(runs):
            rest = np.arange(runs) != out
            solved = _fit_nonnegative_log(
                design[rest][:, columns], demands[rest], batches[rest], ratio
            )
            missed = _log_residual(demands, design[:, columns] @ solved)
            error += (missed[out] - blup(missed[rest & (batches == batches[out])], ratio)) ** 2
        if error < best_error * 0.98:
            best, best_error = columns, error
    return best


def _fit_nonnegative_log(design: Array, demands: Array, batches: Batches, ratio: float) -> Array:
    """Coefficients, none negative, with the least squares of log(demand / curve): Gauss and Newton's way.

    Runs differ by factors, as a machine is once slower and once faster. Squares of plain differences would follow the
    slow runs, differences relative to each run's own demand the fast ones.
    """
    solved, _ = nnls(design, demands)
    if demands.mean() <= 0:
        return solved
    level = quasi_demean(batches, ratio)
    for _ in range(ITERATIONS):
        curve = np.maximum(design @ solved, 1e-6 * demands.mean())
        solved, _ = nnls(
            level @ (design / curve[:, None]), level @ (1 + _log_residual(demands, curve))
        )
    return solved


def _log_residual(demands: Array | float, curve: Array | float) -> Array:
    """log(demand / curve), within ``MAX_LOG_RESIDUAL``."""
    least = np.exp(-2 * MAX_LOG_RESIDUAL) * np.asarray(curve) + 1e-30
    logs = np.log(np.maximum(demands, least) / np.maximum(curve, 1e-30))
    return np.clip(logs, -MAX_LOG_RESIDUAL, MAX_LOG_RESIDUAL)


def constant(demand_s: Array) -> DemandCurve:
    """A demand that is the same at every load; ``demand_s``: its draws, the estimate first."""
    demand = np.asarray(demand_s, float)
    return DemandCurve(demand, np.zeros_like(demand), np.zeros_like(demand))


# -- runs recorded one after another --------------------------------------------------------------------------


def between_within_variance_ratio(residuals: Array, batches: Batches) -> float:
    """Variance between batches over the variance within, by their moments; 0 where it cannot be told."""
    members = batches[:, None] == np.unique(batches)
    runs = members.sum(axis=0)
    means = residuals @ members / runs
    freedom = len(residuals) - len(runs)
    within = ((residuals - members @ means) ** 2).sum() / max(freedom, 1)
    if freedom < 1 or len(runs) < 2 or within <= 0:
        return 0.0
    between = (runs * (means - residuals.mean()) ** 2).sum() - (len(runs) - 1) * within
    return float(max(between / (len(residuals) - (runs**2).sum() / len(residuals)) / within, 0.0))


def quasi_demean(batches: Batches, ratio: float) -> Array:
    """The matrix that takes off each run's row a part of its batch's mean, shape (runs, runs)."""
    alike = batches[:, None] == batches
    runs = alike.sum(axis=1)
    part = 1 - 1 / np.sqrt(1 + runs * ratio)
    return np.eye(len(batches)) - alike * (part / runs)[:, None]


def blup(residuals: Array, ratio: float) -> float:
    """What to expect of another run of a batch: the mean residual of its runs, drawn to 0 the fewer they are."""
    runs = len(residuals)
    return float(ratio * residuals.sum() / (1 + ratio * runs))
