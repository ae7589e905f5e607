"""One class: G(0 … N) is a vector, and a station is folded in by a filter."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from scipy.special import logsumexp

from pipeline.network.arrays import Array
from pipeline.network.convolution.problem import CALL, ENOUGH, Problem, Way, guard


class Line:
    """One class: G(0 … N) is a vector, recursions are filters in C."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.most = int(problem.populations[0])
        hard = [f for f in problem.factors.values() if not f.is_single]
        depth = 1 + max(len(hard) - 1, 0).bit_length()
        guard(1, (8 + 2 * len(hard)) * (self.most + 1))
        work = len(problem.factors) * self.most * 10
        each = sum((f.turn + 1 if f.is_short else self.most) * self.most + CALL for f in hard)
        work += each * depth
        guard(work, self.most)

    def plain(self, x: Array) -> Way:
        """With numbers as they are."""
        return _PlainLine(self.problem, x)

    def logarithmic(self, x: Array) -> Way:
        """With logarithms."""
        stations = len(self.problem.factors)
        guard(30 * stations * (stations.bit_length() + 1) * self.most**2, self.most)
        return _LogLine(self.problem, x)


class _PlainLine(Way):
    def __init__(self, problem: Problem, x: Array):
        super().__init__(problem, x)
        self.most = int(problem.populations[0])
        self.n = np.arange(self.most + 1.0)

    def base(self) -> Array:
        return np.exp(self.log_thinking(0))

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        for k in stations:
            rho = self.ratio(k)
            g = lfilter([1 - rho], [1, -rho], g)
        return g

    def with_station(self, g: Array, k: int) -> Array:
        factor, p = self.problem.factors[k], np.exp(self.log_p(k))
        ratio = self.ratio(k)
        if factor.is_short and ratio <= 1:
            head = p[: factor.turn + 1].copy()
            rest = -np.expm1(-np.diff(factor.log_b[: factor.turn + 1]) - np.log(factor.capacity))
            head[1:] *= np.maximum(rest, 0)  # p(n) − ratio p(n − 1) = p(n) (1 − α(n)/β)
            return lfilter([1.0], [1, -ratio], np.convolve(g, head)[: self.most + 1])
        return np.convolve(g, p)[: self.most + 1]

    def ratios(self, g: Array) -> Array | None:
        if not g[-1] > ENOUGH:
            return None
        return np.array([g[-2] / g[-1]])

    def queue_at_single(self, k: int, g: Array) -> Array:
        rho = self.ratio(k)
        powers = rho ** self.n[1:] if rho > 0 else np.zeros(self.most)
        return np.array([powers @ g[-2::-1] / g[-1]])

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = np.exp(self.log_p(k)) * without[::-1] / g[-1]
        return np.array([self.n @ p]), p


class _LogLine(_PlainLine):
    def is_single(self, k: int) -> bool:
        return False

    def base(self) -> Array:
        return self.log_thinking(0)

    def with_station(self, g: Array, k: int) -> Array:
        p = self.log_p(k)
        result = np.full_like(g, -np.inf)
        for n in range(self.most + 1):
            result[n] = logsumexp(g[: n + 1] + p[n::-1])
        return result

    def ratios(self, g: Array) -> Array | None:
        if not np.isfinite(g[-1]):
            return None
        return np.exp(g[-2:-1] - g[-1])

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = np.exp(self.log_p(k) + without[::-1] - g[-1])
        return np.array([self.n @ p]), p
