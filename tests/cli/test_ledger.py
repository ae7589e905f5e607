"""``queuevisor ledger``: the table in 80 columns, output formats, missing logs, wrong calls."""

import csv
import io
import json
import re
import sys

import polars as pl
import pytest
from without_rights import run_without_rights

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


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".tex", ".txt", ".xlsx"])
def test_the_suffix_of_the_file_is_the_format(one_run, tmp_path, suffix):
    out = tmp_path / f"ledger{suffix}"
    done = one_run.queuevisor("ledger", "-o", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    content = out.read_bytes()
    if suffix == ".xlsx":
        assert content[:2] == b"PK"
    elif suffix == ".parquet":
        assert pl.read_parquet(out).columns == COLUMNS
    elif suffix == ".json":
        assert list(json.loads(content)[0]) == COLUMNS
    elif suffix == ".csv":
        assert pl.read_csv(out).columns == COLUMNS
    elif suffix == ".tex":
        check_latex(content.decode())
    else:
        assert max(map(len, content.decode().splitlines())) <= 80


def check_latex(text: str) -> None:
    """Six columns, R_cpu escaped."""
    rows = [line for line in text.splitlines() if " & " in line]
    assert {line.count(" & ") for line in rows} == {5}
    assert any(line.startswith(r"web & R\_cpu & ") for line in rows)
    assert not re.search(r"(?<!\\)[_&#%](?! )", "".join(rows))
    assert text.splitlines()[0].startswith("% Preamble: ")


@pytest.fixture(scope="session")
def table(one_run) -> str:
    """The table of one run."""
    done = one_run.queuevisor("ledger")
    assert done.returncode == 0
    assert re.search(
        r"queuevisor: \d+ of \d+ numbers have notes; --wide has \d+ more$", done.stderr
    )
    return done.stdout


def test_the_table_has_80_columns_and_says_what_the_run_is(table):
    lines = table.splitlines()
    assert lines[0] == "kvm-case-study/first/web-005-a: web 5/s even, 119.8 s"
    assert max(map(len, lines)) <= 80
    assert len(lines) < 120
    assert not any(line.endswith(" ") for line in lines)


def test_the_table_has_numbers_with_resolution_unit_variant_and_numbered_notes(table):
    rows = [re.split(r"  +", line) for line in table.splitlines()]
    assert ["lambda_total", "600", "requests"] in rows
    (row,) = [row for row in rows if row[0] == "R_cpu" and "as-printed" in row]
    assert re.fullmatch(r"7\.\d{3} ± 0\.\d", row[1]) and row[2] == "ms"
    (row,) = [row for row in rows if row[0] == "R_req" and "as-printed" in row]
    (note,) = [line for line in table.splitlines() if line.startswith(f"{row[4]} ")]
    assert "share capped at 1" in note
    assert rows.index(["db"]) < rows.index(["web"])
    assert "resolution" in table.splitlines()[-1]
    assert "T_cpu_process" not in table, "rows of single processes are in --wide"


def test_a_wider_table_and_chosen_columns(one_run):
    wide = one_run.queuevisor("ledger", "--wide").stdout
    assert all(name in wide.splitlines()[1] for name in COLUMNS)
    assert "T_cpu_process" in wide and "…" not in wide
    done = one_run.queuevisor("ledger", "--columns", "unit,quantity", "--format", "csv")
    assert done.stdout.splitlines()[0] == "unit,quantity"
    done = one_run.queuevisor("ledger", "--columns", "unit,quantity", "--quantity", "R_disk")
    assert {tuple(re.findall(r"\w+", line)) for line in done.stdout.splitlines()[3:-1]} == {
        ("s", "R_disk")
    }


@pytest.mark.parametrize("width", [40, 60])
def test_a_narrow_terminal_wraps(one_run, table, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    done = one_run.queuevisor("ledger", "--quantity", "R_req", "--quantity", "X_client")
    assert max(map(len, done.stdout.splitlines())) <= width
    assert "R_cpu" not in done.stdout
    if width == 60:
        for word in (
            "quantity",
            "R_req",
            "X_client",
            "service-demand, own",
            "13.76 ± 0.1",
            "nested",
        ):
            assert word in done.stdout


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--variant", "corected"], "choose from corrected, as-printed"),
        (["--quantity", "R_dsk"], "R_disk, R_vdisk"),
        (["--quantity", "R_disk", "--quantity", "r_cpu"], "R_cpu"),
        (["--columns", "quantity,valu"], "valu: no such column; nearest of 19: value"),
        (["-o", "ledger.doc"], ".csv, .json"),
        (["-o", "ledger.csv", "--format", "json"], "suffix of csv"),
        (["-o", "ledger.csv", "--format", "table"], ".txt"),
        (["--format", "xlsx"], "-o ledger.xlsx"),
        (["-o", "no/such/folder/ledger.csv"], "cannot be written: No such file"),
        (["-o", "."], "unsupported suffix"),
        (["kvm-case-stud"], "nearest: kvm-case-study"),
        (["kvm-case-study/fir"], "nearest: kvm-case-study/first"),
    ],
)
def test_a_wrong_call_is_one_line_that_names_what_exists(
    one_run, call, tmp_path, monkeypatch, options, names
):
    monkeypatch.chdir(tmp_path)
    folders = ["--raw", one_run.raw, "--processed", tmp_path / "processed"]
    code, output, errors = call("ledger", *folders, *options)
    assert (code, output) == (2, "")
    assert names in errors and errors.count("\n") == 1
    assert list(tmp_path.iterdir()) == [], "nothing was computed"


def test_a_log_without_permission_takes_only_its_own_numbers(own_run, tmp_path):
    (own_run.run / "web/top.log.zst").chmod(0)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    program = [sys.executable, "-m", "pipeline.cli", "--raw", str(own_run.raw)]
    program += ["--processed", str(own_run.processed), "ledger"]
    done = run_without_rights([*program, "-o", str(closed / "ledger.csv")])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"queuevisor: {closed}/ledger.csv: cannot be written: Permission denied\n"
    done = run_without_rights([*program, "--format", "json", "--variant", "corrected"])
    assert done.returncode == 1
    assert "web/top.log.zst: cannot be read: Permission denied" in done.stderr
    values = {row["quantity"]: row["value"] for row in json.loads(done.stdout)}
    assert values["R_cpu"] is None and values["R_disk"] > 0


def test_a_quantity_that_has_not_that_variant_is_an_error(one_run):
    done = one_run.queuevisor("ledger", "--quantity", "X_client", "--variant", "corrected")
    assert (done.returncode, done.stdout) == (2, "")
    assert "quantity" in done.stderr


def test_a_kind_of_load_that_there_is_not_is_a_message_and_no_table(own_run):
    own_run.change("run.json", virtual_servers__web__workload__kind="opn")
    done = own_run.queuevisor("ledger")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'workload.kind must be one of open, closed (got "opn")' in done.stderr


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
    assert wrong.returncode == 2 and "as-printed" in wrong.stderr


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
