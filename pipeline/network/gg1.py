"""Single stations whose arrivals or services are more even, or burstier, than product form knows.

Symbols: S mean service time (s), m servers, ρ = λ S / m, c_a² and c_s² the squared coefficients of variation of
the times between arrivals and of the service times, W the mean wait before service (s). All arguments broadcast.

A formula for G/G/1 knows two moments of independent gaps. A load generator's sequence of gaps can have a burst that
lasts for seconds, in which more comes than can be served although the whole does not saturate the server: then the
wait depends on the sequence itself, and it is finite even where the mean load is above 1. Where arrivals are known
one by one customers wait as Lindley's recursion says (``mean_wait``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from pipeline.network.arrays import Array
from pipeline.network.service import erlang_c

REPLICAS = 16
"""Sequences of service times drawn for a mean wait; the second half mirrors the first."""


def pollaczek_khinchine(rate: ArrayLike, service_time: ArrayLike, service_scv: ArrayLike) -> Array:
    """Mean wait at M/G/1: W = λ S² (1 + c_s²) / (2 (1 − ρ)); exact (Kleinrock I, 1975, page 190)."""
    rate, s, scv = (np.asarray(x, float) for x in (rate, service_time, service_scv))
    return _within(rate * s, rate * s * s * (1 + scv) / 2 / (1 - np.minimum(rate * s, 1 - 1e-16)))


def allen_cunneen(
    rate: ArrayLike,
    service_time: ArrayLike,
    servers: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Array:
    """Mean wait at G/G/m, approximately: M/M/m's times (c_a² + c_s²)/2.

    Allen, Probability, Statistics and Queueing Theory, 2nd ed. 1990, page 341. Exact for M/G/1; poor where
    arrivals are more even than Poisson (0.5 S at ρ = 0.5 for D/M/1, whose true wait is 0.255 S).
    """
    rate, s, m = (np.asarray(x, float) for x in (rate, service_time, servers))
    load = rate * s
    spare = np.maximum(m - load, 1e-300)
    waits = erlang_c(m, load) * s / spare
    return _within(load / m, waits * (np.asarray(arrival_scv) + np.asarray(service_scv)) / 2)


def kramer_langenbach_belz(
    rate: ArrayLike,
    service_time: ArrayLike,
    servers: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Array:
    """Mean wait at G/G/m, approximately: Allen and Cunneen's, corrected for uneven arrivals.

    Krämer and Langenbach-Belz 1976 (Bolch et al. 2006, page 270): times exp(−2 (1−ρ)(1−c_a²)² / (3 ρ (c_a²+c_s²)))
    where c_a² ≤ 1, exp(−(1−ρ)(c_a²−1)/(c_a²+4 c_s²)) above.
    """
    rate, s, m, ca, cs = (
        np.asarray(x, float) for x in (rate, service_time, servers, arrival_scv, service_scv)
    )
    rho = np.minimum(rate * s / m, 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        even = -2 * (1 - rho) * (1 - ca) ** 2 / (3 * rho * (ca + cs))
        bursty = np.where(ca > 1, -(1 - rho) * (ca - 1) / (ca + 4 * cs), 0.0)
        factor = np.where(ca <= 1, np.where(ca + cs > 0, np.exp(even), 0.0), np.exp(bursty))
    factor = np.where(rho > 0, factor, 1.0)
    waited = allen_cunneen(rate, s, m, ca, cs)
    # what has no bound has none, however even the arrivals
    return waited * np.where(np.isinf(waited), 1.0, factor)


def kingman_bound(
    rate: ArrayLike,
    service_time: ArrayLike,
    servers: ArrayLike,
    arrival_scv: ArrayLike,
    service_scv: ArrayLike,
) -> Array:
    """Upper bound of the mean wait at GI/G/m: λ (σ_a² + σ_s²/m + S² (m−1)/m²) / (2 (1−ρ)).

    Kingman 1962 for one server, Kingman 1970 for m (Kleinrock II, 1976, pages 32 and 49).
    """
    rate, s, m, ca, cs = (
        np.asarray(x, float) for x in (rate, service_time, servers, arrival_scv, service_scv)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = ca / rate**2 + cs * s * s / m + s * s * (m - 1) / m**2
        bound = rate * spread / 2 / (1 - np.minimum(rate * s / m, 1 - 1e-16))
    return _within(rate * s / m, np.where(rate > 0, bound, np.inf))


def gi_m_1(transform: Callable[[float], float], rate: float, service_time: float) -> float:
    """Mean wait at GI/M/1, exactly: W = S σ/(1−σ), σ = A*((1−σ)/S) (Kleinrock I, 1975, page 251).

    ``transform``: A*(s), the Laplace transform of the time between arrivals, s in 1/seconds; ``rate``: λ;
    ``service_time``: S. Returns infinity where λ S ≥ 1. Solved for δ = 1 − σ, which keeps its digits near ρ = 1.
    """
    if service_time == 0 or rate == 0:
        return 0.0
    if rate * service_time >= 1:
        return float("inf")

    def gap(delta: float) -> float:
        return transform(delta / service_time) - (1 - delta)

    low = 1e-3 * (
        1 - rate * service_time
    )  # δ > (1 − ρ)-ish; A* is convex, gap(0) = 0 and gap'(0) < 0
    while gap(low) >= 0 and low > 1e-15:
        low /= 4
    if gap(1.0) <= 0:
        return 0.0
    delta = brentq(gap, low, 1.0, xtol=1e-16, rtol=1e-14)
    return service_time * (1 - delta) / delta


def interarrival_transform(rate: float, scv: float) -> Callable[[float], float]:
    """A*(s) of the distribution that a rate and a c_a² are read as; see :mod:`simulation` for the same in samples.

    0: evenly spaced. Below 1: gamma (Erlang-k where c_a² = 1/k). 1: exponential. Above: two exponential phases
    with balanced means (Tijms, Stochastic Models, 1994, page 358).
    """
    if scv == 0:
        return lambda s: float(np.exp(-s / rate))
    if scv <= 1:
        return lambda s: float(np.exp(-np.log1p(s * scv / rate) / scv))
    p = balanced_phase(scv)
    first, second = 2 * p * rate, 2 * (1 - p) * rate
    return lambda s: p * first / (first + s) + (1 - p) * second / (second + s)


def balanced_phase(scv: float) -> float:
    """Probability of the quick phase of a two-phase hyperexponential with balanced means and c² ≥ 1."""
    return 0.5 * (1 + float(np.sqrt((scv - 1) / (scv + 1))))


def waits(gaps_s: ArrayLike, services_s: ArrayLike) -> Array:
    """The wait of each customer before its service, first come first served, from an empty queue.

    Lindley (Proceedings of the Cambridge Philosophical Society 48, 1952, page 277): W' = max(0, W + S − A), which is
    a random walk less its running minimum. ``gaps_s``: shape (…, n), time between each arrival and the one before
    (the first plays no part); ``services_s``: shape (…, n). Both broadcast.
    """
    gaps, services = np.broadcast_arrays(np.asarray(gaps_s, float), np.asarray(services_s, float))
    steps = services[..., :-1] - gaps[..., 1:]
    walk = np.zeros(gaps.shape)
    np.cumsum(steps, axis=-1, out=walk[..., 1:])
    return walk - np.minimum.accumulate(np.minimum(walk, 0.0), axis=-1)


def mean_wait(gaps_s: ArrayLike, service_s: float | Array, service_scv: float) -> float:
    """Mean wait (s) of all customers of a known sequence of arrivals, over drawn service times.

    ``gaps_s``: shape (n,); ``service_s``: the mean service time, or each customer's, shape (n,); ``service_scv``: their
    c_s². The same call gives the same figure, and it is a smooth function of ``service_s`` and ``service_scv``.
    """
    gaps = np.asarray(gaps_s, float)
    return float(waits(gaps, service_s * service_sizes(len(gaps), service_scv)).mean())


def service_sizes(customers: int, scv: float) -> Array:
    """Service times in units of their mean, shape (REPLICAS, customers), always the same ones: lognormal with this c².

    Only their first two moments matter to the mean wait where arrivals are Poisson, and little more elsewhere.
    """
    sigma_squared = np.log1p(scv)
    sizes = np.exp(np.sqrt(sigma_squared) * _normal(customers) - sigma_squared / 2)
    return sizes / sizes.mean()


@lru_cache(maxsize=32)
def _normal(customers: int) -> Array:
    half = np.random.default_rng(customers).normal(size=(REPLICAS // 2, customers))
    return np.concatenate((half, -half))


def _within(rho: ArrayLike, value: Array) -> Array:
    return np.where(np.asarray(rho) < 1, value, np.inf)
