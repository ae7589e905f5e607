"""A log that is not the recorded one: a problem of the run, and a flag on the numbers that depend on it."""

import shutil

import polars as pl
import pytest

from pipeline import api, ingest
from pipeline.raw import find_run

CHANGES = [
    ("web/access.log", " 200 ", " 201 ", {"lambda_log"}),
    ("host/tasks.log", "#END ", "#END  ", {"T_qemu"}),
    ("host/facts.json", "simulated", "Simulated", {"T_qemu", "T_disk"}),
    ("client/httperf.log", "httperf", "Httperf", {"T_cpu", "T_qemu", "X_client"}),
]


def test_a_changed_file_flags_the_numbers_that_depend_on_it(known, tmp_path):
    if known.run.run != "web":
        pytest.skip("one virtual server suffices")
    raw = tmp_path / "raw"
    folder = raw / "known/first/web"
    shutil.copytree(known.run.path, folder)
    for file, old, new, _ in CHANGES:
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))
    run = find_run(raw, "known", "first", "web")
    (row,) = ingest.ingest([run], tmp_path / "processed").to_dicts()
    ledger = api.store_ledgers([run], tmp_path / "processed")
    for file, _, _, quantities in CHANGES:
        assert [p for p in row["problems"] if p.startswith(f"{file}: differs")], row["problems"]
        numbers = ledger.filter(pl.col("quantity").is_in(quantities), virtual_server="web")
        assert numbers["quantity"].n_unique() == len(quantities)
        is_flagged = numbers["flags"].list.join("; ").str.contains(f"{file}: differs")
        assert is_flagged.all(), numbers.select("quantity", "flags")
