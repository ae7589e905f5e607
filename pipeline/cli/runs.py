"""``queuevisor runs``: what is recorded, and which files have problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from pipeline import api
from pipeline.cli.console import Settings, print_error, usage_error
from pipeline.cli.tabulate import show


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


def list_runs(context: typer.Context) -> None:
    """List the recorded runs and the problems of their files.

    Exit code 1 if a run has a problem, 2 if there is no run.

    Example: queuevisor --raw data/raw runs
    """
    settings: Settings = context.obj
    frame = api.list_runs(settings.raw)
    if frame.is_empty():
        raise usage_error(no_run(settings.raw))
    show(frame)
    for run in api.select_runs(settings.raw):
        if run.is_imported:
            typer.echo(f"{run.id}: {imported(run)}")
    problems = api.find_problems(settings.raw)
    for problem in problems:
        print_error(problem)
    if problems:
        raise typer.Exit(1)
