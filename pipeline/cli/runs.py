"""``queuevisor runs``: what is recorded, and which files have problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipeline import api
from pipeline.cli.console import Settings, print_error, usage_error
from pipeline.cli.tabulate import show

RunIds = Annotated[
    list[str] | None,
    typer.Argument(help="Run ids: study, study/server, study/server/run (default: all)."),
]


def select_runs(raw: Path, selectors: Sequence[str] = ()) -> list[api.Run]:
    """The recorded runs whose id begins with one of ``selectors``, all without any; exit code 2 if there is none."""
    runs = api.select_runs(raw, selectors)
    if not runs:
        raise usage_error(no_run(raw))
    return runs


def no_run(raw: Path) -> str:
    """The message for a folder without a recorded run."""
    return f"{raw}: no recorded run; record one (docs/how-to/record-a-run.md) or give another folder with --raw"


def imported(run: api.Run) -> str:
    """What was inferred about a run that ``queuevisor import`` made."""
    what = "times of the logs and window" if run.has_inferred_times else "window of the load"
    return f"{what} inferred (notes of run.json)"


def list_runs(context: typer.Context, run: RunIds = None) -> None:
    """List the recorded runs and the problems of their files.

    Exit code 1 if a run has a problem, 2 if there is no run.

    Example: queuevisor runs 'kvm-case-study/first/db-*'
    """
    settings: Settings = context.obj
    runs = select_runs(settings.raw, run or ())
    frame = api.list_runs(settings.raw)
    show(frame.filter(pl.col("run").is_in([each.id for each in runs])))
    for each in runs:
        if each.is_imported:
            typer.echo(f"{each.id}: {imported(each)}")
    problems = api.find_problems(settings.raw, run or ())
    for problem in problems:
        print_error(problem)
    if problems:
        raise typer.Exit(1)
