"""Bounds of throughput and response time of a closed class, for every population at once, without solving it.

Symbols: D = Σ D_k, D_max and the demands D_k of the stations where customers may wait, Z think time with the
demands at delays, N population. All four families bracket the exact answer; R follows by Little's law, R = N/X − Z.
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
    """Customers a second."""
    x_upper: Array
    r_lower: Array
    """Seconds, without think time."""
    r_upper: Array


def asymptotic(
    demands: ArrayLike,
    population: ArrayLike,
    think_time: float = 0.0,
    fastest: ArrayLike = 1.0,
    slowest: ArrayLike = 1.0,
    each: ArrayLike = 1.0,
) -> Bounds:
    """Asymptotic bounds: N/(N D + Z) ≤ X ≤ min(N/(D + Z), 1/D_max) (Lazowska et al. 1984, table 5.1, page 77).

    ``demands``: D_k, seconds, (K,); ``population``: N ≥ 1, any shape; ``think_time``: Z, seconds. For stations that
    work α(n) times as fast with n customers: ``fastest`` is the largest α (m of m servers), ``slowest`` the
    smallest, ``each`` the largest α(n)/n, what one customer gets at best, (K,).
    """
    d, n = _check(demands, population)
    fastest, slowest, each = (
        np.broadcast_to(np.asarray(x, float), d.shape) for x in (fastest, slowest, each)
    )
    upper = np.minimum(n / ((d / each).sum() + think_time), 1 / (d / fastest).max())
    return _bounds(n, n / (n * (d / slowest).sum() + think_time), upper, think_time)


def balanced(demands: ArrayLike, population: ArrayLike, think_time: float = 0.0) -> Bounds:
    """Balanced job bounds (Zahorjan, Sevcik, Eager and Galler 1982; Lazowska et al. 1984, table 5.2, page 91).

    N/(D+Z+(N−1)D_max/(1+Z/(N D))) ≤ X ≤ min(1/D_max, N/(D+Z+(N−1)D_avg/(1+Z/D))), stations with one server.
    """
    d, n = _check(demands, population)
    d = d[d > 0]
    total, top = d.sum(), d.max()
    z = think_time
    lower = n / (total + z + (n - 1) * top / (1 + z / (n * total)))
    upper = np.minimum(1 / top, n / (total + z + (n - 1) * d.mean() / (1 + z / total)))
    return _bounds(n, lower, upper, z)


def proportional(demands: ArrayLike, population: ArrayLike, think_time: float = 0.0) -> Bounds:
    """Proportional bounds (Hsieh and Lam, Performance Evaluation 7 (1987) 3), as in Casale et al. 2008.

    R(N) = D + Σ D_k Q_k(N−1): the queues at N − 1, N − 1 − Z X(N−1) in all, lie between the proportions D_k and
    D_k^(N−1); X(N−1) between its asymptotes. One server at each station.
    """
    d, n = _check(demands, population)
    d = d[d > 0]
    total, top, z = d.sum(), d.max(), think_time
    least = np.where(n > 1, (n - 1) / (np.maximum(n - 1, 1) * total + z), 0.0)
    upper = n / (z + total + (d @ d) / total * (n - 1 - z * _asymptote(d, n - 1, z)))
    share = (d / top) ** (n[..., None] - 1)
    weight = (share @ d) / share.sum(axis=-1)
    lower = n / (z + total + weight * (n - 1 - z * least))
    return _bounds(n, lower, np.minimum(upper, 1 / top), z)


def geometric(demands: ArrayLike, population: ArrayLike, think_time: float = 0.0) -> Bounds:
    """Geometric bounds, and geometric square-root bounds where Z > 0.

    Casale, Muntz and Serazzi, IEEE Trans. Computers 57 (2008) 780, tables IV and V: the queues at the stations
    below D_max lie between sums of powers of y = D_k N/(Z + D + D_max N) and of Y = D_k X⁺(N), where X⁺ is the best
    simple upper bound (proportional, balanced, asymptotic). One server at each station.
    """
    d, n = _check(demands, population)
    d = d[d > 0]
    total, top, z = d.sum(), d.max(), think_time
    less = n - 1
    best = _asymptote(d, less, z)
    for family in (proportional, balanced):
        at = family(d, np.maximum(less, 1), z).x_upper
        best = np.where(less > 0, np.minimum(best, at), 0.0)
    rest, spare = d[d < top], top - d[d < top]
    y = rest * (less / (z + total + top * less))[..., None]
    few = _power_sum(y, less[..., None]) @ spare
    many = _power_sum(rest * best[..., None], less[..., None]) @ spare
    low, high = z + total + top * less - few, z + total + top * less - many
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


def _power_sum(y: Array, most: Array) -> Array:
    """Y + y² + … + y^most for 0 ≤ y ≤ 1."""
    near = y > 1 - 1e-12
    safe = np.where(near, 0.5, y)
    return np.where(
        near, most, safe * -np.expm1(most * np.log(np.maximum(safe, 1e-300))) / (1 - safe)
    )


def _bounds(n: Array, lower: Array, upper: Array, think: float) -> Bounds:
    return Bounds(n, lower, upper, np.maximum(n / upper - think, 0), n / lower - think)


def _check(demands: ArrayLike, population: ArrayLike) -> tuple[Array, Array]:
    d, n = np.asarray(demands, float), np.asarray(population, float)
    if d.ndim != 1 or not np.all(np.isfinite(d)) or np.any(d < 0) or not np.any(d > 0):
        raise ValueError("demands must be finite, not negative, and not all 0")
    if np.any(n < 1):
        raise ValueError("bounds need at least one customer")
    return d, n
