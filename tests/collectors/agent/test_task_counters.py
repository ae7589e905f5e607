"""tasks.log's counters: processes that start and end, and reads that are left out."""

import os
import pathlib
import subprocess
import sys
import time

import procfs
import pytest
import task_counters

from ..helpers import start_sleep, wait_for


def test_reused_pid_is_another_process(monkeypatch):
    """The open file of an ended process returns ESRCH, also where its pid was used again."""
    p = start_sleep()
    counters = task_counters.TaskCounters(procfs.Matcher("^sleep$"))
    first = counters.sample([p.pid]).decode()
    p.kill()
    p.wait()
    then = counters.sample([p.pid]).decode()
    assert f"p {p.pid} " in first and f"t {p.pid} {p.pid} " in first
    assert f"x {p.pid} " in then and "gone" in then and f"p {p.pid}" not in then
    assert counters.open_files == 0


def test_limit_of_open_files():
    p = start_sleep()
    try:
        many, few = (
            task_counters.TaskCounters(procfs.Matcher("^sleep$")),
            task_counters.TaskCounters(procfs.Matcher("^sleep$"), max_open_files=0),
        )
        a, b = many.sample([p.pid]), few.sample([p.pid])
        assert [x.split()[0] for x in a.splitlines()] == [x.split()[0] for x in b.splitlines()]
        assert few.open_files == 0 and few.sample([p.pid]).count(b"\np ") == 1
    finally:
        p.kill()
        p.wait()


def test_delays_are_missing_without_accounting():
    p = start_sleep()
    try:
        off = (
            task_counters.TaskCounters(procfs.Matcher("^sleep$"), has_delays=False)
            .sample([p.pid])
            .decode()
        )
        late = (
            task_counters.TaskCounters(procfs.Matcher("^sleep$"), delays_since_ticks=1 << 60)
            .sample([p.pid])
            .decode()
        )
        on = task_counters.TaskCounters(procfs.Matcher("^sleep$")).sample([p.pid]).decode()
    finally:
        p.kill()
        p.wait()
    row = {name: next(x for x in text.splitlines() if x.startswith("p ")).split() for name, text in
           {"off": off, "late": late, "on": on}.items()}  # fmt: skip
    assert row["off"][11] == row["late"][11] == "-"
    assert row["on"][11].isdigit()


def test_pid_reused_within_a_tick(monkeypatch):
    """The open file returns ESRCH, and another process has the pid in the same tick."""
    p = start_sleep()
    try:
        counters = task_counters.TaskCounters(None)
        counters.sample([p.pid])
        process = counters.followed[p.pid]
        os.close(process.stat)
        gone = subprocess.Popen(["sleep", "0.1"])
        process.stat = os.open(f"/proc/{gone.pid}/stat", os.O_RDONLY)
        for thread in process.threads.values():
            thread.schedstat_text = b"another"
        process.schedstats = None
        gone.wait()
        text = counters.sample([p.pid]).decode()
        assert f"x {p.pid} " in text and f"\np {p.pid} " in text
        assert counters.ended_pids == [] and p.pid in counters.followed
    finally:
        p.kill()
        p.wait()


def wait_until_asleep(p):
    """Wait until the process has not run for 0.1 s: it has then loaded its libraries."""
    run = pathlib.Path(f"/proc/{p.pid}/schedstat")

    def is_asleep():
        before = run.read_text()
        time.sleep(0.1)
        return run.read_text() == before

    assert wait_for(is_asleep)


