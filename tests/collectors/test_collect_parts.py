# ruff: noqa: PTH208, PTH120, PTH104, PTH118, PTH119, PTH123, PTH207, SIM115
"""Parts of the collectors that need no recording."""

import ast
import glob
import os
import sys

import delay_accounting
import log_slice
import procfs
import pytest
import snapshot_log
from conftest import COLLECTORS, sleeper

PROGRAMS = sorted(glob.glob(os.path.join(COLLECTORS, "*", "*.py")))
MODULES = {
    part: {os.path.basename(p)[:-3] for p in PROGRAMS if os.path.dirname(p).endswith(part)}
    for part in ("agent", "client")
}


@pytest.mark.parametrize("path", PROGRAMS, ids=os.path.basename)
def test_python_3_6_can_read_it_and_nothing_has_to_be_installed(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    tree = ast.parse(text, feature_version=(3, 6))
    assert "capture_output" not in text, "3.7"
    assert "text=True" not in text, "3.7"
    imported = {
        (n.module or "").split(".")[0] if isinstance(n, ast.ImportFrom) else a.name.split(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, (ast.Import, ast.ImportFrom))
        for a in n.names
    }
    ours = set(MODULES["agent"])
    if os.path.dirname(path).endswith("client"):
        ours |= MODULES["client"]
    assert imported <= set(sys.stdlib_module_names) | ours


def test_the_agent_is_copied_as_a_whole():
    import remote

    assert set(remote.list_agent_files()) == {
        "collect",
        *(f"{name}.py" for name in MODULES["agent"]),
    }


def test_no_module_is_in_both_parts():
    """Both are on the client's path."""
    assert not MODULES["agent"] & MODULES["client"]


def test_escape():
    assert procfs.escape(b"a\\b\nc\td\re") == b"a\\\\b\\nc\\td\\re"
    assert procfs.escape(b"plain (x) <y>") == b"plain (x) <y>"


def test_the_operators_own_command_is_never_matched():
    m = procfs.Matcher("guest=web")
    assert m.matches_text(b"qemu-system-x86", b"qemu -name guest=web,debug-threads=on")
    assert not m.matches_text(b"sh", b"sh collect start --only guest=web --out x")
    assert not m.matches_text(b"ssh", b"ssh host sh collect start --tasks=guest=web")


def test_a_threads_number_leads_to_its_process():
    m = procfs.Matcher("^" + open("/proc/self/comm").read().strip() + "$")
    m.excluded_pids = set()
    import threading

    seen = []
    t = threading.Thread(target=lambda: seen.append(m.matches_tid(threading.get_native_id())))
    t.start()
    t.join()
    assert seen == [True]
    assert m.matches_pid(0) is None


# -- logs ----------------------------------------------------------------------------------------


def test_a_number_is_never_used_twice(tmp_path):
    log = snapshot_log.Log("a.log", "boot", snapshot_log.DiskSpace(str(tmp_path), 0))
    assert log.sentinel(1, 2).split()[3] == b"0"
    assert log.sentinel(1, 2, seq=7).split()[3] == b"7"
    assert log.sentinel(1, 2, seq=3).split()[3] == b"8"
    with pytest.raises(FileExistsError):
        snapshot_log.Log("a.log", "boot", log.space)


# -- delay accounting ----------------------------------------------------------------------------


@pytest.fixture
def sysctl(tmp_path, monkeypatch):
    path = tmp_path / "task_delayacct"
    path.write_text("0\n")
    monkeypatch.setattr(delay_accounting, "SYSCTL", str(path))
    monkeypatch.setattr(delay_accounting, "REGISTRY", str(tmp_path / "registry"))
    return path


def test_the_sysctl_is_switched_on_and_put_back(sysctl):
    since, trouble = delay_accounting.switch_on()
    assert since > int(delay_accounting.start_time(os.getpid())) and trouble is None
    assert delay_accounting.switch_on() == (since, None), "it was on since the first"
    assert sysctl.read_text() == "1"
    delay_accounting.leave()
    assert sysctl.read_text() == "0"


def test_what_was_on_stays_on(sysctl):
    sysctl.write_text("1\n")
    assert delay_accounting.switch_on() == (0, None)
    delay_accounting.leave()
    assert sysctl.read_text() == "1\n"


def test_the_last_collector_puts_it_back(sysctl):
    other = sleeper()
    try:
        delay_accounting.switch_on(other.pid)
        delay_accounting.switch_on()
        delay_accounting.leave()
        assert sysctl.read_text() == "1", "another collector still needs it"
    finally:
        other.kill()
        other.wait()
    delay_accounting.leave(other.pid + 0)
    assert sysctl.read_text() == "0"


def test_a_killed_collector_is_mended(sysctl):
    delay_accounting.switch_on()
    os.rename(
        f"{delay_accounting.REGISTRY}/{os.getpid()}", f"{delay_accounting.REGISTRY}/999999999"
    )
    delay_accounting.leave()
    assert sysctl.read_text() == "0"


# -- slices of growing logs ----------------------------------------------------------------------


def cut(path, mark, capsys):
    import io

    out = io.BytesIO()
    return log_slice.cut(str(path), mark[0], mark[1], out), out.getvalue()


def mark(path):
    s = path.stat()
    return s.st_ino, s.st_size


def test_a_slice_begins_and_ends_at_a_line(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old\nhalf")
    at = mark(log)
    with open(log, "ab") as f:
        f.write(b" line\nnew 1\nnew 2\nunfinished")
    assert cut(log, at, capsys) == (0, b"new 1\nnew 2\n")


def test_a_slice_that_begins_at_a_line_loses_none(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old\n")
    at = mark(log)
    with open(log, "ab") as f:
        f.write(b"new 1\n")
    assert cut(log, at, capsys) == (0, b"new 1\n")


def test_a_slice_follows_a_rotation(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old\n")
    at = mark(log)
    with open(log, "ab") as f:
        f.write(b"new 1\n")
    log.rename(tmp_path / "a.log.1")
    log.write_bytes(b"new 2\n")
    assert cut(log, at, capsys) == (0, b"new 1\nnew 2\n")


def test_a_log_cut_short_is_said(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"old old old\n")
    at = mark(log)
    log.write_bytes(b"new\n")
    assert cut(log, at, capsys) == (3, b"new\n")


def test_a_log_that_was_not_there_yet(tmp_path, capsys):
    log = tmp_path / "a.log"
    log.write_bytes(b"first\n")
    assert cut(log, (0, 0), capsys) == (0, b"first\n")


class Page:
    """A log that keeps what it is given."""

    def __init__(self):
        self.text = b""

    def sentinel(self, *_):
        return b"#T\n"

    def write(self, data, snapshot):
        self.text += data

    def rotate_if_due(self):
        return False


class OnlyNumber:
    """A matcher that knows two tasks and wants one of them."""

    unmatched = ()

    def matches_tid(self, number):
        return {7: True, 8: False}.get(number)

    def matches_text(self, *_):
        return False


def test_the_rest_of_a_command_line_goes_with_its_row():
    """A command line may hold newlines: its later lines are no rows, and are not everybody's."""
    import top_iotop

    page = Page()
    found = {"argv": ["iotop"], "start": (b"Total",)}
    child = top_iotop.Tool("iotop", found, page, OnlyNumber(), lambda: (0, 0))
    child.feed(
        b"Total DISK READ: 0 | Total\n  TID  PRIO  USER COMMAND\n"
        b" 8 be/4 root 0 K/s 0 K/s python3 -c \nimport secret\n\n"
        b" 7 be/4 root 0 K/s 0 K/s mine -c \nsecond line of mine\n"
        b" 9 be/4 root 0 K/s 0 K/s gone -c \nsecret too\n"
    )
    child.flush()
    assert b"secret" not in page.text
    assert b"second line of mine" in page.text
    child.feed(b"Total DISK READ: 0 | Total\n  TID  PRIO  USER COMMAND\nsecret tail\n")
    child.flush()
    assert b"secret" not in page.text


# -- our own reader in place of iotop --------------------------------------------------------------


def test_our_own_reader_leaves_out_what_it_does_not_know(monkeypatch):
    import iotop_fallback

    reader = iotop_fallback.Reader(None)
    first = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in first] == ["TID"], "no interval, so no rate, not even 0"
    then = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in then[:3]] == ["Total", "Current", "TID"]
    monkeypatch.setattr(reader, "read_paged_bytes", lambda: (None, None))
    then = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in then[:2]] == ["Total", "TID"], "unknown is not 0.00 K/s"
    monkeypatch.undo()
    then = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in then[:2]] == ["Total", "TID"], "nothing to subtract from"


