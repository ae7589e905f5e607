"""Delay accounting is on while a guest needs it, and restored afterwards."""

import subprocess

import pytest
from qvtestbed import cleanup, delay_accounting, server_lifecycle


@pytest.fixture
def sysctl(tmp_path, monkeypatch):
    path = tmp_path / "task_delayacct"
    path.write_text("0\n")
    monkeypatch.setattr(delay_accounting.agent, "SYSCTL", str(path))
    monkeypatch.setattr(delay_accounting.agent, "REGISTRY", str(tmp_path / "registry"))
    return path


def test_accounting_outlives_the_command_that_enabled_it(sysctl, tmp_path):
    """`up` ends, the guests keep running, recordings start and end; `down`, another process, restores the setting."""
    up, guest = (subprocess.Popen(["sleep", "60"]) for _ in range(2))
    try:
        items = cleanup.CleanupList(tmp_path / "running.json")
        server_lifecycle.enable_delay_accounting(items, up.pid)
        assert sysctl.read_text() == "1"
        server_lifecycle.enable_delay_accounting(items, guest.pid)
        up.kill()
        up.wait()
        delay_accounting.agent.switch_on()
        delay_accounting.agent.leave()
        assert sysctl.read_text() == "1", "a recording has ended, the guest still needs it"
        assert cleanup.CleanupList(tmp_path / "running.json").undo_all() == []
        assert sysctl.read_text() == "0"
    finally:
        for process in (up, guest):
            process.kill()
            process.wait()


def test_setting_of_a_killed_testbed_is_restored_by_the_next_recording(sysctl, tmp_path):
    items = cleanup.CleanupList(tmp_path / "running.json")
    guest = subprocess.Popen(["sleep", "60"])
    server_lifecycle.enable_delay_accounting(items, guest.pid)
    guest.kill()
    guest.wait()
    assert sysctl.read_text() == "1"
    delay_accounting.agent.switch_on()
    delay_accounting.agent.leave()
    assert sysctl.read_text() == "0"
    assert cleanup.CleanupList(tmp_path / "running.json").undo_all() == []
