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
    "no degrees of freedom are left for the error, and too few effects ({count}) for Lenth's method: no intervals;"
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
        " (missing cells or too few rows), so they are part of the error and of the effects that are fitted"
    )


def error_includes(names: Sequence[str]) -> str:
    """Interactions that belong to the error because they were not requested."""
    return f"interactions that are part of the error, as they were not requested: {listed(names)}"


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


def block_by_name(name: str) -> str:
    """A block taken from its name."""
    return f"blocks: column {name}"


def no_factor_columns(path: Any, counts: dict[str, int]) -> str:
    """No column is a factor."""
    columns = ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
    return f"{path}: no column with two distinct values, so no factor; distinct values of the columns: {columns}"


def replication_columns(names: Sequence[str]) -> str:
    """Replications in several columns."""
    return f"replications in columns: {', '.join(names)}"


def equal_rows(count: int) -> str:
    """Rows that are equal though they number their replications."""
    rows = "1 row is equal" if count == 1 else f"{count} rows are equal"
    return f"{rows} to an earlier one in every column: the same observation may have been entered twice"


def constant_column(name: str, value: Any) -> str:
    """A column with one value."""
    return f"{name} is {value} in all rows: no factor"


def product_columns(names: Sequence[str]) -> str:
    """Columns of a table of signs that are interactions."""
    return f"products of other columns, not factors: {', '.join(names)}"


def not_factors(described: Sequence[str]) -> str:
    """Columns with more or fewer than two values."""
    return f"not factors, which have two levels: {', '.join(described)}"


def no_number_in(path: str, line: int, name: str, field: str) -> str:
    """A field of a response or covariate that is text."""
    return f"{path}:{line}: {name}: {field!r} is no number"


def centre_points(count: int, centre: float | None, corners: float | None) -> str:
    """Centre points are not part of the model with two levels."""
    noun = "centre point is" if count == 1 else "centre points are"
    if centre is None or corners is None:
        return f"{count} {noun} left out"
    return (
        f"{count} {noun} left out; mean at the centre {centre:.6g}, of the other rows {corners:.6g}:"
        " a difference beyond noise is curvature"
    )


NO_LOGARITHM = "a value is 0 or below, which has no logarithm"
NO_EVIDENCE = "too few degrees of freedom to compare"


def fewer_interactions(additive: float, multiplicative: float) -> str:
    """Interactions that logarithms remove."""
    return (
        f"interactions explain {additive:.1%} of the variation of the values, {multiplicative:.1%} of that of their"
        " logarithms (no degrees of freedom to estimate the power of Box and Cox)"
    )


def no_gain(ratio: float) -> str:
    """Without replications, logarithms do not simplify the model."""
    return (
        f"the largest value is {ratio:.3g} times the smallest, and logarithms do not make the interactions much smaller"
        " (no degrees of freedom to estimate the power of Box and Cox)"
    )


def power_interval(power: float, low: float | None, high: float | None) -> str:
    """The power of Box and Cox with its interval."""
    lower = "below −2" if low is None else f"{low:g}"
    upper = "above 2" if high is None else f"{high:g}"
    return f"power of Box and Cox {power:g} (95 % interval {lower} to {upper})"


def either_scale(interval: str) -> str:
    """Both scales fit."""
    return f"{interval}: contains 1 (values) and 0 (logarithms), so the data do not decide; the values are simpler"


def values_fit(interval: str) -> str:
    """Only the values fit."""
    return f"{interval}: contains 1 (values), not 0 (logarithms)"


def logarithms_fit(interval: str) -> str:
    """Only the logarithms fit."""
    return f"{interval}: contains 0 (logarithms), not 1 (values)"


def neither_fits(interval: str) -> str:
    """Another power fits."""
    return f"{interval}: contains neither 1 (values) nor 0 (logarithms)"


TOO_MANY_BLOCKS = (
    "so many blocks would be confounded with a main effect: use fewer blocks,"
    " or make each replicate a block"
)


def bad_factor_name(name: str) -> str:
    """A name that a design cannot have."""
    return f"factor {name!r}: a name is a text without ':', and not one of order, block, replicate, cell"


def bad_fraction(fraction: int, factors: int, largest: int) -> str:
    """A fraction that no design of resolution III has."""
    return (
        f"fraction {fraction}: with {factors} factors, p of a 2^(k-p) design is 0 to {largest},"
        " so that no main effect is aliased with another"
    )


def bad_generator(name: str, parts: Sequence[str], base: Sequence[str]) -> str:
    """A generator that is no product of base factors."""
    return (
        f"generator {name}={':'.join(parts)}: give different factors of those without a generator:"
        f" {', '.join(base)}"
    )


def bad_blocks(blocks: int, replicates: int, cells: int) -> str:
    """A number of blocks into which the replicates cannot be divided."""
    sizes = [replicates * 2**i for i in range(cells.bit_length() - 1)]
    divisors = [n for n in range(2, replicates) if replicates % n == 0]
    possible = ", ".join(str(n) for n in sorted({*divisors, *sizes} - {1}))
    return f"{blocks} blocks: {replicates} × {cells} runs can be divided into {possible or 'no'} blocks"


def out_of_range(response: str, limit: float) -> str:
    """Values whose squares are no numbers of double precision."""
    return f"{response}: the largest absolute value must be 0 or between {1 / limit:g} and {limit:g}; use another unit"


def scale_evidence(ratio: float, slope: float | None) -> str:
    """What else speaks for one of the scales."""
    text = f"largest over smallest value: {ratio:.3g}"
    if slope is None:
        return text
    return (
        f"{text}; slope of ln(standard deviation of a cell) over ln(its mean): {slope:.2g}"
        " (0 additive, 1 multiplicative)"
    )
