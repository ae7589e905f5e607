"""Definition of tidy tables: columns, types, and conversion of frames to a table's schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.errors import Error

UTC_NS = pl.Datetime("ns", "UTC")

RUN_KEYS = ("study", "server", "run")
"""The partition columns of every stored table. A parser's frame does not have them; ``ingest`` adds them."""

DataType = pl.DataType | type[pl.DataType]


class TableError(Error):
    """A frame that cannot be converted to a table's schema."""


@dataclass(frozen=True)
class Column:
    """A column of a table: its type and meaning; ``nullable`` if a value can be not available."""

    dtype: DataType
    meaning: str
    nullable: bool = True


@dataclass(frozen=True)
class Table:
    """A table has exactly these columns, in this order."""

    name: str
    meaning: str
    columns: Mapping[str, Column]


def required_column(dtype: DataType, meaning: str) -> Column:
    """A column that is never null."""
    return Column(dtype, meaning, nullable=False)


def snapshot_columns() -> dict[str, Column]:
    """Columns of every sampled row: position of its snapshot in the log and time of the snapshot."""
    return {
        "snapshot": required_column(pl.Int64, "number of the snapshot in its log, from 0"),
        "line": required_column(
            pl.Int64,
            "number of the row's first line in the log, from 1; counted through all segments of a rotated log",
        ),
        "time": Column(UTC_NS, "time of the snapshot, by the recording machine's clock"),
        "monotonic_ns": Column(
            pl.Int64,
            "CLOCK_MONOTONIC of the recording machine; null without sentinels",
        ),
        "seq": Column(pl.Int64, "number of the collector's tick; null without sentinels"),
        "boot_id": Column(pl.String, "boot id of the recording machine; null without sentinels"),
    }


def polars_schema(table: Table) -> pl.Schema:
    """The table's columns and Polars types, in order."""
    return pl.Schema({name: column.dtype for name, column in table.columns.items()})


def empty(table: Table) -> pl.DataFrame:
    """A frame with the table's schema and no rows."""
    return pl.DataFrame(schema=polars_schema(table))


def conform(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Convert a frame to a table's schema.

    Parameters
    ----------
    frame : polars.DataFrame
        Its columns are a subset of the table's, in any order.
    table : Table

    Returns
    -------
    polars.DataFrame
        The table's columns in order and with their types; columns missing from ``frame`` are null.

    Raises
    ------
    TableError
        If ``frame`` has a column that the table does not have, a value that its column's type cannot hold,
        or a null in a required column.

    Examples
    --------
    >>> table = Table("loads", "One row per load.", {"rate_per_s": required_column(pl.Float64, "offered rate")})
    >>> conform(pl.DataFrame({"rate_per_s": [20]}), table)["rate_per_s"].to_list()
    [20.0]
    """
    unknown = [name for name in frame.columns if name not in table.columns]
    if unknown:
        raise TableError(f"{table.name} has no column {', '.join(unknown)}")
    values = {column.name: column for column in frame.iter_columns()}
    nulls = pl.Series([None], dtype=pl.Null).new_from_index(0, frame.height)
    try:
        result = pl.DataFrame(
            [
                values.get(name, nulls).cast(column.dtype).alias(name)
                for name, column in table.columns.items()
            ]
        )
    except pl.exceptions.InvalidOperationError as error:
        raise TableError(f"{table.name}: {error}") from error
    for name, column in table.columns.items():
        if not column.nullable and result[name].null_count():
            row = result[name].is_null().arg_max()
            raise TableError(f"{table.name}: {name} is null in row {row}, but is required")
    return result


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
