"""Ledgers that are stored: computed once, again after a change or damage, and filtered as one table."""

import errno
import shutil
import weakref
from dataclasses import replace

import pytest

from pipeline import api, ledger
from pipeline.api import ledgers
from pipeline.tables import LEDGER, empty, polars_schema


@pytest.fixture
def counted(known, tmp_path, monkeypatch):
    """``compute(study)`` of a run whose tables are in a folder of their own, and how often it was computed."""
    if known.run.run != "web":
        pytest.skip("one virtual server suffices")
    processed = tmp_path / "processed"
    shutil.copytree(known.processed, processed)
    shutil.rmtree(processed / "ledger", ignore_errors=True)
    shutil.rmtree(processed / ".results", ignore_errors=True)
    calls = []
    run_ledger = ledger.run_ledger
    monkeypatch.setattr(ledger, "run_ledger", lambda *a: calls.append(a) or run_ledger(*a))
    (study,) = api.find_studies(known.run.path.parents[2])
    return (
        processed,
        study,
        lambda each=study: api.checked_ledger(known.run, each, processed),
        calls,
    )


def test_a_ledger_is_computed_once_and_filtered_as_it_is_stored(counted):
    processed, study, compute, calls = counted
    first, second = compute(), compute()
    assert len(calls) == 1
    assert first.frame.equals(second.frame) and second.frame.schema == polars_schema(LEDGER)
    assert first.problems == second.problems and second.not_stored is None
    rows = api.scan_ledgers(processed, study.name).filter(quantity="R_disk", variant="corrected")
    assert rows.collect().equals(first.frame.filter(quantity="R_disk", variant="corrected"))
    assert rows.collect().height > 0
    assert api.scan_ledgers(processed, "another").collect().schema == polars_schema(LEDGER)


@pytest.mark.parametrize("damage", ["cut", "removed", "record"])
def test_a_damaged_ledger_is_computed_again(counted, damage):
    processed, _, compute, calls = counted
    first = compute()
    (path,) = processed.glob("ledger/*/*/*/ledger.parquet")
    (record,) = processed.glob(".results/*/*/*/ledger.json")
    stored = path.read_bytes()
    if damage == "cut":
        path.write_bytes(stored[:-1])
    elif damage == "removed":
        path.unlink()
    else:
        record.write_bytes(record.read_bytes()[:-3])
    assert compute().frame.equals(first.frame) and len(calls) == 2
    assert path.read_bytes() == stored
    assert compute().frame.equals(first.frame) and len(calls) == 2


def test_another_cpu_limit_of_the_server_is_another_ledger(counted):
    _, study, compute, calls = counted
    compute()
    server = study.manifest["servers"]["first"] | {"envelope": {"cpu_quota": 0.5}}
    other = replace(study, manifest=study.manifest | {"servers": {"first": server}})
    compute(other)
    compute(replace(study, manifest=study.manifest | {"title": "another title"}))
    assert len(calls) == 3, "the limit that is stored last is not that of the third call"
    compute(study)
    assert len(calls) == 3


def test_ledgers_come_in_the_order_of_the_runs_and_are_not_kept(known, tmp_path, monkeypatch):
    done_in_order = [2, 0, 1, 4, 5, 3, *range(6, 20)]
    frames = []

    def run_tasks(function, tasks, **options):
        assert len(tasks) == 20
        for number in done_in_order:
            frame = empty(LEDGER).clear(number)
            frames.append(weakref.ref(frame))
            yield number, "no tables" if number == 4 else ledgers.CheckedLedger(frame, [])
            del frame

    monkeypatch.setattr(ledgers, "run_tasks", run_tasks)
    done, failed, heights = [], [], []
    for run, frame in api.iterate_ledgers(
        [known.run] * 20,
        tmp_path,
        progress=lambda run: done.append(len(heights)),
        failed=lambda run, reason: failed.append(reason),
    ):
        assert run.id == known.run.id
        heights.append(frame.height)
        del frame
        assert sum(each() is not None for each in frames) <= 4
    assert heights == [number for number in range(20) if number != 4]
    assert failed == ["no tables"] and done[:4] == [0, 0, 1, 3]


def test_a_ledger_that_cannot_be_stored_is_returned_with_the_reason(counted, monkeypatch):
    _, _, compute, calls = counted

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ledger, "store_ledger", fail)
    for number in (1, 2):
        checked = compute()
        assert checked.frame.height and checked.not_stored.errno == errno.ENOSPC
        assert len(calls) == number
