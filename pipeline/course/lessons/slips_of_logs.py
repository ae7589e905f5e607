"""Formulas of lesson 6: columns of the runs table, and values that slips give on the raw logs.

A slip that is computed from the raw text is left out where a host has no raw logs.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.course.given import Given, NoValue
from pipeline.course.misread import misread

Formula = Callable[[Given], float]


def of(column: str, role: str = "run") -> Formula:
    """A column of the runs table."""
    return lambda g: g.run(role)[column]


def misread_value(g: Given, name: str, role: str = "run") -> float:
    """A wrong value read from the raw logs; raises ``NoValue`` where there are none, or where it is 0."""
    try:
        values = misread(g.folder(role), g.run(role).name.rsplit("/", 1)[-1])
    except (OSError, LookupError) as error:
        raise NoValue(f"no raw logs: {error}") from error
    if not values.get(name):
        raise NoValue(name)
    return values[name]


def log(name: str, role: str = "run") -> Formula:
    """A slip that is read from the raw logs."""
    return lambda g: misread_value(g, name, role)


def unlike(formula: Formula, right: Formula, tolerance: float = 0.008) -> Formula:
    """A slip that some runs cannot tell from the right answer: left out on these."""

    def value(g: Given) -> float:
        wrong = formula(g)
        if abs(wrong - right(g)) <= tolerance * abs(right(g)):
            raise NoValue("the same value on this run")
        return wrong

    return value
