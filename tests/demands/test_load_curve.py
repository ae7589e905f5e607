"""Load-dependent demand: recovery, non-negative coefficients, selection of terms; random effects of batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.demands.load_curve import (
    DemandCurve,
    between_within_variance_ratio,
    blup,
    constant,
    fit_curve,
    quasi_demean,
)

REQUESTS = np.array([300, 1200, 2400, 4800, 6600, 8400, 5000])
BUSY = np.array([0.05, 0.18, 0.33, 0.60, 0.78, 0.92, 0.30])


def curve(busy_s: float, cold_start_s: float, wake_up_s: float) -> DemandCurve:
    return DemandCurve(*(np.array([value]) for value in (busy_s, cold_start_s, wake_up_s)))


def at_runs(true: DemandCurve, requests=REQUESTS, busy=BUSY):
    return np.array([true.at(n, u)[0] for n, u in zip(requests, busy, strict=True)])


@pytest.mark.parametrize(
    ("true", "terms"),
    [
        ((0.006, 0.0, 0.0), ("saturated",)),
        ((0.006, 0.9, 0.0), ("saturated", "cold start")),
        ((0.006, 0.0, 0.004), ("saturated", "wake-up")),
        ((0.006, 0.9, 0.004), ("saturated", "cold start", "wake-up")),
    ],
)
def test_runs_without_noise_recover_the_curve(true, terms):
    demands = at_runs(curve(*true))
    found = fit_curve(demands[:, None], REQUESTS, BUSY)
    values = [found.saturated_s[0], found.cold_start_s[0], found.wake_up_s[0]]
    assert values == pytest.approx(true, rel=1e-6, abs=1e-12)
    assert set(terms) <= set(found.terms)
    assert at_runs(found) == pytest.approx(demands, rel=1e-9)
    assert found.at(2000, 0.5)[0] == pytest.approx(
        true[0] + true[1] / 2000 + true[2] * 0.5, rel=1e-6
    )


def test_each_draw_is_fitted_for_itself_with_the_terms_of_the_estimate():
    first, second = curve(0.006, 0.9, 0.004), curve(0.007, 0.2, 0.001)
    demands = np.column_stack((at_runs(first), at_runs(second)))
    found = fit_curve(demands, REQUESTS, BUSY)
    assert found.saturated_s == pytest.approx([0.006, 0.007], rel=1e-6)
    assert found.cold_start_s == pytest.approx([0.9, 0.2], rel=1e-5)
    assert found.wake_up_s == pytest.approx([0.004, 0.001], rel=1e-5)
    assert found.point_estimate().at(5000, 1.0) == pytest.approx([0.006 + 0.9 / 5000])


def test_a_demand_that_grows_with_the_load_is_not_fitted_by_negative_terms():
    growing = 0.006 + 0.004 * BUSY
    found = fit_curve(growing[:, None], REQUESTS, BUSY)
    for values in (found.saturated_s, found.cold_start_s, found.wake_up_s):
        assert (values >= 0).all()
    assert found.terms == ("saturated",)
    assert found.saturated_s[0] == pytest.approx(growing.mean(), rel=0.15)


def test_terms_that_chance_alone_would_fit_are_seldom_kept():
    random = np.random.default_rng(5)
    more = 0
    for _ in range(60):
        demands = 0.006 * np.exp(random.normal(0, 0.03, size=len(BUSY)))
        more += fit_curve(demands[:, None], REQUESTS, BUSY).terms != ("saturated",)
    assert more < 60 * 0.5


def test_terms_that_are_there_are_kept_in_spite_of_noise():
    random = np.random.default_rng(6)
    true = at_runs(curve(0.006, 0.0, 0.006))
    kept = 0
    for _ in range(40):
        demands = true * np.exp(random.normal(0, 0.03, size=len(true)))
        kept += "wake-up" in fit_curve(demands[:, None], REQUESTS, BUSY).terms
    assert kept >= 38


def test_few_runs_carry_few_terms():
    true = curve(0.006, 0.9, 0.004)
    for runs, most in ((1, 1), (2, 1), (3, 1), (4, 2), (5, 3)):
        demands = at_runs(true, REQUESTS[:runs], BUSY[:runs])
        found = fit_curve(demands[:, None], REQUESTS[:runs], BUSY[:runs])
        assert 1 <= len(found.terms) <= most, runs
    single = fit_curve(np.array([[0.005, 0.006]]), np.array([100]), np.array([0.3]))
    assert single.saturated_s == pytest.approx([0.005, 0.006])


def test_runs_of_one_length_have_no_cold_start():
    """A closed sweep's runs of 120 s: expected requests, CPU demands (ms), utilizations and batches as recorded."""
    requests = np.array(
        [
            *(1066.77, 1066.50, 1068.93, 1068.03, 1067.20, 1068.76, 1069.08, 1070.08, 1069.97),
            *(1071.94, 1070.93, 1075.68, 1070.96, 1081.78, 1084.14, 1094.72, 1087.38, 1084.36),
        ]
    )
    demands_ms = np.array(
        [
            *(58.91, 57.50, 43.32, 46.48, 44.12, 35.51, 47.70, 45.42, 48.57),
            *(43.67, 38.59, 46.85, 38.98, 57.30, 52.93, 37.73, 39.06, 39.58),
        ]
    )
    busy = np.repeat([0.769, 0.873, 0.961, 0.971, 0.992, 0.994], 3)
    fitted = fit_curve(demands_ms[:, None], requests, busy, np.tile([0, 1, 2], 6))
    assert fitted.cold_start_s[0] == 0
    assert fitted.saturated_s[0] == pytest.approx(45, rel=0.05)


