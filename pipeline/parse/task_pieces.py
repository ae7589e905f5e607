"""The records of a piece of a tasks.log: of lines in the collectors' form by NumPy, of others by their patterns.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> log = log_from_text("#T 1 5 0 b\\nx 9 70 denied\\n", "tasks.log")
    >>> Records(Piece.of_log(log), None).good("x").select("pid", "reason").rows()
    [(9, 'denied')]
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.parsed import split_rejects
from pipeline.parse.pieces import Piece
from pipeline.parse.task_records import LINE_FORMATS, MAX_NUMBER, UNLIMITED, no_lines, parse_lines
from pipeline.parse.task_rows import FORMS, KINDS, lines_of, read_rows, thread_lines
from pipeline.parse.thread_roles import has_vcpu_name, machines_of
from pipeline.parse.tokens import PlainPiece

FIRST_LINES = 2000
"""Lines of threads that name most processes, so that the others need not be searched."""


class Records:
    """The lines of a piece by type of record, each type read when it is wanted.

    Parameters
    ----------
    piece : Piece
    plain : PlainPiece, optional
        The piece, if some of its lines may be read by NumPy.

    Raises
    ------
    UnknownFormatError
        If there are lines, but no sentinels.
    """

    def __init__(self, piece: Piece, plain: PlainPiece | None):
        self.piece, self.plain = piece, plain
        """What is read by NumPy; None if all lines are read by their patterns."""
        self._good: dict[str, pl.DataFrame] = {}
        self._kinds = KINDS
        if self.plain is None:
            self.log = piece.log
        else:
            is_row = self._is_row()
            self.log = self.plain.log_of(~is_row)
            if not self.log.has_sentinels:
                self.log = self.plain.with_lines(self.log, is_row)
                self.plain = None
        self._split()

    def _is_row(self) -> np.ndarray:
        """Which lines are of the types that are read by NumPy."""
        assert self.plain is not None
        return np.logical_or.reduce([lines_of(self.plain, kind) for kind in self._kinds])

    def read_cpus(self) -> None:
        """Read the lines of CPUs by their pattern."""
        if self.plain is not None:
            self.log = self.plain.with_lines(self.log, lines_of(self.plain, "cpu"))
            self._kinds = tuple(FORMS)
            self._split()

    def _split(self) -> None:
        """Types of the lines of ``log``, and rejects by other reasons."""
        body = self.log.body()
        if body.height and not self.log.has_sentinels:
            raise UnknownFormatError(self.log.file, texts.NOT_TASKS_LOG, int(body["line"][0]))
        kind = pl.col("text").str.extract(r"^(cpu|[pitcvxk])(?:[0-9]* |\s)")
        reason = first_of(
            (self.log.is_unterminated_line, texts.TRUNCATED),
            (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
            (pl.col("tick").is_null(), texts.BEFORE_FIRST_TICK),
            (pl.col("text").str.contains("\0", literal=True), texts.NUL_BYTES),
            (pl.col("kind").is_null(), texts.UNKNOWN_RECORD),
        )
        self._body, rejected = split_rejects(body.with_columns(kind=kind), reason)
        self._rejects = {"": rejected}

    def read_all(self, max_cpu_ticks: int) -> dict[str, pl.DataFrame]:
        """Records by type; ``max_cpu_ticks``: the most that one process can have used."""
        self._good.clear()
        if self.plain is None:
            return {kind: self.good(kind, max_cpu_ticks) for kind in LINE_FORMATS}
        rows, is_other = read_rows(self.plain, self._kinds, self.log.ticks, max_cpu_ticks)
        if is_other.any():
            self.log = self.plain.with_lines(self.log, is_other)
            self._split()
        self.more_records = sum(frame.height for frame in rows.values())
        frames = {kind: self.good(kind, max_cpu_ticks) for kind in LINE_FORMATS}
        for kind, frame in rows.items():
            if not frames[kind].height:
                frames[kind] = frame
            elif frame.height:
                frames[kind] = pl.concat([frame, frames[kind]]).sort("line")
        return frames

    more_records = 0
    """Number of records that are no lines of ``log``."""

    def record_lines(self) -> pl.Series:
        """Lines of ``log`` that are records."""
        return pl.concat(frame["line"] for frame in self._good.values())

    def lines(self, kind: str) -> pl.DataFrame:
        """Lines of a type."""
        return self._body.filter(pl.col("kind") == kind)

    def good(self, kind: str, max_cpu_ticks: int = MAX_NUMBER) -> pl.DataFrame:
        """Records of a type as typed rows. ``max_cpu_ticks``: the most that one process can have used."""
        if kind not in self._good:
            lines = self.lines(kind)
            self._good[kind], self._rejects[kind] = (
                parse_lines(lines, kind, *LINE_FORMATS[kind], max_cpu_ticks)
                if lines.height
                else no_lines(kind)
            )
        return self._good[kind]

    def rejects(self) -> pl.DataFrame:
        """Lines that are no records, with the reason; complete when all types were read."""
        return pl.concat(self._rejects.values())

    def impossible(self) -> pl.Series:
        """Lines with counters that cannot be."""
        rejects = [frame for kind, frame in self._rejects.items() if kind not in UNLIMITED]
        is_impossible = pl.col("reason").is_in([texts.TOO_LARGE, texts.IMPOSSIBLE])
        return pl.concat(rejects).filter(is_impossible)["line"]


class RoleFacts:
    """What roles are derived from where no line of the log gives them (``thread_roles``)."""

    def __init__(self):
        self.are_recorded = False
        """Whether a ``v`` line is anywhere."""
        self.machines = machines_of(
            pl.DataFrame(schema={"pid": pl.Int64, "command_line": pl.String})
        )
        self.named = pl.Series(dtype=pl.Int64)
        """Processes of which a vCPU has a name of its own."""

    def add(self, records: Records) -> None:
        """What the next piece says."""
        self.are_recorded = self.are_recorded or records.good("v").height > 0
        if self.are_recorded:
            return
        machines = [self.machines, machines_of(records.good("c"))]
        self.machines = pl.concat(machines).unique("owner", keep="last", maintain_order=True)
        if records.plain is None:
            self._add_named(records.lines("t"))
        elif records.log.ticks.height:
            self._add_threads(
                records.plain, records.log.ticks["line"][0] - records.plain.first_line
            )

    def add_plain(self, plain: PlainPiece) -> bool:
        """What the next piece says, which begins with a sentinel; whether its plain lines were enough."""
        if self.are_recorded:
            return True
        if any(plain.text.begins_with(mark).any() for mark in (b"c ", b"v ")):
            return False
        self._add_threads(plain, 0)
        return True

    def _add_threads(self, plain: PlainPiece, first: int) -> None:
        """Names of the threads from line ``first`` on: of some first, so that few others are searched."""
        for count in (FIRST_LINES, None):
            numbers = thread_lines(plain, self.named, first)[:count]
            self._add_named(plain.text.lines(numbers, plain.first_line))

    def _add_named(self, lines: pl.DataFrame) -> None:
        lines = lines.filter(pl.col("text").str.contains("CPU", literal=True))
        if lines.is_empty():
            return
        parts = pl.col("text").str.extract_groups(LINE_FORMATS["t"][1]).struct
        is_named = has_vcpu_name(parts.field(str(len(LINE_FORMATS["t"][0]))))
        pids = lines.filter(is_named).select(to_int64(parts.field("1"))).to_series()
        self.named = pl.concat([self.named, pids.rename("")]).unique()
