r"""Commands of a general log read by NumPy: a time in a usual form or none, the Id, a known command and a tab.

Lines that surely belong to the statement above them are only passed: a statement is a part of the text, and nothing is
copied. All other lines are read by patterns (:mod:`general_heads`).

Example:
    >>> text = b"261122  9:23:50\t    2 Query\tSELECT c\nFROM t\n\t\t    3 Quit\t\n"
    >>> commands = Commands.of(text, 1)
    >>> commands.heads.select("line", "connection", "command").rows(), commands.statements().to_list()
    ([(1, 2, 'Query'), (3, 3, 'Quit')], ['SELECT c\nFROM t', ''])
"""

from __future__ import annotations

import codecs
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.parse.general_heads import (
    COMMANDS,
    HEAD_INSIDE,
    MARKS,
    NO_TEXT,
    NOTHING,
    STAMP,
    TEXT,
    TEXT_COMMANDS,
    mark_lines,
)
from pipeline.parse.general_times import STAMP_COLUMNS, with_stamps
from pipeline.parse.parsed import NO_LINES
from pipeline.parse.reader import is_fast
from pipeline.parse.tokens import BLANK, LINE_FEED, PAD, POINT, Text

TAB = 9
FREQUENT = ("Query", "Execute", "Prepare", "Close stmt", "Quit", "Connect", "Init DB")
NAMES = (*FREQUENT, *(name for name in COMMANDS if name not in FREQUENT))
MAX_PADDING, MAX_ID_BYTES = 7, 10
SHORT, IN_UTC, WITH_OFFSET = 15, 27, 32
"""Lengths of times: ``261122  9:23:50``, and ``2026-11-22T09:23:50.053934`` with ``Z`` or an offset."""
POINT_AT, ZONE_AT = 19, 26
FOREIGN = ["mysqld", "mariadbd", ", Version: "]
"""Parts of the lines without a tab that are of no statement, although one may begin like them."""
NOT_TEXT = (b"InnoDB: ", b"Version:", b"        ")
_IS_TEXT = np.zeros(256, np.bool_)
_IS_TEXT[[LINE_FEED, *range(BLANK, 127)]] = True
_IS_TEXT[list(b"0123456789-+:.#TZ")] = False
"""Characters with which lines of a statement surely begin if they have no tab, but for ``NOT_TEXT``."""


