"""``queuevisor parse``: one log, its summary, its tables, its complaints."""

import json
import subprocess
import sys

import polars as pl
import pytest
from typer.testing import CliRunner

from pipeline import parse
from pipeline.cli.app import app

BLOCK = (
    "#T 1700000000000000000 1 0 b\n"
    "/sys/block/vda/stat: 1 2 3 4 5 6 7 8 0 10 11 0 0 0 0 1 1\n"
    "what is this\n"
    "#END stopped\n"
)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "block.log"
    path.write_text(BLOCK)
    return path


def test_the_summary_keeps_the_books(one_run, log):
    done = one_run.queuevisor("parse", "block", log)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["kind"] == "block"
    assert said["lines"] == 4
    assert said["record_lines"] + said["headers"] + said["rejects"] == said["lines"]
    assert said["rejects"] == 1
    assert said["rows"]["block"] == 1
    assert said["snapshots"] == 1


@pytest.mark.parametrize(
    ("suffix", "read"),
    [(".parquet", pl.read_parquet), (".csv", pl.read_csv), (".ndjson", pl.read_ndjson)],
)
def test_tables_are_written_beside_each_other(one_run, log, tmp_path, suffix, read):
    out = tmp_path / "out" / f"block{suffix}"
    out.parent.mkdir()
    done = one_run.queuevisor("parse", "block", log, "-o", out)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in out.parent.iterdir()) == [
        f"block{suffix}",
        f"block.rejects{suffix}",
    ]
    assert read(out)["io_ticks_ms"].to_list() == [10]
    assert read(out.with_name(f"block.rejects{suffix}"))["text"].to_list() == ["what is this"]


def test_what_cannot_be_done_is_exit_code_2_and_one_line(one_run, log, tmp_path):
    for words in (
        ["parse", "block", tmp_path / "nowhere.log"],
        ["parse", "block", log, "-o", tmp_path / "out.xml"],
        ["parse", "block", log, "-o", tmp_path / "no/such/folder.csv"],
        ["parse", "nonsense", log],
        ["parse", "top", log, "--date", "yesterday"],
    ):
        done = one_run.queuevisor(*words)
        assert done.returncode == 2, words
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_full_disk_is_one_line_and_no_file(log, tmp_path, suffix):
    """A limit on the size of files stands for the full disk."""
    out = tmp_path / "out" / f"block{suffix}"
    out.parent.mkdir()
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "runpy.run_module('pipeline.cli', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "parse", "block", str(log), "-o", str(out)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"queuevisor: {out}: cannot be written: File too large\n"
    assert list(out.parent.iterdir()) == []


def test_an_access_log_in_a_given_format(tmp_path):
    path, out = tmp_path / "timed.log", tmp_path / "requests.csv"
    path.write_text('198.51.100.4 [03/May/2026:08:15:30 +0200] "GET / HTTP/1.1" 200 0.031\n')
    text = "log_format brief '$remote_addr [$time_local] \"$request\" ' '$status $request_time';"
    done = CliRunner().invoke(app, ["parse", "access", str(path), "-o", str(out), "--format", text])
    assert done.exit_code == 0, done.output
    assert pl.read_csv(out)["response_time_s"].to_list() == [0.031]
    for kind, wrong in (("access", "%h %Y"), ("block", text)):
        done = CliRunner().invoke(app, ["parse", kind, str(path), "--format", wrong])
        assert done.exit_code == 2 and len(done.stderr.splitlines()) == 1
    assert (
        "%Y" in CliRunner().invoke(app, ["parse", "access", str(path), "--format", "%h %Y"]).stderr
    )


def test_a_compressed_log_is_read_as_it_is(one_run):
    done = one_run.queuevisor("parse", "top", one_run.run / "web/top.log.zst")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["rejects"] == 0
    assert said["rows"]["top_processes"] > said["rows"]["top_summary"] == said["snapshots"] > 100


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (
            "top",
            "    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n",
            2,
        ),
        ("top", "", 0),
        ("iotop", "#T 1700000000000000000 1 0 b\n#END stopped\n", 0),
        ("iotop", "odd\n", 2),
    ],
)
def test_a_log_without_a_record_is_exit_code_2(tmp_path, kind, text, code):
    path = tmp_path / "x.log"
    path.write_text(text)
    assert CliRunner().invoke(app, ["parse", kind, str(path)]).exit_code == code


@pytest.mark.parametrize(
    ("size", "code"), [("1kB", 0), ("0.2 KB", 0), ("100", 2), ("x", 2), ("0", 2)]
)
def test_a_log_of_more_text_than_asked_for_is_not_read(log, size, code):
    done = CliRunner().invoke(app, ["parse", "block", str(log), "--max-expanded", size])
    assert done.exit_code == code, done.output


def test_a_long_log_is_written_in_pieces(tmp_path, monkeypatch):
    path = tmp_path / "tasks.log"
    snapshots = [
        f"#T {n}000000000 {n} {n} b\ncpu  {n} 0 0 1 0 0 0 0 0 0\nwrong\n" for n in range(1, 400)
    ]
    path.write_text("".join(snapshots) + "#END stopped\n")
    whole, pieces = tmp_path / "whole.parquet", tmp_path / "pieces.parquet"
    done = CliRunner().invoke(app, ["parse", "tasks", str(path), "-o", str(whole)])
    expected = json.loads(done.stdout)
    monkeypatch.setitem(parse.parse_pieces.__kwdefaults__, "piece_bytes", 1000)
    done = CliRunner().invoke(app, ["parse", "tasks", str(path), "-o", str(pieces)])
    assert json.loads(done.stdout) == expected
    assert (expected["snapshots"], expected["rows"]["cpus"], expected["rejects"]) == (399, 399, 399)
    for table in ("", ".cpus", ".rejects"):
        first, second = (tmp_path / f"{name}{table}.parquet" for name in ("whole", "pieces"))
        assert first.read_bytes() == second.read_bytes()
