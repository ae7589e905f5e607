"""A plan with a single mistake: it is named before anything starts, and nothing is created."""

import json
import os
import shutil
import subprocess
import tempfile

import check_table
import machine_check
import preflight_machines
import pytest
import record_experiment

from ..helpers import needs_root, needs_top, start_sleep
from .recorder import PROGRAM, list_collector_pids

HAS_BLOCK = os.path.isdir("/sys/block") and bool(os.listdir("/sys/block"))
SLEEP = "^sleep$"


@pytest.fixture
def sleeper():
    p = start_sleep()
    yield p
    p.kill()
    p.wait()


@pytest.fixture
def tools(folder, monkeypatch):
    """Load generators that only exist, first in the path."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name in ("sysbench", "httperf"):
        (bin_folder / name).write_text(f"#!/bin/sh\necho '{name} 1.2.3'\n")
        (bin_folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return bin_folder


def valid_plan(folder):
    """A plan without a mistake, as long as `sleep` runs; the guest is this machine."""
    (folder / "access.log").write_text("before\n")
    disks = {"virtual_disk": sorted(os.listdir("/sys/block"))[0]} if HAS_BLOCK else {}
    return {
        "before_s": 1, "after_s": 1,
        "roles": {
            "db": {"via": "local", "only": SLEEP, "tasks": SLEEP, "logs": {"access.log": str(folder / "access.log")}},
        },
        "virtual_servers": {
            "db": {"role": "db", "server_processes": SLEEP, **disks,
                   "workload": {"kind": "closed", "population": 4, "think_time_s": 0.0}},
        },
        "loads": {"db": {"command": ["sysbench", "oltp_read_write", "--threads=4", "--time=60", "run"]}},
    }  # fmt: skip


def run_main(folder, plan, *options):
    """The recorder in this process; its exit code."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    return record_experiment.main([str(path), "--out", str(folder / "raw/s/first/r1"), *options])


def set_value(plan, path, value):
    """Set, or with None remove, what a path of keys leads to."""
    *parents, last = path.split("/")
    at = plan
    for key in parents:
        at = at[key]
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value


@needs_top
def test_plan_without_a_mistake(folder, tools, sleeper, capsys):
    """Each process that a pattern matches is listed; nothing remains of the check."""
    assert run_main(folder, valid_plan(folder), "--check") == 0
    out = capsys.readouterr().out
    assert f"{sleeper.pid} sleep: sleep 30" in out
    assert "problems 0" in out and "one machine" in out
    assert max(map(len, out.splitlines())) <= 80
    assert sorted(os.listdir(folder)) == ["access.log", "bin", "plan.json"]


QEMU = {
    "accelerator": "kvm",
    "virtual_servers/db/qemu_process": "^sleep 30$",
    "roles/host": {"via": "local", "only": SLEEP},
}
MISTAKES = {
    "server's processes": ({"virtual_servers/db/server_processes": "^qv-nobody$"}, "db.server_processes"),
    "only": ({"roles/db/only": "^qv-nobody$", "roles/db/tasks": None}, "db.only"),
    "tasks": ({"roles/db/tasks": "^qv-nobody$"}, "db.tasks"),
    "only leaves them out": ({"roles/db/only": "python", "roles/db/tasks": None}, "db.server_processes"),
    "pattern of QEMU": ({**QEMU, "virtual_servers/db/qemu_process": "guest=qv-nobody,"}, "db.qemu_process"),
    "accelerator": (QEMU, "db.accelerator"),
    "virtual disk": ({"virtual_servers/db/virtual_disk": "vdz99"}, "db.virtual_disk"),
    "host disk": ({"roles/host": {"via": "local"}, "virtual_servers/db/host_disk": "sdz99"}, "db.host_disk"),
    "path of a disk": ({"virtual_servers/db/virtual_disk": "/nowhere/data"}, "db.virtual_disk"),
    "disk that devices leaves out": ({"roles/db/devices": "^qv-none$"}, "db.virtual_disk"),
    "log": ({"roles/db/logs/access.log": "/nowhere/access.log"}, "db.access.log"),
    "program": ({"loads/db/command": ["qv-bench", "run"]}, "load.db"),
    "program of the prefix": ({"load_prefix": ["qv-pin", "1"]}, "load.db"),
    "prefix that fails": ({"load_prefix": ["sh", "-c", "exit 3"]}, "load.db"),
    "population": ({"virtual_servers/db/workload/population": 16}, "db.workload"),
    "kind of load": ({"loads/db/command": ["httperf", "--rate", "9", "--num-conns", "90"]}, "db.workload"),
    "rate": ({"loads/db/command": ["httperf", "--rate", "9"],
              "virtual_servers/db/workload": {"kind": "open", "rate_per_s": 5}}, "db.workload"),
    "time limit": ({"loads/db/timeout_s": 30}, "load.db"),
    "collectors that end too early": ({"at_most_s": 50, "loads/db/timeout_s": 99}, "at_most_s"),
    "space": ({"at_most_s": 999999, "before_s": 999000, "interval_s": 1e-6, "roles/db/only": None},
              "db.space client.space"),
    "no load": ({"loads": {}}, "loads"),
    "accepted check that does not exist": ({"accept": ["db.nothing"]}, "accept"),
    "accepted disk": ({"accept": ["db.virtual_disk"], "virtual_servers/db/virtual_disk": "vdz99"},
                      "db.virtual_disk accept"),
    "machine": ({"roles/db/destination": "root@127.0.0.1", "roles/db/via": "ssh",
                 "roles/db/ssh_options": ["-p", "1"]}, "db"),
}  # fmt: skip


