"""Output of ``iotop -b``: the Python program (0.3, 0.6, 0.6-git) and the C program (1.x).

Two tables: ``iotop_tasks`` (one row per task, or process with ``-P``) and ``iotop_totals`` (the
Total and the Actual or Current lines, one row per snapshot). Columns and units: ``pipeline.tables``.

Every combination of -t -k -a -P -q is read. Columns are found by their names where they are
printed; otherwise (``-qq``, or any -q of the C program) they are in iotop's default order,
and the first number is read as TID, with a warning. Numbers without ``/s`` are accumulated
(``-a``) and have other columns than rates. ``resolution_bytes`` is the resolution of the less
precise number.

``b'…'`` around lines (Python 3 on CentOS and Fedora; the closing quote may be missing) and
prefixes of loggers are removed.

Times are those of sentinels, if any. ``-t`` of the Python program prints a time without a date
(``--date``, ``--tz``), that of the C program a date without a zone (``--tz``).

Caveats:
    - The first iteration is not an interval (``is_interval`` false).
    - Delay accounting off: the Python program prints ``?unavailable?``, the C program 0.00 % and a
      warning line; SWAPIN and IO are null in both cases.
    - The C program before 1.27 adds all threads to the leader's row in thread mode, and counts them
      twice in Total: flags ``maybe-leader-sum`` and ``may-count-twice``, unless the recorded
      ``tool_version`` is 1.27 or later.
    - ``-qqq`` prints nothing between snapshots: with -t a new time starts one, without -t a repeated
      task does, with a warning. Iterations without rows are not visible.
    - ``-A`` of the C program prints means since the start in the format of rates: they cannot be
      distinguished.

Flags: ``maybe-leader-sum``, ``may-count-twice``, ``cut`` (the file ends within the command of
this row), ``spliced`` (its command contains another line of iotop's), and those of ``timestamps``.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> text = '''Total DISK READ :       0.00 B/s | Total DISK WRITE :     365.81 K/s
    ... Actual DISK READ:       0.00 B/s | Actual DISK WRITE:       0.00 B/s
    ...   TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND
    ...  6787 be/4 mysql       0.00 B/s  365.81 K/s  0.00 %  2.16 % mariadbd
    ... '''
    >>> parsed = parse(log_from_text(text, "iotop.log"))
    >>> columns = ["tid", "write_bytes_per_s", "resolution_bytes", "io_percent", "command"]
    >>> parsed.tables["iotop_tasks"].select(columns).rows()
    [(6787, 374589.44, 10.24, 2.16, 'mariadbd')]
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from pipeline.parse import texts
from pipeline.parse.expressions import first_of
from pipeline.parse.iotop_rows import IS_TITLE, parse_header, read_tasks, read_totals
from pipeline.parse.iotop_snapshots import (
    SnapshotTimes,
    flag_leaders,
    is_c_program,
    is_fixed,
    with_snapshot_times,
)
from pipeline.parse.log import Log, SnapshotsBefore, snapshot_by_repetition, with_snapshot_after
from pipeline.parse.parsed import Parsed, select_table_columns, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.timestamps import Day

CLOCK = r"^\s*([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) (.*)$"
DELAY_WARNING = (
    r"(?i)task_delayacct is 0|delay_?acct.*not (?:enabled|available)|cannot determine SWAPIN"
)
BYTES_LITERAL = r"""^b(?:'((?:[^\\]|\\.)*?)'?|"((?:[^\\]|\\.)*?)"?)$"""
"""What Python 3 prints of bytes; the closing quote may be missing."""
ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")


def parse(
    log: Log, *, date: Day = None, tz: str | None = None, tool_version: str | None = None
) -> Parsed:
    """Parse the output of iotop into the tables ``iotop_tasks`` and ``iotop_totals``."""
    return read_whole(Reader(log.file, date=date, tz=tz, tool_version=tool_version), log)


class Reader:
    """Reads the output of iotop piece by piece (:class:`pipeline.parse.reader.Reader`)."""

    START = re.compile(rb"^(?:[0-9][0-9]:[0-9][0-9]:[0-9][0-9] )? *Total DISK READ", re.MULTILINE)
    NEEDS_SURVEY = True

    def __init__(
        self,
        file: str,
        *,
        date: Day = None,
        tz: str | None = None,
        tool_version: str | None = None,
    ):
        self.file = file
        self._times = SnapshotTimes(date, tz)
        self._is_fixed = is_fixed(tool_version)
        self._surveyed: Lines | None = None
        self._before = Before()
        self._is_c = self._has_threads = False
        self._is_delay_unknown = False
        """Whether delay accounting was off at any time."""
        self._has_tasks = self._has_names = self._is_guessed = False
        self._has_lines = self._is_recognized = False
        self._spliced = 0

    def survey(self, piece: Piece) -> None:
        """Which program it was, whether delay accounting was on, and times of snapshots."""
        before = self._surveyed.after if self._surveyed else Before()
        lines = self._surveyed = Lines(piece, before)
        what = lines.frame["what"]
        self._is_delay_unknown = self._is_delay_unknown or bool((what == "warning").any())
        self._is_c = self._is_c or is_c_program(lines.frame)
        if not self._has_threads:
            self._has_threads = lines.tasks[0]["tid"].is_not_null().any()
        if not lines.log.has_sentinels:
            self._times.add(lines.frame, lines.totals[0])

    def read(self, piece: Piece) -> Parsed:
        """Tables of the piece."""
        surveyed, self._surveyed = self._surveyed, None
        lines = surveyed if surveyed and surveyed.piece is piece else Lines(piece, self._before)
        self._before = lines.after
        totals, total_lines, total_rejects = lines.totals
        tasks, task_rejects = lines.tasks
        self._note(lines, tasks)
        if self._is_delay_unknown:
            tasks = tasks.with_columns(swapin_percent=pl.lit(None), io_percent=pl.lit(None))
        if self._is_c and self._has_threads and not self._is_fixed:
            totals = totals.with_columns(flags=pl.lit("may-count-twice"))
            tasks = flag_leaders(tasks)
        times = self._times.of_piece(lines.frame, lines.log)
        totals, tasks = with_snapshot_times(totals, times), with_snapshot_times(tasks, times)
        what = pl.col("what")
        return to_parsed(
            lines.log,
            "iotop",
            {
                "iotop_tasks": select_table_columns(tasks, "iotop_tasks"),
                "iotop_totals": select_table_columns(totals, "iotop_totals"),
            },
            records=pl.concat([tasks["line"], total_lines]),
            headers=lines.frame.filter(what.is_in(["names", "warning"]))["line"],
            rejects=pl.concat(
                [_reject_unknown(lines.frame, lines.log), total_rejects, task_rejects]
            ),
            snapshots=lines.snapshots,
        )

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings about the program's options, and about times."""
        holds = {
            texts.spliced_rows(self._spliced): self._spliced,
            texts.DELAY_ACCOUNTING_OFF: self._is_delay_unknown,
            texts.FIRST_NUMBER_IS_TID: self._has_tasks and not self._has_names,
            texts.GUESSED_SNAPSHOTS: self._is_guessed,
            texts.NOT_IOTOP_LOG: self._has_lines and not self._is_recognized,
        }
        warnings = [f"{self.file}: {text}" for text, is_true in holds.items() if is_true]
        return [*warnings, *self._times.warnings], []

    def _note(self, lines: Lines, tasks: pl.DataFrame) -> None:
        """Keep what is to be warned of."""
        what = lines.frame["what"]
        if tasks["flags"].null_count() < tasks.height:
            self._spliced += tasks["flags"].str.contains("spliced").sum()
        self._has_tasks = self._has_tasks or tasks.height > 0
        self._has_names = self._has_names or bool((what == "names").any())
        self._is_guessed = self._is_guessed or lines.is_guessed
        self._has_lines = self._has_lines or what.len() > 0
        self._is_recognized = self._is_recognized or what.null_count() < what.len()


