"""The host model: textbook formulas without overheads, and operational laws in general."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from synthetic_runs import EVEN, POISSON, by_spacing, closed_load, open_load

from pipeline.demands.load_curve import DemandCurve, constant
from pipeline.measure.arrivals import HTTPERF
from pipeline.model.host import Calibration, HostModel, HostResources
from pipeline.model.prediction import LAYER
from pipeline.network.bounds import asymptotic
from pipeline.network.model import Network
from pipeline.network.solve import solve

ALONE = HostResources(1.0)


def flat(value: float) -> DemandCurve:
    return constant(np.array([value]))


def host(
    cpu: float = 0.010,
    pre_reply: float | None = None,
    vdisk: float = 0.0,
    disk: float = 0.0,
    resources: HostResources = ALONE,
    **changed,
) -> HostModel:
    return HostModel(
        flat(cpu), flat(cpu if pre_reply is None else pre_reply), flat(vdisk), flat(disk), resources,
        by_spacing, **changed,
    )  # fmt: skip


def response(model: HostModel, load, resources: HostResources | None = None) -> float:
    return float(model.predict(load, resources).response_time_s[0])


def rate(model: HostModel, load, resources: HostResources | None = None) -> float:
    return float(model.predict(load, resources).throughput_per_s[0])


# -- the textbook -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.9])
def test_without_overheads_it_is_m_m_1(busy):
    assert response(host(0.010), open_load(busy * 100)) == pytest.approx(0.010 / (1 - busy))


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.9])
def test_with_constant_service_times_it_is_m_d_1(busy):
    model = host(0.010, calibration=Calibration(service_scv=0.0))
    expected = 0.010 + busy * 0.010 / (2 * (1 - busy))
    assert response(model, open_load(busy * 100)) == pytest.approx(expected)


def test_even_arrivals_of_constant_size_never_wait():
    model = host(0.010, calibration=Calibration(service_scv=0.0))
    assert response(model, open_load(90, EVEN)) == pytest.approx(0.010)
    taken_for_poisson = replace(model, use_arrival_scv=False)
    assert response(taken_for_poisson, open_load(90, EVEN)) == pytest.approx(
        response(model, open_load(90, POISSON))
    )


def test_even_arrivals_gain_variability_on_their_way():
    load = open_load(80, EVEN)
    little, some, all_of_it = (
        response(host(0.010, calibration=Calibration(arrival_scv_gain=gained)), load)
        for gained in (0.0, 0.5, 1.0)
    )
    assert little < some < all_of_it
    assert all_of_it == pytest.approx(response(host(0.010), open_load(80, POISSON)))


def test_the_guests_disk_is_a_queue_of_its_own():
    """M/M/1 twice: the CPU and the guest's disk, whose time contains the host's."""
    found = response(host(0.010, vdisk=0.008, disk=0.005), open_load(50))
    assert found == pytest.approx(0.010 / 0.5 + 0.008 / 0.6)


def test_nothing_of_the_disk_counts_twice():
    load = open_load(50)
    layered = [response(host(0.010, vdisk=0.008, disk=d), load) for d in (0.0, 0.005, 0.008, 0.012)]
    assert layered == pytest.approx([layered[0]] * 4)


def closed_solution(population: int, think: float, cpu: dict, demands: tuple[float, float]):
    network = {
        "format": "queuevisor-network/1",
        "stations": [{"name": "cpu", "kind": "queue", **cpu}, {"name": "disk", "kind": "queue"}],
        "classes": [{"name": "a", "kind": "closed", "population": population, "think_time": think}],
        "demands": {"cpu": {"a": demands[0]}, "disk": {"a": demands[1]}},
    }
    answer = solve(Network.from_dict(network)).to_dict()["classes"]["a"]
    return answer["throughput"], answer["response_time"]


@pytest.mark.parametrize(("population", "think"), [(1, 0.0), (4, 0.0), (16, 0.0), (16, 0.3)])
def test_closed_loads_are_mean_value_analysis(population, think):
    """With the host's CPU and the host's disk: the layer is QEMU's CPU time, and there already."""
    model = host(0.020, pre_reply=0.004, vdisk=0.015, disk=0.009)
    load = closed_load(population, think)
    expected = closed_solution(population, think, {}, (0.020, 0.009))
    assert (rate(model, load), response(model, load)) == pytest.approx(expected)


