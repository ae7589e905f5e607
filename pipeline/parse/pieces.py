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
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import polars as pl

from pipeline import files
from pipeline.parse import limits
from pipeline.parse.decompress import PLAIN_BYTES, UTF16_MARKS, Expander, is_wide
from pipeline.parse.errors import UnreadableError
from pipeline.parse.log import Log, LogReader, log_from_text
from pipeline.parse.prefixes import SAMPLE_LINES
from pipeline.parse.sentinels import TICK

PIECE_BYTES = 8 << 20
"""Usual length of a piece. Shorter ones cost more per byte, longer ones more memory without being faster."""
_TICK = re.compile(TICK.encode().replace(rb"\s*$", rb"[ \t\r\f\v]*$"), re.MULTILINE)
_TICK_START = re.compile(rb"^#T ", re.MULTILINE)
MAX_INT64 = (1 << 63) - 1
HEAD_BYTES = 4096
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

    def parts(self) -> Iterator[bytes]:
        """The text from its beginning, in parts of any size.

        Raises
        ------
        LimitError
            If it is longer than the budget.
        UnreadableError
            If the file cannot be read.
        """
        count = 0
        try:
            self._file.seek(0)
            expander = Expander(_Window(self._file, self.size), self.name)
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
class TextFacts:
    """What a log's text says before its lines are read."""

    text: bytes | None
    """All of it, if it is one piece or shorter."""
    has_ticks: bool | None
    """Whether a valid ``#T`` is anywhere in it; None with ``text``."""
    is_whole: bool
    """Whether it has to be read as one piece."""
    sample: list[str]
    """Lines of the beginning and of the middle; none if it has to be one piece."""


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


class Pieces:
    """The pieces of a log.

    Parameters
    ----------
    source : TextSource
    start : re.Pattern of bytes, optional
        Beginning of a line at which a log without sentinels may be cut (``^``, with ``re.MULTILINE``); None: nowhere.
    piece_bytes : int
        Length of a piece, where it can be cut there.
    """

    def __init__(
        self, source: TextSource, start: re.Pattern[bytes] | None, piece_bytes: int = PIECE_BYTES
    ):
        self.source, self.piece_bytes = source, piece_bytes
        self.reader = LogReader(source.name)
        """Of the last time that the pieces were read; its ``sentinels`` are those so far."""
        self._start = start

    @cached_property
    def facts(self) -> TextFacts:
        """Of one pass over the text."""
        return _facts(self.source, self.piece_bytes)

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
        self.reader = LogReader(self.source.name, self.source.warnings, facts.has_ticks)
        is_first = True
        for data, is_last in self._cut():
            line = self.reader.last_line + 1
            self.source.budget.check_lines(data, self.source.name, line)
            yield Piece(data, is_first, is_last, self.reader, line)
            is_first = False

    def _cut(self) -> Iterator[tuple[bytes, bool]]:
        """Text of each piece, and whether it is the last one."""
        buffer = bytearray()
        searched, is_first = 0, True
        for part in self.source.parts():
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
        return not is_first or _TICK.search(buffer, 0, place) is not None


def _check_tail(buffer: bytearray, source: TextSource) -> None:
    """Refuse a text whose last line is too long before its end is read."""
    start = len(buffer) - limits.MAX_LINE_BYTES - 1
    if start >= 0 and limits.last_line_end(buffer, start, len(buffer)) < 0:
        source.budget.check_lines(buffer, source.name)


def _line_start(buffer: bytearray, position: int) -> int:
    """Beginning of the line with that position."""
    return buffer.rfind(b"\n", 0, position) + 1


def _facts(source: TextSource, piece_bytes: int) -> TextFacts:
    """What the text says; of a text of one piece, without searching it for sentinels."""
    held: list[bytes] | None = []
    size = lines = 0
    has_ticks = False
    head, rest = bytearray(), b""
    is_whole = False
    for part in source.parts():
        if held is not None:
            held.append(part)
            size += len(part)
            if size <= piece_bytes:
                continue
            part, held = b"".join(held), None
        if len(head) < HEAD_BYTES:
            head += part[:HEAD_BYTES]
        lines += limits.line_feeds(part)
        is_whole = is_whole or b"\x1b" in part
        if not has_ticks:
            rest += part
            end = rest.rfind(b"\n") + 1
            if b"#" in rest and b"#T " in rest:  # faster than the expression
                has_ticks = any(map(_is_tick, _TICK.finditer(rest, 0, end)))
            rest = rest[max(end, len(rest) - limits.MAX_LINE_BYTES) :]
    whole = None if held is None else b"".join(held)
    if whole is not None:
        head, is_whole = bytearray(whole[:HEAD_BYTES]), b"\x1b" in whole
    is_whole = is_whole or head.startswith(UTF16_MARKS) or is_wide(bytes(head))
    if whole is not None:
        bare = re.sub(rb"\r+\n|\r", b"\n", whole) if b"\r" in whole else whole
        sample = [] if is_whole else _sample(iter([bare]), limits.line_feeds(bare))
        return TextFacts(whole, None, is_whole, sample)
    sample = [] if is_whole else _sample(source.parts(), lines)
    return TextFacts(None, has_ticks, is_whole, sample)


def _is_tick(match: re.Match[bytes]) -> bool:
    return all(int(number) <= MAX_INT64 for number in match.groups()[:3])


def _short(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in short parts, so that few lines are split."""
    for part in parts:
        for begin in range(0, len(part), SEARCH_BYTES):
            yield part[begin : begin + SEARCH_BYTES]


def _sample(parts: Iterator[bytes], lines: int) -> list[str]:
    """The first lines of a text, and as many from its middle on."""
    wanted = 2 * SAMPLE_LINES if lines <= 2 * SAMPLE_LINES else SAMPLE_LINES
    ranges = [(0, wanted)] if lines <= wanted else [(0, wanted), (lines // 2, lines // 2 + wanted)]
    sample: list[bytes] = []
    number, rest = 0, b""
    for part in _short(parts):
        rest += part
        end = rest.rfind(b"\n") + 1
        count = limits.line_feeds(rest)
        if any(number < stop and number + count > first for first, stop in ranges):
            split = rest[:end].split(b"\n")[:-1]
            for first, stop in ranges:
                sample += split[max(0, first - number) : max(0, stop - number)]
        number += count
        rest = rest[end:]
        if number >= ranges[-1][1] or len(rest) > limits.MAX_LINE_BYTES:
            break
    else:
        if rest and number < ranges[-1][1]:
            sample.append(rest)
    lines_of_text = [line.decode(errors="replace").removesuffix("\r") for line in sample]
    return [line.removeprefix("\ufeff") for line in lines_of_text]
