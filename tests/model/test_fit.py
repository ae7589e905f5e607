"""Fits recover known parameters; held-out and saturated runs have no effect."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_runs import (
    EVEN,
    POISSON,
    by_spacing,
    closed_load,
    observation,
    open_load,
    simulate_response,
)

from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.model.fit import (
    calibrate,
    cpu_utilization,
    expected_requests,
    expected_utilizations,
    fit_host,
    log_r_sensitivity,
    model_of_run,
    recording_batches,
    steady_state_runs,
    uncontended_demands,
    with_run_demands,
)
from pipeline.model.host import Calibration
from pipeline.raw import Window

RATES = (10, 30, 50, 65, 80)


def runs(like=None, **known):
    """Runs at several rates and both spacings, answered by the model ``like`` if there is one."""
    given = {"host_cpu_s": 0.010, "guest_cpu_s": 0.006, "vdisk_s": 0.004, "disk_s": 0.003, **known}
    found = [observation(open_load(r, s), **given) for r in RATES for s in (EVEN, POISSON)]
    return found if like is None else [simulate_response(one, like) for one in found]


def shaped(served: float, gained: float):
    """A model of the runs, and its shape changed."""
    like = replace(fit_host(runs()), arrival_scv=by_spacing)
    return like, replace(like.calibration, service_scv=served, arrival_scv_gain=gained)


def parameters(shape: Calibration) -> list[float]:
    return [shape.service_scv, shape.arrival_scv_gain]


@pytest.mark.parametrize("known", [(0.5, 0.3), (1.8, 0.05), (0.2, 0.8)])
def test_calibration_recovers_known_parameters(known):
    like, calibration = shaped(*known)
    found = calibrate(like, runs(replace(like, calibration=calibration)))
    assert parameters(found) == pytest.approx(parameters(calibration), abs=1e-3)


def test_one_outlier_does_not_change_the_calibration():
    like, calibration = shaped(0.5, 0.3)
    answers = runs(replace(like, calibration=calibration))
    answers[4] = replace(answers[4], response_time_s=3 * answers[4].response_time_s)
    assert parameters(calibrate(like, answers)) == pytest.approx(parameters(calibration), abs=0.1)


def test_an_uncertain_run_near_saturation_gets_little_weight():
    """R is steep there: a demand that is sure to some half a percent says it to a tenth."""
    like, calibration = shaped(0.5, 0.3)
    model = replace(like, calibration=calibration)
    calm, steep = (
        simulate_response(observation(open_load(r), relative_sd=0.01), model) for r in (30, 95)
    )
    assert log_r_sensitivity(calm, with_run_demands(calm, model).point_estimate()) < 0.01
    assert 0.05 < log_r_sensitivity(steep, with_run_demands(steep, model).point_estimate()) < 0.4
    bent = []
    for scatter in (0.0, 0.05):
        late = simulate_response(observation(open_load(95), relative_sd=scatter), model)
        late = replace(late, response_time_s=2 * late.response_time_s)
        found = calibrate(like, [*runs(model), late])
        bent.append(np.abs(np.subtract(parameters(found), parameters(calibration))).max())
    assert bent[1] < 0.02
    assert bent[0] > 2 * bent[1]


def test_only_calibration_uses_response_times():
    plain, late = runs(), [replace(one, response_time_s=0.05) for one in runs()]
    load = open_load(70)
    for calibrated in (False, True):
        one, two = (
            fit_host(some, calibrated=calibrated).predict(load).response_time_s[0]
            for some in (plain, late)
        )
        assert bool(one == two) is not calibrated


def test_few_runs_and_closed_loads_are_not_calibrated():
    like = fit_host(runs())
    assert calibrate(like, runs()[:2]) == like.calibration
    closed = [observation(closed_load(n)) for n in (1, 2, 4, 8, 16)]
    assert calibrate(like, closed) == like.calibration


def test_a_fit_to_equal_runs_has_their_values():
    model = fit_host(runs(background_cpus=0.02, neighbour_cpu=0.05, capacity_cpus=2.0))
    for name, value in (("cpu", 0.010), ("pre_reply", 0.006), ("vdisk", 0.004), ("disk", 0.003)):
        assert getattr(model, name).at(1000, 0.5)[0] == pytest.approx(value), name
    assert model.run_sd == pytest.approx(0, abs=1e-9)
    resources = model.resources
    assert (
        resources.capacity_cpus,
        resources.background_cpus_at_fit,
        resources.neighbour_cpus_at_fit,
    ) == pytest.approx((2.0, 0.02, 0.05))
    assert model.arrival_scv(open_load(5, EVEN)) == 0
    assert model.arrival_scv(open_load(5, POISSON)) == 1


def test_run_sd_is_that_of_log_residuals():
    demands = (0.008, 0.0125, 0.010, 0.0095, 0.0105)
    some = [observation(open_load(r), host_cpu_s=d) for r, d in zip(RATES, demands, strict=True)]
    model = fit_host(some, load_dependent=False)
    logs = np.log(np.array(demands) / model.cpu.saturated_s[0])
    assert model.run_sd == pytest.approx(np.sqrt((logs**2).sum() / 4))


def test_draws_go_through_the_fit():
    model = fit_host(runs(relative_sd=0.1))
    assert model.cpu.saturated_s.shape == (9,)
    assert model.cpu.saturated_s.std() > 0.02 * 0.010
    assert model.point_estimate().cpu.saturated_s.shape == (1,)


def test_saturated_runs_are_left_out():
    good = runs()
    broken = [
        observation(open_load(140), host_cpu_s=0.03, errors=5),
        observation(open_load(140), host_cpu_s=0.03, throughput_per_s=100.0),
    ]
    assert [one.is_saturated for one in broken] == [True, True]
    assert steady_state_runs([*good, *broken]) == good
    load = open_load(60)
    with_them, without = (fit_host(some).predict(load) for some in ([*good, *broken], good))
    assert with_them.response_time_s[0] == without.response_time_s[0]
    # a closed load always keeps up, and where nothing else is there, what is there is taken
    closed = observation(closed_load(64), errors=1)
    assert steady_state_runs([closed]) == [closed]
    assert steady_state_runs(broken) == broken


def test_utilization_includes_background_and_neighbours():
    one = observation(
        open_load(30), host_cpu_s=0.010, background_cpus=0.05, neighbour_cpu=0.1, capacity_cpus=0.9
    )
    assert cpu_utilization(one) == pytest.approx((0.3 + 0.05 + 0.1) / 0.9)


def test_with_run_demands_replaces_demands_and_resources_only():
    like = fit_host(runs(), calibrated=True)
    one = observation(
        open_load(40),
        host_cpu_s=0.017,
        guest_cpu_s=0.011,
        vdisk_s=0.002,
        disk_s=0.001,
        background_cpus=0.03,
    )
    own = with_run_demands(one, like)
    for curve, value in (
        (own.cpu, 0.017),
        (own.pre_reply, 0.011),
        (own.vdisk, 0.002),
        (own.disk, 0.001),
    ):
        assert curve.at(1, 0.0)[0] == curve.at(1e6, 1.0)[0] == pytest.approx(value)
    assert own.calibration == like.calibration and own.run_sd == 0
    assert own.resources.background_cpus_at_fit == 0.03
    alone = model_of_run(one)
    assert alone.predict(open_load(40)).throughput_per_s[0] == 40
    assert parameters(alone.calibration) == parameters(Calibration())


def test_without_a_steal_clock_the_slowdown_is_divided_out():
    """Half the CPU is taken by others: its CPU times, and the layer's, are read 1.5 times as long."""
    known = {"guest_cpu_s": 0.006, "vdisk_s": 0.005, "disk_s": 0.002, "neighbour_cpu": 0.5}
    blind = uncontended_demands(observation(open_load(10), has_steal_clock=False, **known))
    seeing = uncontended_demands(observation(open_load(10), has_steal_clock=True, **known))
    assert blind["pre_reply"][0] == pytest.approx(0.004)
    assert blind["vdisk"][0] == pytest.approx(0.002 + 0.002)
    for name, value in (("cpu", 0.010), ("disk", 0.002)):
        assert blind[name][0] == seeing[name][0] == pytest.approx(value)
    assert (seeing["pre_reply"][0], seeing["vdisk"][0]) == (0.006, 0.005)


