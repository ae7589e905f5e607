"""Demand over time: constant and varying demands are recovered."""

import numpy as np
import pytest

from pipeline.demands.kalman import track

WINDOWS, RATE = 60, 30.0


def busy(demands: np.ndarray, done: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Busy time of windows in which ``done`` requests each took an exponential time around the demand."""
    return np.array([random.gamma(n, d) if n else 0.0 for n, d in zip(done, demands, strict=True)])


def seen(demands: np.ndarray, seed: int):
    random = np.random.default_rng(seed)
    done = random.poisson(RATE, size=len(demands)).astype(float)
    return track(busy(demands, done, random), done, np.ones(len(demands)))


def test_a_constant_demand_is_rarely_time_varying():
    found = [seen(np.full(WINDOWS, 0.01), seed) for seed in range(60)]
    still = [one for one in found if not one.is_time_varying]
    assert len(still) >= 0.9 * 60
    for one in still:
        assert one.drift_sd_s == 0
        # without a drift it is one number, and an interval as wide as chance: D/√(requests)
        assert np.ptp(one.demand_s) < 1e-3 * one.demand_s[0]
        half = (one.high_s - one.low_s)[0] / 2
        assert half == pytest.approx(1.96 * 0.01 / np.sqrt(WINDOWS * RATE), rel=0.4)
    held = np.mean([(one.low_s[0] <= 0.01 <= one.high_s[0]) for one in still])
    assert 0.87 <= held <= 1


STEP = np.where(np.arange(WINDOWS) < WINDOWS // 2, 0.008, 0.014)
RAMP = np.linspace(0.006, 0.016, WINDOWS)


@pytest.mark.parametrize("true", [STEP, RAMP], ids=["step", "ramp"])
def test_a_demand_that_moves_is_followed(true):
    found = [seen(true, seed) for seed in range(15)]
    assert all(one.is_time_varying and one.drift_sd_s > 0 for one in found)
    ends = np.r_[0:20, WINDOWS - 20 : WINDOWS]
    for one in found:
        assert one.demand_s[ends] == pytest.approx(true[ends], rel=0.35)
        assert np.corrcoef(one.demand_s, true)[0, 1] > 0.9
        mean_only = np.abs(true.mean() - true).mean()
        assert np.abs(one.demand_s - true).mean() < 0.5 * mean_only
    held = np.mean([(one.low_s <= RAMP) & (one.high_s >= RAMP) for one in found])
    if true is RAMP:
        assert 0.85 <= held <= 0.999


def test_intervals_of_a_random_walk_hold_it():
    held, runs = [], 25
    for seed in range(runs):
        random = np.random.default_rng(1000 + seed)
        true = np.maximum(0.01 + np.cumsum(random.normal(0, 6e-4, WINDOWS)), 0.002)
        one = seen(true, seed)
        if one.is_time_varying:  # a walk that came back to where it began looks still
            held.append(((one.low_s <= true) & (true <= one.high_s)).mean())
    assert len(held) >= 0.85 * runs
    assert 0.85 <= np.mean(held) <= 0.99


def test_windows_without_requests_are_bridged():
    done = np.full(20, 30.0)
    done[8:12] = 0
    found = track(done * 0.01, done, np.ones(20))
    assert found.demand_s == pytest.approx(np.full(20, 0.01), rel=1e-3)
    assert (found.low_s >= 0).all()


def test_too_few_windows_or_requests_are_rejected():
    with pytest.raises(ValueError, match="eight windows"):
        track(np.ones(7), np.ones(7), np.ones(7))
    with pytest.raises(ValueError, match="one request"):
        track(np.ones(9), np.zeros(9), np.ones(9))
