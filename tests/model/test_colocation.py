"""CPU sharing of co-located virtual servers (max-min fairness, fixed point), and interference."""

from dataclasses import replace
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_runs import (
    KNOWN,
    TWICE,
    by_spacing,
    closed_load,
    colocated_study,
    observation,
    open_load,
    run_colocated,
    runs_alone,
    simulate_response,
)

from pipeline.demands.load_curve import DemandCurve, constant
from pipeline.model.closed_response import fixed_points
from pipeline.model.colocation import (
    HostModels,
    demand_inflation,
    fit_deployments,
    max_min_share,
    models_when_colocated,
    solve_cpu_sharing,
    with_interference,
)
from pipeline.model.fit import fit_host, with_run_demands
from pipeline.model.host import HostModel, HostResources

EVERY = settings(max_examples=25, deadline=None)


def host(
    cpu_s: float = 0.01, disk_s: float = 0.0, wake_up_s: float = 0.0, **resources
) -> HostModel:
    flat = constant(np.array([disk_s]))
    cpu = DemandCurve(np.array([cpu_s]), np.zeros(1), np.array([wake_up_s]))
    found = HostResources(**{"capacity_cpus": 1.0, **resources})
    return HostModel(cpu, cpu, flat, flat, found, by_spacing)


# -- max-min fairness -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "shares"),
    [
        ([0.2, 0.3], [0.2, 0.3]),
        ([0.2, 2.0], [0.2, 0.8]),
        ([2.0, 2.0], [0.5, 0.5]),
        ([0.1, 2.0, 0.3, np.inf], [0.1, 0.3, 0.3, 0.3]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_max_min_shares_as_worked_by_hand(wanted, shares):
    assert max_min_share(wanted, 1.0) == pytest.approx(shares)


@EVERY
@given(st.lists(st.floats(0, 3), min_size=1, max_size=6), st.floats(0.1, 4))
def test_max_min_shares_use_the_capacity_and_no_share_can_grow_at_the_cost_of_a_smaller(
    wanted, capacity
):
    shares = max_min_share(wanted, capacity)
    assert np.all(shares <= np.array(wanted) * (1 + 1e-9))
    assert shares.sum() == pytest.approx(min(sum(wanted), capacity))
    short = shares < np.array(wanted) * (1 - 1e-9)
    if short.any():
        assert shares[short] == pytest.approx(shares.max())


def test_rows_are_shared_as_each_alone():
    wanted, capacity = (
        np.array([[0.2, 0.9, 0.3], [0.1, 0.1, 0.1], [3.0, 2.0, 1.0]]),
        [1.0, 1.0, 2.4],
    )
    shares = max_min_share(wanted, capacity)
    assert shares.tolist() == [
        max_min_share(w, c).tolist() for w, c in zip(wanted, capacity, strict=True)
    ]
    assert shares[0] == pytest.approx([0.2, 0.5, 0.3])


# -- the fixed point ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [0.9, 0.3, 0.0, -0.5, -1.0, -3.0, -20.0])
def test_repeated_substitution_converges_for_any_negative_slope(slope):
    found = fixed_points(lambda x, _: 2 + slope * (x - 2), np.array([[1.0, 2.0, 3.0]]))
    assert found == pytest.approx(2.0, rel=1e-4 if slope > 0.8 else 1e-11)


def test_two_small_open_loads_leave_each_other_what_they_do_not_use():
    a, b = solve_cpu_sharing(
        [(host(background_cpus_at_fit=0.1), open_load(10)), (host(), open_load(30))]
    )
    assert (a.neighbour_cpus_at_fit, b.neighbour_cpus_at_fit) == pytest.approx((0.3, 0.2))
    assert (a.available_cpus, b.available_cpus) == pytest.approx((0.7, 0.8))


def test_a_closed_load_takes_what_an_open_one_leaves():
    web, db = solve_cpu_sharing([(host(), open_load(20)), (host(), closed_load(16))])
    assert (web.neighbour_cpus_at_fit, db.neighbour_cpus_at_fit) == pytest.approx((0.8, 0.2))
    assert web.available_cpus == pytest.approx(0.5)  # its even share, whenever it wants it
    assert db.residual_cpus == pytest.approx(0.8)
    # a demand of its own decides what the other finds: D(U) = 8 ms + 4 ms (1 - U), and U = 1
    web, db = solve_cpu_sharing(
        [(host(0.008, wake_up_s=0.004), open_load(20)), (host(), closed_load(16))]
    )
    assert db.neighbour_cpus_at_fit == pytest.approx(0.16)


@pytest.mark.parametrize("load", [open_load(500), closed_load(50)], ids=["open", "closed"])
def test_unlimited_demands_get_even_shares(load):
    for guests in (2, 3, 5):
        found = solve_cpu_sharing([(host(), load)] * guests)
        assert [one.available_cpus for one in found] == pytest.approx([1 / guests] * guests)
        assert [one.neighbour_cpus_at_fit for one in found] == pytest.approx(
            [1 - 1 / guests] * guests
        )


def test_two_unlimited_loads_share_what_a_light_one_leaves():
    light, *greedy = solve_cpu_sharing(
        [(host(), open_load(10)), (host(), open_load(500)), (host(), closed_load(50))]
    )
    assert light.neighbour_cpus_at_fit == pytest.approx(
        0.9
    ) and light.available_cpus == pytest.approx(1 / 3)
    assert [one.available_cpus for one in greedy] == pytest.approx([0.45, 0.45])


def test_an_overloaded_neighbour_leaves_a_closed_load_its_half():
    _, db = solve_cpu_sharing([(host(), open_load(500)), (host(0.01, 0.005), closed_load(16))])
    assert db.residual_cpus == pytest.approx(0.5)
    found = replace(host(0.01, 0.005), resources=db).predict(closed_load(16))
    assert found.throughput_per_s[0] == pytest.approx(50)


guests = st.tuples(
    st.floats(0.001, 0.05), st.floats(0, 0.02), st.floats(0, 1), st.floats(0, 0.1),
    st.one_of(st.floats(0.1, 300).map(open_load), st.integers(1, 20).map(closed_load)),
).map(lambda g: (host(g[0], g[1], g[0] * g[2], background_cpus_at_fit=g[3]), g[4]))  # fmt: skip


@EVERY
@given(st.lists(guests, min_size=2, max_size=3))
def test_shares_are_a_fixed_point_within_the_capacity_in_any_order(some):
    found = solve_cpu_sharing(some)
    used = []
    for (model, load), resources in zip(some, found, strict=True):
        wanted = float(model.cpus_used(load, resources)[0])
        used.append(min(wanted, resources.available_cpus))
    assert sum(used) <= 1 + 1e-4
    for i, resources in enumerate(found):
        assert resources.neighbour_cpus_at_fit == pytest.approx(sum(used) - used[i], abs=1e-5)
    for order in list(permutations(range(len(some))))[:3]:
        again = solve_cpu_sharing([some[i] for i in order])
        expected = [found[i].neighbour_cpus_at_fit for i in order]
        assert [one.neighbour_cpus_at_fit for one in again] == pytest.approx(
            expected, rel=1e-4, abs=1e-6
        )


@EVERY
@given(st.floats(0.001, 0.02), st.floats(0, 0.02), st.floats(1, 40), st.booleans())
def test_a_heavier_neighbour_never_makes_a_request_faster(cpu_s, disk_s, rate, is_open):
    mine, load = host(cpu_s, disk_s), open_load(rate) if is_open else closed_load(round(rate))
    times = []
    for beside in (1, 20, 60, 90, 400):
        resources = solve_cpu_sharing([(mine, load), (host(), open_load(beside))])[0]
        times.append(float(mine.predict(load, resources).response_time_s[0]))
    for lighter, heavier in pairwise(times):
        assert heavier >= lighter * (1 - 1e-9)


def test_neighbour_cpus_are_at_the_scenarios_cpu_speed():
    """On a CPU twice as fast an open load takes half; ``others_cpus`` counts at the speed of the fit."""
    faster = [
        replace(host(), resources=HostResources(1.0, cpu_speed=2.0)) for _ in range(2)
    ]  # fmt: skip
    a, b = solve_cpu_sharing([(faster[0], open_load(20)), (faster[1], open_load(60))])
    assert (a.neighbour_cpus, b.neighbour_cpus) == pytest.approx((0.3, 0.1))
    assert a.neighbour_cpus_at_fit == pytest.approx(0.6)


def test_the_variation_of_a_new_run_is_the_same_alone_and_colocated():
    one = replace(host(), cpu=constant(np.full(9, 0.01)), run_sd=0.2)
    found = HostModels(one, one).with_run_variation(3)
    assert np.array_equal(found.alone.cpu.saturated_s, found.colocated.cpu.saturated_s)
    assert found.alone.cpu.saturated_s[0] == 0.01 and np.std(found.alone.cpu.saturated_s[1:]) > 0


# -- interference ------------------------------------------------------------------------------------------


def test_without_colocated_runs_the_model_is_unchanged():
    model = fit_host(runs_alone())
    assert with_interference(model, []) is model
    assert with_interference(model, [replace(run_colocated("b"), held_out=True)]) is model


def test_a_doubled_demand_is_found_and_the_others_are_unchanged():
    model = fit_host(runs_alone())
    found = with_interference(model, [run_colocated("a"), run_colocated("c")])
    assert found.cpu.at(300.0, 0.3) == pytest.approx(2 * model.cpu.at(300.0, 0.3))
    for name in ("pre_reply", "vdisk", "disk"):
        assert getattr(found, name).at(300.0, 0.3) == pytest.approx(
            getattr(model, name).at(300.0, 0.3)
        )


def test_a_held_out_run_has_no_effect():
    model = fit_host(runs_alone())
    wild = replace(run_colocated("b", host_cpu_s=0.090), held_out=True)
    with_it, without = (
        with_interference(model, some)
        for some in ([run_colocated("a"), wild], [run_colocated("a")])
    )
    assert with_it.cpu.at(300.0, 0.3) == pytest.approx(without.cpu.at(300.0, 0.3))
    assert with_it.calibration == without.calibration


@pytest.mark.parametrize(("runs", "is_significant"), [(1, False), (4, True)])
def test_a_shift_within_run_variation_is_not_interference(runs, is_significant):
    """1.4 times, where runs differ by 20 %: chance in one run (1.7 standard errors), not in four (3.4)."""
    model = replace(fit_host(runs_alone()), run_sd=0.2)
    some = [run_colocated(str(i), host_cpu_s=0.014) for i in range(runs)]
    assert demand_inflation(model, some, "cpu") == pytest.approx(1.4)
    found = with_interference(model, some)
    assert found.cpu.at(300.0, 0.3) == pytest.approx(
        (1.4 if is_significant else 1.0) * model.cpu.at(300.0, 0.3)
    )


def test_interference_scales_all_demands_or_none():
    """The CPU's decides: the disk's 1.1 times alone would be chance."""
    model = replace(fit_host(runs_alone()), run_sd=0.1)
    disk = model.vdisk.at(300.0, 0.3)[0]
    for cpu, times in ((0.014, 1.1), (0.0101, 1.0)):
        some = [run_colocated(str(i), host_cpu_s=cpu, vdisk_s=1.1 * disk) for i in range(3)]
        assert with_interference(model, some).vdisk.at(300.0, 0.3)[0] == pytest.approx(
            times * disk, rel=1e-3
        )


def test_pre_reply_work_is_calibrated_with_the_demands_of_the_runs():
    model = fit_host(runs_alone())
    known = replace(model, calibration=replace(model.calibration, pre_reply_factor=0.6))
    runs = [
        simulate_response(run_colocated(name, rate), known)
        for name, rate in (("a", 5.0), ("c", 8.0))
    ]
    found = with_interference(model, runs)
    assert found.calibration.pre_reply_factor == pytest.approx(0.6, abs=1e-3)
    assert replace(found.calibration, pre_reply_factor=1.0) == replace(
        model.calibration, pre_reply_factor=1.0
    )
    for one in runs:
        again = with_run_demands(one, found).predict(one.load).response_time_s[0]
        assert again == pytest.approx(one.response_time_s, rel=1e-3)


def test_closed_loads_have_no_interference():
    runs = [observation(closed_load(n), **KNOWN) for n in (1, 4, 16)]
    model = fit_host(runs)
    one = replace(observation(closed_load(8), **TWICE), run="a", is_alone=False)
    assert with_interference(model, [one]) is model


def test_colocated_models_are_for_colocated_runs_only():
    pairs = models_when_colocated(colocated_study(), fit_deployments(colocated_study()))
    assert list(pairs) == ["first/both-a", "first/both-b"]
    (web, _), (db, _) = pairs["first/both-b"]
    for models, times in ((web, 2), (db, 1)):
        alone, beside = (m.cpu.at(300.0, 0.3)[0] for m in (models.alone, models.colocated))
        assert beside == pytest.approx(times * alone)
        assert models.alone.resources == models.colocated.resources
