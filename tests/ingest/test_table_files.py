"""Tables that are written while the logs are read have the bytes of those that are written at once."""

import errno
import functools
import sys
import threading

import polars as pl
import pytest
from ingest_runs import make_run, tree

from pipeline import ingest, parse
from pipeline.ingest import log_reading, table_files
from pipeline.raw import find_runs
from pipeline.tables import table_writer


@pytest.fixture(scope="module")
def at_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("at-once")
    make_run(folder / "raw", "pair", "first", "db-1")
    ingest.ingest(find_runs(folder / "raw"), folder / "processed")
    return folder


@pytest.fixture
def runs(at_once):
    return find_runs(at_once / "raw")


@pytest.fixture
def in_pieces(monkeypatch):
    """Every table is a long one, and every log is read snapshot by snapshot."""
    real = parse.pieces_with_sentinels
    monkeypatch.setattr(parse, "pieces_with_sentinels", functools.partial(real, piece_bytes=1))
    monkeypatch.setattr(table_files, "MAX_ROWS", 0)
    monkeypatch.setattr(log_reading, "MAX_VIEWED_LINES", 3)


def writing_threads():
    return [each for each in threading.enumerate() if "_sink" in each.name]


def test_a_run_in_pieces_has_the_same_bytes(at_once, runs, processed, in_pieces):
    rows = ingest.ingest(runs, processed)
    assert tree(processed) == tree(at_once / "processed")
    assert rows["rows"].sum() > 0 and not writing_threads()


def test_a_log_that_fails_after_some_of_its_rows_leaves_none(
    runs, processed, tmp_path, monkeypatch, in_pieces
):
    real = parse.pieces_with_sentinels

    def fail(kind, path, is_late, **options):
        if path.name == "access.log" or (path.parent.name, kind) == ("host", "tasks"):
            if is_late:
                yield from real(kind, path, **options)
            raise parse.UnreadableError(options["name"], "the disk is broken")
        yield from real(kind, path, **options)

    for is_late in (True, False):
        failing = functools.partial(fail, is_late=is_late)
        monkeypatch.setattr(parse, "pieces_with_sentinels", failing)
        rows = ingest.ingest(runs, tmp_path / str(is_late))
        problems = rows["problems"][0].to_list()
        assert "host/tasks.log: not read: the disk is broken" in problems
        assert "web/access.log: not read: the disk is broken" in problems
    assert tree(tmp_path / "True") == tree(tmp_path / "False")
    tasks = ingest.load("task_processes", tmp_path / "True")
    assert tasks["role"].unique().sort().to_list() == ["db", "web"]
    assert not writing_threads()


def test_a_disk_that_fills_up_while_a_table_is_written_fails_the_run(
    runs, processed, monkeypatch, in_pieces
):
    def full(self, data):
        self.error = OSError(errno.ENOSPC, "No space left on device")
        raise self.error

    monkeypatch.setattr(table_writer._HashedFile, "write", full)
    rows = ingest.ingest(runs, processed)
    assert rows["status"].to_list() == ["failed"]
    assert rows["problems"][0][0].startswith(f"{processed}: No space left on device; ")
    assert tree(processed) == {} and not writing_threads()


def test_an_interrupt_ends_the_writing(runs, processed, monkeypatch, in_pieces):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["pipeline.ingest.parse_run"], "find_contradictions", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ingest.ingest(runs, processed)
    assert tree(processed) == {} and not writing_threads()


def test_texts_of_a_long_log_do_not_keep_it_in_memory():
    text = "\n".join(f"a line with more than twelve bytes {n}" for n in range(1000))
    views = pl.Series("text", [text]).str.split("\n").explode()
    rejects = pl.DataFrame({"role": ["web"], "file": ["x"], "line": [1], "reason": ["?"]})
    frame = rejects.with_columns(views.slice(5, 1))
    sizes = {}
    for is_part in (True, False):
        files = table_files.TableFiles()
        files.add("rejects", frame, is_part=is_part)
        (kept,) = files._rows["rejects"]
        buffers = kept["text"].to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
        sizes[is_part] = sum(buffer.size for buffer in buffers if buffer is not None)
    assert sizes[True] < 200 < len(text) / 2 < sizes[False]
