"""Ingest many runs: in this process, in worker processes or on a dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest import texts
from pipeline.ingest.remote import ingest_any_run
from pipeline.ingest.schema import MANIFEST_SCHEMA, IngestError
from pipeline.ingest.writer import failed_row
from pipeline.raw import Run, find_run, read_run
from pipeline.storage import local_folder, location_digest, location_of, mirror_of
from pipeline.workers import ClusterError, run_tasks, same_folders

Progress = Callable[[dict[str, Any]], None]
"""Called with a run's manifest row (MANIFEST_SCHEMA) as soon as the run is done, in any order.

``continued`` of the row, if it is there, has a sentence for each log of which only what is new was read.
"""


def ingest(
    runs: Iterable[Run],
    processed: Path | str,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
    force: bool = False,
    max_expanded_bytes: int | None = None,
) -> pl.DataFrame:
    """Ingest runs: parse their logs and store the tables as Parquet.

    Parameters
    ----------
    runs : iterable of Run
    processed : path
        Folder of the tables, usually data/processed.
    workers : int
        Number of worker processes.
    scheduler : str, optional
        Address of a dask scheduler to use instead; its workers need the same versions and the same folders.
    progress : callable, optional
        Called with a run's row as soon as the run is done.
    force : bool
        Also ingest runs whose files and parsers have not changed.
    max_expanded_bytes : int, optional
        Longest text of a log, after decompression. Without it, 64 GB, and a log of an unchanged run that was refused
        for its size is not tried again.

    Returns
    -------
    polars.DataFrame
        One row per run (MANIFEST_SCHEMA), in the order of ``runs``. A run that fails has status ``failed``;
        the other runs are ingested.

    Raises
    ------
    IngestError
        If ``processed`` cannot be created.
    WorkersError, ClusterError
        As of ``workers.run_tasks``.
    """
    chosen = [
        replace(run, path=run.path.absolute()) for run in runs
    ]  # workers are in other folders
    processed = Path(processed).absolute()
    try:
        processed.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise IngestError(texts.no_folder(processed)) from error
    except OSError as error:
        raise IngestError(texts.not_writable(processed, error)) from error
    function: Callable[..., dict[str, Any]] = ingest_any_run
    tasks: list[tuple[Any, ...]] = [(run, processed, force, max_expanded_bytes) for run in chosen]
    checks = []
    rows: dict[int, dict[str, Any]] = {}
    with ExitStack() as stack:
        if scheduler is not None:
            function = _ingest_same_run
            location = location_of(processed)
            tasks = [
                (_files_of(run), *portable(run), location, force, max_expanded_bytes)
                for run in chosen
            ]
            checks.append(stack.enter_context(same_folders(map(study_location, chosen), location)))
        for number, row in run_tasks(
            function,
            tasks,
            if_lost=lambda number, reason: failed_row(chosen[number], reason),
            workers=workers,
            scheduler=scheduler,
            checks=checks,
        ):
            rows[number] = row
            if progress is not None:
                progress(row)
    return pl.DataFrame(
        [rows[number] for number in range(len(tasks))], schema=MANIFEST_SCHEMA, orient="row"
    )


def portable(run: Run) -> tuple[str, tuple[str, str, str]]:
    """A run as another machine can read it: location of the raw folder, and study, server and run."""
    return location_of(run.path.parents[2]), (run.study, run.server, run.run)


def run_at(raw: str, names: tuple[str, str, str]) -> Run:
    """The run that ``portable`` gave."""
    return read_run(*names, local_folder(raw).joinpath(*names))


def study_location(run: Run) -> str:
    """Location of the run's study."""
    return f"{location_of(run.path.parents[2])}/{run.study}"


def _files_of(run: Run) -> dict[str, int | str] | None:
    """The run's files → sizes in bytes; for run.json its SHA-256, as small changes matter and it is small.

    None for a run on object storage, which every worker reads for itself.
    """
    if mirror_of(run.path.parents[2]) is not None:
        return None
    run = replace(run)  # without what it has cached
    sizes: dict[str, int | str] = {run.name_of(path): path.stat().st_size for path in run.files()}
    return sizes | {"run.json": location_digest(str(run.path / "run.json"))}


def _ingest_same_run(
    files: dict[str, int | str] | None,
    raw: str,
    names: tuple[str, str, str],
    processed: str,
    *options: Any,
) -> dict[str, Any]:
    """Ingest a run on a worker of a cluster; ``ClusterError`` if its files are not those of the client."""
    run = run_at(raw, names)
    own = _files_of(run)
    if own is not None and files is not None and own != files:
        names_differing = [n for n in sorted({*own, *files}) if own.get(n) != files.get(n)]
        first = names_differing[0]
        raise ClusterError(
            texts.other_run_files(run.path, names_differing, files.get(first), own.get(first))
        )
    return ingest_any_run(replace(run), local_folder(processed), *options)


def ensure_ingested(
    runs: Iterable[Run], processed: Path | str, *, workers: int = 1
) -> pl.DataFrame:
    """Ingest those of ``runs`` that are not in ``processed`` yet or have changed.

    Parameters
    ----------
    runs : iterable of Run
    processed : path
    workers : int
        Number of worker processes.

    Returns
    -------
    polars.DataFrame
        As from :func:`ingest`.

    Raises
    ------
    IngestError
        If none of the runs could be ingested. Where some could, the others have status ``failed`` and
        loading their tables raises ``IngestError``.
    """
    rows = ingest(runs, processed, workers=workers)
    failures = rows.filter(pl.col("status") == "failed")
    if failures.height and failures.height == rows.height:
        row = failures.row(0, named=True)
        name = "/".join(row[key] for key in tables.RUN_KEYS)
        raise IngestError(texts.not_ingestable(name, row["problems"]))
    return rows


def ingest_readable(runs: Iterable[Run], processed: Path | str) -> tuple[list[Run], dict[str, str]]:
    """Ingest runs where needed; those whose tables are up to date, and ``server/run`` → why another one has none.

    An older state of a run that cannot be read now is not used. Raises ``IngestError`` if no run can be read.
    """
    chosen = list(runs)
    rows = ensure_ingested(chosen, processed)
    failed = {
        f"{row['server']}/{row['run']}": "; ".join(row["problems"])
        for row in rows.iter_rows(named=True)
        if row["status"] == "failed"
    }
    return [run for run in chosen if f"{run.server}/{run.run}" not in failed], failed


def ensure_ingested_run(
    raw: Path | str, processed: Path | str, study: str, server: str, run: str
) -> Run:
    """The run of that name, ingested; ``RawRunError``, with the nearest names, if there is none."""
    ingested_run = find_run(raw, study, server, run)
    ensure_ingested([ingested_run], processed)
    return ingested_run