def test_a_missing_demand_raises_its_reason():
    one = runs()[0]
    demands = {k: v for k, v in one.run_demands.demands.items() if k != "host_cpu"}
    lost = replace(
        one,
        run_demands=replace(one.run_demands, demands=demands, missing={"host_cpu": "no tasks.log"}),
    )
    for fit in (fit_host, lambda some: model_of_run(some[0])):
        with pytest.raises(MissingData, match=r"no tasks\.log"):
            fit([lost])
    with pytest.raises(MissingData, match="no run"):
        fit_host([])


def test_expected_requests_of_an_open_load_are_its_completions():
    some = [observation(open_load(10)), observation(open_load(30), throughput_per_s=29.0)]
    assert expected_requests(some).tolist() == [600, 29 * 60]


def test_expected_requests_of_a_closed_load_depend_on_its_length_alone():
    some = [
        observation(closed_load(16), throughput_per_s=10.0),
        observation(closed_load(16), throughput_per_s=20.0),
        observation(closed_load(16, duration_s=120.0), throughput_per_s=15.0),
    ]
    assert expected_requests(some) == pytest.approx([900, 900, 1800])


def test_closed_runs_of_different_speed_show_no_cold_start():
    """Each completes as many as its demand lets it: D falls with n in any case, and no B/n may explain it."""
    random = np.random.default_rng(5)
    some = []
    for i, threads in enumerate((1, 4, 16) * 4):
        demand = 0.05 * np.exp(random.normal(0, 0.2))
        one = observation(closed_load(threads), host_cpu_s=demand, throughput_per_s=0.9 / demand)
        some.append(replace(one, run=str(i)))
    assert fit_host(some).cpu.terms == ("saturated",)
    mean = np.mean([one.run_demands.demand("host_cpu").value_s for one in some])
    assert fit_host(some).cpu.saturated_s[0] == pytest.approx(mean, rel=0.05)


