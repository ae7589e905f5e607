"""A counter at moments that are not its own: bounds, late readers, resets, exited processes."""

import numpy as np
import polars as pl
import pytest
from quality.snapshots import EVERY_SECOND, SECONDS, kernel, ticks

from pipeline.measure.counters import (
    Counter,
    Endpoints,
    counters_by_key,
    process_tree_total,
    sampled_endpoints,
    total_with_exited,
)
from pipeline.measure.processes import PROCESS_KEYS, SELF_AND_CHILDREN_CPU, SELF_CPU
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality.agreement import common_span
from pipeline.raw import Window


def test_growth_between_readings_is_bounded_by_the_readings_on_both_sides():
    at, totals = np.arange(5) * NS_PER_S, np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    found = Counter(at, totals).increase_between(
        Endpoints(int(0.5 * NS_PER_S), int(3.5 * NS_PER_S))
    )
    assert (found.value, found.low, found.high) == (30.0, 20.0, 40.0)
    exact = Counter(at, totals).increase_between(Endpoints(NS_PER_S, 3 * NS_PER_S))
    assert (exact.value, exact.low, exact.high) == (20.0, 20.0, 20.0)


def test_a_slow_reader_may_have_read_earlier():
    at, totals = np.arange(5) * NS_PER_S, np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    found = Counter(at, totals).increase_between(
        Endpoints(NS_PER_S, 3 * NS_PER_S, NS_PER_S, NS_PER_S)
    )
    assert (found.value, found.low, found.high) == (20.0, 10.0, 30.0)


def test_a_counter_that_fell_is_a_reason():
    with pytest.raises(MissingData, match="reset"):
        Counter(np.array([0, 1]), np.array([5.0, 1.0])).increase_between(Endpoints(0, 1))


def test_the_lag_is_what_a_period_is_longer_than_the_sleep_that_was_asked_for():
    rows = ticks(0, 1.1, 2.2, 7.2)
    endpoints = sampled_endpoints(
        rows, common_span(rows, Window(NS_PER_S, 7 * NS_PER_S), rows["client_ns"]), 1.0
    )
    assert endpoints.start_ns == 0 and endpoints.end_ns == int(7.2 * NS_PER_S)
    assert endpoints.end_read_delay_ns == pytest.approx(4 * NS_PER_S)
    assert endpoints.start_read_delay_ns == pytest.approx(
        0.1 * NS_PER_S
    )  # the first: a usual period


@pytest.mark.parametrize("used", [0, 2**50, 2**55])
def test_what_one_process_had_used_takes_no_digits_from_another(used):
    rows = pl.concat(
        [kernel({9: [7 + 3 * s for s in SECONDS]}), kernel({8: [used for _ in SECONDS]})]
    )
    increase = 300 * (len(SECONDS) - 1)  # ticks
    total = total_with_exited(rows, PROCESS_KEYS, SELF_CPU, EVERY_SECOND)
    assert total[-1] - total[0] == increase
    by_key = counters_by_key(rows, PROCESS_KEYS, SELF_CPU, EVERY_SECOND)
    assert [np.ptp(counter.total) for counter in by_key.values()] == [0, increase]
    assert np.ptp(process_tree_total(rows, SELF_CPU, EVERY_SECOND).total) == increase


def test_a_child_of_nobody_among_them_keeps_what_it_had():
    rows = kernel({9: [1.0 * s if s < 8 else None for s in SECONDS]}, parent=4)
    assert process_tree_total(rows, SELF_AND_CHILDREN_CPU, EVERY_SECOND).total[-1] == 700
