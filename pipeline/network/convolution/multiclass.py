"""Several classes: G over the lattice of populations, folded layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from pipeline.network.arrays import Array, Counts
from pipeline.network.convolution.problem import (
    ARRAY_CALL_WORK,
    MIN_CONSTANT,
    Backend,
    ConvolutionProblem,
    check_lattice,
    check_resources,
    lattice_cells,
)
from pipeline.network.lattice import Lattice


class Multiclass:
    """Several classes: G over a :class:`~pipeline.network.lattice.Lattice`.

    Checks the resource limits and makes the two backends.
    """

    def __init__(self, problem: ConvolutionProblem):
        self.problem = problem
        self.lattice = Lattice(problem.populations)
        factors = problem.factors.values()
        limits = [
            min(f.limiting_index, int(problem.populations.sum()))
            for f in factors
            if not f.is_single_server
        ]
        singles = sum(f.is_single_server for f in factors)
        self.depth = 1 + max(len(limits) - 1, 0).bit_length()
        check_lattice(problem.populations)
        self.cells = lattice_cells(problem.populations)
        work = self.cells * (10 + 6 * singles + sum(3 * t + 20 for t in limits) * self.depth)
        work += ARRAY_CALL_WORK * int(problem.populations.sum()) * (1 + len(limits) * self.depth)
        check_resources(work, self.cells)

    def linear(self, x: Array) -> Backend:
        """The backend that holds G itself."""
        return _LinearMulticlass(self.problem, x, self.lattice)

    def log_space(self, x: Array) -> Backend:
        """The backend that holds log G."""
        stations = len(self.problem.factors)
        customers = int(self.problem.populations.sum())
        work = 20 * stations * (stations.bit_length() + 1) * customers * self.cells
        check_resources(work, self.cells)
        return _LogMulticlass(self.problem, x, self.lattice)


class _LinearMulticlass(Backend):
    zero = 0.0
    add: Callable[..., Array] = staticmethod(np.add)
    times: Callable[..., Array] = staticmethod(np.multiply)

    def __init__(self, problem: ConvolutionProblem, x: Array, lattice: Lattice):
        super().__init__(problem, x)
        self.lattice, self.classes = lattice, len(x)
        self.length = len(lattice.order)

    @cached_property
    def totals(self) -> Counts:
        return np.repeat(np.arange(len(self.lattice.starts) - 1), np.diff(self.lattice.starts))

    @cached_property
    def complement(self) -> Counts:
        """Place of N − n, in order of n."""
        return self.lattice.rank[self.length - 1 - self.lattice.order]

    @cached_property
    def _log_factorials(self) -> Array:
        return gammaln(np.arange(int(self.problem.populations.sum()) + 2) + 1.0)

    def log_multinomial(self, shares: Array) -> Array:
        """Log of the multinomial probability that |n| customers are n, in order."""
        table = self._log_factorials
        result = table[self.totals].copy()
        for c in range(self.classes):
            numbers = self.lattice.numbers[c]
            log_term = -table[: int(self.problem.populations[c]) + 1]
            if shares[c] > 0:
                log_term = log_term + np.arange(len(log_term)) * np.log(shares[c])
            else:
                log_term = np.where(np.arange(len(log_term)) > 0, -np.inf, log_term)
            result += log_term[numbers]
        return result

    def _log_delay_factor(self) -> Array:
        result = np.zeros(self.length)
        for c in range(self.classes):
            result += self.log_think_marginal(c)[self.lattice.numbers[c]]
        return result

    def delay_factor(self) -> Array:
        return np.append(np.exp(self._log_delay_factor()), 0.0)

    def fold_single_servers(self, g: Array, stations: list[int]) -> Array:
        if not stations:
            return g
        rho = np.array([self.utilization(k) for k in stations])
        shares = np.stack([self.problem.shares(self.x, k) for k in stations])
        return self._recur(g * np.prod(1 - rho), rho[:, None] * shares)

    def _recur(self, g: Array, weights: Array) -> Array:
        """h_k(n) = h_{k−1}(n) + Σ_c w_kc h_k(n − 1_c) for k = 1 … K, h_0 = g; all stations of a layer at once."""
        starts, predecessors = self.lattice.starts.tolist(), self.lattice.predecessors
        stations = len(weights)
        result = g.copy()
        previous = np.zeros((stations, 2))
        previous[:, 0] = g[0]
        chunk = max(1, 4_000_000 // (stations * self.classes))
        for layer in range(1, len(starts) - 1):
            low, high, shift = starts[layer], starts[layer + 1], starts[layer - 1]
            absent = low - shift
            current = np.zeros((stations, high - low + 1))
            for begin in range(low, high, chunk):
                part = slice(begin, min(begin + chunk, high))
                place = np.minimum(predecessors[:, part] - shift, absent)
                incoming = np.einsum("kc,kcp->kp", weights, previous.take(place, axis=1))
                np.cumsum(incoming, axis=0, out=incoming)
                incoming += g[part]
                current[:, part.start - low : part.stop - low] = incoming
            previous = current
            result[low:high] = current[-1, :-1]
        return result

    def _shifted(self, g: Array, shares: Array) -> Array:
        """(Σ_c w_c z_c) g: one customer more, of class c with probability w_c."""
        result = np.full(self.length + 1, self.zero)
        visiting = [c for c in range(self.classes) if shares[c] > 0]
        if visiting:
            result[:-1] = self.times(
                self.scalar(shares[visiting[0]]), g[self.lattice.predecessors[visiting[0]]]
            )
        for c in visiting[1:]:
            part = self.times(self.scalar(shares[c]), g[self.lattice.predecessors[c]])
            self.add(result[:-1], part, out=result[:-1])
        return result

    def scalar(self, value: float) -> float:
        """A number in this arithmetic."""
        return value

    def fold_station(self, g: Array, k: int) -> Array:
        factor, shares = self.problem.factors[k], self.problem.shares(self.x, k)
        log_p, utilization = self.log_p(k), self.utilization(k)
        limit = len(log_p) - 1
        if utilization <= 1:
            limit = min(factor.limiting_index, limit)
        p = np.exp(log_p)
        h = p[limit] * g
        if limit < len(log_p) - 1:
            h = self._recur(h, utilization * shares[None, :])
        for j in range(limit - 1, -1, -1):
            h = self._shifted(h, shares)
            h += p[j] * g
        return h

    def throughput_ratios(self, g: Array) -> Array | None:
        last = self.length - 1
        if not g[last] > MIN_CONSTANT:
            return None
        return g[self.lattice.predecessors[:, last]] / g[last]

    def single_server_queue(self, k: int, g: Array) -> Array:
        shares, utilization = self.problem.shares(self.x, k), self.utilization(k)
        if not shares.any():
            return np.zeros(self.classes)
        f = np.exp(self.log_multinomial(shares) + self.totals * np.log(utilization))
        result = np.zeros(self.classes)
        for c in range(self.classes):
            g_less = g[self.lattice.predecessors[c]]  # G(n − 1_c)
            result[c] = shares[c] * utilization * (f @ g_less[self.complement]) / g[self.length - 1]
        return result

    def station_queue(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = self._marginal(k, without[:-1][self.complement], g[self.length - 1])
        queue = np.array([p @ self.lattice.numbers[c] for c in range(self.classes)])
        return queue, np.bincount(self.totals, weights=p)

    def _marginal(self, k: int, without: Array, total: float) -> Array:
        """P(n customers at k), in order, from G without station k and the total G(N)."""
        return np.exp(self._log_factor(k)) * without / total

    def _log_factor(self, k: int) -> Array:
        return self.log_multinomial(self.problem.shares(self.x, k)) + self.log_p(k)[self.totals]


class _LogMulticlass(_LinearMulticlass):
    zero = -np.inf
    add = staticmethod(np.logaddexp)
    times = staticmethod(np.add)

    def scalar(self, value: float) -> float:
        return float(np.log(value))

    def delay_factor(self) -> Array:
        return np.append(self._log_delay_factor(), -np.inf)

    def is_single_server(self, k: int) -> bool:
        return False

    def fold_station(self, g: Array, k: int) -> Array:
        shares, log_p = self.problem.shares(self.x, k), self.log_p(k)
        h = log_p[-1] + g
        for j in range(len(log_p) - 2, -1, -1):
            h = np.logaddexp(self._shifted(h, shares), log_p[j] + g)
        return h

    def throughput_ratios(self, g: Array) -> Array | None:
        last = self.length - 1
        if not np.isfinite(g[last]):
            return None
        return np.exp(g[self.lattice.predecessors[:, last]] - g[last])

    def _marginal(self, k: int, without: Array, total: float) -> Array:
        return np.exp(self._log_factor(k) + without - total)
