# ruff: noqa: PTH108, PTH110, PTH112, PTH123, PTH208, RUF007, SIM105, SIM115, UP022
"""`collect`: what it records, how it ends, and that nothing of it is left."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time

import pytest
from conftest import (
    AGENT,
    COLLECT,
    alive,
    collect,
    collector_pid,
    command_of,
    descendants,
    have,
    needs_root,
    needs_top,
    snapshots,
    wait_for,
)

HAVE_BLOCK = os.path.isdir("/sys/block") and bool(os.listdir("/sys/block"))
LOGS = ["iotop.log", "tasks.log", "top.log"] + (["block.log"] if HAVE_BLOCK else [])
GRAMMAR = {
    "cpu": r"cpu\d*  ?\d+( \d+)+",
    "p": r"p \d+ \d+ \d+ \S \d+ \d+ \d+ \d+ \d+ (\d+|-) (\d+|-) \d+ .*",
    "i": r"i \d+ \d+( \d+){7}",
    "t": r"t \d+ \d+ \d+ \S \d+ \d+ \d+ (\d+|-) (\d+|-) .*",
    "c": r"c \d+ \d+ .*",
    "x": r"x \d+ \d+ (gone|denied|renamed)",
}

WORKER = r"""
import os, sys, threading, time, mmap
open('/proc/self/comm', 'wb').write(b'qv) <b>\n(\\ x')
page = mmap.mmap(-1, 65536); page.write(b'x' * 65536)
def write():
    time.sleep(1.6)
    try:
        fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_DIRECT)
        for k in range(23):
            os.pwrite(fd, page, k * 65536)
            time.sleep(0.05)
    except OSError:
        pass
    time.sleep(30)
