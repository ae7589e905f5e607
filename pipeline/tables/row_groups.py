"""Parquet files that begin with row groups of another file, which are copied as bytes.

A row group that Polars writes has the same bytes wherever it stands in a file, but for the places in it. Behind the
row groups stand the indexes of their columns, those of their pages, and the footer
(https://parquet.apache.org/docs/file-format/). A file with another layout is not continued.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.tables import table_writer
from pipeline.tables.table_writer import TableWriter
from pipeline.tables.thrift import Compact, Fields, encode_struct

MAGIC = b"PAR1"
COPY_BYTES = 1 << 20
ROWS, GROUPS = 3, 4
"""Fields of the footer (``FileMetaData``)."""
COLUMNS, GROUP_ROWS, GROUP_PLACE, ORDINAL = 1, 3, 5, 7
"""Of a row group (``RowGroup``)."""
COLUMN_PLACE, COLUMN, PAGES, VALUES = 2, 3, (4, 5), (6, 7)
"""Of a column of it (``ColumnChunk``): its description; place and length of the index of its pages, and of that of
its values, which may be missing.
"""
COMPRESSED_BYTES, PAGE_PLACES = 7, (9, 11)
"""Of the description (``ColumnMetaData``), a copy of which stands behind the column's pages."""
PAGE_PLACE = 1
"""Of a page in the index of pages (``PageLocation``)."""


class ContinuedTableWriter(TableWriter):
    """A ``TableWriter`` whose file begins with row groups of another one; the bytes are those of one writing.

    Parameters
    ----------
    path : Path
    schema : polars.Schema
    begun : Path
        A file that a ``TableWriter`` has written.
    groups : int
        How many of its row groups the table begins with, at least one; more rows must be written.

    Raises
    ------
    ValueError
        If ``begun`` has another layout.
    """

    def __init__(self, path: Path, schema: pl.Schema, begun: Path, groups: int):
        self._path, self._begun, self._groups = path, begun, groups
        self._before = _File(begun)
        self._before.check()
        rows = [group[GROUP_ROWS][1] for group in self._before.groups[:groups]]
        if rows != [table_writer.ROW_GROUP_ROWS] * groups:
            raise ValueError(begun.name)
        self._rest = path.with_name(f"{path.name}.rest")
        super().__init__(self._rest, schema)
        self.rows = sum(rows)

    def close(self) -> None:
        """As of ``TableWriter``; then both parts are joined."""
        super().close()
        digest, size = hashlib.sha256(), 0
        with self._path.open("wb") as file:
            for part in self._joined(_File(self._rest)):
                digest.update(part)
                file.write(part)
                size += len(part)
            file.flush()
            os.fsync(file.fileno())
        self._rest.unlink()
        self.bytes, self.sha256 = size, digest.hexdigest()

    def _joined(self, rest: _File) -> Iterator[bytes]:
        """The bytes of the file, in parts."""
        groups = self._before.groups[: self._groups]
        position = _end_of(groups[-1])
        yield from self._before.parts(0, position)
        values = [self._before.index(column, VALUES) for column in _columns_of(groups)]
        pages = [self._before.index(column, PAGES) for column in _columns_of(groups)]
        groups = list(groups)
        for group in rest.groups:
            columns = []
            start = position
            for column in _columns(group):
                offset = position - _start_of(column)
                moved = _moved(column, offset)
                yield from rest.parts(_start_of(column), _end_of_pages(column))
                described = encode_struct(moved[COLUMN][1])
                yield described
                position = _end_of_pages(moved) + len(described)
                columns.append(moved)
                values.append(rest.index(column, VALUES))
                pages.append(_moved_pages(rest.index(column, PAGES), offset))
            groups.append(_with_columns(group, columns, start, len(groups)))
        yield _end_of_file(self._before.footer, groups, values, pages, position)


