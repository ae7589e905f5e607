"""``queuevisor ingest``: raw runs into tidy tables."""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
import typer

from pipeline import api
from pipeline.cli.console import Settings, orderly_exit, print_error, progress
from pipeline.cli.runs import RunIds, select_runs

Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]


def ingest_runs(
    context: typer.Context,
    run: RunIds = None,
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
    with orderly_exit():
        is_complete = ingest_with_progress(runs, settings, workers=workers, scheduler=scheduler)
    if not is_complete:
        raise typer.Exit(1)


def ingest_with_progress(
    runs: list[api.Run], settings: Settings, *, workers: int = 1, scheduler: str | None = None
) -> bool:
    """Ingest ``runs`` and print their problems; whether every log of every run was read."""
    manifest = ingest_and_print(runs, settings, workers=workers, scheduler=scheduler)
    return manifest["problems"].list.len().sum() == 0 and "failed" not in manifest["status"]


def ingest_and_print(
    runs: list[api.Run], settings: Settings, *, workers: int = 1, scheduler: str | None = None
) -> pl.DataFrame:
    """Ingest ``runs`` and print their problems; the rows of ``api.ingest_runs``."""
    with progress("ingest", len(runs), "run") as step:

        def report(row: dict[str, Any]) -> None:
            if row["status"] == "unchanged":
                step.unchanged()
            else:
                step(f"{_id(row)}: {row['status']}, {row['rows']:,} rows")

        manifest = api.ingest_runs(
            runs, settings.processed, workers=workers, scheduler=scheduler, progress=report
        )
    for row in manifest.iter_rows(named=True):
        for problem in row["problems"]:
            print_error(f"{_id(row)}: {problem}")
        if row["rejects"]:
            print_error(f"{_id(row)}: {row['rejects']} lines rejected, listed in table rejects")
    return manifest


def _id(row: dict[str, str]) -> str:
    return f"{row['study']}/{row['server']}/{row['run']}"
