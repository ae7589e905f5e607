"""The command `queuevisor simulate` and the study that it writes."""

import json

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.raw import find_runs, find_studies
from pipeline.synthetic.demands_file import EXAMPLE, parse_plan, read_plan
from pipeline.synthetic.study import replicate_runs
from synthetic.helpers import SMALL


def queuevisor(*arguments: str):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_command_writes_a_study(tmp_path):
    demands, out = tmp_path / "demands.json", tmp_path / "raw" / "known"
    demands.write_text(json.dumps(SMALL))
    result = queuevisor("simulate", out, "--demands", demands, "--seed", 4, "--runs", 2)
    assert result.exit_code == 0, result.output
    runs = find_runs(tmp_path / "raw")
    assert [run.run for run in runs] == ["one-a", "one-b", "two-a", "two-b"]
    assert [run.problems() for run in runs] == [[]] * 4
    assert find_studies(tmp_path / "raw")[0].problems() == []
    ground_truth = json.loads((out / "truth.json").read_text())
    assert ground_truth["format"] == "queuevisor-truth/1" and ground_truth["seed"] == 4
    web = ground_truth["runs"]["first"]["one-a"]["virtual_servers"]["web"]
    assert web["stations"]["cpu"]["demand_s"] == 0.01
    assert web["arrivals_scv"] == 0.5
    assert runs[0].virtual_servers["web"].workload.arrivals is None
    assert any("c²" in note for note in runs[0].manifest["notes"])
    again = queuevisor("simulate", out, "--demands", demands)
    assert again.exit_code == 2 and "exists and is not empty" in again.stderr


def test_replicate_runs(tmp_path):
    plan = replicate_runs(parse_plan(SMALL), 3)
    assert list(plan.runs) == ["one-a", "one-b", "one-c", "two-a", "two-b", "two-c"]
    assert replicate_runs(plan, 1) is plan


def test_the_command_writes_random_hosts(tmp_path):
    result = queuevisor("simulate", tmp_path / "some", "--random", 2)
    assert result.exit_code == 0
    runs = find_runs(tmp_path)
    assert [run.id for run in runs] == ["some/host-001/run", "some/host-002/run"]
    true_values = json.loads((tmp_path / "some/truth.json").read_text())["runs"]
    virtual_servers = [
        next(iter(host["run"]["virtual_servers"].values())) for host in true_values.values()
    ]
    assert (
        virtual_servers[0]["stations"]["cpu"]["demand_s"]
        != virtual_servers[1]["stations"]["cpu"]["demand_s"]
    )


def test_what_show_prints_can_be_read(tmp_path):
    shown = queuevisor("simulate", "--show")
    (tmp_path / "demands.json").write_text(shown.stdout)
    assert read_plan(tmp_path / "demands.json") == parse_plan(EXAMPLE)


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate",),
        ("simulate", "{}/bad name"),
        ("simulate", "{}/x", "--demands", "{}/not-there.json"),
        ("simulate", "{}/x", "--random", "2", "--runs", "2"),
    ],
)
def test_invalid_calls_exit_with_2(tmp_path, arguments):
    result = queuevisor(*(word.format(tmp_path) for word in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith("queuevisor: ")
