"""iotop.log from /proc: the kernel's numbers; what is not available is left out."""

import os
import time

import iotop_fallback
import procfs
import pytest

from ..helpers import collect, needs_root, needs_top, snapshots
from .disk_writer import PATTERN, WRITE_BYTES, WRITES, DiskWriter


def test_unavailable_values_are_left_out(monkeypatch):

    reader = iotop_fallback.Reader(None)
    first = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in first] == ["TID"], "no interval, no rates"
    then = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in then[:3]] == ["Total", "Current", "TID"]
    monkeypatch.setattr(reader, "read_paged_bytes", lambda: (None, None))
    then = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in then[:2]] == ["Total", "TID"], "unavailable, not 0.00 K/s"
    monkeypatch.undo()
    then = reader.sample([os.getpid()]).decode().splitlines()
    assert [line.split()[0] for line in then[:2]] == ["Total", "TID"], "no value before"


def test_total_only_where_every_task_was_read(monkeypatch):

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
    assert len(os.listdir("/proc/self/fd")) == before, "a file that cannot be read is closed"


def test_parser_reads_left_out_values_as_null(monkeypatch):
    """Parsed as any log of iotop."""

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
    assert totals["snapshot"].to_list() == [1, 2], "the first snapshot has no totals"
    assert totals["actual_read_bytes_per_s"].to_list() == [None, None]
    assert totals["read_bytes_per_s"].null_count() == 0


@needs_root
@needs_top
def test_total_of_rows_equals_proc_io(recording):
    writer = DiskWriter()
    try:
        out = recording("--interval", "0.5", "--iotop", "proc", "--only", PATTERN)
        writer.write()
        time.sleep(1.2)
        io = writer.read_io()
        assert collect("stop", "--out", out).returncode == 0
    finally:
        writer.end()
    if io["write_bytes"] < WRITES * WRITE_BYTES:
        pytest.skip("writes under /var/tmp do not reach a block device here")
    records, _ = snapshots(out / "iotop.log")
    total = 0.0
    for (old, _), (new, lines) in zip(records, records[1:], strict=False):
        span = (int(new[1]) - int(old[1])) / 1e9
        at = next(k for k, line in enumerate(lines) if "DISK READ  DISK WRITE" in line)
        for line in lines[at + 1 :]:
            fields = line.split()
            assert fields[7] == "?unavailable?", "unavailable, not 0"
            total += float(fields[5]) * 1024 * span
    assert total == pytest.approx(io["write_bytes"], rel=0.02)
