"""A load that fails is kept in the run."""

import json

import check_table
import load_generators
import preflight
import pytest

from ..helpers import needs_top
from .recorder import plan_for, record


@needs_top
def test_failed_load_is_recorded(folder):
    plan = plan_for(folder, ["sh", "-c", "echo broken; exit 3"])
    plan["before_s"] = plan["after_s"] = 0
    p = record(folder, plan)
    assert p.returncode == 1 and "ended with code 3" in p.stderr
    run = json.loads((folder / "first" / "r1" / "run.json").read_text())
    assert run["virtual_servers"]["web"]["workload"]["exit_code"] == 3
    assert any("code 3" in note for note in run["notes"])
    assert (folder / "first" / "r1" / "client" / "sysbench.log").read_text() == "broken\n"


def test_secret_comes_from_a_file_or_a_variable(tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_text("hidden 1\n")
    monkeypatch.setenv("OTHER", "hidden 2")
    assert load_generators.read_secret({"file": str(path)}) == "hidden 1"
    assert load_generators.read_secret({"environment": "OTHER"}) == "hidden 2"
    argv = load_generators.insert_secrets(["app", "--x=${A}", "${B}", "$A"], {"A": "hidden 1"})
    assert argv == ["app", "--x=hidden 1", "${B}", "$A"]
    path.write_text("")
    for source in (
        {"file": str(path)},
        {"file": str(tmp_path)},
        {"file": "/dev/zero"},
        {"environment": "NONE"},
    ):
        with pytest.raises(ValueError):
            load_generators.read_secret(source)


def test_checks_of_secrets(tmp_path):
    path = tmp_path / "token"
    path.write_text("hidden 1\n")
    path.chmod(0o644)

    def states(command, env):
        checks = check_table.Checks([])
        preflight.check_secrets(
            "web", {"command": command, "env": env}, {"load_prefix": []}, checks
        )
        assert "hidden" not in "\n".join(checks.lines())
        return [row[:2] for row in checks.rows]

    note, ok, problem = check_table.NOTE, check_table.OK, check_table.PROBLEM
    assert states(["app", "--password=hidden 1"], {}) == [("load.web", note)]
    assert states(["app", "--password=${A}"], {"A": {"file": str(path)}}) == [
        ("load.web.env", ok), ("load.web.env", note),
    ]  # fmt: skip
    assert states(["app"], {"A": {"environment": "NONE"}}) == [("load.web.env", problem)]
