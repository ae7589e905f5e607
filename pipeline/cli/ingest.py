"""``queuevisor ingest``: raw runs into tidy tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from pipeline import api
from pipeline.cli.console import Settings, orderly_exit, print_error, progress
from pipeline.cli.options import MaxExpanded, Scheduler, Workers
from pipeline.cli.runs import RunIds, print_unreadable_folders, select_runs
from pipeline.files import MAX_EXPANDED_BYTES

if TYPE_CHECKING:  # slow to import: not for help
    import polars as pl


def ingest_runs(
    context: typer.Context,
    run: RunIds = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    max_expanded: MaxExpanded = MAX_EXPANDED_BYTES,
) -> None:
    """Read raw runs into tidy Parquet tables in data/processed.

    Unchanged runs are skipped; damaged tables are written again. Exit code 1 if data of a log are lost or doubtful, or
    contradict run.json or facts.json, and if some runs could not be read; 2 if none could.

    Example: queuevisor ingest kvm-case-study/first --workers 2
    """
    settings: Settings = replace(context.obj, max_expanded_bytes=max_expanded)
    runs = select_runs(settings.raw, run or ())
    has_unreadable = print_unreadable_folders(settings.raw, run or ())
    with orderly_exit():
        manifest = ingest_and_print(runs, settings, workers=workers, scheduler=scheduler)
    if (manifest["status"] == "failed").all():
        raise typer.Exit(2)
    if has_unreadable or not is_complete(manifest):
        raise typer.Exit(1)


def is_complete(manifest: pl.DataFrame) -> bool:
    """Whether every run of ``api.ingest_runs`` was read, without a problem or warning."""
    findings = manifest["problems"].list.len() + manifest["warnings"].list.len()
    return findings.sum() == 0 and "failed" not in manifest["status"]


def ingest_and_print(
    runs: list[api.Run], settings: Settings, *, workers: int = 1, scheduler: str | None = None
) -> pl.DataFrame:
    """Ingest ``runs`` and print their problems and warnings; the rows of ``api.ingest_runs``."""
    with progress("ingest", len(runs), "run") as step:

        def report(row: dict[str, Any]) -> None:
            if row["status"] == "unchanged":
                step.unchanged()
            else:
                status = STATUS_TEXTS.get(row["status"], row["status"])
                new = "".join(f"; {text}" for text in row.get("continued", ()))
                step(
                    f"{_id(row)}: {status}, {row['rows']:,} rows{new}",
                    keep=row["status"] == "repaired" or bool(new),
                )

        manifest = api.ingest_runs(
            runs,
            settings.processed,
            workers=workers,
            scheduler=scheduler,
            progress=report,
            max_expanded_bytes=settings.max_expanded_bytes,
        )
    failed: dict[str, list[str]] = {}
    for row in manifest.iter_rows(named=True):
        if row["status"] == "failed":
            failed.setdefault("; ".join(row["problems"]), []).append(_id(row))
            continue
        for line in finding_lines([*row["problems"], *row["warnings"]]):
            print_error(f"{_id(row)}: {line}")
        if row["rejects"]:
            files = ", ".join(row["reject_files"])
            lines = "1 line" if row["rejects"] == 1 else f"{row['rejects']:,} lines"
            print_error(f"{_id(row)}: {lines} rejected of {files}, listed in table rejects")
    for problem, ids in failed.items():
        count = len(ids) - 1
        more = f" and {count:,} more run{'' if count == 1 else 's'}" if count else ""
        print_error(f"{ids[0]}{more}: {problem}")
    return manifest


STATUS_TEXTS = {"repaired": "stored tables were damaged, ingested again"}
MAX_FINDINGS = 6
"""Lines about one run."""


def finding_lines(sentences: Sequence[str]) -> list[str]:
    """Problems and warnings of a run: one line per file, and one for what is the same of several files.

    Examples
    --------
    >>> finding_lines(["a.log:1: clock", "a.log:9: clock", "b.log: missing", "c.log: missing"])
    ['a.log:1: clock; and 1 more about this file', 'b.log, c.log: missing']
    """
    by_file: dict[str, list[str]] = {}
    for text in sentences:
        by_file.setdefault(re.split(r"[:,]", text, maxsplit=1)[0], []).append(text)
    files: dict[str, list[str]] = {}
    for file, texts in by_file.items():
        more = f"; and {len(texts) - 1} more about this file" if len(texts) > 1 else ""
        files.setdefault(texts[0].removeprefix(file) + more, []).append(file)
    lines = [", ".join(names) + text for text, names in files.items()]
    if len(lines) > MAX_FINDINGS:
        more = f"and {len(lines) - MAX_FINDINGS + 1} more problems, on the run's page"
        lines[MAX_FINDINGS - 1 :] = [more]
    return lines


def _id(row: dict[str, str]) -> str:
    return f"{row['study']}/{row['server']}/{row['run']}"
