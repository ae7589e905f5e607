"""Runs to Parquet: whole or not at all, only what changed, the same bytes whatever the workers."""

import builtins
import gzip
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from pipeline import ingest, tables
from pipeline.ingest import fingerprint
from pipeline.raw import RawRunError, Run, find_runs, find_studies, select_runs

BOOT = "0f0e0d0c-0b0a-4908-8706-050403020100"
START = 1_790_000_000_000_000_000

ACCESS = """\
192.0.2.9 - - [21/Sep/2026:14:13:21 +0000] "GET /a HTTP/1.1" 200 10 "-" "httperf/0.9.0"
not a request
192.0.2.9 - - [21/Sep/2026:14:13:22 +0000] "GET /b HTTP/1.1" 500 - "-" "httperf/0.9.0"
"""
GENERAL = (
    "260921 16:13:21\t    7 Query\tBEGIN\n\t\t    7 Query\tSELECT\n1\n\t\t    7 Query\tCOMMIT\n"
)
HTTPERF = "Total: connections 2 requests 2 replies 2 test-duration 1.001 s\n"
SYSBENCH = "    transactions:                        30     (29.50 per sec.)\n"


def tasks_log(seed):
    lines = []
    for tick in range(3):
        lines.append(f"#T {START + tick * 10**9} {50 * 10**9 + tick * 10**9} {tick} {BOOT}")
        lines.append(f"cpu  {seed + tick} 0 4 900 0 0 0 0 0 0")
        lines.append(f"p 31 200 1 S 1 {seed + 2 * tick} 3 0 0 - 0 900 <script>alert(1)</script>")
        lines.append(f"i 31 200 10 20 1 2 4096 {8192 * tick} 0")
        lines.append(f"t 31 31 200 S 0 {seed + 2 * tick} 3 - 0 <script>")
    return "\n".join([*lines, "#END stopped", ""])


def make_run(raw, study, server, run, *, seed=1):
    folder = raw / study / server / run
    manifest = {
        "format": "queuevisor-run/1", "study": study, "server": server, "run": run,
        "window": {"start_ns": START, "end_ns": START + 10**10}, "accelerator": "tcg",
        "roles": {
            "client": {"clock_offset_ns": 0},
            "host": {"clock_offset_ns": 5},
            "db": {"clock_offset_ns": -7, "time_zone": "Europe/Berlin"},
            "web": {"clock_offset_ns": 9},
        },
        "virtual_servers": {
            "web": {"role": "web", "workload": {
                "kind": "open", "rate_per_s": 2, "request": "HTTP request",
                "log": "client/httperf.log"}},
            "db": {"role": "db", "workload": {
                "kind": "closed", "population": 4, "request": "transaction",
                "log": "client/sysbench.log"}},
        },
    }  # fmt: skip
    texts = {
        "host/tasks.log": tasks_log(seed), "web/tasks.log": tasks_log(seed + 1),
        "db/tasks.log": tasks_log(seed + 2), "web/access.log": ACCESS, "db/general.log": GENERAL,
        "client/httperf.log": HTTPERF, "client/sysbench.log": SYSBENCH,
    }  # fmt: skip
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "run.json").write_text(json.dumps(manifest))
    (raw / study / "study.json").write_text('{"format": "queuevisor-study/1"}')
    return folder


@pytest.fixture
def raw(tmp_path):
    raw = tmp_path / "raw"
    for number, run in enumerate(("db-1", "db-2", "db-3")):
        make_run(raw, "pair", "first", run, seed=number * 100)
    return raw


@pytest.fixture
def processed(tmp_path):
    return tmp_path / "processed"


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != "lock"
    }


