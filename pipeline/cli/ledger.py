"""``queuevisor ledger``: every number of the equations, as a table or for another program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import api
from pipeline.api import formats
from pipeline.cli.console import Settings, orderly_exit, print_error, progress, usage_error
from pipeline.cli.ingest import ingest_and_print, is_complete
from pipeline.cli.options import MaxExpanded, Scheduler, Workers, check_names
from pipeline.cli.runs import RunIds, print_unreadable_folders, select_runs
from pipeline.files import MAX_EXPANDED_BYTES

if TYPE_CHECKING:  # slow to import: not for help
    import polars as pl

TABLE, LATEX = "table", "latex"
TEXT_SUFFIX = ".txt"
FILE_WIDTH = 80
Format = StrEnum("Format", {name: name for name in (TABLE, *formats.FORMATS.values())})


def print_ledger(
    context: typer.Context,
    run: RunIds = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Output format (default: table, or that of OUT's suffix)."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help=f"Write to this file: {', '.join(formats.FORMATS)} or .txt."
        ),
    ] = None,
    quantity: Annotated[
        list[str] | None, typer.Option(help="Only this quantity, e.g. R_disk; may be repeated.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(help="Only this variant: as-printed or corrected.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Only these columns, e.g. quantity,value,low,high.")
    ] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="A table with all rows and columns, however wide.")
    ] = False,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    max_expanded: MaxExpanded = MAX_EXPANDED_BYTES,
    reading: Annotated[
        list[str] | None, typer.Option(help="Old name of --variant.", hidden=True)
    ] = None,
) -> None:
    """Print the ledger: every number with its unit, interval, variant and notes.

    The table leaves out single processes and combinations of choices without a name; --wide, --quantity and the
    other formats have them. Columns: docs/reference/tables.md. A note that begins with "failed check:" names a
    check of the run that failed; the number depends on it.

    Example: queuevisor ledger kvm-case-study/first/db-16-a --variant corrected
    """
    import polars as pl

    from pipeline.tables import LEDGER, RUN_KEYS

    settings: Settings = replace(context.obj, max_expanded_bytes=max_expanded)
    if reading:
        print_error("--reading is deprecated; use --variant")
    variants = [*(variant or ()), *(reading or ())]
    names = list(dict.fromkeys(name.strip() for name in columns.split(","))) if columns else []
    check_names("--variant", variants, list(api.VARIANTS))
    check_names("--quantity", quantity or (), list(api.CATALOGUE))
    check_names("--columns", names, list(LEDGER.columns))
    output = _format(form, out)
    runs = select_runs(settings.raw, run or ())
    has_unreadable = print_unreadable_folders(settings.raw, run or ())
    with orderly_exit():
        manifest = ingest_and_print(runs, settings, workers=workers, scheduler=scheduler)
        rows = manifest.filter(pl.col("status") != "failed").select(RUN_KEYS).rows()
        chosen = [run for run in runs if (run.study, run.server, run.run) in rows]
        frame, has_error = _ledgers(chosen, settings, workers, scheduler)
    if frame.is_empty():  # the reasons are printed
        raise typer.Exit(2)
    if quantity:
        frame = frame.filter(pl.col("quantity").is_in(quantity))
    if variants:
        frame = frame.filter(pl.col("variant").is_in(variants))
    if frame.is_empty():
        raise usage_error("no number of these runs has that quantity in that variant")
    if output in (TABLE, LATEX) and not (wide or names):
        _print_for_people(frame, runs, output, out, all_rows=bool(quantity))
    else:
        _print_frame(frame.select(names or list(LEDGER.columns)), output, out)
    if has_error or has_unreadable or not is_complete(manifest):
        raise typer.Exit(1)


def _format(form: Format | None, out: Path | None) -> str:
    """Format of the output; exit code 2 if there is none, or the file cannot be written."""
    if out is None:
        from pipeline.api import export

        output = (form or Format.table).value
        if output != TABLE and output not in export.TEXT_FORMATS:
            raise usage_error(f"--format {output} needs a file; add -o ledger.{output}")
        return output
    if form is Format.table or (form is None and out.suffix.lower() == TEXT_SUFFIX):
        if out.suffix.lower() in formats.FORMATS:
            raise usage_error(f"{out}: --format table is a text; use another suffix, e.g. .txt")
        output = TABLE
    else:
        output = formats.format_of(out, form and form.value)
    formats.check_writable(out)
    return output


def _ledgers(
    runs: Sequence[api.Run], settings: Settings, workers: int, scheduler: str | None
) -> tuple[pl.DataFrame, bool]:
    """The ledgers of ingested runs, and whether one could not be computed, or a log lacks a part; that is printed.

    A run without a load because of a fault in run.json has no ledger.
    """
    not_stored, has_error = [], False

    def print_problem(run: api.Run, problem: str) -> None:
        nonlocal has_error
        has_error = True
        print_error(f"{run.id}: {problem}")

    loaded = [run for run in runs if not _has_broken_load(run)]
    with progress("ledger", len(loaded), "run") as step:
        frame = api.store_ledgers(
            loaded,
            settings.processed,
            workers=workers,
            scheduler=scheduler,
            progress=lambda run: step(run.id),
            not_stored=not_stored.append,
            log_problem=print_problem,
            failed=print_problem,
        )
    if not_stored:
        reason = not_stored[0].strerror or not_stored[0]
        ledgers = "1 ledger is" if len(not_stored) == 1 else f"{len(not_stored):,} ledgers are"
        print_error(f"{settings.processed}: {ledgers} printed and not stored: {reason}")
    return frame, has_error


def _has_broken_load(run: api.Run) -> bool:
    """Whether run.json is at fault that the run has no load."""
    has_load = any(server.workload for server in run.virtual_servers.values())
    return not has_load and any(text.startswith("run.json") for text in run.problems())


def _print_frame(frame: pl.DataFrame, output: str, out: Path | None) -> None:
    """Write the frame as it is: to ``out``, else to standard output."""
    from pipeline.api import export
    from pipeline.cli.tabulate import as_wide_text

    if output == TABLE:
        _print_text(as_wide_text(frame), out)
    elif out is not None:
        export.write_frame(frame, out, output)
    else:
        _print_text(export.TEXT_FORMATS[output](frame) + "\n", out)


def _print_for_people(
    frame: pl.DataFrame, runs: Sequence[api.Run], output: str, out: Path | None, *, all_rows: bool
) -> None:
    """Write the table of ``ledger_table``, as text or as LaTeX, and count its notes on standard error."""
    import io

    from rich.console import Console

    from pipeline.cli.ledger_table import as_latex, print_tables, select_main_rows

    rows = frame if all_rows else select_main_rows(frame)
    titles = {run.id: run_title(run) for run in runs}
    if output == LATEX:
        _print_text(as_latex(rows, titles) + "\n", out)
    elif out is None:
        print_tables(rows, titles, Console(highlight=False))
    else:
        buffer = io.StringIO()
        print_tables(rows, titles, Console(file=buffer, width=FILE_WIDTH, highlight=False))
        _print_text(buffer.getvalue(), out)
    counts = f"{rows['flags'].list.len().gt(0).sum()} of {rows.height} numbers have notes"
    if missing := rows["value"].null_count():
        counts += f", {missing} are missing"
    if hidden := frame.height - rows.height:
        counts += f"; --wide has {hidden} more"
    print_error(counts)


def _print_text(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
    else:
        formats.write_bytes(out, text.encode())


def run_title(run: api.Run) -> str:
    """What the run is: its loads and its length."""
    from pipeline.units import format_short

    parts = [api.load_text(run) or "no load"]
    if run.window is not None:
        parts.append(f"{format_short(run.window.duration_s, 4)} s")
    return ", ".join(parts)
