"""The text of a log in pieces of some megabytes, each cut where a snapshot or a record begins.

Memory does not grow with the log: one piece at a time is in memory. A log with sentinels is cut in front of a ``#T``,
any other one where its kind may begin anew (``Reader.START``). A log is one piece if it is short, or if its whole text
must be known to read a line of it: UTF-16, escape codes of a terminal, a prefix in front of its lines.

Example:
    >>> source = TextSource.of_bytes(b"#T 1 1 1 b\\nx\\n#T 2 2 2 b\\ny\\n", "block.log")
    >>> [piece.data for piece in Pieces(source, start=None, piece_bytes=1)]
    [b'#T 1 1 1 b\\nx\\n', b'#T 2 2 2 b\\ny\\n']
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipeline import files
from pipeline.parse import limits
from pipeline.parse.decompress import PLAIN_BYTES, Expander
from pipeline.parse.errors import UnreadableError
from pipeline.parse.log import Log, LogReader, log_from_text
from pipeline.parse.text_facts import TICK_LINE, TextFacts, find_facts, find_grown_facts

PIECE_BYTES = 8 << 20
"""Usual length of a piece. Shorter ones cost more per byte, longer ones more memory without being faster."""
_TICK_START = re.compile(rb"^#T ", re.MULTILINE)
SEARCH_BYTES = 1 << 16
"""End of a piece in which a place to cut is searched first."""


class TextSource:
    """The text of a log, which can be read several times.

    Parameters
    ----------
    file : BinaryIO
        Can be read at any position.
    size : int
        Number of bytes: what is appended later is not read.
    name : str
        Its name in messages.
    budget : limits.Budget
    """

    def __init__(self, file: BinaryIO, size: int, name: str, budget: limits.Budget):
        self.name, self.budget = name, budget
        self.warnings: list[str] = []
        """About the file; complete when its text was read once."""
        self.size = size
        self.is_plain = True
        """Whether it is not compressed; known when its text was begun."""
        self._file = file

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> TextSource:
        """A source of bytes in memory."""
        return cls(io.BytesIO(data), len(data), name, limits.Budget())

    @classmethod
    def open(cls, path: str | Path, name: str, max_expanded_bytes: int) -> TextSource:
        """A source of a regular file, or of a pipe that the process was started with.

        Raises
        ------
        UnreadableError
            If it cannot be opened, or has another compression.
        LimitError
            If it is longer than ``max_expanded_bytes``.
        """
        budget = limits.Budget(max_expanded_bytes)
        try:
            file = files.open_regular(path)
            size = os.fstat(file.fileno()).st_size
            if not size:  # a pipe has no size
                with file:
                    data = file.read(budget.text_bytes + 1)
                file, size = io.BytesIO(data), len(data)
        except OSError as error:
            raise UnreadableError(name, error.strerror or str(error)) from error
        except ValueError as error:  # a NUL in the path
            raise UnreadableError(name, str(error)) from error
        budget.check_expanded(size, name)
        return cls(file, size, name, budget)

    @property
    def position(self) -> int:
        """Bytes of the file that were read."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def parts(self, position: int = 0) -> Iterator[bytes]:
        """The text from its beginning, or that of a plain file from a position on, in parts of any size.

        Raises
        ------
        LimitError
            If it is longer than the budget.
        UnreadableError
            If the file cannot be read.
        """
        count = 0
        try:
            self._file.seek(position)
            window = _Window(self._file, self.size - position)
            if position:
                while part := window.read(PLAIN_BYTES):
                    yield part
                return
            expander = Expander(window, self.name)
            self.is_plain = not expander.is_compressed
            for part in expander.parts():
                count += len(part)
                self.budget.check_expanded(count, self.name)
                yield part
        except OSError as error:
            raise UnreadableError(self.name, error.strerror or str(error)) from error
        self.warnings = expander.warnings


