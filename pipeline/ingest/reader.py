"""Read stored tables. A run is stored if its manifest is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest import texts
from pipeline.ingest.schema import LOGS_SCHEMA, MANIFEST_SCHEMA, IngestError, stored_schema
from pipeline.ingest.stored import (
    MANIFESTS,
    RESULTS,
    manifest_row,
    partition_path,
    stored_state,
)
from pipeline.ingest.writer import STAGING


def list_ingested(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> list[tuple[str, str, str]]:
    """Study, server and run of every stored run, ordered by name."""
    return [names for names, _ in _manifests(Path(processed), study, server, run)]


def manifest(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> pl.DataFrame:
    """One row per stored run (MANIFEST_SCHEMA): status, counts, problems and warnings."""
    rows = [
        {
            **dict(zip(tables.RUN_KEYS, names, strict=True)),
            "status": "ingested",
            **manifest_row(run_manifest),
        }
        for names, run_manifest in _manifests(Path(processed), study, server, run)
    ]
    return pl.DataFrame(rows, schema=MANIFEST_SCHEMA, orient="row")


def logs(
    processed: Path | str,
    study: str | None = None,
    server: str | None = None,
    run: str | None = None,
) -> pl.DataFrame:
    """Line counts of every log that was read (LOGS_SCHEMA)."""
    rows = [
        {**dict(zip(tables.RUN_KEYS, names, strict=True)), **log}
        for names, run_manifest in _manifests(Path(processed), study, server, run)
        for log in run_manifest["logs"]
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
    """A stored table as a lazy frame.

    Parameters
    ----------
    table : str
        One of ``pipeline.tables.STORED``.
    processed : path
        Folder of the tables.
    study, server, run, role : str, optional
        Restrict the rows.

    Returns
    -------
    polars.LazyFrame
        Columns ``study``, ``server``, ``run``, ``role`` and those of the table; no rows where nothing is
        stored. A lazy query may change the order of rows; :func:`load` keeps it.

    Raises
    ------
    IngestError
        If there is no such table, if ``run`` is given and not ingested, or if stored tables are damaged.
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
    """A stored table as a frame, ordered by study, server, run, role and line; parameters as of :func:`scan`."""
    parts = []
    for names, path in _files(table, Path(processed), study, server, run):
        part = _read(table, Path(processed), names, path)
        parts.append(part if role is None else part.filter(pl.col("role") == role))
    return pl.concat(parts) if parts else pl.DataFrame(schema=loaded_schema(table))


def _read(
    table: str, processed: Path, names: tuple[str, str, str], path: Path | None
) -> pl.DataFrame:
    """A table of one run. Another process may replace its files: then those of the new manifest are read."""
    for _ in range(2):
        if path is None:
            break
        try:
            frame = pl.read_parquet(path, hive_partitioning=False)
        except (OSError, pl.exceptions.PolarsError):
            path = next((path for _, path in _files(table, processed, *names)), None)
        else:
            return frame.select(_selected(table, names))
    if path is None:
        return pl.DataFrame(schema=loaded_schema(table))
    raise IngestError(texts.replaced_tables("/".join(names), processed))


def loaded_schema(table: str) -> pl.Schema:
    """Columns of ``scan`` and ``load``: RUN_KEYS, ``role`` and those of the table."""
    keys = dict.fromkeys(tables.RUN_KEYS, pl.String)
    return pl.Schema({**keys, **stored_schema(_check_table(table))})


def _selected(table: str, names: tuple[str, str, str]) -> list[pl.Expr]:
    keys = [pl.lit(name).alias(key) for key, name in zip(tables.RUN_KEYS, names, strict=True)]
    return [*keys, *(pl.col(name) for name in stored_schema(table).names())]


def _check_table(table: str) -> str:
    if table not in tables.STORED:
        raise IngestError(texts.unknown_table(table, list(tables.STORED)))
    return table


def _files(
    table: str, processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], Path]]:
    """The valid files of a table, by study, server and run."""
    _check_table(table)
    states = list(_states(processed, study, server, run))
    for names, _, damage in states:
        if damage is not None:
            raise IngestError(texts.damaged_tables("/".join(names), processed, damage))
    manifests = [(names, manifest) for names, manifest, _ in states if manifest is not None]
    if run is not None and not manifests:
        run_id = "/".join(name for name in (study, server, run) if name is not None)
        raise IngestError(texts.not_ingested(run_id, processed))
    for names, manifest in manifests:
        if table in manifest["tables"]:
            yield names, processed / table / partition_path(names) / f"{manifest['key']}.parquet"


def _manifests(
    processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Every stored run of those names, with its manifest."""
    for names, run_manifest, _ in _states(processed, study, server, run):
        if run_manifest is not None:
            yield names, run_manifest


def _states(
    processed: Path, study: str | None, server: str | None, run: str | None
) -> Iterator[tuple[tuple[str, str, str], dict[str, Any] | None, str | None]]:
    """Every run of those names that has a manifest: its manifest, or what is damaged."""
    root = processed / MANIFESTS
    if study is None or server is None or run is None:
        paths = sorted(root.glob("study=*/server=*/run=*/manifest.json"))
    else:
        paths = [root / partition_path((study, server, run)) / "manifest.json"]
    for path in paths:
        partition = path.parent.relative_to(root)
        names = tuple(part.partition("=")[2] for part in partition.parts)
        pairs = zip((study, server, run), names, strict=True)
        if all(requested is None or requested == name for requested, name in pairs):
            yield (names[0], names[1], names[2]), *stored_state(processed, partition)


def clear(processed: Path | str) -> None:
    """Remove all stored tables, and the results that were computed from them."""
    processed = Path(processed)
    for name in (MANIFESTS, RESULTS, STAGING, *tables.STORED):
        shutil.rmtree(processed / name, ignore_errors=True)
