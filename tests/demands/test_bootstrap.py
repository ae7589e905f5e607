"""Circular block bootstrap: equal weights of windows, and the known variance of a mean."""

import numpy as np
import pytest

from pipeline.demands.bootstrap import block_length, interval, moving_blocks, small_sample_factor


class EveryStart:
    """Instead of chance: draw i begins all its blocks at window i."""

    def integers(self, low, high, size):
        return np.broadcast_to(np.arange(low, high)[:, None], size)


@pytest.mark.parametrize(("windows", "length"), [(12, 4), (13, 4), (7, 3), (5, 1), (123, 10)])
def test_each_window_is_drawn_equally_often(windows, length):
    """Over all starts that there are, every window is drawn once in each place of a draw."""
    drawn = moving_blocks(windows, windows, EveryStart(), length)
    assert drawn.shape == (windows, windows)
    for place in drawn.T:
        assert sorted(place) == list(range(windows))


def test_blocks_are_windows_in_a_row_and_begin_anywhere():
    drawn = moving_blocks(60, 500, np.random.default_rng(1), 6)
    steps = np.diff(drawn.reshape(500, 10, 6), axis=2) % 60
    assert (steps == 1).all()
    assert set(drawn[:, 0]) == set(range(60))
    assert len({tuple(starts) for starts in drawn[:, ::6]}) == 500


def autoregressive(phi: float, windows: int, series: int, random: np.random.Generator):
    """AR(1) of variance 1 from its steady state, shape (series, windows)."""
    values = np.empty((series, windows))
    values[:, 0] = random.normal(size=series)
    for i in range(1, windows):
        shock = random.normal(size=series)
        values[:, i] = phi * values[:, i - 1] + np.sqrt(1 - phi**2) * shock
    return values


def variance_of_mean(phi: float, windows: int) -> float:
    """(1/n) (1 + 2 Σ (1 − k/n) φ^k)."""
    lags = np.arange(1, windows)
    return float((1 + 2 * ((1 - lags / windows) * phi**lags).sum()) / windows)


def test_the_variance_of_a_mean_of_dependent_windows_is_met():
    phi, windows = 0.4, 150
    random = np.random.default_rng(2)
    series = autoregressive(phi, windows, 300, random)
    true = variance_of_mean(phi, windows)
    assert series.mean(axis=1).var() == pytest.approx(true, rel=0.25)

    def told(length: int) -> float:
        found = []
        for one in series:
            drawn = one[moving_blocks(windows, 200, random, length)].mean(axis=1)
            found.append(drawn.var() * windows / (windows - length))
        return float(np.mean(found))

    assert told(block_length(windows)) == pytest.approx(true, rel=0.15)
    assert told(1) < 0.6 * true  # drawn one by one, as if they were independent


@pytest.mark.parametrize("phi", [0.0, 0.3])
def test_intervals_of_a_mean_have_their_coverage(phi):
    windows, trials = 120, 400
    random = np.random.default_rng(3)
    wide, held = small_sample_factor(windows), 0
    for one in autoregressive(phi, windows, trials, random):
        mean = one.mean()
        drawn = one[moving_blocks(windows, 300, random)].mean(axis=1)
        low, high = interval(mean + wide * (drawn - mean))
        held += low <= 0 <= high
    # 95 % by the normal limits of a binomial share of 400, and what blocks miss of the dependence
    assert 0.91 <= held / trials <= 0.985


@pytest.mark.parametrize("windows", [2, 3, 8, 30, 120, 1000])
def test_few_blocks_are_widened_more(windows):
    length = block_length(windows)
    assert 1 <= length <= max(1, windows // 2)
    assert small_sample_factor(windows) > 1
    assert small_sample_factor(windows) > small_sample_factor(10 * windows)
    assert small_sample_factor(windows, 1) > small_sample_factor(windows * 10, 1)


def test_a_million_windows_are_hardly_widened():
    assert small_sample_factor(1_000_000) == pytest.approx(1, abs=0.001)


def test_an_interval_is_the_middle_of_the_draws_that_are_numbers():
    draws = np.concatenate((np.arange(1001.0), [np.nan, np.inf]))
    assert interval(draws) == pytest.approx((25, 975))
    assert interval(draws, 0.5) == pytest.approx((250, 750))
    assert np.isnan(interval(np.array([np.nan]))).all()
    assert np.isnan(interval(np.array([]))).all()
