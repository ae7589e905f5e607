"""Parametric bootstrap: drawn runs agree with the model and are scored by the same rule."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_runs import EVEN, POISSON, closed_load, observation, open_load, simulate_response

from pipeline.evaluate.acceptance import OUTSIDE_TOLERANCE, WITHIN_TOLERANCE
from pipeline.evaluate.parametric_bootstrap import (
    BOOTSTRAP_VERDICTS,
    BootstrapModel,
    bootstrap_verdicts,
    fit_bootstrap_model,
    resample_runs,
    score_held_out,
)
from pipeline.model.fit import fit_host, group_by_deployment, uncontended_demands, with_run_demands

WEB = {
    "host_cpu_s": 0.008,
    "guest_cpu_s": 0.006,
    "vdisk_s": 0.004,
    "disk_s": 0.003,
    "background_cpus": 0.05,
}
DB = {"host_cpu_s": 0.020, "disk_s": 0.008, "vdisk_s": 0.010, "background_cpus": 0.05}


def study(scatter: float = 0.0, kind: str = "open", **changed):
    """Runs that are the model's own, but for demands that scatter from run to run by so much."""
    random = np.random.default_rng(5)
    known = WEB if kind == "open" else DB
    loads = (
        [open_load(r, s) for r in (10, 25, 35, 45, 60, 75) for s in (EVEN, POISSON)]
        if kind == "open"
        else [closed_load(n) for n in (1, 2, 4, 8, 16)]
    )
    held = (35, 75, 2, 8)
    plain = [observation(load, **known, **changed) for load in loads]
    model = fit_host([one for one in plain if one.load.level not in held])
    runs = []
    for load in loads:
        for name in "abc":
            factor = np.exp(random.normal(0, scatter))
            demands = {k: v * factor if "cpu_s" in k else v for k, v in known.items()}
            one = simulate_response(observation(load, **demands, **changed), model)
            runs.append(
                replace(
                    one, held_out=load.level in held, run=f"{one.run}-{name}", virtual_server=kind
                )
            )
    return runs


@pytest.mark.parametrize("kind", ["open", "closed"])
@pytest.mark.parametrize("steal_clock", [True, False])
def test_a_drawn_run_agrees_with_the_model_of_its_own_demands(kind, steal_clock):
    """So that what the budget leaves unexplained is the form's scatter and nothing else."""
    (group,) = group_by_deployment(
        study(0.15, kind, has_steal_clock=steal_clock, neighbour_cpu=0.1)
    )
    truth = replace(fit_bootstrap_model(group), model_error_sd=0.0)
    for one in resample_runs(group, truth, np.random.default_rng(1)):
        own = with_run_demands(one, truth.model).point_estimate().predict(one.load)
        assert own.response_time_s[0] == pytest.approx(one.response_time_s, rel=1e-6)
        assert own.throughput_per_s[0] == pytest.approx(one.throughput_per_s, rel=1e-6)


def test_a_drawn_response_time_is_that_of_an_m_m_1_queue():
    """A CPU alone, Poisson arrivals: R = D/(1 − λD) of the drawn demand, times the response noise."""
    (group,) = group_by_deployment([observation(open_load(r), host_cpu_s=0.008) for r in (20, 40)])
    model = fit_host(group.fitted_runs, load_dependent=False)
    for noise in (0.0, 0.2):
        truth = BootstrapModel(model, np.arange(2), batch_sd=0.1, run_sd=0.2, model_error_sd=noise)
        random = np.random.default_rng(3)
        ratios = []
        for _ in range(200):
            for run in resample_runs(group, truth, random):
                demand = run.run_demands.demand("host_cpu").value_s
                formula = demand / (1 - run.throughput_per_s * demand)
                ratios.append(run.response_time_s / formula)
        assert np.std(np.log(ratios)) == pytest.approx(noise, rel=0.15, abs=1e-9)


def test_drawn_demands_vary_as_the_recorded_ones():
    (group,) = group_by_deployment(study(0.15))
    truth = fit_bootstrap_model(group)
    random = np.random.default_rng(2)
    found = [
        np.log(uncontended_demands(one)["cpu"][0] / WEB["host_cpu_s"])
        for _ in range(40)
        for one in resample_runs(group, truth, random)
        if one.load.level == 25
    ]
    assert np.std(found) == pytest.approx(np.hypot(truth.batch_sd, truth.run_sd), rel=0.15)
    assert 0.1 < np.std(found) < 0.2


def test_without_variation_every_load_is_within_tolerance():
    found = bootstrap_verdicts([*study(), *study(kind="closed")], samples=2)
    assert found.schema == BOOTSTRAP_VERDICTS
    assert found.height == 2 * (4 + 2)
    assert set(found["outcome"]) == {WITHIN_TOLERANCE}
    for name in ("error_R", "error_R_vs_arithmetic_mean"):
        assert found[name].abs().max() < 0.01


def test_with_variation_a_true_model_has_loads_outside_tolerance():
    runs = study(0.35)
    found = bootstrap_verdicts(runs, samples=8)
    near = (found["outcome"] == WITHIN_TOLERANCE).mean()
    assert 0.1 < near < 0.8
    busy = found.filter(load="75/s poisson")
    # R grows faster than the demand: the mean over runs lies above the typical run
    assert busy["error_R_vs_arithmetic_mean"].median() < busy["error_R"].median()
    assert found.equals(bootstrap_verdicts(runs, samples=8))
    assert not found.equals(bootstrap_verdicts(runs, samples=8, seed=1))


def test_model_error_gives_errors_that_are_not_attributed():
    runs = study(0.1)
    (group,) = group_by_deployment(runs)
    truth = replace(fit_bootstrap_model(group), model_error_sd=0.5)
    outcomes = [
        row["outcome"]
        for seed in range(8)
        for row in score_held_out(
            group_by_deployment(resample_runs(group, truth, np.random.default_rng(seed)))
        )
    ]
    assert outcomes.count(OUTSIDE_TOLERANCE) > len(outcomes) / 3


def test_deployments_with_too_few_runs_are_left_out():
    few = [one for one in study() if one.load.level in (10, 35) and one.run.endswith("a")]
    assert bootstrap_verdicts(few, samples=1).is_empty()
