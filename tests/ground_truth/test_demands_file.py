"""The demands file, the command that reads it, and the study that it writes."""

import json
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.raw import find_runs, find_studies
from pipeline.synthetic import plan as plans
from pipeline.synthetic.demands_file import EXAMPLE, parse_plan, read_plan
from pipeline.synthetic.plan import PlanError
from pipeline.synthetic.study import replicate_runs

SMALL = {
    "format": "queuevisor-demands/1",
    "seconds": 10,
    "before_seconds": 5,
    "virtual_servers": {
        "web": {"kind": "open", "cpu_s": 0.01, "background": {"server_cpu": 0.005}},
        "db": {"kind": "closed", "cpu_s": 0.02, "disk_operations": 2},
    },
    "runs": {"one": {"web": {"rate_per_s": 20, "arrivals": 0.5}}, "two": {"db": {"threads": 2}}},
}


def test_the_example_is_a_plan():
    plan = parse_plan(EXAMPLE)
    assert list(plan.servers) == ["first", "second"]
    assert plan.virtual_servers["db"].scaled_to(plan.servers["second"]).disk_s == pytest.approx(
        0.009
    )
    assert plan.runs["web-020-even"]["web"].arrivals == "even"


def test_every_key_is_explained(root):
    page = (root / "docs/background/ground-truth.md").read_text()
    for record in (
        plans.VirtualServer, plans.Background, plans.Server, plans.Monitoring, plans.Load, plans.Plan,
    ):  # fmt: skip
        for field in fields(record):
            if field.name not in ("name", "monitoring", "arrivals_scv"):
                assert f"`{field.name}`" in page, f"{record.__name__}.{field.name}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other/1"}, "format"),
        ({"secnds": 3}, "secnds is unknown"),
        ({"seconds": -1}, "seconds must be a number from 0"),
        ({"seconds": 0.5}, "seconds must be 1 or more"),
        ({"runs": {}}, "runs is missing or empty"),
        ({"runs": {"one": {"mail": {}}}}, "runs.one.mail: unknown virtual server"),
        ({"runs": {"one": {"web": {}}}}, "runs.one.web.rate_per_s: must be above 0"),
        ({"runs": {"one": {"db": {}}}}, "runs.one.db.threads: must be at least 1"),
        ({"runs": {"one": {"web": {"rate_per_s": 0.01}}}}, "less than one request in 10 s"),
        ({"runs": {"one": {"web": {"rate_per_s": 1e9}}}}, "more than 2000000 requests"),
        ({"runs": {"one": {"web": {"rate_per_s": 5, "arrivals": "odd"}}}}, "even, poisson or a c²"),
        ({"runs": {"one": {"web": {"rate_per_s": 5, "rate": 5}}}}, "rate is unknown"),
        ({"runs": {"../one": {"web": {"rate_per_s": 5}}}}, "has an unsafe name"),
        ({"cpu_counter": "sampled"}, "scheduling: must be fcfs"),
        ({"disk_counter": "guessed"}, "must be one of exact, jiffies, sampled"),
        ({"server_logs": 1}, "must be true or false"),
    ],
)
def test_what_is_wrong_is_said(change, message):
    with pytest.raises(PlanError, match=message.replace(".", r"\.")):
        parse_plan({**SMALL, **change})


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"cpu_s": 0.01}, "virtual_servers.web.kind is missing"),
        ({"kind": "open"}, "virtual_servers.web.cpu_s is missing"),
        ({"kind": "open", "cpu_s": "1 ms"}, "must be a number"),
        ({"kind": "open", "cpu_s": 0.01, "write_share": 1.5}, "a share below 1 (got 1.5)"),
        ({"kind": "open", "cpu_s": 0.01, "operation_bytes": 1000}, "whole sectors"),
        ({"kind": "open", "cpu_s": 0.01, "queue_depth": 0}, "whole number from 1"),
        ({"kind": "open", "cpu_s": 0.01, "host_disk": "../sda"}, "not a safe name"),
        ({"kind": "open", "cpu_s": 0.01, "background": {"cpu": 1}}, "background.cpu is unknown"),
    ],
)
def test_what_is_wrong_with_a_virtual_server_is_said(server, message):
    with pytest.raises(PlanError, match=message.replace(".", r"\.")):
        parse_plan(
            {**SMALL, "virtual_servers": {"web": server, "db": SMALL["virtual_servers"]["db"]}}
        )


