"""A run is stored whole or not at all, and only if something changed."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest
from ingest_runs import ACCESS, tree

from pipeline import ingest
from pipeline.raw import Run, find_runs, find_studies


def test_the_files_are_a_hive_that_others_can_read(raw, processed):
    ingest.ingest(find_runs(raw), processed)
    frame = pl.read_parquet(f"{processed}/client/**/*.parquet", hive_partitioning=True)
    assert frame.height == 6
    assert frame["run"].unique().sort().to_list() == ["db-1", "db-2", "db-3"]


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


def test_a_log_that_lost_its_rows_leaves_no_file(raw, processed):
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    (raw / "pair/first/db-1/web/access.log").unlink()
    (raw / "pair/first/db-1/db/general.log").unlink()
    ingest.ingest(find_runs(raw, run="db-1"), processed)
    assert not (processed / "requests/study=pair/server=first/run=db-1").exists()
    assert ingest.load("requests", processed).height == 0


MANIFEST = ".manifest/study=pair/server=first/run=db-1/manifest.json"


def flip(path):
    """Another byte of the same length, and the same time."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def without_a_table(path):
    manifest = json.loads(path.read_text())
    del manifest["tables"]["client"]
    path.write_text(json.dumps(manifest))


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def folder(path):
    path.unlink()
    path.mkdir()
    (path / "a").touch()


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGE = {
    "cut": ("client", lambda path: path.write_bytes(b"PAR1")),
    "bit": ("client", flip),
    "exchanged": ("task_processes", lambda path: path.write_bytes(
        next((path.parents[1] / "run=db-2").iterdir()).read_bytes())),
    "removed": ("client", Path.unlink),
    "pipe as table": ("client", pipe),
    "folder as table": ("client", folder),
    "no JSON": (None, lambda path: path.write_text("{")),
    "deep": (None, lambda path: path.write_text("[" * 200_000)),
    "no text": (None, lambda path: path.write_bytes(b"\xff\xfe")),
    "types": (None, lambda path: path.write_text('{"format": "queuevisor-ingested/2", "tables": [1]}')),
    "keys": (None, lambda path: path.write_text('{"format": ["queuevisor-ingested/2"]}')),
    "a table fewer": (None, without_a_table),
    "pipe": (None, pipe),
    "device": (None, device),
    "of another run": (None, lambda path: path.write_bytes(
        (path.parents[1] / "run=db-2" / path.name).read_bytes())),
}  # fmt: skip


def test_damaged_tables_and_manifests_are_noticed_and_written_again(raw, processed):
    runs = find_runs(raw)[:2]
    ingest.ingest(runs, processed)
    intact = tree(processed)
    for what, (table, damage) in DAMAGE.items():
        path = processed / MANIFEST
        if table is not None:
            (path,) = (processed / table).rglob("*run=db-1/*.parquet")
        content = path.read_bytes()
        damage(path)
        assert ingest.list_ingested(processed) == [("pair", "first", "db-2")], what
        with pytest.raises(ingest.IngestError, match=r"db-1 are damaged .*repair: queuevisor"):
            ingest.load("client", processed, "pair", "first", "db-1")
        with pytest.raises(ingest.IngestError, match="db-1 are damaged"):
            ingest.load("client", processed)
        if what in ("bit", "folder as table", "device"):
            rows = ingest.ingest(runs, processed)
            assert rows["status"].to_list() == ["repaired", "unchanged"], what
            assert tree(processed) == intact, what
        path.unlink(missing_ok=True)
        path.write_bytes(content)
    assert ingest.list_ingested(processed) == [("pair", "first", "db-1"), ("pair", "first", "db-2")]


def test_where_the_manifest_cannot_be_written_no_table_stays(raw, processed, monkeypatch):
    replace = Path.replace

    def refuse(path, target):
        if path.name == "manifest.json":
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    rows = ingest.ingest(find_runs(raw, run="db-1"), processed)
    assert rows["status"].to_list() == ["failed"]
    assert "manifest.json: cannot be written" in rows["problems"][0][0]
    assert tree(processed) == {}


def test_tables_written_without_hashes_are_written_again(raw, processed):
    runs = find_runs(raw, run="db-1")
    ingest.ingest(runs, processed)
    (processed / MANIFEST).write_text('{"format": "queuevisor-ingested/1", "tables": {}}')
    assert ingest.list_ingested(processed) == []
    assert ingest.ingest(runs, processed)["status"].to_list() == ["ingested"]


def test_what_a_killed_process_left_is_removed_by_the_next_ingest(raw, processed):
    runs = find_runs(raw, run="db-1")
    ingest.ingest(runs, processed)
    intact = set(processed.rglob("*"))
    (folder,) = (processed / "client").rglob("run=db-1")
    staging = processed / ".staging/study=pair/server=first/run=db-1"
    staging.mkdir(parents=True)
    for stale in (folder / f"{'0' * 64}.parquet", staging / "client.parquet", staging / "lock"):
        stale.write_bytes(b"PAR1")
    assert ingest.ingest(runs, processed)["status"].to_list() == ["unchanged"]
    assert set(processed.rglob("*")) == intact


def test_a_reader_follows_a_run_that_is_replaced(raw, processed, monkeypatch):
    runs = find_runs(raw, run="db-1")
    ingest.ingest(runs, processed)
    read, calls = pl.read_parquet, []

    def read_late(path, **options):
        calls.append(path)
        if len(calls) == 1:  # the other process is faster than the reader
            with (raw / "pair/first/db-1/web/access.log").open("a") as log:
                log.write(ACCESS)
            ingest.ingest(find_runs(raw, run="db-1"), processed)
        return read(path, **options)

    monkeypatch.setattr(pl, "read_parquet", read_late)
    assert ingest.load("requests", processed, "pair", "first", "db-1").height == 7
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["../x", "<script>", "a/b", "..", "", "a b", "run=1", "x\0y"])
def test_a_hostile_name_never_leaves_its_folder(raw, processed, tmp_path, name):
    (good,) = find_runs(raw, run="db-1")
    before = tree(tmp_path / "raw")
    for study, server, run in ((name, "first", "a"), ("pair", name, "a"), ("pair", "first", name)):
        bad = Run(study, server, run, good.path, good.manifest)
        rows = ingest.ingest([bad, good], processed)
        assert rows["status"][0] == "failed" and rows["status"][1] != "failed"
        assert rows["problems"][0].to_list() == [f"not a safe name: {json.dumps(name)}"]
        with pytest.raises(ingest.IngestError):
            ingest.load("client", processed, study, server, run)
    assert ingest.list_ingested(processed) == [("pair", "first", "db-1")]
    assert tree(tmp_path / "raw") == before
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "processed"}


def test_hostile_folders_are_problems_and_not_read(raw, processed):
    (raw / "pair/first/db-1").rename(raw / "pair/first/<script>")
    assert [run.run for run in find_runs(raw)] == ["db-2", "db-3"]
    assert any("script" in problem for problem in find_studies(raw)[0].problems())


def test_a_disk_that_is_full_fails_one_run_and_leaves_nothing_of_it(raw, processed, monkeypatch):
    write, count = Path.write_bytes, []

    def full(path, content):
        count.append(path)
        if len(count) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["failed", "ingested", "ingested"]
    assert rows["problems"][0][0].startswith(f"{processed}: No space left on device; ")
    assert ingest.list_ingested(processed) == [("pair", "first", "db-2"), ("pair", "first", "db-3")]
    assert not list(processed.rglob("*run=db-1*/*.parquet"))


KILLED = """
import os, sys
from pathlib import Path
from pipeline import ingest
from pipeline.raw import find_runs
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
