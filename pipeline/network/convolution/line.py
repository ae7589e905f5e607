"""One class: G(0 … N) is a vector, and a station is folded in by a filter."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from scipy.special import logsumexp

from pipeline.network.arrays import Array
from pipeline.network.convolution.limits import CALL, guard
from pipeline.network.convolution.problem import Problem
from pipeline.network.convolution.ways import ENOUGH, Way
from pipeline.network.service import log_poisson


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
        return _PlainLine(self.problem, float(x[0]), self.most)

    def logarithmic(self, x: Array) -> Way:
        """With logarithms."""
        stations = len(self.problem.factors)
        guard(30 * stations * (stations.bit_length() + 1) * self.most**2, self.most)
        return _LogLine(self.problem, float(x[0]), self.most)


class _PlainLine(Way):
    def __init__(self, problem: Problem, x: float, most: int):
        self.problem, self.x, self.most = problem, x, most
        self.n = np.arange(most + 1.0)
        self.log_p: dict[int, Array] = {}

    def _load(self, k: int) -> float:
        return float(self.problem.demands[k, 0]) * self.x

    def _log_p(self, k: int) -> Array:
        if k not in self.log_p:
            self.log_p[k] = self.problem.probabilities(self._load(k), self.problem.factors[k])
        return self.log_p[k]

    def is_single(self, k: int) -> bool:
        factor = self.problem.factors[k]
        return factor.is_single and self._load(k) < factor.capacity

    def base(self) -> Array:
        mean = float(self.problem.think[0]) * self.x
        return np.exp(log_poisson(self.n, mean)) if mean > 0 else np.where(self.n == 0, 1.0, 0.0)

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        for k in stations:
            rho = self._load(k) / self.problem.factors[k].capacity
            g = lfilter([1 - rho], [1, -rho], g)
        return g

    def with_station(self, g: Array, k: int) -> Array:
        factor, p = self.problem.factors[k], np.exp(self._log_p(k))
        ratio = self._load(k) / factor.capacity
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
        rho = self._load(k) / self.problem.factors[k].capacity
        powers = rho ** self.n[1:] if rho > 0 else np.zeros(self.most)
        return np.array([powers @ g[-2::-1] / g[-1]])

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = np.exp(self._log_p(k)) * without[::-1] / g[-1]
        return np.array([self.n @ p]), p


class _LogLine(_PlainLine):
    def is_single(self, k: int) -> bool:
        return False

    def base(self) -> Array:
        mean = float(self.problem.think[0]) * self.x
        return log_poisson(self.n, mean) if mean > 0 else np.where(self.n == 0, 0.0, -np.inf)

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        return g

    def with_station(self, g: Array, k: int) -> Array:
        p = self._log_p(k)
        result = np.full_like(g, -np.inf)
        for n in range(self.most + 1):
            result[n] = logsumexp(g[: n + 1] + p[n::-1])
        return result

    def ratios(self, g: Array) -> Array | None:
        if not np.isfinite(g[-1]):
            return None
        return np.exp(g[-2:-1] - g[-1])

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = np.exp(self._log_p(k) + without[::-1] - g[-1])
        return np.array([self.n @ p]), p
