"""ingest, ledger and runs where raw runs and tables are on object storage: fsspec's memory file system."""

import pytest
from ingest_runs import make_run, tree
from memory_storage import contents, upload

from pipeline.ingest import fingerprint, remote

RAW, PROCESSED = "memory://bucket/raw", "memory://bucket/processed"
LOCAL = {"file_status.json", "source.json"}


@pytest.fixture
def raw(tmp_path):
    for number, run in enumerate(("db-1", "db-2")):
        make_run(tmp_path / "raw", "pair", "first", run, seed=number * 100)
    return tmp_path / "raw"


@pytest.fixture(autouse=True)
def bucket(raw, tmp_path, monkeypatch):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    upload(raw, RAW)
    monkeypatch.setenv("QUEUEVISOR_CACHE", str(tmp_path / "cache"))
    yield memory
    memory.store.clear()


def stored(url):
    """The files at a URL or in a folder, without those that belong to one storage."""
    files = contents(url) if isinstance(url, str) else tree(url)
    return {name: data for name, data in files.items() if name.rpartition("/")[2] not in LOCAL}


def test_tables_and_ledgers_at_a_url_are_those_of_folders(raw, tmp_path, call):
    folders = ["--raw", raw, "--processed", tmp_path / "processed"]
    urls = ["--raw", RAW, "--processed", PROCESSED]
    there = call(*urls, "ledger", "pair/first/db-1", "--format", "csv")
    assert there[0] == 1 and there[1].count("\n") > 50, there[2]  # damaged lines of its logs
    assert there[:2] == call(*folders, "ledger", "pair/first/db-1", "--format", "csv")[:2]
    assert stored(PROCESSED) == stored(tmp_path / "processed")
    assert any(name.startswith("ledger/") for name in stored(PROCESSED))


def test_what_is_unchanged_is_not_fetched_and_what_changed_is(call, bucket, tmp_path, monkeypatch):
    urls = ["--raw", RAW, "--processed", PROCESSED]
    assert "ingest 2/2" in call(*urls, "ingest")[2]
    before = stored(PROCESSED)
    monkeypatch.setenv("QUEUEVISOR_CACHE", str(tmp_path / "another machine"))
    assert "2 runs unchanged" in call(*urls, "ingest")[2]
    logs = list((tmp_path / "another machine").rglob("db-1/host/tasks.log"))
    assert [log.stat().st_size for log in logs] == [0]  # no log was fetched
    assert stored(PROCESSED) == before
    path = "/bucket/raw/pair/first/db-2/client/httperf.log"
    bucket.pipe_file(path, bucket.cat_file(path).replace(b"replies 2", b"replies 1"))
    done = call(*urls, "ingest")
    assert "1 run unchanged" in done[2] and "pair/first/db-2: ingested" in done[2]
    after = stored(PROCESSED)
    assert after != before and len(after) == len(before)  # tables of the former key are removed
    unchanged = [name for name in before if "run=db-1" in name]
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_new_code_ingests_again_and_damaged_tables_are_stored_again(
    call, bucket, tmp_path, monkeypatch
):
    urls = ["--raw", RAW, "--processed", PROCESSED]
    call(*urls, "ingest", "pair/first/db-1")
    before = stored(PROCESSED)
    for name in before:
        if name.endswith(".parquet"):
            bucket.pipe_file(f"/bucket/processed/{name}", b"damaged")
    monkeypatch.setenv("QUEUEVISOR_CACHE", str(tmp_path / "another machine"))
    assert "tables were damaged" in call(*urls, "ingest", "pair/first/db-1")[2]
    assert stored(PROCESSED) == before
    for module in (fingerprint, remote):
        monkeypatch.setattr(module, "code_version", lambda: "0" * 64)
    monkeypatch.setattr("pipeline.ingest.writer.code_version", lambda: "0" * 64)
    assert "pair/first/db-1: ingested" in call(*urls, "ingest", "pair/first/db-1")[2]
    assert set(stored(PROCESSED)).isdisjoint(n for n in before if n.endswith(".parquet"))


def test_runs_lists_without_logs_and_verifies_with_them(call, raw, tmp_path):
    listed = call("--raw", RAW, "runs")
    assert listed[:2] == call("--raw", raw, "runs")[:2]
    assert [p.stat().st_size for p in (tmp_path / "cache").rglob("*.log")] == [0] * 14
    assert call("--raw", RAW, "runs", "--verify")[:2] == call("--raw", raw, "runs", "--verify")[:2]
    code, _, err = call("--raw", RAW, "runs", "pair/first/db-1", "--write-checksums")
    assert code == 2 and RAW in err


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("memory://bucket/nothing", "nothing is stored"),
        ("nonsense://bucket/raw", "nonsense"),
        ("gs://bucket/raw", "pip install gcsfs"),
    ],
)
def test_a_url_that_cannot_be_read_is_exit_code_2(call, url, reason):
    code, out, err = call("--raw", url, "ingest")
    assert (code, out) == (2, "") and url in err and reason in err


def test_other_commands_read_folders_only(call, tmp_path):
    for arguments in (["course", "hosts", "--out", tmp_path / "out"], ["import", tmp_path]):
        code, _, err = call("--raw", RAW, *arguments)
        assert code == 2 and "object storage" in err
