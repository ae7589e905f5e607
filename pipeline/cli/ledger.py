"""``queuevisor ledger``: every number of the equations, as a table or for another program."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipeline import api
from pipeline.api import export
from pipeline.cli.console import Settings, print_error, progress, usage_error
from pipeline.cli.ingest import ingest_with_progress
from pipeline.cli.runs import select_runs
from pipeline.cli.tabulate import show


class Format(StrEnum):
    """Output formats."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    LATEX = "latex"


def print_ledger(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(help="Run id or prefix: study, study/server … (default: all)."),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Output format; xlsx needs -o.")
    ] = Format.TABLE,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write to this file.")] = None,
    quantity: Annotated[str | None, typer.Option(help="Only this quantity, e.g. R_disk.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Only this variant: as-printed or corrected.")
    ] = None,
    reading: Annotated[str | None, typer.Option(help="Old name of --variant.", hidden=True)] = None,
) -> None:
    """Print the ledger: every number with its unit, equation, variant, interval, source and flags.

    A flag that begins with "failed check:" names a check of the run that failed; the number depends on it.

    Example: queuevisor ledger kvm-case-study/first/db-16-a --variant corrected
    """
    settings: Settings = context.obj
    if reading is not None:
        print_error("--reading is deprecated; use --variant")
        variant = variant or reading
    if variant not in (None, *api.VARIANTS):
        raise usage_error(
            f"--variant {variant}: no such variant; choose from {', '.join(api.VARIANTS)}"
        )
    if form is Format.XLSX and out is None:
        raise usage_error("--format xlsx needs a file; add -o ledger.xlsx")
    runs = select_runs(settings.raw, [run] if run else ())
    is_complete = ingest_with_progress(runs, settings)
    with progress("ledger", len(runs)) as step:
        frame = api.store_ledgers(
            runs, settings.raw, settings.processed, progress=lambda done: step(done.id)
        )
    if quantity is not None:
        frame = frame.filter(pl.col("quantity") == quantity)
    if variant is not None:
        frame = frame.filter(pl.col("variant") == variant)
    _print(frame, form, out)
    if not is_complete:
        raise typer.Exit(1)


def _print(frame: pl.DataFrame, form: Format, out: Path | None) -> None:
    if form is Format.TABLE and out is not None:
        raise usage_error("-o needs --format csv, json, xlsx or latex; a table is for the terminal")
    if out is not None:
        export.write_frame(frame, out, form.value)
    elif form is Format.TABLE:
        show(frame.drop("study", "source"))
    else:
        typer.echo(export.TEXT_FORMATS[form.value](frame))
