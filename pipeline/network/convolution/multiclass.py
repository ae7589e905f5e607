"""Several classes: G over the lattice of populations, folded in layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from pipeline.network.arrays import Array, Counts
from pipeline.network.convolution.problem import (
    CALL,
    ENOUGH,
    Problem,
    Way,
    guard,
    guard_lattice,
    lattice_cells,
)
from pipeline.network.lattice import Lattice


class Layers:
    """Several classes: G in the order of a :class:`~pipeline.network.lattice.Lattice`, one layer at a time."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.lattice = Lattice(problem.populations)
        factors = problem.factors.values()
        turns = [min(f.turn, int(problem.populations.sum())) for f in factors if not f.is_single]
        singles = sum(f.is_single for f in factors)
        self.depth = 1 + max(len(turns) - 1, 0).bit_length()
        self.cells = lattice_cells(problem.populations)
        guard_lattice(problem.populations)
        work = self.cells * (10 + 6 * singles + sum(3 * t + 20 for t in turns) * self.depth)
        work += CALL * int(problem.populations.sum()) * (1 + len(turns) * self.depth)
        guard(work, self.cells)

    def plain(self, x: Array) -> Way:
        """With numbers as they are."""
        return _PlainLayers(self.problem, x, self.lattice)

    def logarithmic(self, x: Array) -> Way:
        """With logarithms."""
        stations = len(self.problem.factors)
        most = int(self.problem.populations.sum())
        guard(20 * stations * (stations.bit_length() + 1) * most * self.cells, self.cells)
        return _LogLayers(self.problem, x, self.lattice)


