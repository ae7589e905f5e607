"""What single change would make the two sides of a broken rule agree: one value, or the unit of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.audit import texts
from pipeline.audit.columns import Values
from pipeline.audit.intervals import solve_for
from pipeline.audit.rules import ASSUMED, AT_MOST_1, Rule
from pipeline.audit.vocabulary import Key
from pipeline.units import format_short

Array = NDArray[np.float64]

UNIT_FACTORS = {
    1000.0: "a factor of 1,000, as of ms and s",
    1e6: "a factor of 1,000,000, as of µs and s",
    60.0: "a factor of 60, as of s and min",
    3600.0: "a factor of 3,600, as of s and h",
    100.0: "a factor of 100, as of percent and a share",
    1000 / 60: "a factor of 1000/60, as of ms and s with per min and per s",
}
NEAR = 0.01
"""Relative difference to a whole number of servers, or to a ratio of units."""
ASSUMED_UNIT_S = 1.0
MAX_SERVERS = 4096


def reconcile(rule: Rule, values: Mapping[Key, Values], row: int, lhs: Array, rhs: Array) -> str:
    """Values, one at a time, with which ``lhs relation rhs`` holds, each in its column's unit; and a unit's factor.

    Returns
    -------
    str
        ``R_ms = 16.34; N = 519; …``, empty if no single change does it.
    """
    changes = []
    for key in rule.keys:
        difference = _difference(rule, values, row, key)
        solution = solve_for(difference, float(values[key].bounds[0, row]), ASSUMED_UNIT_S)
        if solution is None:
            continue
        column = values[key]
        if key.symbol == "m":
            whole = round(solution)
            if not 1 <= whole <= MAX_SERVERS or abs(solution - whole) > NEAR * whole:
                continue
            solution = float(whole)
        if key.symbol in ("U", "U_total", "P_wait") and solution > 1:
            continue
        factor = 1e-3 if key.qualifier == ASSUMED and key.symbol == "Z" else column.scale[row]
        sign = "="
        if rule.relation == "<=":
            sign = ">=" if difference(np.array([solution * (1 + NEAR)]))[0] < 0 else "<="
        unit = f" {column.unit}" if column.unit else ""
        changes.append(f"{column.name} {sign} {format_short(solution / factor, 4)}{unit}")
    for key in rule.lhs.keys:
        if rule.name == AT_MOST_1 and not values[key].unit:
            changes.append(texts.percent(values[key].name))
    if rule.relation == "=" and (text := _units(lhs, rhs)):
        changes.append(texts.unit_factor(text))
    return "; ".join(changes)


def _difference(
    rule: Rule, values: Mapping[Key, Values], row: int, key: Key
) -> Callable[[Array], Array]:
    """Left minus rhs as a function of one quantity, the others as printed."""

    def difference(x: Array) -> Array:
        sides = []
        for side in (rule.lhs, rule.rhs):
            inputs = [
                x if each == key else np.full_like(x, values[each].bounds[0, row])
                for each in side.keys
            ]
            sides.append(np.broadcast_to(side.function(*inputs), x.shape))
        return sides[0] - sides[1]

    return difference


def _units(lhs: Array, rhs: Array) -> str:
    """The ratio of units that the ratio of the two sides is, within their intervals."""
    with np.errstate(all="ignore"):
        low, high = lhs[1] / rhs[2], lhs[2] / rhs[1]
    if not (np.isfinite(low) and np.isfinite(high) and low > 0):
        return ""
    for factor, text in UNIT_FACTORS.items():
        for value in (factor, 1 / factor):
            if low * (1 - NEAR) <= value <= high * (1 + NEAR):
                return text
    return ""
