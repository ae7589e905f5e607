"""Closed and mixed networks of product form, exactly, whatever serves: several servers, load dependence, delays.

Buzen's convolution (Comm. ACM 16 (1973) 527; Bolch et al. 2006, section 8.1) of the stations' factors, made safe
for any size by *tilting*: product form does not change when class c's demands are all multiplied by some x_c > 0.
With x_c the rates at which an open network would hold N customers on average, every factor becomes a probability
(that so many customers of the open network are at the station), every partial result is one too, and G(N) is the
probability that the open network holds exactly N: near its mode, far from overflow and underflow. All terms are
positive, so no digit is lost by cancellation; that is what ruins the multiserver recursion of Mean Value Analysis,
which subtracts to find P(idle).

What underflows is below 1e-308, and there are at most (number of terms) of them: when G(N) > 1e-250, they are
nothing. Otherwise (a station whose rate collapses under load can do that) everything is done again on logarithms.

A station's factor is φ(t) = Σ c(j) t^j with t = Σ_c D_c z_c. From j = T on, c is geometric, so that
φ(t) = Σ_{j<T} c(j) t^j + c(T) t^T / (1 − t/β): T shifts and one recursion, for any number of classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter
from scipy.special import gammaln, logsumexp

from pipeline.network.lattice import Lattice
from pipeline.network.service import Service, log_poisson

Array = NDArray[np.float64]

ENOUGH = 1e-250
"""G(N) above this: what underflowed on the way cannot matter."""
MOST_WORK = 4_000_000_000
"""Multiplications that are tried, at about a thousand million a second."""
CALL = 20_000
"""Multiplications that could be done while an array operation is being started."""


class TooLargeError(ValueError):
    """Exact solution would take too much time or memory."""


@dataclass(frozen=True)
class Convolved:
    """A closed network, or the closed part of a mixed one; K stations, C classes."""

    throughput: Array
    """X_c, customers a second, (C,)."""
    queue_lengths: Array
    """Q_kc, customers, (K, C)."""
    numbers: tuple[Array | None, ...]
    """For each station, P(n closed customers there), n = 0 … |N|; None where it was not asked for."""


@dataclass(frozen=True)
class Factor:
    """φ of one station beside an open load, for n = 0 … ``most`` customers."""

    service: Service
    load: float
    most: int

    @property
    def turn(self) -> int:
        """T, from which b(n+1)/b(n) = 1/β."""
        return self.most if self.service.is_delay else min(self.service.turn, self.most)

    @property
    def capacity(self) -> float:
        """β, what is left beside the open customers."""
        return self.service.capacity - self.load

    @cached_property
    def log_b(self) -> Array:
        """Log b(n), n = 0 … ``most``."""
        return self.service.log_coefficients_beside(self.load, self.most)

    @property
    def is_single(self) -> bool:
        """Whether φ = b(0) / (1 − t/β)."""
        return self.turn == 0

    @cached_property
    def is_short(self) -> bool:
        """Whether φ(t) (1 − t/β) is short, with no negative coefficient: never slower than at the end."""
        if self.turn * 3 >= self.most:
            return False
        step = np.diff(self.log_b[: self.turn + 1])
        return bool(np.all(step >= -np.log(self.capacity) - 1e-15))


def convolve(
    demands: ArrayLike,
    populations: ArrayLike,
    think_times: ArrayLike,
    services: Sequence[Service],
    open_loads: ArrayLike | None = None,
    ask: Sequence[int] = (),
) -> Convolved:
    """Solve a closed network exactly, beside open customers if there are any.

    ``demands``: D ≥ 0 of the closed classes, seconds, (K, C). ``populations``: N ≥ 1, customers, (C,).
    ``think_times``: Z ≥ 0, seconds, (C,). ``services``: K of them. ``open_loads``: a = Σ λ D of the open
    customers at each station, below its capacity, (K,). ``ask``: stations whose distribution is wanted.
    Raises :class:`TooLargeError` when it would take more than ``MOST_WORK`` multiplications, ``ValueError`` where a
    class has neither demand nor think time.
    """
    demands = np.asarray(demands, float)
    populations = np.asarray(populations, np.int64)
    scale = np.maximum(demands.max(axis=0, initial=0), think_times)
    if np.any(scale <= 0) or np.any(populations < 1):
        raise ValueError("each closed class needs customers, and a demand or a think time")
    loads = np.zeros(len(services)) if open_loads is None else np.asarray(open_loads, float)
    problem = Problem.of(
        demands / scale, populations, think_times / scale, services, loads, set(ask)
    )
    throughput, queues, numbers = problem.solve()
    throughput = throughput / scale
    at_delay = np.array([k in problem.delays for k in range(len(services))])
    queues[at_delay] = throughput * demands[at_delay]
    return Convolved(throughput, queues, numbers)


@dataclass
class Problem:
    """A network with scaled demands, delays folded into the think times, idle stations left out."""

    demands: Array
    populations: NDArray[np.int64]
    think: Array
    delays: set[int]
    factors: dict[int, Factor]
    asked: set[int]
    """Stations whose distribution of numbers is wanted."""

    @classmethod
    def of(
        cls,
        demands: Array,
        populations: NDArray[np.int64],
        think: Array,
        services: Sequence[Service],
        loads: Array,
        asked: set[int],
    ) -> Problem:
        """Sort the stations by what has to be done about them."""
        most = int(populations.sum())
        delays: set[int] = set()
        factors: dict[int, Factor] = {}
        think = think.copy()
        for k, service in enumerate(services):
            visited = np.any(demands[k] > 0)
            never_full = service.kind == "queue" and service.servers >= most and loads[k] == 0
            if (service.is_delay or never_full) and (k not in asked):
                delays.add(k)
                think = think + demands[k]
            elif visited or k in asked:
                if loads[k] > 0 and not service.is_delay:  # the open customers are summed out
                    guard((service.turn + 1) * (min(service.turn, most) + 1) * 20, service.turn)
                factors[k] = Factor(service, float(loads[k]), most)
        return cls(demands, populations, think, delays, factors, asked)

    def solve(self) -> tuple[Array, Array, tuple[Array | None, ...]]:
        """X (C,), Q (K, C) and the distributions that were asked for."""
        space = Line(self) if len(self.populations) == 1 else Layers(self)
        x = self.tilt()
        found = self._measure(space.plain(x), x)
        if found is None:
            found = self._measure(space.logarithmic(x), x)
        if found is None:
            raise TooLargeError("the normalizing constant is beyond even logarithms")
        return found

    def _measure(self, way: Way, x: Array) -> tuple[Array, Array, tuple[Array | None, ...]] | None:
        queues = np.zeros_like(self.demands)
        numbers: list[Array | None] = [None] * len(self.demands)
        whole = way.base()
        singles = [k for k in self.factors if way.is_single(k) and k not in self.asked]
        others = [k for k in self.factors if k not in singles]
        whole = way.with_singles(whole, singles)
        split = list(_complements(way, whole, others))
        total = way.with_station(split[0][1], split[0][0]) if split else whole
        ratios = way.ratios(total)
        if ratios is None:
            return None
        for k in singles:
            queues[k] = way.queue_at_single(k, total)
        for k, without in split:
            queues[k], numbers[k] = way.queue_at(k, without, total)
        return x * ratios, queues, tuple(numbers)

    def loads(self, x: Array) -> Array:
        """Σ_c x_c D_kc at every station."""
        return self.demands @ x

    def shares(self, x: Array, k: int) -> Array:
        """Class c's part of station k's load."""
        load = x * self.demands[k]
        return load / load.sum() if load.any() else np.zeros_like(load)

    def probabilities(self, load: float, factor: Factor) -> Array:
        """Log P(n at the open station | n ≤ |N|)."""
        if load <= 0:
            return np.where(np.arange(len(factor.log_b)) == 0, 0.0, -np.inf)
        logs = factor.log_b + np.arange(len(factor.log_b)) * np.log(load)
        return logs - logsumexp(logs)

    def tilt(self) -> Array:
        """Rates x at which an open network holds about N customers: minimum of a convex function of log x.

        Σ_k log φ_k(Σ_c D_kc e^y_c) + Σ_c (Z_c e^y_c − N_c y_c), by Newton's method with halved steps. Any x gives
        the same answer; a good one keeps numbers in range.
        """
        singles = [k for k, f in self.factors.items() if f.is_single]
        others = [k for k, f in self.factors.items() if not f.is_single]
        beta = np.array([self.factors[k].capacity for k in singles])
        least = min((f.capacity for f in self.factors.values()), default=1.0)
        most = float(self.populations.sum())
        n = np.arange(most + 1)
        wanted = self.populations.astype(float)
        heavy = self.think + self.demands[list(self.factors)].sum(axis=0) * (1 + most) / min(
            least, 1
        )
        y = np.log(0.5 * wanted / heavy)

        def look(y: Array, full: bool) -> tuple[float, Array, Array]:
            x = np.exp(y)
            load = self.demands * x
            value = float(self.think @ x - wanted @ y)
            gradient = self.think * x - wanted
            curve = np.diag(self.think * x)
            rho = load[singles].sum(axis=1) / beta
            if np.any(rho >= 1):
                return np.inf, gradient, curve
            value -= float(np.log1p(-rho).sum())
            if full and singles:
                mean = rho / (1 - rho)
                share = load[singles] / np.maximum(load[singles].sum(axis=1, keepdims=True), 1e-300)
                gradient += mean @ share
                curve += (share * (mean * mean)[:, None]).T @ share + np.diag(mean @ share)
            for k in others:
                a = load[k].sum()
                if a == 0:
                    continue
                logs = self.factors[k].log_b + n * np.log(a)
                top = logs.max()
                weight = np.exp(logs - top)
                total = weight.sum()
                value += float(top + np.log(total))
                if full:
                    mean = weight @ n / total
                    spread = weight @ ((n - mean) ** 2) / total
                    share = load[k] / a
                    gradient += mean * share
                    curve += (spread - mean) * np.outer(share, share) + np.diag(mean * share)
            return value, gradient, curve

        value, gradient, curve = look(y, True)
        for _ in range(80):
            ridge = 1e-12 * np.trace(curve) + 1e-300
            step = np.linalg.solve(curve + ridge * np.eye(len(y)), -gradient)
            step *= min(1.0, 4 / np.abs(step).max(initial=1e-300))
            size = 1.0
            while size > 1e-10:
                trial, *_ = look(y + size * step, False)
                if trial <= value + 1e-4 * size * float(gradient @ step):
                    break
                size /= 2
            else:
                break
            y = y + size * step
            value, gradient, curve = look(y, True)
            if np.abs(gradient).max() <= 0.05 * np.sqrt(wanted.min()):
                break
        return np.exp(y)


def _complements(way: Way, base: Array, stations: list[int]) -> Iterator[tuple[int, Array]]:
    """For each of ``stations``, ``base`` with all the others folded in: halves of halves, log K deep."""
    if len(stations) == 1:
        yield stations[0], base
        return
    middle = len(stations) // 2
    for some, rest in (
        (stations[:middle], stations[middle:]),
        (stations[middle:], stations[:middle]),
    ):
        if some:
            folded = base
            for k in rest:
                folded = way.with_station(folded, k)
            yield from _complements(way, folded, some)


class Way(Protocol):
    """How G is held and multiplied: on a line or in layers, plain or as logarithms."""

    def base(self) -> Array:
        """The delays' part of G."""
        ...

    def is_single(self, k: int) -> bool:
        """Whether station k is folded in by :meth:`with_singles`."""
        ...

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        """Fold in single-server stations."""
        ...

    def with_station(self, g: Array, k: int) -> Array:
        """Fold in any station."""
        ...

    def ratios(self, g: Array) -> Array | None:
        """G(N − 1_c) / G(N), (C,); None if too much has underflowed."""
        ...

    def queue_at_single(self, k: int, g: Array) -> Array:
        """Q_kc from G itself, (C,)."""
        ...

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        """Q_kc and P(n customers at k) from G without station k."""
        ...


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
        self.problem, self.x, self.lattice = problem, x, lattice
        self.classes = len(x)
        self.length = len(lattice.order)

    @cached_property
    def totals(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.lattice.starts) - 1), np.diff(self.lattice.starts))

    @cached_property
    def mirror(self) -> NDArray[np.int64]:
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
            mean = float(self.problem.think[c] * self.x[c])
            n = np.arange(int(self.problem.populations[c]) + 1.0)
            one = log_poisson(n, mean) if mean > 0 else np.where(n == 0, 0.0, -np.inf)
            result += one[self.lattice.numbers[c]]
        return result

    def base(self) -> Array:
        return np.append(np.exp(self._log_base()), 0.0)

    def is_single(self, k: int) -> bool:
        factor = self.problem.factors[k]
        return factor.is_single and self._load(k) < factor.capacity

    def _load(self, k: int) -> float:
        return float(self.problem.demands[k] @ self.x)

    def _ratio(self, k: int) -> float:
        return self._load(k) / self.problem.factors[k].capacity

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        if not stations:
            return g
        rho = np.array([self._ratio(k) for k in stations])
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
        log_p = self.problem.probabilities(self._load(k), factor)
        ratio = self._ratio(k)
        turn = min(factor.turn, len(log_p) - 1)
        if ratio > 1:
            turn = len(log_p) - 1
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
        shares, ratio = self.problem.shares(self.x, k), self._ratio(k)
        if not shares.any():
            return np.zeros(self.classes)
        f = np.exp(self.log_splits(shares) + self.totals * np.log(ratio))
        result = np.zeros(self.classes)
        for c in range(self.classes):
            back = g[self.lattice.before[c]]  # G(n − 1_c)
            result[c] = shares[c] * ratio * (f @ back[self.mirror]) / g[self.length - 1]
        return result

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        shares = self.problem.shares(self.x, k)
        log_p = self.problem.probabilities(self._load(k), self.problem.factors[k])
        p = np.exp(self.log_splits(shares) + log_p[self.totals]) if shares.any() else self._nobody()
        p = p * without[:-1][self.mirror] / g[self.length - 1]
        queue = np.array([p @ self.lattice.numbers[c] for c in range(self.classes)])
        return queue, np.bincount(self.totals, weights=p)

    def _nobody(self) -> Array:
        return np.where(self.totals == 0, 1.0, 0.0)


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

    def with_singles(self, g: Array, stations: list[int]) -> Array:
        return g

    def with_station(self, g: Array, k: int) -> Array:
        shares = self.problem.shares(self.x, k)
        log_p = self.problem.probabilities(self._load(k), self.problem.factors[k])
        h = log_p[-1] + g
        for j in range(len(log_p) - 2, -1, -1):
            h = np.logaddexp(self._shifted(h, shares), log_p[j] + g)
        return h

    def ratios(self, g: Array) -> Array | None:
        last = self.length - 1
        if not np.isfinite(g[last]):
            return None
        return np.exp(g[self.lattice.before[:, last]] - g[last])

    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        shares = self.problem.shares(self.x, k)
        log_p = self.problem.probabilities(self._load(k), self.problem.factors[k])
        splits = self.log_splits(shares) if shares.any() else np.log(self._nobody() + 1e-320)
        p = np.exp(splits + log_p[self.totals] + without[:-1][self.mirror] - g[self.length - 1])
        queue = np.array([p @ self.lattice.numbers[c] for c in range(self.classes)])
        return queue, np.bincount(self.totals, weights=p)


MOST_CELLS = 12_000_000
"""Classes times populations of a lattice: 8 bytes each, a few times."""


def lattice_cells(populations: NDArray[np.int64]) -> int:
    """Classes times Π (N_c + 1)."""
    cells = len(populations)
    for n in populations:
        cells *= int(n) + 1
    return cells


def guard_lattice(populations: NDArray[np.int64]) -> None:
    """Refuse a lattice that would not fit."""
    cells = lattice_cells(populations)
    if cells > MOST_CELLS:
        raise TooLargeError(
            f"the lattice of populations has {cells:.3g} cells, more than {MOST_CELLS:.3g}"
        )


def guard(work: float, memory: float) -> None:
    """Refuse what would take too long or too much memory."""
    if work > MOST_WORK:
        raise TooLargeError(f"it would take {work:.3g} multiplications, more than {MOST_WORK:.3g}")
    if memory > MOST_CELLS:
        raise TooLargeError(
            f"it would take {memory:.3g} numbers in memory, more than {MOST_CELLS:.3g}"
        )
