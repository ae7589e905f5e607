"""Ingest many runs: in this process, in worker processes or on a dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path
from types import FrameType
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest import texts
from pipeline.ingest.schema import MANIFEST_SCHEMA, IngestError
from pipeline.ingest.writer import failed_row, ingest_run
from pipeline.raw import Run, find_run

WORKERS_TIMEOUT_S = 30
"""How long a dask scheduler may have no workers."""

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
        Address of a dask scheduler to use instead; its workers need the same folders.
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
        If ``processed`` cannot be created, ``workers`` is less than 1, or the scheduler is not available
        or has no workers for ``WORKERS_TIMEOUT_S``.
    """
    chosen = list(runs)
    processed = Path(processed).absolute()
    try:
        processed.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise IngestError(texts.no_folder(processed)) from error
    except OSError as error:
        raise IngestError(texts.not_writable(processed, error)) from error
    if workers < 1:
        raise IngestError(texts.too_few_workers(workers))
    tasks = [(run, processed, force, max_expanded_bytes) for run in chosen]
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


_Task = tuple[Run, Path, bool, int | None]


def _in_processes(tasks: list[_Task], workers: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tasks' rows as they are done, by spawned (not forked) processes.

    A worker that is ended from outside (by the kernel, for memory) takes the tasks of all workers with it. They are
    done again one at a time; the task whose worker is ended again fails.
    """
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting, interrupted = deque(range(len(tasks))), deque[int]()
    with _environment("POLARS_MAX_THREADS", str(threads)):
        while waiting or interrupted:
            size, queue = (workers, waiting) if waiting else (1, interrupted)
            running: dict[Future[dict[str, Any]], int] = {}
            try:
                with worker_pool(size) as pool:
                    while queue or running:
                        while queue and len(running) < size:
                            number = queue.popleft()
                            running[pool.submit(ingest_run, *tasks[number])] = number
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            row = future.result()
                            yield running.pop(future), row
            except BrokenProcessPool:
                if queue is waiting:
                    interrupted.extend(sorted(running.values()))
                else:
                    (number,) = running.values()
                    yield number, failed_row(tasks[number][0], texts.WORKER_ENDED)


def worker_pool(workers: int) -> ProcessPoolExecutor:
    """Worker processes that end when this process does; spawned, not forked, because Polars has threads."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Let a worker remove its temporary files when it is ended, and end when its parent process has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _exit)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _on_cluster(tasks: list[_Task], address: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The tasks' rows as they are done, by the workers of a dask scheduler."""
    try:
        from distributed import Client
        from distributed import as_completed as as_done
    except ImportError as error:
        raise IngestError(texts.NO_DASK) from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise IngestError(texts.no_scheduler(address, error)) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=WORKERS_TIMEOUT_S)
        except TimeoutError as error:
            raise IngestError(texts.no_workers(address, WORKERS_TIMEOUT_S)) from error
        numbers = {
            client.submit(ingest_run, *task, pure=False, retries=1): n
            for n, task in enumerate(tasks)
        }
        for future in as_done(list(numbers)):
            number = numbers[future]
            yield number, _result(future, tasks[number][0])


def _result(future: Any, run: Run) -> dict[str, Any]:
    """A task's row; a failed one if its worker gave none (out of memory, killed)."""
    try:
        return future.result()
    except Exception as error:
        return failed_row(run, texts.no_result(error))


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
