"""Ingest many runs: in this process, in worker processes or on a dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest import texts
from pipeline.ingest.schema import MANIFEST_SCHEMA, IngestError
from pipeline.ingest.writer import failed_row, ingest_run
from pipeline.raw import Run, find_run
from pipeline.workers import ClusterError, file_digest, other_files, run_tasks, shared_token

Progress = Callable[[dict[str, Any]], None]
"""Called with a run's manifest row (MANIFEST_SCHEMA) as soon as the run is done, in any order."""


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
    tasks = [(run, processed, force, max_expanded_bytes) for run in chosen]
    rows: dict[int, dict[str, Any]] = {}
    with ExitStack() as stack:
        function, checks = ingest_run, []
        if scheduler is not None:
            function = _ingest_same_run
            tasks = [(_files_of(task[0]), *task) for task in tasks]
            checks = [stack.enter_context(same_folders(chosen, processed))]
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


@contextmanager
def same_folders(runs: Iterable[Run], processed: Path) -> Iterator[Callable[[], list[str]]]:
    """A check for the workers of a cluster: the folders of ``runs`` and ``processed`` are those of this process."""
    studies = sorted({run.path.absolute().parents[1] for run in runs})
    folders = dict.fromkeys([*(str(study.parent) for study in studies), str(processed)])
    manifests = [path for study in studies if (path := study / "study.json").exists()]
    with shared_token(processed) as token:
        digests = {str(path): file_digest(path) for path in manifests}
        yield partial(other_files, list(folders), digests | token)


def _files_of(run: Run) -> dict[str, int | str]:
    """The run's files → sizes in bytes; for run.json its SHA-256, as small changes matter and it is small."""
    run = replace(run)  # without what it has cached
    sizes: dict[str, int | str] = {run.name_of(path): path.stat().st_size for path in run.files()}
    return sizes | {"run.json": file_digest(run.path / "run.json")}


def _ingest_same_run(files: dict[str, int | str], run: Run, *options: Any) -> dict[str, Any]:
    """``ingest_run`` on a worker of a cluster; ``ClusterError`` if the run's files are not those of the client."""
    own = _files_of(run)
    differing = sorted(
        name for name in own.keys() | files.keys() if own.get(name) != files.get(name)
    )
    if differing:
        raise ClusterError(
            texts.other_run_files(
                run.path, differing, files.get(differing[0]), own.get(differing[0])
            )
        )
    return ingest_run(replace(run), *options)


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
