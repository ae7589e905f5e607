"""Reading what was stored: a run is there when its manifest is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest.schema import LOGS_SCHEMA, MANIFEST_SCHEMA, IngestError, stored_schema
from pipeline.ingest.writer import MANIFESTS, STAGING, manifest_row, partition_path, read_manifest


def list_ingested(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> list[tuple[str, str, str]]:
    """study, server and run of everything that is stored, in the order of the names."""
    return [names for names, _ in _manifests(Path(processed), study, server, run)]


def manifest(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> pl.DataFrame:
    """One row a stored run (MANIFEST_SCHEMA): how much there is, and what was wrong."""
    rows = [
        {
            **dict(zip(tables.RUN_KEYS, names, strict=True)),
            "status": "ingested",
            **manifest_row(found),
        }
        for names, found in _manifests(Path(processed), study, server, run)
    ]
    return pl.DataFrame(rows, schema=MANIFEST_SCHEMA, orient="row")


def logs(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> pl.DataFrame:
    """The books of every log that was read (LOGS_SCHEMA)."""
    rows = [
        {**dict(zip(tables.RUN_KEYS, names, strict=True)), **log}
        for names, found in _manifests(Path(processed), study, server, run)
        for log in found["logs"]
    ]
    return pl.DataFrame(rows, schema=LOGS_SCHEMA, orient="row")


def scan(
    table: str,
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
    role: str | None = None,
) -> pl.LazyFrame:
    """A stored table, lazily: study, server, run, role and the table's columns.

    Without rows it is empty and in form. A ``run`` that is named and not ingested is an ``IngestError``.
    A lazy query may lose the rows' order; ``load`` keeps it.
    """
    parts = [
        pl.scan_parquet(path, hive_partitioning=False).select(_selected(table, names))
        for names, path in _files(table, Path(processed), study, server, run)
    ]
    frame = pl.concat(parts) if parts else pl.LazyFrame(schema=loaded_schema(table))
    return frame if role is None else frame.filter(pl.col("role") == role)


def load(
    table: str,
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
    role: str | None = None,
) -> pl.DataFrame:
    """A stored table in memory, in a stable order: by study, server, run, role, then as logged."""
    parts = []
    for names, path in _files(table, Path(processed), study, server, run):
        part = pl.read_parquet(path, hive_partitioning=False).select(_selected(table, names))
        parts.append(part if role is None else part.filter(pl.col("role") == role))
    return pl.concat(parts) if parts else pl.DataFrame(schema=loaded_schema(table))


def loaded_schema(table: str) -> pl.Schema:
    """The columns that ``scan`` and ``load`` give: RUN_KEYS, ``role`` and the table's own."""
    keys = dict.fromkeys(tables.RUN_KEYS, pl.String)
    return pl.Schema({**keys, **stored_schema(_check_table(table))})


def _selected(table: str, names: tuple[str, str, str]) -> list[pl.Expr]:
    keys = [pl.lit(name).alias(key) for key, name in zip(tables.RUN_KEYS, names, strict=True)]
    return [*keys, *(pl.col(name) for name in stored_schema(table).names())]


def _check_table(table: str) -> str:
    if table not in tables.STORED:
        raise IngestError(f"no table is called {table!r}; there are {', '.join(tables.STORED)}")
    return table


def _files(
    table: str, processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], Path]]:
    """The valid files of a table, by study, server and run."""
    _check_table(table)
    found = list(_manifests(processed, study, server, run))
    if run is not None and not found:
        wanted = "/".join(name for name in (study, server, run) if name is not None)
        raise IngestError(
            f"{wanted} is not in {processed}; ingest it first: queuevisor ingest {wanted}"
        )
    for names, manifest in found:
        if table in manifest["tables"]:
            yield names, processed / table / partition_path(names) / f"{manifest['key']}.parquet"


def _manifests(
    processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Every stored run that is named, with its manifest."""
    root = processed / MANIFESTS
    for path in sorted(root.glob("study=*/server=*/run=*/manifest.json")):
        partition = path.parent.relative_to(root)
        names = tuple(part.partition("=")[2] for part in partition.parts)
        wanted = zip((study, server, run), names, strict=True)
        if all(want is None or want == name for want, name in wanted):
            found = read_manifest(processed, partition)
            if found is not None:
                yield (names[0], names[1], names[2]), found


def clear(processed: Path | str) -> None:
    """Remove everything that ``ingest`` has made; the next ingest makes it again."""
    processed = Path(processed)
    for name in (MANIFESTS, STAGING, *tables.STORED):
        shutil.rmtree(processed / name, ignore_errors=True)
