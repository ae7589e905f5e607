"""Fixtures of the testbed's tests. No guest is booted here; `testbed.py smoke` does that."""

import pytest
from qvtestbed import plan, servers


@pytest.fixture
def study_plan():
    return plan.read_plan()


@pytest.fixture
def planned(study_plan):
    return plan.list_runs(study_plan, servers.read_servers())


@pytest.fixture
def running():
    """A running server, as start_server returns it."""
    return {
        "server": "first",
        "accelerator": "tcg",
        "guests": {
            "web": {"device": "/dev/loop3", "disk_pid": 1, "port": 28080, "qemu_pid": 2},
            "db": {"device": "/dev/loop4", "disk_pid": 3, "port": 23306, "qemu_pid": 4},
        },
    }