def test_every_log_lands_in_its_table_with_role_and_run(raw, processed):
    rows = ingest.ingest(find_runs(raw, run="db-1"), processed)
    assert rows.schema == ingest.MANIFEST_SCHEMA
    assert rows.select("status", "logs", "rejects").rows() == [("ingested", 7, 1)]

    requests = ingest.load("requests", processed, role="db")
    assert requests.select("study", "server", "run", "role", "command", "target").rows() == [
        ("pair", "first", "db-1", "db", "Query", target) for target in ("BEGIN", "SELECT\n1", "COMMIT")
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


def test_every_table_is_in_its_form_also_without_rows(raw, processed):
    for table in tables.STORED:
        schema = ingest.loaded_schema(table)
        assert ingest.load(table, processed).schema == schema
        assert ingest.scan(table, processed).collect().schema == schema
    ingest.ingest(find_runs(raw), processed)
    for table, form in tables.STORED.items():
        loaded = ingest.load(table, processed)
        assert loaded.schema == ingest.loaded_schema(table)
        assert ingest.scan(table, processed).collect(engine="in-memory").equals(loaded)
        added = {"study", "server", "run", "role"} - form.columns.keys()
        form.validate(loaded.drop(added))
        assert ingest.load(table, processed, role="nobody").height == 0


def test_the_files_are_a_hive_that_others_can_read(raw, processed):
    ingest.ingest(find_runs(raw), processed)
    frame = pl.read_parquet(f"{processed}/client/**/*.parquet", hive_partitioning=True)
    assert frame.height == 6
    assert frame["run"].unique().sort().to_list() == ["db-1", "db-2", "db-3"]


def test_the_books_of_every_log_add_up(raw, processed):
    ingest.ingest(find_runs(raw), processed)
    books = ingest.logs(processed)
    assert books.height == 21
    assert (books["record_lines"] + books["headers"] + books["rejects"] == books["lines"]).all()
    assert ingest.manifest(processed)["rejects"].to_list() == [1, 1, 1]


def test_the_same_bytes_with_one_worker_and_with_two(raw, tmp_path):
    done = []
    one = ingest.ingest(find_runs(raw), tmp_path / "one", progress=done.append)
    two = ingest.ingest(find_runs(raw), tmp_path / "two", workers=2, progress=done.append)
    again = ingest.ingest(reversed(find_runs(raw)), tmp_path / "three")
    assert one.equals(two) and one.equals(again.reverse())
    assert sorted(row["run"] for row in done) == ["db-1", "db-1", "db-2", "db-2", "db-3", "db-3"]
    assert tree(tmp_path / "one") == tree(tmp_path / "two") == tree(tmp_path / "three")


def test_an_unchanged_run_is_skipped_and_a_changed_one_is_done_again(raw, processed):
    ingest.ingest(find_runs(raw), processed)
    before = {path: path.stat().st_mtime_ns for path in processed.rglob("*.parquet")}
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["unchanged"] * 3
    assert {path: path.stat().st_mtime_ns for path in processed.rglob("*.parquet")} == before

    with (raw / "pair/first/db-2/web/access.log").open("a") as log:
        log.write(ACCESS.splitlines(keepends=True)[0])
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["unchanged", "ingested", "unchanged"]
    loaded = ingest.load("requests", processed, role="web")
    assert loaded.group_by("run", maintain_order=True).len().rows() == [
        ("db-1", 2), ("db-2", 3), ("db-3", 2)
    ]  # fmt: skip
    # nothing of the old state is left for one who reads the folder itself
    assert pl.read_parquet(f"{processed}/requests/**/*.parquet").height == 3 * 3 + 7

    assert (
        ingest.ingest(find_runs(raw), processed, force=True)["status"].to_list() == ["ingested"] * 3
    )


def test_a_compressed_log_gives_the_same_rows(raw, processed, tmp_path):
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    for path in (raw / "pair/first/db-1").rglob("*.log"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    ingest.ingest(find_runs(raw, run="db-1"), tmp_path / "packed")
    for table in ("requests", "client", "tasks", "task_processes", "cpus"):
        assert ingest.load(table, processed).equals(ingest.load(table, tmp_path / "packed"))


def test_a_log_that_lost_its_rows_leaves_no_file(raw, processed):
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    (raw / "pair/first/db-1/web/access.log").unlink()
    (raw / "pair/first/db-1/db/general.log").unlink()
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    assert not (processed / "requests/study=pair/server=first/run=db-1").exists()
    assert ingest.load("requests", processed).height == 0


def test_new_parsers_make_new_tables(raw, processed, monkeypatch):
    runs = find_runs(raw, run="db-1")
    ingest.ingest(runs, processed)
    monkeypatch.setattr(fingerprint, "code_version", lambda: "another")
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]


def test_damaged_parquet_is_noticed_and_made_again(raw, processed):
    runs = find_runs(raw, run="db-1")
    ingest.ingest(runs, processed)
    next((processed / "client").rglob("*.parquet")).write_bytes(b"PAR1")
    assert ingest.list_ingested(processed) == []
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]
    next((processed / "client").rglob("*.parquet")).unlink()
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]
    (processed / ".manifest/study=pair/server=first/run=db-1/manifest.json").write_text("{")
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]
    assert ingest.load("client", processed).height == 2


