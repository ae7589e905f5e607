"""A whole run, its interruption, and a collector that dies."""

import errno
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys

import pytest
import raw_run
import record_experiment

from ..helpers import is_alive, list_children, needs_top, read_command, wait_for
from .archives import LOG, member
from .recorder import (
    PROGRAM,
    assert_host_is_complete,
    list_collector_pids,
    plan_for,
    read_log,
    record,
    running_recorder,
    short_plan,
)


def test_the_next_command_is_the_installed_program_from_the_current_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(record_experiment, "ROOT", str(folder))
    arguments = ["report", "s/h/r"]
    assert record_experiment.next_command("data/raw/s/h/r").split() == ["queuevisor", *arguments]
    program = folder / ".venv/bin/queuevisor"
    program.parent.mkdir(parents=True)
    program.touch()
    typed = record_experiment.next_command("data/raw/s/h/r").split()
    assert typed == [".venv/bin/queuevisor", *arguments]


@needs_top
def test_a_whole_run(folder):
    server = f"printf 'GET / 1\\nGET / 2\\n' >>{folder}/access.log; exec sleep 1"
    load = ["sh", "-c", server]
    p = record(folder, plan_for(folder, load))
    assert p.returncode == 0, p.stderr
    out = folder / "first" / "r1"
    run = json.loads((out / "run.json").read_text())
    assert (run["format"], run["study"], run["server"], run["run"]) == (
        "queuevisor-run/1",
        folder.name,
        "first",
        "r1",
    )
    assert set(run["roles"]) == {"client", "host", "web"}
    assert (
        run["roles"]["host"]["hostname"] == "first"
        and run["roles"]["client"]["hostname"] == "client"
    )
    for role in run["roles"].values():
        assert role["boot_id"] and role["time_zone"] and role["clock_offset_ns"] == 0
    assert (
        run["before"]["start_ns"]
        < run["before"]["end_ns"]
        <= run["window"]["start_ns"]
        < run["window"]["end_ns"]
    )
    assert run["before"]["end_ns"] - run["before"]["start_ns"] > 0.99e9
    web = run["virtual_servers"]["web"]["workload"]
    assert run["window"]["start_ns"] <= web["start_ns"] < web["end_ns"] <= run["window"]["end_ns"]
    assert web["log"] == "client/sysbench.log" and (out / web["log"]).exists()
    assert "workload" not in run["virtual_servers"]["db"], "it had no load"
    assert run["commands"] == {"web": load} and run["notes"] == ["a test"]
    for role in ("host", "web"):
        for log in ("top.log", "iotop.log", "tasks.log"):
            text = read_log(out / role / log)
            assert text.endswith("#END SIGTERM\n")
            times = [int(x.split()[1]) for x in text.splitlines() if x.startswith("#T ")]
            assert times[0] < run["before"]["start_ns"] and times[-1] > run["window"]["end_ns"]
        assert json.loads((out / role / "facts.json").read_text())["collector_cost"]["cpu_s"] > 0
    assert read_log(out / "web" / "access.log") == "GET / 1\nGET / 2\n"
    assert json.loads((out / "client" / "facts.json").read_text())["role"] == "client"
    assert os.listdir(folder / "first") == ["r1"], "no temporary files"
    again = record(folder, plan_for(folder))
    assert again.returncode == 2 and "exists already" in " ".join(again.stderr.split())


@needs_top
@pytest.mark.parametrize(
    ("name", "options"), [("SIGINT", []), ("SIGHUP", []), ("SIGTERM", ["--discard"])]
)
def test_interruption_stops_everything(folder, name, options):
    """What there is of the load is kept, unless it is to be discarded."""
    plan = plan_for(folder, ["sleep", "77.7"])
    plan["before_s"] = 0
    (folder / "plan.json").write_text(json.dumps(plan))
    argv = [sys.executable, "-B", PROGRAM, str(folder / "plan.json"), *options]
    argv += ["--out", str(folder / "first" / "r1")]
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    load = wait_for(
        lambda: [c for c in list_children(p.pid) if b"77.7" in read_command(c)],
        60,
    )
    assert load
    p.send_signal(getattr(signal, name))
    _, stderr = p.communicate(timeout=60)
    assert p.returncode == 130, stderr
    assert os.listdir(folder / "first") == ([] if options else ["r1"])
    assert not os.path.exists(f"/proc/{load[0]}")
    assert not list_collector_pids(folder, "web")
    assert not list_collectors(str(p.pid))
    if options:
        assert "nothing recorded" in stderr
        return
    run = json.loads((folder / "first" / "r1" / "run.json").read_text())
    assert any(note.startswith("interrupted after") for note in run["notes"])
    assert any("ended by the interruption" in note for note in run["notes"])
    assert run["window"]["start_ns"] < run["window"]["end_ns"]
    assert_host_is_complete(folder / "first" / "r1")


