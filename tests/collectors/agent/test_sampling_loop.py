"""The loop: deadlines, tools that end, a full disk, missing rights and programs."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest

from ..helpers import (
    AGENT,
    COLLECT,
    collect,
    collector_pid,
    has_program,
    list_children,
    needs_root,
    needs_top,
    read_command,
    snapshots,
    wait_for,
)
from .test_collect import LOGS


@needs_top
def test_missed_ticks_are_a_gap_and_deadlines_are_absolute(recording):
    interval = 0.25
    out = recording("--interval", interval, "--iotop", "proc", "--only", "^qv-nobody$")
    pid = collector_pid(out)
    time.sleep(0.6)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.3)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.8)
    assert collect("stop", "--out", out).returncode == 0
    for log in sorted({"tasks.log", "iotop.log", *LOGS} - {"top.log"}):
        text = (out / log).read_text()
        lost = sum(int(n) for n in re.findall(r"^#GAP missed (\d+) ticks?$", text, re.M))
        records, _ = snapshots(out / log)
        numbers = [int(fields[2]) for fields, _ in records]
        assert lost >= 4 and lost == numbers[-1] + 1 - len(numbers), "a number a deadline"
        first = int(records[0][0][1])
        for fields, _ in records:
            due = int(fields[2]) * interval
            at = (int(fields[1]) - first) / 1e9
            assert due - interval < at, "never before its deadline, so they do not drift"


@needs_top
def test_a_recording_whose_folder_is_removed_ends(recording):
    out = recording("--interval", 0.2, "--iotop", "none", "--only", "^qv-nobody$")
    pid = collector_pid(out)
    shutil.rmtree(out)
    assert wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 8)


@needs_top
@pytest.mark.parametrize("tool", ["top", "iotop"])
def test_tool_that_ends_is_restarted_and_leaves_a_gap(recording, tool):
    out = recording("--interval", "0.3")
    pids = [c for c in list_children(collector_pid(out)) if tool.encode() in read_command(c)]
    pids = [c for c in pids if tool == "iotop" or b"iotop" not in read_command(c)]
    if not pids:
        pytest.skip(f"{tool} is not there (apt install {tool})")
    os.kill(pids[0], signal.SIGKILL)
    size = (out / f"{tool}.log").stat().st_size
    assert wait_for(lambda: b"#GAP" in (out / f"{tool}.log").read_bytes()[size:], 8)
    assert collect("stop", "--out", out).returncode == 0
    records, last = snapshots(out / f"{tool}.log")
    assert last == "#END SIGTERM"
    numbers = [int(f[2]) for f, _ in records]
    assert numbers == list(range(len(numbers)))


@needs_root
@needs_top
@pytest.mark.parametrize("reserve", ["0.2", "0.0001"])
def test_full_disk_leaves_complete_records_and_a_gap(folder, recording, reserve):
    place = folder / "small"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], stderr=subprocess.PIPE
    ).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        out = recording(
            "--interval", "0.2", "--reserve", reserve, "--only", "^qv-nobody$", out=place / "out"
        )
        with open(place / "ballast", "wb") as f:
            try:
                f.write(b"x" * (1 << 20))
            except OSError:
                pass
        time.sleep(2.0)
        full = {log: (out / log).read_bytes() for log in LOGS}
        assert all(text.endswith(b"\n") for text in full.values())
        os.unlink(place / "ballast")

        def goes_on(log):
            return (out / log).read_bytes().count(b"#T ") > full[log].count(b"#T ")

        assert wait_for(lambda: all(goes_on(log) for log in LOGS), 20)
        assert collect("stop", "--out", out).returncode == 0
        for log in LOGS:
            text = (out / log).read_text(errors="replace")
            assert "#GAP the disk was full" in text, log
            assert text.startswith(full[log].decode(errors="replace"))
            assert snapshots(out / log)[1] == "#END SIGTERM"
        assert json.loads((out / "facts.json").read_text())["collector_cost"]["lost_snapshots"] > 0
    finally:
        subprocess.run(["umount", "-l", place])


@needs_top
def test_too_little_free_space_is_refused(folder):
    p = collect("start", "--out", folder / "out", "--reserve", "900000000")
    assert p.returncode == 2 and "less than" in p.stderr


@needs_root
@needs_top
def test_fallback_without_root(folder):
    if not shutil.which("setpriv") or not os.path.exists("/usr/bin/python3"):
        pytest.skip("setpriv or /usr/bin/python3 is not there (apt install util-linux python3)")
    copy = folder / "agent"
    shutil.copytree(AGENT, copy)
    for path in [copy, *copy.rglob("*")]:
        path.chmod(
            path.stat().st_mode
            | stat.S_IROTH
            | (stat.S_IXOTH if path.is_dir() or os.access(path, os.X_OK) else 0)
        )
    work = folder / "work"
    work.mkdir()
    os.chown(work, 65534, 65534)
    env = dict(os.environ, QUEUEVISOR_PYTHON="/usr/bin/python3")
    p = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(copy / "collect"), "run", "--out",
         str(work / "out"), "--seconds", "1.2", "--interval", "0.5"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd="/", timeout=30,
    )  # fmt: skip
    assert p.returncode == 0, p.stderr
    assert (
        "iotop needs root"
        if has_program("iotop", "iotop-py", "iotop-c")
        else "iotop is not installed"
    ) in p.stdout
    records, last = snapshots(work / "out" / "tasks.log")
    assert len([x for x in records[0][1] if x.startswith("x ") and x.endswith(" denied")]) >= 1
    records, last = snapshots(work / "out" / "iotop.log")
    assert last.startswith("#END")
    first_fields = [line.split()[0] for line in records[1][1]]
    assert first_fields[:2] == ["Current", "TID"], "no total of a part of the tasks"


@needs_root
@needs_top
def test_fallback_without_iotop(folder):
    hide = " ".join(
        f"mount --bind /dev/null {path};"
        for path in {
            os.path.realpath(x) for x in map(shutil.which, ("iotop", "iotop-py", "iotop-c")) if x
        }
    )
    script = f"{hide} exec {COLLECT} run --out {folder}/out --seconds 0.6 --interval 0.3"
    p = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if "unshare" in p.stderr or "mount" in p.stderr:
        pytest.skip("no mount namespace here")
    assert p.returncode == 0, p.stderr
    assert "iotop is not installed: iotop.log is read from /proc" in p.stdout
    assert (folder / "out" / "iotop.log").exists()
