"""Clocks that are known and constant, and clocks that are not."""

import shutil

import polars as pl
import pytest

from pipeline import ingest
from pipeline.ledger import run_ledger
from pipeline.quality.assess import check_run, flag_failed_checks
from pipeline.quality.check import FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED
from pipeline.quality.recording import check_clocks, log_problems
from pipeline.raw import Role, find_run
from quality.samples import OPEN, WINDOW, SampleRun


def clock_results(uncertainty_ns: int | None, drift_ns: int | None) -> dict[str, str]:
    run = SampleRun()
    run.roles = {
        role: Role(role, clock_offset_ns=None if uncertainty_ns is None else 5, clock_uncertainty_ns=uncertainty_ns)
        for role in ("host", "web")
    }  # fmt: skip
    if drift_ns is not None:
        ends = {
            when: {"offset_ns": offset, "uncertainty_ns": 1000}
            for when, offset in (("before", 0), ("after", drift_ns))
        }
        run.manifest = {"roles": {role: {"clock": ends} for role in ("host", "web")}}
    return {check.check: check.result for check in check_clocks(run, OPEN, WINDOW)}


def test_clocks_need_a_small_uncertainty_and_a_small_drift():
    names = [
        f"clock of the {machine}{what}" for machine in ("guest", "host") for what in ("", ", drift")
    ]
    assert clock_results(350_000, 700_000) == dict.fromkeys(names, PASSED)
    assert clock_results(150_000_000, -300_000_000) == dict.fromkeys(names, FAILED)
    assert clock_results(None, None) == dict.fromkeys(names, NOT_EVALUATED)
    assert clock_results(350_000, 100_001_500)["clock of the guest, drift"] == INCONCLUSIVE


# -- logs that do not stand for the load's window ------------------------------------------------------------


def set_clock(text: str, seconds: float) -> str:
    """A log whose machine's clock is set by ``seconds`` in the middle; its monotonic clock is not."""
    ticks = [line for line in text.splitlines() if line.startswith("#T ")]
    for tick in ticks[len(ticks) // 2 :]:
        mark, epoch_ns, *rest = tick.split(" ")
        text = text.replace(tick, " ".join([mark, str(int(epoch_ns) + int(seconds * 1e9)), *rest]))
    return text


def first_half(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(lines[: len(lines) // 2]) + "#END SIGTERM\n"


DAMAGE = {
    "host/block.log": lambda text: set_clock(text, 10.0),
    "web/block.log": lambda text: set_clock(text, -10.0),
    "host/tasks.log": first_half,
    "web/access.log": first_half,
    "web/iotop.log": lambda text: "",
}


@pytest.mark.parametrize("known", ["web"], indirect=True)
def test_damaged_logs_are_named_and_their_numbers_are_the_same_missing_or_flagged(known, tmp_path):
    path = tmp_path / "raw" / known.run.study / known.run.server / known.run.run
    shutil.copytree(known.run.path, path)
    for name, damage in DAMAGE.items():
        (path / name).write_text(damage((path / name).read_text()))
    run = find_run(tmp_path / "raw", known.run.study, known.run.server, known.run.run)
    ingest.ingest([run], tmp_path / "processed")
    whole, damaged = (
        run_ledger(each, tables).filter(pl.col("subject").is_null(), virtual_server="web")
        for each, tables in ((known.run, known.processed), (run, tmp_path / "processed"))
    )
    checks = check_run(run, None, tmp_path / "processed", damaged)
    named = {problem.partition(": ")[0] for problem in log_problems(checks)}
    assert named == set(DAMAGE)

    damaged = flag_failed_checks(damaged, checks)
    keys = ["quantity", "equation", "variant", "demand", "denominator", "background", "sum"]
    both = whole.join(damaged, on=keys, nulls_equal=True, suffix="_now")
    assert both.height == whole.height > 100
    changed = both.filter(
        pl.col("value_now").is_not_null() & (pl.col("value") != pl.col("value_now"))
    )
    for row in changed.iter_rows(named=True):
        assert set(row["flags_now"] or ()) - set(row["flags"] or ()), row
    values = dict(damaged.filter(background="kept").select("quantity", "value").rows())
    undamaged = dict(whole.filter(background="kept").select("quantity", "value").rows())
    assert values["T_disk"] == undamaged["T_disk"]  # placed by the monotonic clock
    assert values["T_vdisk"] == undamaged["T_vdisk"]
    assert values["T_qemu"] is None