@needs_top
def test_interruption_before_the_load_keeps_nothing(folder):
    plan = plan_for(folder)
    plan["before_s"] = 60
    (folder / "plan.json").write_text(json.dumps(plan))
    argv = [sys.executable, "-B", PROGRAM, str(folder / "plan.json")]
    argv += ["--out", str(folder / "first" / "r1")]
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    for line in p.stderr:
        if line.startswith("idle baseline"):
            break
    p.terminate()
    p.communicate(timeout=60)
    assert p.returncode == 130 and os.listdir(folder / "first") == []


@needs_top
def test_recording_of_a_killed_recorder_is_recovered(folder):
    """Collectors and load go on without it: they are stopped, the run is kept, the sysctl is restored."""
    sysctl = pathlib.Path("/proc/sys/kernel/task_delayacct")
    before = sysctl.read_text() if sysctl.exists() else None
    plan = plan_for(folder, ["sleep", "66.6"])
    plan["before_s"] = 1
    out = folder / "first" / "r1"
    with running_recorder(folder, plan) as p:
        busy = recover(folder)
        assert busy.returncode == 2 and "is alive" in busy.stderr
        load = [c for c in list_children(p.pid) if b"66.6" in read_command(c)]
        p.kill()
    assert list_collector_pids(folder, "web") and is_alive(load[0])
    again = record(folder, plan)
    assert again.returncode == 2 and "--recover" in again.stderr, (
        "the dead one must be collected first"
    )
    p = recover(folder)
    assert p.returncode == 1, p.stderr
    assert not is_alive(load[0]) and not list_collector_pids(folder, "web")
    assert os.listdir(folder / "first") == ["r1"]
    assert_host_is_complete(out)
    run = json.loads((out / "run.json").read_text())
    assert "the recorder died" in run["notes"][1]
    assert run["before"]["end_ns"] <= run["window"]["start_ns"] < run["window"]["end_ns"]
    assert not list(folder.glob("qv-*")), "no temporary folders"
    if before is not None and not other_collectors():
        assert sysctl.read_text() == before
    assert recover(folder).returncode == 2, "nothing is left"


FULL_DISK = """
import errno, sys
sys.path.insert(0, sys.argv.pop(1))
import record_experiment, files
write_json = files.write_json
def write(path, value):
    if path.endswith("run.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    write_json(path, value)
files.write_json = write
sys.exit(record_experiment.main())
"""


@needs_top
def test_recording_onto_a_disk_that_is_full_at_the_end_is_recovered(folder):
    plan = plan_for(folder, ["sleep", "1"])
    plan["before_s"] = plan["after_s"] = 0
    (folder / "plan.json").write_text(json.dumps(plan))
    out = folder / "first" / "r1"
    argv = [sys.executable, "-B", "-c", FULL_DISK, os.path.dirname(PROGRAM)]
    argv += [str(folder / "plan.json"), "--out", str(out)]
    env = dict(os.environ, TMPDIR=str(folder))
    p = subprocess.run(argv, stderr=subprocess.PIPE, text=True, timeout=60, env=env)
    assert (
        p.returncode == 2 and "No space left" in p.stderr and f"--recover --out {out}" in p.stderr
    )
    assert not list_collector_pids(folder, "web") and not out.exists()
    p = recover(folder)
    assert p.returncode == 1, p.stderr
    assert os.listdir(folder / "first") == ["r1"] and not list(folder.glob("qv-*"))
    assert_host_is_complete(out)
    run = json.loads((out / "run.json").read_text())
    window, load = run["window"], run["virtual_servers"]["web"]["workload"]
    assert 0.9e9 < load["end_ns"] - load["start_ns"] <= window["end_ns"] - window["start_ns"] < 10e9
    assert load["exit_code"] == 0


