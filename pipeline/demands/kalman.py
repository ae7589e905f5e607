"""Time-varying service demand within a run, by a Kalman filter over windows.

State: D, a random walk with variance q per second. Measurement in a window: busy − background × length = c D + e, with
c requests completed and var e = r × max(c, 1), as e sums the deviations of c requests (Kalman filter and
Rauch-Tung-Striebel smoother: Anderson and Moore, Optimal Filtering, 1979, chapters 3 and 7; for service demands Zheng,
Woodside and Litoiu, IEEE TSE 34, 2008, page 391). q and r are maximum-likelihood estimates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from pipeline.distributions import chi2_quantile, normal_quantile

Array = NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95
"""Coverage of the intervals, and 1 − significance level of the test for variation over time."""


@dataclass(frozen=True)
class Track:
    """A demand over the windows of a run."""

    demand_s: Array
    """Smoothed demand per window, seconds per request."""
    low_s: Array
    high_s: Array
    drift_sd_s: float
    """√q: standard deviation of the change of the demand over one second, seconds per request; 0 without variation."""
    is_time_varying: bool
    """Whether variation over time explains the run significantly better (likelihood ratio test, 5 %)."""


def track(busy_s: Array, completions: Array, length_s: Array) -> Track:
    """Estimate a demand over the windows of a run.

    Parameters
    ----------
    busy_s
        Busy time per window, background subtracted, shape (windows,).
    completions
        Requests completed per window.
    length_s
        Length of each window.

    Raises
    ------
    ValueError
        With fewer than eight windows, or without requests.
    """
    busy, requests, length = (np.asarray(x, float) for x in (busy_s, completions, length_s))
    if len(busy) < 8 or requests.sum() <= 0:
        raise ValueError("a demand over time needs at least eight windows and one request")
    mean = busy.sum() / requests.sum()
    # without noise the likelihood is unbounded: r is at least (D/10⁶)²
    min_noise = (1e-6 * mean) ** 2 + 1e-30
    noise = max(float(np.mean((busy - mean * requests) ** 2 / np.maximum(requests, 1))), min_noise)

    def negative_log_likelihood(logs: Array) -> float:
        q, r = np.exp(logs)
        return -_filter(busy, requests, length, q, max(r, min_noise))[0]

    start = np.log([noise * 1e-4, noise])
    best = minimize(
        negative_log_likelihood, start, method="Nelder-Mead", options={"xatol": 0.05, "fatol": 0.01}
    )
    constant = minimize(
        lambda r: negative_log_likelihood(np.array([-80.0, r[0]])), start[1:], method="Nelder-Mead",
        options={"xatol": 0.05, "fatol": 0.01},
    )  # fmt: skip
    # q = 0 is on the boundary of the parameter space: half a chi-square (Self and Liang 1987)
    is_time_varying = 2 * (constant.fun - best.fun) > chi2_quantile(
        1 - 2 * (1 - CONFIDENCE_LEVEL), 1
    )
    q, r = np.exp(best.x) if is_time_varying else (0.0, float(np.exp(constant.x[0])))
    _, smoothed, variance = _filter(busy, requests, length, q, max(r, min_noise))
    half_width = normal_quantile(0.5 + CONFIDENCE_LEVEL / 2) * np.sqrt(variance)
    return Track(
        smoothed,
        np.maximum(smoothed - half_width, 0),
        smoothed + half_width,
        float(np.sqrt(q)),
        bool(is_time_varying),
    )


def _filter(
    busy: Array, requests: Array, length: Array, q: float, r: float
) -> tuple[float, Array, Array]:
    """Log-likelihood, smoothed states and their variances."""
    n = len(busy)
    mean = busy.sum() / requests.sum()
    state, variance_ahead = mean, (10 * mean + 1e-9) ** 2
    prior, prior_var, post, post_var = (np.empty(n) for _ in range(4))
    likelihood = 0.0
    for i in range(n):
        variance_ahead = variance_ahead + q * length[i]
        prior[i], prior_var[i] = state, variance_ahead
        innovation_variance = requests[i] ** 2 * variance_ahead + r * max(requests[i], 1.0)
        innovation = busy[i] - requests[i] * state
        gain = variance_ahead * requests[i] / innovation_variance
        state, variance_ahead = state + gain * innovation, variance_ahead * (1 - gain * requests[i])
        post[i], post_var[i] = state, variance_ahead
        likelihood -= 0.5 * (
            np.log(2 * np.pi * innovation_variance) + innovation**2 / innovation_variance
        )
    smooth, variance = post.copy(), post_var.copy()
    for i in range(n - 2, -1, -1):
        smoother_gain = post_var[i] / prior_var[i + 1]
        smooth[i] += smoother_gain * (smooth[i + 1] - prior[i + 1])
        variance[i] += smoother_gain**2 * (variance[i + 1] - prior_var[i + 1])
    return likelihood, smooth, np.maximum(variance, 0)
