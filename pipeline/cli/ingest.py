"""``queuevisor ingest``: raw runs into tidy tables."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline import api
from pipeline.cli.console import Settings, print_error, progress
from pipeline.cli.runs import select_runs

Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]


def ingest_runs(
    context: typer.Context,
    run: Annotated[
        list[str] | None,
        typer.Argument(help="Run ids: study, study/server, study/server/run (default: all)."),
    ] = None,
    workers: Workers = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler, to ingest on a cluster.")
    ] = None,
) -> None:
    """Read raw runs into tidy Parquet tables in data/processed.

    Unchanged runs are skipped. Exit code 1 if a log could not be read to its end, or contradicts run.json or
    facts.json.

    Example: queuevisor ingest kvm-case-study/first --workers 2
    """
    settings: Settings = context.obj
    runs = select_runs(settings.raw, run or ())
    if not ingest_with_progress(runs, settings, workers=workers, scheduler=scheduler):
        raise typer.Exit(1)


def ingest_with_progress(
    runs: list[api.Run], settings: Settings, *, workers: int = 1, scheduler: str | None = None
) -> bool:
    """Ingest ``runs`` and print their problems; whether every log of every run was read."""
    with progress("ingest", len(runs)) as step:
        manifest = api.ingest_runs(
            runs,
            settings.processed,
            workers=workers,
            scheduler=scheduler,
            progress=lambda row: step(f"{_id(row)}: {row['status']}, {row['rows']} rows"),
        )
    for row in manifest.iter_rows(named=True):
        for problem in row["problems"]:
            print_error(f"{_id(row)}: {problem}")
        if row["rejects"]:
            print_error(f"{_id(row)}: {row['rejects']} lines rejected, listed in table rejects")
    return manifest["problems"].list.len().sum() == 0 and "failed" not in manifest["status"]


def _id(row: dict[str, str]) -> str:
    return f"{row['study']}/{row['server']}/{row['run']}"
