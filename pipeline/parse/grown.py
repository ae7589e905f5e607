"""Reading a log that has grown from where its last piece began when it was read before.

A log with sentinels is cut into the same pieces when it has grown, but for the last one. What its reader knew in front
of that is kept as plain data (``ReadPart``). The rows of the pieces before are those that they were, if the text is the
same and if what depends on the whole log (``GrowingReader.facts``) is; else the log is read anew.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pipeline.parse import texts
from pipeline.parse.errors import ParseError
from pipeline.parse.log import LogReader
from pipeline.parse.pieces import Piece, Pieces, ReadText, TextSource
from pipeline.parse.states import StateError, decode, encode


class GrowingReader(Protocol):
    """A ``reader.Reader`` that can read on: what it carries is in attributes that can be kept (``states``)."""

    SURVEYED: ClassVar[tuple[str, ...]]
    """Attributes that ``survey`` sets, but for what it keeps of a piece for ``read`` of that piece alone."""

    def facts(self) -> object:
        """What the pieces read so far depend on, of the whole log; None if they must be read again."""


class NotContinuedError(ParseError):
    """A log of which not only the end is new: it has to be read from its beginning."""


@dataclass(frozen=True)
class ReadPart:
    """What was read of a log up to the beginning of its last piece, as JSON has it."""

    sha256: str
    """Of the text up to there."""
    places: list[list[int]]
    """``ReadText.places``."""
    lines: Any
    """The ``LogReader``."""
    surveyed: Any
    """The reader's attributes ``SURVEYED`` when that part was surveyed."""
    carried: Any
    """Its other attributes when it was read."""
    facts: Any
    records: int
    """Number of record lines."""
    unread: Any
    """What ``read_pieces`` keeps of pieces without records."""


class Notes:
    """Where the reading of a log begins, and what is to be kept for the next time.

    Parameters
    ----------
    before : ReadPart, optional
        Of the last time.

    Attributes
    ----------
    part : ReadPart or None
        When all is read; None for a log that would have to be read from its beginning in any case.
    size : int
        Bytes of the file that are read.
    """

    def __init__(self, before: ReadPart | None = None):
        self.before = before
        self.part: ReadPart | None = None
        self.size = 0
        self._pieces: Pieces | None = None
        self._surveyed: Any = None
        self._digest = hashlib.sha256()
        self._places: list[tuple[int, int]] = []

    def pieces(
        self, source: TextSource, start: re.Pattern[bytes] | None, piece_bytes: int
    ) -> Pieces:
        """The pieces of a text that are to be read.

        Raises
        ------
        NotContinuedError
            If the text is not that of the last time and more.
        """
        self.size = source.size
        if self.before is None:
            self._pieces = Pieces(source, start, piece_bytes)
            return self._pieces
        self._places = [(position, lines) for position, lines in self.before.places]
        state = self.before.lines
        text = ReadText(self._places[:], lambda: _of_type(decode(state), LogReader))
        unhashed = text.position
        for part in source.parts():
            self._digest.update(part[:unhashed])
            unhashed -= len(part[:unhashed])
            if not unhashed:
                break
        if unhashed or not source.is_plain or self._digest.hexdigest() != self.before.sha256:
            raise NotContinuedError(source.name, texts.NOT_ONLY_GROWN)
        self._pieces = Pieces(source, start, piece_bytes, text)
        return self._pieces

    def begin(self, reader: Any) -> tuple[int, list[tuple[int, str]]]:
        """Give a reader what its survey showed; the number of record lines, and pieces without any."""
        if self.before is None:
            return 0, []
        vars(reader).update(decode(self.before.surveyed))
        return self.before.records, decode(self.before.unread)

    def survey_last(self, reader: Any) -> None:
        """Keep what the survey shows, in front of its last piece."""
        names = getattr(reader, "SURVEYED", None)
        if names is not None:
            self._surveyed = _encoded({name: vars(reader)[name] for name in names})

    def check(self, reader: Any) -> None:
        """Give a reader what it carries.

        Raises
        ------
        NotContinuedError
            If the whole log says something else about the pieces that are not read again.
        """
        if self.before is None:
            return
        vars(reader).update(decode(self.before.carried))
        if _encoded(reader.facts()) != self.before.facts:
            assert self._pieces is not None
            raise NotContinuedError(self._pieces.source.name, texts.NOT_ONLY_GROWN)

    def read(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces for the reader; of all but the last one, the text is hashed."""
        position, _ = self._places[-1] if self._places else (0, 0)
        for piece in pieces:
            yield piece
            if not piece.is_last:
                assert piece.data is not None
                self._digest.update(piece.data)
                position += len(piece.data)
                self._places.append((position, piece.reader.last_line))

    def read_last(self, reader: Any, records: int, unread: list[tuple[int, str]]) -> None:
        """Keep what the reader knows, in front of the last piece."""
        assert self._pieces is not None
        pieces = self._pieces
        lines = pieces.reader
        is_plain = pieces.source.is_plain and not pieces.source.warnings and not lines.has_cr
        if self._surveyed is None or not is_plain or not lines.sentinels.has_ticks:
            return
        carried = {
            name: value for name, value in vars(reader).items() if name not in reader.SURVEYED
        }
        values = (lines, carried, reader.facts(), unread)
        line_state, state, facts, others = map(_encoded, values)
        if line_state is None or state is None or facts is None or others is None:
            return
        self.part = ReadPart(
            sha256=self._digest.hexdigest(),
            places=[list(place) for place in self._places],
            lines=line_state,
            surveyed=self._surveyed,
            carried=state,
            facts=facts,
            records=records,
            unread=others,
        )


def _encoded(value: object) -> Any:
    """``value`` as plain data; None if it cannot be kept."""
    try:
        return encode(value)
    except StateError:
        return None


def _of_type(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise StateError(kind.__name__)
    return value
