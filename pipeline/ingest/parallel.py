"""Many runs, one after another, by processes or by a cluster; what fails does not stop the others."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest.schema import MANIFEST_SCHEMA, IngestError
from pipeline.ingest.writer import failed_row, ingest_run
from pipeline.raw import Run, find_run

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
) -> pl.DataFrame:
    """Ingest ``runs`` into ``processed``; one row a run (MANIFEST_SCHEMA), in the order given.

    ``workers`` > 1 uses that many processes, ``scheduler`` the address of a dask scheduler (which must see
    the same folders) instead. ``force`` also ingests what has not changed. A run that fails is a row of
    status ``failed_row`` and does not stop the others.
    """
    chosen = list(runs)
    processed = Path(processed).absolute()
    try:
        processed.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IngestError(f"{processed}: cannot be made: {error.strerror or error}") from error
    if workers < 1:
        raise IngestError(f"workers must be 1 or more, not {workers}")
    tasks = [(run, processed, force) for run in chosen]
    if scheduler is not None:
        done = _on_cluster(tasks, scheduler)
    elif workers > 1 and len(tasks) > 1:
        done = _in_processes(tasks, min(workers, len(tasks)))
    else:
        done = ((number, ingest_run(*task)) for number, task in enumerate(tasks))
    rows: dict[int, dict[str, Any]] = {}
    for number, row in done:
        rows[number] = row
        if progress is not None:
            progress(row)
    return pl.DataFrame(
        [rows[number] for number in range(len(tasks))], schema=MANIFEST_SCHEMA, orient="row"
    )


_Task = tuple[Run, Path, bool]


def _in_processes(tasks: list[_Task], workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tasks' rows as they are done, by processes that are started anew (never forked)."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    with _environment("POLARS_MAX_THREADS", str(threads)):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            numbers = {pool.submit(ingest_run, *task): n for n, task in enumerate(tasks)}
            for future in as_completed(numbers):
                yield numbers[future], _result(future, tasks[numbers[future]][0])


def _on_cluster(tasks: list[_Task], address: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tasks' rows as they are done, by the workers of a dask scheduler."""
    try:
        from distributed import Client
        from distributed import as_completed as as_done
    except ImportError as error:
        raise IngestError(
            "a scheduler needs dask, which is not installed: pip install 'distributed'"
        ) from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise IngestError(f"no dask scheduler answers at {address}: {error}") from error
    with client:
        numbers = {
            client.submit(ingest_run, *task, pure=False, retries=1): n
            for n, task in enumerate(tasks)
        }
        for future in as_done(list(numbers)):
            number = numbers[future]
            yield number, _result(future, tasks[number][0])


def _result(future: Any, run: Run) -> dict[str, Any]:
    """A task's row; a worker that died (out of memory, killed) is told in one."""
    try:
        return future.result()
    except Exception as error:
        return failed_row(run, f"the worker died: {type(error).__name__}: {error}".strip())


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def ensure_ingested(
    runs: Iterable[Run], processed: Path | str, *, workers: int = 1
) -> pl.DataFrame:
    """Ingest those of ``runs`` that are not in ``processed`` yet, or have changed: a notebook's first line.

    Gives what ``ingest`` gives. Raises ``IngestError`` if none of them could be ingested; where some could,
    the others are rows of status ``failed_row``, and asking for their tables is an ``IngestError``.
    """
    rows = ingest(runs, processed, workers=workers)
    failures = rows.filter(pl.col("status") == "failed")
    if failures.height and failures.height == rows.height:
        row = failures.row(0, named=True)
        name = "/".join(row[key] for key in tables.RUN_KEYS)
        raise IngestError(f"{name} cannot be ingested: {'; '.join(row['problems'])}")
    return rows


def ensure_ingested_run(
    raw: Path | str, processed: Path | str, study: str, server: str, run: str
) -> Run:
    """The run of that name, ingested. ``RawRunError`` names the nearest where there is none."""
    found = find_run(raw, study, server, run)
    ensure_ingested([found], processed)
    return found