def read_log(
    path: str | Path,
    *,
    name: str | None = None,
    max_expanded_bytes: int = limits.MAX_EXPANDED_BYTES,
) -> Log:
    """Read a whole log into memory.

    Parameters
    ----------
    path : path
        The file. Compression is recognized by its first bytes, not by its name.
    name : str, optional
        Its name in messages and rejects (default: the path).
    max_expanded_bytes : int
        Longest text, after decompression.

    Returns
    -------
    Log

    Raises
    ------
    UnreadableError
        If the file cannot be read, is no regular file, has another compression, or is too large: its text, one of its
        lines, or its tables for the available memory.
    """
    with contextlib.closing(
        TextSource.open(path, str(path) if name is None else name, max_expanded_bytes)
    ) as source:
        return Pieces(source, None).whole().log


class _Window(io.RawIOBase):
    """The first ``size`` bytes of a file."""

    def __init__(self, file: BinaryIO, size: int):
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


@dataclass(frozen=True)
class Piece:
    """A part of a log: whole lines, but perhaps for the last one of the log.

    Either ``log`` or ``log_of`` is to be used, for each piece before the next one is read.
    """

    data: bytes | None
    """The text as it is in the file; None for a log that is in memory as lines."""
    is_first: bool
    is_last: bool
    reader: LogReader
    """Carries what the lines and sentinels of earlier pieces mean for this one."""
    first_line: int = 1
    """Number of its first line."""

    @classmethod
    def of_log(cls, log: Log) -> Piece:
        """A log in memory as its only piece."""
        piece = cls(None, True, True, LogReader(log.file))
        piece.__dict__["log"] = log
        return piece

    @cached_property
    def log(self) -> Log:
        """All lines."""
        assert self.data is not None
        return self._finished(self.reader.read(self.data))

    def log_of(
        self, lines: pl.DataFrame, last_line: int, *, has_marks: bool, unterminated: bool
    ) -> Log:
        """Some of the lines: at least those that begin with ``#`` (``LogReader.read_lines``).

        Only for a text of ASCII without NUL, CR and blank text, which have warnings of their own.
        """
        self.reader.note_text()
        log = self.reader.read_lines(
            lines, last_line, has_marks=has_marks, unterminated=unterminated
        )
        return self._finished(log)

    def skip(self, line_count: int) -> None:
        """Pass a piece of that many lines in a survey, which needs none of them."""
        self.reader.last_line = self.first_line + line_count - 1

    def _finished(self, log: Log) -> Log:
        return self.reader.finish(log) if self.is_last else log


@dataclass(frozen=True)
class ReadText:
    """Pieces of a plain text that need not be read again."""

    places: list[tuple[int, int]]
    """Position in bytes, and number of lines before it, at the end of each piece."""
    reader: Callable[[], LogReader]
    """Makes what reads the lines of the next piece."""

    @property
    def position(self) -> int:
        """Length of the pieces."""
        return self.places[-1][0]


