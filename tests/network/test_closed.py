"""Exact MVA against published cases."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.network.closed import mean_value_analysis, sweep_populations


def test_lazowska_page_117():
    """Quantitative System Performance, page 117: N = 3, Z = 15, D = 0.605, 2.1, 1.35."""
    solution = mean_value_analysis([0.605, 2.1, 1.35], 3, 15)
    assert solution.throughput == pytest.approx(0.1515, abs=5e-5)
    assert solution.response_time == pytest.approx(4.800, abs=5e-4)


def test_one_customer_never_waits():
    assert mean_value_analysis([0.1, 0.2], 1).response_time == pytest.approx(0.3)


def test_nobody_moves_nothing():
    solution = mean_value_analysis([0.1], 0)
    assert solution.throughput == 0
    assert solution.queue_lengths.tolist() == [0]


def test_sixteen_threads_at_one_bottleneck():
    """One queue with demand D holds everybody: X = 1/D and R = N D."""
    solution = mean_value_analysis([0.02], 16)
    assert solution.throughput == pytest.approx(50)
    assert solution.response_time == pytest.approx(0.32)


@pytest.mark.parametrize(
    ("demands", "population", "think"),
    [
        ([-0.1], 1, 0),
        ([float("nan")], 1, 0),
        ([0.1], -1, 0),
        ([0.1], 1.5, 0),
        ([0.1], 1, -1),
        ([0.0], 1, 0),
    ],
)
def test_what_is_no_network_is_refused(demands, population, think):
    with pytest.raises(ValueError, match=r"\w"):
        mean_value_analysis(demands, population, think)


@given(
    st.lists(st.floats(1e-4, 10), min_size=1, max_size=6),
    st.integers(1, 60),
    st.floats(0, 100),
)
def test_laws_hold(demands, population, think):
    solution = mean_value_analysis(demands, population, think)
    assert solution.throughput * (solution.response_time + think) == pytest.approx(population)
    assert solution.throughput <= 1 / max(demands) * (1 + 1e-9)
    assert solution.response_time >= sum(demands) * (1 - 1e-9)
    assert solution.utilizations == pytest.approx([solution.throughput * d for d in demands])
    assert solution.queue_lengths.sum() + solution.throughput * think == pytest.approx(population)


@pytest.mark.parametrize(
    ("stations", "population", "think_s"), [(1, 5, 0.0), (2, 40, 1.5), (7, 16, 0.1)]
)
def test_one_network_has_the_numbers_of_a_network_among_several(stations, population, think_s):
    demands = np.random.default_rng(stations).exponential(size=(1, stations))
    single = sweep_populations(demands, population, think_s)
    stacked = sweep_populations(np.vstack([demands, demands]), population, think_s)
    for name in ("throughput", "response_times", "queue_lengths"):
        assert (getattr(single, name) == getattr(stacked, name)[:1]).all()
