"""A log that has grown is read on, and what is stored is what an ingest from nothing stores."""

import functools
import hashlib
import json
import shutil

import pytest
from ingest_runs import START, tree
from live_logs import log_of

from pipeline import ingest, parse
from pipeline.ingest import grown_logs, table_files, writer
from pipeline.parse import tasks, top
from pipeline.raw import find_runs

ONE = ".manifest/study=pair/server=first/run=live"
FIRST = {"top": range(1, 20), "tasks": range(1, 60)}


in_short_pieces = functools.partial(parse.pieces_with_sentinels, piece_bytes=4000)


class Recording:
    """A run that is being recorded, its tables, and those of an ingest from nothing."""

    def __init__(self, folder):
        self.folder, self.fresh = folder, 0
        self.host = folder / "raw/pair/first/live/host"
        self.host.mkdir(parents=True, exist_ok=True)
        (self.host.parent.parent.parent / "study.json").write_text(
            '{"format": "queuevisor-study/1"}'
        )
        if not (self.host.parent / "run.json").exists():
            self.describe()

    def describe(self, **more):
        run = {"format": "queuevisor-run/1", "study": "pair", "server": "first", "run": "live"}
        window = {"start_ns": START, "end_ns": START + 10**10}
        manifest = {**run, "window": window, "roles": {"host": {}}, "virtual_servers": {}, **more}
        (self.host.parent / "run.json").write_text(json.dumps(manifest))

    def write(self, kind, text, mode="wb"):
        with (self.host / f"{kind}.log").open(mode) as file:
            file.write(text)

    def ingest(self, *, is_compared=True):
        """Ingest; the sentences about logs that were read on. What is stored is that of an ingest from nothing."""
        rows = []
        runs = find_runs(self.folder / "raw")
        ingest.ingest(runs, self.folder / "processed", progress=rows.append)
        if is_compared:
            self.fresh += 1
            anew = self.folder / f"anew-{self.fresh}"
            ingest.ingest(runs, anew)
            assert tree(self.folder / "processed") == tree(anew)
        return rows[0]["continued"]

    @property
    def state(self):
        return self.folder / "processed" / ONE / grown_logs.NAME


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run that is ingested in short pieces."""
    recording = Recording(tmp_path_factory.mktemp("begun"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parse, "pieces_with_sentinels", in_short_pieces)
        for kind, numbers in FIRST.items():
            recording.write(kind, log_of(kind, numbers))
        recording.ingest(is_compared=False)
    return recording.folder


@pytest.fixture
def recording(begun, tmp_path, monkeypatch):
    monkeypatch.setattr(parse, "pieces_with_sentinels", in_short_pieces)
    return Recording(shutil.copytree(begun, tmp_path / "copy"))


@pytest.fixture
def read_lines(monkeypatch):
    """First line of each piece that was read, by kind."""
    lines = {"top": [], "tasks": []}
    for kind, module in (("top", top), ("tasks", tasks)):

        def read(reader, piece, kind=kind, real=module.Reader.read):
            lines[kind].append(piece.first_line)
            return real(reader, piece)

        monkeypatch.setattr(module.Reader, "read", read)
    return lines


def test_only_the_last_piece_and_what_is_new_are_read(recording, read_lines, monkeypatch):
    monkeypatch.setattr(table_files, "MAX_ROWS", 0)
    line = log_of("top", FIRST["top"]).count(b"\n")
    for numbers in (range(20, 22), range(22, 40)):
        recording.write("top", log_of("top", numbers), "ab")
        size = (recording.host / "top.log").stat().st_size
        read_lines["top"].clear()
        (text,) = recording.ingest()
        assert text.endswith(f" of {size / 1e3:.3g} kB are new")
        pieces = read_lines["top"]
        own, anew = pieces[: pieces.index(1)], pieces[pieces.index(1) :]
        assert own == anew[-len(own) :] and len(own) < len(anew)
        assert own[0] > line - 60
        line = log_of("top", range(1, numbers.stop)).count(b"\n")
    assert recording.ingest() == []


def test_an_unchanged_large_log_is_copied_when_another_one_changes(recording, read_lines):
    recording.write("tasks", log_of("tasks", range(60, 62)), "ab")
    assert [text.partition(":")[0] for text in recording.ingest()] == ["host/tasks.log"]
    pieces = read_lines["top"]
    assert pieces.index(1) == 1  # its last piece, then all of the ingest from nothing


def test_a_log_that_is_written_while_it_is_read(recording):
    """Its last line is cut, then it grows, ends, and goes on after a restart."""
    rest = log_of("top", range(20, 30))
    for part in (rest[:1234], rest[1234:], b"#END stopped\n", log_of("top", range(1, 4), pid=90)):
        recording.write("top", part, "ab")
        assert len(recording.ingest()) == 1


def test_other_changes_are_read_anew(recording):
    text = log_of("top", FIRST["top"])
    names = (
        b"  PID USER      PR  NI  %CPU     TIME+ COMMAND\n   7 root      20   0   6.2   0:01.01 x\n"
    )
    for changed in (
        text[:4000],
        text.replace(b"0:03.01", b"0:03.02") + log_of("top", range(20, 22)),
        text + b"#T 30000000000 30 30 b\n" + names,
        text + b"\x1b[7m\n" + text,
        log_of("top", range(100, 140)),
    ):
        recording.write("top", changed)
        assert recording.ingest() == []


def test_other_options_or_code_read_anew(recording, monkeypatch):
    recording.describe(roles={"host": {"time_zone": "Europe/Berlin"}})
    recording.write("tasks", log_of("tasks", range(60, 62)), "ab")
    assert recording.ingest() == []
    recording.write("tasks", log_of("tasks", range(62, 64)), "ab")
    assert len(recording.ingest(is_compared=False)) == 1
    monkeypatch.setattr(writer, "code_version", lambda: "other")
    monkeypatch.setattr("pipeline.ingest.fingerprint.code_version", lambda: "other")
    recording.write("tasks", log_of("tasks", range(64, 66)), "ab")
    assert recording.ingest() == []


def test_a_damaged_state_is_not_used(recording):
    good = recording.state.read_text()
    forged = []
    for field, wrong in (("part", {"carried": 1}), ("rows", {"top_processes": 1}), ("summary", [])):
        value = json.loads(good.partition("\n")[2])
        log = value["logs"]["host/top.log"]
        log[field] = log[field] | wrong if isinstance(wrong, dict) else wrong
        text = json.dumps(value)
        forged.append(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}\n")
    for number, damaged in enumerate(("", "{", good[:-9], good.replace("1", "2", 900), *forged)):
        recording.state.write_text(damaged)
        recording.write("top", log_of("top", range(50 + number, 51 + number)), "ab")
        assert not any("top" in text for text in recording.ingest(is_compared=damaged in forged))
    recording.state.unlink()
    recording.write("top", log_of("top", [60]), "ab")
    assert recording.ingest(is_compared=False) == []
    recording.write("top", log_of("top", [61]), "ab")
    assert len(recording.ingest()) == 1


def test_damaged_tables_are_not_copied(recording):
    (table,) = (recording.folder / "processed/top_processes").rglob("*.parquet")
    table.write_bytes(table.read_bytes()[:-3] + b"xyz")
    recording.write("top", log_of("top", range(20, 22)), "ab")
    assert recording.ingest() == []


def test_a_log_that_fails_when_it_is_read_on_is_read_anew(recording, monkeypatch):
    real, from_beginning = top.Reader.read, []

    def fail(reader, piece):
        if piece.is_first:
            from_beginning.append(reader)
        if piece.is_last and not any(reader is each for each in from_beginning):
            raise ValueError("a fault")
        return real(reader, piece)

    monkeypatch.setattr(top.Reader, "read", fail)
    for numbers in (
        range(20, 21),
        range(21, 40),
    ):  # at the first piece, and after some of its rows were added
        recording.write("top", log_of("top", numbers), "ab")
        assert recording.ingest() == []
