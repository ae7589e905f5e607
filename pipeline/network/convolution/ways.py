"""What a way to hold G has to be able to do; :mod:`line` and :mod:`layers` have two each."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from pipeline.network.arrays import Array
from pipeline.network.convolution.problem import Problem
from pipeline.network.service import log_poisson

ENOUGH = 1e-250
"""G(N) above this: what underflowed on the way cannot matter."""


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