@pytest.mark.parametrize("cpus", [2, 4])
@pytest.mark.parametrize("population", [1, 2, 4, 8, 32])
def test_several_cpus_are_near_the_exact_multiserver(cpus, population):
    """Seidmann's approximation: exact for one customer and for many, and off most resources N = m."""
    model = host(0.020, disk=0.004, resources=HostResources(float(cpus)))
    load = closed_load(population)
    exact_x, exact_r = closed_solution(population, 0.0, {"servers": cpus}, (0.020, 0.004))
    near = 1e-9 if population == 1 else 0.18
    assert rate(model, load) == pytest.approx(exact_x, rel=near)
    assert response(model, load) == pytest.approx(exact_r, rel=near)
    if population == 32:
        assert rate(model, load) == pytest.approx(exact_x, rel=0.02)


def test_several_cpus_share_an_open_load_but_make_no_request_faster():
    four = HostResources(4.0)
    model = host(0.010, resources=four)
    assert response(model, open_load(1)) == pytest.approx(0.010, rel=0.01)
    assert np.isfinite(response(model, open_load(390)))
    assert np.isinf(response(model, open_load(401)))


# -- what is before the reply, and who else is there ---------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "load"),
    [
        (ALONE, open_load(40.0)),
        (HostResources(1.0, neighbour_cpus_at_fit=0.2), open_load(20.0)),
        (ALONE, closed_load(8)),
        (HostResources(2.0), closed_load(8)),
        (HostResources(0.5), closed_load(8)),
    ],
    ids=["open", "beside a neighbour", "closed", "two CPUs", "quota"],
)
def test_the_parts_of_the_response_time_add_up(resources, load):
    model = host(0.010, pre_reply=0.006, vdisk=0.005, disk=0.004, resources=resources)
    prediction = model.predict(load)
    assert all(part[0] >= 0 for part in prediction.parts_s.values())
    total = sum(part[0] for part in prediction.parts_s.values())
    assert total == pytest.approx(prediction.response_time_s[0])
    is_open = load.kind == "open"
    slowdown = resources.slowdown if is_open else 1.0
    service = 0.006 if is_open else 0.010  # a quota refills: it makes no request's own work slower
    assert prediction.parts_s["cpu"][0] == pytest.approx(service * slowdown)
    assert prediction.parts_s["disk"][0] == pytest.approx(0.004)
    assert (LAYER in prediction.parts_s) == is_open


def test_work_after_the_reply_delays_other_requests_only():
    model = host(0.010, pre_reply=0.006)
    load = open_load(50)
    assert response(model, load) == pytest.approx(0.006 + 0.010)  # W of M/M/1 at ρ = ½ is S
    assert response(replace(model, split_reply_work=False), load) == pytest.approx(0.020)
    half = replace(model, calibration=Calibration(pre_reply_factor=0.5))
    assert response(half, load) == pytest.approx(0.003 + 0.010)


def test_work_before_the_reply_is_at_most_all_work():
    assert response(host(0.010, pre_reply=0.5), open_load(50)) == pytest.approx(0.020)


def test_host_resources_as_worked_by_hand():
    resources = HostResources(
        0.5, background_cpus_at_fit=0.05, neighbour_cpus_at_fit=0.1, cpu_speed=2.0
    )
    assert resources.background_cpus == pytest.approx(0.025)
    assert resources.residual_cpus == pytest.approx(0.5 - 0.025 - 0.05)
    assert resources.slowdown == pytest.approx(1 + 0.05 / 0.5)
    assert (
        HostResources(1.0, neighbour_cpus_at_fit=7.0).slowdown == 2
    )  # two that want it all get half each
    assert HostResources(1.0, neighbour_cpus_at_fit=7.0).residual_cpus > 0
    assert ALONE.slowdown == ALONE.residual_cpus == 1


