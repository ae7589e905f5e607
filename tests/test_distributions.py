"""The values of ``pipeline.distributions`` are those of scipy.stats, bit for bit."""

import numpy as np
import pytest
from scipy import stats

from pipeline import distributions as own

DEGREES = (1, 2, 5, 7.25, 30, 1000)
P = (1e-6, 0.025, (1 - 0.95) / 2, 0.5, 0.9, 0.975, 0.995)
X = (0.0, 0.4, 1.96, 3.5, 12.0, 40.0)


def test_values_without_degrees_of_freedom():
    assert [own.normal_quantile(p) for p in P] == [stats.norm.ppf(p) for p in P]
    assert [own.normal_tail(x) for x in X] == [stats.norm.sf(x) for x in X]


@pytest.mark.parametrize("degrees", DEGREES)
def test_values_by_degrees_of_freedom(degrees):
    for p in P:
        assert own.t_quantile(p, degrees) == stats.t.ppf(p, degrees)
        assert own.chi2_quantile(p, degrees) == stats.chi2.ppf(p, degrees)
    for x in X:
        assert own.t_tail(x, degrees) == stats.t.sf(x, degrees)
        assert own.chi2_tail(x, degrees) == stats.chi2.sf(x, degrees)
        assert own.chi2_probability(x, degrees) == stats.chi2.cdf(x, degrees)


def test_numbers_give_numbers_and_arrays_arrays():
    assert type(own.t_quantile(0.975, 5)) is float
    degrees = np.array([1, 2, 30])
    assert own.t_quantile(0.975, degrees).tolist() == stats.t.ppf(0.975, degrees).tolist()