class _PlainLayers(Way):
    zero = 0.0
    add: Callable[..., Array] = staticmethod(np.add)
    times: Callable[..., Array] = staticmethod(np.multiply)

    def __init__(self, problem: Problem, x: Array, lattice: Lattice):
        super().__init__(problem, x)
        self.lattice, self.classes = lattice, len(x)
        self.length = len(lattice.order)

    @cached_property
    def totals(self) -> Counts:
        return np.repeat(np.arange(len(self.lattice.starts) - 1), np.diff(self.lattice.starts))

    @cached_property
    def mirror(self) -> Counts:
        """Place of N − n, in order of n."""
        return self.lattice.rank[self.length - 1 - self.lattice.order]

    @cached_property
    def _log_factorials(self) -> Array:
        return gammaln(np.arange(int(self.problem.populations.sum()) + 2) + 1.0)

    def log_splits(self, shares: Array) -> Array:
        """Log of the multinomial probability that |n| customers are n, in order."""
        table = self._log_factorials
        result = table[self.totals].copy()
        for c in range(self.classes):
            numbers = self.lattice.numbers[c]
            one = -table[: int(self.problem.populations[c]) + 1]
            if shares[c] > 0:
                one = one + np.arange(len(one)) * np.log(shares[c])
            else:
                one = np.where(np.arange(len(one)) > 0, -np.inf, one)
            result += one[numbers]
        return result

    def _log_base(self) -> Array:
        result = np.zeros(self.length)
        for c in range(self.classes):
            result += self.log_thinking(c)[self.lattice.numbers[c]]
        return result

    def base(self) -> Array:
        return np.append(np.exp(self._log_base()), 0.0)

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        if not stations:
            return g
        rho = np.array([self.ratio(k) for k in stations])
        shares = np.stack([self.problem.shares(self.x, k) for k in stations])
        return self._recur(g * np.prod(1 - rho), rho[:, None] * shares)

    def _recur(self, g: Array, weights: Array) -> Array:
        """h_k(n) = h_{k−1}(n) + Σ_c w_kc h_k(n − 1_c) for k = 1 … K, h_0 = g; all stations a layer at once."""
        starts, before = self.lattice.starts.tolist(), self.lattice.before
        stations = len(weights)
        result = g.copy()
        past = np.zeros((stations, 2))
        past[:, 0] = g[0]
        chunk = max(1, 4_000_000 // (stations * self.classes))
        for layer in range(1, len(starts) - 1):
            low, high, shift = starts[layer], starts[layer + 1], starts[layer - 1]
            nowhere = low - shift
            found = np.zeros((stations, high - low + 1))
            for left in range(low, high, chunk):
                part = slice(left, min(left + chunk, high))
                place = np.minimum(before[:, part] - shift, nowhere)
                came = np.einsum("kc,kcp->kp", weights, past.take(place, axis=1))
                np.cumsum(came, axis=0, out=came)
                came += g[part]
                found[:, part.start - low : part.stop - low] = came
            past = found
            result[low:high] = found[-1, :-1]
        return result

    def _shifted(self, g: Array, shares: Array) -> Array:
        """(Σ_c w_c z_c) g: one customer more, of class c with probability w_c."""
        result = np.full(self.length + 1, self.zero)
        visiting = [c for c in range(self.classes) if shares[c] > 0]
        if visiting:
            result[:-1] = self.times(
                self.scalar(shares[visiting[0]]), g[self.lattice.before[visiting[0]]]
            )
        for c in visiting[1:]:
            part = self.times(self.scalar(shares[c]), g[self.lattice.before[c]])
            self.add(result[:-1], part, out=result[:-1])
        return result

    def scalar(self, value: float) -> float:
        """A number in this arithmetic."""
        return value

    def with_station(self, g: Array, k: int) -> Array:
        factor, shares = self.problem.factors[k], self.problem.shares(self.x, k)
        log_p, ratio = self.log_p(k), self.ratio(k)
        turn = min(factor.turn, len(log_p) - 1) if ratio <= 1 else len(log_p) - 1
        p = np.exp(log_p)
        h = p[turn] * g
        if turn < len(log_p) - 1:
            h = self._recur(h, ratio * shares[None, :])
        for j in range(turn - 1, -1, -1):
            h = self._shifted(h, shares)
            h += p[j] * g
        return h

    def ratios(self, g: Array) -> Array | None:
        last = self.length - 1
        if not g[last] > ENOUGH:
            return None
        return g[self.lattice.before[:, last]] / g[last]

    def queue_at_single(self, k: int, g: Array) -> Array:
        shares, ratio = self.problem.shares(self.x, k), self.ratio(k)
        if not shares.any():
            return np.zeros(self.classes)
        f = np.exp(self.log_splits(shares) + self.totals * np.log(ratio))
        result = np.zeros(self.classes)
        for c in range(self.classes):
            back = g[self.lattice.before[c]]  # G(n − 1_c)
            result[c] = shares[c] * ratio * (f @ back[self.mirror]) / g[self.length - 1]
        return result

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        p = self._numbers(k, without[:-1][self.mirror], g[self.length - 1])
        queue = np.array([p @ self.lattice.numbers[c] for c in range(self.classes)])
        return queue, np.bincount(self.totals, weights=p)

    def _numbers(self, k: int, elsewhere: Array, whole: float) -> Array:
        """P(n customers at k), in order, from G without station k and the whole G(N)."""
        return np.exp(self._log_parts(k)) * elsewhere / whole

    def _log_parts(self, k: int) -> Array:
        return self.log_splits(self.problem.shares(self.x, k)) + self.log_p(k)[self.totals]


class _LogLayers(_PlainLayers):
    zero = -np.inf
    add = staticmethod(np.logaddexp)
    times = staticmethod(np.add)

    def scalar(self, value: float) -> float:
        return float(np.log(value))

    def base(self) -> Array:
        return np.append(self._log_base(), -np.inf)

    def is_single(self, k: int) -> bool:
        return False

    def with_station(self, g: Array, k: int) -> Array:
        shares, log_p = self.problem.shares(self.x, k), self.log_p(k)
        h = log_p[-1] + g
        for j in range(len(log_p) - 2, -1, -1):
            h = np.logaddexp(self._shifted(h, shares), log_p[j] + g)
        return h

    def ratios(self, g: Array) -> Array | None:
        last = self.length - 1
        if not np.isfinite(g[last]):
            return None
        return np.exp(g[self.lattice.before[:, last]] - g[last])

    def _numbers(self, k: int, elsewhere: Array, whole: float) -> Array:
        return np.exp(self._log_parts(k) + elsewhere - whole)