@needs_top
@pytest.mark.parametrize("mistake", MISTAKES)
def test_single_mistake(folder, tools, sleeper, capsys, mistake):
    changes, name = MISTAKES[mistake]
    if "disk" in mistake and not HAS_BLOCK:
        pytest.skip("/sys/block is empty here")
    if mistake == "machine" and not shutil.which("ssh"):
        pytest.skip("ssh is not there (apt install openssh-client)")
    plan = valid_plan(folder)
    for path, value in changes.items():
        set_value(plan, path, value)
    assert run_main(folder, plan) == 2
    err = capsys.readouterr().err
    problems = {line.split()[1] for line in err.splitlines() if line.startswith("problem ")}
    assert problems == set(name.split()), err
    assert not (folder / "raw").exists(), "no folder was made"
    assert not list(folder.glob("qv-*")), "no temporary folder remains"
    assert not list_collector_pids(folder, "db"), "no collector was started"


def test_lines_break_between_words_only():
    path = "/srv/" + "a-long-folder/" * 8 + "general.log"
    checks = check_table.Checks()
    checks.add("db.general.log", check_table.PROBLEM, f"{path}: no such file; record --out {path}")
    lines = checks.lines()
    assert [word for line in lines for word in line.split() if "/" in word] == [f"{path}:", path]
    assert all(len(line) <= check_table.WIDTH for line in lines if path not in line)


def test_a_log_that_does_not_exist_names_the_key_of_the_plan(tmp_path):
    answer = {"logs": {"/nowhere/a.log": machine_check.log_problem("/nowhere/a.log"),
                       str(tmp_path): machine_check.log_problem(str(tmp_path))}}  # fmt: skip
    for path, is_named in (("/nowhere/a.log", True), (str(tmp_path), False)):
        checks = check_table.Checks()
        preflight_machines.check_log("db", "access.log", path, answer, checks)
        ((name, state, text),) = checks.rows
        assert (name, state) == ("db.access.log", check_table.PROBLEM)
        assert ("roles.db.logs" in text) == is_named


WORKLOAD = "virtual_servers/db/workload/"


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (WORKLOAD + "kind", "opn", "opn"), (WORKLOAD + "threads", 4, "threads"),
        (WORKLOAD + "population", 0, "population"), (WORKLOAD + "rate_per_s", 5, "rate_per_s"),
        (WORKLOAD + "population", 4.5, "population"),
        (WORKLOAD + "population", None, "population"), (WORKLOAD + "think_time_s", -1, "think_time_s"),
        ("virtual_servers/db/disk", "vda", "disk"), ("virtual_servers/db/server_processes", "(?=x)", "look-around"),
        ("virtual_servers/db/server_processes", "(", "regular expression"), ("roles/db/iotop", "fast", "iotop"),
        ("virtual_servers/db/virtual_disk", "../sda", "virtual_disk"), ("loads/db/timeout_s", "60", "timeout_s"),
        ("loads/db/user", "x", "user"), ("server", "second", "leave server out"), ("study", "t", "leave study out"),
        ("client", {"name": "x"}, "name"), ("roles/db/logs/access.log", "access.log", "absolute"),
    ],
)  # fmt: skip
def test_plan_that_cannot_be_meant(folder, capsys, path, value, word):
    plan = valid_plan(folder)
    set_value(plan, path, value)
    assert run_main(folder, plan) == 2
    err = capsys.readouterr().err
    assert word in err and "plan: " in err
    assert not (folder / "raw").exists()


