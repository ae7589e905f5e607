"""Random effects of batches against generalized least squares and a simulated machine."""

import numpy as np
import pytest

from pipeline.demands.load_curve import between_within_variance_ratio, blup, fit_curve, quasi_demean

SPELLS = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def machine(seed: int, batches, pace_sd: float, own_sd: float):
    """Logarithms of how much slower runs were than their loads say."""
    random = np.random.default_rng(seed)
    return random.normal(0, pace_sd, size=batches.max() + 1)[batches] + random.normal(
        0, own_sd, size=len(batches)
    )


@pytest.mark.parametrize("ratio", [0.0, 0.5, 3.0, 1e6])
def test_quasi_demeaned_least_squares_are_generalized_least_squares(ratio):
    """Runs of a batch have the covariance 1 + ratio on the diagonal and ratio beside it."""
    random = np.random.default_rng(2)
    design, values = random.normal(size=(10, 3)), random.normal(size=10)
    inverse = np.linalg.inv(np.eye(10) + ratio * (SPELLS[:, None] == SPELLS))
    exact = np.linalg.solve(design.T @ inverse @ design, design.T @ inverse @ values)
    level = quasi_demean(SPELLS, ratio)
    found, *_ = np.linalg.lstsq(level @ design, level @ values)
    assert found == pytest.approx(exact, rel=1e-6)


def test_a_ratio_of_zero_changes_nothing():
    assert (quasi_demean(SPELLS, 0.0) == np.eye(10)).all()
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
    """Six sweeps of three loads each: D = 8 ms + 6 ms (1 − U), paces 30 % apart, runs of a sweep 5 %."""
    batches = np.repeat(np.arange(6), 3)
    busy = np.tile([0.75, 0.95, 1.0], 6)
    slower = np.exp(machine(seed, batches, 0.3, 0.05))
    return (0.008 + 0.006 * (1 - busy)) * slower, busy, batches


def test_a_term_is_found_within_batches_of_different_speed():
    told = {True: 0, False: 0}
    for seed in range(40):
        demands, busy, batches = sweeps(seed)
        for known in told:
            curve = fit_curve(
                demands[:, None], np.full(18, 1000.0), busy, batches if known else None
            )
            told[known] += "wake-up" in curve.terms
    assert told[True] >= 36
    assert told[False] <= 20


def test_a_term_within_batches_is_unbiased():
    found = []
    for seed in range(40):
        demands, busy, batches = sweeps(seed)
        curve = fit_curve(demands[:, None], np.full(18, 1000.0), busy, batches)
        found.append(curve.wake_up_s[0] / curve.saturated_s[0])
    assert np.median(found) == pytest.approx(0.75, rel=0.15)
