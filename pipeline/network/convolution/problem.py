"""The network as it is convolved: scaled demands, station factors, delays added to the think times.

Resource limits are checked before the computation starts. :class:`Backend` is the interface of a representation of
G; :mod:`single_class` and :mod:`multiclass` have two each, in linear and in log space.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from pipeline.errors import Error
from pipeline.network.arrays import Array, Counts
from pipeline.network.lattice import lattice_size
from pipeline.network.service import Service, log_poisson

MAX_WORK = 4_000_000_000
"""Multiplications, about a thousand million per second."""
ARRAY_CALL_WORK = 20_000
"""Multiplications that take as long as starting one array operation."""
MAX_CELLS = 12_000_000
"""Classes times populations of a lattice: 8 bytes each, a few times."""
MIN_CONSTANT = 1e-250
"""With G(N) above this, what underflowed on the way is negligible."""


class TooLargeError(Error, ValueError):
    """Exact solution would take too much time or memory."""


def lattice_cells(populations: Counts) -> int:
    """Classes times Π (N_c + 1)."""
    return len(populations) * lattice_size(populations)


def check_lattice(populations: Counts) -> None:
    """Raise :class:`TooLargeError` for a lattice that does not fit in memory."""
    # an integer of thousands of classes takes long to multiply, and exceeds the range of a double
    with np.errstate(over="ignore"):
        cells = len(populations) * np.prod(populations + 1.0)
    if cells > MAX_CELLS:
        raise TooLargeError(
            f"the lattice of populations has {cells:.3g} cells (limit {MAX_CELLS:.3g})"
        )


def check_resources(multiplications: float, numbers: float) -> None:
    """Raise :class:`TooLargeError` where the time (multiplications) or memory (numbers) exceeds its limit."""
    if multiplications > MAX_WORK:
        raise TooLargeError(f"{multiplications:.3g} multiplications needed (limit {MAX_WORK:.3g})")
    if numbers > MAX_CELLS:
        raise TooLargeError(f"{numbers:.3g} numbers in memory needed (limit {MAX_CELLS:.3g})")


@dataclass(frozen=True)
class StationFactor:
    """φ of one station that also carries an open load, for n = 0 … ``max_customers``."""

    service: Service
    load: float
    max_customers: int

    @property
    def limiting_index(self) -> int:
        """T, from which b(n+1)/b(n) = 1/β."""
        if self.service.is_delay:
            return self.max_customers
        return min(self.service.limiting_index, self.max_customers)

    @property
    def capacity(self) -> float:
        """β, the capacity net of the open load."""
        return self.service.capacity - self.load

    @cached_property
    def log_b(self) -> Array:
        """Log b(n), n = 0 … ``max_customers``."""
        return self.service.log_coefficients_given_load(self.load, self.max_customers)

    @property
    def is_single_server(self) -> bool:
        """Whether φ = b(0) / (1 − t/β)."""
        return self.limiting_index == 0

    @cached_property
    def has_short_filter(self) -> bool:
        """Whether φ(t) (1 − t/β) has few coefficients, none negative: the station is never slower than its limit."""
        if self.limiting_index * 3 >= self.max_customers:
            return False
        step = np.diff(self.log_b[: self.limiting_index + 1])
        return bool(np.all(step >= -np.log(self.capacity) - 1e-15))


@dataclass
class ConvolutionProblem:
    """A network with scaled demands, delays added to the think times, unvisited stations left out."""

    demands: Array
    populations: Counts
    think: Array
    delays: set[int]
    factors: dict[int, StationFactor]
    marginals_for: set[int]
    """Stations whose marginal distribution is requested."""

    @classmethod
    def from_network(
        cls,
        demands: Array,
        populations: Counts,
        think: Array,
        services: Sequence[Service],
        loads: Array,
        marginals_for: set[int],
    ) -> ConvolutionProblem:
        """Classify the stations: delay, factor, or unvisited."""
        customers = int(populations.sum())
        delays: set[int] = set()
        factors: dict[int, StationFactor] = {}
        think = think.copy()
        for k, service in enumerate(services):
            is_visited = np.any(demands[k] > 0)
            never_full = service.kind == "queue" and service.servers >= customers and loads[k] == 0
            if (service.is_delay or never_full) and (k not in marginals_for):
                delays.add(k)
                think = think + demands[k]
            elif is_visited or k in marginals_for:
                if loads[k] > 0 and not service.is_delay:  # the open customers are summed out
                    limit = service.limiting_index
                    check_resources((limit + 1) * (min(limit, customers) + 1) * 20, limit)
                factors[k] = StationFactor(service, float(loads[k]), customers)
        return cls(demands, populations, think, delays, factors, marginals_for)

    def shares(self, x: Array, k: int) -> Array:
        """Class c's fraction of station k's load, (C,)."""
        load = x * self.demands[k]
        return load / load.sum() if load.any() else np.zeros_like(load)

    def log_marginal(self, load: float, factor: StationFactor) -> Array:
        """Log P(n at the open station | n ≤ |N|)."""
        if load <= 0:
            return np.where(np.arange(len(factor.log_b)) == 0, 0.0, -np.inf)
        logs = factor.log_b + np.arange(len(factor.log_b)) * np.log(load)
        return logs - logsumexp(logs)


class Backend(ABC):
    """A representation of G and its operations: one or several classes, linear or log space; demands scaled by x."""

    def __init__(self, problem: ConvolutionProblem, x: Array):
        self.problem, self.x = problem, x
        self._log_marginals: dict[int, Array] = {}

    def load(self, k: int) -> float:
        """Load of station k in the open network of rates x."""
        return float(self.problem.demands[k] @ self.x)

    def utilization(self, k: int) -> float:
        """The same, as a fraction of the station's capacity."""
        return self.load(k) / self.problem.factors[k].capacity

    def log_p(self, k: int) -> Array:
        """Log P(n at station k of that network | n ≤ |N|)."""
        if k not in self._log_marginals:
            self._log_marginals[k] = self.problem.log_marginal(
                self.load(k), self.problem.factors[k]
            )
        return self._log_marginals[k]

    def log_think_marginal(self, c: int) -> Array:
        """Log P(n customers of class c at its delays), n = 0 … N_c."""
        mean = float(self.problem.think[c] * self.x[c])
        n = np.arange(int(self.problem.populations[c]) + 1.0)
        return log_poisson(n, mean) if mean > 0 else np.where(n == 0, 0.0, -np.inf)

    def is_single_server(self, k: int) -> bool:
        """Whether station k can be folded in by :meth:`fold_single_servers`."""
        factor = self.problem.factors[k]
        return factor.is_single_server and self.load(k) < factor.capacity

    @abstractmethod
    def delay_factor(self) -> Array:
        """G of the delays alone."""

    @abstractmethod
    def fold_single_servers(self, g: Array, stations: list[int]) -> Array:
        """G with single-server stations folded in."""

    @abstractmethod
    def fold_station(self, g: Array, k: int) -> Array:
        """G with one station of any kind folded in."""

    @abstractmethod
    def throughput_ratios(self, g: Array) -> Array | None:
        """G(N − 1_c) / G(N), (C,); None if too much has underflowed."""

    @abstractmethod
    def single_server_queue(self, k: int, g: Array) -> Array:
        """Q_kc from the complete G, (C,)."""

    @abstractmethod
    def station_queue(self, k: int, without: Array, g: Array) -> tuple[Array, Array]:
        """Q_kc and P(n customers at k) from G without station k."""
