"""A number with its interval and flags, and how equations propagate them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.ledger import texts


@dataclass(frozen=True)
class IntervalValue:
    """``value_low_high``: ``[value, low, high]``, or None if the number could not be measured; ``flags``: texts."""

    value_low_high: NDArray[np.float64] | None
    flags: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        """The number itself; None where it is missing, undefined or unbounded."""
        if self.value_low_high is None or not np.isfinite(self.value_low_high[0]):
            return None
        return float(self.value_low_high[0])

    @property
    def is_exact(self) -> bool:
        """Whether the interval has no width."""
        return self.value_low_high is not None and self.value_low_high[1] == self.value_low_high[2]

    def with_flags(self, *flags: str) -> IntervalValue:
        """The same number with more flags."""
        return IntervalValue(self.value_low_high, _union(self.flags, flags))


def exact(value: float, *flags: str) -> IntervalValue:
    """A counted number: its interval has no width."""
    return IntervalValue(np.array([value, value, value], float), flags)


def from_bounds(value: float, low: float, high: float, *flags: str) -> IntervalValue:
    """A number with the bounds of its resolution interval."""
    return IntervalValue(np.array([value, low, high], float), flags)


def unavailable(reason: str) -> IntervalValue:
    """A number that could not be measured, and why."""
    return IntervalValue(None, (reason,))


def propagate(
    equation: Callable[..., Any], *quantities: IntervalValue, **named: IntervalValue | str | float
) -> IntervalValue:
    """``equation`` applied to quantities: missing if any of them is, with the flags of all.

    Sound because every equation is monotone in its uncertain inputs and the three entries move together; the ends
    are sorted, since some (throughput of a closed network) fall where others rise.
    """
    inputs = [*quantities, *(q for q in named.values() if isinstance(q, IntervalValue))]
    flags = _union(*(q.flags for q in inputs))
    if any(q.value_low_high is None for q in inputs):
        return IntervalValue(None, flags)
    options = {
        name: q.value_low_high if isinstance(q, IntervalValue) else q for name, q in named.items()
    }
    value, *ends = np.broadcast_to(equation(*(q.value_low_high for q in quantities), **options), 3)
    if np.isnan(value):
        return IntervalValue(None, _union(flags, (texts.UNDEFINED,)))
    if np.isinf(value):
        return IntervalValue(None, _union(flags, (texts.INFINITE,)))
    return IntervalValue(np.array([value, min(ends), max(ends)]), flags)


def _union(*groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(flag for group in groups for flag in group))