def test_sleeping_process_costs_one_read(monkeypatch):
    p = start_sleep()
    try:
        wait_until_asleep(p)
        monkeypatch.setattr(
            task_counters, "REFRESH_TICKS", 1 << 30
        )  # no process is read again in this test
        counters = task_counters.TaskCounters(procfs.Matcher("^sleep$"))
        counters.sample([p.pid])
        counters.sample([p.pid])
        if counters.followed[p.pid].schedstats is None:
            pytest.skip("this kernel does not count in schedstat")
        read = []
        real = os.pread
        monkeypatch.setattr(
            task_counters.os, "pread", lambda fd, *a: read.append(fd) or real(fd, *a)
        )
        first = counters.sample([p.pid]).decode().splitlines()
        assert len(read) == 2, "/proc/stat and schedstat"
        assert [x[0] for x in first if not x.startswith("cpu")] == ["p", "i", "t"]
        os.kill(p.pid, 19)
        os.kill(p.pid, 18)  # stopped and continued: it has run
        assert wait_for(lambda: len(read) > 4 or (counters.sample([p.pid]) and False), 5)
    finally:
        p.kill()
        p.wait()


def test_every_write_shows_in_the_next_sample():
    """23 writes of 4 KiB, a sample after each."""
    code = "import os,sys\nfor _ in range(23):\n sys.stdin.readline()\n os.write(1, b'x' * 4096)\n"
    p = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        counters = task_counters.TaskCounters(procfs.Matcher("."))
        counters.sample([p.pid])
        seen = []
        for _ in range(23):
            p.stdin.write(b"\n")
            p.stdin.flush()
            assert p.stdout.read(4096) == b"x" * 4096
            written = pathlib.Path(f"/proc/{p.pid}/io").read_text().split()
            line = [x for x in counters.sample([p.pid]).decode().splitlines() if x[0] == "i"][-1]
            seen.append(int(line.split()[4]))
            assert seen[-1] == int(written[3])
        assert len(set(seen)) == 23
    finally:
        p.kill()
        p.communicate()


def test_process_is_read_again_after_refresh_ticks():
    p = start_sleep()
    try:
        counters = task_counters.TaskCounters(procfs.Matcher("^sleep$"))
        counters.sample([p.pid])
        process = counters.followed[p.pid]
        process.stat_text, process.line = b"changed", b"p stale\n"
        process.lines = b"p stale\n"
        samples = 0
        while b"p stale" in counters.sample([p.pid]) and samples < 200:
            samples += 1
        assert samples <= task_counters.REFRESH_TICKS
    finally:
        p.kill()
        p.wait()


def test_ended_processes_leave_no_state():
    """Open files, texts and matches of ended processes are removed."""
    listing, counters = (
        procfs.ProcessList(),
        task_counters.TaskCounters(procfs.Matcher("^(sleep|true)$")),
    )
    open_before = len(os.listdir("/proc/self/fd"))
    sleep = start_sleep()
    try:
        for _ in range(30):
            for _ in range(4):
                subprocess.run(["true"], check=True)
            short_folder = start_sleep()
            for pid in sample_tick(listing, counters):
                listing.remove(pid)
            short_folder.kill()
            short_folder.wait()
        for _ in range(2 * procfs.ProcessList.LISTING_INTERVAL_TICKS):
            for pid in sample_tick(listing, counters):
                listing.remove(pid)
        pids = set(procfs.list_pids())
        assert sleep.pid in counters.followed and len(set(counters.followed) - pids) <= 1
        assert len(counters.matcher.unmatched) <= len(pids) + 8
        assert len(counters.matcher.matched - pids) <= 1
        assert len(listing.pids - pids) <= 8 and listing.is_loadavg_trusted
        assert counters.open_files == len(os.listdir("/proc/self/fd")) - open_before
        assert counters.open_files <= 4 * len(counters.followed) + 1
        assert len(counters.matcher.pid_of_tid) <= len(pids)
    finally:
        sleep.kill()
        sleep.wait()


def sample_tick(listing, counters):
    """One tick; the pids of processes that have ended."""
    counters.sample(*listing.update())
    return counters.ended_pids


def test_lines_are_repeated_in_a_new_segment(qemu, counters):
    q = qemu("-name", "guest=web")
    counters.sample([q.pid])
    counters.write_all_again()
    text = counters.sample([q.pid]).decode()
    assert f"\nc {q.pid} " in text and f"\nv {q.pid} {q.pid} " in text
    text = counters.sample([q.pid]).decode()
    assert "\nc " not in text and "\nv " not in text and f"\np {q.pid} " in text
