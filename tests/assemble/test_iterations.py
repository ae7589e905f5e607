"""Lengths of iotop's iterations, inferred from the bytes that the disk counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.assemble.iterations import iteration_lengths_s, loaded_iterations, snapshot_times_s

START_S, LOG = 1000.0, (990.0, 1070.0)


def delayed_log():
    """Rates of a log with five idle iterations, loaded ones of unequal length and five idle ones."""
    lengths_s = np.array([2.0, 5.0, 3.0, 8.0, 2.0, 10.0])
    loaded = 4e5 + 1e5 * lengths_s
    rates = np.concatenate([[9e9], np.full(5, 2e3), loaded, np.full(5, 2e3)])
    return rates, lengths_s, float((loaded * lengths_s).sum())


def test_the_loaded_iterations_are_those_with_the_rates_of_the_load():
    assert loaded_iterations(delayed_log()[0]) == (5, 11)


def test_lengths_are_the_true_ones_where_rates_differ_with_them():
    rates, lengths_s, counted_bytes = delayed_log()
    times_s = snapshot_times_s(rates, (START_S, START_S + 30), counted_bytes, LOG)
    assert times_s is not None
    assert np.diff(times_s)[5:11] == pytest.approx(lengths_s)
    assert times_s[[0, 5, 11, 16]] == pytest.approx([990, 1000, 1030, 1070])
    assert (np.diff(times_s) > 0).all()


def test_sums_that_contradict_each_other_give_nothing():
    assert iteration_lengths_s(np.array([1.0, 2.0, 3.0]), 6.0, 60.0) is None
    assert iteration_lengths_s(np.array([1.0, 2.0]), 6.0, 9.0) is None
    assert iteration_lengths_s(np.array([2.0, 2.0, 2.0]), 6.0, 12.0).tolist() == [2.0, 2.0, 2.0]


@given(st.lists(st.floats(1.0, 1e9), min_size=3, max_size=40), st.floats(0.9, 1.1))
def test_both_sums_hold(rates, factor):
    rates = np.array(rates)
    counted_bytes = factor * float(rates.sum())
    lengths_s = iteration_lengths_s(rates, float(len(rates)), counted_bytes)
    if lengths_s is not None and np.ptp(rates) > 1e-3 * rates.max():
        assert lengths_s.sum() == pytest.approx(len(rates))
        assert (rates * lengths_s).sum() == pytest.approx(counted_bytes)