# --- what goes wrong


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

    monkeypatch.setattr(access_log, "parse", fails)
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


@pytest.mark.parametrize("name", ["../x", "<script>", "a/b", "..", "", "a b", "run=1", "x\0y"])
def test_a_hostile_name_never_leaves_its_folder(raw, processed, tmp_path, name):
    (good,) = find_runs(raw, run="db-1")
    before = tree(tmp_path / "raw")
    for study, server, run in ((name, "first", "a"), ("pair", name, "a"), ("pair", "first", name)):
        bad = Run(study, server, run, good.path, good.manifest)
        rows = ingest.ingest([bad, good], processed)
        assert rows["status"][0] == "failed" and rows["status"][1] != "failed"
        assert rows["problems"][0].to_list() == [f"not a plain name: {json.dumps(name)}"]
        with pytest.raises(ingest.IngestError):
            ingest.load("client", processed, study, server, run)
    assert ingest.list_ingested(processed) == [("pair", "first", "db-1")]
    assert tree(tmp_path / "raw") == before
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "processed"}


def test_hostile_folders_are_told_and_not_read(raw, processed):
    (raw / "pair/first/db-1").rename(raw / "pair/first/<script>")
    assert [run.run for run in find_runs(raw)] == ["db-2", "db-3"]
    assert any("script" in problem for problem in find_studies(raw)[0].problems())


def test_an_unknown_table_or_run_is_a_clear_error(raw, processed):
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    with pytest.raises(ingest.IngestError, match="no table is called 'tops'"):
        ingest.load("tops", processed)
    with pytest.raises(ingest.IngestError, match="queuevisor ingest pair/first/db-2"):
        ingest.load("client", processed, "pair", "first", "db-2")
    with pytest.raises(ingest.IngestError, match="queuevisor ingest pair/first/db-2"):
        ingest.scan("client", processed, "pair", "first", "db-2")
    assert ingest.load("client", processed, study="other").height == 0


def test_a_folder_that_cannot_be_made_is_an_error(raw, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ingest.IngestError, match="cannot be made"):
        ingest.ingest(find_runs(raw), tmp_path / "file" / "processed")
    with pytest.raises(ingest.IngestError, match="workers must be"):
        ingest.ingest(find_runs(raw), tmp_path / "processed", workers=0)


def test_a_disk_that_is_full_fails_one_run_and_leaves_nothing_of_it(raw, processed, monkeypatch):
    write, count = pl.DataFrame.write_parquet, []

    def full(frame, path, **options):
        count.append(path)
        if len(count) == 3:
            raise OSError(28, "No space left on device")
        write(frame, path, **options)

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["failed", "ingested", "ingested"]
    assert "No space left" in rows["problems"][0][0]
    assert ingest.list_ingested(processed) == [("pair", "first", "db-2"), ("pair", "first", "db-3")]
    assert not list(processed.rglob("*run=db-1*/*.parquet"))


