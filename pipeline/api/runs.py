"""Recorded runs as a whole: list and select them, read them into tidy tables, compute their ledgers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from pipeline import ingest, ledger
from pipeline.raw import Run, Workload, check_study_names, find_studies

RUNS = pl.Schema(
    {
        "run": pl.String,
        "purpose": pl.String,
        "held out": pl.String,
        "length_s": pl.Float64,
        "load": pl.String,
        "logs": pl.Int64,
        "problems": pl.Int64,
    }
)
"""One row per recorded run."""


def list_runs(raw: Path | str) -> pl.DataFrame:
    """One row per run below ``raw``: id, load, duration, number of problems of its files. Schema: ``RUNS``."""
    rows = []
    for study in find_studies(raw):
        for run in study.runs():
            loads = [
                f"{name} {_load(server.workload)}"
                for name, server in sorted(run.virtual_servers.items())
                if server.workload is not None
            ]
            rows.append(
                {
                    "run": run.id,
                    "purpose": study.purpose(run.server, run.run) or "",
                    "held out": "yes" if f"{run.server}/{run.run}" in study.held_out else "",
                    "length_s": None if run.window is None else round(run.window.duration_s, 1),
                    "load": ", ".join(loads),
                    "logs": len(run.logs()),
                    "problems": len(run.problems()),
                }
            )
    return pl.DataFrame(rows, schema=RUNS)


def _load(work: Workload) -> str:
    if work.kind == "open":
        return f"{work.rate_per_s:g}/s {work.arrivals or ''}".strip()
    return f"{work.population} threads"


def find_problems(raw: Path | str) -> list[str]:
    """Problems of the studies and runs below ``raw``: one sentence per problem, with its file."""
    sentences = [f"{raw}: {sentence}" for sentence in check_study_names(raw)]
    for study in find_studies(raw):
        sentences += [f"{study.path}/{sentence}" for sentence in study.problems()]
        for run in study.runs():
            sentences += [f"{run.path}/{sentence}" for sentence in run.problems()]
    return sentences


def ingest_runs(
    runs: Iterable[Run],
    processed: Path | str,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[dict], None] | None = None,
) -> pl.DataFrame:
    """Read runs into tidy Parquet tables below ``processed``; unchanged runs are skipped.

    Returns one row per run: status, rows, rejected lines, problems (``ingest.MANIFEST_SCHEMA``).
    """
    return ingest.ingest(runs, processed, workers=workers, scheduler=scheduler, progress=progress)


def store_ledgers(
    runs: Iterable[Run],
    raw: Path | str,
    processed: Path | str,
    *,
    progress: Callable[[Run], None] = lambda run: None,
) -> pl.DataFrame:
    """The ledgers of ingested runs, each stored; numbers that depend on a failed check have its flag.

    Schema: ``tables.LEDGER``.
    """
    from pipeline.quality.assess import (  # SciPy: not for commands that need none
        check_run,
        flag_failed_checks,
    )

    studies = {study.name: study for study in find_studies(raw)}
    frames = []
    for run in runs:
        frame = ledger.store_ledger(run, processed)
        checks = check_run(run, studies[run.study], processed, frame)
        frames.append(flag_failed_checks(frame, checks))
        progress(run)
    return pl.concat(frames)
