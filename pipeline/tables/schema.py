"""Definition of tidy tables: columns, types, and conversion of frames to a table's schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandera.polars as pa
import polars as pl

UTC_NS = pl.Datetime("ns", "UTC")

RUN_KEYS = ("study", "server", "run")
"""The partition columns of every stored table. A parser's frame does not have them; ``ingest`` adds them."""


def column(dtype: pl.DataType | type[pl.DataType], meaning: str, *, null: bool = True) -> pa.Column:
    """A column of that type; null means that the value is not available."""
    return pa.Column(dtype, nullable=null, description=meaning)


def required_column(dtype: pl.DataType | type[pl.DataType], meaning: str) -> pa.Column:
    """A column that is never null."""
    return column(dtype, meaning, null=False)


def table_schema(name: str, meaning: str, columns: dict[str, pa.Column]) -> pa.DataFrameSchema:
    """A table with exactly these columns in this order."""
    return pa.DataFrameSchema(columns, name=name, description=meaning, strict=True, ordered=True)


def snapshot_columns() -> dict[str, pa.Column]:
    """Columns of every sampled row: position of its snapshot in the log and time of the snapshot."""
    return {
        "snapshot": required_column(pl.Int64, "number of the snapshot in its log, from 0"),
        "line": required_column(
            pl.Int64,
            "number of the row's first line in the log, from 1; counted through all segments of a rotated log",
        ),
        "time": column(UTC_NS, "time of the snapshot, by the recording machine's clock"),
        "monotonic_ns": column(
            pl.Int64,
            "CLOCK_MONOTONIC of the recording machine; null without sentinels",
        ),
        "seq": column(pl.Int64, "number of the collector's tick; null without sentinels"),
        "boot_id": column(pl.String, "boot id of the recording machine; null without sentinels"),
    }


def polars_schema(table: pa.DataFrameSchema) -> pl.Schema:
    """The table's columns and Polars types, in order."""
    return pl.Schema({name: column.dtype.type for name, column in table.columns.items()})


def empty(table: pa.DataFrameSchema) -> pl.DataFrame:
    """A frame with the table's schema and no rows."""
    return pl.DataFrame(schema=polars_schema(table))


def conform(frame: pl.DataFrame, table: pa.DataFrameSchema) -> pl.DataFrame:
    """Convert a frame to a table's schema.

    Parameters
    ----------
    frame : polars.DataFrame
        Its columns are a subset of the table's, in any order.
    table : pandera.polars.DataFrameSchema

    Returns
    -------
    polars.DataFrame
        The table's columns in order and with their types; columns missing from ``frame`` are null.

    Raises
    ------
    pandera.errors.SchemaError
        If a required value is null.
    ValueError
        If ``frame`` has a column that the table does not have.
    """
    schema = polars_schema(table)
    unknown = [name for name in frame.columns if name not in schema]
    if unknown:
        raise ValueError(f"{table.name} has no column {', '.join(unknown)}")
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    ]
    return table.validate(frame.select(columns))


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with each list of texts joined by ``; ``, for file formats without lists."""
    return frame.with_columns(pl.col(pl.List(pl.String)).list.join("; "))


Schema = dict[str, type[pl.DataType]]


def texts(*names: str) -> Schema:
    """Columns of text."""
    return dict.fromkeys(names, pl.String)


def floats(*names: str) -> Schema:
    """Columns of numbers."""
    return dict.fromkeys(names, pl.Float64)


def of_rows(
    rows: Iterable[Sequence[Any] | Mapping[str, Any]],
    schema: Mapping[str, pl.DataType | type[pl.DataType]],
) -> pl.DataFrame:
    """Rows, tuples or mappings, as a frame with the columns of ``schema``, also without any row."""
    return pl.DataFrame(list(rows), schema=schema, orient="row")
