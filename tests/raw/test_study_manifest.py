"""Factors and runs of a designed experiment in study.json: what is read, and what is a problem and left out."""

import copy
import json

import pytest
from raw_runs import STUDY

from pipeline.raw import Factor, FactorRun, read_study

FACTORS = {
    "speed": {"title": "Disk", "unit": "MB/s", "branch": "resource management", "levels": [50, 100.5]},
    "swap": {"branch": "workload", "levels": [False, True]},
}  # fmt: skip
RUNS = {
    "first": {
        "both-a": {
            "virtual_server": "web",
            "levels": {"speed": 100.5, "swap": False},
            "block": 2,
            "replicate": 1,
            "cell": 3,
            "order": 7,
        },
        "later": {"load": {"db": {}}, "levels": {"speed": 50.0}},
        "plain": {"purpose": "load-sweep", "block": "x"},
    }
}


def read(folder, factors=FACTORS, runs=RUNS, **more):
    manifest = copy.deepcopy({**STUDY, "factors": factors, "runs": runs, **more})
    (folder / "study.json").write_text(json.dumps(manifest))
    return read_study(folder)


def with_value(document, path, value):
    changed = copy.deepcopy(document)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return changed


def test_factors_and_planned_runs_are_read(raw):
    study = read(raw / "pair")
    assert study.problems() == ['study.json: runs lists runs that do not exist: "first/plain"']
    assert study.factors == {
        "speed": Factor("speed", "Disk", "MB/s", "resource management", (50, 100.5)),
        "swap": Factor("swap", "swap", None, "workload", (False, True)),
    }
    assert [study.factors["speed"].level_text(sign) for sign in (-1, 1)] == ["50 MB/s", "100.5 MB/s"]  # fmt: skip
    assert study.factors["swap"].level_text(1) == "yes"
    assert study.factor_runs == [
        FactorRun("first", "both-a", "web", {"speed": 1, "swap": -1}, 2, 1, 3, 7),
        FactorRun("first", "later", "db", {"speed": -1}),
    ]


def test_a_study_without_factors_has_none(raw):
    study = read_study(raw / "pair")
    assert (study.factors, study.factor_runs) == ({}, [])


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("speed",), 3, "factors.speed must be a JSON object"),
        (("speed", "levels"), [1, 1.0], "factors.speed.levels must be a list of two"),
        (("speed", "levels"), [1], "factors.speed.levels must be"),
        (("speed", "levels"), [1, {}], "factors.speed.levels must be"),
        (("speed", "levels"), ["", "x" * 65], "factors.speed.levels must be"),
        (("speed", "levels"), None, "factors.speed.levels is missing"),
    ],
)
def test_a_factor_without_two_levels_is_left_out(raw, path, value, sentence):
    study = read(raw / "pair", with_value(FACTORS, path, value))
    assert any(p.startswith(f"study.json: {sentence}") for p in study.problems())
    assert "study.json: runs.first.both-a.levels.speed is not a key of factors; left out" in (
        study.problems()
    )
    assert list(study.factors) == ["swap"]
    assert study.factor_runs[0].signs == {"swap": -1}


def test_an_unsafe_name_and_an_unknown_branch(raw):
    factors = {"a:b": FACTORS["swap"], "swap": {**FACTORS["swap"], "branch": "luck", "title": 1}}
    study = read(raw / "pair", factors)
    assert list(study.factors) == ["swap"]
    assert (study.factors["swap"].branch, study.factors["swap"].title) == (None, "swap")
    starts = ("factors has an unsafe name", "factors.swap.branch must be", "factors.swap.title")
    for start in starts:
        assert any(p.startswith(f"study.json: {start}") for p in study.problems())


@pytest.mark.parametrize(
    ("key", "value", "attribute"),
    [
        ("block", -1, "block"),
        ("block", True, "block"),
        ("block", "", "block"),
        ("replicate", 1.5, "replicate"),
        ("cell", "3", "cell"),
        ("order", 2**63, "order"),
    ],
)
def test_an_impossible_number_of_a_run_is_left_out(raw, key, value, attribute):
    study = read(raw / "pair", runs=with_value(RUNS, ("first", "both-a", key), value))
    assert any(p.startswith(f"study.json: runs.first.both-a.{key} must") for p in study.problems())
    assert getattr(study.factor_runs[0], attribute) is None


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("virtual_server", "cache", "virtual_server is cache, which is not a key of"),
        ("virtual_server", "../x", "virtual_server is not a safe name"),
        ("virtual_server", None, "virtual_server is missing"),
        ("levels", [1], "levels must be a JSON object"),
        ("levels", {"speed": 75}, "levels.speed must be one of 50, 100.5 (got 75)"),
        ("levels", {"swap": 0}, "levels.swap must be one of false, true (got 0)"),
    ],
)
def test_a_run_without_a_server_or_levels_is_in_no_experiment(raw, key, value, sentence):
    study = read(raw / "pair", runs=with_value(RUNS, ("first", "both-a", key), value))
    assert any(p.startswith(f"study.json: runs.first.both-a.{sentence}") for p in study.problems())
    assert [run.run for run in study.factor_runs] == ["later"]


@pytest.mark.parametrize("value", [3, [], "x", {"first": 3}, {"first": {"both-a": 3}}, None])
@pytest.mark.parametrize("key", ["factors", "runs", "virtual_servers"])
def test_other_types_are_problems_and_no_errors(raw, key, value):
    study = read(raw / "pair", **{"factors": FACTORS, "runs": RUNS, key: value})
    study.problems()
    assert study.factor_runs == [] or key == "virtual_servers"
    assert study.factors == {} or key != "factors"
