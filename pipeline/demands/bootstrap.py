"""Moving-block bootstrap of a time series: sampling variation of sums and ratios.

Consecutive windows are dependent (a long queue stays long), so blocks of windows are drawn with replacement (Künsch,
Annals of Statistics 17, 1989, page 1217; Lahiri, Resampling Methods for Dependent Data, 2003, chapter 2). Blocks wrap
around the end of the series (circular bootstrap, Politis and Romano 1992); otherwise the first and last windows, where
a load starts and ends, would be drawn less often than the others, and sums would be biased.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.distributions import normal_quantile, t_quantile

Array = NDArray[np.float64]

DRAWS = 1000
"""Bootstrap draws of a single run."""
CONFIDENCE_LEVEL = 0.95
"""Coverage of the intervals."""


def block_length(windows: int) -> int:
    """Windows per block: of the order of the cube root of their number, best for Künsch's variance."""
    return int(max(1, min(windows // 2, np.ceil(1.2 * np.cbrt(windows)))))


def moving_blocks(
    windows: int, draws: int, random: np.random.Generator, length: int | None = None
) -> NDArray[np.int64]:
    """Indices of windows, shape (draws, windows): blocks of ``length`` windows with uniform circular starts."""
    length = block_length(windows) if length is None else length
    blocks = -(-windows // length)
    starts = random.integers(0, windows, size=(draws, blocks))
    return (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :windows] % windows


def small_sample_factor(windows: int, length: int | None = None) -> float:
    """Factor on deviations of draws for few blocks: Student's t over the normal quantile, times √(n/(n − l)).

    n/l blocks estimate the variance, so t has n/l − 1 degrees of freedom. Blocks vary about the mean of the same
    series, which reduces the variance by l/n.
    """
    length = block_length(windows) if length is None else length
    degrees_of_freedom = max(1.0, windows / length - 1)
    upper = 0.5 + CONFIDENCE_LEVEL / 2
    return float(
        t_quantile(upper, degrees_of_freedom)
        / normal_quantile(upper)
        * np.sqrt(windows / (windows - length))
    )


def interval(draws: Array, level: float = CONFIDENCE_LEVEL) -> tuple[float, float]:
    """Quantiles that contain the middle ``level`` of the finite draws; NaN without any."""
    finite = draws[np.isfinite(draws)]
    if finite.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
