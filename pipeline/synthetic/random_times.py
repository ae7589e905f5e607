"""Random times of a given mean and squared coefficient of variation, drawn in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.network.gg1 import balanced_phase

BLOCK = 4096


def times(rng: np.random.Generator, mean_s: float, scv: float, size: int) -> NDArray[np.float64]:
    """``size`` times (s) of that mean and c².

    0: all the same. Below 1: gamma. 1: exponential. Above: a mixture of two exponentials with balanced means. The
    same distributions as in pipeline/network/simulation.py.
    """
    if scv == 0 or mean_s == 0:
        return np.full(size, mean_s)
    if scv <= 1:
        return rng.gamma(1 / scv, mean_s * scv, size)
    quick = balanced_phase(scv)
    phase = np.where(rng.random(size) < quick, quick, 1 - quick)
    return rng.exponential(1.0, size) * mean_s / (2 * phase)


def stream(rng: np.random.Generator, mean_s: float, scv: float) -> Iterator[float]:
    """The same, one after the other, without end."""
    while True:
        yield from times(rng, mean_s, scv, BLOCK).tolist()


def counts(rng: np.random.Generator, mean: float) -> Iterator[int]:
    """Whole numbers of that mean, without end: the next lower, and one more by chance."""
    whole = int(mean)
    while True:
        yield from (whole + (rng.random(BLOCK) < mean - whole)).tolist()
