"""Many runs: the same bytes with any number of workers, errors, ensure_ingested."""

import builtins

import pytest
from ingest_runs import ingest_or_be_killed, tree

from pipeline import ingest
from pipeline.errors import Error
from pipeline.ingest import parallel
from pipeline.raw import RawRunError, Run, find_runs
from pipeline.workers import texts


def test_the_same_bytes_with_one_worker_and_with_two(raw, tmp_path):
    done = []
    one = ingest.ingest(find_runs(raw), tmp_path / "one", progress=done.append)
    two = ingest.ingest(find_runs(raw), tmp_path / "two", workers=2, progress=done.append)
    again = ingest.ingest(reversed(find_runs(raw)), tmp_path / "three")
    assert one.equals(two) and one.equals(again.reverse())
    assert sorted(row["run"] for row in done) == ["db-1", "db-1", "db-2", "db-2", "db-3", "db-3"]
    assert tree(tmp_path / "one") == tree(tmp_path / "two") == tree(tmp_path / "three")


def test_a_worker_that_is_killed_fails_its_own_run_only(raw, processed, monkeypatch):
    monkeypatch.setattr(parallel, "ingest_any_run", ingest_or_be_killed)
    rows = ingest.ingest(find_runs(raw)[:2], processed, workers=2)
    assert rows["status"][0] in ("ingested", "unchanged")  # before the other worker was killed
    assert rows["status"][1] == "failed"
    assert rows["problems"][1].to_list() == [texts.WORKER_ENDED]


def test_a_folder_that_cannot_be_made_is_an_error(raw, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ingest.IngestError, match="cannot be created"):
        ingest.ingest(find_runs(raw), tmp_path / "file" / "processed")
    with pytest.raises(Error, match="workers must be"):
        ingest.ingest(find_runs(raw), tmp_path / "processed", workers=0)


def test_a_scheduler_without_dask_is_a_clear_error(raw, processed, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("distributed"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Error, match="pip install"):
        ingest.ingest(find_runs(raw), processed, scheduler="tcp://127.0.0.1:1")


def test_ensure_ingested_ingests_what_is_missing_or_changed(raw, processed):
    run = ingest.ensure_ingested_run(raw, processed, "pair", "first", "db-3")
    assert run.id == "pair/first/db-3"
    assert ingest.list_ingested(processed) == [("pair", "first", "db-3")]
    rows = ingest.ensure_ingested(find_runs(raw), processed)
    assert rows["status"].to_list() == ["ingested", "ingested", "unchanged"]
    with pytest.raises(RawRunError, match="nearest: pair/first/db-"):
        ingest.ensure_ingested_run(raw, processed, "pair", "first", "db-4")


def test_ensure_ingested_fails_where_no_run_could_be_ingested(raw, processed):
    good, other, _ = find_runs(raw)
    bad = Run("pair", "first", "a b", good.path, good.manifest)
    assert ingest.ensure_ingested([bad, good], processed)["status"].to_list() == [
        "failed",
        "ingested",
    ]
    with pytest.raises(ingest.IngestError, match="cannot be ingested: not a safe name"):
        ingest.ensure_ingested([bad], processed)
    (processed / ".results" / "study=pair").mkdir(parents=True)
    ingest.clear(processed)
    assert ingest.list_ingested(processed) == [] and not (processed / ".results").exists()
    (processed / "client").write_text("in the way")
    with pytest.raises(ingest.IngestError, match="cannot be ingested"):
        ingest.ensure_ingested([other], processed)
    assert ingest.ensure_ingested([], processed).height == 0
