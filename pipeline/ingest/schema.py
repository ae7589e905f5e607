"""What ingesting gives back, and what stored tables look like."""

from __future__ import annotations

import polars as pl

from pipeline import tables
from pipeline.errors import Error

MANIFEST_SCHEMA = pl.Schema(
    dict.fromkeys((*tables.RUN_KEYS, "status", "key"), pl.String)
    | dict.fromkeys(("logs", "rows", "rejects"), pl.Int64)
    | dict.fromkeys(("problems", "warnings"), pl.List(pl.String))
)
"""What ``ingest`` gives back, one row a run: how it went (ingested, unchanged, failed), how much there is, what was
wrong."""

LOGS_SCHEMA = pl.Schema(
    dict.fromkeys((*tables.RUN_KEYS, "role", "kind", "file"), pl.String)
    | dict.fromkeys(("lines", "snapshots", "record_lines", "headers", "rejects"), pl.Int64)
)
"""The books of every log that was read: record_lines + headers + rejects = lines."""


class IngestError(Error):
    """Processed data that is not there, or cannot be made; the text says what to do."""


def stored_schema(table: str) -> pl.Schema:
    """The columns of a stored table's files: the table's own, and ``role``."""
    schema = tables.polars_schema(tables.STORED[table])
    return schema if "role" in schema else pl.Schema({"role": pl.String, **schema})