def test_the_total_stands_only_where_every_task_was_read(monkeypatch):
    import iotop_fallback

    some = iotop_fallback.Reader(procfs.Matcher("^nobody-is-called-this$"))
    some.sample([os.getpid()])
    assert "Total" not in some.sample([os.getpid()]).decode()

    def denied(fd):
        raise PermissionError

    reader = iotop_fallback.Reader(None)
    monkeypatch.setattr(reader, "read_counters", denied)
    before = len(os.listdir("/proc/self/fd"))
    reader.sample([os.getpid()])
    text = reader.sample([os.getpid()]).decode()
    assert "Total" not in text and "Current" in text
    assert len(os.listdir("/proc/self/fd")) == before, "a file that cannot be read is not kept open"


def test_what_our_own_reader_leaves_out_is_read_as_missing(monkeypatch):
    """The other side: the parser of iotop's logs."""
    import iotop_fallback

    from pipeline.parse import log_from_text, parse_log

    reader = iotop_fallback.Reader(None)
    monkeypatch.setattr(reader, "read_paged_bytes", lambda: (None, None))
    text = b"".join(
        b"#T %d %d %d b\n" % ((1795383360 + k) * 10**9, k * 10**9, k) + reader.sample([os.getpid()])
        for k in range(3)
    )
    got = parse_log("iotop", log_from_text(text + b"#END x\n", "iotop.log"))
    assert got.rejects.height == 0
    totals = got.tables["iotop_totals"]
    assert totals["snapshot"].to_list() == [1, 2], "the first one has none"
    assert totals["actual_read_bytes_per_s"].to_list() == [None, None]
    assert totals["read_bytes_per_s"].null_count() == 0


