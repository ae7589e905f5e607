"""The Universal Scalability Law: published fits to their printed digits, planted laws, degenerate data."""

import numpy as np
import pytest

from pipeline.evaluate.scalability_law import PARAMETERS, ScalabilityError, fit_usl
from pipeline.network.model import Network
from pipeline.network.solve import solve

# SPEC SDM, 1991; data and the printed peak: smoeding/usl, tests/peak-scalability.R
SPEC_N = [1, 18, 36, 72, 108, 144, 216]
SPEC_X = [64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2]
# a Cisco benchmark, Schwartz, Practical Scalability Analysis with the Universal Scalability Law (2015), N = 1 to 32;
# data and printed values: codahale/usl, model_test.go, commit 00788b5
SCHWARTZ_X = [
    *(955.16, 1878.91, 2688.01, 3548.68, 4315.54, 5130.43, 5931.37, 6531.08, 7219.8, 7867.61),
    *(8278.71, 8646.7, 9047.84, 9426.55, 9645.37, 9897.24, 10097.6, 10240.5, 10532.39, 10798.52),
    *(11151.43, 11518.63, 11806, 12089.37, 12075.41, 12177.29, 12211.41, 12158.93, 12155.27),
    *(12118.04, 12140.4, 12074.39),
]
SCHWARTZ_N = range(1, 33)


def law(n, sigma, kappa, rate):
    n = np.asarray(n, float)
    return rate * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def limits(fit, parameter):
    return fit.parameters.filter(parameter=parameter).select("low", "high").row(0)


def test_peak_of_spec_sdm91():
    assert fit_usl(SPEC_N, SPEC_X).peak_n == pytest.approx(96.51956, abs=5e-6)


def test_schwartz_parameters():
    fit = fit_usl(SCHWARTZ_N, SCHWARTZ_X)
    # printed by an optimizer that stops earlier: its own tests allow 1e-5
    assert fit.sigma == pytest.approx(0.02671591, rel=2e-6)
    assert fit.kappa == pytest.approx(7.690945e-4, rel=2e-6)
    assert fit.lambda_per_s == pytest.approx(995.6486, rel=5e-7)
    assert int(fit.peak_n) == 35
    assert float(fit.throughput_at(35)) == pytest.approx(12341.745, abs=1e-3)
    assert float(fit.throughput_at(20)) == pytest.approx(11063.633, abs=5e-4)
    assert float(fit.response_time_at(20)) * 1e3 == pytest.approx(1.8077244, abs=5e-8)
    assert fit.max_throughput == pytest.approx(float(fit.throughput_at(fit.peak_n)), rel=1e-12)


def test_intervals_are_profile_likelihoods():
    """With σ fixed at an end of its interval, the least squares of the others reach the threshold."""
    from scipy.optimize import least_squares
    from scipy.stats import t

    fit = fit_usl(SPEC_N, SPEC_X)
    threshold = fit.sum_of_squares * (1 + t.ppf(0.975, 4) ** 2 / 4)
    for end in limits(fit, "sigma"):
        others = least_squares(
            lambda p, end=end: law(SPEC_N, end, p[0] * 1e-4, p[1] * 100) - SPEC_X, [1, 1]
        )
        assert 2 * others.cost == pytest.approx(threshold, rel=2e-3)
    for name in PARAMETERS:
        low, high = limits(fit, name)
        value = fit.parameters.filter(parameter=name)["value"][0]
        assert low < value < high


@pytest.mark.parametrize("relative", [False, True])
def test_planted_law_is_recovered(relative):
    n = [1, 2, 4, 8, 16, 32, 64]
    fit = fit_usl(n, law(n, 0.05, 0.001, 20.0), relative=relative)
    assert (fit.sigma, fit.kappa, fit.lambda_per_s) == pytest.approx((0.05, 0.001, 20.0), rel=1e-8)
    assert fit.peak_n == pytest.approx(np.sqrt(0.95 / 0.001))


def test_intervals_contain_the_planted_law():
    n = np.tile([1, 2, 4, 8, 16, 32], 3)
    planted = {"sigma": 0.05, "kappa": 0.001, "lambda": 20.0, "peak_N": np.sqrt(950)}
    contained = dict.fromkeys(planted, 0)
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(1, 0.05, n.size)
        fit = fit_usl(n, law(n, 0.05, 0.001, 20.0) * noise, relative=True)
        for name, value in planted.items():
            low, high = limits(fit, name)
            contained[name] += low <= value <= high
    assert min(contained.values()) >= 35
    assert contained["sigma"] < 40


