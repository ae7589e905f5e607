"""Steady state: two halves of a load, with the noise of its windows."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from pipeline.measure.texts import UNIFORM_COMPLETIONS
from pipeline.measure.time_series import TimeSeries
from pipeline.quality.check import FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED
from pipeline.quality.stationarity import check_stationarity, compare_halves, window_count
from quality.samples import RESULTS


def series(
    second_half: float = 1.0, noise: float = 0.02, flags=(), seconds: int = 120
) -> TimeSeries:
    """A load of 80 requests a second; every column is ``second_half`` times as much in the second half."""
    draw = np.random.default_rng(7)
    grows = np.where(np.arange(seconds) < seconds / 2, 1.0, second_half)

    def noisy(mean):
        return mean * grows * (1 + noise * draw.standard_normal(seconds))

    frame = pl.DataFrame(
        {
            "start_s": np.arange(float(seconds)),
            "length_s": np.ones(seconds),
            "completions": 80 * (1 + noise * draw.standard_normal(seconds)),
            "guest_cpu": noisy(0.4),
            "vdisk": noisy(0.2),
            "disk": noisy(0.1),
        }
    )
    return TimeSeries(frame, {}, {"host_cpu": "no task counters"}, flags)


def results(given: TimeSeries | str, responses=None, length_s=120.0) -> dict[str, str]:
    checks = check_stationarity(given, pl.DataFrame() if responses is None else responses, length_s)
    return {check.check.removeprefix("steady "): check.result for check in checks}


def test_a_steady_load_is_steady_and_one_that_grows_is_not():
    assert results(series()) == {
        "throughput": PASSED,
        "CPU time per request in the guest": PASSED,
        "CPU time per request on the host": NOT_EVALUATED,
        "time per request at the guest's disk": PASSED,
        "time per request at the host's disk": PASSED,
        "response time": NOT_EVALUATED,
    }
    increased = results(series(second_half=1.2))
    assert increased["throughput"] == PASSED
    assert increased["CPU time per request in the guest"] == FAILED
    assert increased["time per request at the guest's disk"] == FAILED
    assert increased["time per request at the host's disk"] == FAILED


def test_throughput_that_falls_is_not_steady():
    falling = series()
    half = pl.when(pl.col("start_s") < 60).then(1.0).otherwise(0.8)
    falling = replace(falling, frame=falling.frame.with_columns(pl.col("completions") * half))
    assert results(falling)["throughput"] == FAILED


def test_a_difference_within_the_noise_is_inconclusive_and_one_within_the_tolerance_passes():
    assert results(series(1.2, noise=1.0))["CPU time per request in the guest"] == INCONCLUSIVE
    exact = compare_halves(np.array([1.0, 1.001, 1.0, 1.02, 1.021, 1.02]))
    assert exact.p < 0.01 and exact.result == PASSED
    assert compare_halves(np.array([1.0, 1.001, 1.0, 1.2, 1.201, 1.2])).result == FAILED


def test_a_change_of_36_percent_with_p_0_02_is_inconclusive():
    """16.9 requests per second after 12.4 ± 0.62 in windows that scatter: inconclusive."""
    first = 12.4 + np.array([-3.0, 2.0, -1.0, 3.0, -2.0, 1.0])
    second = 16.9 + np.array([3.2, -2.6, 3.8, -3.4, -2.0, 1.0])
    both = compare_halves(np.concatenate([first, second]))
    assert both.change == pytest.approx(0.363, abs=0.001)
    assert 0.01 < both.p < 0.05
    welch = stats.ttest_ind(second, first, equal_var=False)
    assert both.p == pytest.approx(welch.pvalue)
    assert (both.low, both.high) == pytest.approx(tuple(welch.confidence_interval(0.95)))
    assert both.tolerance == pytest.approx(0.62)
    assert both.result == INCONCLUSIVE


def test_halves_without_scatter():
    assert compare_halves(np.ones(6)).result == PASSED
    assert compare_halves(np.repeat([1.0, 2.0], 3)).result == FAILED
    assert compare_halves(np.zeros(6)).result == PASSED
    assert compare_halves(np.repeat([0.0, 2.0], 3)).result == FAILED


def test_steady_runs_fail_no_more_often_than_the_level_says():
    draw = np.random.default_rng(3)
    wrong = sum(
        compare_halves(10 + 3 * draw.standard_normal(12)).result == FAILED for _ in range(2000)
    )
    assert wrong <= 40  # 1 in 100, twice that allowed for chance


def test_a_short_load_or_uniform_completions_are_not_evaluated():
    assert window_count(60) == window_count(600) == 12 and window_count(20) == 4
    assert set(results(series(seconds=20), length_s=20.0).values()) == {NOT_EVALUATED}
    spread = results(series(flags=(UNIFORM_COMPLETIONS,)))
    assert set(spread.values()) == {NOT_EVALUATED}
    assert set(results("no log").values()) == {NOT_EVALUATED}


@pytest.mark.parametrize(("later", "passed"), [(1.0, True), (1.5, False)])
def test_response_times_of_interval_lines(later, passed):
    draw = np.random.default_rng(5)
    seconds = np.arange(1.0, 121.0)
    lines = pl.DataFrame(
        {
            "elapsed_s": seconds,
            "response_time_percentile_s": np.where(seconds <= 60, 1.0, later)
            * (1 + 0.1 * draw.standard_normal(120)),
        }
    )
    assert results(series(), lines)["response time"] == RESULTS[passed]
