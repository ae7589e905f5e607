"""Baselines against textbook formulas, the published tables and the network solver."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_runs import EVEN, POISSON, closed_load, observation, open_load

from pipeline.evaluate.holdout import PREDICTORS
from pipeline.model import baselines
from pipeline.model.observation import arrival_scv
from pipeline.model.prediction import mean_wait_s
from pipeline.network.gg1 import gi_m_1, interarrival_transform
from pipeline.network.model import Network
from pipeline.network.solve import solve

CASES = json.loads((Path(__file__).parents[1] / "network" / "queueing-cases.json").read_text())[
    "cases"
]


def case(name: str) -> dict:
    return next(one for one in CASES if one["id"] == name)


def predicted(fit, load, *observations):
    found = fit(observations)(load)
    return found.throughput_per_s[0], found.response_time_s[0]


# -- the paper ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpu", "vdisk", "disk", "rate", "r_vdisk", "r_disk"),
    [
        (0.75, 0.329, 1.587, 5, 0.33, 1.6),
        (3.8, 5.537, 1.880, 77.5, 9.7, 2.2),
        (3.65, 11.587, 3.633, 5, 12.3, 3.7),
        (4.97, 10.785, 11.635, 54.7, 26.3, 32.0),
    ],
)
def test_the_published_tables_are_reproduced(cpu, vdisk, disk, rate, r_vdisk, r_disk):
    """Tables I and II, in milliseconds; one operation a request, so eq. 9 as printed is the service demand."""
    one = observation(
        open_load(rate), guest_cpu_s=cpu / 1e3, vdisk_s=vdisk / 1e3, disk_s=disk / 1e3
    )
    _, printed = predicted(baselines.fit_as_printed, one.load, one)
    assert printed * 1e3 == pytest.approx(cpu + r_vdisk + r_disk, rel=0.005)
    _, nested = predicted(baselines.fit_nested, one.load, one)
    assert nested * 1e3 == pytest.approx(cpu + max(r_vdisk, r_disk), rel=0.005)


def test_as_printed_divides_by_operations_but_queues_by_requests():
    one = observation(
        open_load(50),
        guest_cpu_s=0.005,
        vdisk_s=0.004,
        disk_s=0.003,
        operations_per_request={"vdisk": 2.0, "disk": 3.0},
    )
    _, found = predicted(baselines.fit_as_printed, one.load, one)
    assert found == pytest.approx(0.005 + 0.002 / (1 - 0.2) + 0.001 / (1 - 0.15))


def test_the_paper_ignores_the_hosts_cpu():
    little, much = (
        observation(open_load(50), guest_cpu_s=0.005, host_cpu_s=cpu, vdisk_s=0.004, disk_s=0.003)
        for cpu in (0.006, 0.018)
    )
    for fit in (baselines.fit_as_printed, baselines.fit_nested):
        assert predicted(fit, little.load, little) == predicted(fit, much.load, much)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(1e-4, 0.05), st.floats(1e-4, 0.05), st.floats(1e-4, 0.05),
    st.integers(1, 200), st.floats(0, 2),
)  # fmt: skip
def test_a_closed_load_by_formula_obeys_littles_law(cpu, vdisk, disk, population, think):
    load = closed_load(population, think)
    one = observation(load, guest_cpu_s=cpu, vdisk_s=vdisk, disk_s=disk)
    for fit in (baselines.fit_as_printed, baselines.fit_nested):
        x, r = predicted(fit, load, one)
        assert x * (r + think) == pytest.approx(population, rel=1e-6)
        assert 0 < x <= 1 / max(vdisk, disk) * (1 + 1e-9)


def test_a_closed_load_by_formula_is_the_formula_at_its_own_throughput():
    one = observation(closed_load(16), guest_cpu_s=0.0038, vdisk_s=0.005537, disk_s=0.00188)
    x, r = predicted(baselines.fit_nested, one.load, one)
    assert r == pytest.approx(0.0038 + 0.005537 / (1 - x * 0.005537), rel=1e-6)


# -- the textbook -------------------------------------------------------------------------------------------


def solved_open(rate: float, cpu: float, disk: float, background: float) -> float:
    """R of a class beside another one that only keeps the CPU busy."""
    network = {
        "format": "queuevisor-network/1",
        "stations": [{"name": "cpu", "kind": "queue"}, {"name": "disk", "kind": "queue"}],
        "classes": [{"name": "a", "kind": "open", "rate": rate}, {"name": "b", "kind": "open", "rate": 1.0}],
        "demands": {"cpu": {"a": cpu, "b": background}, "disk": {"a": disk, "b": 0.0}},
    }  # fmt: skip
    return solve(Network.from_dict(network)).to_dict()["classes"]["a"]["response_time"]


@pytest.mark.parametrize("background", [1e-9, 0.2])
@pytest.mark.parametrize("capacity", [1.0, 0.5])
def test_open_is_the_networks_solver(background, capacity):
    one = observation(
        open_load(30), host_cpu_s=0.008, disk_s=0.005, vdisk_s=0.006, background_cpus=background * 0.5,
        neighbour_cpu=background * 0.5, capacity_cpus=capacity,
    )  # fmt: skip
    x, r = predicted(baselines.fit_open, one.load, one)
    assert x == 30
    assert r == pytest.approx(solved_open(30, 0.008 / capacity, 0.005, background / capacity))


def test_open_with_poisson_arrivals_is_open():
    """And with a background it waits for that, too, but is not made slower by it."""
    one = observation(open_load(30), host_cpu_s=0.008, disk_s=0.005)
    plain, varied = (
        predicted(fit, one.load, one)[1]
        for fit in (baselines.fit_open, baselines.fit_open_variability)
    )
    assert varied == pytest.approx(plain, rel=1e-9)


def test_even_arrivals_wait_as_d_m_1_does():
    load = open_load(50, EVEN)
    one = observation(load, host_cpu_s=0.010)
    _, r = predicted(baselines.fit_open_variability, load, one)
    exact = gi_m_1(interarrival_transform(50, 0.0), 50, 0.010)
    assert exact == pytest.approx(0.255 * 0.010, rel=0.01)
    assert r - 0.010 == pytest.approx(exact, rel=0.05)
    assert predicted(baselines.fit_open, load, one)[1] == pytest.approx(0.020)


TEXTBOOKS = ("closed_jain_34_2", "closed_lazowska_p117_exact", "pitfall_open_formula_on_closed_run")


@pytest.mark.parametrize("name", TEXTBOOKS)
def test_closed_agrees_with_the_textbook(name):
    known = case(name)
    cpu, disk, layer = (row["a"] for row in known["model"]["demands"].values())
    kind = known["model"]["classes"][0]
    load = closed_load(kind["population"], kind["think_time"])
    one = observation(load, guest_cpu_s=cpu, disk_s=disk, vdisk_s=disk + layer)
    x, r = predicted(baselines.fit_closed, load, one)
    expected = known["expected"]["classes"]["a"]
    assert (x, r) == pytest.approx((expected["throughput"], expected["response_time"]), rel=1e-6)


def test_a_guests_disk_that_is_faster_than_the_hosts_adds_no_layer():
    load = closed_load(4)
    one = observation(load, guest_cpu_s=0.01, disk_s=0.02, vdisk_s=0.015)
    same = observation(load, guest_cpu_s=0.01, disk_s=0.02, vdisk_s=0.02)
    assert predicted(baselines.fit_closed, load, one) == predicted(baselines.fit_closed, load, same)


def test_closed_at_the_hosts_cpu_excludes_the_background():
    load = closed_load(8, 0.1)
    one = observation(
        load,
        host_cpu_s=0.010,
        disk_s=0.004,
        background_cpus=0.1,
        neighbour_cpu=0.1,
        capacity_cpus=0.7,
    )
    x, r = predicted(baselines.fit_closed_host, load, one)
    network = {
        "format": "queuevisor-network/1",
        "stations": [{"name": "cpu", "kind": "queue"}, {"name": "disk", "kind": "queue"}],
        "classes": [{"name": "a", "kind": "closed", "population": 8, "think_time": 0.1}],
        "demands": {"cpu": {"a": 0.020}, "disk": {"a": 0.004}},
    }
    expected = solve(Network.from_dict(network)).to_dict()["classes"]["a"]
    assert (x, r) == pytest.approx((expected["throughput"], expected["response_time"]))


# -- beyond saturation, and the naive rival ------------------------------------------------------------------


@pytest.mark.parametrize(
    "predictor", [p for p in PREDICTORS if "open" in p.kinds], ids=lambda p: p.name
)
def test_beyond_saturation_r_is_infinite_except_for_the_linear_baseline(predictor):
    fitted = [
        observation(
            open_load(rate), host_cpu_s=0.010, guest_cpu_s=0.004, vdisk_s=0.010, disk_s=0.008
        )
        for rate in (10, 20, 40, 60, 80)
    ]
    predict = predictor.fit(fitted)
    assert np.isfinite(predict(open_load(90)).response_time_s[0])
    beyond = predict(open_load(101)).response_time_s[0]
    assert np.isfinite(beyond) if predictor.name == "linear baseline" else np.isinf(beyond)


def test_a_wait_is_0_without_work_and_infinite_from_1_on():
    waits = mean_wait_s(np.array([0.0, 0.01, 0.01]), np.array([0.0, 1.0, 2.0]), 1.0)
    assert waits == pytest.approx([0, np.inf, np.inf])
    assert mean_wait_s(np.array([0.01]), np.array([0.8]), 1.0, 0.0) == pytest.approx(
        [0.02]
    )  # M/D/1
    assert mean_wait_s(np.array([0.01]), np.array([0.8]), 1.0, 1.0) == pytest.approx(
        [0.04]
    )  # M/M/1


def test_the_linear_baseline_is_exact_on_a_line():
    open_runs = [
        observation(open_load(rate, spacing), response_time_s=0.004 + slope * rate)
        for spacing, slope in ((EVEN, 1e-5), (POISSON, 3e-5))
        for rate in (10, 20, 50)
    ]
    assert predicted(
        baselines.fit_linear_baseline, open_load(40, EVEN), *open_runs
    ) == pytest.approx((40, 0.0044))
    assert predicted(baselines.fit_linear_baseline, open_load(90), *open_runs) == pytest.approx(
        (90, 0.0067)
    )
    closed_runs = [
        observation(closed_load(n), response_time_s=0.01 * n, throughput_per_s=5 + 2 * n)
        for n in (1, 4, 16)
    ]
    assert predicted(baselines.fit_linear_baseline, closed_load(8), *closed_runs) == pytest.approx(
        (21, 0.08)
    )


def test_the_linear_baseline_needs_two_levels_of_a_spacing_or_uses_all_runs():
    runs = [
        observation(open_load(10, EVEN), response_time_s=0.005),
        observation(open_load(30), response_time_s=0.007),
        observation(open_load(50), response_time_s=0.009),
    ]
    assert predicted(baselines.fit_linear_baseline, open_load(20, EVEN), *runs)[1] == pytest.approx(
        0.006
    )
    assert predicted(baselines.fit_linear_baseline, open_load(77), runs[0])[1] == pytest.approx(
        0.005
    )
    falling = [observation(open_load(r), response_time_s=s) for r, s in ((10, 0.02), (20, 0.01))]
    assert predicted(baselines.fit_linear_baseline, open_load(90), *falling)[1] == 0


# -- what all share -------------------------------------------------------------------------------------------


def test_a_demand_is_the_mean_over_runs_draw_by_draw():
    runs = [
        observation(open_load(r), host_cpu_s=d, relative_sd=0.1)
        for r, d in ((10, 0.01), (20, 0.03))
    ]
    assert baselines.stack_demands(runs, "host_cpu").shape == (2, 9)
    assert baselines.stack_demands(runs, "host_cpu")[:, 0] == pytest.approx([0.01, 0.03])
    mean = baselines.mean_demand(runs, "host_cpu")
    assert mean[0] == pytest.approx(0.02)
    assert mean[1:] == pytest.approx(
        (
            runs[0].run_demands.demand("host_cpu").draws_s
            + runs[1].run_demands.demand("host_cpu").draws_s
        )
        / 2
    )


def test_the_arrivals_variability_is_the_least_measured_of_the_same_spacing():
    runs = [
        observation(open_load(10, EVEN), arrival_scv=0.2),
        observation(open_load(20, EVEN), arrival_scv=0.1),
        observation(open_load(30, EVEN), arrival_scv=0.01, errors=3),
        observation(open_load(40, EVEN), arrival_scv=None),
        observation(open_load(20, POISSON), arrival_scv=1.2),
    ]
    assert arrival_scv(runs, open_load(70, EVEN)) == 0.1
    assert arrival_scv(runs, open_load(70, POISSON)) == 1.2
    assert arrival_scv(runs[:2], open_load(70, POISSON)) == 1.0
    assert arrival_scv([], open_load(70, EVEN)) == 1.0


def test_predictors_have_unique_names_and_a_label():
    names = [p.name for p in PREDICTORS]
    assert len(set(names)) == len(names)
    runs = [
        observation(
            open_load(r), guest_cpu_s=0.004, vdisk_s=0.003, disk_s=0.002, response_time_s=0.02
        )
        for r in (10, 20, 40, 60, 80)
    ]
    late = [
        observation(
            open_load(r), guest_cpu_s=0.004, vdisk_s=0.003, disk_s=0.002, response_time_s=0.04
        )
        for r in (10, 20, 40, 60, 80)
    ]
    for predictor in PREDICTORS:
        if "open" not in predictor.kinds:
            continue
        one, two = (predictor.fit(some)(open_load(50)).response_time_s[0] for some in (runs, late))
        assert bool(one == two) is (predictor.label == "logs-only"), predictor.name
