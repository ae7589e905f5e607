"""Two values of one quantity: what resolution explains and what not."""

import pytest

from pipeline.measure.counters import BoundedValue
from pipeline.measure.window import MissingData
from pipeline.quality import texts
from pipeline.quality.agreement import (
    CrossCheck,
    CrossCheckResult,
    Measurement,
    classify,
    common_span,
    cross_check,
    difference,
    interval_gap,
)
from quality.snapshots import LOAD, exactly, ticks


@pytest.mark.parametrize(
    ("one", "outcome"),
    [(98.1, "agree"), (101.9, "agree"), (97.9, "disagree"), (102.1, "disagree")],
)
def test_values_without_width_agree_up_to_two_percent(one, outcome):
    assert classify(exactly(one), exactly(100.0)) == outcome


def test_resolution_comes_before_the_two_percent():
    wide = BoundedValue(95.0, 92.0, 98.0)
    assert classify(wide, exactly(100.0)) == "within resolution"  # 5 % apart, intervals 2 %
    assert classify(wide, exactly(100.1)) == "disagree"  # the intervals are 2.1 % apart
    assert interval_gap(wide, exactly(100.1)) == pytest.approx(2.1)


def test_a_part_may_be_smaller_but_not_larger():
    assert classify(exactly(1.0), exactly(100.0), "<=") == "agree"
    assert classify(exactly(103.0), exactly(100.0), "<=") == "disagree"
    assert difference(exactly(1.0), exactly(100.0), "<=") == 0


def test_zero_agrees_with_zero_only():
    assert classify(exactly(0.0), exactly(0.0)) == "agree"
    assert classify(exactly(0.1), exactly(0.0)) == "disagree"


def pair(relation="=") -> CrossCheck:
    return CrossCheck("bytes", "bytes", "a", "b", ("T_cpu",), relation)


def test_a_message_has_the_cause_of_a_disagreement():
    far = CrossCheckResult(
        "web", None, pair(), Measurement(exactly(90), exactly(100), "it was slow")
    )
    assert far.outcome == "disagree"
    assert "10 %" in far.message() and "it was slow" in far.message()
    blank = CrossCheckResult("web", None, pair(), Measurement(exactly(90), exactly(100)))
    assert blank.message().endswith(texts.CAUSE_UNKNOWN)
    less = CrossCheckResult(
        "web", None, pair("<="), Measurement(exactly(90), exactly(100), "ignored")
    )
    assert less.message() == texts.NOT_LARGER


def test_a_pair_without_data_has_a_reason():
    def measure():
        raise MissingData("tasks.log is not there")

    (result,) = cross_check("web", "web", pair(), measure)
    assert result.outcome == "not evaluated"
    assert "tasks.log is not there" in result.message()


def test_logs_that_do_not_overlap_are_a_reason():
    with pytest.raises(MissingData):
        common_span(ticks(0, 1, 2), LOAD, ticks(20, 21)["client_ns"])