def test_a_log_that_cannot_be_compressed_is_kept(folder, monkeypatch):
    def fail(path):
        pathlib.Path(path + ".gz").write_bytes(b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    (folder / "top.log").write_text("#END SIGTERM\n")
    monkeypatch.setattr(raw_run, "compress_log", fail)
    (problem,) = raw_run.compress_logs(str(folder))
    assert "top.log" in problem and "No space left" in problem
    assert os.listdir(folder) == ["top.log"]


def recover(folder):
    argv = [sys.executable, "-B", PROGRAM, "--recover", "--out", str(folder / "first" / "r1")]
    env = dict(os.environ, TMPDIR=str(folder))
    return subprocess.run(argv, stderr=subprocess.PIPE, text=True, timeout=60, env=env)


def other_collectors():
    """Collectors of other tests: they need the sysctl."""
    return [n for n in os.listdir("/proc") if n.isdigit() and b"daemon.py" in read_command(n)]


@needs_top
def test_study_is_written_once(folder):
    """It has no problem for the pipeline; an existing one stays as it is, and what it lacks is named."""
    from pipeline.raw import read_study

    plan = plan_for(folder, ["true"])
    plan["before_s"] = plan["after_s"] = 0
    for role in plan["roles"].values():
        role["iotop"] = "proc"
    p = record(folder, plan)
    assert p.returncode == 0, p.stderr
    last = p.stderr.splitlines()[-1]
    assert last.startswith("next: ")
    assert last.endswith(f"queuevisor --raw {folder.parent} report {folder.name}/first/r1")
    study = read_study(folder)
    assert study.problems() == [] and study.runs()[0].problems() == []
    text = json.dumps({**study.manifest, "servers": {}})
    (folder / "study.json").write_text(text)
    del plan["run"]
    p = record(folder, plan, out="r2")
    assert p.returncode == 0 and 'servers does not list "first"' in p.stderr
    assert (folder / "study.json").read_text() == text


def list_collectors(mark):
    commands = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            line = read_command(name).decode("utf-8", "replace")
            if "daemon.py" in line and f"-{mark}-" in line:
                commands.append(line)
    return commands


@needs_top
def test_logs_of_a_killed_collector_are_kept(folder):
    with running_recorder(folder, short_plan(folder)) as p:
        (pid,) = list_collector_pids(folder, "web")
        os.kill(pid, signal.SIGKILL)
    assert p.returncode == 1 and "had died" in p.stderr_text
    out = folder / "first" / "r1"
    assert_host_is_complete(out)
    for log in ("top.log", "iotop.log", "tasks.log"):
        lines = read_log(out / "web" / log).splitlines()
        assert lines[-1] == "#GAP the collector died: nothing was recorded after this"
        assert sum(x.startswith("#T ") for x in lines) >= 2, "what was recorded is kept"
    notes = json.loads((out / "run.json").read_text())["notes"]
    assert "web/tasks.log: the collector died: nothing was recorded after this" in notes
    assert any("had died" in note for note in notes)


DIED = "the collector died: nothing was recorded after this"


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        (b"#T 1 1 0 b\na\n#END SIGTERM\n", None),
        (b"#T 1 1 0 b\na\n", DIED),
        (b"", DIED),
        (b"#T 1 1 0 b\na\n#END rotated\n", None),
    ],
)
def test_log_without_end_line_gets_a_gap_line(tmp_path, text, gap):
    path = tmp_path / "a.log"
    path.write_bytes(text)
    assert raw_run.mark_truncated_log(path) == gap
    assert path.read_bytes() == text + (f"#GAP {gap}\n".encode() if gap else b"")


def test_last_line_without_its_end_is_removed(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"#T 1 1 0 b\ncpu0 120 0 80 5000\ncpu1 120 0 80 50")
    gap = f"{DIED}, and 16 bytes of a line that had no end were left out"
    assert raw_run.mark_truncated_log(path) == gap
    assert path.read_bytes() == f"#T 1 1 0 b\ncpu0 120 0 80 5000\n#GAP {gap}\n".encode()


HOSTILE_FACTS = {
    "very deep": b"[" * 100_000,
    "no object": b"[1]",
    "wrong types": b'{"hostname": "\\u001b]0;x\\u0007", "tools": 3}',
    "not UTF-8": b"\xff\xfe",
    "half a character": b'{"hostname": "\\ud800", "boot_id": "b"}',
    "no numbers": b'{"hostname": NaN, "boot_id": "b", "tools": {"top": Infinity, "x": 1e999}}',
    "deep": b'{"boot_id": "b", "tools": {"a": {"a": {"a": {"a": '
    + b"[" * 900
    + b"]" * 900
    + b"}}}}}",
}


@pytest.mark.parametrize("text", HOSTILE_FACTS.values(), ids=HOSTILE_FACTS)
def test_facts_are_sanitized(tmp_path, text):
    """They must not make run.json invalid."""
    (tmp_path / "facts.json").write_bytes(text)
    entry = raw_run.role_entry(raw_run.read_facts(str(tmp_path)), {"before": (0, 1)})
    written = json.dumps(entry, allow_nan=False, ensure_ascii=False).encode("utf-8")
    assert len(written) < 1000
    assert json.loads(written)["boot_id"] == ("b" if b'"b"' in text else None)


@needs_top
@pytest.mark.parametrize("kind", ["wrong types", "deep"])
def test_invalid_facts(fake_machine, kind):
    """No traceback, nothing on the terminal, the rest is recorded."""
    p = fake_machine([member("facts.json", HOSTILE_FACTS[kind]), member("tasks.log", LOG)])
    assert p.returncode == 1 and "Traceback" not in p.stderr
    assert "\x1b" not in p.stderr and "\x07" not in p.stderr
    assert "nothing recorded" not in p.stderr
    run = json.loads((fake_machine.web.parent / "run.json").read_text(), parse_constant=pytest.fail)
    assert run["roles"]["web"]["boot_id"] == ("b" if kind == "deep" else None)


@needs_top
def test_recording_is_private(fake_machine):
    p = fake_machine()
    assert p.returncode == 0, p.stderr
    run = fake_machine.web.parent
    for path in [run, *run.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
