"""Results of a check: without an error, with bounds, with a random error."""

import pytest

from pipeline.quality.check import (
    FAILED,
    INCONCLUSIVE,
    PASSED,
    bounds_result,
    checks_frame,
    equivalence_result,
    not_evaluated,
    result_counts_text,
)
from quality.samples import GOOD, failed


@pytest.mark.parametrize(
    ("value", "half", "p", "result"),
    [
        (0.01, 0.03, 0.5, PASSED),
        (0.03, 0.01, 0.001, PASSED),  # significant, and within the tolerance
        (0.03, 0.03, 0.05, INCONCLUSIVE),
        (0.03, 0.03, 0.001, INCONCLUSIVE),
        (0.36, 0.31, 0.021, INCONCLUSIVE),
        (0.36, 0.20, 0.002, FAILED),
        (-0.36, 0.20, 0.002, FAILED),
        (float("nan"), 0.1, 0.5, INCONCLUSIVE),
    ],
)
def test_three_results_of_a_tested_difference(value, half, p, result):
    assert equivalence_result(value, value - half, value + half, p, 0.0, 0.05) == result


@pytest.mark.parametrize(
    ("low", "high", "result"),
    [(-0.04, 0.05, PASSED), (0.04, 0.06, INCONCLUSIVE), (0.06, 0.2, FAILED), (-1, 1, INCONCLUSIVE)],
)
def test_three_results_of_a_bounded_value(low, high, result):
    assert bounds_result(low, high, 0.0, 0.05) == result


def test_all_four_results_are_counted():
    checks = [
        GOOD,
        GOOD,
        failed(),
        failed(result=INCONCLUSIVE),
        not_evaluated("b", "why", ("R_cpu",)),
    ]
    text = "2 passed, 1 failed, 1 inconclusive, 1 not evaluated"
    assert result_counts_text(checks_frame("web", checks)) == text