def test_without_load_dependence_there_is_one_demand():
    demands = at_runs(curve(0.006, 0.9, 0.004))
    found = fit_curve(demands[:, None], REQUESTS, BUSY, load_dependent=False)
    assert found.terms == ("saturated",)
    assert demands.min() < found.saturated_s[0] < demands.max()
    assert found.at(1, 0.0) == found.at(10_000, 1.0)


def test_a_station_that_does_nothing_has_no_demand():
    found = fit_curve(np.zeros((6, 3)), REQUESTS[:6], BUSY[:6])
    assert (found.at(500, 0.5) == 0).all()
    assert found.terms == ()


def test_one_run_without_a_demand_has_little_influence():
    """A disk that is hardly used: in one run its demand came out as 0."""
    demands = np.array([0.0, 2e-4, 2.2e-4, 1.9e-4, 2.1e-4, 2e-4])
    found = fit_curve(demands[:, None], REQUESTS[:6], BUSY[:6], load_dependent=False)
    assert 0.4 * 2e-4 < found.saturated_s[0] < 2e-4
    assert np.isfinite(fit_curve(demands[:, None], REQUESTS[:6], BUSY[:6]).at(500, 0.5)).all()


def test_slower_servers_and_constant_demands():
    assert curve(0.006, 0.9, 0.004).scaled(2).at(1000, 0.5) == pytest.approx([0.0178])
    by_draw = constant(np.array([0.01, 0.02])).scaled(np.array([1.0, 3.0]))
    assert by_draw.at(77, 0.1) == pytest.approx([0.01, 0.06])


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-4, 1), st.floats(0, 10), st.floats(0, 1), st.floats(0, 1e6), st.floats(-1, 2))
def test_a_demand_falls_with_requests_and_with_utilization_to_its_least(b, c, w, n, u):
    true = curve(b, c, w)
    assert true.at(n, u)[0] >= b
    assert true.at(n + 1, u)[0] <= true.at(n, u)[0]
    assert true.at(n, u + 0.1)[0] <= true.at(n, u)[0]
    assert true.at(1e12, 1.0)[0] == pytest.approx(b, rel=1e-6, abs=1e-10)


def test_runs_that_differ_by_factors_have_their_geometric_mean():
    """One twice as slow, one twice as fast: the curve is where both are a factor of 2 away."""
    demands = np.array([0.005, 0.020, 0.005, 0.020, 0.010, 0.010])
    found = fit_curve(demands[:, None], np.full(6, 1000.0), np.full(6, 0.5))
    assert found.at(1000, 0.5) == pytest.approx(0.010, rel=1e-6)


