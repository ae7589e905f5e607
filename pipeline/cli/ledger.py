"""``queuevisor ledger``: every number of the equations, as a table or for another program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    from pipeline.cli import ledger_output
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
    for_people = output in (TABLE, LATEX) and not (wide or names)
    schema = pl.Schema({name: LEDGER.columns[name].dtype for name in names or LEDGER.columns})
    is_chosen = pl.lit(True)
    for column, values in (("quantity", quantity), ("variant", variants)):
        if values:
            is_chosen &= pl.col(column).is_in(values)
    with orderly_exit():
        manifest = ingest_and_print(runs, settings, workers=workers, scheduler=scheduler)
        rows = manifest.filter(pl.col("status") != "failed").select(RUN_KEYS).rows()
        chosen = [run for run in runs if (run.study, run.server, run.run) in rows]
        ledgers = _Ledgers(chosen, settings, workers, scheduler)
        with ledger_output.opened(output, out, schema, for_people=for_people) as target:
            if for_people:
                target = ledger_output.ForPeople(target, all_rows=bool(quantity))
            has_rows = has_chosen = False
            for run, frame in ledgers:
                has_rows |= not frame.is_empty()
                frame = frame.filter(is_chosen)
                if not frame.is_empty():
                    has_chosen = True
                    target.write(frame, run)
            if not has_rows:  # the reasons are printed
                raise typer.Exit(2)
            if not has_chosen:
                raise usage_error("no number of these runs has that quantity in that variant")
    if for_people:
        print_error(target.counts())
    if ledgers.has_error or has_unreadable or not is_complete(manifest):
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


class _Ledgers:
    """The ledgers of ingested runs, and after that whether one could not be computed, or a log lacks a part.

    That is printed. A run without a load because of a fault in run.json has no ledger.
    """

    def __init__(
        self, runs: Sequence[api.Run], settings: Settings, workers: int, scheduler: str | None
    ):
        self._runs = [run for run in runs if not _has_broken_load(run)]
        self._settings = settings
        self._where = {"workers": workers, "scheduler": scheduler}
        self.has_error = False

    def __iter__(self) -> Iterator[tuple[api.Run, pl.DataFrame]]:
        not_stored: list[OSError] = []
        processed = self._settings.processed
        with progress("ledger", len(self._runs), "run") as step:
            yield from api.iterate_ledgers(
                self._runs,
                processed,
                progress=lambda run: step(run.id),
                not_stored=not_stored.append,
                log_problem=self._print_problem,
                failed=self._print_problem,
                **self._where,
            )
        if not_stored:
            reason = not_stored[0].strerror or not_stored[0]
            count = len(not_stored)
            ledgers = "1 ledger is" if count == 1 else f"{count:,} ledgers are"
            print_error(f"{processed}: {ledgers} printed and not stored: {reason}")

    def _print_problem(self, run: api.Run, problem: str) -> None:
        self.has_error = True
        print_error(f"{run.id}: {problem}")


def _has_broken_load(run: api.Run) -> bool:
    """Whether run.json is at fault that the run has no load."""
    run = replace(run)  # without what it caches
    has_load = any(server.workload for server in run.virtual_servers.values())
    return not has_load and any(text.startswith("run.json") for text in run.problems())
