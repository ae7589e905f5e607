"""How a station serves: the coefficients c(n) = 1 / (α(1) α(2) … α(n)) that define it.

With n customers a station works α(n) times as fast as with one: α(n) = min(n, m) for m servers, n for a delay.
In a product-form network the station's factor is c(n) times a multinomial term in the demands (Bolch et al.,
Queueing Networks and Markov Chains, 2nd ed. 2006, section 7.3), and for n > T the ratio c(n)/c(n−1) is 1/β.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, gammaincc, gammaln, logsumexp

from pipeline.network.arrays import Array


@dataclass(frozen=True)
class Service:
    """A delay, a queue of m servers, or a station with rate multipliers."""

    kind: str
    servers: int = 1
    multipliers: tuple[float, ...] = ()

    @classmethod
    def delay(cls) -> Service:
        """An infinite server: no customer waits."""
        return cls("delay")

    @classmethod
    def queue(cls, servers: int = 1) -> Service:
        """``servers`` ≥ 1 equal servers with one queue."""
        return cls("queue", int(servers))

    @classmethod
    def load_dependent(cls, multipliers: Sequence[float]) -> Service:
        """Rate multipliers α(n) for n = 1, 2, …; the last value holds for all larger n."""
        values = [float(x) for x in multipliers]
        while len(values) > 1 and values[-1] == values[-2]:
            values.pop()
        return cls("load_dependent", 1, tuple(values))

    @property
    def is_delay(self) -> bool:
        """Whether no customer waits."""
        return self.kind == "delay"

    @property
    def is_single_server(self) -> bool:
        """Whether the station works at the same rate for any number of customers."""
        return (self.kind == "queue" and self.servers == 1) or len(self.multipliers) == 1

    @property
    def capacity(self) -> float:
        """Least load Σ λ D that saturates the station: m, or the last α; infinite for a delay."""
        if self.is_delay:
            return np.inf
        return float(self.servers) if self.kind == "queue" else self.multipliers[-1]

    @property
    def limiting_index(self) -> int:
        """T: from n = T on, c(n+1) = c(n) / capacity."""
        return (self.servers if self.kind == "queue" else len(self.multipliers)) - 1

    def log_coefficients(self, max_customers: int) -> Array:
        """Log c(n) for n = 0 … ``max_customers``, shape (max_customers + 1,)."""
        n = np.arange(max_customers + 1.0)
        if self.is_delay:
            return -gammaln(n + 1)
        if self.kind == "queue":
            m = float(self.servers)
            return np.where(
                n <= m, -gammaln(n + 1), -gammaln(np.minimum(n, m) + 1) - (n - m) * np.log(m)
            )
        listed = np.log(np.array(self.multipliers[:max_customers]))
        beyond = max(max_customers - len(listed), 0)
        rates = np.concatenate((listed, np.full(beyond, np.log(self.capacity))))
        return np.concatenate(([0.0], -np.cumsum(rates)))

    def log_coefficients_given_load(self, open_load: float, max_customers: int) -> Array:
        """Log b(n), n = 0 … ``max_customers``: coefficients of the closed customers in the presence of an open load a.

        The open customers' number is summed out: b(n) = Σ_j c(n + j) C(n + j, j) a^j (Bolch et al. 2006,
        section 8.1.6, for one server; the sum over j is theirs for any c). Where c has become geometric the sum
        is a negative binomial tail, an incomplete beta function: every term is positive, nothing cancels.
        """
        if open_load == 0:
            return self.log_coefficients(max_customers)
        if self.is_delay:
            return self.log_coefficients(max_customers) + open_load
        beta, limiting_index = self.capacity, self.limiting_index
        log_a = np.log(open_load)
        q = open_load / beta
        log_c = self.log_coefficients(limiting_index)
        result = np.full(max_customers + 1, -np.inf)
        last = min(limiting_index, max_customers)
        rows = max(1, 2_000_000 // (limiting_index + 1))
        j = np.arange(limiting_index + 1.0)
        log_fact_j = gammaln(j + 1)
        for low in range(0, last + 1, rows):
            n = np.arange(low, min(low + rows, last + 1), dtype=float)[:, None]
            extra = j - n
            with np.errstate(invalid="ignore"):
                terms = (
                    log_c
                    + log_fact_j
                    - gammaln(n + 1)
                    - gammaln(np.maximum(extra, 0) + 1)
                    + extra * log_a
                )
            terms[extra < 0] = -np.inf
            result[low : low + len(n)] = logsumexp(terms, axis=1)
        n = np.arange(max_customers + 1.0)
        tail = log_c[-1] + (limiting_index - n) * np.log(beta) - (n + 1) * np.log1p(-q)
        inside = n <= limiting_index
        with np.errstate(divide="ignore"):
            tail[inside] += np.log(betainc(limiting_index + 1 - n[inside], n[inside] + 1, q))
        return np.logaddexp(result, tail)


def log_poisson(number: ArrayLike, mean: ArrayLike) -> Array:
    """Log of the Poisson probability of ``number`` ≥ 0 where ``mean`` > 0, without cancellation in n log n − n.

    Loader, Fast and Accurate Computation of Binomial Probabilities (2000): Stirling's error and the deviance.
    """
    n, a = np.broadcast_arrays(np.asarray(number, float), np.asarray(mean, float))
    ratio = a / np.maximum(n, 1)
    relative = (a - n) / np.maximum(n, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(ratio > 0, relative - np.log(np.where(ratio > 0, ratio, 1)), np.inf)
        small = np.abs(relative) < 0.05
        x = np.where(small, relative, 0.0)
        series = np.zeros_like(x)
        for k in range(12, 1, -1):  # x - log(1 + x) = x²/2 - x³/3 + …
            series = (1 - 2 * (k % 2)) / k + x * series
        deviance = n * np.where(small, x * x * series, exact)
        k = np.maximum(n, 1)
        stirling = np.where(
            n < 16,
            gammaln(n + 1) - (n + 0.5) * np.log(k) + n - 0.5 * np.log(2 * np.pi),
            (1 / 12 - (1 / 360 - (1 / 1260 - 1 / 1680 / k**2) / k**2) / k**2) / k,
        )
        body = -stirling - deviance - 0.5 * np.log(2 * np.pi * k)
    return np.where(n == 0, -a, body)


def erlang_c(servers: ArrayLike, load: ArrayLike) -> Array:
    """Probability of waiting at M/M/m. ``servers``: m ≥ 1; ``load``: a = λ S < m, erlangs; they broadcast.

    Erlang's formula (Kleinrock, Queueing Systems I, 1975, page 103) through the blocking probability
    B = pmf(m; a) / cdf(m; a) of a Poisson number, C = B / (1 − ρ (1 − B)): no sum over servers, no overflow.
    """
    m, a = np.broadcast_arrays(np.asarray(servers, float), np.asarray(load, float))
    is_stable = (a > 0) & (a < m)
    safe = np.where(is_stable, a, 0.5)
    blocked = np.exp(log_poisson(m, safe)) / gammaincc(m + 1, safe)
    rho = safe / m
    return np.where(is_stable, blocked / (1 - rho * (1 - blocked)), np.where(a >= m, 1.0, 0.0))


def mean_number(service: Service, load: ArrayLike) -> tuple[Array, Array]:
    """Open station with Poisson arrivals: (mean number of customers, P(busy)) at ``load`` a = Σ λ D.

    A load at or above the capacity gives (inf, 1), never NaN. Shapes follow ``load``.
    """
    a = np.asarray(load, float)
    is_saturated = a >= service.capacity
    safe = np.where(is_saturated, 0.0, a)
    if service.is_delay:
        return a + 0.0, -np.expm1(-a)
    if service.is_single_server:
        rho = safe / service.capacity
        number, busy = rho / (1 - rho), rho
    elif service.kind == "queue":
        m = float(service.servers)
        waiting = erlang_c(m, safe)
        number = safe + waiting * safe / (m - safe)
        # P(0): from pmf(m)·m/(m-a) = P(wait) and pmf(m) = P(0) a^m / m!
        with np.errstate(divide="ignore", invalid="ignore"):
            log_idle = np.log(waiting) + np.log1p(-safe / m) - log_poisson(m, safe) - safe
        idle = np.where(safe > 0, np.exp(np.where(np.isfinite(log_idle), log_idle, -safe)), 1.0)
        busy = 1 - np.minimum(idle, 1)
    else:
        number, busy = _load_dependent_number(service, safe)
    return np.where(is_saturated, np.inf, number), np.where(is_saturated, 1.0, busy)


def _load_dependent_number(service: Service, load: Array) -> tuple[Array, Array]:
    """Birth-death process with rates λ and α(n)/S: listed part summed, geometric tail in closed form."""
    limiting_index, beta = service.limiting_index, service.capacity
    log_c, n = service.log_coefficients(limiting_index), np.arange(limiting_index + 1.0)
    flat = load.ravel()
    number, busy = np.empty_like(flat), np.empty_like(flat)
    rows = max(1, 1_000_000 // (limiting_index + 1))
    for low in range(0, len(flat), rows):
        a = flat[low : low + rows, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.where(n > 0, log_c + n * np.log(a), 0.0)
        top = logs.max(axis=1, keepdims=True)
        weight = np.exp(logs - top)
        q = a[:, 0] / beta
        tail = weight[:, -1] * q / (1 - q)
        total = weight.sum(axis=1) + tail
        weighted = weight @ n + tail * (limiting_index + 1 / (1 - q))
        number[low : low + rows] = weighted / total
        busy[low : low + rows] = (weight[:, 1:].sum(axis=1) + tail) / total
    return number.reshape(load.shape), busy.reshape(load.shape)
