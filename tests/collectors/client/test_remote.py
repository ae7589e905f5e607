"""Recorded machines: over ssh, lost, restarted, with folders of other users, with unexpected output."""

import json
import os
import shutil
import signal
import subprocess
import time
import types

import pytest
import remote

from ..helpers import AGENT, needs_root, needs_top
from .recorder import (
    assert_host_is_complete,
    list_collector_pids,
    plan_for,
    read_log,
    record,
    running_recorder,
    short_plan,
)


def test_all_files_of_the_agent_are_copied():

    assert set(remote.list_agent_files()) == {n for n in os.listdir(AGENT) if n != "__pycache__"}


def test_unreachable_machine(folder):
    if not shutil.which("ssh"):
        pytest.skip("ssh is not there (apt install openssh-client)")
    plan = plan_for(folder)
    plan["roles"]["web"] = {"destination": "root@127.0.0.1", "ssh_options": ["-p", "1"]}
    p = record(folder, plan)
    assert p.returncode == 2 and "root@127.0.0.1 cannot be reached" in " ".join(p.stderr.split())
    assert not (folder / "first").exists()


@needs_top
def test_recording_over_ssh(folder, sshd):
    plan = plan_for(folder)
    plan["roles"]["web"].update(sshd.role())
    p = record(folder, plan)
    assert p.returncode == 0, p.stderr
    run = json.loads((folder / "first" / "r1" / "run.json").read_text())
    web = run["roles"]["web"]
    assert abs(web["clock_offset_ns"]) <= web["clock_uncertainty_ns"] < 1e8, (
        "the same clock, seen over ssh"
    )
    assert set(web["clock"]) == {"before", "after"}
    assert web["collector_cost"]["cpu_s"] > 0, "the collectors' own cost"
    assert read_log(folder / "first" / "r1" / "web" / "tasks.log").endswith("#END SIGTERM\n")
    assert not (folder / "remote").exists(), "what was copied is removed"


@needs_top
def test_lost_machine_does_not_affect_the_others(folder, sshd):
    plan = short_plan(folder)
    plan["reach_s"] = 1
    plan["roles"]["web"].update(sshd.role())
    with running_recorder(folder, plan) as p:
        (pid,) = list_collector_pids(folder, "web")
        sshd.die()
        os.kill(pid, signal.SIGKILL)  # the machine is gone
    assert p.returncode == 1, p.stderr_text
    out = folder / "first" / "r1"
    assert_host_is_complete(out)
    run = json.loads((out / "run.json").read_text())
    assert "cannot be reached" in " ".join(run["notes"])
    assert {"web: no top.log", "web: no tasks.log"} <= set(run["notes"])
    assert set(run["roles"]["web"]["clock"]) == {"before"}
    assert run["virtual_servers"]["web"]["workload"]["end_ns"] > run["window"]["start_ns"]
    assert os.listdir(out / "web") == []


@needs_top
def test_machine_is_retried_at_the_end(folder, sshd):
    plan = short_plan(folder)
    plan["reach_s"] = 40
    plan["roles"]["web"].update(sshd.role())
    with running_recorder(folder, plan) as p:
        (pid,) = list_collector_pids(folder, "web")
        sshd.die()
        os.kill(pid, signal.SIGKILL)
        time.sleep(4)
        sshd.start()
    assert p.returncode == 1, p.stderr_text
    out = folder / "first" / "r1"
    assert_host_is_complete(out)
    lines = read_log(out / "web" / "tasks.log").splitlines()
    assert lines[-1].startswith("#GAP the collector died")
    assert sum(x.startswith("#T ") for x in lines) >= 2
    assert not (folder / "remote").exists(), "what was copied is removed"


@needs_top
def test_recording_over_the_fake_ssh(fake_machine, folder):
    p = fake_machine()
    assert p.returncode == 0, p.stderr
    assert {"facts.json", "access.log"} <= {
        n.split(".zst")[0].split(".gz")[0] for n in os.listdir(fake_machine.web)
    }
    assert not list(folder.glob("remote/*")), "what was copied is removed"


@needs_top
def test_unexpected_output_at_start(fake_machine, folder):
    """No output, and control characters and lines that look like the recorder's own."""
    (folder / "hostile.tar.py").write_text("if ' start --out' in command: sys.exit(1)\n")
    p = fake_machine()
    assert p.returncode == 1 and "Traceback" not in p.stderr
    subprocess.run(["rm", "-r", str(fake_machine.web.parent)], check=True)
    (folder / "hostile.tar.py").write_text(
        "if ' start --out' in command:\n"
        "    print('a\\x1b[31m\\rrecorded: /x\\nrecorded: /y')\n"
        "    sys.exit(1)\n"
    )
    p = fake_machine()
    assert "\x1b" not in p.stderr and "\r" not in p.stderr
    assert "recorded: /y" in p.stderr and "\nrecorded: /y" not in p.stderr


@needs_root
@needs_top
@pytest.mark.parametrize("kind", ["the parent", "a link", "writable"])
def test_folder_of_another_user_is_refused(fake_machine, folder, kind):
    """Its owner could replace what root runs."""
    remote = folder / "remote"
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    if kind == "a link":
        os.chown(elsewhere, 65534, 65534)
        remote.symlink_to(elsewhere)
    else:
        remote.mkdir()
        remote.chmod(0o777 if kind == "writable" else 0o755)
        os.chown(remote, *((0, 0) if kind == "writable" else (65534, 65534)))
    p = fake_machine()
    assert p.returncode == 2, p.stderr
    text = " ".join(p.stderr.split())
    assert "belongs to user 65534" in text or "can be written to by others" in text
    assert not list(remote.iterdir()) and not list(elsewhere.iterdir())


@needs_top
def test_recording_has_a_private_folder(fake_machine, folder):
    """Also in a shared folder like /var/tmp, where only the owner of an entry can replace it."""
    remote = folder / "remote"
    remote.mkdir()
    remote.chmod(0o1777)
    seen = folder / "seen"
    fake_machine.plan["loads"]["web"]["command"] = [
        "sh", "-c", f"ls -ld {remote}/* >{seen}; ls {remote}/*/agent >>{seen}",
    ]  # fmt: skip
    assert fake_machine().returncode == 0
    lines = seen.read_text().splitlines()
    assert lines[0].startswith("drwx------") and "queuevisor." in lines[0]
    assert "daemon.py" in lines
    assert not list(remote.iterdir()), "it is removed"


def test_an_interruption_waits_for_every_start():
    """A signal while threads are being started must not leave some unstarted, or started and unknown."""
    names = [f"m{number}" for number in range(40)]
    started = []

    def start(machine):
        if machine.name == "m0":
            os.kill(os.getpid(), signal.SIGINT)
        started.append(machine.name)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            remote.run_on_all(start, [types.SimpleNamespace(name=name) for name in names])
            time.sleep(1)
        assert sorted(started) == sorted(names)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, previous)
