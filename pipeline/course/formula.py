"""Formulas of given numbers, answers and columns: ``busy / length`` is a function of what is given.

A lesson writes its slips with them, one per line, in place of a ``lambda`` each.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from pipeline.course.given import Given


class Formula:
    """A number that is computed from what is given; ``+ - * / **`` of formulas and numbers are formulas.

    Examples
    --------
    >>> double = 2 * Formula(lambda given: 21.0)
    >>> double(None)
    42.0
    """

    def __init__(self, function: Callable[[Given], float]):
        self._function = function

    def __call__(self, g: Given) -> float:
        """The number; raises ``NoValue`` where the study has none."""
        return self._function(g)


def _evaluate(operand: Formula | float, g: Given) -> float:
    return operand(g) if isinstance(operand, Formula) else operand


def _with_operator(name: str) -> None:
    function = getattr(operator, name)

    def forward(self: Formula, other: Formula | float) -> Formula:
        return Formula(lambda g: function(self(g), _evaluate(other, g)))

    def backward(self: Formula, other: float) -> Formula:
        return Formula(lambda g: function(other, self(g)))

    setattr(Formula, f"__{name}__", forward)
    setattr(Formula, f"__r{name}__", backward)


for _name in ("add", "sub", "mul", "truediv", "pow"):
    _with_operator(_name)


def given(symbol: str) -> Formula:
    """A given number by its symbol."""
    return Formula(lambda g: g.value(symbol))


def answer(key: str) -> Formula:
    """The right answer to an earlier question; the student's own where an error is carried forward."""
    return Formula(lambda g: g.answer(key))


def column(role: str, name: str) -> Formula:
    """A column of the run of a role."""
    return Formula(lambda g: g.run(role)[name])
