"""Reading /proc: escapes, the list of processes, selection by name and command line."""

import subprocess
import threading

import procfs

from ..helpers import start_sleep, wait_for


def test_escape():
    assert procfs.escape(b"a\\b\nc\td\re") == b"a\\\\b\\nc\\td\\re"
    assert procfs.escape(b"plain (x) <y>") == b"plain (x) <y>"


def test_operators_command_does_not_match():
    m = procfs.Matcher("guest=web")
    assert m.matches_text(b"qemu-system-x86", b"qemu -name guest=web,debug-threads=on")
    assert not m.matches_text(b"sh", b"sh collect start --only guest=web --out x")
    assert not m.matches_text(b"ssh", b"ssh host sh collect start --tasks=guest=web")


def test_tid_matches_by_its_process():
    m = procfs.Matcher("^" + open("/proc/self/comm").read().strip() + "$")
    m.excluded_pids = set()

    seen = []
    t = threading.Thread(target=lambda: seen.append(m.matches_tid(threading.get_native_id())))
    t.start()
    t.join()
    assert seen == [True]
    assert m.matches_pid(0) is None


def test_pattern_of_a_guest_matches_its_vhost_threads(monkeypatch):
    names = {812: b"qemu-kvm\n", 705: b"vhost-812\n", 9: b"vhost-9\n"}
    monkeypatch.setattr(
        procfs, "read_start", lambda path, size=0: names.get(int(path.split("/")[2]))
    )
    monkeypatch.setattr(procfs, "command_line", lambda pid: b"x guest=web," if pid == 812 else b"")
    m = procfs.Matcher("guest=web[, ]")
    assert m.matches_pid(705) is True and m.matches_pid(812) is True and m.matches_pid(9) is False


def is_complete(listing):
    """All processes are listed, sorted; some may start or end during the update."""
    before = set(procfs.list_pids())
    pids, _ = listing.update()
    after = set(procfs.list_pids())
    assert pids == sorted(set(pids))
    return before & after <= set(pids)


def test_new_processes_are_found_without_listing(monkeypatch):
    listing = procfs.ProcessList()
    listing.update()
    listed = []
    real = procfs.list_pids
    monkeypatch.setattr(listing, "MAX_NEW_PIDS", 1 << 22)
    monkeypatch.setattr(procfs, "list_pids", lambda: listed.append(1) or real())
    sleeps = [start_sleep() for _ in range(3)]
    try:
        pids, new_pids = listing.update()
        assert {p.pid for p in sleeps} <= set(pids) & set(new_pids)
        assert listed == [], "found by their pids"
        for _ in range(procfs.ProcessList.LISTING_INTERVAL_TICKS):
            listing.update()
        assert len(listed) == 1, "listed at intervals"
    finally:
        for p in sleeps:
            p.kill()
            p.wait()
    assert listing.is_loadavg_trusted
    listing.remove(sleeps[0].pid)
    assert sleeps[0].pid not in listing.update()[0]


def test_tid_is_not_a_process():

    listing = procfs.ProcessList()
    listing.update()
    stop, tids = threading.Event(), []
    t = threading.Thread(target=lambda: (tids.append(threading.get_native_id()), stop.wait()))
    t.start()
    assert wait_for(lambda: tids)
    pids, new_pids = listing.update()
    assert tids[0] not in pids and tids[0] in new_pids
    stop.set()
    t.join()


def test_many_new_pids_or_wrap_around_are_listed(monkeypatch):
    listing = procfs.ProcessList()
    listing.update()
    for _ in range(40):
        p = subprocess.Popen(["true"])
        p.wait()
        p = subprocess.Popen(["true"])
        p.wait()
    assert is_complete(listing) and listing.ticks_since_listing == 0
    listing.last_pid += 1 << 22
    assert is_complete(listing) and listing.ticks_since_listing == 0, (
        "the last pid is smaller than before"
    )
    assert listing.is_loadavg_trusted


def test_wrong_loadavg_is_not_trusted_again(monkeypatch):
    listing = procfs.ProcessList()
    listing.update()
    p = start_sleep()
    try:
        listing.last_pid = p.pid + 10  # as if the process had existed at the last update
        monkeypatch.setattr(procfs.os, "pread", lambda fd, n, at: b"0 0 0 1/2 %d\n" % (p.pid + 10))
        for _ in range(procfs.ProcessList.LISTING_INTERVAL_TICKS):
            listing.update()
        assert not listing.is_loadavg_trusted
        assert p.pid in listing.update()[0]
    finally:
        p.kill()
        p.wait()
