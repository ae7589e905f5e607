"""Secrets in command lines, requests and rejected lines do not reach a table."""

import json

import polars as pl

from pipeline import ingest, redact
from pipeline.raw import find_runs


def test_secrets_do_not_reach_a_table(raw, processed):
    folder = raw / "pair/first/db-1/host"
    (folder / "tasks.log").write_text(
        "#T 1790000000000000000 1 0 b1\n"
        "p 7 70 1 S 1 1 1 0 0 0 0 10 mysqld\n"
        "c 7 70 mysqld --port=3 --password=hidden1\n"
        "#END SIGTERM\n"
    )
    (folder / "top.log").write_text("no line of top --api-key hidden2\n")
    (raw / "pair/first/db-1/web/access.log").write_text(
        '10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] "GET /?token=hidden3&a=1 HTTP/1.1" 200 5\n'
    )
    targets = {}
    for keep_sql in (False, True):
        (raw / "pair/study.json").write_text(json.dumps({"keep_sql": keep_sql}))
        rows = ingest.ingest(find_runs(raw, run="db-1"), processed)
        assert rows["status"].to_list() == ["ingested"]
        text = ""
        for path in sorted(processed.rglob("*.parquet")):
            text += str(pl.read_parquet(path).to_dicts())
        assert "hidden" not in text and text.count(redact.REDACTED) >= 2 and "GET" in text
        requests = ingest.load("requests", processed).sort("role", "line")
        targets[keep_sql] = requests["target"].to_list()
    assert targets[True] == ["BEGIN", "SELECT\n1", "COMMIT", f"/?token={redact.REDACTED}&a=1"]
    assert targets[False] == ["BEGIN", "SELECT\n?", "COMMIT", "/?token=?&a=?"]
