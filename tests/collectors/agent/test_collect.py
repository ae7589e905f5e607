"""`collect`: what it records, in every shell and under an old Python."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from ..helpers import (
    COLLECT,
    collect,
    collector_pid,
    has_program,
    is_alive,
    list_children,
    needs_top,
    snapshots,
    wait_for,
)
from .disk_writer import PATTERN, WRITE_BYTES, WRITES, DiskWriter

HAVE_BLOCK = os.path.isdir("/sys/block") and bool(os.listdir("/sys/block"))
LOGS = ["iotop.log", "tasks.log", "top.log"] + (["block.log"] if HAVE_BLOCK else [])
GRAMMAR = {
    "cpu": r"cpu\d*  ?\d+( \d+)+",
    "p": r"p \d+ \d+ \d+ \S \d+ \d+ \d+ \d+ \d+ (\d+|-) (\d+|-) \d+ .*",
    "i": r"i \d+ \d+( \d+){7}",
    "k": r"k (pressure (some|full)_us \d+ (cpu|io|memory)|cgroup [a-z_]+ \d+ /.*|kvm halt_[a-z_]+_ns \d+ \d+)",
    "t": r"t \d+ \d+ \d+ \S \d+ \d+ \d+ (\d+|-) (\d+|-) .*",
    "c": r"c \d+ \d+ .*",
    "x": r"x \d+ \d+ (gone|denied|renamed)",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """One recording of a DiskWriter, and of a process that starts and ends."""
    if not has_program("top"):
        pytest.skip("top is not there (apt install procps)")
    base = tmp_path_factory.mktemp("evidence")
    out = base / "host"
    writer = DiskWriter()
    grep = "grep -H '' /sys/block/*/stat"
    shutil.copy(shutil.which("sleep"), base / "qv-sleep")
    try:
        before = subprocess.run(grep, shell=True, stdout=subprocess.PIPE).stdout
        options = ("--only", PATTERN + "|qv-sleep", "--role", "web", "--hostname", "web")
        start = collect("start", "--out", out, *options)
        assert start.returncode in (0, 1), start.stderr
        time.sleep(0.8)
        not_selected = subprocess.Popen(["sleep", "1.5"])
        selected = subprocess.Popen([str(base / "qv-sleep"), "1.5"])
        writer.write()
        selected.wait()
        not_selected.wait()
        time.sleep(2.2)
        io = writer.read_io()
        pid = collector_pid(out)
        children = list_children(pid)
        stop = collect("stop", "--out", out)
        after = subprocess.run(grep, shell=True, stdout=subprocess.PIPE).stdout
    finally:
        writer.end()
    return {
        "out": out, "stop": stop, "pid": pid, "children": children, "io": io,
        "writer": writer.pid, "selected": selected.pid,
        "grep": (before.decode().splitlines(), after.decode().splitlines()),
    }  # fmt: skip


def read_tools(recorded):
    return json.loads((recorded["out"] / "facts.json").read_text())["tools"]


def test_stop_ends_all_processes(recorded):
    assert recorded["stop"].returncode == 0, recorded["stop"].stderr
    assert len(recorded["children"]) >= 1
    assert not any(is_alive(pid) for pid in [recorded["pid"], *recorded["children"]])
    assert sorted(os.listdir(recorded["out"])) == sorted([*LOGS, "facts.json"])


@pytest.mark.parametrize("log", LOGS)
def test_sentinels_increase_and_logs_have_an_end_line(recorded, log):
    records, last = snapshots(recorded["out"] / log)
    assert len(records) >= 3
    assert last == "#END SIGTERM"
    boot = open("/proc/sys/kernel/random/boot_id").read().strip()
    assert {fields[3] for fields, _ in records} == {boot}
    for at in (0, 1, 2):
        numbers = [int(fields[at]) for fields, _ in records]
        assert numbers == sorted(set(numbers))
    assert int(records[0][0][2]) == 0
    steps = [int(b[0][1]) - int(a[0][1]) for a, b in zip(records, records[1:], strict=False)]
    assert min(steps) > 0.5e9, steps


@pytest.mark.skipif(not HAVE_BLOCK, reason="/sys/block is empty here")
def test_block_log_equals_output_of_grep(recorded):
    records, _ = snapshots(recorded["out"] / "block.log")
    before, after = recorded["grep"]
    still = [line for line in before if line in after]
    for _, lines in records:
        assert [x.split(":")[0] for x in lines] == [x.split(":")[0] for x in before]
        assert all(line in lines for line in still)
        shape = [re.sub(r" *\d+", "#", x.split(":", 1)[1]) for x in before]
        assert [re.sub(r" *\d+", "#", x.split(":", 1)[1]) for x in lines] == shape


def test_lines_of_tasks_log_match_its_grammar(recorded):
    records, _ = snapshots(recorded["out"] / "tasks.log")
    for _, lines in records:
        assert lines[0].startswith("cpu  ")
        for line in lines:
            kind = "cpu" if line.startswith("cpu") else line.split(" ", 1)[0]
            assert kind in GRAMMAR, line
            assert re.fullmatch(GRAMMAR[kind], line), line


def test_name_with_special_characters_is_escaped(recorded):
    records, _ = snapshots(recorded["out"] / "tasks.log")
    name = r"qv) <b>\n(\\ x"
    for _, lines in records:
        lines_of_writer = [x for x in lines if x.split()[1:2] == [str(recorded["writer"])]]
        assert [x for x in lines_of_writer if x.startswith("p ") and x.endswith(" " + name)]
        assert len([x for x in lines_of_writer if x.startswith("t ")]) == 2
    first = [x for x in records[0][1] if x.startswith("c ")]
    assert len(first) == 1
    later = [
        x for _, lines in records[1:] for x in lines if x.startswith(f"c {recorded['writer']} ")
    ]
    assert later == []


def test_start_and_end_of_a_process_in_tasks_log(recorded):
    records, _ = snapshots(recorded["out"] / "tasks.log")
    pid = str(recorded["selected"])
    lines = [x for _, block in records for x in block if x.split()[1:2] == [pid]]
    assert lines[0].startswith("c ") and "qv-sleep 1.5" in lines[0]
    assert lines[-1].startswith(f"x {pid} ") and lines[-1].endswith(" gone")
    assert len({x.split()[2] for x in lines if x[0] in "pixc"}) == 1, "one start time"


def test_only_selects_processes_in_all_logs(recorded):
    selected = {str(recorded["writer"]), str(recorded["selected"])}
    records, _ = snapshots(recorded["out"] / "tasks.log")
    assert {
        x.split()[1] for _, lines in records for x in lines if not x.startswith(("cpu", "k "))
    } == selected
    records, _ = snapshots(recorded["out"] / "top.log")
    rows = set()
    for _, lines in records:
        assert any(x.startswith("%Cpu") or x.startswith("CPU:") for x in lines)
        at = next(k for k, x in enumerate(lines) if "PID" in x and "COMMAND" in x)
        rows |= {x.split()[0] for x in lines[at + 1 :] if x.strip()}
    assert str(recorded["writer"]) in rows and rows <= selected
    records, _ = snapshots(recorded["out"] / "iotop.log")
    own_reader = read_tools(recorded)["iotop"].startswith("queuevisor")
    heads = ("Current DISK READ", "TID") if own_reader else ("Total DISK READ",)
    for _, lines in records:
        assert lines[0].lstrip().startswith(heads), "no total of a part of the tasks"
    text = "".join((recorded["out"] / name).read_text(errors="replace") for name in LOGS)
    assert "daemon.py" not in text.replace("#", "")


def test_iotop_total_equals_proc_io(recorded):
    if recorded["io"]["write_bytes"] < WRITES * WRITE_BYTES:
        pytest.skip("writes under /var/tmp do not reach a block device here")
    records, _ = snapshots(recorded["out"] / "iotop.log")
    total = 0.0
    for (old, _), (new, lines) in zip(records, records[1:], strict=False):
        span = (int(new[1]) - int(old[1])) / 1e9
        for line in lines:
            m = re.match(r"\s*(\d+)\s+\S+\s+\S+\s+([\d.]+) K/s\s+([\d.]+) K/s", line)
            if m:
                total += float(m.group(3)) * 1024 * span
    assert total == pytest.approx(recorded["io"]["write_bytes"], rel=0.1)


def test_facts_of_a_recording(recorded):
    facts = json.loads((recorded["out"] / "facts.json").read_text())
    assert facts["format"] == "queuevisor-facts/1"
    assert (facts["role"], facts["hostname"], facts["interval_s"]) == ("web", "web", 1.0)
    assert facts["clock_ticks_per_s"] == os.sysconf("SC_CLK_TCK")
    assert "-b" in facts["commands"]["top"] and facts["tools"]["top"]
    assert facts["started_ns"] < facts["ended_ns"]
    records, _ = snapshots(recorded["out"] / "tasks.log")
    has_pressure = any(x.startswith("k pressure ") for _, lines in records for x in lines)
    assert has_pressure == (facts["kernel_counters"]["pressure"] is None), "lines, or why not"
    since = facts["delay_accounting_since_ticks"]
    assert since is None if not facts["delay_accounting"] else since >= 0
    cost = facts["collector_cost"]
    assert cost["cpu_s"] > 0 and cost["peak_rss_bytes"] > 1e6
    assert cost["sampler"].get("pss_bytes", 0) < 30e6
    assert {d["name"] for d in facts["block_devices"]} == set(os.listdir("/sys/block"))


@needs_top
@pytest.mark.parametrize("shell", ["dash", "busybox", "bash"])
def test_collect_runs_in_every_shell(recording, shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not there (apt install {shell})")
    command = ["busybox", "sh"] if shell == "busybox" else [shell]
    out = recording("--interval", "0.3", "--only", "^qv-nobody$", shell=command)
    status = collect("status", "--out", out, shell=command)
    assert status.returncode == 0 and "tasks.log" in status.stdout
    assert collect("stop", "--out", out, shell=command).returncode == 0
    assert "start --out DIR" in collect("--help", shell=command).stdout
    assert collect("nonsense", shell=command).returncode == 2
    assert collect("check", shell=command).returncode in (0, 1)


def old_python():
    """A Python 3.6 that runs, if there is one."""
    candidates = [shutil.which("python3.6"), "/usr/libexec/platform-python"]
    candidates += sorted(pathlib.Path.home().glob(".pyenv/versions/3.6.*/bin/python3.6"))
    for path in filter(None, candidates):
        try:
            version = subprocess.run(
                [path, "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ).stdout
        except OSError:
            continue
        if version.startswith(b"Python 3.6."):
            return os.fspath(path)
    return None


@needs_top
def test_collect_runs_under_python_3_6(recording):
    python = old_python()
    if python is None:
        pytest.skip("no Python 3.6 here; test_modules.py checks the syntax")
    env = dict(os.environ, QUEUEVISOR_PYTHON=python)
    out = recording("--interval", "0.3", "--rotate", "1s", "--only", "^qv-nobody$", env=env)
    assert wait_for(lambda: len(list(out.glob("tasks.*"))) >= 2, 30)
    with open(f"/proc/{collector_pid(out)}/cmdline", "rb") as f:
        assert f.read().split(b"\0")[0] == os.fsencode(python)
    p = collect("stop", "--out", out, env=env)
    assert p.returncode == 0 and "CPU seconds" in p.stdout, p.stderr
    segments = sorted(x for x in out.iterdir() if x.name.startswith("tasks."))
    assert len(segments) >= 2 and snapshots(segments[-1])[1] == "#END SIGTERM"


def test_collect_is_posix_sh():
    assert subprocess.run(["sh", "-n", COLLECT]).returncode == 0
    if shutil.which("dash"):
        assert subprocess.run(["dash", "-n", COLLECT]).returncode == 0
    if shutil.which("checkbashisms"):
        p = subprocess.run(
            ["checkbashisms", "-f", COLLECT],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert p.returncode == 0, p.stdout
