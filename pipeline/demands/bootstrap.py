"""Moving blocks: how far a figure would wander if the same system were watched again.

Seconds that follow each other are not independent (a queue that is long stays long), so whole blocks of them are
drawn with replacement (Künsch, Annals of Statistics 17, 1989, page 1217; Lahiri, Resampling Methods for Dependent
Data, 2003, chapter 2). The series is closed to a ring (Politis and Romano 1992): else the first and last windows,
where a load sets in and ends, would be drawn less often than the rest, and every sum would be off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Array = NDArray[np.float64]

DRAWS = 1000
CONFIDENCE_LEVEL = 0.95


def block_length(windows: int) -> int:
    """Windows in a block: about the cube root of their number, the order that Künsch's variance asks for."""
    return int(max(1, min(windows // 2, np.ceil(1.2 * np.cbrt(windows)))))


def moving_blocks(
    windows: int, draws: int, random: np.random.Generator, length: int | None = None
) -> NDArray[np.int64]:
    """Indices of windows, shape (draws, windows): blocks of ``length`` that begin anywhere on the ring."""
    length = block_length(windows) if length is None else length
    blocks = -(-windows // length)
    starts = random.integers(0, windows, size=(draws, blocks))
    return (starts[:, :, None] + np.arange(length)).reshape(draws, -1)[:, :windows] % windows


def small_sample_factor(windows: int, length: int | None = None) -> float:
    """What few blocks ask for beyond the draws themselves: Student's t instead of the normal, and n/(n − l).

    The variance is told by n/l blocks, so the quantile is t's with n/l − 1 degrees of freedom; blocks within one
    series vary around its own mean, which takes a part l/n of the variance away.
    """
    length = block_length(windows) if length is None else length
    freedom = max(1.0, windows / length - 1)
    upper = 0.5 + CONFIDENCE_LEVEL / 2
    return float(t.ppf(upper, freedom) / norm.ppf(upper) * np.sqrt(windows / (windows - length)))


def interval(draws: Array, level: float = CONFIDENCE_LEVEL) -> tuple[float, float]:
    """The middle ``level`` of the draws; not-a-number where there are none."""
    good = draws[np.isfinite(draws)]
    if good.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(good, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
