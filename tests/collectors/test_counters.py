# ruff: noqa: PTH208
"""tasks.log's counters: processes listed, looks that are left out, what is kept of whom."""

import os
import pathlib
import subprocess
import sys
import time

import procfs
import pytest
import task_counters
from conftest import sleeper, wait_for


def test_a_number_used_again_is_another_process(monkeypatch):
    """The kept file of an ended process answers ESRCH, whoever has the number now."""
    p = sleeper()
    counters = task_counters.TaskCounters(procfs.Matcher("^sleep$"))
    first = counters.sample([p.pid]).decode()
    p.kill()
    p.wait()
    then = counters.sample([p.pid]).decode()
    assert f"p {p.pid} " in first and f"t {p.pid} {p.pid} " in first
    assert f"x {p.pid} " in then and "gone" in then and f"p {p.pid}" not in then
    assert counters.open_files == 0


def test_few_files_are_enough():
    p = sleeper()
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


def test_delay_ticks_are_missing_not_zero_without_accounting():
    p = sleeper()
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


# -- listing processes -----------------------------------------------------------------------------


def agrees(listing):
    """Everything alive is listed, in order; the look itself may race with births and ends."""
    before = set(procfs.list_pids())
    pids, _ = listing.update()
    after = set(procfs.list_pids())
    assert pids == sorted(set(pids))
    return before & after <= set(pids)


def test_births_are_found_without_listing(monkeypatch):
    listing = procfs.ProcessList()
    listing.update()
    listed = []
    real = procfs.list_pids
    monkeypatch.setattr(listing, "MAX_NEW_PIDS", 1 << 22)
    monkeypatch.setattr(procfs, "list_pids", lambda: listed.append(1) or real())
    born = [sleeper() for _ in range(3)]
    try:
        pids, new = listing.update()
        assert {p.pid for p in born} <= set(pids) and {p.pid for p in born} <= set(new)
        assert listed == [], "found by their numbers"
        for _ in range(procfs.ProcessList.LISTING_INTERVAL_TICKS):
            listing.update()
        assert len(listed) == 1, "once in a while all the same"
    finally:
        for p in born:
            p.kill()
            p.wait()
    assert listing.is_loadavg_trusted
    listing.remove(born[0].pid)
    assert born[0].pid not in listing.update()[0]


def test_a_threads_number_is_no_process():
    import threading

    listing = procfs.ProcessList()
    listing.update()
    stop, said = threading.Event(), []
    t = threading.Thread(target=lambda: (said.append(threading.get_native_id()), stop.wait()))
    t.start()
    assert wait_for(lambda: said)
    pids, born = listing.update()
    assert said[0] not in pids and said[0] in born
    stop.set()
    t.join()


def test_many_births_or_numbers_that_begin_anew_are_listed(monkeypatch):
    listing = procfs.ProcessList()
    listing.update()
    for _ in range(40):
        p = subprocess.Popen(["true"])
        p.wait()
        p = subprocess.Popen(["true"])
        p.wait()
    assert agrees(listing) and listing.ticks_since_listing == 0
    listing.last_pid += 1 << 22
    assert agrees(listing) and listing.ticks_since_listing == 0, (
        "the last number is smaller than the one before"
    )
    assert listing.is_loadavg_trusted


def test_a_last_number_that_is_not_true_is_not_believed_again(monkeypatch):
    listing = procfs.ProcessList()
    listing.update()
    p = sleeper()
    try:
        listing.last_pid = p.pid + 10  # as if it had been there at the last look, and was not found
        monkeypatch.setattr(procfs.os, "pread", lambda fd, n, at: b"0 0 0 1/2 %d\n" % (p.pid + 10))
        for _ in range(procfs.ProcessList.LISTING_INTERVAL_TICKS):
            listing.update()
        assert not listing.is_loadavg_trusted
        assert p.pid in listing.update()[0]
    finally:
        p.kill()
        p.wait()


def test_a_number_used_again_at_once_is_not_gone(monkeypatch):
    """The old process answers ESRCH, and the number is another one's in the same tick."""
    p = sleeper()
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


# -- a task that has not run -----------------------------------------------------------------------


def asleep(p):
    """Wait until the process has not run for 0.1 s: it has loaded its libraries by then."""
    run = pathlib.Path(f"/proc/{p.pid}/schedstat")

    def rests():
        before = run.read_text()
        time.sleep(0.1)
        return run.read_text() == before

    assert wait_for(rests)


def test_a_process_that_sleeps_is_read_by_its_schedstat_alone(monkeypatch):
    p = sleeper()
    try:
        asleep(p)
        monkeypatch.setattr(
            task_counters, "REFRESH_TICKS", 1 << 30
        )  # one pid in sixty is read anew at the third
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
        os.kill(p.pid, 18)  # stopped and going on: it has run
        assert wait_for(lambda: len(read) > 4 or (counters.sample([p.pid]) and False), 5)
    finally:
        p.kill()
        p.wait()


def test_what_a_process_does_between_two_looks_is_never_missed():
    """23 writes of 4 KiB, a look after each: every one shows in the next look."""
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


def test_every_sixtieth_look_reads_everything_anew():
    p = sleeper()
    try:
        counters = task_counters.TaskCounters(procfs.Matcher("^sleep$"))
        counters.sample([p.pid])
        process = counters.followed[p.pid]
        process.stat_text, process.line = b"as if it had changed", b"p stale\n"
        process.lines = b"p stale\n"
        looks = 0
        while b"p stale" in counters.sample([p.pid]) and looks < 200:
            looks += 1
        assert looks <= task_counters.REFRESH_TICKS
    finally:
        p.kill()
        p.wait()


def test_a_week_of_births_and_ends_keeps_nothing():
    """What is kept of a process goes with it: files, texts, answers, threads."""
    listing, counters = (
        procfs.ProcessList(),
        task_counters.TaskCounters(procfs.Matcher("^(sleep|true)$")),
    )
    open_before = len(os.listdir("/proc/self/fd"))
    kept = sleeper()
    try:
        for _ in range(30):
            for _ in range(4):
                subprocess.run(["true"], check=True)
            short = sleeper()
            for pid in counters_look(listing, counters):
                listing.remove(pid)
            short.kill()
            short.wait()
        for _ in range(2 * procfs.ProcessList.LISTING_INTERVAL_TICKS):
            for pid in counters_look(listing, counters):
                listing.remove(pid)
        alive = set(procfs.list_pids())
        assert kept.pid in counters.followed and len(set(counters.followed) - alive) <= 1
        assert len(counters.matcher.unmatched) <= len(alive) + 8
        assert len(counters.matcher.matched - alive) <= 1
        assert len(listing.pids - alive) <= 8 and listing.is_loadavg_trusted
        assert counters.open_files == len(os.listdir("/proc/self/fd")) - open_before
        assert counters.open_files <= 4 * len(counters.followed) + 1
        assert len(counters.matcher.pid_of_tid) <= len(alive)
    finally:
        kept.kill()
        kept.wait()


def counters_look(listing, counters):
    """One tick; the processes that it found gone."""
    counters.sample(*listing.update())
    return counters.ended_pids
