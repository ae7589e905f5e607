"""Bounds bracket the exact solution."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.models import EXAMPLES, networks
from network.test_solve import CASES
from pipeline.network import bounds
from pipeline.network.closed import sweep_populations
from pipeline.network.model import Network
from pipeline.network.solve import solve

TABLE_V = [
    (2, 1.4319, 1.5195),
    (5, 3.3432, 3.5582),
    (10, 5.7569, 6.1410),
    (20, 8.0856, 8.6467),
    (80, 9.7147, 9.8594),
]


def test_geometric_square_root_bounds_with_think_time():
    """Casale, Muntz and Serazzi 2008, table V: Z = 1."""
    (case,) = (c for c in CASES if c["id"] == "bounds_geometric_casale_table4")
    model = json.loads(json.dumps(case["model"]))
    model["classes"][0]["think_time"] = 1.0
    rows = solve(Network.from_dict(model), "bounds").to_dict()["bounds"]["geometric"]
    for population, lower, upper in TABLE_V:
        row = rows[population - 1]
        assert row["X_lower"] == pytest.approx(lower, abs=1e-4)
        assert row["X_upper"] == pytest.approx(upper, abs=1e-4)


@EXAMPLES
@given(networks(opens=0, closeds=1, max_population=40, kinds=("queue", "delay")))
def test_exact_lies_inside_all_bounds(model):
    is_queue = np.array([s.kind == "queue" for s in model.stations])
    if not model.demands[is_queue].any():
        return
    x, r = solve(model).throughput[0], solve(model).response_times[0]
    answer = solve(model, "bounds").to_dict()["bounds"]
    assert set(answer) == set(bounds.FAMILIES)
    for rows in answer.values():
        assert len(rows) == model.classes[0].population
        last = rows[-1]
        assert last["X_lower"] * (1 - 1e-9) <= x <= last["X_upper"] * (1 + 1e-9)
        slack = 1e-9 * (r + model.classes[0].think_time)
        assert last["R_lower"] - slack <= r <= last["R_upper"] + slack


@EXAMPLES
@given(networks(opens=0, closeds=1, max_population=40))
def test_exact_lies_inside_asymptotic_bounds_for_any_station(model):
    is_queue = np.array([s.kind != "delay" for s in model.stations])
    if not model.demands[is_queue].any():
        return
    x = solve(model).throughput[0]
    last = solve(model, "bounds").to_dict()["bounds"]["aba"][-1]
    assert last["X_lower"] * (1 - 1e-9) <= x <= last["X_upper"] * (1 + 1e-9)


@EXAMPLES
@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=6), st.floats(0, 50), st.integers(1, 80))
def test_bounds_of_every_population(demands, think, population):
    exact = sweep_populations(demands, population, think).throughput[1:]
    n = np.arange(1, population + 1)
    for family in (bounds.asymptotic, bounds.balanced, bounds.proportional, bounds.geometric):
        family_bounds = family(demands, n, think)
        assert np.all(family_bounds.x_lower <= exact * (1 + 1e-9))
        assert np.all(exact <= family_bounds.x_upper * (1 + 1e-9))
        assert np.all(family_bounds.r_lower <= family_bounds.r_upper * (1 + 1e-9))
