"""Write one run: files under temporary names, then renamed, the manifest last."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import files, tables
from pipeline.ingest import texts
from pipeline.ingest.fingerprint import fingerprint
from pipeline.ingest.parse_run import ParsedRun, parse_run
from pipeline.ingest.schema import IngestError
from pipeline.raw import Run, is_safe_name

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]

MANIFEST_FORMAT = "queuevisor-ingested/1"
MANIFESTS = ".manifest"
STAGING = ".staging"
LOCK_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
ROW_GROUP = 1 << 17
COMPRESSION = "zstd"


def partition_path(names: tuple[str, str, str]) -> Path:
    """Folders of a run's files below the folder of a table."""
    return Path(*(f"{key}={name}" for key, name in zip(tables.RUN_KEYS, names, strict=True)))


@contextlib.contextmanager
def _locked(processed: Path, partition: Path) -> Iterator[Path]:
    """The run's staging folder, empty and locked: two notebooks may ingest one run at a time."""
    staging = processed / STAGING / partition
    staging.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(staging / "lock", LOCK_FLAGS, 0o600)) as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        _empty(staging)
        try:
            yield staging
        finally:
            _empty(staging)


def _empty(staging: Path) -> None:
    for stale in staging.glob("*.parquet"):
        stale.unlink()


def read_manifest(processed: Path, partition: Path) -> dict[str, Any] | None:
    """The run's manifest; None if it is not ingested or a file has another size than when it was written."""
    path = processed / MANIFESTS / partition / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != MANIFEST_FORMAT:
            return None
        for table, file in manifest["tables"].items():
            stored_file = processed / table / partition / f"{manifest['key']}.parquet"
            if stored_file.stat().st_size != file["bytes"]:
                return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return manifest


def ingest_run(run: Run, processed: Path, force: bool) -> dict[str, Any]:
    """Ingest one run and return its manifest row; a failure is a row of status ``failed``."""
    names = (run.study, run.server, run.run)
    row: dict[str, Any] = dict(zip(tables.RUN_KEYS, names, strict=True))
    try:
        unsafe = [name for name in names if not is_safe_name(name)]
        if unsafe:
            raise IngestError(texts.unsafe_name(json.dumps(unsafe[0])))
        partition = partition_path(names)
        with _locked(processed, partition) as staging:
            key = fingerprint(run)
            manifest = read_manifest(processed, partition)
            if force or manifest is None or manifest["key"] != key:
                manifest = _write(parse_run(run), key, processed, partition, staging)
                status = "ingested"
            else:
                status = "unchanged"
        return {**row, "status": status, **manifest_row(manifest)}
    except (IngestError, OSError, pl.exceptions.PolarsError) as error:
        what = str(error) if isinstance(error, IngestError) else f"{type(error).__name__}: {error}"
        return failed_row(run, what)


def failed_row(run: Run, problem: str) -> dict[str, Any]:
    """The manifest row of a run that could not be ingested."""
    names = {"study": run.study, "server": run.server, "run": run.run}
    empty = {"key": None, "logs": 0, "rows": 0, "rejects": 0}
    return {**names, "status": "failed", **empty, "problems": [problem], "warnings": []}


def _write(
    parsed_run: ParsedRun, key: str, processed: Path, partition: Path, staging: Path
) -> dict[str, Any]:
    """Write the frames under temporary names, rename them, then write the manifest that lists them."""
    written: dict[str, dict[str, int]] = {}
    for table, frame in parsed_run.frames.items():
        path = staging / f"{table}.parquet"
        # bytes that depend on the rows alone
        frame.rechunk().write_parquet(path, compression=COMPRESSION, row_group_size=ROW_GROUP)
        written[table] = {"rows": frame.height, "bytes": path.stat().st_size}
    for table in written:
        folder = processed / table / partition
        folder.mkdir(parents=True, exist_ok=True)
        (staging / f"{table}.parquet").replace(folder / f"{key}.parquet")
    manifest = {
        "format": MANIFEST_FORMAT,
        "key": key,
        "tables": written,
        "logs": parsed_run.logs,
        "problems": parsed_run.problems,
        "warnings": parsed_run.warnings,
    }
    folder = processed / MANIFESTS / partition
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    files.write_text(folder / "manifest.json", text)
    _remove_stale(processed, partition, dict.fromkeys(written, key))
    return manifest


def _remove_stale(processed: Path, partition: Path, valid: dict[str, str]) -> None:
    """Remove files of the run that its manifest does not list."""
    for table in tables.STORED:
        folder = processed / table / partition
        for path in sorted(folder.glob("*.parquet")):
            if path.stem != valid.get(table):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or not there
            folder.rmdir()


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
    }
