"""Sentinel lines of the collectors: times of snapshots, gaps, and the end of a complete log.

A log is read in pieces, so what a sentinel means for those of the next piece is carried (``SentinelReader``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.parse import texts
from pipeline.parse.expressions import first_of, to_int64

TICK = r"^#T (?P<epoch_ns>[0-9]+) (?P<monotonic_ns>[0-9]+) (?P<seq>[0-9]+) (?P<boot_id>\S+)\s*$"

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
    _carried: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_MARKS_SCHEMA))
    """Sentinels that decide what the next one means: the last valid tick, the last tick, gaps after it."""
    _warnings: tuple[list[str], ...] = field(default_factory=lambda: ([], [], [], []))

    def read(
        self, lines: pl.DataFrame, *, has_marks: bool, cut_line: int | None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """``lines`` with ``sentinel`` and ``tick``, and the ticks among them.

        Parameters
        ----------
        lines : polars.DataFrame
            ``line`` and ``text``; lines without a ``#`` at their start may be missing.
        has_marks : bool
            Whether one begins with ``#``.
        cut_line : int, optional
            Number of the last line of the log if it is unterminated.
        """
        marks = parse_sentinels(lines if has_marks else lines.clear(), cut_line)
        if self.has_ticks is None:
            self.has_ticks = bool((marks["sentinel"] == "T").any())
        ticks = self._ticks(marks)
        self._note(marks, ticks)
        lines = lines.join(
            marks.select("line", "sentinel"), on="line", how="left", maintain_order="left"
        ).join_asof(ticks.select("line", "tick"), on="line", strategy="backward")
        if self.count > ticks.height:
            lines = lines.with_columns(pl.col("tick").fill_null(self.count - ticks.height - 1))
        return lines, ticks

    def _ticks(self, marks: pl.DataFrame) -> pl.DataFrame:
        """The ticks among ``marks``, numbered on, with ``is_start``."""
        if not self.has_ticks or marks.is_empty():
            return pl.DataFrame(schema=TICKS_SCHEMA)
        every = pl.concat([self._carried, marks.select(_MARKS_SCHEMA.names())])
        ticks = parse_ticks(every, is_first=self.count == 0)
        earlier = (
            self._carried.height
            and ticks.filter(pl.col("line") <= self._carried["line"][-1]).height
        )
        self._warn(every, ticks, earlier)
        last = every.filter(pl.col("sentinel").is_in(["T", "bad"])).tail(1)
        good = every.filter(pl.col("sentinel") == "T").tail(1)
        gaps = every.filter(pl.col("sentinel") == "GAP")
        if last.height:
            gaps = gaps.filter(pl.col("line") > last["line"][0])
        self._carried = pl.concat([good, last, gaps]).unique("line").sort("line")
        ticks = ticks.slice(earlier).drop("seq_again")
        number = pl.int_range(self.count, self.count + ticks.height, dtype=pl.Int64)
        self.count += ticks.height
        return ticks.with_columns(tick=number)

    def _warn(self, marks: pl.DataFrame, ticks: pl.DataFrame, earlier: int) -> None:
        """Keep the warnings about ticks; the first ``earlier`` ticks are those of pieces before."""
        bad, repeated, back, _ = self._warnings
        for line in marks.slice(self._carried.height).filter(pl.col("sentinel") == "bad")["line"]:
            bad.append(f"{self.file}:{line}: {texts.TICK_WITHOUT_TIME}")
        is_back = ticks.select("line", back=pl.col("time") < pl.col("time").shift()).slice(earlier)
        for line, seq in ticks.slice(earlier).filter("seq_again").select("line", "seq").rows():
            repeated.append(f"{self.file}:{line}: {texts.repeated_tick(seq)}")
        for line in is_back.filter("back")["line"]:
            back.append(f"{self.file}:{line}: {texts.CLOCK_BACK}")

    def _note(self, marks: pl.DataFrame, ticks: pl.DataFrame) -> None:
        """Keep ends, gaps, and the first and last valid ticks."""
        ends = marks.filter(pl.col("sentinel") == "END")
        if ends.height:
            self.ended = ends["text"][-1][4:].strip()
        gaps = marks.filter(pl.col("sentinel") == "GAP").select("line", "text")
        for line, text in gaps.rows():
            self._warnings[3].append(f"{self.file}:{line}: {texts.gap(text[4:].strip())}")
        timed = ticks.filter(pl.col("time").is_not_null())
        if self.first_tick is None:
            if timed.height:
                gaps = gaps.filter(pl.col("line") < timed["line"][0])
            self.gaps_before += gaps["text"].to_list()
        if timed.height:
            timed = timed.with_columns(time_ns=pl.col("time").dt.epoch("ns"))
            self.first_tick = self.first_tick or timed.row(0, named=True)
            self.last_tick = timed.row(-1, named=True)

    def messages(self) -> tuple[list[str], tuple[str, ...]]:
        """Warnings about the sentinels, and those of them about a missing end."""
        bad, repeated, back, gaps = self._warnings
        damage = ()
        if self.has_ticks and self.ended is None:
            damage = (f"{self.file}: {texts.NO_END}",)
        return [*bad, *repeated, *back, *damage, *gaps], damage


def parse_sentinels(lines: pl.DataFrame, cut_line: int | None) -> pl.DataFrame:
    """Sentinel lines: line, text, sentinel, epoch_ns, monotonic_ns, seq, boot_id."""
    text = pl.col("text")
    numbers = pl.col("epoch_ns", "monotonic_ns", "seq")
    is_cut = pl.lit(False) if cut_line is None else pl.col("line") == cut_line
    is_whole = pl.all_horizontal(numbers.is_not_null()) & ~is_cut
    return (
        lines.filter(text.str.contains(r"^#(T|GAP|END)(\s|$)"))
        .with_columns(text.str.extract_groups(TICK).struct.unnest())
        .with_columns(to_int64(numbers))
        .with_columns(
            sentinel=first_of(
                (text.str.contains(r"^#T") & is_whole, "T"),
                (text.str.contains(r"^#T"), "bad"),
                otherwise=text.str.extract(r"^#(GAP|END)"),
            )
        )
    )


def parse_ticks(marks: pl.DataFrame, *, is_first: bool) -> pl.DataFrame:
    """One row per ``#T`` with ``seq_again``. Two equal ``#T`` lines in a row are one.

    ``is_first``: whether the first one is the first of the log.
    """
    is_tick = pl.col("sentinel").is_in(["T", "bad"])
    is_repeated = (pl.col("text") == pl.col("text").shift()) & (
        pl.col("line") == pl.col("line").shift() + 1
    )
    is_gap = (pl.col("sentinel") == "GAP") & ~pl.col("text").str.contains(GAP_WITHOUT_RESTART)
    return (
        marks.with_columns(after_gap=is_gap.cum_sum(), is_repeated=is_repeated.fill_null(False))
        .filter(is_tick & ~pl.col("is_repeated"))
        .with_columns(
            good=pl.col("sentinel") == "T",
            known_seq=pl.col("seq").forward_fill(),
            known_boot=pl.col("boot_id").forward_fill(),
        )
        .with_columns(
            seq_again=pl.col("seq") <= pl.col("known_seq").shift(),
            boot_again=pl.col("boot_id") != pl.col("known_boot").shift(),
            gap=pl.col("after_gap") != pl.col("after_gap").shift(),
        )
        .select(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("tick"),
            "line",
            pl.when("good").then(pl.col("epoch_ns")).cast(tables.UTC_NS).alias("time"),
            pl.when("good").then(pl.col("monotonic_ns", "seq", "boot_id")),
            (
                pl.any_horizontal("seq_again", "boot_again", "gap").fill_null(False)
                | (pl.lit(is_first) & (pl.int_range(pl.len()) == 0))
            ).alias("is_start"),
            "seq_again",
        )
    )
