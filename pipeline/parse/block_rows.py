"""Counters of block devices below ``#T``, read by NumPy: ``/sys/block/vda/stat:   26438 …`` or ``253 0 vda 26438 …``.

A piece is read here if all its lines are of one of these forms, or sentinels; others are read by patterns.

Example:
    >>> from pipeline.parse.pieces import Pieces, TextSource
    >>> data = b"#T 1 1 1 b\\n/sys/block/vda/stat:   1 0 8 1 2 0 16 3 0 4 4\\n"
    >>> stats = StatLines.of(next(iter(Pieces(TextSource.of_bytes(data, "block.log"), None))))
    >>> stats.line_numbers.tolist(), stats.counters((11,)).values[:3].tolist()
    ([2], [[1], [0], [8]])
"""

from __future__ import annotations

import re
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
NAME_BYTES = 32
"""Longest name of a device that is read here; of /proc/diskstats with its numbers and the blanks before them."""
DISKSTATS_START = re.compile(rb"^ *[0-9]{1,4} +[0-9]{1,7} +[A-Za-z_]", re.MULTILINE)
DISKSTATS_FIELDS = 3
"""In front of the counters: major and minor number, name."""
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

    def __init__(self, plain: PlainPiece, is_mark: np.ndarray, is_diskstats: bool):
        self.plain, self.is_mark = plain, is_mark
        self._is_diskstats = is_diskstats
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
        if piece.data is None:
            return None
        head = piece.data[: 1 << 12]
        is_diskstats = PATH not in head
        if is_diskstats and not DISKSTATS_START.search(head):
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
        lines = cls(plain, is_mark, is_diskstats)
        return lines if lines._have_devices(piece.data) and lines._find_devices() else None

    def _have_devices(self, data: bytes) -> bool:
        """Whether all lines but the sentinels end in a number and have a device in front of it; where it stands."""
        text, lines = self.plain.text, self._lines
        if not lines.size or not self.plain.is_terminated[lines[-1]]:
            return False
        starts, ends = text.line_starts[lines], text.line_ends[lines]
        last = text.characters[ends - 1]
        if not ((last >= ZERO) & (last <= NINE)).all():
            return False
        # another file or a command in a line would be what the line is of
        if (
            any(character in data for character in (b"$", b"%", b">", b"+"))
            or text.places_of(HASH).size != np.count_nonzero(self.is_mark)
            or text.places_of(SLASH).size != (0 if self._is_diskstats else 4 * lines.size)
        ):
            return False
        if self._is_diskstats:
            return b":" not in data and self._find_third_fields(starts)
        return self._find_files(starts, ends)

    def _find_third_fields(self, starts: np.ndarray) -> bool:
        """Find the major and minor numbers and names of /proc/diskstats; whether all lines have them."""
        text, lines = self.plain.text, self._lines
        name_ends = []
        for at in range(0, lines.size, LINES_AT_ONCE):
            part = lines[at : at + LINES_AT_ONCE]
            fields = text.fields(part[0], part[-1] + 1)
            if fields.counts[part - part[0]].min() <= DISKSTATS_FIELDS:
                return False
            name_ends.append(fields.ends[fields.firsts[part - part[0]] + (DISKSTATS_FIELDS - 1)])
        self._names, self._name_ends = starts, np.concatenate(name_ends)
        return True

    def _find_files(self, starts: np.ndarray, ends: np.ndarray) -> bool:
        """Find the names in ``/sys/block/vda/stat:``; whether all lines begin so."""
        text = self.plain.text
        if not text.has_at(starts, PATH[:8]).all() or not text.has_at(starts + 8, PATH[8:]).all():
            return False
        colons = text.places_of(COLON)
        at = np.searchsorted(colons, starts)
        if at[-1] >= colons.size:
            return False
        self._colons = colons[at]
        self._names, self._name_ends = starts + len(PATH), self._colons - len(FILE) + 1
        return bool(
            (self._colons < ends).all()
            and text.has_at(self._colons - len(FILE) + 1, FILE).all()
            and (self._colons >= self._names + len(FILE)).all()
        )

    def _find_devices(self) -> bool:
        """Tell the devices apart; whether that is sure."""
        text = self.plain.text
        lengths = self._name_ends - self._names
        if lengths.max() > NAME_BYTES:
            return False
        parts = [
            text.first_bytes(self._names + at, np.clip(lengths - at, 0, 8))
            for at in range(0, int(lengths.max()), 8)
        ]
        keys = parts[0]
        for part in parts[1:]:
            keys = keys * _ODD ^ part
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
        if any((part != part[of_device]).any() for part in parts):
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
        firsts, counts = fields.firsts[lines - lines[0]], fields.counts[lines - lines[0]]
        if self._is_diskstats:
            firsts, counts = firsts + DISKSTATS_FIELDS, counts - DISKSTATS_FIELDS
        else:  # the first number may follow on the colon
            colons = self._colons[part]
            is_apart = fields.ends[firsts] == colons + 1
            firsts, counts = firsts + is_apart, counts - is_apart
            if (fields.ends[firsts] <= colons + 1).any():
                return None
        if not np.isin(counts, field_counts).all():
            return None
        at = firsts + np.arange(counts.max())[:, None]
        lacks = None
        if counts.min() < counts.max():
            lacks = np.arange(counts.max())[:, None] >= counts
            at = np.minimum(at, fields.starts.size - 1)
        starts, ends = fields.starts[at], fields.ends[at]
        if not self._is_diskstats:
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
