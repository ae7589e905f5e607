"""The records of a piece of a tasks.log: of lines in the collectors' form by NumPy, of others by their patterns.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> log = log_from_text("#T 1 5 0 b\\nx 9 70 denied\\n", "tasks.log")
    >>> Records(Piece.of_log(log)).good("x").select("pid", "reason").rows()
    [(9, 'denied')]
"""

from __future__ import annotations

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnknownFormatError
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.parsed import split_rejects
from pipeline.parse.pieces import Piece
from pipeline.parse.task_records import LINE_FORMATS, MAX_NUMBER, UNLIMITED, no_lines, parse_lines
from pipeline.parse.task_rows import is_candidate, read_rows, thread_lines
from pipeline.parse.thread_roles import has_vcpu_name, machines_of
from pipeline.parse.tokens import PlainPiece

FIRST_LINES = 2000
"""Lines of threads that name most processes, so that the others need not be searched."""


class Records:
    """The lines of a piece by type of record, each type read when it is wanted.

    Parameters
    ----------
    piece : Piece

    Raises
    ------
    UnknownFormatError
        If there are lines, but no sentinels.
    """

    def __init__(self, piece: Piece):
        self.piece = piece
        self.plain = PlainPiece.of(piece)
        """What is read by NumPy; None if all lines are read by their patterns."""
        self._good: dict[str, pl.DataFrame] = {}
        if self.plain is None:
            self.log = piece.log
        else:
            self._is_candidate = is_candidate(self.plain)
            self.log = self.plain.log_of(~self._is_candidate)
            if not self.log.has_sentinels:
                self.log = self.plain.with_lines(self.log, self._is_candidate)
                self.plain = None
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
        rows, is_other = read_rows(self.plain, self.log.ticks, max_cpu_ticks)
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

    def maybe_vcpus(self, named: pl.Series, count: int | None = None) -> pl.DataFrame:
        """Lines of threads that may have the name of a vCPU.

        Read by NumPy: but for processes that are ``named``, and of the first ``count`` lines only.
        """
        if self.plain is None:
            return self.lines("t").filter(pl.col("text").str.contains("CPU", literal=True))
        numbers = thread_lines(self.plain, named, self.log.ticks)[:count]
        lines = self.plain.text.lines(numbers, self.plain.first_line)
        return lines.filter(pl.col("text").str.contains("CPU", literal=True))

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
        self._add_named(records.maybe_vcpus(self.named, FIRST_LINES))
        if records.plain is not None:
            self._add_named(records.maybe_vcpus(self.named))

    def _add_named(self, lines: pl.DataFrame) -> None:
        if lines.is_empty():
            return
        parts = pl.col("text").str.extract_groups(LINE_FORMATS["t"][1]).struct
        is_named = has_vcpu_name(parts.field(str(len(LINE_FORMATS["t"][0]))))
        pids = lines.filter(is_named).select(to_int64(parts.field("1"))).to_series()
        self.named = pl.concat([self.named, pids.rename("")]).unique()
