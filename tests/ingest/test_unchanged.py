"""What an ingest reads of runs that have not changed, and of those that have."""

import os
import shutil

import pytest
from ingest_runs import ACCESS, GENERAL, make_run, tree

from pipeline import ingest
from pipeline.ingest import file_status, stored, writer
from pipeline.raw import checksums, find_runs

ONE = "study=pair/server=first/run=db-1"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ingested")
    for number, run in enumerate(("db-1", "db-2")):
        make_run(folder / "raw", "pair", "first", run, seed=number * 100)
    ingest.ingest(find_runs(folder / "raw"), folder / "processed")
    return folder


@pytest.fixture
def raw(ingested, tmp_path):
    return shutil.copytree(ingested / "raw", tmp_path / "raw")


@pytest.fixture
def processed(ingested, tmp_path):
    return shutil.copytree(ingested / "processed", tmp_path / "processed")


@pytest.fixture
def counted(raw, processed, monkeypatch):
    """Ingested runs whose files are old enough; ingest again to get (statuses, parsed runs, hashed files)."""
    parsed, hashed = [], []
    parse_run, sha256, digest = writer.parse_run, checksums.sha256, stored._digest

    def count_run(run, *options):
        parsed.append(run.run)
        return parse_run(run, *options)

    def count_file(path):
        hashed.append(f"{path.parents[1].name}/{path.parent.name}/{path.name}")
        return sha256(path)

    def count_table(path, status):
        hashed.append(path.name)
        return digest(path, status)

    monkeypatch.setattr(file_status, "MIN_AGE_NS", 0)
    monkeypatch.setattr(writer, "parse_run", count_run)
    monkeypatch.setattr(checksums, "sha256", count_file)
    monkeypatch.setattr(stored, "_digest", count_table)

    def again(**options):
        parsed.clear()
        hashed.clear()
        rows = ingest.ingest(find_runs(raw), processed, **options)
        return rows["status"].to_list(), list(parsed), list(hashed)

    again()
    return again


def test_no_file_of_unchanged_runs_is_hashed(counted):
    assert counted() == (["unchanged"] * 2, [], [])


def test_a_changed_run_costs_one_run_and_its_file(counted, raw, processed, tmp_path):
    with (raw / "pair/first/db-2/web/access.log").open("a") as log:
        log.write(ACCESS)
    statuses, parsed, hashed = counted()
    assert statuses == ["unchanged", "ingested"]
    assert parsed == ["db-2"]
    assert [name for name in hashed if name.endswith(".log")] == ["db-2/web/access.log"]
    assert counted() == (["unchanged"] * 2, [], [])
    ingest.ingest(find_runs(raw), tmp_path / "anew")
    assert tree(processed) == tree(tmp_path / "anew")