def test_utilization_is_what_the_neighbours_leave_used():
    """By the Utilization Law it is the CPU's own: 1 − U is what nobody uses, over what this guest can get."""
    crowded = HostResources(0.5, background_cpus_at_fit=0.05, neighbour_cpus_at_fit=0.1)
    model = host(0.010, resources=crowded)
    busy = model.utilization(open_load(20))[0]
    assert busy == pytest.approx((20 * 0.010 + 0.05) / 0.4)
    assert 1 - busy == pytest.approx((0.5 - 20 * 0.010 - 0.05 - 0.1) / 0.4)
    assert np.isfinite(response(model, open_load(34.9))) and np.isinf(
        response(model, open_load(35))
    )
    # a neighbour that wants all of it leaves half
    assert HostResources(0.5, neighbour_cpus_at_fit=0.4).available_cpus == 0.25


def test_neighbours_slow_the_cpu_and_not_the_disk():
    model = host(0.010, vdisk=0.006, disk=0.006)
    calm, crowded = (
        response(model, open_load(1e-3), HostResources(1.0, neighbour_cpus_at_fit=others))
        for others in (0.0, 0.5)
    )
    assert calm == pytest.approx(0.016, rel=1e-3)
    assert crowded == pytest.approx(0.010 * 1.5 + 0.006, rel=1e-3)
    layered = host(0.010, vdisk=0.006, disk=0.002)
    crowded = response(layered, open_load(1e-3), HostResources(1.0, neighbour_cpus_at_fit=0.5))
    assert crowded == pytest.approx(0.010 * 1.5 + 0.002 + 0.004 * 1.5, rel=1e-3)


def test_a_share_of_a_cpu_is_a_slower_cpu_to_an_open_load():
    half = host(0.010, resources=HostResources(0.5), split_reply_work=False)
    whole = host(0.020)
    assert rate(half, open_load(30)) == pytest.approx(rate(whole, open_load(30)))
    assert response(half, open_load(30)) == pytest.approx(response(whole, open_load(30)))
    assert half.utilization(open_load(30))[0] == pytest.approx(0.6)
    assert np.isinf(response(half, open_load(51)))


@pytest.mark.parametrize(("disk", "alone"), [(0.005, 0.020), (0.030, 0.040)])
def test_a_quota_refills_while_a_customer_waits_for_the_disk(disk, alone):
    """10 ms of half a CPU's quota: 20 ms a turn, 10 of them for the disk; no more than 50 turns a second."""
    half = host(0.010, vdisk=disk, disk=disk, resources=HostResources(0.5))
    assert response(half, closed_load(1)) == pytest.approx(alone)
    assert rate(half, closed_load(64)) == pytest.approx(min(50, 1 / disk), rel=1e-3)
    resources = HostResources(0.5, background_cpus_at_fit=0.1, neighbour_cpus_at_fit=0.1)
    assert rate(host(0.010, resources=resources), closed_load(64)) == pytest.approx(30)
    slower = replace(half, quota_as_budget=False)
    assert response(slower, closed_load(1)) == pytest.approx(0.020 + disk)
    # a whole CPU has no quota
    whole = host(0.010, vdisk=disk, disk=disk)
    assert response(whole, closed_load(1)) == pytest.approx(0.010 + disk)


def test_the_demand_is_consistent_with_the_utilization_that_it_causes():
    """D(U) = 8 ms + 4 ms (1 − U) at 50 a second: U = 0.05 × (12 − 4 U), so U = 0.5."""
    waking = DemandCurve(np.array([0.008]), np.array([0.0]), np.array([0.004]))
    model = replace(host(), cpu=waking, pre_reply=waking)
    assert model.utilization(open_load(50))[0] == pytest.approx(0.5, rel=1e-6)
    assert response(model, open_load(50)) == pytest.approx(0.010 / 0.5, rel=1e-6)


def test_neighbour_cpus_scale_with_cpu_speed():
    """On a CPU twice as fast they keep it half as busy, so that requests find it idle more often."""
    waking = DemandCurve(np.array([0.008]), np.array([0.0]), np.array([0.004]))
    model = replace(host(), cpu=waking, pre_reply=waking)
    fast = HostResources(1.0, neighbour_cpus_at_fit=0.4, cpu_speed=2.0)
    # U = 50 × (12 − 4 U)/2 ms + 0.2, so U = 0.5/1.1
    used = model.cpus_used(open_load(50), fast)[0]
    busy = 0.5 / 1.1
    assert used == pytest.approx(50 * (0.012 - 0.004 * busy) / 2, rel=1e-6)


