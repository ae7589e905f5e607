"""Regression of demands: exact without noise, with warnings where demands are not identifiable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.demands.regression import regress

WEB = np.array([5.0, 20, 40, 80, 10, 60])
DB = np.array([40.0, 10, 30, 5, 0, 20])


def test_classes_and_background_are_recovered():
    used = 0.02 + 0.004 * WEB + 0.011 * DB
    found = regress({"web": WEB, "db": DB}, used)
    assert found.demands_s == pytest.approx({"web": 0.004, "db": 0.011}, rel=1e-9)
    assert found.background == pytest.approx(0.02, rel=1e-9)
    assert found.residuals == pytest.approx(np.zeros(6), abs=1e-12)
    assert found.warnings == ()
    assert set(found.draws) == {"web", "db", "background"}


def test_by_hand_two_runs_are_a_straight_line():
    found = regress({"web": [10, 30]}, [0.1, 0.2])
    assert found.demands_s["web"] == pytest.approx(0.005)
    assert found.background == pytest.approx(0.05)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 1)), min_size=3, max_size=9
    )
)
def test_nothing_is_negative(rows):
    web, db, used = (np.array(column) for column in zip(*rows, strict=True))
    found = regress({"web": web, "db": db}, used, draws=5)
    assert min(*found.demands_s.values(), found.background) >= 0
    assert all((draws >= 0).all() for draws in found.draws.values())


def test_a_demand_that_would_be_negative_is_zero():
    found = regress({"web": WEB, "db": DB}, 0.9 - 0.004 * WEB + 0.001 * DB)
    assert found.demands_s["web"] == 0


def test_bootstrap_intervals_have_their_coverage():
    random = np.random.default_rng(4)
    held, trials = 0, 120
    for _ in range(trials):
        web = random.uniform(5, 80, 20)
        db = random.uniform(0, 40, 20)
        used = 0.03 + 0.004 * web + 0.01 * db + random.normal(0, 0.02, 20)
        draws = regress({"web": web, "db": db}, used, draws=200, seed=1).draws["web"]
        low, high = np.quantile(draws, [0.025, 0.975])
        held += low <= 0.004 <= high
    assert 0.85 <= held / trials <= 0.99


def test_the_same_runs_give_the_same_draws():
    used = 0.02 + 0.004 * WEB + np.array([0, 1, -1, 1, 0, -1]) * 1e-3
    one, two = (regress({"web": WEB}, used, seed=3) for _ in range(2))
    assert (one.draws["web"] == two.draws["web"]).all()
    assert (one.draws["web"] != regress({"web": WEB}, used, seed=4).draws["web"]).any()


def test_collinear_classes_get_a_warning():
    beside = 2 * WEB + np.array([0, 0.1, 0, 0, 0.1, 0])
    found = regress({"web": WEB, "db": beside}, 0.004 * WEB + 0.01 * beside)
    assert found.condition_number > 30
    assert any("collinear" in said for said in found.warnings)


def test_a_narrow_range_of_loads_gets_a_warning():
    found = regress({"web": [50, 55, 60, 65]}, [0.3, 0.32, 0.35, 0.37])
    assert any("cannot be separated" in said for said in found.warnings)
    wide = regress({"web": [5, 20, 40, 65]}, [0.03, 0.1, 0.2, 0.33])
    assert wide.warnings == ()


def test_a_class_without_load_gets_a_warning():
    found = regress({"web": WEB, "db": np.zeros(6)}, 0.02 + 0.004 * WEB)
    assert found.demands_s == pytest.approx({"web": 0.004, "db": 0.0})
    assert any("no run has a load" in said for said in found.warnings)
    assert found.condition_number == np.inf


@pytest.mark.parametrize(
    ("loads", "used", "why"),
    [
        ({"web": [1, 2], "db": [2, 1]}, [0.1, 0.2], "too few"),
        ({"web": [1, 2, 3]}, [0.1, 0.2], "3 throughputs"),
        ({"web": [1, float("nan"), 3]}, [0.1, 0.2, 0.3], "finite"),
        ({"web": [1, 2, 3]}, [0.1, float("inf"), 0.3], "finite"),
    ],
)
def test_invalid_input_is_rejected(loads, used, why):
    with pytest.raises(ValueError, match=why):
        regress(loads, used)
