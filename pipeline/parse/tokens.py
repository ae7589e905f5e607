"""Lines and fields of a log by NumPy: where they begin and end, numbers in them, and texts without copies.

Only for a text of printable ASCII and line feeds (``is_plain``): there a byte is a character, and a blank is the only
white space. Lines that a reader does not recognize by it are read by its regular expressions.

Example:
    >>> text = Text(b"p 12 -\\nq 7\\n")
    >>> fields = text.fields()
    >>> fields.counts.tolist(), text.numbers(fields.starts[[1, 4]], fields.ends[[1, 4]])[0].tolist()
    ([3, 2], [12, 7])
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.parse import ascii_fields
from pipeline.parse.limits import CACHED_BYTES
from pipeline.parse.log import Log
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import is_fast

BLANK, LINE_FEED, DASH, POINT, ZERO, BACKSLASH = b" \n-.0\\"
PAD = 256
"""Bytes before and behind a text, so that eight bytes, or the fields of a row of top, may be read at its ends."""
MAX_DIGITS = 15
"""Longest number that is read: floats are exact up to it."""
FEW_DIGITS = 3
"""Longest number whose digits are read one by one."""
BLOCK = 1 << 14
"""Numbers that are read at once: their intermediate results stay in the processor's cache."""
_DIGITS, _HIGH_BITS = 0x3030303030303030, 0x8080808080808080
_TO_HIGH_BIT = 0x7676767676767676
"""Added to a byte above 9, it sets its highest bit."""


def is_plain(data: bytes) -> bool:
    """Whether a text is printable ASCII and line feeds only."""
    if not data or not data.isascii() or b"\x7f" in data:
        return False
    characters = np.frombuffer(data, np.uint8)
    for at in range(0, characters.size, CACHED_BYTES):
        part = characters[at : at + CACHED_BYTES]
        if np.count_nonzero(part < BLANK) != np.count_nonzero(part == LINE_FEED):
            return False
    return True


@dataclass(frozen=True)
class Fields:
    """Where the fields of a text begin and end; those of line ``n`` are the next ``counts[n]`` from ``firsts[n]``."""

    starts: np.ndarray
    ends: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True)
class Separators:
    """Places of the blanks and line feeds of a text.

    What precedes line ``n`` is ``places[firsts[n]]``; the line has ``counts[n]`` fields, which are empty between two
    blanks.
    """

    places: np.ndarray
    firsts: np.ndarray
    counts: np.ndarray


