"""A log as numbered lines, with its sentinels and snapshots.

A ``Log`` is a frame of numbered lines (``read_log`` makes it of a file). The file may be compressed (gzip,
Zstandard), have a byte order mark, CRLF or CR line ends, NUL bytes, bytes that are not UTF-8 or an
unterminated last line, or be empty. Sentinel lines of the collectors are recognized::

    #T <epoch_ns> <monotonic_ns> <seq> <boot_id>     before each snapshot
    #GAP <reason>                                    part of the recording is missing
    #END <reason>                                    the last line of a complete log

Problems of single lines become rejects and warnings. A file that cannot be used as a whole raises
``ParseError`` (or a subclass) with the file and, if known, the line; parsers raise nothing else.

Example:
    >>> log = log_from_text("Tasks:   3 total\\n#END stopped\\n", "top.log")
    >>> log.lines.select("line", "text", "sentinel").rows()
    [(1, 'Tasks:   3 total', None), (2, '#END stopped', 'END')]
    >>> log.ended
    'stopped'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.parse import texts
from pipeline.parse.decompress import decode
from pipeline.parse.escapes import LINE_END, escaped_lines, without_escapes
from pipeline.parse.sentinels import SentinelReader

SENTINEL_COLUMNS = ("time", "monotonic_ns", "seq", "boot_id")


@dataclass(frozen=True)
class Log:
    """A log as numbered lines.

    ``lines`` has the columns

    - ``line``: number, from 1;
    - ``text``: the line without its line end;
    - ``sentinel``: ``T``, ``GAP`` or ``END`` for a sentinel, ``bad`` for a malformed
      ``#T`` line, null for all other lines;
    - ``tick``: number of ``#T`` lines up to this line, minus 1; null before the first one.

    ``ticks`` has one row per ``#T`` (its time is null if it is malformed), with ``is_start`` true
    where the tick does not continue the one before: at the start of the log, after a ``#GAP`` in which the
    tool may have been restarted, and where ``seq`` or the boot changes.
    """

    file: str
    lines: pl.DataFrame
    ticks: pl.DataFrame
    has_sentinels: bool = False
    """Whether the log has ``#T`` lines, which give the times."""
    last_line: int = 0
    """Number of the last line, of which ``lines`` has some or all."""
    unterminated: bool = False
    ended: str | None = None
    warnings: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    """Those of ``warnings`` about a missing end of the log."""
    line_ends: pl.Series | None = None
    """The end of each line in the file, and an empty text for an unterminated one; None if every end is LF."""
    prefixes: pl.DataFrame | None = None
    """``line`` and ``prefix`` (null where a line had none) if a prefix was removed (``prefixes``)."""
    escaped: pl.DataFrame | None = None
    """``line`` and ``text`` of the lines from which escape codes were removed, as they are in the file; None if there
    are none, or if a terminal or a tool for one wrote them."""

    @property
    def is_unterminated_line(self) -> pl.Expr:
        """Whether a line is unterminated (the last one of the log) and may lack characters."""
        return pl.lit(self.unterminated) & (pl.col("line") == self.last_line)

    def body(self) -> pl.DataFrame:
        """The lines without sentinels and blank lines; malformed sentinels are included."""
        return self.lines.filter(
            (pl.col("sentinel").is_null() | (pl.col("sentinel") == "bad"))
            & ~is_blank(pl.col("text"))
        )

    def original_lines(self) -> pl.DataFrame:
        """``line`` and ``text`` as they are in the file, with their prefixes."""
        lines = self.lines.select("line", "text")
        if self.prefixes is None:
            return lines
        whole = pl.concat_str("prefix", "text", ignore_nulls=True)
        joined = lines.join(self.prefixes, on="line", how="left", maintain_order="left")
        return joined.select("line", text=whole)

    def with_timestamps(self, frame: pl.DataFrame) -> pl.DataFrame:
        """``frame`` (with ``tick``) with ``SENTINEL_COLUMNS``; null without sentinels."""
        stamps = self.ticks.select("tick", *SENTINEL_COLUMNS)
        return frame.join(stamps, on="tick", how="left", maintain_order="left")


