"""``queuevisor ledger``: output formats, missing logs, the old option."""

import csv
import io
import json

import polars as pl
import pytest

from pipeline.tables import LEDGER, polars_schema

COLUMNS = polars_schema(LEDGER).names()


def test_an_unknown_run_names_the_nearest(one_run):
    done = one_run.queuevisor("ledger", "kvm-case-study/first/web-05-a")
    assert done.returncode == 2
    assert "kvm-case-study/first/web-005-a" in done.stderr


def test_ledger_as_json_has_the_ledgers_columns(one_run):
    done = one_run.queuevisor("ledger", "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) > 100
    assert list(rows[0]) == COLUMNS
    found = {(r["quantity"], r["variant"]): r for r in rows}
    assert found["lambda_total", None]["value"] == 600
    assert found["lambda_log", None]["value"] == 600
    assert found["R_cpu", "as-printed"]["equation"] == "2"
    assert found["R_cpu", "as-printed"]["interval"] == "resolution"
    assert all(r["flags"] is None or isinstance(r["flags"], list) for r in rows)
    assert all(r["value"] is not None or r["flags"] for r in rows), "a missing number says why"


def test_ledger_as_csv_and_only_one_quantity(one_run):
    done = one_run.queuevisor("ledger", "--format", "csv", "--quantity", "R_disk")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["quantity"] for row in rows} == {"R_disk"}
    assert {"as-printed", "corrected"} <= {row["variant"] for row in rows}


def test_ledger_as_a_spreadsheet_and_as_latex(one_run, tmp_path):
    assert one_run.queuevisor("ledger", "--format", "xlsx").returncode == 2
    book = tmp_path / "ledger.xlsx"
    assert one_run.queuevisor("ledger", "--format", "xlsx", "-o", book).returncode == 0
    assert book.read_bytes()[:2] == b"PK"
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.xlsx"]
    latex = one_run.queuevisor("ledger", "--format", "latex", "--variant", "corrected").stdout
    assert r"\begin{longtable}" in latex
    assert r"R\_disk" in latex


def test_ledger_as_a_table_is_not_folded_in_a_pipe(one_run):
    done = one_run.queuevisor("ledger", "--variant", "corrected")
    assert "error_R" in done.stdout
    assert "…" not in done.stdout


def test_the_ledger_is_kept_as_parquet(one_run):
    one_run.queuevisor("ledger")
    files = list((one_run.processed / "ledger").rglob("*.parquet"))
    assert len(files) == 1
    assert "study=kvm-case-study/server=first/run=web-005-a" in files[0].as_posix()
    kept = pl.read_parquet(files[0], hive_partitioning=False)
    assert kept.columns == COLUMNS


@pytest.mark.parametrize(
    ("log", "lacking", "kept"),
    [
        ("web/top.log.zst", "R_cpu", "R_disk"),
        ("web/block.log.zst", "R_vdisk", "R_disk"),
        ("host/block.log.zst", "R_disk", "R_vdisk"),
    ],
)
def test_a_missing_log_takes_only_its_own_numbers(own_run, log, lacking, kept):
    (own_run.run / log).unlink()
    done = own_run.queuevisor("ledger", "--format", "json")
    assert done.returncode == 1, "reported, and the rest was done"
    assert log.removesuffix(".zst") in done.stderr
    rows = [r for r in json.loads(done.stdout) if r["variant"] == "corrected"]
    found = {r["quantity"]: r for r in rows}
    assert found[lacking]["value"] is None
    assert found[lacking]["flags"]
    assert found[kept]["value"] is not None
    assert found["R_req"]["value"] is None
    assert next(r["value"] for r in json.loads(done.stdout) if r["quantity"] == "X_req") > 0


@pytest.mark.parametrize(("log", "disk"), [("host/iotop.log", "disk"), ("web/iotop.log", "vdisk")])
def test_without_iotop_equation_8_is_missing_and_a_demand_that_needs_no_share_is_not(
    own_run, log, disk
):
    (own_run.run / f"{log}.zst").unlink()
    done = own_run.queuevisor("ledger", "--format", "json")
    assert done.returncode == 1
    found = {(r["quantity"], r["variant"]): r for r in json.loads(done.stdout)}
    for quantity in (f"share_{disk}", f"D_{disk}_req", f"R_{disk}", "R_req"):
        assert found[quantity, "as-printed"]["value"] is None
        assert found[quantity, "as-printed"]["flags"]
        assert found[quantity, "corrected"]["value"] > 0


def test_the_old_name_of_an_option_works_and_says_what_the_new_one_is(one_run):
    new = one_run.queuevisor("ledger", "--variant", "corrected", "--format", "csv")
    old = one_run.queuevisor("ledger", "--reading", "corrected", "--format", "csv")
    assert old.stdout == new.stdout and old.returncode == new.returncode == 0
    assert "--variant" in old.stderr and "deprecated" in old.stderr
    wrong = one_run.queuevisor("ledger", "--variant", "nonsense")
    assert wrong.returncode == 2 and "as-printed, corrected" in wrong.stderr


def test_a_missing_client_log_leaves_what_needs_no_count(own_run):
    log = own_run.run / "client/httperf.log"
    log.unlink()
    done = own_run.queuevisor("ledger", "--format", "json")
    rows = json.loads(done.stdout)
    found = {(r["quantity"], r["variant"]): r["value"] for r in rows}
    assert done.returncode == 1
    assert found["T_cpu", "as-printed"] > 0
    assert found["U_disk_total", "as-printed"] > 0
    assert found["R_cpu", "as-printed"] is None
    assert found["lambda_log", None] == 600


def test_what_qemu_cost_the_host_is_in_the_ledger_of_an_idle_server_too(one_run):
    rows = json.loads(one_run.queuevisor("ledger", "--format", "json").stdout)
    busy = {
        r["virtual_server"]: r["value"]
        for r in rows
        if r["quantity"] == "U_qemu" and r["background"] == "kept"
    }
    assert set(busy) == {"web", "db"}
    assert 0 < busy["db"] < busy["web"] < 1.1
