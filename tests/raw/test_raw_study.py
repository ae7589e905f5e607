"""Studies, and runs found by name."""

import copy
import json
import os

import pytest
from raw_runs import RUN, STUDY, the_run
from typer.testing import CliRunner

from pipeline import api
from pipeline.cli.app import app
from pipeline.raw import (
    RawRunError,
    check_study_names,
    find_run,
    find_runs,
    find_studies,
    find_unreadable_folders,
    select_runs,
)
from pipeline.raw import study as raw_study


def test_a_run_and_its_study_are_found_by_every_selection(raw):
    (study,) = find_studies(raw)
    assert study.problems() == []
    assert study.servers == ["second", "first"]
    assert study.title == "Two servers"
    assert study.held_out == ("first/both-a",)
    assert study.case_study == {"web": "both-a", "db": "both-a"}
    assert study.purpose("first", "both-a") == "case-study"
    assert study.purpose("first", "both-b") is None
    assert [run.id for run in find_runs(raw)] == ["pair/first/both-a"]
    assert find_runs(raw, study="other") == []
    assert find_runs(raw, server="second") == []
    assert len(find_runs(raw, run="both-a")) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        "pair",
        "pair/",
        "pair/first",
        "pair/first/",
        "pair/first/both-a",
        "pair/fi*",
        "*/*/both-?",
    ],
)
def test_select_takes_ids_their_first_names_and_patterns(raw, wanted):
    assert [run.id for run in select_runs(raw, [wanted])] == ["pair/first/both-a"]
    assert [run.id for run in select_runs(raw, [wanted, f"{raw}/pair"])] == ["pair/first/both-a"]


def test_select_without_ids_gives_all_and_prefers_whole_names(raw):
    for name in ("both-ab", "db-1", "db-16"):
        (raw / "pair/first" / name).mkdir()
    assert len(select_runs(raw)) == len(select_runs(raw, iter(()))) == 4
    assert [r.run for r in select_runs(raw, ["pair/first/db-1"])] == ["db-1"]
    assert [r.run for r in select_runs(raw, ["pair/first/db-*"])] == ["db-1", "db-16"]
    assert [r.run for r in select_runs(raw, ["pair/first/db-16", "pair/first/both-a"])] == [
        "both-a", "db-16"
    ]  # fmt: skip


def test_a_run_is_selected_by_its_path_and_no_other_is_read(raw, monkeypatch):
    expected = select_runs(raw, ["pair/first/both-?"])
    monkeypatch.setattr(raw_study, "find_runs", None)
    assert select_runs(raw, ["pair/first/both-a"]) == expected
    assert select_runs(raw, [f"{raw}/pair/first/both-a/", "pair/first/both-a"]) == expected


@pytest.mark.parametrize(
    "wanted",
    [
        "pair/first/both-b",
        "piar",
        "pai",
        "pair/fi",
        "pair/first/both-",
        "pair/first/both-a/host",
        "",
        "/",
        "../pair",
        "pair/second/",
    ],
)
def test_an_unknown_id_is_an_error_that_names_the_nearest(raw, wanted):
    with pytest.raises(RawRunError) as error:
        select_runs(raw, [wanted])
    if wanted in ("pair/first/both-b", "piar", "pai", "pair/first/both-"):
        assert "nearest: pair" in str(error.value)
    assert str(raw) in str(error.value)


def test_no_folder_of_raw_runs_is_an_error(tmp_path):
    with pytest.raises(RawRunError, match="does not exist"):
        find_studies(tmp_path / "nowhere")
    with pytest.raises(RawRunError, match="has no runs"):
        find_run(tmp_path, "a", "b", "c")


def test_problems_of_a_study(raw):
    (raw / "pair/first/a b").mkdir()
    (raw / "pair/.tmp-x").mkdir()
    study = {**STUDY, "study": "peer", "held_out": ["first/none"], "case_study": {"web": "none"},
             "runs": {"first": {"both-a": {}, "both-b": {}}}}  # fmt: skip
    (raw / "pair/study.json").write_text(json.dumps(study))
    assert find_studies(raw)[0].problems() == [
        'study.json: study is "peer" but the folder is "pair"; the name of the folder is used',
        'first/"a b": unsafe name; folder not read',
        'study.json: runs lists runs that do not exist: "first/both-b"',
        'study.json: held_out lists runs that do not exist: "first/none"',
        'study.json: case_study.web is "none", which does not exist',
    ]
    (raw / "pair/study.json").write_text("nonsense")
    (study,) = find_studies(raw)
    assert study.problems()[0].startswith("study.json, line 1, column 1: not JSON")
    assert (study.title, study.held_out, study.case_study) == ("pair", (), {})


