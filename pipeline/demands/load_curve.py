"""Load-dependent service demand, and its fit to runs with random effects.

Two mechanisms make a request cheaper as the load grows, and both show in the counters:

- *cold start*: the first requests of a run fill caches (directories, inodes, code). That work belongs to the run: D
  gains B/n over a run of n requests;
- *wake-up*: a request that finds the CPU idle pays for leaving the idle loop, an interrupt of its own, and cold caches.
  This is a queue with an exceptional first service in each busy period (Welch, Operations Research 12, 1964, page 736):
  D gains w (1 − U).

So D(n, U) = D∞ + B/n + w (1 − U), with non-negative coefficients. A term is kept only if it improves the prediction of
runs left out in turn (leave-one-out cross-validation).

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
"""The batch of each run, a number, shape (runs,)."""

TERMS = ("saturated", "cold start", "wake-up")
MAX_LOG_RESIDUAL = 1.0
"""Bound on |log(demand / curve)|: a demand near 0 has limited influence."""
MIN_RATIO = float(np.exp(-2 * MAX_LOG_RESIDUAL))
"""Of a demand to the curve, before the logarithm."""
MIN_SPREAD = 0.2
"""Relative spread of 1/n over the runs below which no cold start is fitted."""
ITERATIONS = 6
"""Gauss-Newton steps."""


@dataclass(frozen=True)
class DemandCurve:
    """D(n, U); each coefficient has one value per draw, shape (draws,), entry 0 the point estimate."""

    saturated_s: Array
    """D∞: demand of a request at a warm server that is never idle, seconds."""
    cold_start_s: Array
    """B: work of the cold start, seconds per run."""
    wake_up_s: Array
    """w: additional demand of a request that finds the CPU idle, seconds."""

    def at(self, requests: Array | float, utilization: Array | float) -> Array:
        """Demand in a run with this number of requests at this utilization, seconds per request."""
        idle = np.minimum(np.maximum(1 - np.asarray(utilization), 0), 1)  # np.clip is slower
        return (
            self.saturated_s + self.cold_start_s / np.maximum(requests, 1.0) + self.wake_up_s * idle
        )

    def scaled(self, factor: Array | float) -> DemandCurve:
        """The curve times ``factor``, a number or one per draw."""
        return DemandCurve(
            *(np.asarray(factor) * x for x in (self.saturated_s, self.cold_start_s, self.wake_up_s))
        )

    def point_estimate(self) -> DemandCurve:
        """The curve without its draws."""
        return DemandCurve(self.saturated_s[:1], self.cold_start_s[:1], self.wake_up_s[:1])

    @property
    def terms(self) -> tuple[str, ...]:
        """Terms with a positive coefficient in the point estimate."""
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

    Parameters
    ----------
    demands_s
        Shape (runs, 1 + draws), column 0 the estimates.
    requests
        n of each run.
    utilizations
        U of each run.
    batches
        The batch of each run; every run its own if None.
    load_dependent
        Whether B and w are fitted; only D∞ if not.

    Returns
    -------
    DemandCurve
        One curve per draw; its terms are selected on the estimates.
    """
    demands = np.atleast_2d(np.asarray(demands_s, float))
    batches = np.arange(len(demands)) if batches is None else np.asarray(batches)
    design = np.column_stack(
        (np.ones(len(requests)), 1 / np.maximum(requests, 1), 1 - np.clip(utilizations, 0, 1))
    )
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1
    scaled = design / scale
    curve = scaled @ _fit_nonnegative_log(scaled, demands[:, 0], quasi_demean(batches, 0.0))
    ratio = between_within_variance_ratio(_log_residual(demands[:, 0], curve), batches)
    terms = _select_terms(scaled, demands[:, 0], batches, ratio) if load_dependent else (0,)
    coefficients = np.zeros((demands.shape[1], 3))
    demean = quasi_demean(batches, ratio)
    for draw in range(demands.shape[1]):
        coefficients[draw, terms] = _fit_nonnegative_log(scaled[:, terms], demands[:, draw], demean)
    return DemandCurve(*(coefficients / scale).T)


