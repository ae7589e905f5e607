"""The tables of a run as files: rows are added in pieces, and a long table is written while the logs are read.

A table with few rows is written at once from memory, a longer one by ``tables.table_writer``, with memory that does
not grow with it. Both give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.ingest.schema import stored_schema
from pipeline.tables.table_writer import ROW_GROUP_ROWS, TableWriter

COMPRESSION = "zstd"
ORDER = (*(name for name in tables.STORED if name != tables.RUNS.name), tables.RUNS.name)
"""Of the tables: that of the run's virtual servers is made last."""
MAX_ROWS, MAX_BYTES = 2 * ROW_GROUP_ROWS, 16 << 20
"""Rows of a table that are kept in memory, and their estimated size."""
MIN_DENSE_ROWS = ROW_GROUP_ROWS // 4
"""Rows of a piece whose texts are not copied. The texts of a frame are views of the text of their piece of the log:
few rows would keep all of it in memory."""


class TableFiles:
    """The tables of a run, by name.

    Parameters
    ----------
    folder : Path, optional
        Where the files are written; without it, all rows stay in memory.
    """

    def __init__(self, folder: Path | None = None):
        self._folder = folder
        self._counts: dict[str, int] = {}
        self._rows: dict[str, list[pl.DataFrame]] = {}
        self._writers: dict[str, TableWriter] = {}
        self._open: dict[str, TableWriter] = {}

    def add(
        self, table: str, frame: pl.DataFrame, role: str | None = None, *, is_part: bool = False
    ) -> None:
        """Add rows to a table, in the order in which they are stored.

        Parameters
        ----------
        table : str
            One of ``pipeline.tables.STORED``.
        frame : polars.DataFrame
        role : str, optional
            Of all rows; without it, ``frame`` has ``role``.
        is_part : bool
            Whether they are of a part of a long log.

        Raises
        ------
        OSError
            If the file of a long table cannot be written.
        """
        if role is not None:
            roles = pl.Series("role", [role], dtype=pl.String).new_from_index(0, frame.height)
            frame = frame.clone().insert_column(0, roles)
        frame = frame[_columns(table)]
        self._counts[table] = self.count(table) + frame.height
        if is_part and frame.height < MIN_DENSE_ROWS:
            frame = frame.with_columns(pl.col(pl.String) + "")  # a copy
        if table in self._writers:
            self._writers[table].write(frame)
            return
        rows = self._rows.setdefault(table, [])
        rows.append(frame)
        if self._folder is not None and (
            sum(each.height for each in rows) > MAX_ROWS
            or sum(each.estimated_size() for each in rows) > MAX_BYTES
        ):
            writer = TableWriter(self._folder / _file(table), frame.schema)
            self._writers[table] = self._open[table] = writer
            while rows:
                writer.write(rows.pop(0))
            del self._rows[table]

    def count(self, table: str) -> int:
        """Number of rows of a table so far."""
        return self._counts.get(table, 0)

    def add_stored(self, table: str, path: Path, first: int, count: int) -> None:
        """Add ``count`` rows of a stored file of the table, from number ``first`` on, as they are there.

        Raises
        ------
        OSError
            If the file of a long table cannot be written.
        """
        stored = pl.scan_parquet(path, hive_partitioning=False)
        end = first + count
        while first < end:
            length = min(end, (first // ROW_GROUP_ROWS + 1) * ROW_GROUP_ROWS) - first
            self.add(table, stored.slice(first, length).collect())
            first += length

    def lazy(self) -> dict[str, pl.LazyFrame]:
        """The tables that have rows, in ``ORDER``; long ones take no more rows.

        Raises
        ------
        OSError
            If the file of a long table cannot be written.
        """
        for table in list(self._open):
            self._open[table].close()
            del self._open[table]
        frames = {}
        for table in ORDER:
            if table in self._writers:
                assert self._folder is not None
                path = self._folder / _file(table)
                frames[table] = pl.scan_parquet(path, hive_partitioning=False)
            elif table in self._rows:
                rows = self._rows[table]
                if len(rows) > 1:
                    rows[:] = [pl.concat(rows, rechunk=True)]
                frames[table] = rows[0].lazy()
        return frames

    def frames(self) -> dict[str, pl.DataFrame]:
        """The tables that have rows, in memory."""
        return {table: frame.collect() for table, frame in self.lazy().items()}

    def write(self) -> dict[str, dict[str, Any]]:
        """Write the files, ``<table>.parquet``; number of rows, bytes and SHA-256 of each.

        Raises
        ------
        OSError
            If a file cannot be written.
        """
        assert self._folder is not None
        written: dict[str, dict[str, Any]] = {}
        for table in self.lazy():
            if table in self._writers:
                writer = self._writers[table]
                counts = (writer.rows, writer.bytes, writer.sha256)
            else:
                frame = self._rows[table][0].rechunk()  # bytes that depend on the rows alone
                buffer = io.BytesIO()  # Polars reports a full disk as a fault of the file
                frame.write_parquet(buffer, compression=COMPRESSION, row_group_size=ROW_GROUP_ROWS)
                content = buffer.getbuffer()
                (self._folder / _file(table)).write_bytes(content)
                counts = (frame.height, len(content), hashlib.sha256(content).hexdigest())
            written[table] = dict(zip(("rows", "bytes", "sha256"), counts, strict=True))
        return written

    def abandon(self) -> None:
        """End the writing of long tables; their files are incomplete."""
        for writer in self._open.values():
            writer.abort()
        self._open.clear()


@cache
def _columns(table: str) -> list[str]:
    return stored_schema(table).names()


def _file(table: str) -> str:
    return f"{table}.parquet"
