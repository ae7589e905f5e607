"""The command line of testbed.py."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from qvtestbed import plan
from qvtestbed.paths import TESTBED


def run_testbed(*arguments):
    return subprocess.run(
        [sys.executable, str(TESTBED / "testbed.py"), *arguments], capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "command", ["doctor", "build", "up", "down", "run", "study", "plan", "smoke"]
)
def test_each_command_has_help_with_an_example(command):
    assert re.search(rf"^ +{command} ", run_testbed("--help").stdout, re.M)
    process = run_testbed(command, "--help")
    assert process.returncode == 0
    assert re.search(rf"^ .*testbed\.py {command}", process.stdout, re.M)


def test_plan_is_listed(tmp_path):
    process = run_testbed("plan", "--raw", str(tmp_path))
    assert process.returncode == 0
    assert "first/web-005-a" in process.stdout
    assert re.search(r"second/db-08-sweep .* held out", process.stdout)


def test_plan_of_another_study_is_listed(tmp_path):
    study_plan = plan.read_plan() | {"study": "mine"}
    study_plan["sweep"] |= {"web_rates": {"first": [3], "second": [2]}}
    study_plan["held_out"] = {
        "db_threads": [],
        "web_rates": {"first": [3], "second": []},
        "both": [],
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(study_plan))
    process = run_testbed("plan", "--plan", str(path), "--raw", str(tmp_path))
    assert process.returncode == 0
    assert re.search(r"first/web-003-even .* held out", process.stdout)
    assert "first/web-020-even" not in process.stdout


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "Expecting property name"), ("{}", "'study'"), (None, "No such file")],
)
def test_error_in_a_plan_names_the_file(tmp_path, text, reason):
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_text(text)
    process = run_testbed("plan", "--plan", str(path))
    assert process.returncode == 2
    assert f"error: {path}: " in process.stderr and reason in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(
    shutil.which("qemu-system-x86_64") is None,
    reason="qemu-system-x86_64 is missing (apt install qemu-system-x86)",
)
def test_run_that_is_not_planned_is_rejected(tmp_path):
    process = run_testbed("run", "first", "no-such-run", "--raw", str(tmp_path))
    assert process.returncode == 2
    assert (
        "no planned run" in process.stderr
        or "another testbed" in process.stderr
        or "lacks" in process.stderr
    )


def test_files_contain_no_address_of_a_mirror():
    for path in TESTBED.rglob("*"):
        if path.suffix in (".py", ".json", ".md"):
            assert not re.search(r"https?://[a-z]+\.debian", path.read_text()), path