@needs_top
def test_pattern_that_matches_two_virtual_machines(folder, tools, sleeper, capsys):
    second = start_sleep()
    try:
        plan = valid_plan(folder)
        plan["roles"]["host"] = {"via": "local"}
        set_value(plan, "virtual_servers/db/qemu_process", "^sleep 30$")
        plan["accelerator"] = "tcg"
        assert run_main(folder, plan, "--check") == 2
    finally:
        second.kill()
        second.wait()
    text = " ".join(capsys.readouterr().out.split())
    assert "2 virtual machines or other processes match '^sleep 30$'" in text


@needs_top
def test_accepted_problem_is_a_note(folder, tools, capsys):
    """Where the server's first process starts with the load."""
    plan = valid_plan(folder)
    names = ["db.only", "db.tasks", "db.server_processes"]
    for name, path in zip(
        names,
        ["roles/db/only", "roles/db/tasks", "virtual_servers/db/server_processes"],
        strict=True,
    ):
        set_value(plan, path, "^qv-nobody$")
        assert name in names
    plan["accept"] = names
    assert run_main(folder, plan, "--check") == 0
    assert capsys.readouterr().out.count("accepted by the plan") == 3


def test_output_that_exists(folder, tools, capsys):
    (folder / "raw/s/first/r1").mkdir(parents=True)
    assert run_main(folder, valid_plan(folder), "--dry-run") == 2
    assert "exists already" in " ".join(capsys.readouterr().out.split())


@needs_root
@needs_top
def test_rights(folder, tools, sleeper):
    """As a user who may not read the I/O counters of the server, and may not write the folder."""
    plan = valid_plan(folder)
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "open").mkdir(mode=0o777)
    (folder / "open").chmod(0o777)
    (folder / "access.log").chmod(0o600)
    python = shutil.which("python3", path="/usr/bin:/bin")
    if python is None:
        pytest.skip("another user cannot run this Python")
    rows = {}
    for place in ("open", "closed"):
        argv = [
            python, "-B", PROGRAM, str(folder / "plan.json"), "--check",
            "--out", str(folder / place / "s/first/r1"),
        ]  # fmt: skip
        env = dict(os.environ, TMPDIR=str(folder / "open"))
        p = subprocess.run(
            argv, user=65534, group=65534, extra_groups=[], env=env, cwd="/", text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if "can't open file" in p.stderr:
            pytest.skip("another user cannot read the project here")
        assert p.returncode == 2, p.stderr
        rows[place] = {
            line.split()[1] for line in p.stdout.splitlines() if line.startswith("problem")
        }
    assert rows["open"] == {"db.rights", "db.access.log"}
    assert rows["closed"] == {"db.rights", "db.access.log", "output"}


@needs_top
def test_clock_that_is_far_off(fake_machine, folder):
    """5 % of the load is the limit; a smaller offset is a note."""
    fake_machine.plan["loads"]["web"]["command"] = ["sysbench", "cpu", "--time=40", "run"]
    (folder / "bin" / "sysbench").write_text("#!/bin/sh\necho 'sysbench 1.2.3'\n")
    (folder / "bin" / "sysbench").chmod(0o755)
    for offset_s, state in ((3.0, "problem"), (1.0, "note")):
        (folder / "hostile.tar.py").write_text(
            "if 'time.time_ns' in command:\n"
            f"    command = command.replace('time.time_ns()', '(time.time_ns() + {int(offset_s * 1e9)})')\n"
        )
        p = fake_machine(options=["--check"])
        assert p.returncode == (2 if state == "problem" else 0), p.stderr
        (line,) = [x for x in p.stdout.splitlines() if " web.clock " in x]
        assert line.startswith(state)
        assert float(line.split("offset ")[1].split()[0]) == pytest.approx(offset_s * 1e3, abs=50)
        assert not list(folder.glob("remote/*")), "what was copied is removed"


def test_answer_of_a_hostile_machine():
    """Whatever it is, it is no valid answer, or none of its values has another type."""
    valid = {
        "boot_id": "b", "python": "3", "disks": [], "processes": 1, "free_bytes": 2, "logs": {}, "disk_of": {},
        "matches": {"only": {"pids": [1], "separate": 1, "shown": [{"pid": 1, "name": "a", "command": "b"}]}},
    }  # fmt: skip
    assert preflight_machines.is_answer(valid)
    for key in valid:
        other = 3 if key in ("boot_id", "python") else "x"
        for value in (None, [None], other):
            assert not preflight_machines.is_answer({**valid, key: value}), (key, value)
    assert not preflight_machines.is_answer([]) and not preflight_machines.is_answer(None)
