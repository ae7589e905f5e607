"""The network as it is convolved: scaled demands, the stations' factors, delays folded into the think times.

What an exact solution may take is refused before it begins, not given up in the middle. :class:`Way` is what a way to
hold G has to be able to do; :mod:`single_class` and :mod:`multiclass` have two each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from pipeline.network.arrays import Array, Counts
from pipeline.network.lattice import size
from pipeline.network.service import Service, log_poisson

MOST_WORK = 4_000_000_000
"""Multiplications that are tried, at about a thousand million a second."""
CALL = 20_000
"""Multiplications that could be done while an array operation is being started."""
MOST_CELLS = 12_000_000
"""Classes times populations of a lattice: 8 bytes each, a few times."""
ENOUGH = 1e-250
"""G(N) above this: what underflowed on the way cannot matter."""


class TooLargeError(ValueError):
    """Exact solution would take too much time or memory."""


def lattice_cells(populations: Counts) -> int:
    """Classes times Π (N_c + 1)."""
    return len(populations) * size(populations)


def guard_lattice(populations: Counts) -> None:
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


@dataclass
class Problem:
    """A network with scaled demands, delays folded into the think times, idle stations left out."""

    demands: Array
    populations: Counts
    think: Array
    delays: set[int]
    factors: dict[int, Factor]
    asked: set[int]
    """Stations whose distribution of numbers is wanted."""

    @classmethod
    def of(
        cls,
        demands: Array,
        populations: Counts,
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


class Way(ABC):
    """How G is held and multiplied: on a line or in layers, plain or as logarithms; demands tilted by x."""

    def __init__(self, problem: Problem, x: Array):
        self.problem, self.x = problem, x
        self.cached: dict[int, Array] = {}

    def load(self, k: int) -> float:
        """Load of station k in the open network of rates x."""
        return float(self.problem.demands[k] @ self.x)

    def ratio(self, k: int) -> float:
        """The same, as a part of the station's capacity."""
        return self.load(k) / self.problem.factors[k].capacity

    def log_p(self, k: int) -> Array:
        """Log P(n at station k of that network | n ≤ |N|)."""
        if k not in self.cached:
            self.cached[k] = self.problem.probabilities(self.load(k), self.problem.factors[k])
        return self.cached[k]

    def log_thinking(self, c: int) -> Array:
        """Log P(n customers of class c at its delays), n = 0 … N_c."""
        mean = float(self.problem.think[c] * self.x[c])
        n = np.arange(int(self.problem.populations[c]) + 1.0)
        return log_poisson(n, mean) if mean > 0 else np.where(n == 0, 0.0, -np.inf)

    def is_single(self, k: int) -> bool:
        """Whether station k is folded in by :meth:`with_singles`."""
        factor = self.problem.factors[k]
        return factor.is_single and self.load(k) < factor.capacity

    @abstractmethod
    def base(self) -> Array:
        """The delays' part of G."""

    @abstractmethod
    def with_singles(self, g: Array, stations: list[int]) -> Array:
        """Fold in single-server stations."""

    @abstractmethod
    def with_station(self, g: Array, k: int) -> Array:
        """Fold in any station."""

    @abstractmethod
    def ratios(self, g: Array) -> Array | None:
        """G(N − 1_c) / G(N), (C,); None if too much has underflowed."""

    @abstractmethod
    def queue_at_single(self, k: int, g: Array) -> Array:
        """Q_kc from G itself, (C,)."""

    @abstractmethod
    def queue_at(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        """Q_kc and P(n customers at k) from G without station k."""
