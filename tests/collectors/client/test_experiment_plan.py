"""Plans: each error is reported before anything starts; the example is valid."""

import copy
import json
import os
import pathlib
import subprocess
import sys

import experiment_plan
import pytest

from ..helpers import CLIENT
from .recorder import PROGRAM, plan_for, record


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("study",), "../up", "study"), (("accelerator",), "xen", "accelerator"),
        (("loads", "web", "env"), {"TOKEN": "literal"}, "TOKEN"), (("keep_sql",), "yes", "keep_sql"),
        (("roles",), {}, "no roles"),
        (("roles", "host", "only"), "(", "regular expression"), (("roles", "web", "logs"), {"../x.log": "/x"}, "log"),
        (("roles", "web", "typo"), 1, "typo"), (("before_s",), "long", "before_s"), (("run",), "other", "other"),
        (("loads", "web", "command"), [], "command"), (("loads", "mail"), {"command": ["true"]}, "mail"),
        (("virtual_servers", "web", "role"), "nobody", "nobody"), (("roles", "web", "via"), "ssh", "destination"),
    ],
)  # fmt: skip
def test_invalid_plan_is_refused(folder, path, value, word):
    plan = copy.deepcopy(plan_for(folder))
    at = plan
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    p = record(folder, plan, "--dry-run")
    assert p.returncode == 2 and word in p.stderr
    assert not (folder / "first").exists()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("virtual_servers", "web", "role"), []), (("virtual_servers", "web", "role"), {}),
        (("roles", "web", "interval_s"), "1"), (("roles", "web", "interval_s"), -1),
        (("roles", "web", "rotate"), 3), (("roles", "web", "remote_dir"), ["x"]),
        (("roles", "web", "logs"), {"x.log": "/a\0b"}), (("roles", "web", "only"), "\ud800"),
        (("virtual_servers", "web", "virtual_disk"), "/\ud800"), (("notes",), ["\udfff"]),
        (("client", "hostname"), "a\n"), (("roles", "a\n"), {}),
    ],
)  # fmt: skip
def test_values_of_other_types_are_refused(folder, path, value):
    """In process: the same calls as before a recording."""
    plan = copy.deepcopy(plan_for(folder))
    at = plan
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    (folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(experiment_plan.ExperimentError) as refused:
        read = experiment_plan.read_plan(str(folder / "plan.json"))
        experiment_plan.check_plan(read, str(folder / "first" / "r1"))
    assert path[-1].strip() in str(refused.value) and str(refused.value).isprintable()


def test_plan_nested_too_deep_is_refused(folder):
    (folder / "plan.json").write_text("[" * 200_000)
    with pytest.raises(experiment_plan.ExperimentError, match="nested too deep"):
        experiment_plan.read_plan(str(folder / "plan.json"))


def test_dry_run_of_the_example(folder):
    """Its load generators need not be installed here: two programs of their names stand in."""
    if 1 not in os.sched_getaffinity(0):
        pytest.skip("the example pins its loads to CPU 1, which is not there")
    for name in ("httperf", "sysbench"):
        (folder / name).write_text(f"#!/bin/sh\necho '{name} 1.2.3'\n")
        (folder / name).chmod(0o755)
    env = dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")
    example = pathlib.Path(CLIENT) / "plan.example.json"
    argv = [sys.executable, "-B", PROGRAM, str(example), "--dry-run"]
    p = subprocess.run(
        [*argv, "--out", str(folder / "both-even-a")], stdout=subprocess.PIPE, text=True, env=env
    )
    assert p.returncode == 0
    assert "collect start" in p.stdout and "httperf" in p.stdout
    assert not (folder / "both-even-a").exists()
    help_text = subprocess.run(
        [sys.executable, "-B", PROGRAM, "--help"], stdout=subprocess.PIPE, text=True
    ).stdout
    plan = json.loads(example.read_text())
    for key in [*plan, *(k for role in plan["roles"].values() for k in role)]:
        assert key in help_text, f"--help does not tell {key}"