def test_a_study_with_an_unsafe_name_is_a_problem(raw):
    (raw / "a study").mkdir()
    (raw / "a study/study.json").write_text("{}")
    assert check_study_names(raw) == ['"a study": unsafe name; study not read']
    assert [study.name for study in find_studies(raw)] == ["pair"]


WHERE = "study.json: servers.first.envelope"
CASES = [
    (("held_out",), 3, "study.json: held_out must be"),
    (("case_study", "web"), 3, "study.json: case_study.web must be"),
    (("servers", "first", "accelerator"), "kvm", 'study.json: servers.first.accelerator is "kvm", but run.json of'),
    (("servers", "first", "envelope"), 3, f"{WHERE} must be"),
    (("servers", "first", "envelope"), {"cpu_quota": 1e299}, f"{WHERE}.cpu_quota must be"),
    (("servers", "first", "envelope"), {"cpus": [0, 0]}, f"{WHERE}.cpus must be"),
    (("servers", "first", "envelope"), {"cpu_period_us": 0}, f"{WHERE}.cpu_period_us must be"),
    (("servers", "first", "envelope"), {"memory_bytes": {"db": -1}}, f"{WHERE}.memory_bytes.db must be"),
    (("runs", "first", "both-a", "load"), {"web": {"rate_per_s": 7}},
     "study.json: runs.first.both-a.load.web.rate_per_s is 7, but run.json has 5.0"),
    (("runs", "first", "both-a", "load"), {"db": 3}, "study.json: runs.first.both-a.load.db must be"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "sentence"), CASES)
def test_an_invalid_or_contradicting_value_is_a_problem(raw, path, value, sentence):
    manifest = copy.deepcopy(STUDY)
    parent = manifest
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    (raw / "pair/study.json").write_text(json.dumps(manifest))
    (study,) = find_studies(raw)
    assert [p for p in study.problems() if p.startswith(sentence)], study.problems()
    if "envelope" in path and isinstance(value, dict):
        (kept,) = study.entry("servers", "first")["envelope"].values()
        assert kept in (None, {"db": None})


def test_a_folder_without_rights_hides_only_what_is_in_it(raw, monkeypatch):
    second = raw / "pair/second/both-a"
    second.mkdir()
    (second / "run.json").write_text(json.dumps({**RUN, "server": "second"}))
    (raw / "other/first/run").mkdir(parents=True)
    (raw / "other/first/run/run.json").write_text("{}")
    api.write_checksums(raw, ["pair/first"])
    closed, may_access = set(), os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: path not in closed and may_access(path, mode)
    )
    for folder, runs in {
        "other": ["pair/first/both-a", "pair/second/both-a"],
        "pair": ["other/first/run"],
        "pair/first": ["other/first/run", "pair/second/both-a"],
    }.items():
        closed = {raw / folder}
        reason = f"{raw / folder}: cannot be read: Permission denied"
        assert find_unreadable_folders(raw) == [reason]
        assert find_unreadable_folders(raw, ["pair/second/both-*"]) == [reason] * (folder == "pair")
        assert [run.id for run in select_runs(raw)] == runs
        with pytest.raises(RawRunError, match="Permission denied"):
            select_runs(raw, [f"{folder}/both-a"])
        problems = api.find_problems(raw)
        assert reason in problems and not any("not exist" in text for text in problems)
        assert CliRunner().invoke(app, ["--raw", str(raw), "runs"]).exit_code == 1
    closed = {raw / "pair/first/both-a/web"}
    run = the_run(raw)
    assert run.problems() == ["web: cannot be read: Permission denied"]
    assert {log.role for log in run.logs()} == {"client", "db", "host"}
