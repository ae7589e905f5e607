"""Rows of top at fixed columns, read by NumPy: the usual form of ``top_rows``, with the same meaning.

A row is read here if each field stands where the column names say, and has the plainest form: whole numbers, a letter
of state, percentages with one decimal, TIME+ with hundredths. Any other row is for ``top_rows``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline import units
from pipeline.parse import ascii_fields as fields
from pipeline.parse.top_columns import COLUMNS, PREFERRED, ColumnHeader

BLOCK_ROWS = 1 << 14
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
VIEW_BYTES, INLINE_BYTES = 16, 12
"""Of a string view of Arrow: its length, and the text itself or its first four bytes and its place."""
_FIRST_MASKS = np.array(
    [((1 << 8 * min(size, 4)) - 1) << 32 for size in range(INLINE_BYTES + 1)], dtype=np.uint64
)
_LAST_MASKS = np.array(
    [(1 << 8 * max(size - 4, 0)) - 1 for size in range(INLINE_BYTES + 1)], dtype=np.uint64
)
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
    data: np.ndarray, text: bytes, starts: np.ndarray, ends: np.ndarray, layout: Layout
) -> tuple[dict[str, pl.Series], np.ndarray]:
    """The columns of rows, and which rows are read; only these have values that mean something.

    Parameters
    ----------
    data : numpy.ndarray of uint8
        The bytes of ``text``, a piece of a log, in ASCII.
    text : bytes
    starts, ends : numpy.ndarray
        Places of the first character of each row, and behind its last one.
    layout : Layout
    """
    width = PAD + layout.command + VIEW_BYTES
    is_read = (starts >= PAD) & (starts + width <= data.size)
    if not is_read.any():
        return {}, is_read
    ends = _without_padding(data, ends, is_read)
    is_read &= ends - starts > layout.command
    values: dict[str, list[np.ndarray]] = {}
    windows = np.lib.stride_tricks.sliding_window_view(data, width)
    for begin in range(0, starts.size, BLOCK_ROWS):
        part = slice(begin, begin + BLOCK_ROWS)
        places = np.clip(starts[part] - PAD, 0, data.size - width)
        _read_block(windows[places], layout, values, is_read[part])
    columns = {name: np.concatenate(parts) for name, parts in values.items()}
    _read_sizes_with_letters(columns, is_read)
    series = _series(columns, is_read)
    series["command"] = _views(data, text, starts + layout.command, ends, is_read)
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
    block: np.ndarray, layout: Layout, values: dict[str, list[np.ndarray]], is_read: np.ndarray
) -> None:
    """Append the values of the rows of ``block``; change ``is_read``."""
    for field in layout.fields:
        column = COLUMNS[field.name][0]
        begin, end = field.begin + PAD, field.end + PAD
        packed = fields.with_width(fields.packed_at(block, end), end - begin)
        if field.begin:
            is_read &= block[:, begin] == fields.BLANK
        before = end - 8 - (6 if field.name in TIME else 0)
        if before > begin:
            is_read &= (block[:, begin:before] == fields.BLANK).all(axis=1)
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
            front = fields.with_width(fields.packed_at(block, end - 6), end - begin - 6)
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
            value[~is_form] = -1
            values.setdefault(f"{column} text", []).append(packed)
        values.setdefault(column, []).append(value)
    gap = block[:, layout.fields[-1].end + PAD : layout.command + PAD]
    first = block[:, layout.command + PAD]
    is_read &= (gap == fields.BLANK).all(axis=1) & (first > fields.BLANK) & (first < 0x7F)


def _read_sizes_with_letters(columns: dict[str, np.ndarray], is_read: np.ndarray) -> None:
    """Put sizes with a letter into the columns where -1 is; change ``is_read``."""
    names = [name for name in columns if f"{name} text" in columns]
    keys = {name: columns.pop(f"{name} text") for name in names}
    rows = {name: np.flatnonzero((columns[name] < 0) & is_read) for name in names}
    if not any(of_column.size for of_column in rows.values()):
        return
    distinct, places, is_right = fields.factorized(
        np.concatenate([keys[name][rows[name]] for name in names])
    )
    texts = pl.Series("text", fields.texts_of(distinct), dtype=pl.String).to_frame()
    size = units.parse_memory_bytes(pl.col("text"))
    sizes = texts.select(pl.when(pl.col("text").str.contains(_SIZE)).then(size)).to_series()
    values = sizes.fill_null(-1).to_numpy()[places]
    values[~is_right] = -1
    begin = 0
    for name in names:
        end = begin + rows[name].size
        columns[name][rows[name]] = values[begin:end]
        is_read &= columns[name] >= 0
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


def _views(
    data: np.ndarray, text: bytes, starts: np.ndarray, ends: np.ndarray, is_read: np.ndarray
) -> pl.Series:
    """Texts as Arrow's string views: those of up to 12 bytes in the view itself, others as places in ``text``."""
    lengths = np.where(is_read, ends - starts, 0)
    starts = np.where(is_read, starts, VIEW_BYTES)
    windows = np.lib.stride_tricks.sliding_window_view(data, VIEW_BYTES)
    # the length takes the place of the four bytes in front of the text
    views = windows[starts - 4].view("<u8")
    is_long = lengths > INLINE_BYTES
    size = np.minimum(lengths, INLINE_BYTES)
    views[:, 0] = (views[:, 0] & _FIRST_MASKS[size]) | lengths.astype(np.uint64)
    views[:, 1] &= _LAST_MASKS[size]
    views[is_long, 1] = starts[is_long].astype(np.uint64) << np.uint64(32)
    array = pa.Array.from_buffers(
        pa.string_view(), starts.size, [None, pa.py_buffer(views), pa.py_buffer(text)]
    )
    return pl.Series(_ArrowArray(array))


class _ArrowArray:
    """An array of Arrow by its C interface: ``polars.from_arrow`` imports all of ``pyarrow.compute``."""

    def __init__(self, array: pa.Array):
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._array.__arrow_c_array__(requested_schema)
