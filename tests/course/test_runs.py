"""The runs table: what is stored is what ledger, tables and reports say."""

import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.course import runs
from pipeline.course.run_columns import RUNS, UNITS
from pipeline.raw import find_study

pytestmark = pytest.mark.xdist_group("runs")

STUDY = "kvm-case-study"
SAMPLE = ("web-005-a", "db-16-a", "web-110-poisson")
BY_HAND = {
    "web-005-a": {
        "lambda_total": 600, "T_cpu_s": 4.41, "T_cpu_boot_s": 8.55, "T_cpu_all_s": 14.64, "server_process_count": 8,
        "operations_vdisk": 1132, "sectors_vdisk": 43_920, "T_vdisk_s": 2.508, "rw_ticks_vdisk_s": 2.915,
        "io_ticks_boot_vdisk_s": 10.004, "response_s": 0.0098, "transfer_s": 0.0009, "R_client_s": 0.0107,
        "R_median_s": 0.0095, "R_sd_s": 0.0044, "connection_interval_s": 0.1997, "rate_per_s": 5,
        "IO_vdisk_total_bytes": 22_487_040, "dispersion": 0, "guest_ticks": 0, "ticks_per_s": 100,
    },
    "db-16-a": {
        "lambda_total": 1765, "T_vdisk_s": 63.98, "operations_vdisk": 52_538, "threads": 16, "R_client_s": 1.08986,
        "R_variants": 24,
    },
    "web-110-poisson": {"dispersion": 1.3394308943089428, "rate_per_s": 110},
}  # fmt: skip
"""Counted in the logs and read in the clients' reports."""


@pytest.fixture(scope="module")
def copied(root, tmp_path_factory):
    """A raw folder with three runs of the recorded study, and a folder for their tables."""
    raw, processed = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("processed")
    original = root / "data" / "raw" / STUDY
    for run in SAMPLE:
        shutil.copytree(original / "first" / run, raw / STUDY / "first" / run)
    shutil.copy(original / "study.json", raw / STUDY)
    return raw, processed


@pytest.fixture(scope="module")
def computed(copied):
    """The table of these runs from their ledgers."""
    raw, processed = copied
    return runs.compute_runs_table(find_study(raw, STUDY), processed)


@pytest.fixture(scope="module")
def stored(root):
    return pl.read_parquet(root / runs.STORED)


def test_the_stored_table_is_what_the_ledger_says(stored, computed):
    sample = stored.join(computed, on=["server", "run", "virtual_server"], how="semi")
    assert sample.height == 2 * len(SAMPLE)
    assert_frame_equal(sample, computed, rel_tol=1e-9, abs_tol=1e-15)


def test_the_stored_table_has_every_run(stored, root):
    names = {tuple(run.parts[-3:-1]) for run in (root / "data/raw" / STUDY).glob("*/*/run.json")}
    assert set(stored.select("server", "run").rows()) == names
    assert stored.height == 2 * len(names)
    assert stored.columns == list(RUNS.columns)
    assert set(stored.columns[3:]) == set(UNITS)
    loaded = stored.drop_nulls("lambda_total")
    assert all(loaded[name].null_count() < loaded.height for name in loaded.columns)


@pytest.mark.parametrize("run", BY_HAND)
def test_columns_are_the_numbers_of_logs_and_reports(computed, run):
    (row,) = computed.filter(run=run).drop_nulls("lambda_total").iter_rows(named=True)
    assert {name: row[name] for name in BY_HAND[run]} == pytest.approx(BY_HAND[run], rel=1e-12)


def test_a_server_without_a_load_has_only_its_qemu(computed):
    (row,) = computed.filter(run="web-005-a", virtual_server="db").iter_rows(named=True)
    assert row["T_qemu_s"] == pytest.approx(9.04)
    assert row["lambda_total"] is row["R_client_s"] is row["threads"] is None


def test_runs_that_are_stored_are_not_read_again(copied, stored):
    raw, _ = copied
    frame = runs.runs_table(STUDY, raw, raw / "no tables")
    assert sorted(frame["run"].unique()) == sorted(SAMPLE)
    assert frame.equals(stored.filter(pl.col("server") == "first", pl.col("run").is_in(SAMPLE)))
    assert not (raw / "no tables").exists()


def test_a_run_that_differs_is_computed(copied, tmp_path):
    study = tmp_path / "raw" / STUDY
    shutil.copytree(copied[0] / STUDY / "first" / "web-005-a", study / "first" / "web-005-a")
    manifest = study / "first" / "web-005-a" / "run.json"
    manifest.write_text(manifest.read_text().replace('"rate_per_s": 5.0', '"rate_per_s": 6.0'))
    (study / "study.json").write_bytes((copied[0] / STUDY / "study.json").read_bytes())
    frame = runs.runs_table(STUDY, tmp_path / "raw", tmp_path / "processed")
    assert frame["rate_per_s"].to_list() == [None, 6]


def test_a_table_in_the_folder_of_a_study_is_taken(copied, computed, tmp_path):
    study = tmp_path / "host"
    shutil.copytree(copied[0] / STUDY, study)
    own = computed.with_columns(R_client_s=pl.lit(1.5))
    runs.store(own, study / runs.FILE, {})
    assert runs.runs_table("host", tmp_path)["R_client_s"].to_list() == [1.5] * computed.height


def test_the_same_table_gives_the_same_bytes(computed, tmp_path):
    first, second = (runs.store(computed, tmp_path / name, {"first/a": "0"}) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