def test_prediction_interval_covers_new_runs():
    n = np.tile([1, 2, 4, 8], 3)
    covered = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        fit = fit_usl(n, law(n, 0.1, 0.002, 5.0) * random.normal(1, 0.03, n.size), relative=True)
        low, high = fit.prediction_interval(8)
        covered += low <= float(law(8, 0.1, 0.002, 5.0)) * random.normal(1, 0.03) <= high
    assert 52 <= covered < 60


def test_standard_deviations_weigh_the_points():
    n = [1, 2, 4, 8, 16]
    x = law(n, 0.1, 0.001, 10.0)
    x[3] *= 1.5
    fit = fit_usl(n, x, sd=[0.01, 0.01, 0.01, 100.0, 0.01])
    assert fit.sigma == pytest.approx(0.1, rel=1e-3)
    assert fit_usl(n, x).sigma != pytest.approx(0.1, rel=0.1)


def test_linear_scaling_has_no_peak():
    fit = fit_usl([1, 2, 4, 8], [3, 6, 12, 24])
    assert (fit.sigma, fit.kappa) == (0, 0)
    assert fit.lambda_per_s == pytest.approx(3.0)
    assert fit.peak_n == fit.max_throughput == np.inf


def test_amdahl_s_law_is_the_case_without_coherency():
    n = [1, 2, 4, 8, 16]
    fit = fit_usl(n, law(n, 0.2, 0.0, 7.0))
    assert fit.kappa == 0
    assert fit.sigma == pytest.approx(0.2)
    assert fit.max_throughput == pytest.approx(35.0)


def test_retrograde_from_the_first_customer_on():
    n = [1, 2, 3, 4, 5]
    fit = fit_usl(n, law(n, 0.5, 0.8, 7.0))
    assert fit.peak_n == 1
    assert fit.max_throughput == pytest.approx(7.0)


def test_three_points_have_no_interval():
    fit = fit_usl([1, 2, 3], [3, 5, 6])
    assert (fit.sigma, fit.kappa, fit.lambda_per_s) == pytest.approx((0.1, 0.05, 3.0))
    assert fit.parameters["low"].null_count() == fit.parameters["high"].null_count() == 5
    assert fit.parameters["reason"].null_count() == 0
    assert np.isnan(fit.prediction_interval(4)).all()


@pytest.mark.parametrize(
    ("n", "x", "place"),
    [
        ([4, 4, 4, 4], [1, 2, 3, 4], "there is 1"),
        ([1, 1, 2, 2], [1, 1, 2, 2], "there are 2"),
        ([], [], "there are 0"),
        ([1, 2, 3], [1, 2], "X: shape (2,)"),
        ([1, 2, 3], [1, 0, 2], "X, point 2: 0"),
        ([1, -2, 3], [1, 1, 2], "N, point 2: -2"),
        ([1, 2, 3], [1, float("nan"), 2], "X, point 2: nan"),
        (["a", "b", "c"], [1, 2, 3], "N: "),
        ([[1, 2, 3]], [1, 2, 3], "N: shape (1, 3)"),
    ],
)
def test_unusable_data_is_refused(n, x, place):
    with pytest.raises(ScalabilityError) as error:
        fit_usl(n, x)
    assert place in str(error.value)


def test_gunther_s_share_model_of_virtual_machines():
    """VMware shares: each guest has its own CPU of the speed of its shares (PDQ's example, Gunther)."""
    shares = [5000] * 3 + [1000] * 5
    names = [f"guest {i}" for i in range(len(shares))]
    solution = solve(
        Network.from_dict(
            {
                "stations": [{"name": name, "kind": "queue"} for name in names],
                "classes": [{"name": name, "kind": "closed", "population": 1} for name in names],
                "demands": {
                    name: dict.fromkeys(names, 0.0) | {name: 288.0 * sum(shares) / share}
                    for name, share in zip(names, shares, strict=True)
                },
            }
        )
    )
    assert solution.response_times == pytest.approx([1152.0] * 3 + [5760.0] * 5)
    assert solution.throughput * 3600 == pytest.approx([3.125] * 3 + [0.625] * 5)
