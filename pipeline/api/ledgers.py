"""Ledgers of ingested runs with the flags of failed checks: computed once, stored, and filtered as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import ingest, ledger
from pipeline.errors import Error
from pipeline.ingest import texts as ingest_texts
from pipeline.ingest.fingerprint import code_version
from pipeline.ingest.parallel import portable, run_at, study_location
from pipeline.ingest.remote import fetch_run, synchronized
from pipeline.ingest.stored import RESULTS, partition_path
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.raw import Run, Study, read_study
from pipeline.storage import local_folder, location_of
from pipeline.tables import LEDGER, empty
from pipeline.workers import run_tasks, same_folders

CODE = ("quality",)
"""Packages of ``pipeline`` that decide a flag, besides those that decide every stored result."""
MAX_TRIES = 3
"""Attempts to read a run whose tables another process replaces."""


@dataclass(frozen=True)
class CheckedLedger:
    """The ledger of a run (``tables.LEDGER``) with the flags of failed checks."""

    frame: pl.DataFrame
    problems: list[str]
    """Logs that do not stand for their load's window, ``file: problem``."""
    not_stored: OSError | None = None
    """Why it could not be written below the folder of the tables."""


def checked_ledger(run: Run, study: Study, processed: Path | str) -> CheckedLedger:
    """The ledger of one ingested run: read where it is stored, else computed and stored.

    It is computed again after a change of the run's tables, of its run.json, of the CPU limit in study.json, of the
    code, or of the stored file.

    Parameters
    ----------
    run, study
        The run and its study.
    processed
        Folder of the ingested tables.

    Raises
    ------
    IngestError
        If the run is not ingested, its tables are damaged, or another process keeps replacing them.
    """
    from pipeline.model.stored import result_key, stored_or_computed

    processed, names = Path(processed), (run.study, run.server, run.run)
    record = processed / RESULTS / partition_path(names) / "ledger.json"
    for _ in range(MAX_TRIES):
        state = ingest.manifest(processed, *names)
        code = code_version(names=CODE)
        key = result_key(code, state["key"].to_list(), run.manifest, repr(cpu_limit(study, run)))
        new: list[CheckedLedger] = []
        try:
            stored = stored_or_computed(
                record, key, lambda n=new, s=state: _compute(run, study, processed, s, n)
            )
        except _Replaced:
            continue
        if new:
            return new[0]
        frame = ledger.read_ledger(run, processed, stored["sha256"])
        if frame is not None:
            return CheckedLedger(frame, stored["problems"])
        record.unlink(missing_ok=True)  # of a damaged file
    raise ingest.IngestError(ingest_texts.replaced_tables(run.id, processed))


class _Replaced(Error):  # noqa: N818 - no failure
    """Another process has replaced the run's tables meanwhile."""


def _compute(
    run: Run, study: Study, processed: Path, state: pl.DataFrame, new: list[CheckedLedger]
) -> dict[str, object]:
    """Compute the ledger of that state of the tables and store it; append it to ``new``; what is recorded of it."""
    from pipeline.quality.assess import (  # SciPy: not for commands that need none
        check_run,
        flag_failed_checks,
    )
    from pipeline.quality.recording import log_problems

    frame = ledger.run_ledger(run, processed)
    checks = check_run(run, study, processed, frame)
    if not state.equals(ingest.manifest(processed, run.study, run.server, run.run)):
        raise _Replaced
    frame, problems = flag_failed_checks(frame, checks), log_problems(checks)
    digest, reason = None, None
    try:
        digest = ledger.store_ledger(run, processed, frame)
    except OSError as error:
        reason = error
    new.append(CheckedLedger(frame, problems, reason))
    return {"sha256": digest, "problems": problems}


