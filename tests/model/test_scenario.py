"""Scenarios: curves, saturation, CPU shares and target crossings against formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic_runs import closed_load, open_load

from pipeline.demands.load_curve import constant
from pipeline.model.colocation import HostModels
from pipeline.model.host import Calibration, HostModel, HostResources
from pipeline.model.prediction import Band
from pipeline.model.scenario import (
    HardwareChange,
    Neighbour,
    ResponseCurve,
    Scenario,
    capacity_for_target,
    sweep,
    sweep_scenarios,
)

SPEEDS = np.array([1.0, 0.8, 0.9, 1.0, 1.1, 1.2])
"""A draw's demands, as a part of the estimate's."""


def model(cpu_s: float = 0.01, disk_s: float = 0.0, *, draws=(1.0,), **resources) -> HostModels:
    """A host whose CPU is M/M/1 for Poisson arrivals, without interference."""
    scale = np.asarray(draws, float)
    one = HostModel(
        cpu=constant(cpu_s * scale),
        pre_reply=constant(cpu_s * scale),
        vdisk=constant(disk_s * scale),
        disk=constant(disk_s * scale),
        resources=HostResources(**{"capacity_cpus": 1.0, **resources}),
        arrival_scv=lambda load: 1.0,
        calibration=Calibration(),
        split_reply_work=False,
    )
    return HostModels(one, one)


def response_at(scenario: Scenario, size: float) -> Band:
    return scenario.predict(scenario.at_level(size)).response_time


WEB = Scenario(model(), open_load(5))
DB = Scenario(model(0.01, 0.01), closed_load(16))


def test_an_open_curve_is_that_of_one_queue():
    curve = sweep(WEB, extra_levels=[40.0])
    here = np.isfinite(curve.response_s.value)
    assert curve.saturation_level == pytest.approx(100, rel=1e-3)
    assert curve.levels[0] == 1.0 and 40.0 in curve.levels
    expected = 0.01 / (1 - 0.01 * curve.levels[here])
    assert curve.response_s.value[here] == pytest.approx(expected)
    assert np.all(curve.levels[~here] >= curve.saturation_level)
    assert (curve.max_throughput_per_s, curve.min_response_s) == (curve.saturation_level, 0.0)


def test_the_knee_of_one_queue_is_at_half_its_saturation():
    """X/R = λ (1 − λ D)/D is greatest at λ = 1/(2 D)."""
    assert sweep(WEB).knee == pytest.approx(50, rel=0.02)


def test_a_target_is_crossed_where_the_queue_is_that_slow():
    found = capacity_for_target(sweep(WEB, extra_levels=[49.9, 50.1]), 0.020)
    assert found.level == pytest.approx(50, rel=1e-3)
    assert capacity_for_target(sweep(WEB), 0.009).level == 0.0
    # out of sight: between the last point and saturation
    assert capacity_for_target(sweep(WEB), 1e3).level == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "saturated_from"),
    [
        (HardwareChange(cpu_speed=2), 200),
        (HardwareChange(cpus=2), 200),
        (HardwareChange(cpu_speed=0.5, cpus=3), 150),
        (HardwareChange(disk_speed=8), 100),
    ],
)
def test_saturation_under_other_hardware_obeys_the_utilization_law(changes, saturated_from):
    assert replace(WEB, hardware=changes).saturation_per_s() == pytest.approx(
        saturated_from, rel=1e-3
    )


def test_a_disk_may_saturate_first():
    slow = Scenario(model(0.002, 0.02), open_load(5))
    assert slow.saturation_per_s() == pytest.approx(50, rel=1e-3)
    faster = replace(slow, hardware=HardwareChange(disk_speed=2))
    assert faster.saturation_per_s() == pytest.approx(100, rel=1e-3)


def test_the_interval_is_that_of_the_draws():
    scenario = Scenario(model(draws=SPEEDS), open_load(5))
    curve = sweep(scenario)
    assert curve.saturation_level == pytest.approx(100, rel=1e-3)
    at = response_at(scenario, 50.0)
    assert at.value == pytest.approx(0.020)
    assert at.low == pytest.approx(0.008 / (1 - 0.4))
    assert at.high == pytest.approx(0.012 / (1 - 0.6))
    # past the estimate's end some draws still keep up
    past = curve.levels > curve.saturation_level
    assert past.any() and np.isfinite(curve.response_s.low[past]).any()
    assert not np.isfinite(curve.response_s.value[past]).any()
    found = capacity_for_target(curve, 0.020)
    # D/(1 − λ D) = R at λ = 1/D − 1/R
    assert found.low == pytest.approx(1 / 0.012 - 50, rel=0.05)
    assert found.high == pytest.approx(1 / 0.008 - 50, rel=0.05)


# -- closed loads ----------------------------------------------------------------------------------------


def test_a_closed_curve_of_two_like_stations_is_a_straight_line():
    """R(N) = D (N + 1), X(N) = N/R(N), by mean value analysis."""
    curve = sweep(DB)
    assert curve.response_s.value == pytest.approx(0.01 * (curve.levels + 1))
    assert curve.throughput_per_s.value == pytest.approx(curve.levels / (0.01 * (curve.levels + 1)))
    assert (curve.max_throughput_per_s, curve.min_response_s, curve.knee) == pytest.approx(
        (100, 0.02, 2)
    )
    assert curve.saturation_level == math.inf
    assert capacity_for_target(curve, 0.055).level == pytest.approx(4.5)
    assert capacity_for_target(curve, 0.015).level == 0.0
    assert capacity_for_target(curve, 10.0).level == math.inf


def bracketed(scenario: Scenario) -> ResponseCurve:
    curve = sweep(scenario)
    # the asymptotes that the chart draws
    think = scenario.load.think_time_s
    r_lower = np.maximum(curve.min_response_s, curve.levels / curve.max_throughput_per_s - think)
    x_upper = np.minimum(curve.max_throughput_per_s, curve.levels / (curve.min_response_s + think))
    x, r = curve.throughput_per_s.value, curve.response_s.value
    assert np.all(x <= x_upper * (1 + 1e-9)) and np.all(r_lower <= r * (1 + 1e-9))
    assert np.all(r >= curve.min_response_s * (1 - 1e-9))
    return curve


def test_bounds_bracket_a_closed_curve_on_a_quota():
    """0.4 CPUs to pay with, 0.9 to run on: 10 ms pass in 11.1 and are paid for in 25."""
    quota = model(0.010, 0.005, capacity_cpus=0.5, background_cpus_at_fit=0.1)
    curve = bracketed(Scenario(quota, closed_load(16)))
    assert curve.max_throughput_per_s == pytest.approx(40)
    assert curve.min_response_s == pytest.approx(0.025)
    curve = bracketed(Scenario(quota, closed_load(16, 0.05)))
    # while it thinks, its quota fills
    assert curve.knee == pytest.approx((0.010 / 0.9 + 0.005 + 0.05) * 40)


def test_bounds_bracket_a_closed_curve():
    curve = bracketed(
        Scenario(model(0.004, 0.01, background_cpus_at_fit=0.2), closed_load(16, 0.05))
    )
    # 0.8 of a CPU is left: 5 ms a request; Σ D + Z = 65 ms, the disk is the bottleneck
    assert curve.max_throughput_per_s == pytest.approx(100)
    assert curve.knee == pytest.approx(6.5)


# -- side by side -----------------------------------------------------------------------------------------


def beside(wanted_cpus: float) -> Scenario:
    """The web server beside one that uses so much CPU alone."""
    other = Neighbour(model(0.01), open_load(wanted_cpus / 0.01))
    return replace(WEB, neighbours=(other,))


@pytest.mark.parametrize(
    ("wanted", "left"),
    [(0.1, 0.9), (0.3, 0.7), (0.5, 0.5), (0.8, 0.5), (2.0, 0.5)],
)
def test_a_neighbour_gets_at_most_its_even_share(wanted, left):
    assert beside(wanted).saturation_per_s() == pytest.approx(100 * left, rel=0.02)


def test_two_unlimited_neighbours_leave_a_third():
    greedy = Neighbour(model(0.01), open_load(500))
    scenario = replace(WEB, neighbours=(greedy, greedy))
    assert scenario.saturation_per_s() == pytest.approx(100 / 3, rel=0.02)


def test_an_unlimited_neighbour_gets_the_rest():
    resources = beside(2.0).resources_at(open_load(10))
    assert resources.neighbour_cpus_at_fit == pytest.approx(0.9)
    faster = replace(beside(2.0), hardware=HardwareChange(cpu_speed=4)).resources_at(open_load(10))
    # four times as fast it wants but half of the CPU; ``others_cpus`` counts at the speed of the fit
    assert faster.neighbour_cpus_at_fit == pytest.approx(2.0)
    assert faster.neighbour_cpus == pytest.approx(0.5)


def test_a_neighbour_never_makes_a_request_faster():
    alone, together = response_at(WEB, 20.0), response_at(beside(0.3), 20.0)
    assert together.value > alone.value
    slowed = replace(DB, neighbours=beside(0.3).neighbours)
    assert np.all(sweep(slowed).response_s.value > sweep(DB).response_s.value)
    # 0.7 of a CPU is left, so that its demand there is 10/0.7 ms
    assert sweep(slowed).max_throughput_per_s == pytest.approx(70)


@pytest.mark.parametrize("load", [open_load(5), closed_load(16)], ids=["open", "closed"])
def test_scenarios_swept_together_have_the_curves_of_each_alone(load):
    fitted, other = model(0.01, 0.002, draws=SPEEDS).alone, model(0.004, 0.001)
    fitted = replace(fitted, arrival_scv=lambda each: 0.2 if each.arrivals == "even" else 1.0)
    own = HostModels(fitted, fitted)
    neighbours = [(), (Neighbour(other, closed_load(4)), Neighbour(other, open_load(20)))]
    scenarios = [
        Scenario(own, replace(load, arrivals=arrivals), HardwareChange(speed, cpus, disk), beside)
        for beside in neighbours
        for speed, cpus, disk in [(1.0, 1.0, 1.0), (0.5, 2.0, 1.0), (2.0, 1.0, 0.5)]
        for arrivals in ("even", "poisson")
    ]
    curves = sweep_scenarios(scenarios, extra_levels=[load.level])
    for scenario, curve in zip(scenarios, curves, strict=True):
        alone = sweep(scenario, extra_levels=[load.level])
        assert curve.levels == pytest.approx(alone.levels, rel=1e-12)
        for name in ("value", "low", "high"):
            single = [
                getattr(scenario.predict(scenario.at_level(n)).response_time, name)
                for n in curve.levels
            ]
            assert getattr(curve.response_s, name) == pytest.approx(np.array(single), rel=1e-9)
        assert (curve.knee, curve.max_throughput_per_s, curve.min_response_s) == pytest.approx(
            (alone.knee, alone.max_throughput_per_s, alone.min_response_s), rel=1e-9
        )


def test_a_host_that_its_neighbours_saturate_has_no_rate():
    busy = Scenario(model(background_cpus_at_fit=1.2), open_load(5))
    assert busy.saturation_per_s() == 0.0


def test_without_any_demand_a_sweep_raises():
    with pytest.raises(ValueError, match="demands of the model are 0"):
        sweep(Scenario(model(0.0), open_load(5)))


# -- crossings ----------------------------------------------------------------------------------------------


def test_where_a_limit_is_infinite_the_crossing_is_the_lower_level():
    inf = math.inf
    levels = np.array([1.0, 2.0, 3.0, 4.0])
    response = Band(
        np.array([1.0, 2.0, 3.0, inf]), np.array([1.0, 1.0, 1.5, 2.0]), np.array([2.0, 3.0, inf, inf])
    )  # fmt: skip
    curve = ResponseCurve(levels, response, response, 3.5, 2.0, 3.5, 0.0)
    found = capacity_for_target(curve, 3.0)
    assert (found.low, found.level, found.high) == (2.0, 3.5, inf)
    assert capacity_for_target(curve, 2.5).level == pytest.approx(2.5)


def test_a_curve_that_falls_first_crosses_where_it_rises():
    """A cold server is slow under light loads; that is no break."""
    values = np.array([5.0, 2.0, 1.0, 3.0])
    curve = ResponseCurve(
        np.array([1.0, 2.0, 3.0, 4.0]), Band(values, values, values), Band(values, values, values),
        9.0, 2.0, 9.0, 0.0,
    )  # fmt: skip
    assert capacity_for_target(curve, 2.0).level == pytest.approx(3.5)