@dataclass(frozen=True)
class Before:
    """What the pieces before one say about its lines."""

    snapshots: SnapshotsBefore = field(default_factory=SnapshotsBefore)
    what: str | None = None
    """Type of the last line."""
    title: str | None = None
    """The last line of column names."""


class Lines:
    """The lines of a piece (``frame``) with their type and snapshot.

    Parameters
    ----------
    piece : Piece
    before : Before
    """

    def __init__(self, piece: Piece, before: Before):
        self.piece, self.log = piece, piece.log
        self._title = before.title
        self.frame, snapshots, self.is_guessed = _with_snapshots(
            _classify(self.log), self.log, before, is_only=piece.is_first and piece.is_last
        )
        self.snapshots = snapshots.count - before.snapshots.count
        """Number of snapshots that begin here."""
        what, title = before.what, before.title
        if self.frame.height:
            what = self.frame["what"][-1]
        titles = self.frame.filter(IS_TITLE)["text"]
        self.after = Before(snapshots, what, titles[-1] if titles.len() else title)

    @cached_property
    def totals(self) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
        """The table ``iotop_totals`` without times, the lines it was read from, and rejects."""
        return read_totals(self.frame, self.log)

    @cached_property
    def tasks(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The table ``iotop_tasks`` without times, and rejects."""
        return read_tasks(self.frame, self.log, self._title)


# ---------------------------------------------------------------------------------------------- what a line is


def _classify(log: Log) -> pl.DataFrame:
    """The body without byte literals and times, and the type (``what``) of each line: row, total, actual, names…"""
    body = log.body()
    literal = pl.col("text").str.extract_groups(BYTES_LITERAL).struct
    inside = pl.coalesce(literal.field("1"), literal.field("2")).str.replace_all(r"\\(['\\])", "$1")
    has_bytes = inside.str.contains(ESCAPED_BYTES.pattern)
    if body.select(has_bytes.any()).item():
        decoded = inside.map_elements(_decode_bytes, return_dtype=pl.String)
        inside = pl.when(has_bytes).then(decoded).otherwise(inside)
    body = body.with_columns(text=pl.coalesce(inside, "text"))
    timed = pl.col("text").str.extract_groups(CLOCK).struct
    body = body.with_columns(clock=timed.field("1"), text=pl.coalesce(timed.field("2"), "text"))
    text = pl.col("text")
    what = first_of(
        (text.str.contains(r"^\s*[0-9]+\s"), "row"),
        (text.str.contains(r"^\s*Total DISK READ"), "total"),
        (text.str.contains(r"^\s*(?:Actual|Current) DISK READ"), "actual"),
        (text.str.contains(r"DISK (?:READ|WRITE)\b.*\bDISK (?:READ|WRITE)\b"), "names"),
        (text.str.contains(DELAY_WARNING), "warning"),
    )
    body = body.with_columns(what=pl.when(pl.col("sentinel").is_null()).then(what))
    titles = body.filter(pl.col("what") == "names")["text"].unique().to_list()
    bad = [title for title in titles if parse_header(title) is None]
    is_bad = (pl.col("what") == "names") & pl.col("text").is_in(bad)
    return body.with_columns(what=pl.when(is_bad).then(pl.lit("bad names")).otherwise("what"))


def _decode_bytes(text: str) -> str:
    """``\\xc3\\xa4`` of a byte literal as the character; bytes that are not UTF-8 become U+FFFD."""
    return ESCAPED_BYTES.sub(
        lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", "replace"), text
    )


# --------------------------------------------------------------------------------------- snapshots


def _with_snapshots(
    lines: pl.DataFrame, log: Log, before: Before, *, is_only: bool
) -> tuple[pl.DataFrame, SnapshotsBefore, bool]:
    """``lines`` with ``snapshot``, snapshots up to the end of the piece, and whether their limits are guessed.

    ``is_only``: whether the log is one piece. If not, sentinels or totals are its limits.
    """
    recognized = lines.filter(pl.col("what").is_in(["row", "total", "actual", "names"]))
    above = pl.col("what").shift(fill_value=before.what)
    is_start = (
        (pl.col("what") == "total")
        | ((pl.col("what") == "actual") & above.is_in(["row", "names", "actual"]))
        | ((pl.col("what") == "names") & above.is_in(["row", "names"]))
    )
    starts = recognized.filter(is_start)["line"]
    has_bounds = not is_only or recognized["what"].is_in(["total", "actual"]).any()
    if has_bounds or log.has_sentinels:
        return *with_snapshot_after(before.snapshots, log, lines, recognized, starts), False
    rows = recognized.filter(pl.col("what") == "row")
    has_clock = rows["clock"].is_not_null().any()
    if has_clock:
        reading = pl.col("clock").forward_fill().backward_fill()
        number = (reading != reading.shift()).fill_null(False).cum_sum().cast(pl.Int64)
    else:
        number = snapshot_by_repetition(pl.col("text").str.extract(r"^\s*([0-9]+)"))
    rows = rows.select("line", snapshot=number)
    lines = lines.join_asof(rows, on="line", strategy="backward")
    lines = lines.with_columns(pl.col("snapshot").fill_null(0))
    guessed = rows.height > 0 and not has_clock
    count = int(rows["snapshot"][-1]) + 1 if rows.height else 0
    return lines, SnapshotsBefore(count), guessed


def _reject_unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Lines that are not output of iotop, with the reason."""
    is_bad = pl.col("what").is_null() | (pl.col("what") == "bad names")
    return lines.filter(is_bad).select(
        "line",
        reason=first_of(
            (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
            (log.is_unterminated_line, texts.TRUNCATED),
            (pl.col("what") == "bad names", texts.IOTOP_UNKNOWN_NAMES),
            otherwise=texts.NOT_IOTOP_LINE,
        ),
    )
