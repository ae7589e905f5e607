"""One quality check of a run: its result, its number, and the quantities that depend on what it tests.

A check has one of three results, or is not evaluated. The rule is that of equivalence tests with four outcomes
(Schuirmann 1987; Lakens 2017, "Equivalence tests", Social Psychological and Personality Science 8;
docs/decisions/0010-three-check-outcomes.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.quality import texts

Result = Literal["passed", "failed", "inconclusive", "not evaluated"]
PASSED, FAILED, INCONCLUSIVE, NOT_EVALUATED = RESULTS = (
    "passed", "failed", "inconclusive", "not evaluated",
)  # fmt: skip

FAILED_FIRST = (FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED)
"""The order in which checks are read."""

LEVEL = 0.01
"""Of the two-sided test by which a check with a random error fails."""
CONFIDENCE = 0.95
"""Of the interval that has to lie within the tolerance where such a check passes."""

RULE_EQUIVALENCE = texts.rule_equivalence(CONFIDENCE, LEVEL)

CHECKS = pl.Schema(
    {
        "virtual_server": pl.String,
        "check": pl.String,
        "result": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "expected": pl.Float64,
        "tolerance": pl.Float64,
        "unit": pl.String,
        "p": pl.Float64,
        "rule": pl.String,
        "message": pl.String,
        "flag": pl.String,
        "dependents": pl.String,
        "blocking": pl.Boolean,
    }
)
"""One row per check. ``result``: one of ``RESULTS``; ``low``, ``high``: null for a number without an error; ``p``: of a
two-sided test, if one was made; ``flag``: the short text for the flags of numbers; ``dependents``: the quantities of
the ledger that depend on what is tested, separated by blanks, or ``all``; ``blocking``: whether the model is not used
if the check fails."""


@dataclass(frozen=True)
class Check:
    """One check of one virtual server; the columns of ``CHECKS``."""

    check: str
    result: Result
    message: str
    dependents: tuple[str, ...]
    value: float | None = None
    expected: float | None = None
    tolerance: float | None = None
    unit: str = "1"
    flag: str = ""
    blocking: bool = False
    low: float | None = None
    high: float | None = None
    p: float | None = None
    rule: str = texts.RULE_EXACT


def result_of(is_passed: bool) -> Result:
    """The result of a check without an error."""
    return PASSED if is_passed else FAILED


def exact_result(value: float, expected: float, tolerance: float) -> Result:
    """Passed if ``value`` is a number within ``tolerance`` of ``expected``, else failed. Rule: ``texts.RULE_EXACT``."""
    return result_of(math.isfinite(value) and abs(value - expected) <= tolerance)


def bounds_result(low: float, high: float, expected: float, tolerance: float) -> Result:
    """Whether all of ``low`` to ``high``, none of it or a part is within the tolerance. Rule: ``texts.RULE_BOUNDS``."""
    if expected - tolerance <= low and high <= expected + tolerance:
        return PASSED
    is_outside = high < expected - tolerance or low > expected + tolerance
    return FAILED if is_outside else INCONCLUSIVE


def equivalence_result(
    value: float, low: float, high: float, p: float, expected: float, tolerance: float
) -> Result:
    """The result where ``value`` has a random error: its 95 % interval, and p of the test of no difference.

    Rule: ``RULE_EQUIVALENCE``. It fails if the difference is significant and above the tolerance.
    """
    if bounds_result(low, high, expected, tolerance) == PASSED:
        return PASSED
    is_outside = not abs(value - expected) <= tolerance
    return FAILED if is_outside and p < LEVEL else INCONCLUSIVE


def not_evaluated(
    check: str, reason: str, dependents: tuple[str, ...], *, blocking: bool = False
) -> Check:
    """A check that could not be evaluated, and why."""
    return Check(check, NOT_EVALUATED, reason, dependents, blocking=blocking)


def result_counts_text(checks: pl.DataFrame) -> str:
    """The number of ``checks`` (form ``CHECKS``) per result, for all four results."""
    counts = dict(checks.group_by("result").len().iter_rows())
    return ", ".join(f"{counts.get(result, 0)} {result}" for result in RESULTS)


def checks_frame(virtual_server: str, checks: list[Check]) -> pl.DataFrame:
    """Checks of one virtual server, form ``CHECKS``."""
    rows = [{"virtual_server": virtual_server, **vars(check)} for check in checks]
    for row in rows:
        row["dependents"] = " ".join(row["dependents"])
    return pl.DataFrame(rows, schema=CHECKS)


def failed_first(checks: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``checks`` (form ``CHECKS``) in the order ``FAILED_FIRST``, within a result as they were."""
    rank = pl.col("result").replace_strict(FAILED_FIRST, range(len(FAILED_FIRST)))
    return checks.sort(rank, maintain_order=True)
