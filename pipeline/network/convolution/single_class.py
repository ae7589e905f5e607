"""One class: G(0 … N) is a vector, and a station is folded in by a linear filter."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from scipy.special import logsumexp

from pipeline.network.arrays import Array
from pipeline.network.convolution.problem import (
    ARRAY_CALL_WORK,
    MIN_CONSTANT,
    Backend,
    ConvolutionProblem,
    check_resources,
)

FOLD_WORK = 100
"""Multiplications that take as long as one step of :func:`filter_geometric`."""


class SingleClass:
    """One class: G(0 … N) is a vector; checks the resource limits and makes the two backends."""

    def __init__(self, problem: ConvolutionProblem):
        self.problem = problem
        self.customers = int(problem.populations[0])
        general = [f for f in problem.factors.values() if not f.is_single_server]
        depth = 1 + max(len(general) - 1, 0).bit_length()
        check_resources(1, (8 + 2 * len(general)) * (self.customers + 1))
        work = len(problem.factors) * self.customers * FOLD_WORK
        per_level = sum(
            (f.limiting_index + 1 if f.has_short_filter else self.customers) * self.customers
            + ARRAY_CALL_WORK
            for f in general
        )
        work += per_level * depth
        check_resources(work, self.customers)

    def linear(self, x: Array) -> _LinearSingleClass:
        """The backend that holds G itself."""
        return _LinearSingleClass(self.problem, x)

    def log_space(self, x: Array) -> _LinearSingleClass:
        """The backend that holds log G."""
        stations = len(self.problem.factors)
        work = 30 * stations * (stations.bit_length() + 1) * self.customers**2
        check_resources(work, self.customers)
        return _LogSingleClass(self.problem, x)


class _LinearSingleClass(Backend):
    def __init__(self, problem: ConvolutionProblem, x: Array):
        super().__init__(problem, x)
        self.customers = int(problem.populations[0])
        self.n = np.arange(self.customers + 1.0)

    def delay_factor(self) -> Array:
        return np.exp(self.log_think_marginal(0))

    def fold_single_servers(self, g: Array, stations: list[int]) -> Array:
        for k in stations:
            rho = self.utilization(k)
            g = filter_geometric((1 - rho) * g, rho)
        return g

    def fold_station(self, g: Array, k: int) -> Array:
        factor, p = self.problem.factors[k], np.exp(self.log_p(k))
        utilization = self.utilization(k)
        if factor.has_short_filter and utilization <= 1:
            length = factor.limiting_index + 1
            decrease = -np.expm1(-np.diff(factor.log_b[:length]) - np.log(factor.capacity))
            polynomial = p[:length].copy()
            polynomial[1:] *= np.maximum(decrease, 0)  # p(n) − ρ p(n − 1) = p(n) (1 − α(n)/β)
            g = np.convolve(g, polynomial)[: self.customers + 1]
            return filter_geometric(g, utilization)
        return np.convolve(g, p)[: self.customers + 1]

    def throughput_ratios(self, g: Array) -> Array | None:
        if not MIN_CONSTANT < g[-1] < np.inf:
            return None
        return np.array([g[-2] / g[-1]])

    def population_ratios(self, g: Array) -> Array | None:
        """G(n − 1) / G(n), n = 1 … N; None if too much has underflowed."""
        if not np.all((g > MIN_CONSTANT) & (g < np.inf)):
            return None
        return g[:-1] / g[1:]

    def single_server_queue(self, k: int, g: Array) -> Array:
        rho = self.utilization(k)
        powers = rho ** self.n[1:] if rho > 0 else np.zeros(self.customers)
        return np.array([powers @ g[-2::-1] / g[-1]])

    def station_queue(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = np.exp(self.log_p(k)) * without[::-1] / g[-1]
        return np.array([self.n @ p]), p


class _LogSingleClass(_LinearSingleClass):
    def is_single_server(self, k: int) -> bool:
        return False

    def delay_factor(self) -> Array:
        return self.log_think_marginal(0)

    def fold_station(self, g: Array, k: int) -> Array:
        p = self.log_p(k)
        result = np.full_like(g, -np.inf)
        for n in range(self.customers + 1):
            result[n] = logsumexp(g[: n + 1] + p[n::-1])
        return result

    def throughput_ratios(self, g: Array) -> Array | None:
        if not np.isfinite(g[-1]):
            return None
        return np.exp(g[-2:-1] - g[-1])

    def population_ratios(self, g: Array) -> Array | None:
        return np.exp(g[:-1] - g[1:]) if np.all(np.isfinite(g)) else None

    def station_queue(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = np.exp(self.log_p(k) + without[::-1] - g[-1])
        return np.array([self.n @ p]), p


def filter_geometric(values: Array, ratio: float) -> Array:
    """The convolution with 1, ``ratio``, ``ratio``², …: y(n) = value(n) + ``ratio`` · y(n − 1).

    As ``scipy.signal.lfilter``, whose import takes longer than the filter itself for millions of values.

    Examples
    --------
    >>> filter_geometric(np.array([1.0, 0.0, 4.0]), 0.5).tolist()
    [1.0, 0.5, 4.25]
    """
    steps = accumulate(values.tolist(), lambda previous, value: value + ratio * previous)
    return np.fromiter(steps, float, len(values))
