"""Designed experiments of a study, and what their runs measured."""

import json
from dataclasses import replace

import pytest

from pipeline.evaluate import texts
from pipeline.evaluate.influence import (
    MISSING,
    RESPONSES,
    factor_columns,
    list_experiments,
    measure_runs,
    memory_latency_ns,
)
from pipeline.evaluate.influence_model import has_demands
from pipeline.model.observation import observe_study
from pipeline.raw import read_run, read_study

FACTORS = {
    "block": {"title": "Block size", "branch": "workload", "levels": [4, 64]},
    "shade": {"title": "Shade", "branch": "resource management", "levels": ["red", "blue"]},
    "constant": {"title": "Constant", "branch": "workload", "levels": [0, 1]},
}


@pytest.fixture
def study(known, tmp_path):
    """The simulated run, planned beside one that is not recorded."""
    name = known.run.run
    levels = {"block": 64, "shade": "red", "constant": 0}
    runs = {
        name: {"virtual_server": name, "levels": levels, "block": 2, "order": 2},
        "later": {"virtual_server": name, "levels": {**levels, "block": 4, "shade": "blue"}, "block": 1, "order": 1},
    }  # fmt: skip
    manifest = json.loads((known.run.path.parents[1] / "study.json").read_text())
    manifest |= {"factors": FACTORS, "runs": {"first": runs}}
    (tmp_path / "study.json").write_text(json.dumps(manifest))
    return read_study(tmp_path)


def measured(study, known, observations=(), reasons=()):
    (experiment,) = list_experiments(study)
    return measure_runs(experiment, [known.run], observations, dict(reasons), known.processed)


def test_the_factors_of_an_experiment_are_those_that_its_plan_varies(study, known):
    (experiment,) = list_experiments(study)
    assert experiment.virtual_server == known.run.run
    assert list(experiment.factors) == ["block", "shade"]
    assert list(experiment.constant) == ["constant"]
    assert experiment.has_blocks
    # a factor with the name of another column has a column of its own
    assert factor_columns(experiment) == {"block": "block_factor", "shade": "shade"}


def test_a_run_measures_what_its_observation_has(study, known):
    observations, missing = observe_study(study, known.processed, runs=[known.run])
    frame = measured(study, known, observations, missing)
    assert frame["run"].to_list() == ["later", known.run.run]  # in the order of recording
    assert frame["block"].to_list() == ["1", "2"]
    assert frame["block_factor"].to_list() == [-1, 1] and frame["shade"].to_list() == [1, -1]
    later, row = frame.rows(named=True)
    assert later[MISSING] == texts.NOT_RECORDED
    assert all(later[name] is None for name in RESPONSES) and not later["is_recorded"]
    (observation,) = observations
    assert row["R_ms"] == observation.response_time_s * 1e3
    assert row["X_per_s"] == observation.throughput_per_s
    demands = observation.run_demands.demands
    for name, response in RESPONSES.items():
        if response.station is not None:
            assert row[name] == demands[response.station].value_s * 1e3
    cpu = demands["host_cpu"]
    assert row["B_cpus"] == cpu.background_per_s
    assert row["T_cpu_ms"] == cpu.busy_s / observation.run_demands.completions * 1e3
    assert row["T_cpu_ms"] > row["D_cpu_ms"]
    assert row[MISSING] is None and row["memory_latency_ns"] is None


def test_a_demand_that_is_not_above_the_background_is_missing(study, known):
    (observation,) = observe_study(study, known.processed, runs=[known.run])[0]
    demands = observation.run_demands.demands
    nothing = {**demands, "host_cpu": replace(demands["host_cpu"], value_s=0.0)}
    changed = replace(observation, run_demands=replace(observation.run_demands, demands=nothing))
    row = measured(study, known, [changed]).row(1, named=True)
    assert row["D_cpu_ms"] is None and row["T_cpu_ms"] > 0
    assert row[MISSING] == f"D_cpu: {texts.NOT_ABOVE_BACKGROUND}"
    assert has_demands(observation) and not has_demands(changed)


def test_without_an_observation_the_client_s_figures_remain(study, known):
    name = f"first/{known.run.run}/{known.run.run}"
    row = measured(study, known, reasons={name: "no task counters"}).row(1, named=True)
    (observation,) = observe_study(study, known.processed, runs=[known.run])[0]
    assert row["R_ms"] == observation.response_time_s * 1e3
    assert row["D_cpu_ms"] is None and row[MISSING] == "no task counters"


def test_a_run_that_cannot_be_read_has_no_value(study, known):
    reasons = {f"first/{known.run.run}": "run.json: missing"}
    row = measured(study, known, reasons=reasons).row(1, named=True)
    assert all(row[name] is None for name in RESPONSES)
    assert row[MISSING] == "run.json: missing"


@pytest.mark.parametrize(
    ("notes", "latency_ns"),
    [
        (["memory latency under load, pointer chasing over 4 MiB: 194 ns per access (quartiles 162 and 219)"], 194.0),
        (["other", "memory latency under load, pointer chasing over 4 MiB: 88 ns per access"], 88.0),
        (["memory latency under load: many ns per access"], None),
        ([], None),
        ([{"a": 1}, None], None),
    ],
)  # fmt: skip
def test_the_memory_latency_is_that_of_a_note(tmp_path, notes, latency_ns):
    (tmp_path / "run.json").write_text(json.dumps({"notes": notes}))
    assert memory_latency_ns(read_run("study", "first", "run", tmp_path)) == latency_ns