def test_the_utilization_of_a_load_is_the_mean_over_its_runs():
    some = [
        observation(open_load(20, EVEN), host_cpu_s=0.010),
        observation(open_load(20, EVEN), host_cpu_s=0.020),
        observation(open_load(20, POISSON), host_cpu_s=0.030),
        observation(closed_load(4), host_cpu_s=0.2, throughput_per_s=10.0),
    ]
    assert expected_utilizations(some) == pytest.approx([0.3, 0.3, 0.6, 1.0])


def test_load_dependence_is_found_among_runs_of_different_speed():
    """D = 5 ms + 8 ms (1 − U), half as long in one run of each load and twice as long in another."""
    rates = (10, 30, 60, 90)
    some = []
    for rate in rates:
        demand = 0.013 / (1 + 0.008 * rate)  # the D that agrees with the U it causes
        for i, factor in enumerate((0.7, 1 / 0.7, 1.0)):
            one = observation(open_load(rate), host_cpu_s=factor * demand)
            some.append(replace(one, run=f"{rate}-{i}"))
    curve = fit_host(some).cpu
    assert "wake-up" in curve.terms
    assert curve.wake_up_s[0] == pytest.approx(0.008, rel=0.25)
    assert curve.saturated_s[0] == pytest.approx(0.005, rel=0.25)


def test_runs_recorded_one_after_another_are_a_batch():
    """By the clock, whatever the order they are given in; one whose window is not known is alone."""

    def recorded(minute: float | None):
        window = None
        if minute is not None:
            start = int(minute * 60) * NS_PER_S
            window = Window(start, start + 60 * NS_PER_S)
        return observation(open_load(20), window=window)

    found = recording_batches([recorded(m) for m in (40, 0, None, 3, 120, 12, 43)]).tolist()
    assert found[1] == found[3] == found[5]
    assert found[0] == found[6]
    assert len({found[0], found[1], found[2], found[4]}) == 4


# -- against a simulated queue ------------------------------------------------------------------------------


def mean_response_s(rate_per_s: float, mean_service_s: float, phases: int) -> float:
    """Mean response time of an M/E_k/1 queue, simulated: W_n = S_n − min S_k over partial sums (Lindley)."""
    random = np.random.default_rng(round(rate_per_s))
    count = 400_000
    service = random.gamma(phases, mean_service_s / phases, count)
    steps = np.append(0.0, service[:-1] - random.exponential(1 / rate_per_s, count - 1))
    sums = np.cumsum(steps)
    return float((sums - np.minimum.accumulate(sums) + service).mean())


@pytest.mark.parametrize("phases", [1, 4])
def test_calibration_finds_the_service_scv_of_a_simulated_queue(phases):
    """A CPU alone, Poisson arrivals, Erlang service: c_s² = 1/k."""
    simulated = [
        observation(
            open_load(r), host_cpu_s=0.010, response_time_s=mean_response_s(r, 0.010, phases)
        )
        for r in (30, 50, 65, 80)
    ]
    found = fit_host(simulated, calibrated=True).calibration
    assert found.service_scv == pytest.approx(1 / phases, abs=0.1)
