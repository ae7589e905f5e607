"""What ingesting gives back, and what stored tables look like."""

from __future__ import annotations

import polars as pl

from pipeline import tables

STATUSES = ("ingested", "unchanged", "failed")

MANIFEST_SCHEMA = pl.Schema(
    {
        "study": pl.String,
        "server": pl.String,
        "run": pl.String,
        "status": pl.String,
        "key": pl.String,
        "logs": pl.Int64,
        "rows": pl.Int64,
        "rejects": pl.Int64,
        "problems": pl.List(pl.String),
        "warnings": pl.List(pl.String),
    }
)
"""What ``ingest`` gives back, one row a run: how it went, how much there is, what was wrong."""

LOGS_SCHEMA = pl.Schema(
    {
        "study": pl.String,
        "server": pl.String,
        "run": pl.String,
        "role": pl.String,
        "kind": pl.String,
        "file": pl.String,
        "lines": pl.Int64,
        "snapshots": pl.Int64,
        "record_lines": pl.Int64,
        "headers": pl.Int64,
        "rejects": pl.Int64,
    }
)
"""The books of every log that was read: record_lines + headers + rejects = lines."""


class IngestError(Exception):
    """Processed data that is not there, or cannot be made; the text says what to do."""


def stored_schema(table: str) -> pl.Schema:
    """The columns of a stored table's files: the table's own, and ``role``."""
    schema = tables.polars_schema(tables.STORED[table])
    return schema if "role" in schema else pl.Schema({"role": pl.String, **schema})
