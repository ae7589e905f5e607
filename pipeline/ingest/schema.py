"""Schemas of what ingesting returns and of stored tables."""

from __future__ import annotations

import polars as pl

from pipeline import tables
from pipeline.errors import Error

MANIFEST_SCHEMA = pl.Schema(
    dict.fromkeys((*tables.RUN_KEYS, "status", "key"), pl.String)
    | dict.fromkeys(("logs", "rows", "rejects"), pl.Int64)
    | dict.fromkeys(("problems", "warnings", "reject_files"), pl.List(pl.String))
)
"""One row per run: ``status`` (ingested, unchanged, failed, or repaired: stored tables were damaged), ``key`` (the
fingerprint, null if it failed), number of logs, of rows in all tables and of rejects, problems and warnings,
and the files that have rejects."""

LOGS_SCHEMA = pl.Schema(
    dict.fromkeys((*tables.RUN_KEYS, "role", "kind", "file"), pl.String)
    | dict.fromkeys(("lines", "snapshots", "record_lines", "headers", "rejects"), pl.Int64)
)
"""Line accounting, one row per log file that was read: record_lines + headers + rejects = lines."""


class IngestError(Error):
    """Processed data that does not exist or cannot be made."""


def stored_schema(table: str) -> pl.Schema:
    """The columns of a stored table's files.

    Parameters
    ----------
    table : str
        One of ``pipeline.tables.STORED``.

    Returns
    -------
    polars.Schema
        ``role``, then the table's columns. Study, server and run are in the path.
    """
    schema = tables.polars_schema(tables.STORED[table])
    return schema if "role" in schema else pl.Schema({"role": pl.String, **schema})
