"""Counters of block devices in the collectors' form, read by NumPy: ``/sys/block/vda/stat:   26438 …`` below ``#T``.

A piece is read here if each of its lines is such a line or a sentinel; others are read by patterns.

Example:
    >>> from pipeline.parse.pieces import Pieces, TextSource
    >>> data = b"#T 1 1 1 b\\n/sys/block/vda/stat:   1 0 8 1 2 0 16 3 0 4 4\\n"
    >>> stats = StatLines.of(next(iter(Pieces(TextSource.of_bytes(data, "block.log"), None))))
    >>> stats.line_numbers.tolist(), stats.counters((11,)).values[:3].tolist()
    ([2], [[1], [0], [8]])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.parse.ascii_fields import factorized
from pipeline.parse.log import Log
from pipeline.parse.pieces import Piece
from pipeline.parse.tokens import PlainPiece, repeated

PATH, FILE = b"/sys/block/", b"/stat:"
MARKS = (b"#T ", b"#GAP ", b"#END ")
ZERO, NINE, COLON, SLASH, HASH = b"09:/#"
LINES_AT_ONCE = 1 << 11
"""Lines of which the numbers are read at once: they stay in the processor's cache."""
NAME_BYTES = 16
"""Longest name of a device that is read here."""
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Counters:
    """The numbers of the lines: one row per field, one column per line, and how many fields each line has."""

    values: np.ndarray
    counts: np.ndarray

    def columns(self, names: Sequence[str]) -> dict[str, pl.Series]:
        """The fields by name, null where a line does not have them; those that no line has are left out."""
        columns = {}
        fewest = self.counts.min()
        for at, name in enumerate(names[: len(self.values)]):
            column = pl.Series(self.values[at])
            if at >= fewest:
                column = column.set(pl.Series(self.counts <= at), None)
            columns[name] = column
        return columns