def _select_terms(design: Array, demands: Array, batches: Batches, ratio: float) -> tuple[int, ...]:
    """Columns of the design with the least cross-validation error; the fewest on a tie (2 %)."""
    runs = len(demands)
    # the cold start of runs of nearly one length cannot be separated from the constant
    spread = np.ptp(design[:, 1]) / design[:, 1].max()
    varying = (1, 2) if spread >= MIN_SPREAD else (2,)
    candidates = [(0, *more) for size in (0, 1, 2) for more in combinations(varying, size)]
    best, best_error = (0,), np.inf
    without = [np.arange(runs) != left_out for left_out in range(runs)]
    demeans = [quasi_demean(batches[others], ratio) for others in without]
    for columns in candidates:
        if runs < len(columns) + 2:
            continue
        error = 0.0
        for left_out, (others, demean) in enumerate(zip(without, demeans, strict=True)):
            coefficients = _fit_nonnegative_log(design[others][:, columns], demands[others], demean)
            residuals = _log_residual(demands, design[:, columns] @ coefficients)
            error += (
                residuals[left_out]
                - blup(residuals[others & (batches == batches[left_out])], ratio)
            ) ** 2
        if error < best_error * 0.98:
            best, best_error = columns, error
    return best


def _fit_nonnegative_log(design: Array, demands: Array, demean: Array) -> Array:
    """Non-negative coefficients by least squares of log(demand / curve), with Gauss-Newton steps.

    Runs differ by factors. Least squares of plain differences would follow slow runs, of relative ones fast runs.
    ``demean``: the matrix of :func:`quasi_demean`.
    """
    coefficients, _ = nnls(design, demands)
    mean_s = demands.mean()
    if mean_s <= 0:
        return coefficients
    for _ in range(ITERATIONS):
        curve = np.maximum(design @ coefficients, 1e-6 * mean_s)
        coefficients, _ = nnls(
            demean @ (design / curve[:, None]), demean @ (1 + _log_residual(demands, curve))
        )
    return coefficients


def _log_residual(demands: Array | float, curve: Array | float) -> Array:
    """log(demand / curve), clipped to ± ``MAX_LOG_RESIDUAL``."""
    floor_s = MIN_RATIO * np.asarray(curve) + 1e-30
    logs = np.log(np.maximum(demands, floor_s) / np.maximum(curve, 1e-30))
    return np.minimum(np.maximum(logs, -MAX_LOG_RESIDUAL), MAX_LOG_RESIDUAL)  # np.clip is slower


def constant(demand_s: Array) -> DemandCurve:
    """A demand that does not depend on the load; ``demand_s``: shape (1 + draws,)."""
    demand = np.asarray(demand_s, float)
    return DemandCurve(demand, np.zeros_like(demand), np.zeros_like(demand))


# -- random effects of batches --------------------------------------------------------------------------


def between_within_variance_ratio(residuals: Array, batches: Batches) -> float:
    """Variance between batches over that within, by the method of moments; 0 if it cannot be estimated."""
    members = batches[:, None] == np.unique(batches)
    runs = members.sum(axis=0)
    means = residuals @ members / runs
    degrees_of_freedom = len(residuals) - len(runs)
    within = ((residuals - members @ means) ** 2).sum() / max(degrees_of_freedom, 1)
    if degrees_of_freedom < 1 or len(runs) < 2 or within <= 0:
        return 0.0
    between = (runs * (means - residuals.mean()) ** 2).sum() - (len(runs) - 1) * within
    return float(max(between / (len(residuals) - (runs**2).sum() / len(residuals)) / within, 0.0))


def quasi_demean(batches: Batches, ratio: float) -> Array:
    """Matrix that subtracts from each run a part of its batch's mean (random-effects transform)."""
    is_same_batch = batches[:, None] == batches
    runs = is_same_batch.sum(axis=1)
    theta = 1 - 1 / np.sqrt(1 + runs * ratio)
    return np.eye(len(batches)) - is_same_batch * (theta / runs)[:, None]


def blup(residuals: Array, ratio: float) -> float:
    """Best linear unbiased predictor of a batch's effect: the mean residual of its runs, shrunk towards 0."""
    runs = len(residuals)
    return float(ratio * residuals.sum() / (1 + ratio * runs))
