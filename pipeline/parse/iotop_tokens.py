"""Rows of iotop read by NumPy: ``1180 be/3 root 0.00 B/s 11.93 K/s 0.00 % 4.11 % mysqld``, in any alignment.

All other lines of a piece, and the first of the rows that follow on each other, are read by patterns: they say
which snapshot and which column names the rows are of. A snapshot with a row of another form is read by patterns.

Example:
    >>> from pipeline.parse.pieces import Pieces, TextSource
    >>> row = b" 7 be/4 db 0.00 B/s 1.50 K/s 0.00 % 4.11 % mysqld --user db\\n"
    >>> piece = next(iter(Pieces(TextSource.of_bytes(b"#T 1 1 1 b\\n" + row * 2, "iotop.log"), None)))
    >>> rows = RowLines.of(piece)
    >>> rows.is_passed.tolist(), rows.read().frame.select("number", "write_bytes_per_s", "command").rows()[0]
    ([False, False, True], (7, 1536.0, 'mysqld --user db'))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline import units
from pipeline.parse.ascii_fields import begin_with_number, digits_of
from pipeline.parse.iotop_rows import SPLICED
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import is_fast
from pipeline.parse.tokens import PlainPiece

LINES_AT_ONCE = 1 << 12
"""Rows that are read at once: they stay in the processor's cache."""
CLOCK_BYTES = 9
"""Length of a time of day and the blank after it."""
COMMAND_AT = 11
FIELDS_AT, NUMBERS = np.array([0, 1, 2, 3, 5, 7, 9, COMMAND_AT]), slice(3, 7)
"""Places of the fields of a row without the units, and which of these are sizes and percentages."""
MAX_DIGITS = 10
"""Longest TID or PID."""
UNITS = "BKMGTPE"
MARKS = (b"#T ", b"#GAP ", b"#END ")
TOTALS = (b"Total DISK READ", b"Actual DISK READ", b"Current DISK READ")
C_TOTAL = b"  Total DISK READ:"
RATE, RATE_MASK = (
    np.uint64(int.from_bytes(text, "little")) for text in (b" \0/s ", b"\xff\0\xff\xff\xff")
)
PERCENT, PERCENT_MASK = (
    np.uint64(int.from_bytes(text, "little")) for text in (b" % ", b"\xff\xff\xff")
)
"""What follows on a number, without the letter of the unit."""
_CLOCK_DIGITS = np.uint64(0x0101000101000101)
_COLONS, _COLON_MASK = np.uint64(0x00003A00003A0000), np.uint64(0x0000FF0000FF0000)
_UNIT_PLACES = np.full(256, -1, np.int64)
_UNIT_PLACES[list(UNITS.encode())] = np.arange(len(UNITS))
_SIZES = pl.DataFrame({"value": ["1.00"] * len(UNITS), "unit": list(UNITS)}).select(
    size=units.to_bytes(pl.col("value"), pl.col("unit")),
    resolution=units.size_resolution_bytes(pl.col("value"), pl.col("unit")),
)
_UNIT_BYTES, _RESOLUTIONS = (_SIZES[name].to_numpy() for name in ("size", "resolution"))


@dataclass(frozen=True)
class Rows:
    """The rows of a piece."""

    frame: pl.DataFrame
    """Columns of ``iotop_tasks`` without snapshots, and ``number`` (TID or PID); a row that is not good has any."""
    is_good: np.ndarray
    """Which rows are in the form that is read here."""


