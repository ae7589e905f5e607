"""Runs recorded one after another are alike: a machine is quicker or slower for a while, whatever the load.

The logarithm of a run's demand is then a curve, the pace of its spell (a stretch of time, a random effect) and its own
scatter. ``ratio`` is the variance of paces over that of scatter. Least squares after ``levelling`` weighs what loads
differ by within spells against what spells differ by as both deserve; with a ratio of 0 it is ordinary least squares
(Fuller and Battese, JASA 68, 1973, page 626; Searle, Casella and McCulloch, Variance Components, 1992, chapter 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spells = NDArray[np.int64]
"""Which spell each run belongs to, shape (runs,)."""


def variance_ratio(residuals: Array, spells: Spells) -> float:
    """Variance between spells over the variance within, by their moments; 0 where it cannot be told."""
    members = spells[:, None] == np.unique(spells)
    runs = members.sum(axis=0)
    means = residuals @ members / runs
    freedom = len(residuals) - len(runs)
    within = ((residuals - members @ means) ** 2).sum() / max(freedom, 1)
    if freedom < 1 or len(runs) < 2 or within <= 0:
        return 0.0
    between = (runs * (means - residuals.mean()) ** 2).sum() - (len(runs) - 1) * within
    return float(max(between / (len(residuals) - (runs**2).sum() / len(residuals)) / within, 0.0))


def levelling(spells: Spells, ratio: float) -> Array:
    """The matrix that takes off each run's row a part of its spell's mean, shape (runs, runs)."""
    alike = spells[:, None] == spells
    runs = alike.sum(axis=1)
    part = 1 - 1 / np.sqrt(1 + runs * ratio)
    return np.eye(len(spells)) - alike * (part / runs)[:, None]


def pace(residuals: Array, ratio: float) -> float:
    """What to expect of another run of a spell: the mean residual of its runs, drawn to 0 the fewer they are."""
    runs = len(residuals)
    return float(ratio * residuals.sum() / (1 + ratio * runs))
