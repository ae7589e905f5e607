"""``queuevisor runs | ingest | ledger | report``: from recorded studies to numbers and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipeline import api, files
from pipeline.cli.say import complain, progress, refusal
from pipeline.cli.tabulate import Format, as_csv, as_json, as_latex, show, write_xlsx


@dataclass(frozen=True)
class Settings:
    """Folders that every command shares."""

    raw: Path
    processed: Path


def ingested(runs: list[api.Run], settings: Settings, workers: int, scheduler: str | None) -> bool:
    """Bring ``runs`` into tidy tables; whether all of them came in whole. Problems are told."""
    with progress("ingest", len(runs)) as step:
        manifest = api.ingest_runs(
            runs,
            settings.processed,
            workers=workers,
            scheduler=scheduler,
            progress=lambda row: step(f"{_id(row)}: {row['status']}, {row['rows']} rows"),
        )
    for row in manifest.iter_rows(named=True):
        for sentence in row["problems"]:
            complain(f"{_id(row)}: {sentence}")
        if row["rejects"]:
            complain(
                f"{_id(row)}: {row['rejects']} lines rejected (table rejects says which and why)"
            )
    return manifest["problems"].list.len().sum() == 0 and "failed" not in manifest["status"]


def _selected(raw: Path, selectors: Sequence[str]) -> list[api.Run]:
    chosen = api.select_runs(raw, selectors)
    if not chosen:
        raise refusal(f"{raw}: no recorded run here")
    return chosen


def _id(row: dict[str, str]) -> str:
    return f"{row['study']}/{row['server']}/{row['run']}"


def list_runs(context: typer.Context) -> None:
    """What is recorded in data/raw, and what is wrong with it.

    Exit code 1 if something is wrong with a run, 2 if there is none.
    """
    settings: Settings = context.obj
    frame = api.list_runs(settings.raw)
    if frame.is_empty():
        raise refusal(f"{settings.raw}: no recorded run here (docs/how-to tells how to record one)")
    show(frame)
    found = api.find_problems(settings.raw)
    for sentence in found:
        complain(sentence)
    if found:
        raise typer.Exit(1)


def ingest_runs(
    context: typer.Context,
    run: Annotated[
        list[str] | None,
        typer.Argument(help="study/server/run, or the beginning of one; all runs if none."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes to work with.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler, for a cluster.")
    ] = None,
) -> None:
    """Read raw runs into tidy Parquet tables in data/processed.

    Runs that are there already and have not changed are skipped. Exit code 1 if some log could not be read to its
    end, or contradicts what run.json or facts.json says.
    """
    settings: Settings = context.obj
    chosen = _selected(settings.raw, run or ())
    if not ingested(chosen, settings, workers, scheduler):
        raise typer.Exit(1)


def print_ledger(
    context: typer.Context,
    study: Annotated[
        str | None,
        typer.Argument(help="A study, study/server or study/server/run; all if none."),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write to (xlsx needs one).")
    ] = None,
    quantity: Annotated[str | None, typer.Option(help="Only this quantity, e.g. R_disk.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Only this variant: as-printed or corrected.")
    ] = None,
    reading: Annotated[str | None, typer.Option(help="Old name of --variant.")] = None,
) -> None:
    """Print the ledger: every number with its unit, equation, variant, source and doubts.

    A doubt that begins with "gate:" is a check of the run that failed and that the number rests on.

    Example: queuevisor ledger kvm-case-study/first/db-16-a --variant corrected
    """
    settings: Settings = context.obj
    if reading is not None:
        complain("--reading is deprecated: use --variant")
        variant = variant or reading
    if variant not in (None, *api.VARIANTS):
        raise refusal(f"no variant is called {variant}; there are {', '.join(api.VARIANTS)}")
    chosen = _selected(settings.raw, [study] if study else ())
    if form is Format.XLSX and out is None:
        raise refusal("a spreadsheet needs a file: add -o ledger.xlsx")
    whole = ingested(chosen, settings, 1, None)
    with progress("ledger", len(chosen)) as step:
        frame = api.store_ledgers(
            chosen, settings.raw, settings.processed, progress=lambda run: step(run.id)
        )
    if quantity is not None:
        frame = frame.filter(pl.col("quantity") == quantity)
    if variant is not None:
        frame = frame.filter(pl.col("variant") == variant)
    _print(frame, form, out)
    if not whole:
        raise typer.Exit(1)


def make_report(
    context: typer.Context,
    study: Annotated[str | None, typer.Argument(help="A study; all of them if none.")] = None,
    only: Annotated[
        str | None, typer.Option(help="Only this notebook, e.g. compare_servers.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Notebooks to run at once.")] = 1,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the pages.")] = Path(
        "reports"
    ),
) -> None:
    """Run the notebooks and write pages that open offline: reports/index.html.

    A notebook that fails does not stop the others; it is marked in the index, and the exit code is 1.
    """
    from pipeline import report  # papermill and nbconvert take a second to import

    settings: Settings = context.obj
    studies = api.find_studies(settings.raw)
    names = [known.name for known in studies]
    if not names or study not in (None, *names):
        raise refusal(
            f"{settings.raw}: no study is called {study!r}; there are: {', '.join(names) or 'none'}"
        )
    try:
        pages = [
            page
            for known in studies
            if study in (None, known.name)
            for page in report.plan_pages(known, only)
        ]
    except ValueError as error:
        raise refusal(str(error)) from None
    chosen = [run for run in api.find_runs(settings.raw) if study in (None, run.study)]
    whole = ingested(chosen, settings, workers, None)
    with progress("report", len(pages)) as step:
        done = report.render_studies(
            study,
            raw=settings.raw,
            processed=settings.processed,
            out=out,
            only=only,
            workers=workers,
            progress=lambda row: step(_page_line(row)),
        )
    typer.echo(f"{out / 'index.html'}")
    if not (done and whole):
        raise typer.Exit(1)


def _page_line(row: dict[str, object]) -> str:
    if row["error"]:
        return f"{row['page']} FAILED: {row['error']}"
    return f"{row['page']} done in {row['seconds']:.1f} s"


def _print(frame: pl.DataFrame, form: Format, out: Path | None) -> None:
    if form is Format.XLSX and out is not None:
        write_xlsx(frame, out)
        return
    as_text = {Format.CSV: as_csv, Format.JSON: as_json, Format.LATEX: as_latex}.get(form)
    if as_text is None and out is None:
        show(frame.drop("study", "source"))
    elif as_text is None:
        raise refusal("a table is for the terminal; give --format csv, json, xlsx or latex with -o")
    elif out is None:
        typer.echo(as_text(frame))
    else:
        files.write_text(out, as_text(frame) + "\n")
