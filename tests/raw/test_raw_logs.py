"""The logs of a run: compression, unsafe names, rotated logs."""

import os

from raw_runs import rotate, the_run

from pipeline.raw import (
    log_kind,
)


def test_logs_are_found_whatever_their_compression(raw):
    run = the_run(raw)
    names = [log.name for log in run.logs()]
    assert names == sorted(names)
    assert len(names) == 3 * 4 + 4
    assert run.log("db", "general").name == "db/general.log.zst"
    assert run.client_log("db").name == "client/sysbench.log.gz"
    assert run.client_log("web").kind == "httperf"
    assert run.client_log("nobody") is None
    assert run.log("host", "access") is None
    assert {run.name_of(path) for path in run.files()} == {
        *names, "run.json", *(f"{r}/facts.json" for r in ("host", "web", "db", "client"))
    }  # fmt: skip


def test_unsafe_files_are_problems_and_never_read(raw):
    folder = raw / "pair/first/both-a"
    (folder / "host/top.log.1").write_text("old")
    (folder / "host/top.log.gz").write_bytes(b"")
    (folder / "host/notes.txt").write_text("no log")
    (folder / "<script>").mkdir()
    (folder / "web/access.log").unlink()
    os.mkfifo(folder / "web/access.log")
    assert the_run(raw).problems() == [
        '"<script>": unsafe name; folder not read',
        "host/top.log.1: not the name of a log; not read",
        "host/top.log.gz: not read; top.log exists too",
        "web/access.log: not a regular file; not read",
        "web/access.log: missing",
    ]
    assert the_run(raw).log("host", "top").name == "host/top.log"


def test_segments_are_one_log_in_the_order_of_their_numbers(raw):
    names = [f"top.{k:05d}.log" for k in (1, 2, 3, 10, 9, 8, 7, 6, 5, 4, 100000, 99999)]
    rotate(raw, "host", "top", [f"{name}.zst" for name in names[:-2]])
    run = the_run(raw)
    log = run.log("host", "top")
    assert (log.name, log.kind) == ("host/top.log", "top")
    assert [p.name for p in log.files] == [f"top.{k:05d}.log.zst" for k in range(1, 11)]
    assert run.problems() == [] and run.missing() == []
    assert set(log.files) <= set(run.files()), "what a run's numbers come from"
    rotate_more = raw / "pair/first/both-a/host"
    for k in range(11, 100000, 20000):
        (rotate_more / f"top.{k:05d}.log").write_bytes(b"")
    (rotate_more / "top.100000.log").write_bytes(b"")
    assert [p.name for p in the_run(raw).log("host", "top").files][-1] == "top.100000.log"


def test_a_missing_segment_is_a_problem(raw):
    names = ["top.00002.log.gz", "top.00003.log", "top.00007.log", "top.00009.log.zst"]
    rotate(raw, "host", "top", names)
    run = the_run(raw)
    assert run.problems() == [
        "host/top.00001.log: missing: gap in the recording",
        "host/top.00004.log to top.00006.log: missing: gap in the recording",
        "host/top.00008.log: missing: gap in the recording",
    ]
    assert [p.name for p in run.log("host", "top").files] == names


def test_a_segment_in_two_compression_formats_and_a_log_beside_segments(raw):
    rotate(raw, "web", "block", ["block.00001.log", "block.00001.log.zst", "block.log"])
    run = the_run(raw)
    assert [p.name for p in run.log("web", "block").files] == ["block.00001.log"]
    assert run.problems() == [
        "web/block.00001.log.zst: not read; block.00001.log exists too",
        "web/block.log: not read; segments of a rotated log exist too",
    ]
    assert log_kind("web/block.00001.log.zst") == "block"
    assert log_kind("top.1.log") is None and log_kind("top.log.1") is None