def is_blank(text: pl.Expr) -> pl.Expr:
    """Whether a line is empty or white space."""
    return text.str.strip_chars() == ""


# ------------------------------------------------------------------------------------------- lines


def log_from_text(data: bytes | str, name: str, *, warnings: Iterable[str] = ()) -> Log:
    """The log with the content ``data``. Line ends are LF, CRLF, CR CR LF (of terminals) and CR."""
    reader = LogReader(name, warnings)
    log = reader.read(data)
    return reader.finish(log)


class LogReader:
    """Makes the lines of a log from its text, which comes in pieces.

    Parameters
    ----------
    file : str
        Name of the log.
    warnings : iterable of str
        Warnings about the file, which come first.
    has_ticks : bool, optional
        Whether a valid ``#T`` is anywhere in the log; None if the log is one piece.
    """

    def __init__(self, file: str, warnings: Iterable[str] = (), has_ticks: bool | None = None):
        self.file = file
        self.sentinels = SentinelReader(file, has_ticks)
        self.last_line = 0
        self.has_cr = False
        """Whether a CR ends a line, or is in one."""
        self._of_file = list(warnings)
        self._encoding: list[str] = []
        self._nul: list[str] = []
        self._is_empty = self._is_blank = True

    def read(self, data: bytes | str) -> Log:
        """The lines of the next piece, which ends at the end of a line."""
        first = self.last_line + 1
        if isinstance(data, bytes):
            data, more = decode(data, self.file, first)
            self._encoding = self._encoding or more
        escaped = None
        if "\x1b" in data:  # a log with escape codes is one piece
            escaped, data = data, without_escapes(data, self.file)
            escaped = escaped_lines(escaped, data)
        line_ends = None
        if "\r" in data:
            self.has_cr = True
            line_ends = LINE_END.findall(data)
            data = re.sub(r"\r+\n", "\n", data).replace("\r", "\n")
        unterminated = bool(data) and not data.endswith("\n")
        body = data if unterminated else data[:-1]
        line_texts = (
            pl.Series("text", [body] if data else [], dtype=pl.String).str.split("\n").explode()
        )
        self._is_empty = self._is_empty and not data
        self._is_blank = self._is_blank and (not data or data.isspace())
        if "\0" in data and not self._nul:
            line = data.count("\n", 0, data.index("\0")) + first
            self._nul = [f"{self.file}:{line}: {texts.NUL_IN_LOG}"]
        last = self.last_line + line_texts.len()
        lines = pl.DataFrame(
            {
                "line": pl.int_range(first, last + 1, dtype=pl.Int64, eager=True),
                "text": line_texts,
            }
        )
        has_marks = data.startswith("#") or "\n#" in data
        log = self.read_lines(lines, last, has_marks=has_marks, unterminated=unterminated)
        if line_ends is not None:
            ends = pl.Series("end", line_ends + [""] * unterminated, dtype=pl.String)
            log = replace(log, line_ends=ends)
        return replace(log, escaped=escaped)

    def note_text(self) -> None:
        """Keep that the log has text other than blanks."""
        self._is_empty = self._is_blank = False

    def read_lines(
        self, lines: pl.DataFrame, last_line: int, *, has_marks: bool, unterminated: bool = False
    ) -> Log:
        """The lines of the next piece, of which those that do not begin with ``#`` may be missing.

        Parameters
        ----------
        lines : polars.DataFrame
            ``line`` and ``text``.
        last_line : int
            Number of the last line of the piece.
        has_marks : bool
            Whether a line begins with ``#``.
        unterminated : bool
            Whether the last line has no end.
        """
        self.last_line = last_line
        cut_line = last_line if unterminated else None
        lines, ticks = self.sentinels.read(lines, has_marks=has_marks, cut_line=cut_line)
        return Log(
            self.file,
            lines,
            ticks,
            has_sentinels=bool(self.sentinels.has_ticks),
            last_line=last_line,
            unterminated=unterminated,
            ended=self.sentinels.ended,
        )

    def finish(self, log: Log) -> Log:
        """``log``, the last piece, with the warnings and the damage of the whole log."""
        of_sentinels, damage = self.sentinels.messages()
        messages = [*self._of_file, *self._encoding]
        if self._is_blank:
            messages.append(f"{self.file}: {texts.EMPTY if self._is_empty else texts.BLANK}")
        warnings = (*messages, *self._nul, *of_sentinels)
        of_file = [text for text in self._of_file if not text.endswith(texts.AS_PLAIN_TEXT)]
        return replace(log, warnings=warnings, damage=(*of_file, *damage))


