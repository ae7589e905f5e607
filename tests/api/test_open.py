"""Studies and runs are opened by name, id or path; a misspelt name is an error that names the nearest."""

import shutil

import polars as pl
import pytest

import pipeline as qv
from pipeline.api.runs import STUDY_RUNS
from pipeline.demands.service_demand import QUANTITIES
from pipeline.measure.virtual_server import STATIONS
from pipeline.quality.check import FAILED_FIRST


@pytest.fixture(scope="module")
def study(known) -> qv.StudyData:
    return qv.open_study("known", raw=known.run.path.parents[2], processed=known.processed)


def test_a_study_lists_its_runs_without_ingesting_them(known, study, tmp_path):
    (row,) = study.runs.iter_rows(named=True)
    closed = known.run.run == "db"
    assert study.runs.schema == STUDY_RUNS
    assert (row["server"], row["run"], row["held_out"]) == ("first", known.run.run, False)
    assert (row["kind"], row["level"]) == (("closed", 5.0) if closed else ("open", 40.0))
    assert row["virtual_servers"] == [known.run.run]
    assert row["length_s"] == round(known.run.window.duration_s, 1)
    assert row["warnings"] is not None
    fresh = qv.open_study("known", raw=study.raw, processed=tmp_path / "none")
    assert fresh.runs["warnings"].to_list() == [None]
    assert not (tmp_path / "none").exists()


def test_a_study_and_a_run_are_opened_by_name_id_and_path(known, study):
    options = {"raw": study.raw, "processed": known.processed}
    name = known.run.run
    runs = [
        study[f"first/{name}"],
        qv.open_run("known", "first", name, **options),
        qv.open_run(f"known/first/{name}", **options),
        qv.open_run(known.run.path, processed=known.processed),
        qv.open_study(study.study.path, processed=known.processed)[f"first/{name}"],
    ]
    assert {run.run.path for run in runs} == {known.run.path}
    assert all(run.study.manifest == study.study.manifest != {} for run in runs)


def test_a_single_run_needs_no_study_json(known, tmp_path):
    folder = tmp_path / "lab" / "box" / known.run.run
    shutil.copytree(known.run.path, folder)
    run = qv.open_run(folder, processed=tmp_path / "processed")
    assert (run.run.study, run.run.server, run.study.manifest) == ("lab", "box", {})
    assert run.ledger.filter(quantity="X_client")["value"].null_count() == 0


def test_a_misspelt_name_is_an_error_that_names_the_nearest(known, study):
    name = known.run.run
    with pytest.raises(qv.Error, match=f"nearest: first/{name}"):
        study[f"first/{name}x"]
    with pytest.raises(qv.Error, match=f"known/first/{name}"):
        qv.open_run(f"known/first/{name}x", raw=study.raw)
    with pytest.raises(qv.Error, match=r"unknown run .known"):
        qv.open_run("known", raw=study.raw)
    with pytest.raises(qv.Error, match="choose from known"):
        qv.open_study("knwn", raw=study.raw)
    with pytest.raises(qv.Error, match="unknown study"):
        qv.open_study("../raw/unknown", raw=study.raw)


def test_demands_are_those_of_the_ledger_with_the_background_left_out(known, study):
    run = study[f"first/{known.run.run}"]
    demands = run.demands
    assert demands["station"].to_list() == list(STATIONS)
    for station, value, low, high, background in demands.select(
        "station", "value_ms", "low_ms", "high_ms", "background_ms"
    ).iter_rows():
        if station == "guest_cpu":  # corrected, that of a closed load is a residence time
            exact = qv.LedgerView(run.ledger, known.run.run).value("R_cpu", background="off")
        else:
            exact = qv.value_of(run.ledger, known.run.run, QUANTITIES[station], "corrected")
        assert value == pytest.approx(1e3 * exact, rel=1e-12)
        assert low <= value <= high and background >= 0
    kept = qv.LedgerView(run.ledger, known.run.run).value("D_qemu", background="kept")
    host = demands.row(by_predicate=pl.col("station") == "host_cpu", named=True)
    assert host["value_ms"] + host["background_ms"] == pytest.approx(1e3 * kept, rel=0.02)


def test_a_demand_without_its_log_is_null_with_the_reason(known, tmp_path):
    folder = tmp_path / "lab" / "box" / known.run.run
    shutil.copytree(known.run.path, folder)
    (folder / "host" / "block.log").unlink()
    demands = qv.open_run(folder, processed=tmp_path / "processed").demands
    disk = demands.row(by_predicate=pl.col("station") == "disk", named=True)
    assert disk["value_ms"] is disk["background_ms"] is None and "block" in disk["flags"][0]
    assert demands.filter(pl.col("station") == "host_cpu")["value_ms"].null_count() == 0


def test_checks_begin_with_the_failed_ones(study, known):
    results = study[f"first/{known.run.run}"].checks["result"].to_list()
    assert results == sorted(results, key=FAILED_FIRST.index) and len(set(results)) > 1