class Text:
    """A text of whole lines (``is_plain``); the last line may lack its end.

    Parameters
    ----------
    data : bytes
    """

    def __init__(self, data: bytes):
        self.data = b"".join((b" " * PAD, data, b"\n" * PAD))
        self.size = len(data)
        self.characters = np.frombuffer(self.data, np.uint8)
        """The text, from ``PAD`` on."""
        self._eight_bytes = np.ndarray(
            (len(self.data) - 7,), dtype="<u8", buffer=self.data, strides=(1,)
        )
        self.line_ends = self.places_of(LINE_FEED)
        if not data.endswith(b"\n"):
            self.line_ends = np.append(self.line_ends, PAD + self.size)
        self.line_starts = np.append(PAD, self.line_ends[:-1] + 1)

    def places_of(self, byte: int) -> np.ndarray:
        """Where a character stands."""
        end = PAD + self.size
        return np.concatenate(
            [
                np.flatnonzero(self.characters[at : min(at + CACHED_BYTES, end)] == byte) + at
                for at in range(0, end, CACHED_BYTES)
            ]
        )

    @cached_property
    def _two_bytes(self) -> np.ndarray:
        """The first two bytes of each line."""
        first, second = self.characters[self.line_starts], self.characters[self.line_starts + 1]
        return first | (second.astype(np.uint16) << 8)

    def begins_with(self, prefix: bytes) -> np.ndarray:
        """Which lines begin with a text of one or two bytes."""
        mask = (1 << (8 * len(prefix))) - 1
        return (self._two_bytes & mask) == int.from_bytes(prefix, "little")

    def has_at(self, places: np.ndarray, text: bytes) -> np.ndarray:
        """At which places a text of up to eight bytes stands."""
        mask = np.uint64((1 << (8 * len(text))) - 1)
        return (self._eight_bytes[places] & mask) == np.uint64(int.from_bytes(text, "little"))

    def eight_bytes_at(self, places: np.ndarray) -> np.ndarray:
        """The eight bytes from each place on as a number, the first in its lowest byte."""
        return self._eight_bytes[places]

    def first_words(self, places: np.ndarray) -> np.ndarray:
        """The bytes from each place on to the next blank, eight at most, as a number."""
        eight_bytes = self._eight_bytes[places]
        differs = eight_bytes ^ np.uint64(0x2020202020202020)
        is_blank = (differs - np.uint64(0x0101010101010101)) & ~differs & np.uint64(_HIGH_BITS)
        lowest = is_blank & (~is_blank + np.uint64(1))
        return np.where(
            is_blank == 0, eight_bytes, eight_bytes & ((lowest >> np.uint64(7)) - np.uint64(1))
        )

    def first_bytes(self, places: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The first bytes from each place on, up to eight, as a number."""
        shift = (np.uint64(8) - counts.astype(np.uint64)) << np.uint64(3)
        eight_bytes = self._eight_bytes[places]
        # a shift by 64 bits is not defined
        return np.where(
            counts > 0,
            (eight_bytes << shift % np.uint64(64)) >> shift % np.uint64(64),
            np.uint64(0),
        )

    def lines_with(self, byte: int) -> np.ndarray:
        """Numbers of the lines that have a character."""
        return np.unique(np.searchsorted(self.line_ends, self.places_of(byte)))

    def fields(self, first: int = 0, stop: int | None = None) -> Fields:
        """The fields of the lines from ``first`` on, up to ``stop``: what stands between white space."""
        line_starts = self.line_starts[first:stop]
        begin = line_starts[0] - 1
        is_text = self.characters[begin : self.line_ends[first:stop][-1] + 1] > BLANK
        changes = np.flatnonzero(is_text[1:] != is_text[:-1]) + line_starts[0]
        starts, ends = changes[::2], changes[1::2]
        bounds = np.append(np.searchsorted(starts, line_starts), starts.size)
        return Fields(starts, ends, bounds[:-1], np.diff(bounds))

    def separators(self, first: int, stop: int) -> Separators:
        """The blanks and line feeds of some lines, for those whose fields are separated by one of them."""
        begin = self.line_starts[first] - 1
        characters = self.characters[begin : self.line_ends[first:stop][-1] + 1]
        places = np.flatnonzero(characters <= BLANK)
        places += begin
        line_feeds = np.flatnonzero(self.characters[places] == LINE_FEED)
        if self.characters[begin] != LINE_FEED:  # above the first line
            line_feeds = np.append(0, line_feeds)
        return Separators(places, line_feeds[:-1], np.diff(line_feeds))

    def numbers(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whole numbers (Int64), and which of the texts are one of up to ``MAX_DIGITS`` digits."""
        values = np.empty(starts.size, np.int64)
        are_numbers = np.empty(starts.size, np.bool_)
        for at in range(0, starts.size, BLOCK):
            block = slice(at, at + BLOCK)
            values[block], are_numbers[block] = self._block(starts[block], ends[block])
        return values, are_numbers

    def _block(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = ends - starts
        values, bad = _eight_digits(self._eight_bytes[ends - 8], np.minimum(lengths, 8))
        are_numbers = (bad == 0) & (lengths <= MAX_DIGITS)
        longer = np.flatnonzero((lengths > 8) & are_numbers)
        if longer.size:
            high, bad = _eight_digits(self._eight_bytes[ends[longer] - 16], lengths[longer] - 8)
            values[longer] += high * 10**8
            are_numbers[longer] &= bad == 0
        return values, are_numbers

    def column(self, ends: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Whole numbers of at least one character, as ``numbers``; None instead of the mask if all are such.

        It is faster for numbers that have few digits each.
        """
        longest = lengths.max()
        if longest > FEW_DIGITS:
            values, are_numbers = self._block(ends - lengths, ends)
            return values, None if are_numbers.all() else are_numbers
        digits = self.characters[ends - 1] - ZERO
        are_numbers = digits <= 9
        values = digits.astype(np.uint32)
        for place in range(1, longest):
            digits = self.characters[ends - (place + 1)] - ZERO
            digits *= lengths > place
            are_numbers &= digits <= 9
            values += digits * np.uint32(10**place)
        return values.astype(np.int64), None if are_numbers.all() else are_numbers

    def hundredths(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers with a point and two decimals, times 100, and which of the texts are one of up to eight bytes."""
        lengths = ends - starts
        packed = self._eight_bytes[ends - 8]
        is_form = (
            (lengths >= 4) & (lengths <= 8) & ((packed >> np.uint64(40)) & np.uint64(255) == POINT)
        )
        # the decimals stay, what is in front of the point moves to its place
        whole = (packed & np.uint64((1 << 40) - 1)) << np.uint64(8)
        digits = (packed & np.uint64(0xFFFF << 48)) | whole
        value, bad = _eight_digits(digits, np.where(is_form, lengths - 1, 1))
        return value, is_form & (bad == 0)

    def texts(self, starts: np.ndarray, ends: np.ndarray) -> pl.Series:
        """The texts between these places, without copies: they keep the whole text in memory."""
        return ascii_fields.string_views(self.data, starts, ends)

    def lines(self, numbers: np.ndarray, first_line: int) -> pl.DataFrame:
        """``line`` and ``text`` of some lines, by their numbers from 0."""
        texts = self.texts(self.line_starts[numbers], self.line_ends[numbers])
        return pl.DataFrame({"line": numbers.astype(np.int64) + first_line, "text": texts})


def _eight_digits(eight_bytes: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the last ``lengths`` (1 to 8) of eight bytes, and not 0 where one is no digit."""
    shift = ((8 - lengths) << 3).astype(np.uint64)
    digits = ((eight_bytes ^ np.uint64(_DIGITS)) >> shift) << shift
    bad = ((digits + np.uint64(_TO_HIGH_BIT)) | digits) & np.uint64(_HIGH_BITS)
    return ascii_fields.whole_number(digits), bad


def repeated(snapshots: np.ndarray, keys: list[np.ndarray]) -> np.ndarray:
    """Places of lines whose keys another line of the snapshot has; none if the keys only increase."""
    same, increases = snapshots[1:] == snapshots[:-1], snapshots[1:] > snapshots[:-1]
    for key in keys:
        increases |= same & (key[1:] > key[:-1])
        same = same & (key[1:] == key[:-1])
    if increases.all():
        return np.empty(0, np.int64)
    order = np.lexsort((*reversed(keys), snapshots))
    is_same = np.logical_and.reduce(
        [values[order[1:]] == values[order[:-1]] for values in (snapshots, *keys)]
    )
    return order[1:][is_same]


class PlainPiece:
    """A piece of a log of which some lines are read by NumPy, and the others as a ``Log``.

    Parameters
    ----------
    piece : Piece
        With ``data`` that ``is_plain``.
    """

    def __init__(self, piece: Piece):
        assert piece.data is not None
        self.piece = piece
        self.text = Text(piece.data)
        self.first_line = piece.first_line

    @classmethod
    def of(cls, piece: Piece) -> PlainPiece | None:
        """The piece; None if it has to be read by regular expressions."""
        data = piece.data
        if data is None or data.isspace() or not is_fast() or not is_plain(data):
            return None
        return cls(piece)

    @cached_property
    def is_terminated(self) -> np.ndarray:
        """Which lines have an end."""
        is_terminated = np.ones(self.text.line_ends.size, np.bool_)
        is_terminated[-1] = self.text.line_ends[-1] < PAD + self.text.size
        return is_terminated

    def log_of(self, is_kept: np.ndarray) -> Log:
        """The ``Log`` of these lines, to which those that begin with ``#`` have to belong."""
        numbers = np.flatnonzero(is_kept)
        return self.piece.log_of(
            self.text.lines(numbers, self.first_line),
            self.first_line + is_kept.size - 1,
            has_marks=bool(self.text.begins_with(b"#").any()),
            unterminated=not self.is_terminated[-1],
        )

    def with_lines(self, log: Log, is_added: np.ndarray) -> Log:
        """``log`` (of ``log_of``) with more of the lines."""
        more = self.text.lines(np.flatnonzero(is_added), self.first_line)
        ticks = log.lines.select("line", "tick")
        more = more.join_asof(ticks, on="line", strategy="backward")
        more = more.with_columns(sentinel=pl.lit(None, pl.String)).select(log.lines.columns)
        return replace(log, lines=pl.concat([log.lines, more]).sort("line"))
