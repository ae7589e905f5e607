"""Cross-checks of a recorded run, and of one without task counters."""

from pathlib import Path

import polars as pl
import pytest

from pipeline import ingest
from pipeline.measure.cpu_limit import CpuLimit, cpu_limit
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import MissingData
from pipeline.quality.cross_check import CROSS_CHECKS, cross_check_run
from pipeline.raw import find_studies


@pytest.fixture(scope="module")
def recorded(root: Path, tmp_path_factory) -> tuple[RunTables, CpuLimit]:
    """The shortest recorded run of one virtual server."""
    study = next(s for s in find_studies(root / "data" / "raw") if s.name == "kvm-case-study")
    runs = [run for run in study.runs() if run.window is not None and run.idle_before is not None]
    run = min(runs, key=lambda r: (sum(log.path.stat().st_size for log in r.logs()), r.id))
    processed = tmp_path_factory.mktemp("processed")
    ingest.ingest([run], processed)
    return RunTables(run, processed), cpu_limit(study, run)


def test_a_recorded_runs_instruments_measure_the_same(recorded):
    results = cross_check_run(*recorded)
    assert results.schema == CROSS_CHECKS
    assert set(results["outcome"]) <= {"agree", "within resolution", "disagree", "not evaluated"}
    assert results["message"].null_count() == 0
    # every machine's own CPU is counted by two instruments, and they agree on every machine
    whole = results.filter(pl.col("quantity") == "share of all CPUs that was busy")
    assert set(whole["role"]) == {"host", "web", "db"}
    assert "disagree" not in set(whole["outcome"])
    qemu = results.filter(pl.col("quantity") == "CPU time of QEMU")
    assert qemu.height == 2 and set(qemu["outcome"]) <= {"agree", "within resolution"}
    # a row that is not missing has both values and both resolutions, one that is has its reason
    compared = results.filter(pl.col("outcome") != "not evaluated")
    for name in ("value_a", "value_b", "uncertainty_a", "uncertainty_b", "difference"):
        assert compared[name].null_count() == 0, name
    not_compared = results.filter(pl.col("outcome") == "not evaluated")
    assert not_compared["message"].str.len_chars().min() > 0


def test_a_lost_log_takes_only_its_own_comparisons_with_it(recorded):
    tables, envelope = recorded

    class WithoutTasks(RunTables):
        def rows(self, table, role):
            if table in ("task_processes", "tasks", "cpus"):
                raise MissingData(f"{role} has no rows of {table}")
            return super().rows(table, role)

    results = cross_check_run(WithoutTasks(tables.run, tables.processed), envelope)
    by = dict(results.filter(pl.col("role") == "web").select("quantity", "outcome").iter_rows())
    assert by["share of all CPUs that was busy"] == "not evaluated"
    assert by["tasks"] == "agree"