def test_a_file_of_the_same_size_and_time_is_noticed(counted, raw):
    path = raw / "pair/first/db-1/db/general.log"
    before = path.stat()
    path.write_text(GENERAL.replace("COMMIT", "REVOKE"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert counted()[:2] == (["ingested", "unchanged"], ["db-1"])


def test_a_touched_file_is_hashed_once(counted, raw):
    (raw / "pair/first/db-2/run.json").touch()
    statuses, parsed, hashed = counted()
    assert (statuses, parsed) == (["unchanged"] * 2, [])
    assert [name for name in hashed if "/" in name] == ["first/db-2/run.json"]
    assert counted() == (["unchanged"] * 2, [], [])


def test_a_young_file_is_hashed_again(counted, raw, monkeypatch):
    monkeypatch.setattr(file_status, "MIN_AGE_NS", 10**12)
    (raw / "pair/first/db-1/run.json").touch()
    assert "first/db-1/run.json" in counted()[2]
    assert "first/db-1/run.json" in counted()[2]
    monkeypatch.setattr(file_status, "MIN_AGE_NS", 0)
    assert "first/db-1/run.json" in counted()[2]
    assert counted() == (["unchanged"] * 2, [], [])


def test_added_removed_and_linked_files_are_noticed(counted, raw):
    folder = raw / "pair/first/db-1"
    (folder / "web/top.log").write_text("")
    assert counted()[1] == ["db-1"]
    (folder / "web/top.log").unlink()
    assert counted()[1] == ["db-1"]
    (folder / "db/general.log").rename(folder / "db/general")
    (folder / "db/general.log").symlink_to("general")
    assert counted()[1] == []
    (folder / "db/general").write_text(GENERAL * 2)
    assert counted()[1] == ["db-1"]
    (raw / "pair/study.json").write_text('{"format": "queuevisor-study/1", "keep_sql": true}')
    assert counted()[1] == ["db-1", "db-2"]


def test_other_code_and_force_read_every_run(counted, monkeypatch):
    statuses, parsed, hashed = counted(force=True)
    assert (statuses, parsed) == (["ingested"] * 2, ["db-1", "db-2"])
    assert sum(name.endswith(".log") for name in hashed) == 2 * 7
    monkeypatch.setattr(writer, "code_version", lambda: "other")
    monkeypatch.setattr("pipeline.ingest.fingerprint.code_version", lambda: "other")
    assert counted()[1] == ["db-1", "db-2"]


def test_a_damaged_status_costs_only_hashing(counted, processed):
    path = processed / ".manifest" / ONE / file_status.NAME
    other = b'{"format": "queuevisor-file-status/1"}'
    for content in (b"", b"{", b"[1]", b"\xff", other, b"[" * 200_000):
        path.write_bytes(content)
        statuses, parsed, hashed = counted()
        assert (statuses, parsed) == (["unchanged"] * 2, []), content[:40]
        assert sum(name.endswith(".log") for name in hashed) == 7
        assert counted() == (["unchanged"] * 2, [], [])


def test_a_table_damaged_without_another_status_is_noticed_by_its_reader(
    counted, raw, processed, monkeypatch
):
    (table,) = (processed / "client" / ONE).iterdir()
    status = stored.file_status.status_of(table.stat())
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 4
    table.write_bytes(content)
    real, damaged = file_status.status_of, table.stat()

    def as_before(of, now_ns=None):
        return status if of.st_ino == damaged.st_ino else real(of, now_ns)

    monkeypatch.setattr(file_status, "status_of", as_before)  # as if the disk had lost a bit
    stored._verified.clear()
    assert counted()[0] == ["unchanged"] * 2
    with pytest.raises(ingest.IngestError, match="are damaged"):
        ingest.load("client", processed, "pair", "first", "db-1")
    assert counted()[0] == ["repaired", "unchanged"]


def test_hashes_and_manifests_in_memory_do_not_grow_with_the_fleet(raw, processed, monkeypatch):
    limit = 20
    for number in range(3, 8):
        make_run(raw, "pair", "first", f"db-{number}", seed=number * 100)
    monkeypatch.setattr(stored, "MAX_VERIFIED", limit)
    stored._verified.clear()
    ingest.ingest(find_runs(raw), processed)
    for _ in range(2):
        assert ingest.load("client", processed, "pair")["run"].n_unique() == 7
        assert len(stored._verified) <= limit
    stored._parsed.cache_clear()
    rows = ingest.ingest(find_runs(raw), processed)
    assert rows["status"].to_list() == ["unchanged"] * 7
    (processed / ".manifest" / ONE / file_status.NAME).unlink()  # its tables are hashed
    assert ingest.ingest(find_runs(raw), processed)["status"].to_list() == ["unchanged"] * 7
    assert len(stored._verified) <= limit


def test_run_json_is_read_when_its_run_is_ingested(raw, processed, counted):
    runs = find_runs(raw)
    path = raw / "pair/first/db-1/run.json"
    path.write_text(path.read_text().replace('"tcg"', '"kvm"'))
    ingest.ingest(runs, processed)
    assert ingest.load("runs", processed, run="db-1")["accelerator"].unique().to_list() == ["kvm"]
    assert counted()[0] == ["unchanged"] * 2


def test_a_study_without_rights_to_write_is_checked(counted, processed, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    (processed / ".manifest" / ONE / file_status.NAME).unlink()
    monkeypatch.setattr(writer, "_lock", refuse)
    assert counted()[:2] == (["unchanged"] * 2, [])
