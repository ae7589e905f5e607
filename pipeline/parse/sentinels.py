"""Sentinel lines of the collectors: times of snapshots, gaps, and the end of a complete log.

A log is read in pieces, so what a sentinel means for those of the next piece is carried (``SentinelReader``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from pipeline import tables
from pipeline.parse import texts

_TICK_FIELDS = (
    r" (?P<epoch_ns>[0-9]+) (?P<monotonic_ns>[0-9]+) (?P<seq>[0-9]+) (?P<boot_id>\S+)\s*$"
)
TICK = rf"^#T{_TICK_FIELDS}"

_GAP = r"(?:missed [0-9]+ ticks?|the disk was full)"
GAP_WITHOUT_RESTART = rf"^#GAP {_GAP}(?:; {_GAP})*$"
"""Gaps during which the tool was not restarted: the snapshot after one is an interval."""

TICKS_SCHEMA = pl.Schema(
    {
        "tick": pl.Int64,
        "line": pl.Int64,
        "time": tables.UTC_NS,
        "monotonic_ns": pl.Int64,
        "seq": pl.Int64,
        "boot_id": pl.String,
        "is_start": pl.Boolean,
    }
)
_MARKS_SCHEMA = pl.Schema(
    {
        "line": pl.Int64,
        "text": pl.String,
        **dict.fromkeys(("epoch_ns", "monotonic_ns", "seq"), pl.Int64),
        "boot_id": pl.String,
        "sentinel": pl.String,
    }
)
_NO_MARKS = pl.DataFrame(schema=_MARKS_SCHEMA)

_BEGINS_AS_MARK = pl.col("text").str.starts_with("#")
_MARK_FIELDS = (
    pl.col("text")
    .str.extract_groups(rf"^#(?P<sentinel>T|GAP|END)(?:{_TICK_FIELDS}|\s|$)")
    .struct.unnest()
)
_NUMBERS = pl.col("epoch_ns", "monotonic_ns", "seq").cast(pl.Int64, strict=False)
_IS_WHOLE = pl.all_horizontal(_NUMBERS.is_not_null())
_BAD = pl.lit("bad")


@dataclass
class SentinelReader:
    """The sentinels of a log, piece by piece.

    ``has_ticks``: whether a valid ``#T`` is anywhere in the log; None if the log is one piece.
    """

    file: str
    has_ticks: bool | None = None
    ended: str | None = None
    """Reason of the last ``#END`` so far."""
    first_tick: dict[str, Any] | None = None
    """First valid ``#T`` (``TICKS_SCHEMA``)."""
    last_tick: dict[str, Any] | None = None
    """Last valid ``#T`` so far."""
    gaps_before: list[str] = field(default_factory=list)
    """Text of each ``#GAP`` above the first valid ``#T``."""
    count: int = 0
    """Number of ticks so far."""
    _carried: pl.DataFrame = field(default_factory=lambda: _NO_MARKS)
    """Sentinels that decide what the next one means: the last valid tick, the last tick, gaps after it."""
    _warnings: tuple[list[str], ...] = field(default_factory=lambda: ([], [], [], []))

    def read(
        self, lines: pl.DataFrame, *, has_marks: bool, cut_line: int | None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """``lines`` with ``sentinel`` and ``tick``, and the ticks among them.

        Parameters
        ----------
        lines : polars.DataFrame
            ``line`` and ``text`` of the next piece; all that begin with ``#``, of the others some or none.
        has_marks : bool
            Whether one begins with ``#``.
        cut_line : int, optional
            Number of the last line of the log if it is unterminated.
        """
        marks = parse_sentinels(lines, cut_line) if has_marks else _NO_MARKS
        if self.has_ticks is None:
            self.has_ticks = bool((marks["sentinel"] == "T").any())
        ticks = self._ticks(marks)
        self._note(marks, ticks)
        numbers = lines["line"].to_numpy()
        sentinel = pl.Series("sentinel", [None], dtype=pl.String).new_from_index(0, lines.height)
        if marks.height:
            places = np.searchsorted(numbers, marks["line"].to_numpy())
            sentinel = sentinel.scatter(places, marks["sentinel"])
        return lines.hstack([sentinel, self._tick_numbers(numbers, ticks)]), ticks

    def _tick_numbers(self, lines: np.ndarray, ticks: pl.DataFrame) -> pl.Series:
        """Number of the last tick up to each line, null before the first one of the log."""
        places = np.searchsorted(lines, ticks["line"].to_numpy())
        before = self.count - ticks.height
        numbers = np.repeat(
            np.arange(before - 1, self.count), np.diff(places, prepend=0, append=lines.size)
        )
        tick = pl.Series("tick", numbers, dtype=pl.Int64)
        without_tick = int(places[0]) if places.size else lines.size
        if before == 0 and without_tick:
            tick = tick.scatter(np.arange(without_tick), None)
        return tick

    def _ticks(self, marks: pl.DataFrame) -> pl.DataFrame:
        """The ticks among ``marks``, numbered on, with ``is_start``."""
        if not self.has_ticks or marks.is_empty():
            return pl.DataFrame(schema=TICKS_SCHEMA)
        every = self._carried.vstack(marks)
        ticks, is_again = parse_ticks(every, is_first=self.count == 0)
        lines = ticks["line"].to_numpy()
        earlier = 0
        if self._carried.height:
            earlier = int(np.searchsorted(lines, self._carried["line"][-1], side="right"))
        self._warn(marks, ticks, is_again, earlier)
        kind = every["sentinel"]
        good = np.flatnonzero(kind == "T")[-1:]
        last = np.union1d(good, np.flatnonzero(kind == "bad"))[-1:]
        gaps = np.flatnonzero(kind == "GAP")
        if last.size:
            gaps = gaps[gaps > last]
        self._carried = every[np.unique(np.concatenate([good, last, gaps]))]
        ticks = ticks.slice(earlier)
        number = np.arange(self.count, self.count + ticks.height)
        self.count += ticks.height
        return ticks.replace_column(0, pl.Series("tick", number, dtype=pl.Int64))

    def _warn(
        self, marks: pl.DataFrame, ticks: pl.DataFrame, is_again: np.ndarray, earlier: int
    ) -> None:
        """Keep the warnings about ticks; the first ``earlier`` ticks are those of pieces before."""
        bad, repeated, back, _ = self._warnings
        lines, time = ticks["line"], ticks["time"]
        for line in marks["line"].filter(marks["sentinel"] == "bad"):
            bad.append(f"{self.file}:{line}: {texts.TICK_WITHOUT_TIME}")
        for place in np.flatnonzero(is_again[earlier:]) + earlier:
            message = texts.repeated_tick(ticks["seq"][int(place)])
            repeated.append(f"{self.file}:{lines[int(place)]}: {message}")
        for place in np.flatnonzero(_is_true(time[1:] < time[:-1])) + 1:
            if place >= earlier:
                back.append(f"{self.file}:{lines[int(place)]}: {texts.CLOCK_BACK}")

    def _note(self, marks: pl.DataFrame, ticks: pl.DataFrame) -> None:
        """Keep ends, gaps, and the first and last valid ticks."""
        if marks.is_empty():
            return
        kind = marks["sentinel"]
        for text in marks["text"].filter(kind == "END"):
            self.ended = text[4:].strip()
        gaps = marks[["line", "text"]].filter(kind == "GAP").rows()
        for line, text in gaps:
            self._warnings[3].append(f"{self.file}:{line}: {texts.gap(text[4:].strip())}")
        timed = ticks["time"].is_not_null().arg_true()
        if self.first_tick is None:
            first = ticks["line"][timed[0]] if timed.len() else None
            self.gaps_before += [text for line, text in gaps if first is None or line < first]
        if timed.len():
            self.first_tick = self.first_tick or _tick_at(ticks, timed[0])
            self.last_tick = _tick_at(ticks, timed[-1])

    def messages(self) -> tuple[list[str], tuple[str, ...]]:
        """Warnings about the sentinels, and those of them about a missing end."""
        bad, repeated, back, gaps = self._warnings
        damage = ()
        if self.has_ticks and self.ended is None:
            damage = (f"{self.file}: {texts.NO_END}",)
        return [*bad, *repeated, *back, *damage, *gaps], damage


def parse_sentinels(lines: pl.DataFrame, cut_line: int | None) -> pl.DataFrame:
    """Sentinel lines: line, text, epoch_ns, monotonic_ns, seq, boot_id, sentinel."""
    is_whole = _IS_WHOLE if cut_line is None else _IS_WHOLE & (pl.col("line") != cut_line)
    is_bad = (pl.col("sentinel") == "T") & ~is_whole
    return (
        lines.filter(_BEGINS_AS_MARK)
        .select("line", "text", _MARK_FIELDS)
        .drop_nulls("sentinel")
        .select(
            "line", "text", _NUMBERS, "boot_id",
            sentinel=pl.when(is_bad).then(_BAD).otherwise("sentinel"),
        )
    )  # fmt: skip


def parse_ticks(marks: pl.DataFrame, *, is_first: bool) -> tuple[pl.DataFrame, np.ndarray]:
    """One row per ``#T`` (``TICKS_SCHEMA``), and which do not have a higher ``seq`` than the one before.

    Two equal ``#T`` lines in a row are one. ``is_first``: whether the first one is the first of the log.
    """
    kind, text = marks["sentinel"], marks["text"]
    is_good = (kind == "T").to_numpy()
    is_tick = is_good | (kind == "bad").to_numpy()
    is_next_line = np.diff(marks["line"].to_numpy()) == 1
    is_tick[1:] &= ~(is_next_line & (text[1:] == text[:-1]).to_numpy())
    places = np.flatnonzero(is_tick)
    is_gap = (kind == "GAP").to_numpy()
    if is_gap.any():
        is_gap = is_gap & ~text.str.contains(GAP_WITHOUT_RESTART).to_numpy()
    gaps_before = np.cumsum(is_gap)[places]
    ticks, is_good = marks[places], is_good[places]
    seq, boot = ticks["seq"], ticks["boot_id"]
    is_again, is_start = np.zeros((2, places.size), dtype=bool)
    is_again[1:] = _is_true(seq[1:] <= _filled(seq)[:-1])
    is_start[1:] = is_again[1:] | _is_true(boot[1:] != _filled(boot)[:-1])
    is_start[1:] |= np.diff(gaps_before) > 0
    is_start[:1] |= is_first
    if not is_good.all():
        ticks = ticks.with_columns(
            pl.when(pl.Series(is_good)).then(pl.col("epoch_ns", "monotonic_ns", "seq", "boot_id"))
        )
    columns = {
        "tick": np.arange(places.size),
        "time": ticks["epoch_ns"].cast(tables.UTC_NS),
        "is_start": is_start,
    }
    return pl.DataFrame(
        {name: columns.get(name, ticks.get_column(name, default=None)) for name in TICKS_SCHEMA},
        schema=TICKS_SCHEMA,
    ), is_again


def _is_true(values: pl.Series) -> np.ndarray:
    """Where a condition is true; it is not where it is null."""
    return (values.fill_null(False) if values.null_count() else values).to_numpy()


def _filled(values: pl.Series) -> pl.Series:
    """The values, with the one before for nulls."""
    return values.forward_fill() if values.null_count() else values


def _tick_at(ticks: pl.DataFrame, place: int) -> dict[str, Any]:
    """A row of the ticks, with its time in nanoseconds as an integer too."""
    tick = ticks.row(place, named=True)
    return {**tick, "time_ns": ticks["time"].cast(pl.Int64)[place]}