def test_a_demand_near_zero_has_little_influence():
    demands = np.array([0.010] * 9 + [1e-9])
    found = fit_curve(demands[:, None], np.full(10, 1000.0), np.full(10, 0.5))
    assert 0.0085 < found.at(1000, 0.5)[0] < 0.010


# -- random effects of batches --------------------------------------------------------------------------

BATCHES = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def machine(seed: int, batches, batch_sd: float, run_sd: float):
    """Log residuals of runs with these standard deviations between and within batches."""
    random = np.random.default_rng(seed)
    return random.normal(0, batch_sd, size=batches.max() + 1)[batches] + random.normal(
        0, run_sd, size=len(batches)
    )


@pytest.mark.parametrize("ratio", [0.0, 0.5, 3.0, 1e6])
def test_quasi_demeaned_least_squares_are_generalized_least_squares(ratio):
    """Runs of a batch have the covariance 1 + ratio on the diagonal and ratio beside it."""
    random = np.random.default_rng(2)
    design, values = random.normal(size=(10, 3)), random.normal(size=10)
    inverse = np.linalg.inv(np.eye(10) + ratio * (BATCHES[:, None] == BATCHES))
    exact = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ values)
    demean = quasi_demean(BATCHES, ratio)
    found, *_ = np.linalg.lstsq(demean @ design, demean @ values)
    assert found == pytest.approx(exact, rel=1e-6)


def test_a_ratio_of_zero_changes_nothing():
    assert (quasi_demean(BATCHES, 0.0) == np.eye(10)).all()
    assert quasi_demean(np.arange(4), 3.0) == pytest.approx(np.eye(4) / 2)


@pytest.mark.parametrize("ratio", [0.0, 1.0, 4.0])
def test_the_variance_ratio_is_that_of_the_simulation(ratio):
    batches = np.repeat(np.arange(8), 4)
    found = [
        between_within_variance_ratio(machine(seed, batches, 0.2 * ratio**0.5, 0.2), batches)
        for seed in range(200)
    ]
    assert np.median(found) == pytest.approx(ratio, abs=0.1 + 0.2 * ratio)
    assert min(found) >= 0


def test_a_ratio_that_cannot_be_estimated_is_zero():
    some = np.array([0.1, -0.2, 0.3])
    assert between_within_variance_ratio(some, np.zeros(3, int)) == 0
    assert between_within_variance_ratio(some, np.arange(3)) == 0
    assert between_within_variance_ratio(np.zeros(4), np.array([0, 0, 1, 1])) == 0


def test_a_batch_effect_is_shrunk_more_with_fewer_runs():
    assert blup(np.zeros(0), 2.0) == 0
    assert blup(np.array([0.3]), 2.0) == pytest.approx(0.2)
    assert blup(np.full(1000, 0.3), 2.0) == pytest.approx(0.3, rel=1e-3)
    assert blup(np.array([0.3, 0.5]), 0.0) == 0


def sweeps(seed: int):
    """Six sweeps of three loads each: D = 8 ms + 6 ms (1 − U), batches differ by 30 %, runs of a batch by 5 %."""
    batches = np.repeat(np.arange(6), 3)
    busy = np.tile([0.75, 0.95, 1.0], 6)
    slower = np.exp(machine(seed, batches, 0.3, 0.05))
    return (0.008 + 0.006 * (1 - busy)) * slower, busy, batches


def test_a_term_is_found_within_batches_of_different_speed():
    counts = {True: 0, False: 0}
    for seed in range(40):
        demands, busy, batches = sweeps(seed)
        for known in counts:
            curve = fit_curve(
                demands[:, None], np.full(18, 1000.0), busy, batches if known else None
            )
            counts[known] += "wake-up" in curve.terms
    assert counts[True] >= 36
    assert counts[False] <= 20


def test_a_term_within_batches_is_unbiased():
    found = []
    for seed in range(40):
        demands, busy, batches = sweeps(seed)
        curve = fit_curve(demands[:, None], np.full(18, 1000.0), busy, batches)
        found.append(curve.wake_up_s[0] / curve.saturated_s[0])
    assert np.median(found) == pytest.approx(0.75, rel=0.15)
