"""``queuevisor audit``, as people and programs call it; on the ledger of a recorded run, and on hostile tables."""

import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from pipeline.api.export import to_csv
from pipeline.audit import AuditError, audit_table
from pipeline.cli.audit import audit_table as command
from pipeline.errors import Error
from pipeline.tables import LEDGER

app = typer.Typer()
app.callback()(lambda: None)  # a program with commands, as the whole one is
app.command("audit")(command)

RUN = CliRunner()


def call(*arguments):
    return RUN.invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("name,N,X_per_s,R_ms\nright,261,15976,16.34\nwrong,261,15976,32.484\n")
    return path


def test_table(table):
    result = call(table)
    assert result.exit_code == 1
    for text in ("wrong", "N = X (R + Z)", "518.9", "R_ms = 16.34 ms", "no think time"):
        assert text in result.stdout
    assert "│ right" not in result.stdout
    assert "2 rows, 1 check: 1 finding in 1 row" in result.stderr


def test_json(table):
    result = call(table, "--format", "json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["rows"], answer["finding_count"]) == (2, 1)
    (row,) = answer["findings"]
    assert (row["line"], row["label"], row["check"]) == (3, "wrong", "Little's law")
    assert row["ratio"] == pytest.approx(0.5029, abs=1e-4)
    assert row["difference"] == pytest.approx(-257.96, abs=0.01)
    assert {"column": "name", "read_as": "", "not_checked": "unknown name"} in answer["columns"]


def test_no_finding_is_exit_code_0(table):
    table.write_text("N;X_per_s;R_ms\n261;15.976,0;16,34\n")
    result = call(table)
    assert result.exit_code == 0
    assert "no finding" in result.stderr


def test_options(table):
    assert call(table, "--set", "Z_s=0", "--tolerance", "60%").exit_code == 0
    assert call(table, "--column", "N=threads", "--tolerance", "0").exit_code == 1
    assert call(table, "--tolerance", "lots").exit_code == 2
    for option in (("--set", "Z_s"), ("--set", "=1"), ("--column", "M=R_ms")):
        assert isinstance(call(table, *option).exception, Error), option


def test_the_papers_tables_by_one_command(root):
    folder = root / "data/raw/published"
    result = call(folder / "tables.csv", "--join", folder / "workloads.csv", "--format", "csv")
    assert result.exit_code == 1
    ratios = [line.split(",")[7] for line in result.stdout.splitlines()[1:] if "Little" in line]
    assert [float(ratio) for ratio in ratios] == pytest.approx([13.15, 4.62], abs=0.01)


def test_names_and_texts_are_no_markup_and_no_formulas(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('"=1+1","<script>",N,X_per_s,R_ms\n"=cmd()","\x1b[31m<script>",1,1,5\n')
    result = call(path, "--format", "csv")
    assert result.exit_code == 1
    assert "'=cmd()" in result.stdout and "\x1b" not in result.stdout
    for form in ("table", "json"):
        result = call(path, "--format", form)
        assert "<script>" in result.stdout and "\x1b" not in result.stdout


HOSTILE = {
    "": "empty",
    "N,X_per_s,R_ms\n": "no row",
    "1,2,3\n4,5,6\n": "name the columns",
    "N,N\n1,2\n": "same name",
    "N,X_per_s,R_ms\n1,2\n": ":2:",
    'N,X_per_s,R_ms\n1,2,"3,5"\n': "column 'R_ms'",
    "N,X_per_s,R_ms\n1,2,fast\n": "column 'R_ms'",
    "colour\nred\n": "no check",
    "quantity,value,unit\nX_req,fast,1/s\n": "column 'value'",
    "quantity,value,unit\nrate,290.83,GFLOPS\n": "no check",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_tables_that_cannot_be_read(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    error = call(path).exception
    assert isinstance(error, Error)
    assert HOSTILE[text] in str(error)
    assert str(path) in str(error)


def test_a_long_table_is_read_whole(tmp_path):
    path = tmp_path / "table.csv"
    rows = [f"{n},10,{100 * n}.0\n" for n in range(1, 30_001)]
    rows[20_000] = "7,10,7\n"
    path.write_text("N,X_per_s,R_ms\n" + "".join(rows))
    audit = audit_table(path)
    assert (audit.height, audit.findings["line"].to_list()) == (30_000, [20_002])


# -- the ledger in long form ------------------------------------------------------------------------------------

CHANGED = (
    "T", "lambda_total", "T_cpu", "R_cpu", "U_disk_total", "IO_vdisk_total", "share_disk", "D_vdisk_req", "R_disk",
    "R_req", "X_req", "N_client",
)  # fmt: skip


@pytest.fixture(scope="module")
def ledger(one_run, tmp_path_factory):
    """The ledger of a recorded run, every number of it."""
    out = tmp_path_factory.mktemp("ledger") / "ledger.csv"
    one_run.queuevisor("ledger", "--format", "csv", "-o", out)
    return pl.read_csv(out, schema_overrides={"value": pl.Float64}, infer_schema_length=None)


def audited(frame: pl.DataFrame, folder: Path):
    path = folder / "ledger.csv"
    path.write_text(to_csv(frame) + "\n")
    return audit_table(path)


def test_a_recorded_run_has_no_finding(ledger, tmp_path):
    assert set(ledger.columns) == set(LEDGER.columns)
    audit = audited(ledger, tmp_path)
    assert audit.count == 0
    checked = set(audit.checks["formula"])
    assert {"X_req = lambda_total / T", "R_disk = D_disk_req / (1 - U_disk_req)"} <= checked
    assert {"U <= 1", "low <= value", "R_req = R_cpu + R_vdisk + R_disk"} <= checked


def test_a_changed_value_is_found(ledger, tmp_path):
    rows = ledger.with_row_index().filter(pl.col("value") > 0, pl.col("equation") != "MVA")
    for quantity in CHANGED:
        row = rows.filter(pl.col("quantity") == quantity)["index"][-1]
        is_row = pl.int_range(pl.len()) == row
        changed = ledger.with_columns(
            pl.when(is_row).then(pl.col("value") * 1.5).otherwise("value").alias("value")
        )
        findings = audited(changed, tmp_path).findings
        assert findings["formula"].str.contains(quantity, literal=True).any(), quantity


def test_rows_that_only_a_missing_column_distinguishes(ledger, tmp_path):
    with pytest.raises(AuditError, match="differ in a column that is not there"):
        audited(ledger.select("run", "virtual_server", "quantity", "value", "unit"), tmp_path)


@pytest.mark.parametrize("variant", ["as-printed", "corrected"])
def test_a_column_per_quantity_has_no_finding(ledger, tmp_path, variant):
    choices = pl.all_horizontal(pl.col("demand", "denominator", "background", "sum").is_null())
    of_variant = (pl.col("variant") == variant) | (pl.col("variant").is_null() & choices)
    units = {"s": "_s", "requests/s": "_per_s", "operations/s": "_per_s"}
    suffix = pl.col("unit").replace_strict(units, default="")
    rows = ledger.filter(of_variant, pl.col("equation") != "MVA", pl.col("subject").is_null())
    wide = rows.with_columns(name=pl.col("quantity") + suffix).pivot(
        on="name", index=["run", "virtual_server"], values="value"
    )
    audit = audited(wide, tmp_path)
    assert audit.count == 0
    assert "N_client = X_client (R_client + Z)" in set(audit.checks["formula"])


def test_a_ledger_has_its_own_names(ledger, tmp_path):
    path = tmp_path / "ledger.csv"
    path.write_text(to_csv(ledger) + "\n")
    with pytest.raises(AuditError, match="leave --column and --set out"):
        audit_table(path, constants={"Z_s": "0"})
