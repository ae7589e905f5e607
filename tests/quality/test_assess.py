"""Checks of a run: which sources agree, which numbers depend on a failed check, and a recorded run."""

from pathlib import Path

import polars as pl
import pytest

from pipeline import ingest
from pipeline.evaluate.single_run import model_usable
from pipeline.ledger import run_ledger
from pipeline.ledger.catalogue import ORDER, dependents_of
from pipeline.quality import texts
from pipeline.quality.assess import (
    FLAG_PREFIX,
    check_run,
    check_source_agreement,
    flag_failed_checks,
)
from pipeline.quality.check import (
    CHECKS,
    FAILED,
    INCONCLUSIVE,
    NOT_EVALUATED,
    PASSED,
    checks_frame,
    not_evaluated,
)
from pipeline.quality.cross_check import CROSS_CHECKS
from pipeline.raw import find_studies
from quality.samples import OPEN, failed, ledger, of

FLAGGED = FLAG_PREFIX + "a disk is odd"


def comparison(**changed) -> dict:
    row = {
        "role": "web", "virtual_server": "web", "quantity": "CPU time", "subject": None,
        "source_a": "top", "source_b": "counters",
        "outcome": "agree", "message": "0.1 % apart", "dependents": "T_cpu_process",
    }  # fmt: skip
    return {**row, **changed}


def agreed(*rows: dict) -> str:
    frame = pl.DataFrame([*rows], schema={name: CROSS_CHECKS[name] for name in comparison()})
    return of(
        check_source_agreement(OPEN, frame), texts.sources_agree("CPU time in the guest")
    ).result


def test_sources_of_a_virtual_server_agree_or_disagree():
    disagreeing = comparison(outcome="disagree")
    assert agreed(comparison(), comparison()) == PASSED
    assert agreed(comparison(), comparison(outcome="within resolution")) == INCONCLUSIVE
    assert agreed(comparison(outcome="within resolution"), disagreeing) == FAILED
    assert agreed(comparison(role="host", virtual_server=None, outcome="disagree")) == FAILED
    assert agreed(comparison(outcome="not evaluated")) == NOT_EVALUATED
    assert agreed(comparison(), {**disagreeing, "virtual_server": "db"}) == PASSED  # not its own
    assert (
        agreed(comparison(), {**disagreeing, "subject": "pid 7"}) == PASSED
    )  # one process of a sum


def test_a_failed_check_flags_its_dependents_and_nothing_else():
    frame = ledger(R_disk=1.0, R_req=2.0, R_cpu=0.5, R_vdisk=None)
    checks = checks_frame(
        "web",
        [failed(), failed(("R_vdisk",), result=PASSED), not_evaluated("b", "why", ("R_cpu",))],
    )
    flagged = flag_failed_checks(frame, checks)
    assert flagged["flags"].to_list() == [[FLAGGED], [FLAGGED], None, ["it is not there"]]
    assert flagged.drop("flags").equals(frame.drop("flags"))
    assert flag_failed_checks(flagged, checks).equals(flagged)
    assert flag_failed_checks(frame, checks_frame("db", [failed()])).equals(frame)


def test_missing_numbers_get_no_flag():
    flagged = flag_failed_checks(
        ledger(R_disk=1.0, T=60.0, R_cpu=None), checks_frame("web", [failed(("all",))])
    )
    assert flagged["flags"].to_list() == [[FLAGGED], [FLAGGED], ["it is not there"]]


def test_a_modelled_throughput_depends_on_residence_times_and_a_measured_one_does_not():
    frame = ledger(X_req=1.0, X_req__corrected=1.0).with_columns(
        equation=pl.Series(["10", "MVA"], dtype=pl.String)
    )
    assert flag_failed_checks(frame, checks_frame("web", [failed()]))["flags"].to_list() == [
        None,
        [FLAGGED],
    ]


@pytest.fixture(scope="module")
def recorded(root: Path, tmp_path_factory):
    """The shortest recorded run: its ledger and its checks."""
    study = next(s for s in find_studies(root / "data" / "raw") if s.name == "kvm-case-study")
    runs = [run for run in study.runs() if run.window is not None and run.idle_before is not None]
    run = min(runs, key=lambda r: (sum(log.path.stat().st_size for log in r.logs()), r.id))
    processed = tmp_path_factory.mktemp("processed")
    ingest.ingest([run], processed)
    frame = run_ledger(run, processed)
    return frame, check_run(run, study, processed, frame)


def test_checks_of_a_recorded_run_are_evaluated(recorded):
    frame, checks = recorded
    assert checks.schema == CHECKS
    blank = checks.filter(pl.col("result") == NOT_EVALUATED)
    assert set(blank["check"]) <= {"steady response time", "arrivals' variability"}
    for dependents in checks["dependents"]:
        assert dependents_of(dependents.split(" "))
    evaluated = checks.filter(pl.col("result") != NOT_EVALUATED)
    for name in ("value", "expected", "tolerance"):
        assert evaluated[name].null_count() == 0, name
    assert set(frame["quantity"]) <= set(ORDER)


def test_a_failed_check_of_a_recorded_run_flags_its_ledger(recorded):
    frame, checks = recorded
    spoiled = checks.with_columns(
        result=pl.when(pl.col("check") == "U ≤ 1 at the host's disk")
        .then(pl.lit(FAILED))
        .otherwise(pl.lit(PASSED)),
        flag=pl.lit("host's disk 130 % busy"),
    )
    flagged = flag_failed_checks(frame, spoiled)
    rows = flagged.filter(pl.col("flags").list.contains(FLAG_PREFIX + "host's disk 130 % busy"))
    assert set(rows["quantity"]) >= {"T_disk", "U_disk_total", "R_disk", "R_req"}
    assert not set(rows["quantity"]) & {"T_cpu", "R_vdisk", "lambda_total"}
    assert model_usable(spoiled).answer == "no"
