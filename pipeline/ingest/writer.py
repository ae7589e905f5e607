"""Write one run: files under temporary names, then renamed, the manifest last."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

import polars as pl

from pipeline import tables
from pipeline.errors import is_debugging
from pipeline.ingest import texts
from pipeline.ingest.file_status import NAME as STATUS_FILE
from pipeline.ingest.file_status import FileStatus, list_files, list_tables, read_status
from pipeline.ingest.fingerprint import code_version, fingerprint
from pipeline.ingest.grown_logs import NAME as GROWN_FILE
from pipeline.ingest.grown_logs import GrownLogs, read_logs, write_logs
from pipeline.ingest.parse_run import ParsedRun, parse_run
from pipeline.ingest.schema import IngestError
from pipeline.ingest.stored import (
    MANIFEST_FORMAT,
    MANIFESTS,
    manifest_digest,
    manifest_row,
    partition_path,
    stored_state,
    table_files,
    unchanged_manifest,
    verified_tables,
)
from pipeline.parse.limits import MAX_EXPANDED_BYTES, Budget
from pipeline.raw import Run, hash_files, is_safe_name, read_run
from pipeline.raw.checksums import UNREADABLE

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]

STAGING = ".staging"
LOCK_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
MAX_TRIES = 100
"""Attempts to lock a folder that other processes remove when they are done."""
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def locked(processed: Path, partition: Path) -> Iterator[Path]:
    """The run's staging folder, empty and locked: two notebooks may ingest one run at a time. Removed at the end."""
    staging = processed / STAGING / partition
    lock = _lock(staging)
    try:
        _empty(staging)
        yield staging
    finally:
        with contextlib.suppress(OSError):
            _empty(staging)
            (staging / "lock").unlink()
        for folder in (staging, *staging.parents[: len(partition.parts)]):
            with contextlib.suppress(OSError):  # another run is written
                folder.rmdir()
        os.close(lock)


def _lock(staging: Path) -> int:
    """The descriptor of the locked file in ``staging``, which is created."""
    path = staging / "lock"
    for _ in range(MAX_TRIES):
        try:
            staging.mkdir(parents=True, exist_ok=True)
            lock = os.open(path, LOCK_FLAGS, 0o600)
        except FileNotFoundError:  # another process has removed the folder
            continue
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat(follow_symlinks=False)):
                return lock
        os.close(lock)  # of a file that another process has removed
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))


def _empty(staging: Path) -> None:
    for stale in staging.iterdir():
        if stale.name != "lock":
            stale.unlink()


def ingest_run(
    run: Run, processed: Path, force: bool, max_expanded_bytes: int | None = None
) -> dict[str, Any]:
    """Ingest one run and return its manifest row; a failure is a row of status ``failed``.

    ``continued`` of the row: a sentence for each log that had grown and of which only what is new was read.

    Nothing is written, and no right to write is needed, if the stored tables are up to date.
    """
    names = (run.study, run.server, run.run)
    try:
        unsafe = [name for name in names if not is_safe_name(name)]
        if unsafe:
            raise IngestError(texts.unsafe_name(json.dumps(unsafe[0])))
        status, manifest, continued = _ingest(
            run, processed, partition_path(names), force, max_expanded_bytes
        )
    except IngestError as error:
        return failed_row(run, str(error))
    except OSError as error:
        return failed_row(run, _reason(error, processed))
    except MemoryError:
        return failed_row(run, texts.NO_MEMORY)
    except (Exception, pl.exceptions.PanicException) as error:
        if is_debugging():
            raise
        return failed_row(run, texts.internal_error(error))
    row = dict(zip(tables.RUN_KEYS, names, strict=True))
    return {**row, "status": status, **manifest_row(manifest), "continued": continued}


def _ingest(
    run: Run, processed: Path, partition: Path, force: bool, max_expanded_bytes: int | None
) -> tuple[str, dict[str, Any], list[str]]:
    """The status of the run and its manifest, written if the stored one is not that of these files, and the logs of
    which only what is new was read.
    """
    files, code = list_files(run), code_version()
    recorded = None if force else read_status(processed / MANIFESTS / partition)
    if recorded is not None and recorded.is_of(files, code):
        stored = unchanged_manifest(processed, partition, recorded)
        if _is_current(stored, recorded.key, max_expanded_bytes):
            _clean(processed, partition)
            return "unchanged", stored, []
    run = read_run(run.study, run.server, run.run, run.path)  # as it is now
    hashes = hash_files(run, {} if recorded is None else recorded.hashes_of(files))
    key = fingerprint(run, hashes)
    status = FileStatus(key, code, files or {}, hashes)
    stored, _ = stored_state(processed, partition)
    if not force and _is_current(stored, key, max_expanded_bytes):
        tables_status = verified_tables(processed, partition, stored)
        _clean(processed, partition, replace(status, tables=tables_status))
        return "unchanged", stored, []
    with locked(processed, partition) as staging:
        stored, damage = stored_state(processed, partition)  # another process may have been faster
        if not force and _is_current(stored, key, max_expanded_bytes):
            return "unchanged", stored, []
        earlier = GrownLogs()
        if stored is not None and not force:
            path = processed / MANIFESTS / partition / GROWN_FILE
            stored_tables = table_files(processed, partition, stored)
            earlier = read_logs(path, stored_tables, stored["key"], code)
        limit = max_expanded_bytes or MAX_EXPANDED_BYTES
        parsed_run = parse_run(run, hashes, limit, staging, earlier)
        manifest = _write(parsed_run, key, processed, partition, staging)
        _write_grown(parsed_run, key, code, processed, partition, staging)
        tables_status = list_tables(processed, partition, manifest)
        _write_status(replace(status, tables=tables_status), processed, partition, staging)
    status_text = "ingested" if damage is None else "repaired"
    return status_text, manifest, parsed_run.continued


