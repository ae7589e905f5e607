"""A number on its way through the equations: value, interval, and the doubts it has gathered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantity:
    """``triple`` is ``[value, low, high]``, or None for what could not be measured; ``flags`` tell doubts."""

    triple: NDArray[np.float64] | None
    flags: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """The number itself; None where it is missing, undefined or unbounded."""
        if self.triple is None or not np.isfinite(self.triple[0]):
            return None
        return float(self.triple[0])

    @property
    def is_exact(self) -> bool:
        """Whether the interval has no width."""
        return self.triple is not None and self.triple[1] == self.triple[2]

    def doubted(self, *flags: str) -> Quantity:
        """The same number with more flags."""
        return Quantity(self.triple, _union(self.flags, flags))


def exact(value: float, *flags: str) -> Quantity:
    """A counted number: its interval has no width."""
    return Quantity(np.array([value, value, value], float), flags)


def between(value: float, low: float, high: float, *flags: str) -> Quantity:
    """A number with the interval that its instrument's resolution leaves."""
    return Quantity(np.array([value, low, high], float), flags)


def missing(reason: str) -> Quantity:
    """A number that could not be measured, and why."""
    return Quantity(None, (reason,))


def through(
    equation: Callable[..., Any], *quantities: Quantity, **named: Quantity | str | float
) -> Quantity:
    """``equation`` applied to quantities: it lacks what any of them lacks and inherits all their doubts.

    Sound because every equation is monotone in its uncertain inputs and the three entries move together; the ends
    are sorted, since some (throughput of a closed network) fall where others rise.
    """
    inputs = [*quantities, *(q for q in named.values() if isinstance(q, Quantity))]
    flags = _union(*(q.flags for q in inputs))
    if any(q.triple is None for q in inputs):
        return Quantity(None, flags)
    options = {name: q.triple if isinstance(q, Quantity) else q for name, q in named.items()}
    value, *ends = np.broadcast_to(equation(*(q.triple for q in quantities), **options), 3)
    if np.isnan(value):
        return Quantity(None, _union(flags, ("undefined: nothing divided by nothing",)))
    if np.isinf(value):
        return Quantity(None, _union(flags, ("unbounded: utilization is 1 or more",)))
    return Quantity(np.array([value, min(ends), max(ends)]), flags)


def _union(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for group in groups for flag in group))
