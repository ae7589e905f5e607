"""Start and end of a recording: one per folder, signals, kill -9, pipes, wrong options."""

import os
import pathlib
import signal
import subprocess

import pytest

from ..helpers import (
    COLLECT,
    collect,
    collector_pid,
    is_alive,
    list_children,
    needs_root,
    needs_top,
    snapshots,
    start_sleep,
    wait_for,
)
from .test_collect import LOGS


@needs_top
def test_second_start_is_refused_during_and_after_a_recording(recording):
    out = recording("--interval", "0.5")
    second = collect("start", "--out", out)
    assert second.returncode == 2 and "another collector" in second.stderr
    assert collect("status", "--out", out).returncode == 0
    assert collect("stop", "--out", out).returncode == 0
    third = collect("start", "--out", out)
    assert third.returncode == 2 and "contains a recording already" in third.stderr
    assert "ended" in collect("status", "--out", out).stdout
    assert collect("stop", "--out", out).returncode == 0
    assert not (out / "collector.pid").exists()


@needs_top
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signal_ends_recording_before_the_next_tick(recording, name):
    out = recording("--interval", "30", "--only", "^qv-nobody$")
    pid = collector_pid(out)
    children = list_children(pid)
    os.kill(pid, getattr(signal, name))
    assert wait_for(lambda: not is_alive(pid), 15)
    assert not any(is_alive(c) for c in children)
    for log in LOGS:
        assert snapshots(out / log)[1] == f"#END {name}"


@needs_top
def test_closed_pipe_ends_a_foreground_run(folder):
    out = folder / "out"
    p = subprocess.Popen([COLLECT, "run", "--out", str(out), "--seconds", "30", "--interval", "0.3"],
                         stdout=subprocess.PIPE)  # fmt: skip
    p.stdout.readline()
    children = list_children(p.pid)
    p.stdout.close()
    assert p.wait(20) == 1
    assert not any(is_alive(c) for c in children)
    assert snapshots(out / "tasks.log")[1] == "#END closed pipe"


@needs_top
def test_renamed_folder_does_not_end_recording(recording, folder):
    out = recording("--interval", "0.3", "--only", "^qv-nobody$")
    pid = collector_pid(out)
    out.rename(folder / "moved")
    log = folder / "moved" / "tasks.log"
    before = log.read_text().count("#T ")
    assert wait_for(lambda: log.read_text().count("#T ") >= before + 2, 20)
    os.kill(pid, signal.SIGTERM)
    assert wait_for(lambda: not is_alive(pid), 20)
    assert snapshots(log)[1] == "#END SIGTERM"


@needs_top
def test_foreground_run_ends_after_its_seconds(folder):
    p = collect("run", "--out", folder / "out", "--seconds", "1.2", "--interval", "0.4")
    assert p.returncode == 0, p.stderr
    records, last = snapshots(folder / "out" / "tasks.log")
    assert last == "#END 1.2 seconds are over" and 2 <= len(records) <= 4


@needs_top
def test_kill_9_loses_at_most_one_tick(recording):
    out = recording("--only", "^qv-nobody$")
    pid = collector_pid(out)
    children = list_children(pid)

    def written():
        return {log: (out / log).read_bytes().count(b"#T ") for log in LOGS}

    assert wait_for(lambda: min(written().values()) >= 3, 10), (
        "each snapshot is written at its tick"
    )
    before = written()
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not any(is_alive(c) for c in children), 5), (
        "the tools end with the collector"
    )
    for log in LOGS:
        records, last = snapshots(out / log)
        assert len(records) >= before[log]
        assert not last.startswith("#END")
    p = collect("stop", "--out", out)
    assert p.returncode == 1 and "had died" in p.stderr
    assert not (out / "collector.pid").exists()


@pytest.mark.parametrize(
    "options",
    [
        "start", "start --out", "stop", "run --out x", "start --out x --interval 0",
        "start --out x --only (", "start --out x --role ../up", "start --out x --rotate 64", "stop --out /nowhere",
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options, folder):
    p = collect(*options.split(), cwd=folder)
    assert p.returncode == 2 and p.stderr
    assert list(folder.iterdir()) == []


@needs_top
@pytest.mark.parametrize("name", ["collector.pid", "facts.json.tmp", "top.log", "tasks.log"])
def test_links_in_the_folder_are_not_followed(folder, name):

    target = folder / "precious"
    target.write_text("precious\n")
    out = folder / "out"
    out.mkdir()
    (out / name).symlink_to(target)
    p = collect(
        "start",
        "--out",
        out,
        "--interval",
        "0.3",
        "--allow-none",
        "--only",
        "^qv-nobody$",
        "--seconds",
        "1",
    )
    if name == "facts.json.tmp":  # not the name of its temporary file
        assert p.returncode in (0, 1)
        collect("stop", "--out", out)
    else:
        assert p.returncode == 2
    assert target.read_text() == "precious\n"


@needs_root
def test_stop_ignores_pid_file_of_another_user(folder):
    """`stop` by root on a folder whose pid file was written by another user."""

    process = start_sleep()
    start = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    pid = folder / "collector.pid"
    pid.write_text(f"{process.pid} {start}\n")
    os.chown(pid, 65534, 65534)
    p = collect("stop", "--out", folder)
    assert p.returncode == 2 and "belongs to another user" in p.stderr
    assert process.poll() is None
    process.kill()
    process.wait()


@needs_root
@pytest.mark.parametrize("word", ["status", "stop"])
def test_folder_of_another_user_is_not_read(folder, word):
    """It may contain a pipe that blocks, a name with control characters, a pid file that changes."""

    out = folder / "out"
    out.mkdir()
    os.mkfifo(out / "collector.pid")
    (out / "\x1b]0;x\x07.log").write_text("")
    os.chown(out, 65534, 65534)
    p = collect(word, "--out", out, timeout=20)
    assert p.returncode == 2 and "belongs to user 65534" in p.stderr
    assert "\x1b" not in p.stdout + p.stderr
