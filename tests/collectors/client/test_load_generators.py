"""A load that fails is kept in the run."""

import json

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