class StatLines:
    """The lines of a piece that has no others than those of devices and sentinels (``of``)."""

    def __init__(self, plain: PlainPiece, is_mark: np.ndarray):
        self.plain, self.is_mark = plain, is_mark
        self._lines = np.flatnonzero(~is_mark)
        self.line_numbers = self._lines.astype(np.int64) + plain.first_line
        self.devices = np.empty(0, np.int64)
        """Of each line, the place of its device among ``examples``."""
        self.names: tuple[bytes, ...] = ()
        """The name of each device."""
        self.examples = pl.DataFrame()
        """``line`` and ``text`` of the first line of each device."""

    @classmethod
    def of(cls, piece: Piece) -> StatLines | None:
        """The lines; None if another one is among them.

        The numbers of a line are not looked at, but that there is nothing in it that may be a file or a command.
        """
        if piece.data is None or PATH not in piece.data[: 1 << 12]:
            return None
        plain = PlainPiece.of(piece)
        if plain is None:
            return None
        text = plain.text
        is_mark = text.characters[text.line_starts] == HASH
        marks = text.line_starts[is_mark]
        is_known = np.logical_or.reduce([text.has_at(marks, mark) for mark in MARKS])
        if not is_known.all():
            return None
        lines = cls(plain, is_mark)
        return lines if lines._are_stats(piece.data) and lines._find_devices() else None

    def _are_stats(self, data: bytes) -> bool:
        """Whether all lines but the sentinels begin with a file and end in a number."""
        text, lines = self.plain.text, self._lines
        if not lines.size or not self.plain.is_terminated[lines[-1]]:
            return False
        starts, ends = text.line_starts[lines], text.line_ends[lines]
        last = text.characters[ends - 1]
        if (
            not text.has_at(starts, PATH[:8]).all()
            or not text.has_at(starts + 8, PATH[8:]).all()
            or not ((last >= ZERO) & (last <= NINE)).all()
        ):
            return False
        # another file or a command in a line would be what the line is of
        if (
            any(character in data for character in (b"$", b"%", b">", b"+"))
            or text.places_of(HASH).size != np.count_nonzero(self.is_mark)
            or text.places_of(SLASH).size != 4 * lines.size
        ):
            return False
        colons = text.places_of(COLON)
        at = np.searchsorted(colons, starts)
        if at[-1] >= colons.size:
            return False
        self._colons = colons[at]
        self._names = starts + len(PATH)
        return bool(
            (self._colons < ends).all()
            and text.has_at(self._colons - len(FILE) + 1, FILE).all()
            and (self._colons >= self._names + len(FILE)).all()
        )

    def _find_devices(self) -> bool:
        """Tell the devices apart; whether that is sure."""
        text = self.plain.text
        lengths = self._colons - len(FILE) + 1 - self._names
        if lengths.max() > NAME_BYTES:
            return False
        first = text.first_bytes(self._names, np.minimum(lengths, 8))
        second = None
        keys = first
        if lengths.max() > 8:
            second = text.first_bytes(self._names + 8, np.maximum(lengths - 8, 0))
            keys = first ^ (second * _ODD)
        _, places, are_right = factorized(keys)
        if not are_right.all():
            return False
        order = np.arange(places.size - 1, -1, -1)
        examples = np.full(places.max() + 1, -1)
        examples[places[order]] = order
        by_line = np.argsort(examples)
        ranks = np.empty_like(by_line)
        ranks[by_line] = np.arange(by_line.size)
        self.devices, examples = ranks[places], examples[by_line]
        of_device = examples[self.devices]
        for part in (first, second):
            if part is not None and (part != part[of_device]).any():
                return False
        self.examples = text.lines(self._lines[examples], self.plain.first_line)
        self.names = tuple(
            text.data[self._names[at] : self._names[at] + lengths[at]] for at in examples
        )
        return True

    def counters(self, field_counts: Sequence[int]) -> Counters | None:
        """The numbers; None if a line has other numbers of fields than these, or something else than numbers."""
        parts = []
        for at in range(0, self._lines.size, LINES_AT_ONCE):
            part = self._counters_of(slice(at, at + LINES_AT_ONCE), field_counts)
            if part is None:
                return None
            parts.append(part)
        counts = np.concatenate([part.counts for part in parts])
        values = np.empty((counts.max(), counts.size), np.int64)
        at = 0
        for part in parts:
            values[: len(part.values), at : at + part.counts.size] = part.values
            at += part.counts.size
        return Counters(values, counts)

    def _counters_of(self, part: slice, field_counts: Sequence[int]) -> Counters | None:
        text, lines = self.plain.text, self._lines[part]
        fields = text.fields(lines[0], lines[-1] + 1)
        colons = self._colons[part]
        firsts, counts = fields.firsts[lines - lines[0]], fields.counts[lines - lines[0]]
        # the first number may follow on the colon
        is_apart = fields.ends[firsts] == colons + 1
        firsts, counts = firsts + is_apart, counts - is_apart
        if not np.isin(counts, field_counts).all() or (fields.ends[firsts] <= colons + 1).any():
            return None
        at = firsts + np.arange(counts.max())[:, None]
        lacks = None
        if counts.min() < counts.max():
            lacks = np.arange(counts.max())[:, None] >= counts
            at = np.minimum(at, fields.starts.size - 1)
        starts, ends = fields.starts[at], fields.ends[at]
        starts[0] = np.maximum(starts[0], colons + 1)
        values, are_numbers = text.numbers(starts.ravel(), ends.ravel())
        are_numbers = are_numbers.reshape(at.shape)
        if lacks is not None:
            are_numbers |= lacks
        return Counters(values.reshape(at.shape), counts) if are_numbers.all() else None

    def snapshots(self, log: Log) -> np.ndarray | None:
        """Place of each line's sentinel in ``log.ticks``, from 1; None if that is not simple.

        Parameters
        ----------
        log : Log
            The sentinels.
        """
        tick_lines = log.ticks["line"].to_numpy()
        if not log.has_sentinels or not tick_lines.size or (log.lines["sentinel"] == "bad").any():
            return None
        snapshots = np.searchsorted(tick_lines, self.line_numbers, "right")
        is_simple = snapshots[0] > 0 and not repeated(snapshots, [self.devices]).size
        return snapshots if is_simple else None