PRINTED = {
    "py": b"Total DISK READ :       0.00 K/s | Total\nActual DISK READ:       0.00 K/s | A\n"
    b"  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND\n"
    b"    7 be/4 a           1.00 K/s    0.00 K/s  0.00 %  0.00 % mine Total DISK READ\n"
    b"    8 be/4 b           1.00 K/s    0.00 K/s  0.00 %  0.00 % another's\n",
    "literals": b"b'Total DISK READ :       0.00 K/s | Total'\nb'Actual DISK READ:       0.00 K/s'\n"
    b"b'  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND'\n"
    b"b'    7 be/4 a           1.00 K/s    0.00 K/s  0.00 %  0.00 % mine Total DISK READ'\n"
    b"b'    8 be/4 b           1.00 K/s    0.00 K/s  0.00 %  0.00 % another's'\n",
    "c": b"  Total DISK READ:    0.00 K/s |   Total\nCurrent DISK READ:    0.00 K/s | C\n"
    b"   TID PRIO     USER   DISK READ  DISK WRITE SWAPIN     IO COMMAND\n"
    b"     7 be/4 a            1.00 K/s   0.00 K/s  0.00 % 0.00 % mine Total DISK READ\n"
    b"     8 be/4 b            1.00 K/s   0.00 K/s  0.00 % 0.00 % another's\n",
}


@pytest.mark.parametrize("form", PRINTED)
@pytest.mark.parametrize("step", [1, 7, 100000])
@pytest.mark.parametrize("only", [False, True])
def test_a_tools_output_is_cut_into_snapshots_however_it_comes(form, step, only):
    import top_iotop

    page = Page()
    found = {"argv": ["iotop"], "start": (b"Total DISK READ",)}
    child = top_iotop.Tool("iotop", found, page, OnlyNumber() if only else None, lambda: (0, 0))
    data = PRINTED[form] * 3
    for at in range(0, len(data), step):
        child.feed(data[at : at + step])
    child.flush()
    wanted = [x for x in PRINTED[form].splitlines() if not (only and b"another" in x)]
    assert page.text.splitlines() == [b"#T", *wanted] * 3


def test_a_line_without_end_does_not_fill_the_memory():
    import top_iotop

    child = top_iotop.Tool(
        "top", {"argv": ["top"], "start": (b"top - ",)}, Page(), None, lambda: (0, 0)
    )
    for _ in range(40):
        child.feed(b"x" * 100000)
    assert len(child.partial_line) <= top_iotop.MAX_PARTIAL_LINE_BYTES
