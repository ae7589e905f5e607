"""``queuevisor audit``: what cannot be true in a table of measurements, or of a model's results."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import print_error, print_line

if TYPE_CHECKING:  # slow to import: not for help
    import polars as pl

    from pipeline.api import Audit

HIDDEN_CHECK = "not negative"
"""A check of every column, which the table of checks shows only where it fails."""


class Form(StrEnum):
    """Forms of the answer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def parse_tolerance(text: str | float) -> float:
    """A share, as ``0.05`` or ``5%``; raises ``typer.BadParameter``."""
    printed = str(text).strip()
    try:
        share = float(printed.removesuffix("%")) / (100 if printed.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise typer.BadParameter(f"{text!r} is no share; use for example 0.05 or 5%")
    return share


def audit_table(
    table: Annotated[Path, typer.Argument(help="CSV file with a header; or a ledger in CSV.")],
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MEANING", help="What a column is: 'latency=R_ms'; may be repeated."
        ),
    ] = None,
    constant: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A value of every row: Z_s=0.5, m_cpu=32, model=M/M/1; may be repeated.",
        ),
    ] = None,
    join: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Add the columns of this CSV file to the rows that agree with it."
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            parser=parse_tolerance,
            metavar="SHARE",
            help="Of laws between measured numbers, beyond rounding: requests that begin or end outside the "
            "measurement. 0 for a table of a model.",
        ),
    ] = 0.05,  # pipeline.audit.TOLERANCE, which help does not import
    form: Annotated[Form, typer.Option("--format", help="Output format.")] = Form.TABLE,
) -> None:
    """Find what cannot be true in a table: N = X (R + Z), U = X D / m, U <= 1, E[n] = E[nq] + m U, R >= sum of D, …

    Columns are known by name and unit: N, X_per_s, R_ms, Z_s, D_cpu_ms, U_cpu_percent, m_cpu, lambda_per_s, rho,
    E_nq, E_w_ms, and synonyms such as threads, throughput_per_s, response_time_ms. A check is made where its columns
    are there; what a printed digit or NAME_low and NAME_high allow for is no finding. A column `model` (M/M/1, M/M/m)
    adds the model's formulas. Exit code: 0 without findings, 1 with, 2 if the table cannot be read.
    All names and checks: docs/how-to/audit-a-table.md.

    Examples: queuevisor audit results.csv; queuevisor audit results.csv --column 'clients=N' --set Z_s=0.5;
    queuevisor audit data/raw/published/tables.csv --join data/raw/published/workloads.csv
    """
    from pipeline.api import audit_table, parse_assignments

    audit = audit_table(
        table,
        join_with=join,
        names=parse_assignments("--column", column or ()),
        constants=parse_assignments("--set", constant or ()),
        tolerance=tolerance,
    )
    if form is Form.TABLE:
        print_audit(audit)
    else:
        import json

        from pipeline.api.export import to_csv
        from pipeline.escape import escape_json

        if form is Form.CSV:
            typer.echo(to_csv(audit.findings))
        else:
            document = {"table": str(table), **audit.to_dict()}
            typer.echo(escape_json(json.dumps(document, ensure_ascii=False, indent=1)))
    print_error(f"{table}: {audit.summary()}")
    if audit.count:
        raise typer.Exit(1)


def print_audit(audit: Audit) -> None:
    """Print the findings, the checks and the columns that are not checked as tables."""
    import polars as pl

    from pipeline.cli.tabulate import show

    if audit.count:
        shown = audit.findings.select(
            "line",
            "unit",
            "ratio",
            "difference",
            row="label",
            must_hold="formula",
            left="left_side",
            right="right_side",
        )
        order = ("line", "row", "must_hold", "left", "right", "unit", "ratio", "difference")
        show(_without_empty(shown.select(order)), "findings")
        print_line("any one of these changes would reconcile a row:")
        for line, formula, changes in audit.findings.select(
            "line", "formula", "reconciled_by"
        ).iter_rows():
            print_line(f"  line {line}, {formula}: {changes or 'none'}")
    checks = audit.checks.filter((pl.col("check") != HIDDEN_CHECK) | (pl.col("findings") > 0))
    show(_without_empty(checks), "checks")
    left_out = audit.columns.filter(pl.col("not_checked") != "")
    if not left_out.is_empty():
        show(left_out.select("column", reason="not_checked"), "columns that are not checked")
    if audit.count > audit.findings.height:
        print_line(f"the first {audit.findings.height:,} of {audit.count:,} findings are listed")


def _without_empty(frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns that have no text in any row."""
    import polars as pl

    empty = [
        column.name
        for column in frame.select(pl.selectors.string())
        if not (column.fill_null("") != "").any()
    ]
    return frame.drop(empty)
