"""Reading a log piece by piece: what a kind of log provides, and the loop over the pieces.

A kind has a class ``Reader`` (below). Where a line can only be understood with something that stands later in the log,
``survey`` is called for every piece first; it keeps little of each (a time per snapshot, not a row per process). Then
``read`` gives the tables of one piece after the other, with the numbers of lines and snapshots of the whole log.

A log of one piece is read by the same code, so that ``parse`` of a log in memory and of a file of 10 GB are the same.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, Protocol

from pipeline.parse import texts
from pipeline.parse.grown import Notes
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed, joined
from pipeline.parse.pieces import Piece
from pipeline.redact import redact_line


def is_fast() -> bool:
    """Whether usual lines may be read in a faster way; not with ``QUEUEVISOR_CAREFUL=1``, for comparisons."""
    return os.environ.get("QUEUEVISOR_CAREFUL") != "1"


class Reader(Protocol):
    """Reads one log of a kind; made anew for each log with the options of ``parse_log``."""

    START: ClassVar[re.Pattern[bytes] | None]
    """Beginning of a line at which a log without sentinels may be cut; None: it is read as one piece."""
    NEEDS_SURVEY: ClassVar[bool]
    """Whether ``survey`` must see the whole log before a piece is read."""

    def survey(self, piece: Piece) -> None:
        """Keep what other pieces need to know of this one. Called for all pieces in order, before any ``read``."""

    def read(self, piece: Piece) -> Parsed:
        """Tables, rejects and line accounting of a piece, in order; ``warnings`` are those of the piece's log."""

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings of the whole log, and those about its damage, after the last piece."""


def read_pieces(
    reader: Reader, pieces: Iterable[Piece], notes: Notes | None = None
) -> Iterator[Parsed]:
    """The pieces' results in order; the last one has the warnings, the damage and ``unread`` of the whole log.

    ``pieces`` is iterated twice if the reader needs a survey. With ``notes``, ``pieces`` are those that these gave.
    """
    single = None if notes is not None and notes.before is not None else _single(pieces)
    if single is not None:
        if reader.NEEDS_SURVEY:
            reader.survey(single)
        yield _with_warnings(reader, reader.read(single))
        return
    records = 0
    unread: list[tuple[int, str]] = []
    if notes is not None:
        records, unread = notes.begin(reader)
    if reader.NEEDS_SURVEY:
        for piece in pieces:
            if piece.is_last and notes is not None:
                notes.survey_last(reader)
            reader.survey(piece)
    if notes is not None:
        notes.check(reader)
        pieces = notes.read(pieces)
    for piece in pieces:
        if piece.is_last and notes is not None:
            notes.read_last(reader, records, unread)
        parsed = reader.read(piece)
        records += parsed.record_lines
        if parsed.unread is not None:
            unread.append(parsed.unread)
            parsed = replace(parsed, unread=None)
        if piece.is_last:
            parsed = _with_warnings(reader, parsed)
            if not records:
                parsed = replace(parsed, unread=_first_unread(unread))
        yield parsed


def _first_unread(unread: list[tuple[int, str]]) -> tuple[int, str] | None:
    """The first line that is a reject, else the first header."""
    rejects = [place for place in unread if place[1] != texts.ONLY_HEADERS]
    return next(iter(rejects or unread), None)


def read_whole(reader: Reader, log: Log) -> Parsed:
    """The result for a log that is in memory."""
    return joined(read_pieces(reader, [Piece.of_log(log)]))


def _single(pieces: Iterable[Piece]) -> Piece | None:
    """The only piece of a log; None if it has more."""
    first = next(iter(pieces))
    return first if first.is_last else None


def _with_warnings(reader: Reader, parsed: Parsed) -> Parsed:
    """``parsed``, the last piece, with the warnings and the damage of its reader."""
    warnings, damage = reader.finish()
    return replace(
        parsed,
        warnings=[*parsed.warnings, *damage, *map(redact_line, warnings)],
        damage=(*parsed.damage, *damage),
    )
