"""Bounds of throughput and response time of one closed class, for many populations at once.

Symbols: D = Σ D_k, D_max and the demands D_k of the queueing stations, Z think time including the
demands at delays, N population. All four families bracket the exact solution; R follows by Little's law, R = N/X − Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array


@dataclass(frozen=True)
class Bounds:
    """Bounds at some populations; all arrays have their shape."""

    population: Array
    x_lower: Array
    """Customers per second."""
    x_upper: Array
    r_lower: Array
    """Seconds, without think time."""
    r_upper: Array


def asymptotic(
    demands: ArrayLike,
    population: ArrayLike,
    think_time: float = 0.0,
    max_rate: ArrayLike = 1.0,
    min_rate: ArrayLike = 1.0,
    rate_per_customer: ArrayLike = 1.0,
) -> Bounds:
    """Asymptotic bounds: N/(N D + Z) ≤ X ≤ min(N/(D + Z), 1/D_max).

    Parameters
    ----------
    demands : array_like, shape (K,)
        D_k, seconds.
    population : array_like
        N ≥ 1, any shape.
    think_time : float
        Z, seconds.
    max_rate, min_rate : array_like, shape (K,)
        Largest and smallest rate multiplier α(n) of a station (m and 1 at m servers).
    rate_per_customer : array_like, shape (K,)
        Largest α(n)/n: the highest rate at which one customer is served.

    Returns
    -------
    Bounds

    Raises
    ------
    ValueError
        If demands are negative, not finite or all 0, or a population is below 1.

    References
    ----------
    Lazowska et al., Quantitative System Performance (1984), table 5.1, page 77.

    Examples
    --------
    >>> asymptotic([0.02, 0.005], [16]).x_upper.tolist()
    [50.0]
    """
    d, n = _check_input(demands, population)
    max_rate, min_rate, rate_per_customer = (
        np.broadcast_to(np.asarray(x, float), d.shape)
        for x in (max_rate, min_rate, rate_per_customer)
    )
    upper = np.minimum(n / ((d / rate_per_customer).sum() + think_time), 1 / (d / max_rate).max())
    return _bounds(n, n / (n * (d / min_rate).sum() + think_time), upper, think_time)


def balanced(demands: ArrayLike, population: ArrayLike, think_time: float = 0.0) -> Bounds:
    """Balanced job bounds.

    N/(D+Z+(N−1)D_max/(1+Z/(N D))) ≤ X ≤ min(1/D_max, N/(D+Z+(N−1)D_avg/(1+Z/D))).

    Parameters
    ----------
    demands : array_like, shape (K,)
        D_k, seconds; one server at each station.
    population : array_like
        N ≥ 1, any shape.
    think_time : float
        Z, seconds.

    Returns
    -------
    Bounds

    Raises
    ------
    ValueError
        As :func:`asymptotic`.

    References
    ----------
    Zahorjan, Sevcik, Eager and Galler 1982; Lazowska et al., Quantitative System Performance (1984), table 5.2,
    page 91.

    Examples
    --------
    >>> bounds = balanced([0.02, 0.005], [16])
    >>> bool(bounds.x_lower[0] <= bounds.x_upper[0] <= 50)
    True
    """
    d, n = _check_input(demands, population)
    d = d[d > 0]
    total, top = d.sum(), d.max()
    z = think_time
    lower = n / (total + z + (n - 1) * top / (1 + z / (n * total)))
    upper = np.minimum(1 / top, n / (total + z + (n - 1) * d.mean() / (1 + z / total)))
    return _bounds(n, lower, upper, z)


def proportional(demands: ArrayLike, population: ArrayLike, think_time: float = 0.0) -> Bounds:
    """Proportional bounds.

    R(N) = D + Σ D_k Q_k(N−1): the queues at N − 1, N − 1 − Z X(N−1) in all, lie between the proportions D_k and
    D_k^(N−1), and X(N−1) between its asymptotes.

    Parameters
    ----------
    demands : array_like, shape (K,)
        D_k, seconds; one server at each station.
    population : array_like
        N ≥ 1, any shape.
    think_time : float
        Z, seconds.

    Returns
    -------
    Bounds

    Raises
    ------
    ValueError
        As :func:`asymptotic`.

    References
    ----------
    Hsieh and Lam, Performance Evaluation 7 (1987) 3, in the form of Casale et al. 2008.

    Examples
    --------
    >>> bounds = proportional([0.02, 0.005], [16])
    >>> bool(bounds.x_lower[0] <= bounds.x_upper[0] <= 50)
    True
    """
    d, n = _check_input(demands, population)
    d = d[d > 0]
    total, top, z = d.sum(), d.max(), think_time
    min_throughput = np.where(n > 1, (n - 1) / (np.maximum(n - 1, 1) * total + z), 0.0)
    upper = n / (z + total + (d @ d) / total * (n - 1 - z * _asymptote(d, n - 1, z)))
    share = (d / top) ** (n[..., None] - 1)
    weight = (share @ d) / share.sum(axis=-1)
    lower = n / (z + total + weight * (n - 1 - z * min_throughput))
    return _bounds(n, lower, np.minimum(upper, 1 / top), z)


def geometric(demands: ArrayLike, population: ArrayLike, think_time: float = 0.0) -> Bounds:
    """Geometric bounds, and geometric square-root bounds for Z > 0.

    The queues at the stations below D_max lie between sums of powers of y = D_k N/(Z + D + D_max N) and of
    Y = D_k X⁺(N), where X⁺ is the best simple upper bound (proportional, balanced, asymptotic).

    Parameters
    ----------
    demands : array_like, shape (K,)
        D_k, seconds; one server at each station.
    population : array_like
        N ≥ 1, any shape.
    think_time : float
        Z, seconds.

    Returns
    -------
    Bounds

    Raises
    ------
    ValueError
        As :func:`asymptotic`.

    References
    ----------
    Casale, Muntz and Serazzi, IEEE Trans. Computers 57 (2008) 780, tables IV and V.

    Examples
    --------
    >>> bounds = geometric([0.02, 0.005], [16])
    >>> bool(bounds.x_lower[0] <= bounds.x_upper[0] <= 50)
    True
    """
    d, n = _check_input(demands, population)
    d = d[d > 0]
    total, top, z = d.sum(), d.max(), think_time
    less = n - 1
    x_upper = _asymptote(d, less, z)
    for family in (proportional, balanced):
        bound = family(d, np.maximum(less, 1), z).x_upper
        x_upper = np.where(less > 0, np.minimum(x_upper, bound), 0.0)
    rest, spare = d[d < top], top - d[d < top]
    y = rest * (less / (z + total + top * less))[..., None]
    min_queues = _power_sum(y, less[..., None]) @ spare
    max_queues = _power_sum(rest * x_upper[..., None], less[..., None]) @ spare
    low, high = z + total + top * less - min_queues, z + total + top * less - max_queues
    lower = 2 * n / (low + np.sqrt(np.maximum(low * low - 4 * z * top * less, 0)))
    upper = 2 * n / (high + np.sqrt(np.maximum(high * high - 4 * z * top * n, 0)))
    return _bounds(n, lower, np.minimum(upper, 1 / top), z)


FAMILIES = {
    "aba": asymptotic,
    "balanced": balanced,
    "geometric": geometric,
    "proportional": proportional,
}


def _asymptote(demands: Array, population: Array, think_time: float) -> Array:
    return np.minimum(population / (demands.sum() + think_time), 1 / demands.max())


def _power_sum(y: Array, power: Array) -> Array:
    """Y + y² + … + y^power for 0 ≤ y ≤ 1."""
    is_one = y > 1 - 1e-12
    safe = np.where(is_one, 0.5, y)
    return np.where(
        is_one, power, safe * -np.expm1(power * np.log(np.maximum(safe, 1e-300))) / (1 - safe)
    )


def _bounds(n: Array, lower: Array, upper: Array, think: float) -> Bounds:
    return Bounds(n, lower, upper, np.maximum(n / upper - think, 0), n / lower - think)


def _check_input(demands: ArrayLike, population: ArrayLike) -> tuple[Array, Array]:
    d, n = np.asarray(demands, float), np.asarray(population, float)
    if d.ndim != 1 or not np.all(np.isfinite(d)) or np.any(d < 0) or not np.any(d > 0):
        raise ValueError("demands must be finite, not negative, and not all 0")
    if np.any(n < 1):
        raise ValueError("bounds need at least one customer")
    return d, n
