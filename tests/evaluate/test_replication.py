"""Replications: geometric means and ratios, with variation within and between runs in their intervals."""

import numpy as np
import pytest
from scipy.stats import t

from pipeline.evaluate import texts
from pipeline.evaluate.replication import geometric_mean, geometric_mean_ci, geometric_mean_ratio
from pipeline.measure.window import MissingData


def alone(*values: float) -> list[np.ndarray]:
    """Runs without draws."""
    return [np.array([value]) for value in values]


def test_the_ratio_is_that_of_geometric_means():
    found = geometric_mean_ratio(alone(2.0, 8.0), alone(1.0, 4.0))
    assert found.value == pytest.approx(2)
    assert found.runs == (2, 2)


def test_runs_without_draws_give_student_s_interval():
    """Two samples with one variance, on a logarithmic scale."""
    slow, fast = np.log([4.2, 4.4, 3.9]), np.log([2.0, 2.1])
    pooled = (((slow - slow.mean()) ** 2).sum() + ((fast - fast.mean()) ** 2).sum()) / 3
    half = t.ppf(0.975, 3) * np.sqrt(pooled * (1 / 3 + 1 / 2))
    found = geometric_mean_ratio(alone(*np.exp(slow)), alone(*np.exp(fast)))
    centre = slow.mean() - fast.mean()
    assert np.log(found.low) == pytest.approx(centre - half, abs=half / 4)
    assert np.log(found.high) == pytest.approx(centre + half, abs=half / 4)


def test_one_run_each_gets_a_note_on_its_interval():
    found = geometric_mean_ratio(alone(4.0), alone(2.0))
    assert (found.value, found.low, found.high) == (2.0, None, None)
    assert found.note == texts.RUN_VARIATION_UNKNOWN
    random = np.random.default_rng(1)
    drawn = [np.concatenate(([4.0], 4 * np.exp(random.normal(0, 0.1, 1000))))]
    found = geometric_mean_ratio(drawn, alone(2.0))
    assert np.log(found.high / found.low) == pytest.approx(2 * 1.96 * 0.1, rel=0.15)
    assert found.note == texts.RUN_VARIATION_NOT_INCLUDED


def test_runs_that_differ_more_than_their_draws_do_widen_the_interval():
    random = np.random.default_rng(2)

    def drawn(*values: float) -> list[np.ndarray]:
        return [np.concatenate(([v], v * np.exp(random.normal(0, 0.02, 1000)))) for v in values]

    calm = geometric_mean_ratio(drawn(4.0, 4.01), drawn(2.0, 2.01))
    wild = geometric_mean_ratio(drawn(4.0, 5.5), drawn(2.0, 2.8))
    assert calm.high - calm.low < 0.3 < wild.high - wild.low


def test_intervals_of_a_ratio_have_their_coverage():
    """Runs scatter by 8 %, what is measured in each by 5 %; three runs against four."""
    random = np.random.default_rng(3)
    inside = 0
    for trial in range(300):
        sides = []
        for truth, runs in ((3.0, 3), (1.5, 4)):
            seen = np.log(truth) + random.normal(0, 0.08, runs) + random.normal(0, 0.05, runs)
            sides.append([np.exp(np.append(x, x + random.normal(0, 0.05, 400))) for x in seen])
        found = geometric_mean_ratio(*sides, seed=trial)
        inside += found.low <= 2.0 <= found.high
    assert 0.91 <= inside / 300 <= 0.99


@pytest.mark.parametrize("bad", [alone(), alone(0.0), alone(float("nan"))])
def test_a_value_without_a_logarithm_is_missing_data(bad):
    with pytest.raises(MissingData):
        geometric_mean_ratio(bad, alone(1.0))
    with pytest.raises(MissingData):
        geometric_mean_ratio(alone(1.0), bad)


def test_the_geometric_mean_of_runs():
    assert geometric_mean(iter([10.0, 20.0, 40.0])) == pytest.approx(20.0)
    assert geometric_mean([7.0]) == pytest.approx(7.0)


def test_equal_runs_have_no_width_and_one_run_has_no_interval():
    assert geometric_mean_ci([7.0, 7.0, 7.0]) == pytest.approx((7.0, 7.0))
    assert geometric_mean_ci([7.0]) is None and geometric_mean_ci([]) is None
    assert geometric_mean_ci([7.0, 0.0]) is None and geometric_mean_ci([7.0, float("nan")]) is None


def test_the_interval_of_the_geometric_mean_is_student_s_of_the_logarithms():
    """By hand, for 10, 20 and 40: logarithms ln 20 and ± ln 2, variance (ln 2)²."""
    low, high = geometric_mean_ci([10.0, 20.0, 40.0])
    wide = t.ppf(0.975, 2) * np.log(2) / np.sqrt(3)
    assert (np.log(low), np.log(high)) == pytest.approx((np.log(20) - wide, np.log(20) + wide))


def test_runs_that_differ_by_huge_factors_have_a_finite_interval():
    low, high = geometric_mean_ci([5.0, 5e12])
    assert 0 <= low < high < np.inf


@pytest.mark.parametrize(("runs", "scatter"), [(3, 0.3), (6, 0.3), (6, 0.6)])
def test_intervals_of_the_geometric_mean_have_their_coverage(runs, scatter):
    random = np.random.default_rng(runs)
    inside = 0
    for _ in range(1000):
        low, high = geometric_mean_ci(np.exp(random.normal(0, scatter, runs)))
        inside += low <= 1.0 <= high
    assert 0.93 <= inside / 1000 <= 0.97
