"""Bounds of an expression of intervals, and the value of one input that makes two sides equal.

Short, because rules and reconciliation share these two functions and nothing else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[..., Array]

MAX_CORNERS = 5
"""Inputs of which every combination of bounds is computed; with more, the expression must increase in each."""
_RATIOS = np.logspace(-6, 6, 241)
"""Multiples of the printed value among which a solution is looked for."""


def bounds(function: Function, inputs: Sequence[Array]) -> Array:
    """``[value, low, high]`` of a function that is monotone in each input: its extremes are at the corners.

    Examples
    --------
    >>> bounds(np.multiply, [np.array([[2.0], [1.9], [2.1]]), np.array([[5.0], [5.0], [5.0]])]).ravel()
    array([10. ,  9.5, 10.5])
    """
    with np.errstate(all="ignore"):
        value = np.asarray(function(*(each[0] for each in inputs)), float)
        if len(inputs) > MAX_CORNERS:
            corners = [[each[bound] for each in inputs] for bound in (1, 2)]
        else:
            corners = [
                [each[bound] for each, bound in zip(inputs, chosen, strict=True)]
                for chosen in itertools.product((1, 2), repeat=len(inputs))
            ]
        ends = [np.asarray(function(*corner), float) for corner in corners]
    return np.stack([value, np.fmin.reduce([value, *ends]), np.fmax.reduce([value, *ends])])


def solve_for(difference: Callable[[Array], Array], value: float, unit: float) -> float | None:
    """The input nearest to ``value`` at which ``difference`` is 0, or None; ``unit`` is its size if it is 0."""
    from scipy.optimize import brentq

    grid = (value or unit) * _RATIOS
    with np.errstate(all="ignore"):
        side = np.sign(difference(grid))
        changes = np.flatnonzero((side[:-1] * side[1:] <= 0) & np.isfinite(side[:-1] * side[1:]))
        if not changes.size:
            return None
        distance = np.abs(np.log(grid[changes] / (value or unit)))
        start = changes[np.argmin(distance)]
        try:
            root = brentq(lambda x: float(difference(np.array([x]))[0]), grid[start], grid[start + 1])  # fmt: skip
        except ValueError:  # a pole, not a zero
            return None
    return float(root)
