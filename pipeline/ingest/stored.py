"""What is stored of a run: its manifest and the tables that the manifest lists, verified by their hashes.

A file is hashed when a process first uses it, and again if its status (:mod:`file_status`) changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import tables
from pipeline.files import read_regular_file
from pipeline.ingest import file_status, texts
from pipeline.ingest.file_status import FileStatus, Status

MANIFEST_FORMAT = "queuevisor-ingested/2"
OLD_FORMAT = "queuevisor-ingested/1"
"""Of manifests without hashes: their tables are written again."""
MANIFESTS = ".manifest"
RESULTS = ".results"
"""Folder of what is computed from the tables and stored: observations and fits (``pipeline.model.stored``)."""
MAX_MANIFESTS = 128
"""Manifests that are kept in memory, some 10 kB each: a run is read several times, then the next one."""
MAX_VERIFIED = 4096
"""Hashes that are kept in memory, 0.7 kB each."""

_verified: dict[Path, tuple[Status, str]] = {}
"""Hashed file → status at that time, and SHA-256; the last used ones."""


def partition_path(names: tuple[str, str, str]) -> Path:
    """Folders of a run's files below the folder of a table."""
    return Path(*(f"{key}={name}" for key, name in zip(tables.RUN_KEYS, names, strict=True)))


def read_manifest(processed: Path, partition: Path) -> dict[str, Any] | None:
    """The run's manifest; None if it is not ingested, or a file is not the one that was written."""
    return stored_state(processed, partition)[0]


def stored_state(processed: Path, partition: Path) -> tuple[dict[str, Any] | None, str | None]:
    """The run's manifest, or why what is stored cannot be used; both None for a run that is not ingested.

    The manifest is shared: it must not be changed.
    """
    path = processed / MANIFESTS / partition / "manifest.json"
    try:
        manifest = _parsed(path, _status(path))
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except (OSError, ValueError, RecursionError) as error:
        return None, texts.damaged("manifest.json", _text(error))
    if manifest["format"] == OLD_FORMAT:
        return None, None
    if manifest["run"] != partition.as_posix():
        return None, texts.damaged("manifest.json", texts.OTHER_CONTENT)
    for table, file in manifest["tables"].items():
        stored_file = _table_file(processed, partition, manifest["key"], table)
        try:
            status = _status(stored_file)
            is_intact = status[0] == file["bytes"] and (
                _digest(stored_file, status) == file["sha256"]
            )
        except OSError as error:
            return None, texts.damaged(table, _text(error))
        if not is_intact:
            with contextlib.suppress(OSError):  # the next ingest hashes the tables, too
                (path.parent / file_status.NAME).unlink()
            return None, texts.damaged(table, texts.OTHER_CONTENT)
    return manifest, None


def unchanged_manifest(
    processed: Path, partition: Path, recorded: FileStatus
) -> dict[str, Any] | None:
    """The run's manifest if that and its tables have the recorded key and status; no table is read for it."""
    path = processed / MANIFESTS / partition / "manifest.json"
    try:
        manifest = _read(path)  # once in an ingest
    except (OSError, ValueError, RecursionError):
        return None
    is_same = (
        manifest["format"] == MANIFEST_FORMAT
        and manifest["run"] == partition.as_posix()
        and manifest["key"] == recorded.key
        and recorded.tables == file_status.list_tables(processed, partition, manifest)
    )
    return manifest if is_same else None


def verified_tables(
    processed: Path, partition: Path, manifest: dict[str, Any]
) -> dict[str, Status]:
    """The status that the tables of a manifest had when this process hashed them (:func:`stored_state`)."""
    files = table_files(processed, partition, manifest)
    return {table: _verified[path][0] for table, path in files.items()}


def table_files(processed: Path, partition: Path, manifest: dict[str, Any]) -> dict[str, Path]:
    """The file of each table of a manifest."""
    return {t: _table_file(processed, partition, manifest["key"], t) for t in manifest["tables"]}


@lru_cache(MAX_VERIFIED)
def _table_file(processed: Path, partition: Path, key: str, table: str) -> Path:
    return processed / table / partition / f"{key}.parquet"


def _text(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return texts.TOO_DEEP
    return (isinstance(error, OSError) and error.strerror) or texts.OTHER_CONTENT


def _status(path: Path) -> Status:
    """The status of a regular file; ``OSError`` for anything else."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(None, texts.NOT_A_FILE)
    return file_status.status_of(status)


@lru_cache(MAX_MANIFESTS)
def _parsed(path: Path, _: Status) -> dict[str, Any]:
    """The manifest in a file of that status."""
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    """The manifest in a file; ``ValueError`` if it is not as it was written."""
    manifest = json.loads(read_regular_file(path))
    is_manifest = isinstance(manifest, dict) and (
        manifest.get("format") == OLD_FORMAT
        or (
            manifest.get("format") == MANIFEST_FORMAT
            and manifest.get("sha256") == manifest_digest(manifest)
        )
    )
    if not is_manifest:
        raise ValueError(texts.OTHER_CONTENT)
    return manifest


def _digest(path: Path, status: Status) -> str:
    """SHA-256 of a file of that status."""
    entry = _verified.pop(path, None)
    if entry is None or entry[0] != status:
        with path.open("rb") as file:
            entry = status, hashlib.file_digest(file, "sha256").hexdigest()
    _verified[path] = entry
    if len(_verified) > MAX_VERIFIED:
        del _verified[next(iter(_verified))]  # the one not used for longest
    return entry[1]


def manifest_digest(manifest: dict[str, Any]) -> str:
    """SHA-256 of a manifest without its own hash: a table that is taken out of it is noticed."""
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def manifest_row(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest as the rest of a row of MANIFEST_SCHEMA."""
    stored = manifest["tables"]
    return {
        "key": manifest["key"],
        "logs": len(manifest["logs"]),
        "rows": sum(file["rows"] for file in stored.values()),
        "rejects": stored.get(tables.REJECTS.name, {}).get("rows", 0),
        "problems": manifest["problems"],
        "warnings": manifest["warnings"],
        "reject_files": [log["file"] for log in manifest["logs"] if log["rejects"]],
    }
