"""Lindley's recursion: against the recursion written out, and against the formulas where they are exact."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.network.gg1 import (
    gi_m_1,
    interarrival_transform,
    mean_wait,
    pollaczek_khinchine,
    service_sizes,
    waits,
)

S = 0.010


def written_out(gaps, services):
    wait, found = 0.0, []
    for i, service in enumerate(services):
        found.append(wait)
        if i + 1 < len(services):
            wait = max(0.0, wait + service - gaps[i + 1])
    return found


times = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40)


@settings(deadline=None)
@given(times)
def test_it_is_the_recursion(pairs):
    gaps, services = np.array(pairs).T
    assert waits(gaps, services) == pytest.approx(written_out(gaps, services), abs=1e-9)


def test_shapes_broadcast():
    gaps, services = np.full(5, 1.0), np.array([[0.5] * 5, [2.0] * 5])
    assert waits(gaps, services).tolist() == [[0, 0, 0, 0, 0], [0, 1, 2, 3, 4]]
    assert waits(np.zeros((2, 1)), np.ones((2, 1))).tolist() == [[0], [0]]


def test_sizes_have_their_moments():
    for scv in (0.0, 0.4, 1.5):
        sizes = service_sizes(20_000, scv)
        assert sizes.mean() == pytest.approx(1, abs=1e-12)
        assert sizes.var() == pytest.approx(scv, rel=0.05, abs=1e-12)
        assert (sizes > 0).all()


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("scv", [0.0, 0.5, 1.0])
def test_poisson_arrivals_wait_as_pollaczek_and_khinchine_say(busy, scv):
    gaps = np.random.default_rng(3).exponential(S / busy, 200_000)
    exact = float(pollaczek_khinchine(busy / S, S, scv))
    assert mean_wait(gaps, S, scv) == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize("busy", [0.5, 0.8])
def test_even_arrivals_hardly_wait(busy):
    """Lognormal sizes of c² = 1 instead of exponential ones: the mean wait is near D/M/1's."""
    gaps = np.full(50_000, S / busy)
    exact = gi_m_1(interarrival_transform(busy / S, 0.0), busy / S, S)
    assert mean_wait(gaps, S, 0.0) == 0
    assert mean_wait(gaps, S, 1.0) == pytest.approx(exact, rel=0.2)


def test_more_than_can_be_served_piles_up_as_long_as_it_lasts():
    """Each arrival finds one more tenth of a service: the mean of 0, 0.1 S … 9.9 S."""
    assert mean_wait(np.full(100, 0.9 * S), S, 0.0) == pytest.approx(4.95 * S)


def test_each_customer_may_have_a_mean_of_its_own():
    gaps = np.full(4, 1.0)
    found = mean_wait(gaps, np.array([3.0, 0.5, 0.5, 0.5]), 0.0)
    assert found == pytest.approx((0 + 2 + 1.5 + 1) / 4)


def test_it_is_smooth_and_the_same_each_time():
    gaps = np.random.default_rng(1).exponential(1.0, 500)
    assert mean_wait(gaps, 0.7, 0.5) == mean_wait(gaps, 0.7, 0.5)
    found = [mean_wait(gaps, 0.7, scv) for scv in np.linspace(0.1, 0.9, 17)]
    assert np.abs(np.diff(found, 2)).max() < 0.02 * found[0]
    assert (np.diff([mean_wait(gaps, s, 0.5) for s in np.linspace(0.1, 1.2, 12)]) > 0).all()
