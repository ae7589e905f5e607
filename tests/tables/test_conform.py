"""``conform`` gives a table's columns, order and types, or says what is wrong; never another schema."""

from datetime import UTC, datetime

import polars as pl
import pytest

from pipeline import Error, tables
from pipeline.tables.schema import Column, Table, required_column

TABLE = Table(
    "samples",
    "One row per sample.",
    {
        "line": required_column(pl.Int64, "number of the line"),
        "time": Column(tables.UTC_NS, "time of the sample"),
        "rate": Column(pl.Float64, "rate"),
        "flags": Column(pl.List(pl.String), "flags"),
    },
)
SCHEMA = {
    "line": pl.Int64,
    "time": pl.Datetime("ns", "UTC"),
    "rate": pl.Float64,
    "flags": pl.List(pl.String),
}


def test_columns_get_the_order_and_types_of_the_table_and_missing_ones_are_null():
    time = datetime(2026, 11, 29, 12, tzinfo=UTC)
    frame = pl.DataFrame({"rate": [1, 2], "time": [time, None], "line": [3, 4]})
    rows = tables.conform(frame, TABLE)
    assert dict(rows.schema) == SCHEMA and list(rows.columns) == list(SCHEMA)
    assert rows.rows() == [(3, time, 1.0, None), (4, None, 2.0, None)]
    assert tables.conform(rows, TABLE).equals(rows)


def test_a_frame_without_rows_keeps_the_schema():
    rows = tables.conform(pl.DataFrame({"rate": []}), TABLE)
    assert dict(rows.schema) == SCHEMA and rows.height == 0
    assert rows.equals(tables.empty(TABLE))


@pytest.mark.parametrize(
    ("frame", "named"),
    [
        ({"line": [1], "speed": [2], "size": [3]}, "samples has no column speed, size"),
        ({"line": [1, None]}, "samples: line is null in row 1"),
        ({"rate": [1.0]}, "samples: line is null in row 0"),
        ({"line": ["1", "x"]}, "samples: .*'line'"),
        ({"line": [2**63]}, "samples: .*'line'"),
        ({"line": [1], "rate": [[1.0]]}, "samples: "),
    ],
    ids=["unknown", "null", "missing", "text", "too large", "type"],
)
def test_another_frame_is_refused_and_the_column_named(frame, named):
    with pytest.raises(tables.TableError, match=named) as refused:
        tables.conform(pl.DataFrame(frame), TABLE)
    assert isinstance(refused.value, Error)


@pytest.mark.parametrize("name", tables.ALL)
def test_every_table_has_meanings_and_polars_types(name):
    table = tables.ALL[name]
    assert table.name == name and table.meaning.endswith(".")
    assert all(column.meaning for column in table.columns.values())
    assert tables.conform(tables.empty(table), table).schema == tables.polars_schema(table)