def with_stripped_lines(log: Log, lines: pl.DataFrame, prefixes: pl.DataFrame) -> Log:
    """``log`` with other texts of its lines, in which sentinels are looked for, and the removed prefixes."""
    before = _with_sentinels(log, log.lines.select("line", "text"))
    stripped = _with_sentinels(log, lines)
    of_file = [text for text in log.warnings if text not in before.warnings]
    damage = [text for text in log.damage if text not in before.damage]
    return replace(
        stripped,
        warnings=(*of_file, *stripped.warnings),
        damage=(*damage, *stripped.damage),
        prefixes=prefixes,
    )


def _with_sentinels(log: Log, lines: pl.DataFrame) -> Log:
    """``log`` with these lines, their sentinels and the warnings about them alone."""
    reader = SentinelReader(log.file)
    cut_line = log.last_line if log.unterminated else None
    lines, ticks = reader.read(lines, has_marks=True, cut_line=cut_line)
    warnings, damage = reader.messages()
    return replace(
        log,
        lines=lines,
        ticks=ticks,
        has_sentinels=bool(reader.has_ticks),
        ended=reader.ended,
        warnings=tuple(warnings),
        damage=damage,
    )


# --------------------------------------------------------------------------------------- snapshots


@dataclass(frozen=True)
class SnapshotsBefore:
    """The snapshots of the pieces of a log before one."""

    count: int = 0
    ends_with_tick: bool = False
    """Whether no start of the tool's own followed on the last ``#T``."""


def with_snapshot_after(
    before: SnapshotsBefore,
    log: Log,
    lines: pl.DataFrame,
    recognized: pl.DataFrame,
    own_starts: pl.Series,
) -> tuple[pl.DataFrame, SnapshotsBefore]:
    """``lines`` of a piece with ``snapshot``, and the snapshots of the log up to the end of the piece.

    ``own_starts`` are the lines with which the tool starts a snapshot. A ``#T`` starts one, and the first
    start of the tool after it is the same snapshot; each further one is another. ``recognized`` lines before the
    first start of the log are a snapshot without its head.
    """
    ticks, numbers = log.ticks["line"].to_numpy(), lines["line"].to_numpy()
    starts = np.concatenate([ticks, own_starts.cast(pl.Int64).to_numpy()])
    order = np.argsort(starts, kind="stable")
    starts, is_tick = starts[order], order < ticks.size
    ends_with_tick = bool(is_tick[-1]) if starts.size else before.ends_with_tick
    follows_tick = np.concatenate([[before.ends_with_tick], is_tick[:-1]])[: starts.size]
    starts = starts[is_tick | ~follows_tick]
    places = recognized["line"].to_numpy()
    headless = places.size > 0 and (not starts.size or places[0] < starts[0])
    count = before.count + int(headless and not before.count)
    # of each recognized line, in front of them that of the snapshot before the piece
    snapshots = np.searchsorted(starts, places, side="right") - 1 + count
    snapshots = np.concatenate([[count - 1], snapshots]).clip(min=0)
    snapshot = snapshots[np.searchsorted(places, numbers, side="right")]
    lines = lines.hstack([pl.Series("snapshot", snapshot, dtype=pl.Int64)])
    return lines, SnapshotsBefore(count + starts.size, ends_with_tick)


def snapshot_by_repetition(key: pl.Expr | str) -> pl.Expr:
    """Snapshot of each row in a log without separators: a repeated ``key`` starts a snapshot."""
    return pl.int_range(pl.len(), dtype=pl.Int64).over(key, order_by="line").cum_max()