def test_a_cold_start_weighs_more_in_a_short_run():
    cold = DemandCurve(np.array([0.005]), np.array([1.0]), np.array([0.0]))
    model = replace(host(), cpu=cold, pre_reply=cold)
    short, long = (model.utilization(open_load(10, duration_s=s))[0] for s in (60, 600))
    assert short == pytest.approx(10 * (0.005 + 1 / 600))
    assert long == pytest.approx(10 * (0.005 + 1 / 6000))
    x = rate(model, closed_load(1, duration_s=60))
    assert 1 / x == pytest.approx(0.005 + 1 / (60 * x), rel=1e-4)


def test_new_runs_vary_as_the_fitted_ones():
    draws = constant(np.full(4001, 0.010))
    model = HostModel(draws, draws, draws, draws, ALONE, by_spacing, run_sd=0.1)
    seen = model.with_run_variation(np.random.default_rng(1))
    assert seen.cpu.saturated_s[0] == 0.010
    assert np.log(seen.cpu.saturated_s[1:] / 0.010).std() == pytest.approx(0.1, rel=0.05)
    assert (seen.cpu.saturated_s == seen.pre_reply.saturated_s).all()
    assert (seen.disk.saturated_s == draws.saturated_s).all()
    assert seen.point_estimate().predict(open_load(10)).response_time_s.shape == (1,)


# -- arrivals known one by one -------------------------------------------------------------------------------


def sequence(rate_per_s: float, requests: int):
    return replace(
        open_load(rate_per_s, duration_s=requests / rate_per_s), trace=HTTPERF, requests=requests
    )


def test_over_a_long_sequence_of_a_poisson_stream_it_is_m_g_1():
    """Background included: what slows the CPU and what is found at work are together what the formula says."""
    busy = HostResources(1.0, background_cpus_at_fit=0.15, neighbour_cpus_at_fit=0.1)
    for scv in (0.0, 0.5, 2.0):
        model = host(0.010, resources=busy, calibration=Calibration(service_scv=scv))
        load = sequence(40, 60_000)
        any_stream = response(replace(model, use_arrival_trace=False), load)
        assert response(model, load) == pytest.approx(any_stream, rel=0.05)


def test_throughput_is_that_of_the_arrival_trace():
    """httperf, asked for 26 connections a second, printed 27.4 and 27.3 of 1,560 in three runs."""
    load = sequence(26, 1560)
    assert rate(host(), load) == pytest.approx(27.36, abs=0.01)
    assert load.level == 26


def test_a_burst_beyond_capacity_has_a_finite_wait():
    """ρ = 0.95 on the whole, and 34 a second for ten seconds where 28 can be served."""
    model = host(0.0345, calibration=Calibration(service_scv=0.0))
    known, any_stream = (
        response(m, sequence(26, 1560)) for m in (model, replace(model, use_arrival_trace=False))
    )
    assert known > any_stream + 0.05
    assert np.isfinite(response(host(0.05), sequence(26, 1560)))


def test_each_draw_waits_by_its_own_demand():
    draws = constant(np.array([0.010, 0.020, 0.030]))
    model = HostModel(draws, draws, draws.scaled(0), draws.scaled(0), ALONE, by_spacing)
    found = model.predict(sequence(26, 500)).response_time_s
    assert found == pytest.approx([response(host(d), sequence(26, 500)) for d in draws.saturated_s])
    assert (np.diff(found) > 0.010).all()


# -- laws ---------------------------------------------------------------------------------------------------

demands = st.floats(1e-4, 0.05)
EVERY = settings(max_examples=25, deadline=None)


@st.composite
def hosts(draw):
    cpu = draw(demands)
    vdisk = draw(st.floats(0, 0.05))
    resources = HostResources(
        draw(st.floats(0.2, 4)), draw(st.floats(0, 0.05)), draw(st.floats(0, 0.1)), draw(st.floats(0.3, 3)),
        draw(st.floats(0.3, 3)),
    )  # fmt: skip
    # a host that its guests fill without any request is none to ask about
    assume(resources.background_cpus + resources.neighbour_cpus < 0.95 * resources.capacity_cpus)
    # half of it is assured to this guest
    assume(resources.neighbour_cpus <= resources.capacity_cpus / 2)
    waking = draw(st.floats(0, 1)) * cpu
    curve = DemandCurve(np.array([cpu]), np.array([draw(st.floats(0, 1.0))]), np.array([waking]))
    model = host(cpu, cpu * draw(st.floats(0, 1)), vdisk, vdisk * draw(st.floats(0, 1)), resources)
    return replace(model, cpu=curve, calibration=Calibration(service_scv=draw(st.floats(0, 3))))


