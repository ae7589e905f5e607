"""``queuevisor ingest``: rejected lines, damaged logs, unchanged runs."""

import json

import polars as pl


def test_garbage_in_a_log_is_counted_and_the_rest_is_read(own_run):
    log = own_run.run / "client/httperf.log"
    log.write_text("<script>alert(1)</script>\n\x1b[2Jgarbage\n" + log.read_text())
    done = own_run.queuevisor("ingest")
    assert done.returncode == 0, done.stderr
    assert "2 lines rejected" in done.stderr
    rejects = pl.concat(
        pl.read_parquet(p, hive_partitioning=False)
        for p in (own_run.processed / "rejects").rglob("*.parquet")
    )
    assert rejects["line"].to_list() == [1, 2]
    assert "<script>" in rejects["text"][0]


def test_a_log_that_is_no_text_is_a_problem_of_the_run(own_run):
    (own_run.run / "web/top.log.zst").write_bytes(b"\x00\x01\x02" * 1000)
    done = own_run.queuevisor("ledger", "--format", "json")
    assert done.returncode == 1
    assert "web/top.log" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(json.loads(done.stdout)) > 50


def test_ingest_skips_what_has_not_changed(own_run):
    assert (
        "ingest 1/1 kvm-case-study/first/web-005-a: ingested" in own_run.queuevisor("ingest").stderr
    )
    assert own_run.queuevisor("ingest").stderr == "ingest: 1 run unchanged\n"
