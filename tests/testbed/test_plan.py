"""The study plan: its runs, their seeds, those held out, and study.json."""

import json

import pytest
import qvtestbed
from qvtestbed import plan, servers


def test_plan_has_the_case_study_and_the_sweeps_on_both_servers(study_plan, planned):
    for server in ("first", "second"):
        runs = {run.name: run for run in planned if run.server == server}
        for name in (
            "web-005-a",
            "web-005-b",
            "db-16-a",
            "db-16-b",
            "both-005-16-a",
            "both-005-16-b",
        ):
            assert runs[name].seconds >= 120
        threads = [run.loads["db"].threads for run in runs.values() if run.name.endswith("-sweep")]
        assert threads == [1, 2, 4, 8, 16, 32]
        rates = {
            arrivals: {
                run.loads["web"].rate
                for run in runs.values()
                if run.purpose == "load-sweep"
                and "web" in run.loads
                and run.loads["web"].arrivals == arrivals
            }
            for arrivals in ("even", "poisson")
        }
        assert rates["even"] == rates["poisson"]
        assert len(rates["even"]) >= 5
        assert all(run.seconds >= 60 for run in runs.values())
    assert study_plan["before_s"] >= 30
    assert len({run.path for run in planned}) == len(planned)


def test_held_out_runs_are_planned_and_enough_others_remain(study_plan, planned):
    held_out = set(plan.list_held_out(study_plan, servers.read_servers()))
    assert held_out <= {run.path for run in planned}
    for server in ("first", "second"):
        fitted = [run for run in planned if run.server == server and run.path not in held_out]
        threads = {run.loads["db"].threads for run in fitted if run.name.startswith("db-")}
        assert threads >= {1, 4, 16}
        assert len({run.loads["web"].rate for run in fitted if run.name.startswith("web-")}) >= 3


def test_held_out_run_that_is_not_planned_is_rejected(study_plan):
    study_plan["held_out"]["db_threads"] = [3]
    with pytest.raises(qvtestbed.TestbedError, match="first/db-03-sweep"):
        plan.list_held_out(study_plan, ["first"])


@pytest.mark.parametrize(
    ("part", "key"),
    [("sweep", "web_rates"), ("sweep", "repetitions"), ("held_out", "web_rates")],
)
def test_plan_without_one_of_the_servers_is_rejected(study_plan, part, key):
    del study_plan[part][key]["second"]
    with pytest.raises(qvtestbed.TestbedError, match=f"{part}.{key}.*second"):
        plan.list_held_out(study_plan, ["first", "second"])


@pytest.mark.parametrize("name", ["a b", "../up", ".hidden", ""])
def test_unsafe_study_name_is_rejected(tmp_path, study_plan, name):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(study_plan | {"study": name}))
    with pytest.raises(qvtestbed.TestbedError) as error:
        plan.read_plan(path)
    assert str(path) in str(error.value) and repr(name) in str(error.value)


def test_seeds_differ_between_runs_and_are_reproducible(planned):
    assert len({run.compute_seed("web") for run in planned}) == len(planned)
    again = plan.list_runs(plan.read_plan(), servers.read_servers())
    assert [run.compute_seed("web") for run in again] == [
        run.compute_seed("web") for run in planned
    ]


def test_study_manifest_lists_only_recorded_runs(study_plan, planned):
    manifest = plan.build_study_manifest(
        study_plan, servers.read_servers(), "tcg", planned[:1], "2026-01-02"
    )
    assert manifest["format"] == "queuevisor-study/1"
    assert list(manifest["runs"]["first"]) == ["web-005-a"]
    assert manifest["runs"]["second"] == {}
    assert manifest["servers"]["second"]["envelope"]["cpu_quota"] == 0.5
    assert manifest["case_study"]["web"] == "web-005-a"
    json.dumps(manifest)