class Pieces:
    """The pieces of a log.

    Parameters
    ----------
    source : TextSource
    start : re.Pattern of bytes, optional
        Beginning of a line at which a log without sentinels may be cut (``^``, with ``re.MULTILINE``); None: nowhere.
    piece_bytes : int
        Length of a piece, where it can be cut there.
    before : ReadText, optional
        Text that is not read again: the pieces are those after it.
    """

    def __init__(
        self,
        source: TextSource,
        start: re.Pattern[bytes] | None,
        piece_bytes: int = PIECE_BYTES,
        before: ReadText | None = None,
    ):
        self.source, self.piece_bytes, self.before = source, piece_bytes, before
        self.reader = LogReader(source.name)
        """Of the last time that the pieces were read; its ``sentinels`` are those so far."""
        self._start = start

    @cached_property
    def facts(self) -> TextFacts:
        """Of one pass over the text."""
        if self.before is not None:
            return find_grown_facts(self.source.parts, self.before.places)
        return find_facts(self.source.parts, self.piece_bytes)

    def head(self) -> Log:
        """The first lines of the log, some hundred kilobytes."""
        text = self.facts.text
        if text is None:
            text = next(self.source.parts(), b"")[:PLAIN_BYTES]
            text = text[: text.rfind(b"\n") + 1] or text
        return log_from_text(text, self.source.name)

    def whole(self) -> Piece:
        """The whole text as one piece.

        Raises
        ------
        LimitError
            If it is too long for the memory.
        """
        facts = self.__dict__.get("facts")
        text = facts.text if facts is not None else None
        if text is None:
            self.source.budget.check_length(self.source.size, self.source.name)
            text = self._joined()
        self.source.budget.check_text(text, self.source.name)
        self.reader = LogReader(self.source.name, self.source.warnings)
        return Piece(text, is_first=True, is_last=True, reader=self.reader)

    def _joined(self) -> bytes:
        text = bytearray()
        for part in self.source.parts():
            text += part
            if len(text) > PIECE_BYTES:
                self.source.budget.check_length(len(text), self.source.name)
                _check_tail(text, self.source)
        return bytes(text)

    def __iter__(self) -> Iterator[Piece]:
        """The pieces in order, by reading the text again."""
        facts = self.facts
        can_cut = facts.has_ticks or self._start is not None
        if facts.text is not None or facts.is_whole or not can_cut:
            yield self.whole()
            return
        # the warnings about the file are complete, because the facts are
        if self.before is None:
            self.reader = LogReader(self.source.name, self.source.warnings, facts.has_ticks)
        else:
            self.reader = self.before.reader()
        is_first = self.before is None
        for data, is_last in self._cut():
            line = self.reader.last_line + 1
            self.source.budget.check_lines(data, self.source.name, line)
            yield Piece(data, is_first, is_last, self.reader, line)
            is_first = False

    def _cut(self) -> Iterator[tuple[bytes, bool]]:
        """Text of each piece, and whether it is the last one."""
        buffer = bytearray()
        searched, is_first = 0, self.before is None
        for part in self.source.parts(0 if self.before is None else self.before.position):
            buffer += part
            _check_tail(buffer, self.source)
            while len(buffer) > self.piece_bytes:
                place, searched = self._place(buffer, is_first, searched)
                if not place:
                    self.source.budget.check_length(len(buffer), self.source.name)
                    break
                with memoryview(buffer) as view:
                    data = bytes(view[:place])
                yield data, False
                del buffer[:place]
                is_first, searched = False, 0
        yield bytes(buffer), True

    def _place(self, buffer: bytearray, is_first: bool, searched: int) -> tuple[int, int]:
        """Where to cut, and how far there is no such place: the last one within the piece, else the first one
        after it; 0 if there is none yet.
        """
        pattern = _TICK_START if self.facts.has_ticks else self._start
        assert pattern is not None
        end, width = (self.piece_bytes + 1, SEARCH_BYTES) if not searched else (0, 0)
        while end > 0:
            begin = _line_start(buffer, max(0, end - width))
            places = [match.start() for match in pattern.finditer(buffer, begin, end)]
            for place in reversed(places):
                if self._is_place(buffer, place, is_first):
                    return place, 0
            end, width = (begin, width * 4) if begin else (0, 0)
        begin, end = max(self.piece_bytes, searched), buffer.rfind(b"\n") + 1
        for match in pattern.finditer(buffer, _line_start(buffer, begin), end):
            if self._is_place(buffer, match.start(), is_first):
                return match.start(), 0
        return 0, max(end, 1)

    def _is_place(self, buffer: bytearray, place: int, is_first: bool) -> bool:
        """Whether the text may be cut there: not at the first ``#T`` of the log, nor between two ``#T``."""
        if place <= 0:
            return False
        if not self.facts.has_ticks:
            return True
        if buffer.startswith(b"#T", _line_start(buffer, place - 1)):
            return False
        return not is_first or TICK_LINE.search(buffer, 0, place) is not None


def _check_tail(buffer: bytearray, source: TextSource) -> None:
    """Refuse a text whose last line is too long before its end is read."""
    start = len(buffer) - limits.MAX_LINE_BYTES - 1
    if start >= 0 and limits.last_line_end(buffer, start, len(buffer)) < 0:
        source.budget.check_lines(buffer, source.name)


def _line_start(buffer: bytearray, position: int) -> int:
    """Beginning of the line with that position."""
    return buffer.rfind(b"\n", 0, position) + 1
