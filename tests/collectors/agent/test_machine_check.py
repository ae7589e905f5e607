"""What a pattern or a path names on this machine, before anything is recorded."""

import os
import pathlib
import subprocess

import machine_check
import pytest

from ..helpers import COLLECT, collect, needs_root, needs_top, start_sleep


@pytest.fixture
def sleeper():
    p = start_sleep()
    yield p
    p.kill()
    p.wait()


def test_check_lists_what_only_matches(sleeper):
    p = collect("check", "--only", "^sleep$")
    assert p.returncode == 0
    fields = [line.split() for line in p.stdout.splitlines()]
    assert [str(sleeper.pid), "sleep", "sleep", "30"] in fields
    p = collect("check", "--only=^qv-nobody$")
    assert p.returncode == 2 and "no process matches '^qv-nobody$'" in p.stderr
    assert collect("check", "--only", "(").returncode == 2


@pytest.mark.parametrize("option", ["--only", "--tasks"])
@pytest.mark.parametrize("command", ["start", "run"])
def test_pattern_that_matches_nothing_is_refused(folder, command, option):
    p = collect(command, "--out", folder / "out", "--seconds", "1", option, "^qv-nobody$")
    assert p.returncode == 2 and "^qv-nobody$" in p.stderr and "--allow-none" in p.stderr
    assert not (folder / "out").exists()


def test_secrets_are_not_listed():
    argv = ["sh", "-c", "read x; true", "qv-secret", "--password=hidden1"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as p:
        listed = collect("check", "--only", "qv-secret").stdout
        p.stdin.close()
    assert "--password=[redacted]" in listed and "hidden1" not in listed


def test_command_of_the_operator_never_matches():
    """Its own arguments hold the pattern."""
    argv = ["sh", "-c", f"{COLLECT} check --only qv-nobody-else; true"]
    assert "no process matches" in subprocess.run(argv, stderr=subprocess.PIPE, text=True).stderr


@needs_top
def test_status_of_a_recording(recording):
    out = recording("--interval", "0.3", "--only", "^qv-nobody$")
    assert collect("status", "--out", out).returncode == 0
    collect("stop", "--out", out)
    p = collect("status", "--out", out)
    assert p.returncode == 0 and "ended" in p.stdout and "snapshots" in p.stdout


def test_status_of_a_recording_that_died(folder):
    (folder / "facts.json").write_text('{\n "ended_ns": null\n}\n')
    p = collect("status", "--out", folder)
    assert p.returncode == 1 and "died" in p.stdout


@pytest.mark.parametrize("command", ["start", "run"])
def test_help_of_a_command_explains_its_options(command):
    p = collect(command, "--help")
    assert p.returncode == 0 and "keep, in all logs, only rows" in p.stdout


def test_wrapper_of_a_process_is_not_another_one():
    argv = ["sh", "-c", "sleep 30; true"]
    with subprocess.Popen(argv) as outer:
        while not (children := read_children(outer.pid)):
            pass
        pids = [outer.pid, *children]
        assert machine_check.without_wrappers(pids) == children
        assert machine_check.without_wrappers([outer.pid]) == [outer.pid]
        outer.kill()
        os.kill(children[0], 9)


def read_children(pid):
    return list(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_kvm_in_use(sleeper):
    assert machine_check.uses_kvm(sleeper.pid) is False
    assert machine_check.uses_kvm(1 << 30) is None
    if os.access("/dev/kvm", os.R_OK):
        with open("/dev/kvm", "rb"):
            assert machine_check.uses_kvm(os.getpid()) is True


def test_disk_of_a_path():
    assert machine_check.disk_of("/nowhere/at/all") == ""
    assert machine_check.disk_of("/proc") is None
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, source = line.partition(" - ")
        device = source.split()[1]
        if device.startswith("/dev/") and os.path.isdir("/sys/block/" + os.path.basename(device)):
            at = fields.split()[4]
            assert machine_check.disk_of(at) == os.path.basename(os.path.realpath(device))


@needs_root
def test_log_that_cannot_be_read(tmp_path):
    log = tmp_path / "a.log"
    assert machine_check.log_problem(str(log)) == "no such file or directory"
    assert machine_check.log_problem(str(tmp_path)) == "not a regular file"
    assert machine_check.log_problem("a.log") == "not an absolute path"
    log.write_text("x\n")
    assert machine_check.log_problem(str(log)) is None
