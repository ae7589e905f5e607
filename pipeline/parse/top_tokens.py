"""Rows of top at fixed columns, read by NumPy: the usual form of ``top_rows``, with the same meaning.

A row is read here if each field stands where the column names say, and has the plainest form: whole numbers, a letter
of state, percentages with one decimal, TIME+ with hundredths. Any other row is for ``top_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline import units
from pipeline.parse import ascii_fields as fields
from pipeline.parse.tokens import Text
from pipeline.parse.top_columns import COLUMNS, PREFERRED, ColumnHeader

PAD = 8
"""Bytes in front of each row: of the line before."""
MAX_PADDING = 4
"""Blanks behind a command."""
UNSIGNED, SIGNED, PRIORITY = ("PID", "PPID", "TGID"), ("NI",), ("PR",)
SIZES, STATE, PERCENT, TIME, TEXT = (
    ("VIRT", "RES", "SHR"),
    ("S",),
    ("%CPU", "%MEM"),
    ("TIME+",),
    ("USER",),
)
SUPPORTED = {*UNSIGNED, *SIGNED, *PRIORITY, *SIZES, *STATE, *PERCENT, *TIME, *TEXT}
VIEW_BYTES = 16
"""Bytes that are read from the start of a command on, at least."""
_SIZE = r"^[0-9]{1,6}(?:\.[0-9]{1,5})?[kmgtKMGT]$"
_PRIORITY = r"^(?:-?[0-9]+|[rR][tT])$"


@dataclass(frozen=True)
class Field:
    """A column: its name, the columns (from 0) in which its text is, and from where on they are blanks."""

    name: str
    begin: int
    end: int


@dataclass(frozen=True)
class Layout:
    """Where the fields of rows stand under a line of column names."""

    fields: tuple[Field, ...]
    command: int
    """Column of the first character of the command."""


def layout_of(title: str, header: ColumnHeader) -> Layout | None:
    """The layout of rows under a line of names; None if not all columns can be read here."""
    names = title.split()
    *heads, last = header.columns
    if (
        header.problem
        or header.window is not None
        or last != "COMMAND"
        or "PID" not in heads
        or list(header.columns) != names
        or not set(heads) <= SUPPORTED
        or any(PREFERRED.get(name) in names for name in heads)
        or not title.isascii()
        or "\t" in title
    ):
        return None
    places: list[Field] = []
    at = before = 0
    for name in names:
        start = title.index(name, at)
        at = start + len(name)
        if name == "COMMAND":
            return Layout(tuple(places), start) if start > before else None
        if name in TEXT:
            end = start + 8
            places.append(Field(name, before, end))
        else:
            end = at
            if end - before < 1:
                return None
            places.append(Field(name, before, end))
        before = end
    return None


def read(
    text: Text, starts: np.ndarray, ends: np.ndarray, layout: Layout
) -> tuple[dict[str, pl.Series], np.ndarray]:
    """The columns of rows, and which rows are read; only these have values that mean something.

    Parameters
    ----------
    text : Text
        A piece of a log, in ASCII.
    starts, ends : numpy.ndarray
        Places of the first character of each row, and behind its last one.
    layout : Layout
    """
    data = text.characters
    width = PAD + layout.command + VIEW_BYTES
    is_read = (starts >= PAD) & (starts + width <= data.size)
    if not is_read.any():
        return {}, is_read
    ends = _without_padding(data, ends, is_read)
    is_read &= ends - starts > layout.command
    values: dict[str, np.ndarray] = {}
    sizes: list[Sizes] = []
    windows = np.lib.stride_tricks.sliding_window_view(data, width)
    for begin in range(0, starts.size, fields.BLOCK):
        part = slice(begin, begin + fields.BLOCK)
        places = np.clip(starts[part] - PAD, 0, data.size - width)
        _read_block(windows[places], layout, begin, values, sizes, is_read)
    _read_sizes_with_letters(values, sizes, is_read)
    series = _series(values, is_read)
    command = np.where(is_read, starts + layout.command, PAD)
    series["command"] = fields.string_views(text.data, command, np.where(is_read, ends, PAD))
    return series, is_read


def _without_padding(data: np.ndarray, ends: np.ndarray, is_read: np.ndarray) -> np.ndarray:
    """The ends without the blanks in front of them; a row that ends otherwise than in a printed character is not
    read."""
    ends = ends.copy()
    last = data[ends - 1]
    rows = np.flatnonzero(is_read & (last == fields.BLANK))
    for _ in range(MAX_PADDING):
        if not rows.size:
            break
        ends[rows] -= 1
        last[rows] = data[ends[rows] - 1]
        rows = rows[last[rows] == fields.BLANK]
    is_read &= (last > fields.BLANK) & (last < 0x7F)
    return ends


def _read_block(
    block: np.ndarray,
    layout: Layout,
    first: int,
    values: dict[str, np.ndarray],
    sizes: list[Sizes],
    is_read: np.ndarray,
) -> None:
    """Set the values of the rows of ``block``, from number ``first`` on; change ``sizes`` and ``is_read``."""
    part = slice(first, first + block.shape[0])
    count, is_read = is_read.size, is_read[part]
    for field in layout.fields:
        column = COLUMNS[field.name][0]
        begin, end = field.begin + PAD, field.end + PAD
        packed = fields.packed_at(block, end, end - begin)
        before = end - 8 - (6 if field.name in TIME else 0)
        for place in range(begin, max(before, begin + bool(field.begin))):
            is_read &= block[:, place] == fields.BLANK
        value = packed
        if field.name in TEXT:
            is_read &= fields.is_text_from_left(packed)
        elif field.name in UNSIGNED:
            value, is_form = fields.read_unsigned(packed)
            is_read &= is_form
        elif field.name in SIGNED:
            value, is_form = fields.read_signed(packed)
            is_read &= is_form
        elif field.name in PERCENT:
            value, is_form = fields.read_tenths(packed)
            is_read &= is_form
        elif field.name in TIME:
            front = fields.packed_at(block, end - 6, end - begin - 6)
            value, is_form = fields.read_minutes(front, packed)
            is_read &= is_form
        elif field.name in STATE:
            value = block[:, end - 1]
            lower = value | 0x20
            is_form = ((lower >= 0x61) & (lower <= 0x7A)) | (value == 0x3F)
            is_read &= is_form & (fields.blanks_of(packed) == np.uint64(0x0001010101010101))
        elif field.name in SIZES:
            value, is_form = fields.read_unsigned(packed)
            value *= 1024
            rows = np.flatnonzero(~is_form)
            sizes.append(Sizes(column, rows + first, packed[rows]))
        if column not in values:
            values[column] = np.empty(count, value.dtype)
        values[column][part] = value
    for place in range(layout.fields[-1].end, layout.command):
        is_read &= block[:, place + PAD] == fields.BLANK
    character = block[:, layout.command + PAD]
    is_read &= (character > fields.BLANK) & (character < 0x7F)


@dataclass(frozen=True)
class Sizes:
    """Sizes that are no whole numbers: column, numbers of their rows, and their texts."""

    column: str
    rows: np.ndarray
    texts: np.ndarray


def _read_sizes_with_letters(
    columns: dict[str, np.ndarray], sizes: list[Sizes], is_read: np.ndarray
) -> None:
    """Put sizes with a letter into ``columns``; change ``is_read``."""
    if not any(part.rows.size for part in sizes):
        return
    distinct, places, is_right = fields.factorized(np.concatenate([part.texts for part in sizes]))
    texts = pl.Series("text", fields.texts_of(distinct), dtype=pl.String).to_frame()
    size = units.parse_memory_bytes(pl.col("text"))
    values = texts.select(pl.when(pl.col("text").str.contains(_SIZE)).then(size)).to_series()
    values = values.fill_null(-1).to_numpy()[places]
    values[~is_right] = -1
    begin = 0
    for part in sizes:
        end = begin + part.rows.size
        columns[part.column][part.rows] = values[begin:end]
        is_read[part.rows[values[begin:end] < 0]] = False
        begin = end


def _series(columns: dict[str, np.ndarray], is_read: np.ndarray) -> dict[str, pl.Series]:
    """The columns in the units of the table; change ``is_read``."""
    series: dict[str, pl.Series] = {}
    for name, values in columns.items():
        if name in ("user", "priority"):
            series[name] = _texts(name, values, is_read)
        elif name == "state":
            letters = [chr(code) for code in range(128)]
            series[name] = pl.Series(letters, dtype=pl.String).gather(values & 0x7F)
        elif name == "cpu_time":
            # correctly rounded, which Polars' division by a number is not
            series["cpu_time_s"] = pl.Series(values / 100.0)
            series["cpu_time_resolution_s"] = pl.Series(np.full(values.size, 0.01))
        elif name in ("cpu_percent", "memory_percent"):
            series[name] = pl.Series(values / 10.0)
        else:
            series[name] = pl.Series(values)
    return series


def _texts(name: str, keys: np.ndarray, is_read: np.ndarray) -> pl.Series:
    """Texts of up to eight characters; change ``is_read``."""
    distinct, places, is_right = fields.factorized(keys)
    is_read &= is_right
    texts = pl.Series(fields.texts_of(distinct), dtype=pl.String)
    if name == "priority":
        is_form = texts.str.contains(_PRIORITY).to_numpy()
        is_read &= is_form[places]
    return texts.gather(places)
