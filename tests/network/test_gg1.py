"""Waiting-time formulas of single stations, and Lindley's recursion on an arrival trace."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.network.gg1 import (
    allen_cunneen,
    gi_m_1,
    interarrival_transform,
    kingman_bound,
    kramer_langenbach_belz,
    mean_wait,
    pollaczek_khinchine,
    unit_service_times,
    waiting_times,
)

S = 0.010


def recursion(gaps, services):
    wait, mean_waits = 0.0, []
    for i, service in enumerate(services):
        mean_waits.append(wait)
        if i + 1 < len(services):
            wait = max(0.0, wait + service - gaps[i + 1])
    return mean_waits


pairs_of_times = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), min_size=1, max_size=40)


@settings(deadline=None)
@given(pairs_of_times)
def test_waiting_times_follow_the_recursion(pairs):
    gaps, services = np.array(pairs).T
    assert waiting_times(gaps, services) == pytest.approx(recursion(gaps, services), abs=1e-9)


def test_shapes_broadcast():
    gaps, services = np.full(5, 1.0), np.array([[0.5] * 5, [2.0] * 5])
    assert waiting_times(gaps, services).tolist() == [[0, 0, 0, 0, 0], [0, 1, 2, 3, 4]]
    assert waiting_times(np.zeros((2, 1)), np.ones((2, 1))).tolist() == [[0], [0]]


def test_unit_service_times_have_their_moments():
    for scv in (0.0, 0.4, 1.5):
        times = unit_service_times(20_000, scv)
        assert times.mean() == pytest.approx(1, abs=1e-12)
        assert times.var() == pytest.approx(scv, rel=0.05, abs=1e-12)
        assert (times > 0).all()


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
@pytest.mark.parametrize("scv", [0.0, 0.5, 1.0])
def test_poisson_arrivals_agree_with_pollaczek_khinchine(busy, scv):
    gaps = np.random.default_rng(3).exponential(S / busy, 200_000)
    exact = float(pollaczek_khinchine(busy / S, S, scv))
    assert mean_wait(gaps, S, scv) == pytest.approx(exact, rel=0.06)


@pytest.mark.parametrize("busy", [0.5, 0.8])
def test_evenly_spaced_trace_agrees_with_d_m_1(busy):
    """Lognormal service times of c² = 1 instead of exponential ones: the mean wait is near D/M/1's."""
    gaps = np.full(50_000, S / busy)
    exact = gi_m_1(interarrival_transform(busy / S, 0.0), busy / S, S)
    assert mean_wait(gaps, S, 0.0) == 0
    assert mean_wait(gaps, S, 1.0) == pytest.approx(exact, rel=0.2)


def test_overload_accumulates_over_a_finite_trace():
    """Each arrival finds one more tenth of a service: the mean of 0, 0.1 S … 9.9 S."""
    assert mean_wait(np.full(100, 0.9 * S), S, 0.0) == pytest.approx(4.95 * S)


def test_each_customer_may_have_a_mean_of_its_own():
    gaps = np.full(4, 1.0)
    mean_waits = mean_wait(gaps, np.array([3.0, 0.5, 0.5, 0.5]), 0.0)
    assert mean_waits == pytest.approx((0 + 2 + 1.5 + 1) / 4)


def test_mean_wait_is_smooth_and_deterministic():
    gaps = np.random.default_rng(1).exponential(1.0, 500)
    assert mean_wait(gaps, 0.7, 0.5) == mean_wait(gaps, 0.7, 0.5)
    mean_waits = [mean_wait(gaps, 0.7, scv) for scv in np.linspace(0.1, 0.9, 17)]
    assert np.abs(np.diff(mean_waits, 2)).max() < 0.02 * mean_waits[0]
    assert (np.diff([mean_wait(gaps, s, 0.5) for s in np.linspace(0.1, 1.2, 12)]) > 0).all()


@pytest.mark.parametrize("scv", [0, 0.01, 0.5, 1, 2, 16])
@pytest.mark.parametrize("rho", [1e-3, 0.3, 0.9, 0.9999])
def test_gi_m_1(scv, rho):
    wait = gi_m_1(interarrival_transform(rho, scv), rho, 1.0)
    bound = float(kingman_bound(rho, 1, 1, scv, 1))
    assert 0 <= wait <= bound * (1 + 1e-9)
    if scv == 1:
        assert wait == pytest.approx(rho / (1 - rho), rel=1e-7)
    if scv == 0.5:  # Erlang-2: σ solves σ = (2ρ / (2ρ + 1 − σ))²
        sigma = wait / (1 + wait)
        assert sigma == pytest.approx((2 * rho / (2 * rho + 1 - sigma)) ** 2, rel=1e-6)


def test_formulas_agree_where_they_must():
    rate, s = 0.8, 1.0
    assert float(pollaczek_khinchine(rate, s, 0)) == pytest.approx(2.0)
    for scv in (0, 0.5, 4):
        exact = float(pollaczek_khinchine(rate, s, scv))
        assert float(allen_cunneen(rate, s, 1, 1, scv)) == pytest.approx(exact)
        assert float(kramer_langenbach_belz(rate, s, 1, 1, scv)) == pytest.approx(exact)
        assert exact <= float(kingman_bound(rate, s, 1, 1, scv))
    assert math.isinf(float(allen_cunneen(1.2, 1, 1, 1, 1)))
