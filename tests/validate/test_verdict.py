"""When a load held out counts as predicted."""

import pytest

from pipeline.validate.verdict import ACCOUNTED, BEYOND, MISSED, NEAR, judge


@pytest.mark.parametrize(
    ("kind", "utilization", "error_x", "error_r", "explained", "judged"),
    [
        ("open", 0.5, 0.3, 0.15, None, NEAR),  # X is given to an open load
        ("closed", None, -0.10, -0.15, None, NEAR),
        ("closed", None, 0.101, 0.0, 0.2, MISSED),
        ("closed", None, 0.101, 0.0, 0.8, ACCOUNTED),
        ("open", 0.9, 0.0, 0.151, 0.79, MISSED),
        ("open", 0.9, 0.0, -0.151, 0.80, ACCOUNTED),
        ("open", 0.901, 0.0, 0.0, 1.0, BEYOND),
        ("closed", 0.99, 0.0, 0.0, None, NEAR),  # a closed load is never beyond
        ("open", None, 0.0, 0.0, None, NEAR),
        ("open", 0.5, 0.0, None, None, MISSED),
        ("open", 0.5, 0.0, None, 0.9, ACCOUNTED),
    ],
)
def test_verdicts(kind, utilization, error_x, error_r, explained, judged):
    assert judge(kind, utilization, error_x, error_r, explained) == judged
