"""Service demands from many runs: non-negative least squares of busy time on completions.

U_r = U_0 + Σ_c D_c X_c,r for runs r and classes c (Utilization Law with a background; Lazowska et al. 1984, page 42;
regression as in Zhang, Cherkasova and Smirni, ICAC 2007). Non-negative least squares: Lawson and Hanson 1974, chapter
23.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from pipeline.demands import texts

Array = NDArray[np.float64]

MAX_CONDITION_NUMBER = 30.0
"""Condition number of the scaled columns above which they are collinear (Belsley, Kuh and Welsch 1980, page 105)."""
MIN_LOAD_RANGE = 2.0
"""Least ratio of the largest to the smallest load: below it demand and background cannot be separated."""


@dataclass(frozen=True)
class Regression:
    """Demands of classes at one station."""

    demands_s: dict[str, float]
    """Class → D, seconds per request."""
    background: float
    """U_0, busy seconds per second without requests."""
    draws: dict[str, Array]
    """Class → draws of D; ``background`` → draws of U_0 (bootstrap of runs)."""
    residuals: Array
    """U_r measured − fitted, shape (runs,)."""
    condition_number: float
    warnings: tuple[str, ...]


def regress(
    throughputs_per_s: dict[str, ArrayLike],
    utilizations: ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Regression:
    """Fit the demands at one station.

    Parameters
    ----------
    throughputs_per_s
        Class → X of each run.
    utilizations
        Busy seconds per second of each run.
    draws, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        With fewer runs than unknowns, or for a number that is not finite.
    """
    classes = list(throughputs_per_s)
    loads = np.column_stack([np.asarray(throughputs_per_s[name], float) for name in classes])
    busy = np.asarray(utilizations, float)
    if not (np.isfinite(loads).all() and np.isfinite(busy).all()):
        raise ValueError("throughputs and utilizations must be finite numbers")
    runs = len(busy)
    if loads.shape[0] != runs:
        raise ValueError(f"{loads.shape[0]} throughputs, but {runs} utilizations")
    if runs < len(classes) + 1:
        raise ValueError(f"{runs} runs are too few for {len(classes)} demands and a background")
    design = np.column_stack((loads, np.ones(runs)))
    solution = _solve(design, busy)
    random = np.random.default_rng(seed)
    resampled = random.integers(0, runs, size=(draws, runs))
    solutions = np.array([_solve(design[rows], busy[rows]) for rows in resampled])
    condition_number = _condition_number(design)
    return Regression(
        dict(zip(classes, solution[:-1].tolist(), strict=True)),
        float(solution[-1]),
        {**dict(zip(classes, solutions[:, :-1].T, strict=True)), "background": solutions[:, -1]},
        busy - design @ solution,
        condition_number,
        tuple(_warnings(classes, loads, condition_number)),
    )


def _solve(design: Array, busy: Array) -> Array:
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1
    return nnls(design / scale, busy)[0] / scale


def _condition_number(design: Array) -> float:
    """Condition number of the columns, each of length 1."""
    lengths = np.linalg.norm(design, axis=0)
    if (lengths == 0).any():
        return float("inf")
    return float(np.linalg.cond(design / lengths))


def _warnings(classes: list[str], loads: Array, condition_number: float) -> list[str]:
    warnings = []
    for name, column in zip(classes, loads.T, strict=True):
        positive = column[column > 0]
        if positive.size == 0:
            warnings.append(texts.no_load_of_class(name))
        elif positive.max() < MIN_LOAD_RANGE * positive.min() and (column > 0).all():
            warnings.append(texts.narrow_load_range(name, positive.min(), positive.max()))
    if condition_number > MAX_CONDITION_NUMBER:
        warnings.append(texts.collinear_loads(condition_number))
    return warnings