class Commands:
    """The commands of a text, and its other lines.

    Parameters
    ----------
    text : Text
        UTF-8 without control characters, but for tabs and line feeds.
    first_line : int
        Number of its first line.

    Attributes
    ----------
    heads : polars.DataFrame
        ``at`` (number from 0), ``line``, ``connection``, ``command``, ``is_other`` (not in ``COMMANDS``), ``has_text``,
        ``start`` (where the statement begins), ``era`` and the columns of ``with_stamps``.
    """

    def __init__(self, text: Text, first_line: int):
        self.text, self.first_line, self.stop = text, first_line, text.line_starts.size
        self.is_terminated = bool(text.line_ends[-1] < PAD + text.size)
        self._tabs = text.places_of(TAB)
        self._foreign = np.searchsorted(text.line_ends, _places(text, FOREIGN))
        """Numbers of the lines with a text of ``FOREIGN``, some of them several times."""
        heads = self._usual_heads()
        is_head = np.zeros(self.stop, np.bool_)
        is_head[heads["at"].to_numpy()] = True
        rest = np.flatnonzero(~is_head)
        marked = text.lines(rest[~self._are_text(rest)], first_line)
        is_cut = pl.lit(not self.is_terminated) & (pl.col("line") == self.last_line)
        marked = marked.with_columns(is_sentinel=pl.lit(False), follows_cr=pl.lit(False))
        self._marked = mark_lines(marked, is_cut, NO_LINES)
        self.heads = self._with_eras(self._with_marked_heads(heads))

    @classmethod
    def of(cls, data: bytes, first_line: int) -> Commands | None:
        """The commands of a text; None if it has to be read by patterns, or has none."""
        if not is_fast() or data.isspace() or data.startswith(codecs.BOM_UTF8) or b"\x7f" in data:
            return None
        try:
            _ = data.isascii() or data.decode()
        except UnicodeDecodeError:
            return None
        text = Text(data)
        controls = int(np.count_nonzero(text.characters < BLANK)) - PAD
        if controls != data.count(b"\n") + data.count(b"\t") or _has_sentinels(text):
            return None
        commands = cls(text, first_line)
        return commands if commands.openers.height else None

    @property
    def last_line(self) -> int:
        """Number of the last line."""
        return self.first_line + self.stop - 1

    def _usual_heads(self) -> pl.DataFrame:
        """Heads in the usual forms."""
        text = self.text
        packed = text.eight_bytes_at(text.line_starts)
        has_no_time = (packed & np.uint64(0xFFFF)) == np.uint64(TAB << 8 | TAB)
        lengths = has_no_time.astype(np.int64)
        dated = np.flatnonzero((packed & np.uint64(255)) - np.uint64(48) < 10)
        for length in (SHORT, IN_UTC, WITH_OFFSET):
            is_long = self._has_at(dated, length, TAB)
            if length > SHORT:
                is_long &= self._has_at(dated, POINT_AT, POINT)
            lengths[dated[is_long]] = length
        at = np.flatnonzero(lengths)
        ends = text.line_ends[at]
        starts, id_ends = self._ids(text.line_starts[at] + lengths[at] + 1, ends)
        numbers, are_usual = text.numbers(starts, id_ends)
        codes, arguments = self._names(id_ends + 1, ends, np.flatnonzero(are_usual))
        are_usual &= codes >= 0
        stamps, are_stamps = self._stamps(at, lengths[at], np.flatnonzero(are_usual))
        are_usual &= are_stamps
        names = pl.Series(NAMES)
        heads = pl.DataFrame(
            {
                "at": at,
                "line": at + self.first_line,
                "connection": numbers,
                "command": names.gather(np.maximum(codes, 0)),
                "is_other": np.zeros(at.size, np.bool_),
                "has_text": names.is_in(TEXT_COMMANDS).gather(np.maximum(codes, 0)),
                "start": arguments,
            }
        ).hstack(stamps)
        return heads if are_usual.all() else heads.filter(pl.Series(are_usual))

    def _has_at(self, lines: np.ndarray, place: int, byte: int) -> np.ndarray:
        """Which lines have a character at a place."""
        places = self.text.line_starts[lines] + place
        return self.text.characters[np.minimum(places, self.text.line_ends[lines])] == byte

    def _ids(self, places: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the Ids begin and end that stand at some places after blanks; empty where none does."""
        characters = self.text.characters
        starts = np.minimum(places, ends)
        padded = np.arange(starts.size)
        for _ in range(MAX_PADDING):
            padded = padded[characters[starts[padded]] == BLANK]
            starts[padded] += 1
        id_ends, rest = starts.copy(), np.arange(starts.size)
        for length in range(1, MAX_ID_BYTES + 1):
            places = np.minimum(starts[rest] + length, ends[rest])
            is_end = characters[places] == BLANK
            id_ends[rest[is_end]] += length
            rest = rest[~is_end]
        return starts, id_ends

    def _names(
        self, places: np.ndarray, ends: np.ndarray, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of ``NAMES`` stand at some of the places (-1: none), and where the arguments after them begin."""
        codes, arguments = np.full(places.size, -1), places.copy()
        for code, name in enumerate(NAMES):
            text = f"{name}\t".encode()
            is_name = np.ones(chosen.size, np.bool_)
            for at in range(0, len(text), 8):
                part = np.minimum(places[chosen] + at, ends[chosen])
                is_name &= self.text.has_at(part, text[at : at + 8])
            codes[chosen[is_name]] = code
            arguments[chosen[is_name]] += len(text)
            chosen = chosen[~is_name]
            if not chosen.size:
                break
        return codes, arguments

    def _stamps(
        self, at: np.ndarray, lengths: np.ndarray, chosen: np.ndarray
    ) -> tuple[pl.DataFrame, np.ndarray]:
        """The columns of ``with_stamps`` of some of the lines, and which are without a time, or with one that is read.

        A time that differs from the one above only in its fraction is not read again.
        """
        text = self.text
        are_stamps = lengths == 1
        chosen = chosen[~are_stamps[chosen]]
        starts, lengths = text.line_starts[at[chosen]], lengths[chosen]
        has_fraction = lengths > SHORT
        seconds_end = starts + np.minimum(lengths, POINT_AT)
        zones = np.where(has_fraction, starts + ZONE_AT, starts + SHORT)
        keys = (
            text.eight_bytes_at(starts),
            text.first_bytes(starts + 8, np.minimum(lengths - 8, 8)),
            text.first_bytes(starts + 16, np.where(has_fraction, POINT_AT - 16, 0)),
            text.first_bytes(zones, starts + lengths - zones),
        )
        is_new = np.ones(chosen.size, np.bool_)
        is_new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
        stamps = pl.DataFrame(
            {
                "seconds": text.texts(starts[is_new], seconds_end[is_new]),
                "zone": text.texts(zones[is_new], (starts + lengths)[is_new]),
            }
        ).select(pl.concat_str("seconds", "zone").str.extract_groups(STAMP).struct.unnest())
        stamps = with_stamps(stamps)[np.cumsum(is_new) - 1]
        micros, are_read = text.numbers(
            np.where(has_fraction, starts + POINT_AT + 1, starts),
            np.where(has_fraction, starts + ZONE_AT, starts + 6),
        )
        micros[~has_fraction] = 0
        are_stamps[chosen] = stamps["says"].to_numpy() & are_read
        local = pl.col("local") + pl.duration(microseconds=pl.Series(micros), time_unit="us")
        places = np.full(at.size, chosen.size)
        places[chosen] = np.arange(chosen.size)
        every = pl.all().gather(pl.Series(places), null_on_oob=True)
        stamps = stamps.select(STAMP_COLUMNS).with_columns(local).select(every)
        return stamps.with_columns(pl.col("says", "has_zone").fill_null(False)), are_stamps

    def _are_text(self, lines: np.ndarray) -> np.ndarray:
        """Which of the lines surely are none but lines of a statement, or blank."""
        text = self.text
        starts, ends = text.line_starts[lines], text.line_ends[lines]
        are_text = _IS_TEXT[text.characters[starts]] | text.has_at(starts, b"--")
        for beginning in NOT_TEXT:
            are_text &= ~text.has_at(starts, beginning)
        are_text &= np.searchsorted(self._tabs, starts) == np.searchsorted(self._tabs, ends)
        are_text &= ~np.isin(lines, self._foreign)
        if lines.size and lines[-1] == self.stop - 1 and not self.is_terminated:
            are_text[-1] = False
        return are_text

    def _with_marked_heads(self, heads: pl.DataFrame) -> pl.DataFrame:
        """The heads, with those that were read by patterns."""
        marked = self._marked.filter("is_head")
        if not marked.height:
            return heads
        at = marked["line"].to_numpy() - self.first_line
        ends = self.text.line_ends[at]
        marked = marked.with_columns(has_text=pl.col("begins") == TEXT).unnest("head")
        rest = pl.coalesce("argument", "padded", "rest", pl.lit("")).str.len_bytes()
        marked = with_stamps(marked).select(
            "line",
            *STAMP_COLUMNS,
            "has_text",
            pl.col("connection").cast(pl.Int64),
            pl.coalesce("command", "other").alias("command"),
            at=pl.Series(at),
            is_other=pl.col("other").is_not_null(),
            start=pl.Series(ends) - rest.cast(pl.Int64),
        )
        return pl.concat([heads, marked.select(heads.columns)]).sort("line")

    def _with_eras(self, heads: pl.DataFrame) -> pl.DataFrame:
        """The heads with the number of lines above, across which no time is inherited."""
        limits = self._marked.filter(pl.any_horizontal("is_banner", "is_damaged"))["line"]
        self._limits = limits.to_numpy()
        era = np.searchsorted(self._limits, heads["line"].to_numpy())
        return heads.with_columns(era=pl.Series(era, dtype=pl.Int64))

    @property
    def last_era(self) -> int:
        """The era of the last line."""
        return int(np.searchsorted(self._limits, self.last_line, "right"))

    @cached_property
    def openers(self) -> pl.DataFrame:
        """``line`` and ``begins`` of the lines with which a command or something else begins."""
        heads = self.heads.select(
            "line", begins=pl.when("has_text").then(pl.lit(TEXT)).otherwise(pl.lit(NO_TEXT))
        )
        others = self._marked.filter(pl.col("begins").is_not_null() & ~pl.col("is_head"))
        if not others.height:
            return heads
        return pl.concat([heads, others.select("line", "begins")]).sort("line")

    def cut(self, line: int) -> pl.DataFrame:
        """Leave out the lines from ``line`` on; ``line`` and ``text`` of these are returned."""
        every = np.arange(line - self.first_line, self.stop)
        self.stop = line - self.first_line
        self.heads, self._marked = (
            frame.filter(pl.col("line") < line) for frame in (self.heads, self._marked)
        )
        self.__dict__.pop("openers", None)
        return self.text.lines(every, self.first_line)

    @cached_property
    def _last(self) -> np.ndarray:
        """Number from 0 of the last line of each command."""
        at = self.heads["at"].to_numpy()
        bounds = np.append(self.openers["line"].to_numpy() - self.first_line, self.stop)
        next_at = (
            bounds[1:] if bounds.size == at.size + 1 else bounds[np.searchsorted(bounds, at) + 1]
        )
        return np.where(self.heads["has_text"].to_numpy(), next_at - 1, at)

    @property
    def last_lines(self) -> pl.Series:
        """Number of the last line of each command."""
        return pl.Series(self._last + self.first_line)

    def statements(self) -> pl.Series:
        """The statement or the argument of each command, without line feeds at its end."""
        starts, ends = self.heads["start"].to_numpy(), self.text.line_ends[self._last]
        rest = np.flatnonzero(self._last > self.heads["at"].to_numpy())
        while rest.size:
            rest = rest[ends[rest] > starts[rest]]
            rest = rest[self.text.characters[ends[rest] - 1] == LINE_FEED]
            ends[rest] -= 1
        return self.text.texts(starts, ends)

    def have_heads_inside(self, statements: pl.Series) -> pl.Series:
        """Which statements have ``HEAD_INSIDE``."""
        at, ends = self.heads["at"].to_numpy(), self.text.line_ends[self._last]
        tabs = np.searchsorted(self._tabs, self.heads["start"].to_numpy())
        may_have = (tabs < np.searchsorted(self._tabs, ends)) | (
            np.searchsorted(self._foreign, at) < np.searchsorted(self._foreign, self._last, "right")
        )
        places = np.flatnonzero(may_have)
        has_inside = statements.gather(places).str.contains(HEAD_INSIDE).to_numpy()
        is_inside = np.zeros(at.size, np.bool_)
        is_inside[places[has_inside]] = True
        return pl.Series(is_inside)

    def other_lines(self) -> pl.DataFrame:
        """The lines that are of no command, as of ``mark_lines``, and what is the last to begin above (``opener``)."""
        is_other = np.ones(self.stop, np.bool_)
        is_other[self.heads["at"].to_numpy()] = False
        others = np.flatnonzero(is_other)
        begins = self.openers["line"].to_numpy() - self.first_line
        has_text = np.append((self.openers["begins"] == TEXT).to_numpy(), False)
        above = np.searchsorted(begins, others, "right") - 1
        is_more = has_text[above]
        frame = self.text.lines(others[~is_more], self.first_line)
        marked = self._marked.select("line", "is_sentinel", *MARKS)
        frame = frame.join(marked, on="line", how="left", maintain_order="left")
        frame = frame.with_columns(pl.col("is_sentinel", *MARKS).fill_null(False))
        frame = frame.join_asof(self.openers, on="line", strategy="backward")
        return frame.with_columns(
            opener=pl.col("begins").fill_null(NOTHING), sentinel=pl.lit(None, pl.String)
        )


def _has_sentinels(text: Text) -> bool:
    """Whether a line may be a sentinel."""
    marks = np.flatnonzero(text.begins_with(b"#"))
    second = text.characters[text.line_starts[marks] + 1]
    return bool(np.isin(second, list(b"TGE")).any())


def _places(text: Text, parts: list[str]) -> np.ndarray:
    """Where one of these texts stands."""
    whole = text.texts(np.array([PAD]), np.array([PAD + text.size]))
    return whole.str.find_many(parts).explode().drop_nulls().to_numpy() + PAD