t = threading.Thread(target=write, daemon=True); t.start()
time.sleep(30)
"""


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """One recording of some seconds of a process with a hostile name and of one that is born and ends."""
    if not have("top"):
        pytest.skip("top is not there (apt install procps)")
    base = tmp_path_factory.mktemp("evidence")
    out = base / "host"
    data = f"/var/tmp/qv-test-data-{os.getpid()}"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, data])
    wait_for(lambda: b"qv)" in open(f"/proc/{worker.pid}/comm", "rb").read())
    grep = "grep -H '' /sys/block/*/stat"
    try:
        before = subprocess.run(grep, shell=True, stdout=subprocess.PIPE).stdout
        p = collect(
            "start",
            "--out",
            out,
            "--only",
            r"^qv\) <b>|qv-born",
            "--role",
            "web",
            "--hostname",
            "web",
        )
        assert p.returncode in (0, 1), p.stderr
        time.sleep(0.8)
        born = subprocess.Popen(["sleep", "1.5"], executable=shutil.which("sleep"))
        shutil.copy(shutil.which("sleep"), base / "qv-born")
        born2 = subprocess.Popen([str(base / "qv-born"), "1.5"])
        born2.wait()
        born.wait()
        time.sleep(2.2)
        with open(f"/proc/{worker.pid}/io") as f:
            io = dict(line.split(": ") for line in f.read().splitlines())
        pid = collector_pid(out)
        children = descendants(pid)
        stopped = collect("stop", "--out", out)
        after = subprocess.run(grep, shell=True, stdout=subprocess.PIPE).stdout
    finally:
        worker.kill()
        worker.wait()
        if os.path.exists(data):
            os.unlink(data)
    return {
        "out": out, "start": p, "stop": stopped, "pid": pid, "children": children, "worker": worker.pid,
        "born": born2.pid, "unasked": born.pid, "io": {k: int(v) for k, v in io.items()},
        "grep": (before.decode().splitlines(), after.decode().splitlines()),
    }  # fmt: skip


def tools_of(evidence):
    return json.loads((evidence["out"] / "facts.json").read_text())["tools"]


def test_start_returns_with_the_first_snapshots_and_stop_leaves_nothing(evidence):
    assert evidence["stop"].returncode == 0, evidence["stop"].stderr
    assert len(evidence["children"]) >= 1
    assert not any(alive(pid) for pid in [evidence["pid"], *evidence["children"]])
    assert sorted(os.listdir(evidence["out"])) == sorted([*LOGS, "facts.json"])


@pytest.mark.parametrize("log", LOGS)
def test_every_log_has_sentinels_that_grow_and_an_end(evidence, log):
    records, last = snapshots(evidence["out"] / log)
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
def test_block_log_is_what_grep_prints(evidence):
    records, _ = snapshots(evidence["out"] / "block.log")
    before, after = evidence["grep"]
    still = [line for line in before if line in after]
    for _, lines in records:
        assert [x.split(":")[0] for x in lines] == [x.split(":")[0] for x in before]
        assert all(line in lines for line in still)
        shape = [re.sub(r" *\d+", "#", x.split(":", 1)[1]) for x in before]
        assert [re.sub(r" *\d+", "#", x.split(":", 1)[1]) for x in lines] == shape


def test_tasks_log_keeps_its_grammar(evidence):
    records, _ = snapshots(evidence["out"] / "tasks.log")
    for _, lines in records:
        assert lines[0].startswith("cpu  ")
        for line in lines:
            kind = "cpu" if line.startswith("cpu") else line.split(" ", 1)[0]
            assert kind in GRAMMAR, line
            assert re.fullmatch(GRAMMAR[kind], line), line


def test_a_hostile_name_is_escaped_and_its_threads_are_there(evidence):
    records, _ = snapshots(evidence["out"] / "tasks.log")
    name = r"qv) <b>\n(\\ x"
    for _, lines in records:
        mine = [x for x in lines if x.split()[1:2] == [str(evidence["worker"])]]
        assert [x for x in mine if x.startswith("p ") and x.endswith(" " + name)]
        assert len([x for x in mine if x.startswith("t ")]) == 2
    first = [x for x in records[0][1] if x.startswith("c ")]
    assert len(first) == 1
    later = [
        x for _, lines in records[1:] for x in lines if x.startswith(f"c {evidence['worker']} ")
    ]
    assert later == []


def test_a_process_is_born_and_ends_in_tasks_log(evidence):
    records, _ = snapshots(evidence["out"] / "tasks.log")
    pid = str(evidence["born"])
    lines = [x for _, block in records for x in block if x.split()[1:2] == [pid]]
    assert lines[0].startswith("c ") and "qv-born 1.5" in lines[0]
    assert lines[-1].startswith(f"x {pid} ") and lines[-1].endswith(" gone")
    assert len({x.split()[2] for x in lines if x[0] in "pixc"}) == 1, "the start time is the key"


def test_only_keeps_only_what_was_asked_for(evidence):
    asked = {str(evidence["worker"]), str(evidence["born"])}
    records, _ = snapshots(evidence["out"] / "tasks.log")
    assert {x.split()[1] for _, lines in records for x in lines if not x.startswith("cpu")} == asked
    records, _ = snapshots(evidence["out"] / "top.log")
    rows = set()
    for _, lines in records:
        assert any(x.startswith("%Cpu") or x.startswith("CPU:") for x in lines)
        at = next(k for k, x in enumerate(lines) if "PID" in x and "COMMAND" in x)
        rows |= {x.split()[0] for x in lines[at + 1 :] if x.strip()}
    assert str(evidence["worker"]) in rows and rows <= asked
    records, _ = snapshots(evidence["out"] / "iotop.log")
    own_reader = tools_of(evidence)["iotop"].startswith("queuevisor")
    heads = ("Current DISK READ", "TID") if own_reader else ("Total DISK READ",)
    for _, lines in records:
        assert lines[0].lstrip().startswith(heads), "a Total of some tasks alone is none"
    text = "".join((evidence["out"] / name).read_text(errors="replace") for name in LOGS)
    assert "daemon.py" not in text.replace("#", "")


def test_iotop_agrees_with_the_kernels_own_count(evidence):
    if evidence["io"]["write_bytes"] < 23 * 65536:
        pytest.skip("writes under /var/tmp do not reach a block device here")
    records, _ = snapshots(evidence["out"] / "iotop.log")
    total = 0.0
    for (old, _), (new, lines) in zip(records, records[1:], strict=False):
        span = (int(new[1]) - int(old[1])) / 1e9
        for line in lines:
            m = re.match(r"\s*(\d+)\s+\S+\s+\S+\s+([\d.]+) K/s\s+([\d.]+) K/s", line)
            if m:
                total += float(m.group(3)) * 1024 * span
    assert total == pytest.approx(evidence["io"]["write_bytes"], rel=0.1)


def test_facts_say_what_and_how(evidence):
    facts = json.loads((evidence["out"] / "facts.json").read_text())
    assert facts["format"] == "queuevisor-facts/1"
    assert (facts["role"], facts["hostname"], facts["interval_s"]) == ("web", "web", 1.0)
    assert facts["clock_ticks_per_s"] == os.sysconf("SC_CLK_TCK")
    assert "-b" in facts["commands"]["top"] and facts["tools"]["top"]
    assert facts["started_ns"] < facts["ended_ns"]
    cost = facts["collector_cost"]
    assert cost["cpu_s"] > 0 and cost["peak_rss_bytes"] > 1e6
    assert cost["sampler"].get("pss_bytes", 0) < 30e6
    assert {d["name"] for d in facts["block_devices"]} == set(os.listdir("/sys/block"))


# -- starting and ending -------------------------------------------------------------------------


@needs_top
def test_a_second_start_is_refused_while_and_after(recording):
    out = recording("--interval", "0.5")
    second = collect("start", "--out", out)
    assert second.returncode == 2 and "another collector" in second.stderr
    assert collect("status", "--out", out).returncode == 0
    assert collect("stop", "--out", out).returncode == 0
    third = collect("start", "--out", out)
    assert third.returncode == 2 and "contains a recording already" in third.stderr
    assert collect("status", "--out", out).returncode == 1
    assert collect("stop", "--out", out).returncode == 0
    assert not (out / "collector.pid").exists()


@needs_top
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_signals_end_it_without_waiting_for_the_next_tick(recording, name):
    out = recording("--interval", "30", "--only", "^qv-nobody$")
    pid = collector_pid(out)
    children = descendants(pid)
    os.kill(pid, getattr(signal, name))
    assert wait_for(lambda: not alive(pid), 15)
    assert not any(alive(c) for c in children)
    for log in LOGS:
        assert snapshots(out / log)[1] == f"#END {name}"


@needs_top
def test_a_closed_pipe_ends_a_foreground_run(folder):
    out = folder / "out"
    p = subprocess.Popen([COLLECT, "run", "--out", str(out), "--seconds", "30", "--interval", "0.3"],
                         stdout=subprocess.PIPE)  # fmt: skip
    p.stdout.readline()
    children = descendants(p.pid)
    p.stdout.close()
    assert p.wait(20) == 1
    assert not any(alive(c) for c in children)
    assert snapshots(out / "tasks.log")[1] == "#END closed pipe"


@needs_top
def test_a_folder_that_goes_away_does_not_end_it(recording, folder):
    out = recording("--interval", "0.3", "--only", "^qv-nobody$")
    pid = collector_pid(out)
    out.rename(folder / "moved")
    time.sleep(1)
    os.kill(pid, signal.SIGTERM)
    assert wait_for(lambda: not alive(pid), 20)
    assert len(snapshots(folder / "moved" / "tasks.log")[0]) >= 3
    assert snapshots(folder / "moved" / "tasks.log")[1] == "#END SIGTERM"


@needs_top
def test_a_foreground_run_ends_by_itself(folder):
    p = collect("run", "--out", folder / "out", "--seconds", "1.2", "--interval", "0.4")
    assert p.returncode == 0, p.stderr
    records, last = snapshots(folder / "out" / "tasks.log")
    assert last == "#END 1.2 seconds are over" and 2 <= len(records) <= 4


@needs_top
def test_kill_9_loses_at_most_a_tick(recording):
    out = recording("--only", "^qv-nobody$")
    pid = collector_pid(out)
    children = descendants(pid)

    def written():
        return {log: (out / log).read_bytes().count(b"#T ") for log in LOGS}

    assert wait_for(lambda: min(written().values()) >= 3, 10), (
        "each snapshot is written at its tick"
    )
    before = written()
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not any(alive(c) for c in children), 5), "the tools outlive the sampler"
    for log in LOGS:
        records, last = snapshots(out / log)
        assert len(records) >= before[log]
        assert not last.startswith("#END")
    p = collect("stop", "--out", out)
    assert p.returncode == 1 and "had died" in p.stderr
    assert not (out / "collector.pid").exists()


@needs_top
def test_missed_ticks_stay_a_gap_and_deadlines_are_absolute(recording):
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
@pytest.mark.parametrize("tool", ["top", "iotop"])
def test_a_tool_that_dies_is_started_again_and_leaves_a_gap(recording, tool):
    out = recording("--interval", "0.3")
    pids = [c for c in descendants(collector_pid(out)) if tool.encode() in command_of(c)]
    pids = [c for c in pids if tool == "iotop" or b"iotop" not in command_of(c)]
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


# -- a full disk, no rights, no tools ------------------------------------------------------------


@needs_root
@needs_top
@pytest.mark.parametrize("reserve", ["0.2", "0.0001"])
def test_a_full_disk_leaves_whole_records_and_a_gap(folder, recording, reserve):
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
def test_too_little_room_is_refused(folder):
    p = collect("start", "--out", folder / "out", "--reserve", "900000000")
    assert p.returncode == 2 and "less than" in p.stderr


@needs_root
@needs_top
def test_without_rights_our_own_reader_takes_over(folder):
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
        "iotop needs root" if have("iotop", "iotop-py", "iotop-c") else "iotop is not installed"
    ) in p.stdout
    records, last = snapshots(work / "out" / "tasks.log")
    assert len([x for x in records[0][1] if x.startswith("x ") and x.endswith(" denied")]) >= 1
    records, last = snapshots(work / "out" / "iotop.log")
    assert last.startswith("#END")
    words = [line.split()[0] for line in records[1][1]]
    assert words[:2] == ["Current", "TID"], "a Total of what only some tasks tell is none"


@needs_root
@needs_top
def test_without_iotop_our_own_reader_counts_the_same(folder):
    data = f"/var/tmp/qv-test-own-{os.getpid()}"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, data])
    try:
        p = collect(
            "run",
            "--out",
            folder / "out",
            "--seconds",
            "4",
            "--interval",
            "0.5",
            "--iotop",
            "proc",
            "--only",
            r"^qv\) <b>",
        )
        assert p.returncode == 0, p.stderr
        with open(f"/proc/{worker.pid}/io") as f:
            io = dict(line.split(": ") for line in f.read().splitlines())
    finally:
        worker.kill()
        worker.wait()
        if os.path.exists(data):
            os.unlink(data)
    if int(io["write_bytes"]) < 23 * 65536:
        pytest.skip("writes under /var/tmp do not reach a block device here")
    records, _ = snapshots(folder / "out" / "iotop.log")
    total = 0.0
    for (old, _), (new, lines) in zip(records, records[1:], strict=False):
        span = (int(new[1]) - int(old[1])) / 1e9
        at = next(k for k, line in enumerate(lines) if "DISK READ  DISK WRITE" in line)
        for line in lines[at + 1 :]:
            fields = line.split()
            assert fields[7] == "?unavailable?", "what is unknown is not 0"
            total += float(fields[5]) * 1024 * span
    assert total == pytest.approx(int(io["write_bytes"]), rel=0.02)


@needs_root
@needs_top
def test_missing_tools_are_said(folder):
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
