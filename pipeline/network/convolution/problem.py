"""The network as it is convolved: scaled demands, the stations' factors, delays folded into the think times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import logsumexp

from pipeline.network.arrays import Array, Counts
from pipeline.network.convolution.limits import guard
from pipeline.network.service import Service


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
