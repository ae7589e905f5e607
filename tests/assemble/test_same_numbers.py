"""Logs as recorded by hand, cut out of recorded runs, give the numbers of the whole recordings."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from hand_made_logs import hand_made

from pipeline import assemble, ingest, ledger
from pipeline.ledger.catalogue import CHOICES
from pipeline.ledger.texts import TIMES_INFERRED
from pipeline.raw import Run, find_run

QUANTITIES = (
    "T_cpu", "R_cpu", "U_vdisk_total", "U_disk_total", "U_vdisk_req", "U_disk_req", "D_vdisk_req", "D_disk_req",
    "X_req",
)  # fmt: skip
TOLERANCE = 0.03

CASES = {
    "a web server": ("first/web-020-even", ["web"], ("host",)),
    "a database": ("first/db-16-a", ["db"], ()),
    "both on the weaker server": ("second/both-005-16-a", ["web", "db"], ("db", "host")),
}
"""Run, guests, and machines whose iotop prints times (-t)."""


def as_printed(run, processed) -> dict[tuple[str, str], float]:
    frame = ledger.run_ledger(run, processed).filter(
        pl.col("quantity").is_in(QUANTITIES),
        (pl.col("variant") == "as-printed")
        | pl.all_horizontal(pl.col("variant", *CHOICES).is_null()),
        pl.col("subject").is_null(),
    )
    rows = frame.select("virtual_server", "quantity", "value").drop_nulls().rows()
    return {(server, quantity): value for server, quantity, value in rows}


def whole_recording(raw: Path, recorded: str, folder: Path) -> Run:
    """A recorded run, without the logs that no number of ``QUANTITIES`` needs."""
    server, run = recorded.split("/")
    unused = shutil.ignore_patterns("tasks.log*", "general.log*", "access.log*")
    copied = folder / "kvm-case-study" / recorded
    shutil.copytree(raw / "kvm-case-study" / recorded, copied, ignore=unused)
    return find_run(folder, "kvm-case-study", server, run)


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_those_of_the_whole_recording(name, root, tmp_path):
    recorded, guests, stamps = CASES[name]
    whole = whole_recording(root / "data/raw", recorded, tmp_path / "whole")
    logs = hand_made(whole.path, tmp_path / "logs", guests, around_s=3, stamps=stamps)
    sources, facts, notes = assemble.read_sources(logs.files)
    choices = assemble.Choices(date="2026-11-22", tz={"": "UTC"}, cpus={"host": 1})
    plan = assemble.propose(("old", "srv", "r1"), sources, choices, facts, notes)
    assert plan.questions == ()
    assemble.write_plan(plan, tmp_path / "raw/old/srv/r1")

    imported = find_run(tmp_path / "raw", "old", "srv", "r1")
    assert imported.problems() == []
    for guest in guests:
        inferred, true = (run.virtual_servers[guest].workload.window for run in (imported, whole))
        assert inferred.start_ns == pytest.approx(true.start_ns, abs=1.5e9)
    ingest.ingest([imported, whole], tmp_path / "tables")
    expected = {
        key: value
        for key, value in as_printed(whole, tmp_path / "tables").items()
        if key[0] in guests
    }
    assert len(expected) == len(QUANTITIES) * len(guests)
    assert as_printed(imported, tmp_path / "tables") == pytest.approx(expected, rel=TOLERANCE)

    numbers = ledger.run_ledger(imported, tmp_path / "tables").drop_nulls("value")
    has_flag = pl.col("flags").fill_null([]).list.contains(TIMES_INFERRED)
    assert numbers.filter(quantity="R_cpu").select(has_flag).to_series().all()
    assert not numbers.filter(quantity="R_client").select(has_flag).to_series().any()
