"""Fixtures of the testbed's tests. No guest is booted here; `testbed.py smoke` does that."""

import pytest
from qvtestbed import plan, servers
from qvtestbed.paths import TESTBED


@pytest.fixture
def study_plan():
    return plan.read_plan()


@pytest.fixture
def planned(study_plan):
    return plan.list_runs(study_plan, servers.read_servers())


@pytest.fixture
def factors_plan():
    """The plan of the designed experiment."""
    return plan.read_plan(TESTBED / "influence_factors_plan.json")


@pytest.fixture
def running():
    """A running server, as start_server returns it."""
    return {
        "server": "first",
        "resources": servers.read_server("first"),
        "accelerator": "tcg",
        "guests": {
            "web": {
                "device": "/dev/loop3",
                "virtual_disk": "vda",
                "disk_pid": 1,
                "port": 28080,
                "qemu_pid": 2,
            },
            "db": {
                "device": "/dev/loop4",
                "virtual_disk": "sda",
                "disk_pid": 3,
                "port": 23306,
                "qemu_pid": 4,
            },
        },
    }