class RowLines:
    """The lines of a piece that are rows by their first number."""

    def __init__(self, plain: PlainPiece):
        self.plain = plain
        text = plain.text
        packed = text.eight_bytes_at(text.line_starts)
        has_clock = (
            ((digits_of(packed) & _CLOCK_DIGITS) == _CLOCK_DIGITS)
            & ((packed & _COLON_MASK) == _COLONS)
            & text.has_at(text.line_starts + CLOCK_BYTES - 1, b" ")
        )
        if has_clock.any():
            starts = text.line_starts + np.where(has_clock, CLOCK_BYTES, 0)
            packed = text.eight_bytes_at(np.minimum(starts, text.line_ends))
        is_row = begin_with_number(packed) & plain.is_terminated
        self.is_row, self._has_clock = is_row, has_clock
        self.is_passed = np.zeros(is_row.size, np.bool_)
        """Which lines are rows and follow on another one like them: they say nothing about other lines."""
        self.is_passed[1:] = is_row[1:] & is_row[:-1] & (has_clock[1:] == has_clock[:-1])
        self.lines = np.flatnonzero(is_row)

    @classmethod
    def of(cls, piece: Piece) -> RowLines | None:
        """The rows; None if none is to be read here."""
        plain = PlainPiece.of(piece)
        rows = None if plain is None else cls(plain)
        return rows if rows is not None and rows.is_passed.any() else None

    @classmethod
    def unchecked(cls, piece: Piece) -> RowLines | None:
        """The lines for ``others``, also of a text with other control characters than those that change lines."""
        data = piece.data
        if (
            data is None
            or not is_fast()
            or not data.isascii()
            or any(c in data for c in b"\r\0\x1b")
        ):
            return None
        return cls(PlainPiece(piece))

    def others(self) -> tuple[pl.DataFrame, bool]:
        """Lines (``line``, ``text``, ``sentinel``) that are no rows, sentinels or sizes of all tasks, each text once.

        Returns
        -------
        (polars.DataFrame, bool)
            And whether sizes of all tasks are in the alignment of the C program.
        """
        text = self.plain.text
        numbers = np.flatnonzero(~self.is_row)
        starts = text.line_starts[numbers]
        has_clock = self._has_clock[numbers]
        starts = starts + np.where(has_clock, CLOCK_BYTES, 0)
        is_named, is_c = np.zeros(numbers.size, np.bool_), False
        for name in (*MARKS, *TOTALS, C_TOTAL):
            begins = np.logical_and.reduce(
                [
                    text.has_at(np.minimum(starts + at, text.line_ends[numbers]), name[at : at + 8])
                    for at in range(0, len(name), 8)
                ]
            )
            is_named |= begins & ~has_clock if name in MARKS else begins
            is_c = bool(begins.any())  # of the last one
        lines = text.lines(numbers[~is_named], self.plain.first_line)
        lines = lines.unique("text", keep="first", maintain_order=True)
        return lines.with_columns(sentinel=pl.lit(None, pl.String)), is_c

    def read(self) -> Rows:
        """All rows."""
        parts = [
            self._read(self.lines[at : at + LINES_AT_ONCE])
            for at in range(0, self.lines.size, LINES_AT_ONCE)
        ]
        is_good, number, *numbers = (
            np.concatenate([part[at] for part in parts]) for at in range(len(parts[0]) - 1)
        )
        read, write, resolution, swapin, io = numbers
        places = np.concatenate([part[-1] for part in parts], axis=1)
        text = self.plain.text
        command = text.texts(places[4], places[5])
        spliced = command.unique()
        spliced = spliced.filter(spliced.str.contains(SPLICED))
        if spliced.len():
            is_good = is_good & ~command.is_in(spliced).to_numpy()
        frame = pl.DataFrame(
            {
                "line": self.lines.astype(np.int64) + self.plain.first_line,
                "number": number,
                "priority": text.texts(places[0], places[1]),
                "user": text.texts(places[2], places[3]),
                "read_bytes_per_s": read,
                "write_bytes_per_s": write,
                "resolution_bytes": resolution,
                "swapin_percent": swapin,
                "io_percent": io,
                "command": command,
            }
        )
        return Rows(frame, is_good)

    def _read(self, lines: np.ndarray) -> tuple[np.ndarray, ...]:
        """Of some rows: which are good, the numbers in the order of the table, and places of texts."""
        text = self.plain.text
        fields = text.fields(lines[0], lines[-1] + 1)
        within = lines - lines[0]
        clock = self._has_clock[lines]
        counts = fields.counts[within]
        is_good = counts - clock > COMMAND_AT
        firsts = fields.firsts[within] + clock
        at = firsts + FIELDS_AT[:, None]
        if not is_good.all():
            at = np.minimum(at, fields.starts.size - 1)
        starts, ends = fields.starts[at], fields.ends[at]
        number, are_numbers = text.numbers(starts[0], ends[0])
        is_good &= are_numbers & (ends[0] - starts[0] <= MAX_DIGITS)
        values, are_numbers = text.hundredths(starts[NUMBERS].ravel(), ends[NUMBERS].ravel())
        values = values.reshape(4, -1) / 100.0
        is_good &= are_numbers.reshape(4, -1).all(axis=0)
        behind = text.eight_bytes_at(ends[NUMBERS])
        is_good &= ((behind[:2] & RATE_MASK) == RATE).all(axis=0)
        is_good &= ((behind[2:] & PERCENT_MASK) == PERCENT).all(axis=0)
        unit = _UNIT_PLACES[(behind[:2] >> np.uint64(8)) & np.uint64(255)]
        is_good &= (unit >= 0).all(axis=0)
        sizes = values[:2] * _UNIT_BYTES[unit]
        resolution = _RESOLUTIONS[unit.max(axis=0)]
        last = np.minimum(fields.firsts[within] + counts, fields.ends.size) - 1
        places = np.stack([starts[1], ends[1], starts[2], ends[2], starts[-1], fields.ends[last]])
        places[5] = np.maximum(places[5], places[4])
        return is_good, number, *sizes, resolution, *values[2:], places