def test_two_loads_of_one_kind_have_one_client():
    server = SMALL["virtual_servers"]["web"]
    two = {**SMALL, "virtual_servers": {"web": server, "wiki": server}}
    load = {"rate_per_s": 5}
    with pytest.raises(PlanError, match="two loads of the same kind"):
        parse_plan({**two, "runs": {"one": {"web": load, "wiki": load}}})


def queuevisor(*words: str):
    return CliRunner().invoke(app, list(map(str, words)))


def test_the_command_writes_a_study(tmp_path):
    demands, out = tmp_path / "demands.json", tmp_path / "raw" / "known"
    demands.write_text(json.dumps(SMALL))
    done = queuevisor("simulate", out, "--demands", demands, "--seed", 4, "--runs", 2)
    assert done.exit_code == 0, done.output
    runs = find_runs(tmp_path / "raw")
    assert [run.run for run in runs] == ["one-a", "one-b", "two-a", "two-b"]
    assert [run.problems() for run in runs] == [[]] * 4
    assert find_studies(tmp_path / "raw")[0].problems() == []
    truth = json.loads((out / "truth.json").read_text())
    assert truth["format"] == "queuevisor-truth/1" and truth["seed"] == 4
    web = truth["runs"]["first"]["one-a"]["virtual_servers"]["web"]
    assert web["stations"]["cpu"]["demand_s"] == 0.01
    assert web["arrivals_scv"] == 0.5
    assert runs[0].virtual_servers["web"].workload.arrivals is None
    assert any("c²" in note for note in runs[0].manifest["notes"])
    again = queuevisor("simulate", out, "--demands", demands)
    assert again.exit_code == 2 and "exists and is not empty" in again.stderr


def test_replications_differ(tmp_path):
    plan = replicate_runs(parse_plan(SMALL), 3)
    assert list(plan.runs) == ["one-a", "one-b", "one-c", "two-a", "two-b", "two-c"]
    assert replicate_runs(plan, 1) is plan


def test_the_command_draws_hosts(tmp_path):
    done = queuevisor("simulate", tmp_path / "some", "--random", 2)
    assert done.exit_code == 0
    runs = find_runs(tmp_path)
    assert [run.id for run in runs] == ["some/host-001/run", "some/host-002/run"]
    known = json.loads((tmp_path / "some/truth.json").read_text())["runs"]
    both = [next(iter(host["run"]["virtual_servers"].values())) for host in known.values()]
    assert both[0]["stations"]["cpu"]["demand_s"] != both[1]["stations"]["cpu"]["demand_s"]


def test_what_show_prints_can_be_read(tmp_path):
    shown = queuevisor("simulate", "--show")
    (tmp_path / "demands.json").write_text(shown.stdout)
    assert read_plan(tmp_path / "demands.json") == parse_plan(EXAMPLE)


@pytest.mark.parametrize(
    "words",
    [
        ("simulate",),
        ("simulate", "{}/bad name"),
        ("simulate", "{}/x", "--demands", "{}/not-there.json"),
        ("simulate", "{}/x", "--random", "2", "--runs", "2"),
    ],
)
def test_a_wrong_call_is_2(tmp_path, words):
    done = queuevisor(*(word.format(tmp_path) for word in words))
    assert done.exit_code == 2
    assert done.stderr.startswith("queuevisor: ")


def test_nobody_reads_a_log_knowing_who_wrote_it(root):
    """The room imports the formats and one formula; only the command line imports the room."""
    import ast

    def rooms(path) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline."):
                found.add(node.module.split(".")[1])
        return found

    for path in (root / "pipeline").rglob("*.py"):
        room = path.relative_to(root / "pipeline").parts[0]
        if room == "synthetic":
            assert rooms(path) <= {"errors", "synthetic", "raw", "network", "tables", "units"}, path
        elif room != "cli":
            assert "synthetic" not in rooms(path), path
