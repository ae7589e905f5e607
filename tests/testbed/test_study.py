"""Recording a study: waiting until the machine is idle, postponed runs, study.json."""

import json

import pytest
import qvtestbed
from qvtestbed import experiment, memory_latency, paths, plan, servers, study


def test_manifest_keeps_the_date_of_the_first_recording(study_plan, planned, tmp_path):
    folder = tmp_path / study_plan["study"]
    folder.mkdir()
    (folder / "study.json").write_text('{"recorded": "2020-02-20"}')
    study.write_study_manifest(tmp_path, study_plan, servers.read_servers(), planned, "tcg")
    assert json.loads((folder / "study.json").read_text())["recorded"] == "2020-02-20"


def test_run_waits_until_latency_is_below_the_limit(monkeypatch, capsys):
    latencies, slept = iter([312.0, 250.0, 140.0]), []
    monkeypatch.setattr(memory_latency, "measure_median_latency_ns", lambda: next(latencies))
    monkeypatch.setattr(study.time, "sleep", slept.append)
    study.wait_for_low_latency(200)
    assert slept == [study.RETRY_INTERVAL_S] * 2
    output = "".join(capsys.readouterr())
    assert output.count("312 ns") == 1 and "200 ns" in output
    assert "140 ns" in output and "250 ns" not in output


def test_idle_machine_gives_no_message(monkeypatch, capsys):
    monkeypatch.setattr(memory_latency, "measure_median_latency_ns", lambda: 80.0)
    study.wait_for_low_latency(200)
    assert "".join(capsys.readouterr()) == ""


def test_postponed_run_is_no_failed_attempt(monkeypatch, capsys, tmp_path, study_plan, planned):
    """Two failed attempts end a run, any number of postponements does not."""
    slept, limits = [], []
    outcomes = [experiment.NotIdleError("the idle guests use 0.31 CPUs")] * 3 + [True]

    def record_run(*_, max_idle_cpus, **__):
        limits.append(max_idle_cpus)
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(experiment, "record_run", record_run)
    monkeypatch.setattr(memory_latency, "measure_median_latency_ns", lambda: 80.0)
    monkeypatch.setattr(study.time, "sleep", slept.append)
    run = planned[0]
    assert study.record_with_retry(tmp_path, study_plan, run, {}, wait_until_idle=True)
    assert slept == [study.RETRY_INTERVAL_S] * 3 and set(limits) == {study_plan["max_idle_cpus"]}
    assert "".join(capsys.readouterr()).count("0.31 CPUs") == 3
    outcomes = [True]
    assert study.record_with_retry(tmp_path, study_plan, run, {}) and limits[-1] is None


def test_run_that_fails_twice_is_skipped(monkeypatch, capsys, tmp_path, study_plan, planned):
    attempts = []

    def record_run(*_, **__):
        attempts.append(1)
        raise qvtestbed.TestbedError("no disk space")

    monkeypatch.setattr(experiment, "record_run", record_run)
    assert not study.record_with_retry(tmp_path, study_plan, planned[0], {})
    assert len(attempts) == 2
    assert capsys.readouterr().err.count("no disk space") == 2


def test_recorded_run_is_never_recorded_again(tmp_path, study_plan, planned):
    folder = tmp_path / study_plan["study"] / planned[0].path
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    with pytest.raises(qvtestbed.TestbedError) as error:
        study.record_single_run(study_plan, tmp_path, planned[0].path)
    assert str(folder) in str(error.value)


def test_manifest_of_a_designed_experiment_lists_every_planned_run(tmp_path):
    """So that a reader knows what is missing."""
    factor_plan = plan.read_plan(paths.TESTBED / "influence_factors_plan.json")
    resources = plan.list_resources(factor_plan)
    planned = plan.list_runs(factor_plan, resources)
    study.write_study_manifest(tmp_path, factor_plan, resources, planned, "tcg")
    runs = json.loads((tmp_path / "influence-factors" / "study.json").read_text())["runs"]
    assert {server: len(entries) for server, entries in runs.items()} == {
        "whole-cpu": 32,
        "half-cpu": 32,
    }
