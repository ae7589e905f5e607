"""What reading a piece of a log of top needs to know of the other pieces."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipeline.parse import timestamps
from pipeline.parse.foreign_tops import ForeignTops
from pipeline.parse.log import Log
from pipeline.parse.top_columns import Headers
from pipeline.parse.top_lines import classify
from pipeline.parse.top_sketch import Sketch
from pipeline.parse.top_snapshots import SnapshotNumbers, SummaryFacts
from pipeline.parse.top_summary import read_clocks, read_thread_mode
from pipeline.parse.top_threads import is_leader_sum


class Survey:
    """Facts of a log of top, collected from its pieces in order.

    Parameters
    ----------
    file, date, tz, tool_version
        As for ``top.parse``.
    """

    def __init__(
        self, file: str, date: timestamps.Day, tz: str | None, tool_version: str | None
    ) -> None:
        self.headers = Headers()
        self.facts = SummaryFacts()
        self.first_thread_mode: bool | None = None
        self.clocks = timestamps.ClockReadings(file, date, tz)
        self.next_is_interval: list[bool | None] = []
        """Of the first snapshot of each piece; None where it is not known."""
        self.repeats: list[bool] = []
        """Whether a process id stands twice in a section, of each piece of a log without sentinels."""
        self._file = file
        self._has_leader_sums = is_leader_sum(tool_version)
        self._foreign = ForeignTops()
        self._numbers = SnapshotNumbers()
        self._facts_used: SummaryFacts | None = None
        self._is_cut_within_snapshot = False
        self._is_repeated = False

    def add(
        self,
        lines: pl.DataFrame,
        log: Log,
        first_line: int,
        *,
        is_single: bool,
        sketch: Sketch | None,
    ) -> None:
        """Look through the lines of the next piece.

        Parameters
        ----------
        lines : polars.DataFrame
            As of ``top_lines.classify``.
        log : Log
        first_line : int
            Number of the piece's first line.
        is_single : bool
            Whether the log has no other piece: its snapshots are numbered when it is read.
        sketch : Sketch, optional
            Of the piece, if ``log`` is the sketch's.
        """
        self._foreign.add(lines.filter(~pl.col("is_row")).select("line", "text"))
        self.headers.add(lines)
        self.facts = self.facts.with_lines(lines)
        if log.has_sentinels:
            begins = bool((log.ticks["line"] == first_line).any())
            self._is_cut_within_snapshot |= first_line > 1 and not begins
        if self._has_leader_sums:
            self.next_is_interval.append(_is_first_interval(lines, log))
        if is_single:
            return
        if not log.has_sentinels or self.first_thread_mode is None:
            self._number(lines, log, first_line, sketch)

    def _number(
        self, lines: pl.DataFrame, log: Log, first_line: int, sketch: Sketch | None
    ) -> None:
        """Look at the snapshots of the next lines."""
        before = replace(self._numbers)
        numbered = self._numbers.read(
            lines, log, self.headers.names, self.facts, may_repeat=sketch is None
        )
        repeats = (
            sketch is not None and not log.has_sentinels and sketch.repeats_pid(numbered.lines)
        )
        self.repeats.append(repeats)
        if sketch is not None and repeats:
            self._numbers = before
            lines = classify(sketch.full_log())
            numbered = self._numbers.read(lines, log, self.headers.names, self.facts)
        if numbered.lines["what"].is_not_null().any():
            self._facts_used = self._facts_used or self.facts
        if not log.has_sentinels:
            begins = bool((numbered.starts == first_line).any())
            self._is_cut_within_snapshot |= first_line > 1 and not begins
            self._is_repeated |= numbered.is_repeated
            self.clocks.add(read_clocks(numbered.lines, log))
        if self.first_thread_mode is None:
            self.first_thread_mode = read_thread_mode(numbered.lines, log)

    def check(self) -> None:
        """Raise ``UnknownFormatError`` if the log is not of a top that is read."""
        self._foreign.refuse(self._file)
        self.headers.check(self._file)

    @property
    def is_whole(self) -> bool:
        """Whether all pieces have to be read as one: a snapshot is cut, or numbers of snapshots are not sure."""
        if self._is_cut_within_snapshot or self._is_repeated:
            return True
        if self._facts_used is not None and self._facts_used != self.facts:
            return True
        if not self._has_leader_sums or len(self.next_is_interval) == 1:
            return False
        names = [form.columns for form in self.headers.names.values() if form.problem is None]
        has_tgid = ["TGID" in columns for columns in names]
        return any(has_tgid) and (not all(has_tgid) or None in self.next_is_interval[1:])


def _is_first_interval(lines: pl.DataFrame, log: Log) -> bool | None:
    """Whether the first snapshot of a piece is an interval; None if it is not known without its other lines."""
    first = lines.head(1).filter((pl.col("what") == "clock") & ~log.is_unterminated_line)
    ticks = log.ticks.join(first.select(first="line"), how="cross")
    is_start = ticks.filter(pl.col("line") < pl.col("first"))["is_start"]
    return not is_start[-1] if is_start.len() else None