SMALL_SHARE_COLD = replace(
    host(0.03125, pre_reply=0.0, resources=HostResources(0.21875, cpu_speed=0.5)),
    cpu=DemandCurve(np.array([0.03125]), np.array([1.0]), np.array([0.0])),
)


@EVERY
@given(hosts(), st.integers(1, 60), st.floats(0, 2))
@example(SMALL_SHARE_COLD, 1, 0.0)
def test_closed_loads_obey_littles_law_the_bounds_and_the_utilization_law(model, population, think):
    load, resources = closed_load(population, think), model.resources
    x, r = rate(model, load), response(model, load)
    assert x * (r + think) == pytest.approx(population, rel=1e-6)
    used = model.cpus_used(load)[0]
    assert (
        used + resources.neighbour_cpus_at_fit / resources.cpu_speed
        <= resources.capacity_cpus * (1 + 1e-9)
    )
    assert 0 < model.utilization(load)[0] <= 1 + 1e-6
    cpu = (used - resources.background_cpus) / x
    disk = model.disk.saturated_s[0] / resources.disk_speed
    quick = cpu / min(resources.unthrottled_cpus, 1)
    assert r >= (quick + disk) * (1 - 1e-9)
    most = asymptotic(
        np.array([quick, disk]), population, think, max_rate=(max(resources.unthrottled_cpus, 1), 1)
    )
    assert x <= min(float(most.x_upper), resources.residual_cpus / cpu) * (1 + 1e-9)


@EVERY
@given(hosts(), st.floats(0.05, 0.95), st.sampled_from([EVEN, POISSON]))
def test_open_loads_take_at_least_the_work_before_the_reply(model, part, spacing):
    load = open_load(part / model.cpu.saturated_s[0], spacing)
    x, r = rate(model, load), response(model, load)
    assert x == load.rate_per_s
    busy = model.utilization(load)[0]
    assert np.isinf(r) == (busy >= 1) or model.vdisk.saturated_s[0] > 0
    resources = model.resources
    disk = min(model.disk.saturated_s[0], model.vdisk.saturated_s[0]) / resources.disk_speed
    assert r >= disk


@EVERY
@given(hosts(), st.floats(0.01, 0.9), st.booleans(), st.floats(1.05, 3))
def test_faster_hardware_makes_nothing_slower(model, part, is_open, times):
    load = (
        open_load(part / model.cpu.saturated_s[0]) if is_open else closed_load(1 + int(40 * part))
    )
    resources = model.resources
    now = response(model, load)
    for better in (
        replace(resources, cpu_speed=resources.cpu_speed * times),
        replace(resources, disk_speed=resources.disk_speed * times),
    ):
        assert response(model, load, better) <= now * (1 + 1e-6) + 1e-12
    # more CPUs are idle more often, and a demand that has waking up in it grows with that: not here
    awake = replace(model, cpu=replace(model.cpu, wake_up_s=np.zeros(1)))
    more = replace(resources, capacity_cpus=resources.capacity_cpus * times)
    assert response(awake, load, more) <= response(awake, load) * (1 + 1e-6) + 1e-12


@EVERY
@given(hosts(), st.floats(0.01, 0.6), st.floats(1.05, 1.5))
def test_r_never_decreases_with_the_load_where_demands_are_constant(model, part, times):
    flat_model = replace(model, cpu=flat(model.cpu.saturated_s[0]))
    some = part / flat_model.cpu.saturated_s[0]
    assert response(flat_model, open_load(some)) <= response(flat_model, open_load(some * times))
    few, many = closed_load(5), closed_load(9)
    assert rate(flat_model, few) <= rate(flat_model, many) * (1 + 1e-9)
    assert response(flat_model, few) <= response(flat_model, many) * (1 + 1e-9)
