"""Random times of a given mean and squared coefficient of variation, drawn in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.network.gg1 import balanced_phase

BLOCK = 4096


def draw_times(
    rng: np.random.Generator, mean_s: float, scv: float, size: int
) -> NDArray[np.float64]:
    """``size`` random times (s) of that mean and c².

    0: constant. Below 1: gamma. 1: exponential. Above: hyperexponential with two phases and balanced means. The same
    distributions as in pipeline/network/simulation.py.
    """
    if scv == 0 or mean_s == 0:
        return np.full(size, mean_s)
    if scv <= 1:
        return rng.gamma(1 / scv, mean_s * scv, size)
    fast_probability = balanced_phase(scv)
    phase = np.where(rng.random(size) < fast_probability, fast_probability, 1 - fast_probability)
    return rng.exponential(1.0, size) * mean_s / (2 * phase)


def time_stream(rng: np.random.Generator, mean_s: float, scv: float) -> Iterator[float]:
    """An endless stream of the same."""
    while True:
        yield from draw_times(rng, mean_s, scv, BLOCK).tolist()


def count_stream(rng: np.random.Generator, mean: float) -> Iterator[int]:
    """An endless stream of whole numbers of that mean: the next lower one, or one more by chance."""
    lower = int(mean)
    while True:
        yield from (lower + (rng.random(BLOCK) < mean - lower)).tolist()