def _is_current(
    stored: dict[str, Any] | None, key: str, max_expanded_bytes: int | None
) -> TypeGuard[dict[str, Any]]:
    """Whether the stored tables are those of these files, with every log that can be read within the limits."""
    if stored is None or stored["key"] != key:
        return False
    refused = stored.get("refused_text_bytes")
    if refused is None or max_expanded_bytes is None:
        return True
    return Budget(max_expanded_bytes).text_bytes <= refused


def _reason(error: OSError, processed: Path) -> str:
    """Why a run could not be read or written, with the file."""
    text = error.strerror or str(error)
    if error.errno in NO_SPACE:
        return texts.no_space(processed, text)
    path, staging = Path(error.filename or processed), processed / STAGING
    if not path.is_relative_to(processed):
        return texts.not_readable(path, text)
    return texts.not_written(staging if path.is_relative_to(staging) else path, text)


def failed_row(run: Run, problem: str) -> dict[str, Any]:
    """The manifest row of a run that could not be ingested."""
    names = {"study": run.study, "server": run.server, "run": run.run}
    empty = {"key": None, "logs": 0, "rows": 0, "rejects": 0}
    lists = {"problems": [problem], "warnings": [], "reject_files": []}
    return {**names, "status": "failed", **empty, **lists}


def _write(
    parsed_run: ParsedRun, key: str, processed: Path, partition: Path, staging: Path
) -> dict[str, Any]:
    """Write the tables under temporary names, rename them, then write the manifest that lists them."""
    written = parsed_run.tables.write()
    for table in written:
        _sync(staging / f"{table}.parquet")
    manifest = {
        "format": MANIFEST_FORMAT,
        "run": partition.as_posix(),
        "key": key,
        "tables": written,
        "logs": parsed_run.logs,
        "problems": parsed_run.problems,
        "warnings": parsed_run.warnings,
    }
    if parsed_run.refused_text_bytes is not None:
        manifest["refused_text_bytes"] = parsed_run.refused_text_bytes
    manifest["sha256"] = manifest_digest(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (staging / "manifest.json").write_text(text, encoding="utf-8", newline="")
    _sync(staging / "manifest.json")
    moves = {
        staging / f"{table}.parquet": processed / table / partition / f"{key}.parquet"
        for table in written
    }
    moves[staging / "manifest.json"] = processed / MANIFESTS / partition / "manifest.json"
    _move(moves)
    for path in _stale(processed, partition, manifest):
        _remove(path)
    return manifest


def _write_grown(
    parsed_run: ParsedRun, key: str, code: str, processed: Path, partition: Path, staging: Path
) -> None:
    """Store how far large logs were read, if there are any; the run is stored without it, too."""
    path = processed / MANIFESTS / partition / GROWN_FILE
    with contextlib.suppress(OSError):
        if not parsed_run.grown:
            path.unlink(missing_ok=True)
            return
        write_logs(staging / GROWN_FILE, parsed_run.grown, key, code)
        (staging / GROWN_FILE).replace(path)


def _write_status(status: FileStatus, processed: Path, partition: Path, staging: Path) -> None:
    """Store the status of the run's files, where that can be known; the run is stored without it, too."""
    if status.files and UNREADABLE not in status.hashes.values():
        with contextlib.suppress(OSError):
            (staging / STATUS_FILE).write_text(status.text(), encoding="utf-8")
            (staging / STATUS_FILE).replace(processed / MANIFESTS / partition / STATUS_FILE)


def _move(moves: dict[Path, Path]) -> None:
    """Rename files in this order; if one cannot be renamed, those that replaced no other file are removed again."""
    added = []
    try:
        for path, target in moves.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            elif not target.exists():
                added.append(target)
            path.replace(target)
    except OSError:
        for target in added:
            _remove(target)
        raise


def _sync(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clean(processed: Path, partition: Path, status: FileStatus | None = None) -> None:
    """Remove what a killed process left behind, its staging folder too, and store ``status``; where this process may
    write."""
    if status is None and not os.path.lexists(processed / STAGING / partition):
        return
    with contextlib.suppress(OSError), locked(processed, partition) as staging:
        stored, _ = stored_state(processed, partition)
        if stored is not None:
            for path in _stale(processed, partition, stored):
                _remove(path)
            if status is not None:
                _write_status(status, processed, partition, staging)


def _stale(processed: Path, partition: Path, manifest: dict[str, Any]) -> Iterator[Path]:
    """Files of the run that its manifest does not list, and temporary files beside it."""
    for table in tables.STORED:
        valid = manifest["key"] if table in manifest["tables"] else None
        for path in (processed / table / partition).glob("*.parquet"):
            if path.stem != valid:
                yield path
    yield from (processed / MANIFESTS / partition).glob(".manifest.*")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty
        path.parent.rmdir()
