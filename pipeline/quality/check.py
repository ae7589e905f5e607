"""One check of the gate: what was measured, what should have been, the result, and what rests on it.

A check has one of three results, or none. The rule is that of equivalence tests with four outcomes (Schuirmann 1987;
Lakens 2017, "Equivalence tests", Social Psychological and Personality Science 8; docs/decisions/0010): noise that
allows both answers gives neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import polars as pl

Result = Literal["passed", "failed", "inconclusive", "not evaluated"]
PASSED, FAILED, INCONCLUSIVE, NOT_EVALUATED = RESULTS = (
    "passed", "failed", "inconclusive", "not evaluated",
)  # fmt: skip

LEVEL = 0.01
"""Of the two-sided test that makes a check with a random error fail."""
CONFIDENCE = 0.95
"""Of the interval that has to lie within the tolerance where such a check passes."""

RULE_EXACT = "passed: within the tolerance, failed: beyond it"
RULE_BOUNDS = (
    "passed: the whole interval lies within the tolerance, failed: none of it, inconclusive: a part"
)
RULE_EQUIVALENCE = (
    f"passed: the {100 * CONFIDENCE:g} % interval lies within the tolerance, failed: the value lies beyond it and "
    f"p < {LEVEL:g}, inconclusive: neither"
)
RULE_LIMIT = "passed: not surely beyond the limit and its tolerance, failed: beyond them"
RULE_CROSS_CHECK = (
    "passed: all pairs agree to 2 %, failed: a pair is more than 2 % apart beyond its resolution, "
    "inconclusive: resolution allows both"
)
"""Rules, as they stand beside a result: without an error, with bounds, with a random error, one-sided, of pairs."""

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
"""One row per check: its result (``RESULTS``), the number with its interval (null where it has no error), what it
should be and by how much it may differ, the two-sided p of a test where one was made, the rule that gives the result,
a sentence, the few words that mark results, the quantities of the ledger that rest on it (separated by blanks, or
``all``), and whether a model is not to be believed where it fails (else: doubted)."""


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
    rule: str = RULE_EXACT


def result_of(is_passed: bool) -> Result:
    """The result of a check without an error."""
    return PASSED if is_passed else FAILED


def exact_result(value: float, expected: float, tolerance: float) -> Result:
    """Whether ``value`` lies within ``tolerance`` of ``expected``; rule ``RULE_EXACT``."""
    return result_of(math.isfinite(value) and abs(value - expected) <= tolerance)


def bounds_result(low: float, high: float, expected: float, tolerance: float) -> Result:
    """Whether all of ``low`` to ``high``, none of it or a part lies within the tolerance. Rule: ``RULE_BOUNDS``."""
    if expected - tolerance <= low and high <= expected + tolerance:
        return PASSED
    is_apart = high < expected - tolerance or low > expected + tolerance
    return FAILED if is_apart else INCONCLUSIVE


def equivalence_result(
    value: float, low: float, high: float, p: float, expected: float, tolerance: float
) -> Result:
    """The result where ``value`` has a random error: its 95 % interval, and p of the test of no difference.

    Rule: ``RULE_EQUIVALENCE``. It fails if the difference is significant and above the tolerance.
    """
    if bounds_result(low, high, expected, tolerance) == PASSED:
        return PASSED
    is_beyond = not abs(value - expected) <= tolerance
    return FAILED if is_beyond and p < LEVEL else INCONCLUSIVE


def not_evaluated(
    check: str, reason: str, dependents: tuple[str, ...], *, blocking: bool = False
) -> Check:
    """A check that could not be evaluated, and why."""
    return Check(check, NOT_EVALUATED, reason, dependents, blocking=blocking)


def words(value: float | None, digits: int = 4) -> str:
    """A number in a sentence."""
    return "–" if value is None else f"{value:.{digits}g}"


def result_counts_text(checks: pl.DataFrame) -> str:
    """How many of ``checks`` (form ``CHECKS``) have each result, all four of them."""
    counted = dict(checks.group_by("result").len().iter_rows())
    return ", ".join(f"{counted.get(result, 0)} {result}" for result in RESULTS)


def checks_frame(virtual_server: str, checks: list[Check]) -> pl.DataFrame:
    """Checks of one virtual server, form ``CHECKS``."""
    rows = [{"virtual_server": virtual_server, **vars(check)} for check in checks]
    for row in rows:
        row["dependents"] = " ".join(row["dependents"])
    return pl.DataFrame(rows, schema=CHECKS)