def test_a_scheduler_without_dask_is_a_clear_error(raw, processed, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("distributed"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ingest.IngestError, match="pip install"):
        ingest.ingest(find_runs(raw), processed, scheduler="tcp://127.0.0.1:1")


KILLED = """
import os, sys
from pathlib import Path
from pipeline import ingest
from pipeline.raw import RawRunError, Run, find_runs, find_studies, select_runs
raw, processed, after = sys.argv[1], sys.argv[2], int(sys.argv[3])
real, count = Path.replace, []
def replace(self, target):
    count.append(target)
    if len(count) > after:
        os._exit(9)
    return real(self, target)
Path.replace = replace
ingest.ingest(find_runs(raw, run="db-1"), processed, force=True)
os._exit(0)
"""


def killed(raw, processed, after):
    call = [sys.executable, "-c", KILLED, str(raw), str(processed), str(after)]
    return subprocess.run(call, check=False).returncode == 9


@pytest.mark.parametrize("after", [2, 6])
def test_a_kill_in_the_middle_leaves_nothing_partial(raw, processed, tmp_path, after):
    runs = find_runs(raw, run="db-1")
    assert killed(raw, processed, after)
    assert ingest.list_ingested(processed) == []
    assert ingest.load("requests", processed).height == 0

    ingest.ingest(runs, processed)
    ingest.ingest(runs, tmp_path / "clean")
    assert tree(processed) == tree(tmp_path / "clean")

    # a run that was there stays as it was until the new state is whole
    with (raw / "pair/first/db-1/web/access.log").open("a") as log:
        log.write(ACCESS)
    assert killed(raw, processed, after)
    assert ingest.load("requests", processed).height == 5
    runs = find_runs(raw, run="db-1")
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]
    assert ingest.load("requests", processed).height == 7
    ingest.ingest(runs, tmp_path / "clean")
    assert tree(processed) == tree(tmp_path / "clean")


def test_two_at_once_do_one_run_once(raw, processed):
    rows = []
    both = [
        threading.Thread(target=lambda: rows.append(ingest.ingest(find_runs(raw), processed)))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    statuses = sorted(status for frame in rows for status in frame["status"])
    assert statuses == ["ingested"] * 3 + ["unchanged"] * 3
    assert ingest.load("requests", processed).height == 15


# --- for a notebook


def test_ensure_ingests_what_is_missing_or_changed(raw, processed):
    run = ingest.ensure_ingested_run(raw, processed, "pair", "first", "db-3")
    assert run.id == "pair/first/db-3"
    assert ingest.list_ingested(processed) == [("pair", "first", "db-3")]
    rows = ingest.ensure_ingested(find_runs(raw), processed)
    assert rows["status"].to_list() == ["ingested", "ingested", "unchanged"]
    with pytest.raises(RawRunError, match="nearest: pair/first/db-"):
        ingest.ensure_ingested_run(raw, processed, "pair", "first", "db-4")


def test_ensure_tells_what_cannot_be_ingested(raw, processed):
    good, other, _ = find_runs(raw)
    bad = Run("pair", "first", "a b", good.path, good.manifest)
    assert ingest.ensure_ingested([bad, good], processed)["status"].to_list() == [
        "failed",
        "ingested",
    ]
    with pytest.raises(ingest.IngestError, match="cannot be ingested: not a plain name"):
        ingest.ensure_ingested([bad], processed)
    ingest.clear(processed)
    assert ingest.list_ingested(processed) == []
    (processed / "client").write_text("in the way")
    with pytest.raises(ingest.IngestError, match="cannot be ingested"):
        ingest.ensure_ingested([other], processed)
    assert ingest.ensure_ingested([], processed).height == 0


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


# --- fingerprint


def test_fingerprint_fails_without_a_listed_package(tmp_path):
    package = tmp_path / "pipeline"
    for name in ("parse/top.py", "parse/deeper/more.py", "units.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("1")
    before = fingerprint.code_version(package, ("parse", "units.py"))
    fingerprint.code_version.cache_clear()
    (package / "parse/deeper/more.py").write_text("2")
    assert fingerprint.code_version(package, ("parse", "units.py")) != before
    (package / "empty").mkdir()
    for lost in ("raw", "redact.py", "empty"):
        with pytest.raises(ingest.IngestError, match=lost):
            fingerprint.code_version(package, ("parse", lost))


def test_fingerprint_covers_every_module_that_the_parsers_import(root):
    """Names without an influence on the tables: paths, atomic writes and exceptions."""
    listed = {name.removesuffix(".py") for name in fingerprint.CODE}
    imported = set()
    for package in ("parse", "raw", "ingest", "tables"):
        for path in (root / "pipeline" / package).rglob("*.py"):
            imported |= set(re.findall(r"^\s*from pipeline\.(\w+)", path.read_text(), re.M))
            for names in re.findall(r"^\s*from pipeline import (.+)$", path.read_text(), re.M):
                imported |= {name.split()[0] for name in names.split("#")[0].split(", ")}
    assert imported - listed <= {"files", "errors"}
