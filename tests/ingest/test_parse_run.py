"""A run's logs to tables, and logs that cannot be read."""

import gzip
import json

from ingest_runs import START, make_run

from pipeline import ingest
from pipeline.ingest.parse_run import parse_run
from pipeline.raw import find_runs, select_runs


def test_every_log_lands_in_its_table_with_role_and_run(raw, processed):
    rows = ingest.ingest(find_runs(raw, run="db-1"), processed)
    assert rows.schema == ingest.MANIFEST_SCHEMA
    assert rows.select("status", "logs", "rejects").rows() == [("ingested", 7, 1)]

    requests = ingest.load("requests", processed, role="db")
    assert requests.select("study", "server", "run", "role", "command", "target").rows() == [
        ("pair", "first", "db-1", "db", "Query", target) for target in ("BEGIN", "SELECT\n?", "COMMIT")
    ]  # fmt: skip
    # the guest's own zone is run.json's
    assert requests["time"].dt.to_string("%F %T").unique().to_list() == ["2026-09-21 14:13:21"]
    client = ingest.load("client", processed)
    assert client.select("tool", "role", "completions").rows() == [
        ("httperf", "client", 2), ("sysbench", "client", 30)
    ]  # fmt: skip
    assert (
        ingest.load("tasks", processed)["role"].to_list() == ["db"] * 3 + ["host"] * 3 + ["web"] * 3
    )
    assert ingest.load("rejects", processed).select("file", "line", "text").rows() == [
        ("web/access.log", 2, "not a request")
    ]
    described = ingest.load("runs", processed)
    assert described["virtual_server"].to_list() == ["db", "web"]
    assert described["guest_clock_offset_ns"].to_list() == [-7, 9]
    assert described["window_start"].dt.epoch("ns").to_list() == [START, START]
    assert "host/top.log: missing" in described["problems"][0].split("\n")


def test_the_format_of_an_access_log_is_read_from_the_manifest(raw, processed):
    folder = make_run(raw, "pair", "first", "timed")
    line = '192.0.2.7 - - [21/Sep/2026:12:13:21 +0000] "GET / HTTP/1.1" 200 5 1250\n'
    (folder / "web/access.log").write_text(line)
    manifest = json.loads((folder / "run.json").read_text())
    problems = {}
    for text in (None, 'LogFormat "%h %l %u %t \\"%r\\" %>s %b %D" timed', "%h %l %u %t %Q"):
        manifest["virtual_servers"]["web"]["access_format"] = text
        (folder / "run.json").write_text(json.dumps(manifest))
        (run,) = find_runs(raw, run="timed")
        parsed = parse_run(run)
        requests = parsed.frames["requests"].filter(log="access")
        problems[text] = [problem for problem in parsed.problems if "access.log" in problem]
        if text is None:
            assert requests["response_time_s"].to_list() == [None]
        elif "%D" in text:
            assert requests["response_time_s"].to_list() == [0.00125]
        else:
            assert requests.is_empty()
    assert [len(sentences) for sentences in problems.values()] == [0, 0, 1]
    assert "%Q" in problems["%h %l %u %t %Q"][0]


def test_a_compressed_log_gives_the_same_rows(raw, processed, tmp_path):
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    for path in (raw / "pair/first/db-1").rglob("*.log"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    ingest.ingest(find_runs(raw, run="db-1"), tmp_path / "packed")
    for table in ("requests", "client", "tasks", "task_processes", "cpus"):
        assert ingest.load(table, processed).equals(ingest.load(table, tmp_path / "packed"))


def test_a_bad_log_is_a_problem_and_the_rest_is_done(raw, processed):
    folder = raw / "pair/first/db-2"
    (folder / "web/access.log").write_text("nonsense\nmore of it\n")
    (folder / "db/general.log").write_bytes(b"BZh91AY&SY")
    (folder / "host/tasks.log").write_text("no sentinel\n")
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["ingested"] * 3
    problems = rows["problems"].to_list()[1]
    assert [p for p in problems if "not read" in p] == [
        "db/general.log: not read: compressed with bzip2; supported: gzip, Zstandard",
        "host/tasks.log: not read: line 1: not a tasks.log: no #T line",
        "web/access.log: not read: line 1: not an access log: no line in common or combined log format",
    ]
    assert ingest.load("requests", processed, run="db-2").height == 0
    assert ingest.load("tasks", processed, run="db-2").height == 6
    assert ingest.load("tasks", processed, run="db-3").height == 9
    assert ingest.load("runs", processed, run="db-2")["problems"][0].count("not read") == 3


def test_a_fault_of_a_parser_costs_one_log(raw, processed, monkeypatch):
    from pipeline.parse import access_log

    def fails(*_, **__):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(access_log.Reader, "read", fails)
    rows = ingest.ingest(find_runs(raw, run="db-1"), processed)
    assert (
        "web/access.log: not read: the access parser failed: ZeroDivisionError: division by zero"
        in rows["problems"][0].to_list()
    )
    assert ingest.load("requests", processed).height == 3


def test_a_run_without_a_readable_manifest_still_gives_its_logs(raw, processed):
    (raw / "pair/first/db-1/run.json").write_text("{")
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["ingested"] * 3
    assert rows["problems"][0][0].startswith("run.json, line 1, column 2: not JSON")
    assert ingest.load("requests", processed, run="db-1").height == 5
    assert ingest.load("runs", processed, run="db-1").height == 0


def test_a_rotated_log_is_stored_as_one(tmp_path):
    raw, processed = tmp_path / "raw", tmp_path / "processed"
    make_run(raw, "s", "first", "whole")
    make_run(raw, "s", "first", "pieces")
    host = raw / "s/first/pieces/host"
    lines = (host / "tasks.log").read_text().splitlines(keepends=True)
    at = [k for k, line in enumerate(lines) if line.startswith("#T ")]
    (host / "tasks.00001.log.gz").write_bytes(
        gzip.compress("".join([*lines[: at[1]], "#END rotated\n"]).encode())
    )
    (host / "tasks.00002.log").write_text("".join(lines[at[1] :]))
    (host / "tasks.log").unlink()
    rows = ingest.ingest(select_runs(raw), processed)
    assert rows["problems"].to_list()[0] == rows["problems"].to_list()[1]
    for table in ("tasks", "task_processes", "cpus"):
        whole, pieces = (
            ingest.load(table, processed, run=run, role="host").drop("run", "line")
            for run in ("whole", "pieces")
        )
        assert whole.equals(pieces) and whole.height
    files = ingest.logs(processed, run="pieces").filter(kind="tasks", role="host")["file"]
    assert files.to_list() == ["host/tasks.00001.log.gz", "host/tasks.00002.log"]
    (host / "tasks.00001.log.gz").unlink()
    again = ingest.ingest(select_runs(raw, ["s/first/pieces"]), processed)
    assert again["status"].to_list() == ["ingested"], "another set of pieces is another run"
    assert "host/tasks.00001.log: missing: gap in the recording" in again["problems"][0]


def test_a_log_refused_for_its_size_is_read_when_more_is_allowed(raw, processed):
    runs = find_runs(raw)[:1]

    def status(max_expanded_bytes):
        row = ingest.ingest(runs, processed, max_expanded_bytes=max_expanded_bytes).row(
            0, named=True
        )
        return row["status"], sum("--max-expanded" in text for text in row["problems"]), row["logs"]

    first, refused, few = status(200)
    assert first == "ingested" and refused
    for same in (200, 100, None):
        assert status(same) == ("unchanged", refused, few)
    assert status(10**9) == ("ingested", 0, few + refused)
    assert status(200) == ("unchanged", 0, few + refused)
