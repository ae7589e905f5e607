"""Numbers with intervals and doubts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import equations as eq
from pipeline.ledger import texts
from pipeline.ledger.interval_value import exact, from_bounds, propagate, unavailable


def test_an_interval_goes_through_an_equation():
    found = propagate(eq.cpu_residence_time, from_bounds(10.0, 9.0, 12.0), exact(100))
    assert found.value_low_high == pytest.approx([0.1, 0.09, 0.12])


def test_ends_are_sorted_where_an_equation_falls():
    found = propagate(eq.ratio, exact(1.0), from_bounds(2.0, 1.0, 4.0))
    assert found.value_low_high == pytest.approx([0.5, 0.25, 1.0])


def test_what_lacks_an_input_is_missing_with_its_reason():
    found = propagate(
        eq.response_time, exact(1), unavailable("iotop.log is missing"), exact(1), variant="nested"
    )
    assert found.value is None
    assert found.flags == ("iotop.log is missing",)


def test_doubts_are_inherited_once():
    found = propagate(eq.bytes_transferred, exact(1, "a", "b"), exact(2, "b", "c"))
    assert found.flags == ("a", "b", "c")


def test_no_queue_at_utilization_one_is_said_and_not_a_number():
    found = propagate(eq.disk_residence_time, exact(0.1), exact(1.0))
    assert found.value is None
    assert found.flags[0] == texts.INFINITE


def test_an_upper_end_may_be_unbounded():
    found = propagate(eq.disk_residence_time, exact(0.1), from_bounds(0.99, 0.98, 1.0))
    assert found.value == pytest.approx(10)
    assert np.isinf(found.value_low_high[2])


def test_nothing_by_nothing_is_undefined():
    assert "undefined" in propagate(eq.ratio, exact(0), exact(0)).flags[0]


@given(st.floats(0, 0.9), st.floats(0, 0.05), st.floats(1e-3, 10))
def test_the_value_stays_inside_its_interval(utilization, width, demand):
    busy = from_bounds(utilization, max(0, utilization - width), utilization + width)
    found = propagate(eq.disk_residence_time, exact(demand), busy)
    value, low, high = found.value_low_high
    assert low <= value <= high
