"""Waiting times at single stations with general arrivals and services: M/G/1, GI/M/1, G/G/m, and an arrival trace.

Symbols: S mean service time (s), m servers, ρ = λ S / m, c_a² and c_s² the squared coefficients of variation of
the interarrival times and of the service times, W the mean wait before service (s). All arguments broadcast.

A formula for G/G/1 uses two moments of independent interarrival times. A load generator's trace can have a burst of
seconds that exceeds the server's capacity although the whole trace does not: the wait then depends on the trace
itself, and is finite even where the mean load is above 1. ``mean_wait`` computes it by Lindley's recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from pipeline.network.arrays import Array
from pipeline.network.service import erlang_c

REPLICATIONS = 16
"""Sequences of service times per mean wait; the second half is antithetic to the first."""


def pollaczek_khinchine(rate: ArrayLike, service_time: ArrayLike, service_scv: ArrayLike) -> Array:
    """Mean wait at M/G/1, exactly: W = λ S² (1 + c_s²) / (2 (1 − ρ)).

    Parameters
    ----------
    rate : array_like
        λ, customers per second.
    service_time : array_like
        S, seconds.
    service_scv : array_like
        c_s².

    Returns
    -------
    ndarray
        Seconds; infinite where ρ ≥ 1.

    References
    ----------
    Kleinrock, Queueing Systems I (1975), page 190.

    Examples
    --------
    >>> float(pollaczek_khinchine(0.5, 1.0, 0.0))
    0.5
    """
    rate, s, scv = (np.asarray(x, float) for x in (rate, service_time, service_scv))
    return _infinite_if_overloaded(
        rate * s, rate * s * s * (1 + scv) / 2 / (1 - np.minimum(rate * s, 1 - 1e-16))
    )


def allen_cunneen(
    rate: ArrayLike,
    service_time: ArrayLike,
    servers: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Array:
    """Mean wait at G/G/m, approximately: that of M/M/m times (c_a² + c_s²)/2.

    Exact for M/G/1; poor for c_a² < 1 (0.5 S at ρ = 0.5 for D/M/1, whose true wait is 0.255 S).

    Parameters
    ----------
    rate : array_like
        λ, customers per second.
    service_time : array_like
        S, seconds.
    servers : array_like
        m.
    arrival_scv, service_scv : array_like
        c_a² and c_s².

    Returns
    -------
    ndarray
        Seconds; infinite where ρ ≥ 1.

    References
    ----------
    Allen, Probability, Statistics and Queueing Theory, 2nd ed. (1990), page 341.

    Examples
    --------
    >>> round(float(allen_cunneen(0.5, 1.0, 1, 1.0, 1.0)), 12)
    1.0
    """
    rate, s, m = (np.asarray(x, float) for x in (rate, service_time, servers))
    load = rate * s
    spare = np.maximum(m - load, 1e-300)
    poisson_wait = erlang_c(m, load) * s / spare
    return _infinite_if_overloaded(
        load / m, poisson_wait * (np.asarray(arrival_scv) + np.asarray(service_scv)) / 2
    )


def kramer_langenbach_belz(
    rate: ArrayLike,
    service_time: ArrayLike,
    servers: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Array:
    """Mean wait at G/G/m, approximately: Allen and Cunneen's, corrected for c_a² ≠ 1.

    The factor is exp(−2 (1−ρ)(1−c_a²)² / (3 ρ (c_a²+c_s²))) for c_a² ≤ 1, exp(−(1−ρ)(c_a²−1)/(c_a²+4 c_s²)) above.

    Parameters
    ----------
    rate : array_like
        λ, customers per second.
    service_time : array_like
        S, seconds.
    servers : array_like
        m.
    arrival_scv, service_scv : array_like
        c_a² and c_s².

    Returns
    -------
    ndarray
        Seconds; infinite where ρ ≥ 1.

    References
    ----------
    Krämer and Langenbach-Belz 1976; Bolch et al., Queueing Networks and Markov Chains, 2nd ed. (2006), page 270.

    Examples
    --------
    >>> round(float(kramer_langenbach_belz(0.5, 1.0, 1, 0.0, 1.0)), 4)
    0.2567
    """
    rate, s, m, ca, cs = (
        np.asarray(x, float) for x in (rate, service_time, servers, arrival_scv, service_scv)
    )
    rho = np.minimum(rate * s / m, 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        smooth = -2 * (1 - rho) * (1 - ca) ** 2 / (3 * rho * (ca + cs))
        bursty = np.where(ca > 1, -(1 - rho) * (ca - 1) / (ca + 4 * cs), 0.0)
        factor = np.where(ca <= 1, np.where(ca + cs > 0, np.exp(smooth), 0.0), np.exp(bursty))
    factor = np.where(rho > 0, factor, 1.0)
    wait = allen_cunneen(rate, s, m, ca, cs)
    # an infinite wait stays infinite where the factor is 0
    return wait * np.where(np.isinf(wait), 1.0, factor)


def kingman_bound(
    rate: ArrayLike,
    service_time: ArrayLike,
    servers: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Array:
    """Upper bound of the mean wait at GI/G/m: λ (σ_a² + σ_s²/m + S² (m−1)/m²) / (2 (1−ρ)).

    Parameters
    ----------
    rate : array_like
        λ, customers per second.
    service_time : array_like
        S, seconds.
    servers : array_like
        m.
    arrival_scv, service_scv : array_like
        c_a² and c_s².

    Returns
    -------
    ndarray
        Seconds; infinite where ρ ≥ 1.

    References
    ----------
    Kingman 1962 (one server) and 1970; Kleinrock, Queueing Systems II (1976), pages 32 and 49.

    Examples
    --------
    >>> float(kingman_bound(0.5, 1.0, 1, 1.0, 1.0))
    2.5
    """
    rate, s, m, ca, cs = (
        np.asarray(x, float) for x in (rate, service_time, servers, arrival_scv, service_scv)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = ca / rate**2 + cs * s * s / m + s * s * (m - 1) / m**2
        bound = rate * spread / 2 / (1 - np.minimum(rate * s / m, 1 - 1e-16))
    return _infinite_if_overloaded(rate * s / m, np.where(rate > 0, bound, np.inf))


def gi_m_1(transform: Callable[[float], float], rate: float, service_time: float) -> float:
    """Mean wait at GI/M/1, exactly: W = S σ/(1−σ) with σ = A*((1−σ)/S).

    Solved for δ = 1 − σ, which keeps its digits near ρ = 1.

    Parameters
    ----------
    transform : callable
        A*(s), the Laplace transform of the interarrival time, s in 1/seconds (:func:`interarrival_transform`).
    rate : float
        λ, customers per second.
    service_time : float
        S, seconds.

    Returns
    -------
    float
        Seconds; infinite where λ S ≥ 1.

    References
    ----------
    Kleinrock, Queueing Systems I (1975), page 251.

    Examples
    --------
    >>> round(gi_m_1(interarrival_transform(0.5, 0.0), 0.5, 1.0), 4)
    0.255
    """
    if service_time == 0 or rate == 0:
        return 0.0
    if rate * service_time >= 1:
        return float("inf")

    def excess(delta: float) -> float:
        return transform(delta / service_time) - (1 - delta)

    # δ is of the order of 1 − ρ; A* is convex, excess(0) = 0, excess'(0) < 0
    low = 1e-3 * (1 - rate * service_time)
    while excess(low) >= 0 and low > 1e-15:
        low /= 4
    if excess(1.0) <= 0:
        return 0.0
    delta = brentq(excess, low, 1.0, xtol=1e-16, rtol=1e-14)
    return service_time * (1 - delta) / delta


def interarrival_transform(rate: float, scv: float) -> Callable[[float], float]:
    """A*(s) of the interarrival distribution assumed for a rate and a c_a²; :mod:`simulation` draws from the same ones.

    0: evenly spaced. Below 1: gamma (Erlang-k where c_a² = 1/k). 1: exponential. Above: hyperexponential with two
    phases and balanced means (Tijms, Stochastic Models, 1994, page 358).
    """
    if scv == 0:
        return lambda s: float(np.exp(-s / rate))
    if scv <= 1:
        return lambda s: float(np.exp(-np.log1p(s * scv / rate) / scv))
    p = balanced_phase(scv)
    first, second = 2 * p * rate, 2 * (1 - p) * rate
    return lambda s: p * first / (first + s) + (1 - p) * second / (second + s)


def balanced_phase(scv: float) -> float:
    """Probability of the fast phase of a two-phase hyperexponential with balanced means and c² ≥ 1."""
    return 0.5 * (1 + float(np.sqrt((scv - 1) / (scv + 1))))


def waiting_times(gaps_s: ArrayLike, services_s: ArrayLike) -> Array:
    """Wait of each customer before its service, FCFS, from an empty queue, by Lindley's recursion.

    W' = max(0, W + S − A), which is a random walk less its running minimum.

    Parameters
    ----------
    gaps_s : array_like, shape (…, n)
        Time from the previous arrival to each; the first is not used.
    services_s : array_like, shape (…, n)
        Service times, seconds.

    Returns
    -------
    ndarray, shape (…, n)
        Seconds.

    References
    ----------
    Lindley, Proceedings of the Cambridge Philosophical Society 48 (1952), page 277.

    Examples
    --------
    >>> waiting_times([0.0, 1.0, 1.0], [2.0, 2.0, 2.0]).tolist()
    [0.0, 1.0, 2.0]
    """
    gaps, services = np.broadcast_arrays(np.asarray(gaps_s, float), np.asarray(services_s, float))
    steps = services[..., :-1] - gaps[..., 1:]
    walk = np.empty(gaps.shape)
    walk[..., :1] = 0.0
    np.cumsum(steps, axis=-1, out=walk[..., 1:])
    walk -= np.minimum.accumulate(walk, axis=-1)
    return walk


def mean_wait(gaps_s: ArrayLike, service_s: float | Array, service_scv: float) -> float:
    """Mean wait of all customers of an arrival trace, averaged over random service times.

    Parameters
    ----------
    gaps_s : array_like, shape (n,)
        Interarrival times, seconds.
    service_s : float or ndarray, shape (n,)
        Mean service time, or each customer's, seconds.
    service_scv : float
        c_s².

    Returns
    -------
    float
        Seconds. Deterministic, and a smooth function of ``service_s`` and ``service_scv``.

    Examples
    --------
    >>> round(mean_wait([1.0] * 4, 1.5, 0.0), 3)
    0.75
    """
    gaps = np.asarray(gaps_s, float)
    return float(waiting_times(gaps, service_s * unit_service_times(len(gaps), service_scv)).mean())


@lru_cache(maxsize=8)
def unit_service_times(customers: int, scv: float) -> Array:
    """Lognormal service times of mean 1 and this c², shape (REPLICATIONS, customers); the same on every call.

    The mean wait depends on their first two moments only if arrivals are Poisson, and on little more otherwise.
    """
    sigma_squared = np.log1p(scv)
    times = np.exp(np.sqrt(sigma_squared) * _normal_samples(customers) - sigma_squared / 2)
    times /= times.mean()
    times.setflags(write=False)
    return times


@lru_cache(maxsize=32)
def _normal_samples(customers: int) -> Array:
    half = np.random.default_rng(customers).normal(size=(REPLICATIONS // 2, customers))
    return np.concatenate((half, -half))


def _infinite_if_overloaded(rho: ArrayLike, value: Array) -> Array:
    return np.where(np.asarray(rho) < 1, value, np.inf)
