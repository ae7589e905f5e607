"""Sentences about factors, designs and effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

BEYOND_NOISE, INCONCLUSIVE, WITHIN_NOISE = "beyond noise", "inconclusive", "within noise"
NOT_ESTIMATED = "not estimated"
VERDICTS = (BEYOND_NOISE, INCONCLUSIVE, WITHIN_NOISE, NOT_ESTIMATED)

MAX_LISTED = 6
"""Values that a message lists."""


def listed(values: Sequence[Any]) -> str:
    """The first values, and how many there are."""
    shown = ", ".join(map(str, values[:MAX_LISTED]))
    return shown if len(values) <= MAX_LISTED else f"{shown}, … ({len(values)})"


def not_two_levels(name: str, distinct: Sequence[Any]) -> str:
    """A factor without exactly two levels."""
    if not distinct:
        return f"{name}: no row has a value; a factor needs two levels"
    count = "1 level" if len(distinct) == 1 else f"{len(distinct)} levels"
    ordered = sorted(distinct, key=lambda value: (str(type(value)), value))
    return f"{name} has {count} ({listed(ordered)}); a factor needs two"


def no_such_level(name: str, low: Any, levels: Sequence[Any]) -> str:
    """A low level that is not in the column."""
    return f"{name}={low}: no such level; levels: {', '.join(map(str, levels))}"


CONSTANT = "the response is the same in all rows: there is no variation to allocate"
SATURATED = (
    "no degrees of freedom are left for the error: intervals by Lenth's pseudo standard error, which assumes that most"
    " effects are 0"
)
NO_ERROR = (
    "no degrees of freedom are left for the error, and {count} effects are too few for Lenth's method: no intervals;"
    " replicate the runs"
)
ZERO_PSE = "half of the effects are exactly 0, so Lenth's pseudo standard error is 0: no intervals"
EXACT_FIT = "the residuals are 0: replications are equal to the last digit; check that they are separate measurements"
NOT_ORTHOGONAL = (
    "the rows are not balanced: estimates by least squares, shares by type III sums of squares,"
    " which do not add to 1"
)


def main_effects_aliased(pairs: Sequence[str]) -> str:
    """Main effects that have the same column as other main effects."""
    return f"main effects that no analysis of these rows separates: {'; '.join(pairs)}"


def order_omitted(order: int, reason: str) -> str:
    """Interactions of an order that are not in the model."""
    if reason == "many":
        return f"interactions of {order} and more factors are not fitted: there are too many"
    return (
        f"interactions of {order} and more factors are not fitted: the rows do not separate all of them"
        " (missing cells or too few rows)"
    )


def order_not_requested(order: int) -> str:
    """Interactions that belong to the error because they were not requested."""
    return (
        f"interactions of more than {order} factors are part of the error"
        if order > 1
        else ("interactions are part of the error")
    )


def dependent(name: str) -> str:
    """An effect whose column is a linear combination of earlier ones."""
    return f"{name}: the rows do not separate it from the effects before it"


WITH_BLOCKS = "confounded with blocks or covariates"
DEPENDENT = "a linear combination of effects before it"


def rows_omitted(count: int, reason: str) -> str:
    """Rows that are not in the model."""
    rows = "1 row is" if count == 1 else f"{count} rows are"
    return f"{rows} left out: {reason}"


NO_FACTORS = "no factors: give the columns with two levels whose effects are wanted"
DEPENDENT_COVARIATES = (
    "the covariates are linear combinations of each other or of the blocks: leave one of them out"
)


def not_positive(response: str, smallest: float) -> str:
    """A logarithm that does not exist."""
    return f"{response}: {smallest:g} has no logarithm; fit the values themselves"


def nothing_estimated(rows: int) -> str:
    """No effect can be estimated."""
    noun = "row" if rows == 1 else "rows"
    return f"{rows} {noun} with a value: too few to estimate any effect"


def no_such_column(name: str, columns: Sequence[str]) -> str:
    """A column that the table lacks."""
    return f"no column {name}; columns: {', '.join(columns)}"


def used_twice(name: str) -> str:
    """A column with two roles."""
    return f"{name} is given more than once: as response, factor, block or covariate"


def no_number(name: str, values: Sequence[Any]) -> str:
    """A response or covariate that is text."""
    return f"{name} is no column of numbers: {listed(values)}"


def no_such_factor(name: str, factors: Sequence[str]) -> str:
    """A name that is no factor."""
    return f"{name} is no factor; factors: {', '.join(factors)}"


def constant_covariate(name: str, value: float) -> str:
    """A covariate without variation."""
    return f"covariate {name} is {value:g} in all rows: leave it out"


def no_rows(omitted: dict[str, int]) -> str:
    """No complete row."""
    reasons = "; ".join(rows_omitted(count, reason) for reason, count in omitted.items())
    return f"no row has all values: {reasons}" if reasons else "the table has no rows"
