"""A demand that may drift within a run: recursive estimation, window by window.

State: D, a random walk with variance q a second. Measurement of a window: busy − background × length = c D + e, c
requests completed, var e = r × max(c, 1), since e is the sum of what c requests differ from the mean by (Kalman
filter and Rauch-Tung-Striebel smoother: Anderson and Moore, Optimal Filtering, 1979, chapters 3 and 7; for service
demands Zheng, Woodside and Litoiu, IEEE TSE 34, 2008, page 391). q and r are those under which what was measured
is most likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import chi2, norm

Array = NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95


@dataclass(frozen=True)
class Track:
    """A demand over time."""

    demand_s: Array
    """The smoothed demand in each window, seconds a request."""
    low_s: Array
    high_s: Array
    drift_sd_s: float
    """√q: how far the demand wanders in a second, seconds a request."""
    is_time_varying: bool
    """Whether a drift explains the run significantly better than none does (likelihood ratio, 5 %)."""


def track(busy_s: Array, completions: Array, length_s: Array) -> Track:
    """Follow a demand through a run's windows, all arrays of shape (windows,); background already taken off.

    Raises ``ValueError`` with fewer than eight windows or without requests.
    """
    busy, done, length = (np.asarray(x, float) for x in (busy_s, completions, length_s))
    if len(busy) < 8 or done.sum() <= 0:
        raise ValueError("a track needs eight windows and some requests")
    mean = busy.sum() / done.sum()
    # a run without any noise has a likelihood without an upper bound: r is at least (D/10⁶)²
    least = (1e-6 * mean) ** 2 + 1e-30
    noise = max(float(np.mean((busy - mean * done) ** 2 / np.maximum(done, 1))), least)

    def unlikely(logs: Array) -> float:
        q, r = np.exp(logs)
        return -_filter(busy, done, length, q, max(r, least))[0]

    start = np.log([noise * 1e-4, noise])
    best = minimize(unlikely, start, method="Nelder-Mead", options={"xatol": 0.05, "fatol": 0.01})
    still = minimize(
        lambda r: unlikely(np.array([-80.0, r[0]])), start[1:], method="Nelder-Mead",
        options={"xatol": 0.05, "fatol": 0.01},
    )  # fmt: skip
    # q = 0 is at the edge of what q may be: half a chi-square (Self and Liang 1987)
    drifts = 2 * (still.fun - best.fun) > chi2.ppf(1 - 2 * (1 - CONFIDENCE_LEVEL), 1)
    q, r = np.exp(best.x) if drifts else (0.0, float(np.exp(still.x[0])))
    _, smooth, variance = _filter(busy, done, length, q, max(r, least))
    half = norm.ppf(0.5 + CONFIDENCE_LEVEL / 2) * np.sqrt(variance)
    return Track(
        smooth, np.maximum(smooth - half, 0), smooth + half, float(np.sqrt(q)), bool(drifts)
    )


def _filter(
    busy: Array, done: Array, length: Array, q: float, r: float
) -> tuple[float, Array, Array]:
    """Log-likelihood, smoothed states and their variances."""
    n = len(busy)
    mean = busy.sum() / done.sum()
    state, spread = mean, (10 * mean + 1e-9) ** 2
    prior, prior_var, post, post_var = (np.empty(n) for _ in range(4))
    likelihood = 0.0
    for i in range(n):
        spread = spread + q * length[i]
        prior[i], prior_var[i] = state, spread
        total = done[i] ** 2 * spread + r * max(done[i], 1.0)
        miss = busy[i] - done[i] * state
        gain = spread * done[i] / total
        state, spread = state + gain * miss, spread * (1 - gain * done[i])
        post[i], post_var[i] = state, spread
        likelihood -= 0.5 * (np.log(2 * np.pi * total) + miss**2 / total)
    smooth, variance = post.copy(), post_var.copy()
    for i in range(n - 2, -1, -1):
        back = post_var[i] / prior_var[i + 1]
        smooth[i] += back * (smooth[i + 1] - prior[i + 1])
        variance[i] += back**2 * (variance[i + 1] - prior_var[i + 1])
    return likelihood, smooth, np.maximum(variance, 0)
