"""When a load held out counts as predicted."""

import math

import pytest

from pipeline.evaluate.acceptance import (
    ATTRIBUTED,
    NOT_SCORED,
    OUTSIDE_TOLERANCE,
    WITHIN_TOLERANCE,
    attributed_share,
    classify,
    relative_error,
    score,
)


@pytest.mark.parametrize(
    ("kind", "utilization", "error_x", "error_r", "attributed", "outcome"),
    [
        ("open", 0.5, 0.3, 0.15, None, WITHIN_TOLERANCE),  # X is given to an open load
        ("closed", None, -0.10, -0.15, None, WITHIN_TOLERANCE),
        ("closed", None, 0.101, 0.0, 0.2, OUTSIDE_TOLERANCE),
        ("closed", None, 0.101, 0.0, 0.8, ATTRIBUTED),
        ("open", 0.9, 0.0, 0.151, 0.79, OUTSIDE_TOLERANCE),
        ("open", 0.9, 0.0, -0.151, 0.80, ATTRIBUTED),
        ("open", 0.901, 0.0, 0.0, 1.0, NOT_SCORED),
        ("closed", 0.99, 0.0, 0.0, None, WITHIN_TOLERANCE),  # a closed load is never beyond
        ("open", None, 0.0, 0.0, None, WITHIN_TOLERANCE),
        ("open", 0.5, 0.0, None, None, OUTSIDE_TOLERANCE),
        ("open", 0.5, 0.0, None, 0.9, ATTRIBUTED),
    ],
)
def test_verdicts(kind, utilization, error_x, error_r, attributed, outcome):
    assert classify(kind, utilization, error_x, error_r, attributed) == outcome


def test_errors_are_relative_to_the_measured():
    assert relative_error(1.1, 1.0) == pytest.approx(0.1)
    assert relative_error(math.inf, 1.0) is None and relative_error(None, 1.0) is None


@pytest.mark.parametrize(
    ("miss", "rest", "share"),
    [(10.0, 3.0, 0.7), (-10.0, 3.0, 0.7), (10.0, -30.0, 0.0), (0.0, 1.0, None), (None, 1.0, None)],
)
def test_what_is_attributed_is_a_share_of_the_miss(miss, rest, share):
    assert attributed_share(miss, rest) == (share if share is None else pytest.approx(share))


def test_a_score_has_errors_share_and_verdict():
    found = score("closed", (9.0, 10.0), (12.0, 10.0), 10.3)
    assert (found.error_x, found.error_r) == pytest.approx((-0.1, 0.2))
    assert found.attributed == pytest.approx(0.85) and found.outcome == ATTRIBUTED
    unbounded = score("open", (10.0, 10.0), (math.inf, 10.0), 10.4, 0.5)
    assert (unbounded.error_r, unbounded.attributed, unbounded.outcome) == (
        None,
        None,
        OUTSIDE_TOLERANCE,
    )
