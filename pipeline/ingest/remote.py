"""Runs whose raw files or tables are on object storage: fetched when needed, stored after their tables are written.

Beside the manifest, ``source.json`` lists the raw files that the tables come from as the storage lists them: a run
whose listing is the same is not fetched again. Tables are named by the run's fingerprint, so that a name always has the
same content; the manifest is stored last, then the files of the manifest before are removed. Storage has no locks: if
two processes ingest a run of other content or by other code at once, the last manifest counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline import tables
from pipeline.files import write_text
from pipeline.ingest.fingerprint import code_version
from pipeline.ingest.stored import MANIFESTS, manifest_row, partition_path, stored_state
from pipeline.ingest.writer import failed_row, ingest_run
from pipeline.raw import Run, read_run
from pipeline.storage import Mirror, StorageError, local_folder, mirror_of

SOURCE = "source.json"
_KEY = re.compile("[0-9a-f]{64}")


def ingest_any_run(
    run: Run, processed: Path, force: bool, max_expanded_bytes: int | None = None
) -> dict[str, Any]:
    """``writer.ingest_run`` of a run in a folder, or in a mirror whose storage is read and written."""
    raw, store = mirror_of(run.path.parents[2]), mirror_of(processed)
    if raw is None and store is None:
        return ingest_run(run, processed, force, max_expanded_bytes)
    names = (run.study, run.server, run.run)
    partition = partition_path(names)
    source = None
    try:
        if store is not None:
            fetch_tables(processed, names)
        if raw is not None:
            source = {"code": code_version(), "raw": raw.list(run.id)}
            row = None if force else _unchanged_row(processed, run, source, max_expanded_bytes)
            if row is not None:
                return row
            raw.fetch(run.id, has_logs=True, also=[f"{run.study}/study.json"])
        current = read_run(*names, run.path)
        row = ingest_run(current, processed, force, max_expanded_bytes)
        if source is not None and row["status"] != "failed":
            source["key"] = row["key"]
            write_text(processed / MANIFESTS / partition / SOURCE, json.dumps(source))
        if store is not None and row["status"] != "failed":
            _store_tables(store, partition, is_written=row["status"] != "unchanged")
    except StorageError as error:
        return failed_row(run, str(error))
    except FileNotFoundError as error:
        return failed_row(run, f"{error.filename or error}: removed while it was read")
    return row


def _unchanged_row(
    processed: Path, run: Run, source: Mapping[str, Any], max_expanded_bytes: int | None
) -> dict[str, Any] | None:
    """The row of a run whose tables come from these files; None if it must be read."""
    names = (run.study, run.server, run.run)
    partition = partition_path(names)
    stored, _ = stored_state(processed, partition)
    if stored is None or (max_expanded_bytes and stored.get("refused_text_bytes") is not None):
        return None
    if _json(_content(processed / MANIFESTS / partition / SOURCE)) != {
        **source,
        "key": stored["key"],
    }:
        return None
    row = dict(zip(tables.RUN_KEYS, names, strict=True))
    return {**row, "status": "unchanged", **manifest_row(stored)}


def fetch_run(raw: str, names: tuple[str, str, str], processed: Path) -> None:
    """Fetch what a ledger of an ingested run needs, its logs not: manifests and tables. Nothing to do for folders."""
    mirror = mirror_of(local_folder(raw))
    if mirror is not None:
        mirror.fetch("/".join(names), has_logs=False, also=[f"{names[0]}/study.json"])
    fetch_tables(processed, names)


def fetch_tables(processed: Path, names: tuple[str, str, str]) -> None:
    """Make the run's tables in ``processed``, if that is a mirror, those of the storage; its manifest last."""
    store = mirror_of(processed)
    if store is None:
        return
    partition = partition_path(names)
    folder = f"{MANIFESTS}/{partition.as_posix()}"
    path = processed / folder / "manifest.json"
    content = store.read(f"{folder}/manifest.json")
    if content is None:
        path.unlink(missing_ok=True)
        return
    is_same = content == _content(path)
    for name, file in _tables_of(content, partition).items():
        own = processed / name
        if not own.exists() or not (is_same or _sha256(own) == file["sha256"]):
            store.get(name)
    if not is_same:
        store.get(f"{folder}/manifest.json")
    source = store.read(f"{folder}/{SOURCE}")
    if source is not None:
        (processed / folder / SOURCE).write_bytes(source)


@contextmanager
def synchronized(processed: Path, names: Sequence[str]) -> Iterator[None]:
    """Fetch files of ``processed`` if that is a mirror; those that this block changes are stored, in this order."""
    store = mirror_of(processed)
    if store is None:
        yield
        return
    before = {name: store.read(name) for name in names}
    for name, content in before.items():
        path = processed / name
        if content is None:
            path.unlink(missing_ok=True)
        elif content != _content(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    yield
    for name in names:
        content = _content(processed / name)
        if content is not None and content != before[name]:
            store.write(name, content)


def _store_tables(store: Mirror, partition: Path, *, is_written: bool) -> None:
    """Store the run's tables, then its manifest, then remove the tables of the manifest before."""
    folder = f"{MANIFESTS}/{partition.as_posix()}"
    content = _content(store.folder / folder / "manifest.json")
    before = store.read(f"{folder}/manifest.json")
    if is_written or content != before:
        new = _tables_of(content, partition)
        for name in new:
            store.store(name)
        store.store(f"{folder}/manifest.json")
        store.remove(sorted(_tables_of(before, partition).keys() - new.keys()))
    source = _content(store.folder / folder / SOURCE)
    if source is not None and source != store.read(f"{folder}/{SOURCE}"):
        store.write(f"{folder}/{SOURCE}", source)


def _tables_of(manifest: bytes | None, partition: Path) -> dict[str, dict[str, Any]]:
    """Name → entry of each file that a manifest lists; empty for one that is none."""
    try:
        value = _json(manifest)
        if _KEY.fullmatch(value["key"]) is None:  # it becomes a path
            return {}
        return {
            f"{table}/{partition.as_posix()}/{value['key']}.parquet": file
            for table, file in value["tables"].items()
            if table in tables.STORED
        }
    except (KeyError, TypeError, AttributeError):
        return {}


def _json(content: bytes | None) -> Any:
    try:
        return None if content is None else json.loads(content)
    except (ValueError, RecursionError):
        return None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