class _File:
    """A file, its footer and its row groups."""

    def __init__(self, path: Path):
        self._path = path
        size = path.stat().st_size
        tail = self.content(max(0, size - 8), 8)
        if len(tail) < 8 or not tail.endswith(MAGIC):
            raise ValueError(path.name)
        self._end = size - 8 - struct.unpack("<I", tail[:4])[0]
        try:
            self.footer = Compact(self.content(max(0, self._end), size - 8 - self._end)).struct()
            self.groups: list[Fields] = self.footer[GROUPS][1][1]
        except LookupError as error:
            raise ValueError(path.name) from error

    def check(self) -> None:
        """Raise ``ValueError`` if it has not the layout of files that can be joined."""
        try:
            columns = _columns_of(self.groups)
            for column in (columns[0], columns[-1]):
                described = encode_struct(column[COLUMN][1])
                if self.content(_end_of_pages(column), len(described)) != described:
                    raise ValueError(self._path.name)
            group, columns_of_it = self.groups[-1], _columns(self.groups[-1])
            start, last = _start_of(columns_of_it[0]), len(self.groups) - 1
            if _with_columns(group, [_moved(c, 0) for c in columns_of_it], start, last) != group:
                raise ValueError(self._path.name)
            values = [self.index(column, VALUES) for column in columns]
            pages = [self.index(column, PAGES) for column in columns]
            end = _end_of(self.groups[-1])
            data = _end_of_file(self.footer, self.groups, values, pages, end)
            if data != self.content(end, len(data) + 1):
                raise ValueError(self._path.name)
        except (LookupError, TypeError) as error:
            raise ValueError(self._path.name) from error

    def content(self, start: int, length: int) -> bytes:
        """A part of it."""
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(length)

    def index(self, column: Fields, of: tuple[int, int]) -> bytes | None:
        """The index of a column's pages or values, None if it has none."""
        if of[0] not in column:
            return None
        return self.content(column[of[0]][1], column[of[1]][1])

    def parts(self, start: int, end: int) -> Iterator[bytes]:
        """A part of it, in parts."""
        with self._path.open("rb") as file:
            file.seek(start)
            while start < end and (part := file.read(min(COPY_BYTES, end - start))):
                start += len(part)
                yield part


def _columns(group: Fields) -> list[Fields]:
    return group[COLUMNS][1][1]


def _columns_of(groups: list[Fields]) -> list[Fields]:
    return [column for group in groups for column in _columns(group)]


def _start_of(column: Fields) -> int:
    """Place of the first page of a column."""
    described = column[COLUMN][1]
    return min(described[number][1] for number in PAGE_PLACES if number in described)


def _end_of_pages(column: Fields) -> int:
    return _start_of(column) + column[COLUMN][1][COMPRESSED_BYTES][1]


def _end_of(group: Fields) -> int:
    """Place behind a row group."""
    last = _columns(group)[-1]
    return _end_of_pages(last) + len(encode_struct(last[COLUMN][1]))


def _with(fields: Fields, values: dict[int, Any]) -> Fields:
    """``fields`` with other values."""
    return fields | {number: (fields[number][0], value) for number, value in values.items()}


def _moved(column: Fields, offset: int) -> Fields:
    """A column that stands ``offset`` further on."""
    described = column[COLUMN][1]
    places = {n: described[n][1] + offset for n in PAGE_PLACES if n in described}
    place = column[COLUMN_PLACE][1] + offset
    return _with(column, {COLUMN: _with(described, places), COLUMN_PLACE: place})


def _moved_pages(index: bytes | None, offset: int) -> bytes | None:
    """The index of the pages of a column that stands ``offset`` further on."""
    if index is None:
        return None
    fields = Compact(index).struct()
    kind, pages = fields[1][1]
    moved = [_with(page, {PAGE_PLACE: page[PAGE_PLACE][1] + offset}) for page in pages]
    return encode_struct(_with(fields, {1: (kind, moved)}))


def _with_columns(group: Fields, columns: list[Fields], start: int, ordinal: int) -> Fields:
    """A row group at another place and with another number."""
    kind = group[COLUMNS][1][0]
    return _with(group, {COLUMNS: (kind, columns), GROUP_PLACE: start, ORDINAL: ordinal})


def _end_of_file(
    footer: Fields,
    groups: list[Fields],
    values: list[bytes | None],
    pages: list[bytes | None],
    position: int,
) -> bytes:
    """What stands behind the row groups, from ``position`` on: indexes of values, of pages, and the footer."""
    places: list[dict[int, int]] = [{} for _ in values]
    for of, indexes in ((VALUES, values), (PAGES, pages)):
        for place, index in zip(places, indexes, strict=True):
            if index is not None:
                place |= {of[0]: position, of[1]: len(index)}
                position += len(index)
    following = iter(places)
    placed = []
    for group in groups:
        kind, columns = group[COLUMNS][1]
        columns = [_with(column, next(following)) for column in columns]
        placed.append(_with(group, {COLUMNS: (kind, columns)}))
    rows = sum(group[GROUP_ROWS][1] for group in groups)
    data = encode_struct(_with(footer, {ROWS: rows, GROUPS: (footer[GROUPS][1][0], placed)}))
    indexes = [index for index in (*values, *pages) if index is not None]
    return b"".join([*indexes, data, struct.pack("<I", len(data)), MAGIC])
