"""``queuevisor runs``: what is recorded, and which files have problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import api, storage
from pipeline.cli.console import Settings, print_error, print_line, usage_error

if TYPE_CHECKING:  # slow to import: not for help
    import polars as pl

RunIds = Annotated[
    list[str] | None,
    typer.Argument(help="Run ids: study, study/server, study/server/run (default: all)."),
]


def select_runs(raw: Path, selectors: Sequence[str] = ()) -> list[api.Run]:
    """The recorded runs whose id begins with one of ``selectors``, all without any; exit code 2 if there is none."""
    runs = api.select_runs(raw, selectors)
    if not runs:
        if print_unreadable_folders(raw, selectors):
            raise typer.Exit(2)
        raise usage_error(no_run(raw))
    return runs


def print_unreadable_folders(raw: Path, selectors: Sequence[str] = ()) -> bool:
    """Print the folders whose runs cannot be found for want of rights; whether there is one."""
    sentences = api.find_unreadable_folders(raw, selectors)
    for sentence in sentences:
        print_error(sentence)
    return bool(sentences)


def no_run(raw: Path) -> str:
    """The message for a folder without a recorded run."""
    return f"{raw}: no recorded run; record one (docs/how-to/record-a-run.md) or give another folder with --raw"


def imported(run: api.Run) -> str:
    """What was inferred about a run that ``queuevisor import`` made."""
    what = "times of the logs and window" if run.has_inferred_times else "window of the load"
    return f"{what} inferred (notes of run.json)"


def list_runs(
    context: typer.Context,
    run: RunIds = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare logs and facts.json with their checksums.")
    ] = False,
    write_checksums: Annotated[
        bool,
        typer.Option(
            "--write-checksums",
            help="Write the checksums of the given runs into run.json: for a recording without them, or edited on "
            "purpose.",
        ),
    ] = False,
) -> None:
    """List the recorded runs and the problems of their files.

    Exit code 1 if a run has a problem, 2 if there is no run.

    Example: queuevisor runs 'kvm-case-study/first/db-*'
    """

    from pipeline.cli.tabulate import show

    settings: Settings = context.obj
    if verify and write_checksums:
        raise usage_error("--verify and --write-checksums exclude each other")
    if write_checksums and not run:
        raise usage_error(
            "--write-checksums needs the ids of runs: queuevisor runs RUN… --write-checksums"
        )
    runs = select_runs(settings.raw, run or ())
    if verify or write_checksums:
        if mirror := storage.mirror_of(settings.raw):
            if write_checksums:
                raise usage_error(f"{mirror.url}: write checksums before runs are uploaded")
            for each in runs:
                mirror.fetch(each.id, has_logs=True)
        has_unreadable = print_unreadable_folders(settings.raw, run or ())
        (_verify if verify else _write_checksums)(settings.raw, run or ())
        if has_unreadable:
            raise typer.Exit(1)
        return
    show(api.list_runs(settings.raw, runs))
    for each in runs:
        if each.is_imported:
            print_line(f"{each.id}: {imported(each)}")
    problems = api.find_problems(settings.raw, run or (), runs)
    for problem in problems:
        print_error(problem)
    if problems:
        raise typer.Exit(1)


def _verify(raw: Path, selectors: Sequence[str]) -> None:
    """Print what differs from the checksums in run.json, and how many files were compared."""
    rows = api.verify_checksums(raw, selectors)
    _print_differences(raw, rows)
    without = rows.filter(rows["files"].is_null())["run"].to_list()
    for run in without:
        typer.echo(f"{run}: no checksums in run.json")
    count = rows["differences"].list.len().sum()
    typer.echo(
        f"{rows['files'].sum():,} files of {rows.height - len(without)} runs verified: {count} differ; "
        f"{len(without)} runs without checksums"
    )
    if count:
        raise typer.Exit(1)


def _write_checksums(raw: Path, selectors: Sequence[str]) -> None:
    """Write checksums and print what differed from those that were there before."""
    rows = api.write_checksums(raw, selectors)
    _print_differences(raw, rows)
    problems = rows["problem"].drop_nulls().to_list()
    for problem in problems:
        print_error(problem)
    typer.echo(
        f"checksums of {rows['files'].sum():,} files of {rows.height - len(problems)} runs written"
    )
    if problems:
        raise typer.Exit(1)


def _print_differences(raw: Path, rows: pl.DataFrame) -> None:
    for run, sentence in (
        rows.select("run", "differences").explode("differences").drop_nulls().iter_rows()
    ):
        print_error(f"{raw / run}/{sentence}")