def iterate_ledgers(
    runs: Iterable[Run],
    processed: Path | str,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Callable[[Run], None] = lambda run: None,
    not_stored: Callable[[OSError], None] = lambda error: None,
    log_problem: Callable[[Run, str], None] = lambda run, problem: None,
    failed: Callable[[Run, str], None] | None = None,
) -> Iterator[tuple[Run, pl.DataFrame]]:
    """The ledgers of ingested runs, each stored; numbers that depend on a failed check have its flag.

    Memory does not grow with the number of runs: filter each ledger, and keep what is needed.

    Parameters
    ----------
    runs, processed, workers, scheduler
        As of :func:`ingest_runs`.
    progress
        Called with each run that is done, in any order.
    not_stored
        Called for each ledger that cannot be written below ``processed``.
    log_problem
        Called for each log that does not stand for its load's window, with ``file: problem``.
    failed
        Called for each run that has no ledger, with the reason.

    Yields
    ------
    Run, polars.DataFrame
        A run and its ledger (``tables.LEDGER``), in the order of ``runs``.

    Raises
    ------
    Error
        If a run has no ledger, without ``failed``.
    """
    chosen = [replace(run, path=run.path.absolute()) for run in runs]
    location = location_of(Path(processed))
    tasks = [(*portable(run), location) for run in chosen]
    waiting: dict[int, CheckedLedger | None] = {}
    """Done before a run that is in front of them."""
    following = 0
    with ExitStack() as stack:
        checks = []
        if scheduler is not None:
            checks.append(stack.enter_context(same_folders(map(study_location, chosen), location)))
        for number, done in run_tasks(
            _ledger_or_error,
            tasks,
            if_lost=lambda number, reason: reason,
            workers=workers,
            scheduler=scheduler,
            checks=checks,
        ):
            run = chosen[number]
            if isinstance(done, str):
                if failed is None:
                    raise Error(f"{run.id}: {done}")
                failed(run, done)
                waiting[number] = None
            else:
                waiting[number] = done
                for problem in done.problems:
                    log_problem(run, problem)
                if done.not_stored is not None:
                    not_stored(done.not_stored)
            progress(run)
            while following in waiting:
                checked = waiting.pop(following)
                if checked is not None:
                    yield chosen[following], checked.frame
                following += 1


def store_ledgers(runs: Iterable[Run], processed: Path | str, **options: Any) -> pl.DataFrame:
    """The ledgers of :func:`iterate_ledgers` as one table, with its options. Schema: ``tables.LEDGER``."""
    ledgers = iterate_ledgers(runs, processed, **options)
    return pl.concat([empty(LEDGER), *(frame for _, frame in ledgers)])


def _ledger_or_error(raw: str, names: tuple[str, str, str], processed: str) -> CheckedLedger | str:
    """The ledger of one run, or why there is none. It may be another machine that reads and writes the locations."""
    try:
        folder = local_folder(processed)
        fetch_run(raw, names, folder)
        run = run_at(raw, names)
        with synchronized(folder, _files(names)):
            return checked_ledger(run, _study_of(run), folder)
    except Error as error:
        return str(error)


def _files(names: tuple[str, str, str]) -> list[str]:
    """The stored ledger of a run, and what is recorded of it, by their names below the folder of the tables."""
    partition = partition_path(names).as_posix()
    return [f"ledger/{partition}/ledger.parquet", f"{RESULTS}/{partition}/ledger.json"]


def _study_of(run: Run) -> Study:
    path = run.path.parents[1]
    try:
        status = (path / "study.json").stat()
    except OSError:
        return read_study(path)
    return _study(path, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(16)
def _study(path: Path, status: tuple[int, ...]) -> Study:
    """The study whose study.json has that status: it has an entry of every run, and is not read for each of them."""
    return read_study(path)


def scan_ledgers(processed: Path | str, study: str | None = None) -> pl.LazyFrame:
    """The stored ledgers as one lazy table: those of the last :func:`checked_ledger` of each run.

    A filter reads only the columns and files that it needs, and computes nothing. Schema: ``tables.LEDGER``.

    Parameters
    ----------
    processed
        Folder of the ingested tables.
    study
        Only the runs of this study.

    Examples
    --------
    >>> frame = scan_ledgers("data/processed", "kvm-case-study")                    # doctest: +SKIP
    >>> frame.filter(quantity="R_disk", variant="corrected").collect()              # doctest: +SKIP
    """
    folder = Path(processed, LEDGER.name)
    paths = sorted(folder.glob(f"study={study or '*'}/server=*/run=*/ledger.parquet"))
    return pl.scan_parquet(paths, hive_partitioning=False) if paths else empty(LEDGER).lazy()
