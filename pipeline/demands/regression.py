"""Demands from many runs at once: non-negative least squares of busy time on what was completed.

U_r = U_0 + Σ_c D_c X_c,r for runs r and classes c (Utilization Law with a background; Lazowska et al. 1984, page
42; the regression after Zhang, Cherkasova and Smirni, ICAC 2007). No demand is negative, so least squares is
solved under that bound (Lawson and Hanson 1974, chapter 23).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]

MAX_CONDITION_NUMBER = 30.0
"""Condition number of the scaled columns above which they cannot be told apart (Belsley, Kuh and Welsch 1980,
page 105: 30 and more is strong dependency)."""
MIN_LOAD_RANGE = 2.0
"""The largest load must be so many times the smallest: else demand and background look alike."""


@dataclass(frozen=True)
class Regression:
    """Demands of classes at one station."""

    demands_s: dict[str, float]
    """Class → D, seconds a request."""
    background: float
    """U_0, busy seconds a second without requests."""
    draws: dict[str, Array]
    """Class → draws of D; ``background`` → draws of U_0; pairs of runs drawn with replacement."""
    residuals: Array
    """U_r measured − fitted, one a run."""
    condition: float
    warnings: tuple[str, ...]


def regress(
    throughputs_per_s: dict[str, ArrayLike],
    utilizations: ArrayLike,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Regression:
    """Fit one station. ``throughputs_per_s``: class → X of each run; ``utilizations``: busy seconds a second.

    Raises ``ValueError`` where there are fewer runs than unknowns or a number is not finite.
    """
    classes = list(throughputs_per_s)
    loads = np.column_stack([np.asarray(throughputs_per_s[name], float) for name in classes])
    used = np.asarray(utilizations, float)
    if not (np.isfinite(loads).all() and np.isfinite(used).all()):
        raise ValueError("throughputs and utilizations must be finite numbers")
    runs = len(used)
    if loads.shape[0] != runs:
        raise ValueError(f"{loads.shape[0]} throughputs, but {runs} utilizations")
    if runs < len(classes) + 1:
        raise ValueError(f"{runs} runs cannot tell {len(classes)} demands and a background")
    design = np.column_stack((loads, np.ones(runs)))
    solution = _solve(design, used)
    random = np.random.default_rng(seed)
    picked = random.integers(0, runs, size=(draws, runs))
    many = np.array([_solve(design[rows], used[rows]) for rows in picked])
    condition = _condition(design)
    return Regression(
        dict(zip(classes, solution[:-1].tolist(), strict=True)),
        float(solution[-1]),
        {**dict(zip(classes, many[:, :-1].T, strict=True)), "background": many[:, -1]},
        used - design @ solution,
        condition,
        tuple(_warnings(classes, loads, condition)),
    )


def _solve(design: Array, used: Array) -> Array:
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1
    return nnls(design / scale, used)[0] / scale


def _condition(design: Array) -> float:
    """Condition number of the columns, each of length 1."""
    lengths = np.linalg.norm(design, axis=0)
    if (lengths == 0).any():
        return float("inf")
    return float(np.linalg.cond(design / lengths))


def _warnings(classes: list[str], loads: Array, condition: float) -> list[str]:
    said = []
    for name, column in zip(classes, loads.T, strict=True):
        positive = column[column > 0]
        if positive.size == 0:
            said.append(f"{name}: no run has any load of it, so it has no demand")
        elif positive.max() < MIN_LOAD_RANGE * positive.min() and (column > 0).all():
            said.append(
                f"{name}: the loads range only from {positive.min():.3g} to {positive.max():.3g} a "
                "second, too narrow to tell its demand from the background"
            )
    if condition > MAX_CONDITION_NUMBER:
        said.append(
            f"the loads of the classes rise and fall together (condition number {condition:.0f}): "
            "their demands cannot be told apart, only their sum"
        )
    return said
