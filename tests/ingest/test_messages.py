"""What ``queuevisor ingest`` prints of a run: problems and warnings, again when it is unchanged; exit codes."""

import errno
import sys

import polars as pl
import pytest
from ingest_runs import make_run

from pipeline import api
from pipeline.cli import main
from pipeline.cli.ingest import finding_lines, is_complete
from pipeline.ingest import MANIFEST_SCHEMA, writer


@pytest.fixture
def ingest(raw, processed, capsys, monkeypatch):
    def ingest(*more):
        folders = ("--raw", str(raw), "--processed", str(processed))
        monkeypatch.setattr(sys, "argv", ["queuevisor", *folders, "ingest", *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr().err

    return ingest


def test_a_warning_is_printed_of_an_unchanged_run_too(raw, processed, ingest):
    log = raw / "pair/first/db-1/web/tasks.log"
    log.write_text(log.read_text().replace("#END", "#GAP the tool was restarted\n#END"))
    for status in ("ingested", "unchanged"):
        code, printed = ingest("pair/first/db-1")
        assert code == 1
        assert status in printed
        assert "gap in the recording: the tool was restarted" in printed


def test_a_note_is_not_printed(raw, ingest):
    log = raw / "pair/first/db-1/web/tasks.log"
    log.write_text(log.read_text().replace("#END", "#GAP missed 2 ticks\n#END"))
    assert "missed" not in ingest("pair/first/db-1")[1]


def test_problems_and_warnings_are_exit_code_1():
    row = dict.fromkeys(MANIFEST_SCHEMA) | {"status": "unchanged", "problems": [], "warnings": []}

    def of(**changed):
        return is_complete(pl.DataFrame([row | changed], schema=MANIFEST_SCHEMA))

    assert of()
    assert not of(problems=["run.json: missing"])
    assert not of(warnings=["host/top.log:3: system clock went backwards"])
    assert not of(status="failed")


def test_many_problems_of_a_file_are_one_line():
    lines = finding_lines([f"a.log:{n}: x" for n in range(9)] + [f"{n}.log: {n}" for n in range(9)])
    assert lines[:2] == ["a.log:0: x; and 8 more about this file", "0.log: 0"]
    assert len(lines) == 6 and lines[-1].startswith("and 5 more problems")


def test_where_nothing_can_be_written_one_line_says_so_and_what_is_up_to_date_is_used(
    raw, processed, ingest, monkeypatch
):
    assert ingest("pair/first/db-1")[0] == 1

    def refuse(staging):
        raise OSError(errno.EROFS, "Read-only file system", str(staging))

    monkeypatch.setattr(writer, "_lock", refuse)
    code, printed = ingest("pair/first/db-1")
    assert code == 1 and "1 run unchanged" in printed and "Read-only" not in printed
    make_run(raw, "pair", "first", "db-1", seed=7)
    make_run(raw, "pair", "first", "db-2", seed=7)
    code, printed = ingest("pair/first/db-1", "pair/first/db-2")
    assert code == 2
    assert printed.count("Read-only file system") == 1
    assert "pair/first/db-1 and 1 more run: " in printed


def test_an_internal_error_is_one_line_and_has_a_traceback_on_request(ingest, monkeypatch):
    def fail(*_):
        raise KeyError("no such\nkey")

    monkeypatch.setenv("QUEUEVISOR_DEBUG", "0")
    monkeypatch.setattr(api, "select_runs", fail)
    code, printed = ingest()
    assert code == 2
    assert printed.startswith("queuevisor: internal error: KeyError: ")
    assert printed.count("\n") == 1
    monkeypatch.setenv("QUEUEVISOR_DEBUG", "1")
    with pytest.raises(KeyError):
        ingest()
