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

import numpy as np
import polars as pl

from pipeline.parse import texts
from pipeline.parse.iotop_lines import classify_lines, has_warning, is_c_program, reject_unknown
from pipeline.parse.iotop_rows import (
    DEFAULT_COLUMNS,
    IS_TITLE,
    parse_header,
    read_tasks,
    read_totals,
)
from pipeline.parse.iotop_snapshots import (
    SnapshotTimes,
    flag_leaders,
    is_fixed,
    with_snapshot_times,
)
from pipeline.parse.iotop_tokens import RowLines
from pipeline.parse.log import (
    Log,
    LogReader,
    SnapshotsBefore,
    snapshot_by_repetition,
    with_snapshot_after,
)
from pipeline.parse.parsed import NO_LINES, Parsed, select_table_columns, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.timestamps import Day
from pipeline.parse.tokens import repeated

MAX_OPTION_TEXTS = 100
"""Lines that are neither rows nor totals, which are kept so that the same ones are not looked at again."""
BEGINNING_BYTES = 1 << 16
"""Part of a log in which rows of threads are looked for first."""


def parse(
    log: Log, *, date: Day = None, tz: str | None = None, tool_version: str | None = None
) -> Parsed:
    """Parse the output of iotop into the tables ``iotop_tasks`` and ``iotop_totals``."""
    return read_whole(Reader(log.file, date=date, tz=tz, tool_version=tool_version), log)


class Reader:
    """Reads the output of iotop piece by piece (:class:`pipeline.parse.reader.Reader`)."""

    START = re.compile(rb"^(?:[0-9][0-9]:[0-9][0-9]:[0-9][0-9] )? *Total DISK READ", re.MULTILINE)
    NEEDS_SURVEY = True
    SURVEYED = (
        "_times",
        "_is_c",
        "_has_threads",
        "_is_delay_unknown",
        "_before_next",
        "_option_texts",
    )

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
        self._option_texts: list[str] = []
        """Lines that are neither rows nor totals of a piece surveyed, some of them."""
        self._before_next = self._before = Before()
        self._is_c = self._has_threads = False
        self._is_delay_unknown = False
        """Whether delay accounting was off at any time."""
        self._has_tasks = self._has_names = self._is_guessed = False
        self._has_lines = self._is_recognized = False
        self._spliced = 0

    def survey(self, piece: Piece) -> None:
        """Which program it was, whether delay accounting was on, and times of snapshots."""
        is_only = piece.is_first and piece.is_last
        if not is_only and piece.reader.sentinels.has_ticks:
            if piece.is_first and not self._has_threads:
                self._has_threads = Lines(_beginning(piece), Before()).has_threads
            if self._has_threads and self._survey_options(piece):
                return
        lines = self._surveyed = Lines(piece, self._before_next)
        self._before_next = lines.after
        self._is_delay_unknown = self._is_delay_unknown or has_warning(lines.frame)
        self._is_c = self._is_c or is_c_program(lines.frame)
        if not self._has_threads:
            self._has_threads = lines.has_threads
        if not lines.log.has_sentinels:
            self._times.add(lines.frame, lines.totals[0])

    def _survey_options(self, piece: Piece) -> bool:
        """Whether the lines that are neither rows nor totals could be looked at without reading the piece."""
        rows = RowLines.unchecked(piece)
        if rows is None:
            return False
        others, is_c = rows.others()
        self._is_c = self._is_c or is_c
        option_texts = sorted(others["text"].head(MAX_OPTION_TEXTS + 1))
        if option_texts != self._option_texts:
            self._option_texts = option_texts[:MAX_OPTION_TEXTS]
            frame = classify_lines(others)
            self._is_c = self._is_c or is_c_program(frame)
            self._is_delay_unknown = self._is_delay_unknown or has_warning(frame)
        piece.skip(rows.is_row.size)
        return True

    def read(self, piece: Piece) -> Parsed:
        """Tables of the piece."""
        surveyed, self._surveyed = self._surveyed, None
        lines = surveyed if surveyed and surveyed.piece is piece else Lines(piece, self._before)
        self._before = lines.after
        rows, row_lines = lines.read_rows()
        totals, total_lines, total_rejects = lines.totals
        tasks, task_rejects = lines.tasks
        task_lines = pl.concat([tasks["line"], row_lines])
        if rows is not None:
            tasks = pl.concat([tasks, rows], how="diagonal").sort("line") if tasks.height else rows
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
            records=pl.concat([task_lines, total_lines]),
            more_records=lines.passed,
            headers=lines.frame.filter(what.is_in(["names", "warning"]))["line"],
            rejects=pl.concat(
                [reject_unknown(lines.frame, lines.log), total_rejects, task_rejects]
            ),
            snapshots=lines.snapshots,
        )

    def facts(self) -> object:
        """What the survey says about the pieces so far (``grown.GrowingReader``)."""
        return self._is_c, self._has_threads, self._is_delay_unknown

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


def _beginning(piece: Piece) -> Piece:
    """The first lines of a piece that is in bytes, as a piece of a log of its own; else the piece."""
    if piece.data is None:
        return piece
    end = piece.data.rfind(b"\n", 0, BEGINNING_BYTES) + 1
    reader = LogReader(piece.reader.file, has_ticks=True)
    return Piece(piece.data[:end], is_first=True, is_last=False, reader=reader)


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
        self.piece, self._before = piece, before
        self._rows = RowLines.of(piece)
        self._others: pl.DataFrame | None = None
        """Lines but for the rows that were read by NumPy."""
        if self._rows is None:
            self.log = piece.log
        else:
            self.log = self._rows.plain.log_of(~self._rows.is_passed)
        self._find_snapshots()
        if self._rows is not None and self._needs_all_rows():
            self.log = self._rows.plain.with_lines(self.log, self._rows.is_passed)
            self._rows = None
            self._find_snapshots()
        what, title = before.what, before.title
        if self.frame.height:
            what = self.frame["what"][-1]
        titles = self.frame.filter(IS_TITLE)["text"]
        self.after = Before(self._snapshots, what, titles[-1] if titles.len() else title)

    def _find_snapshots(self) -> None:
        """Types of the lines of ``log``, and their snapshots."""
        self.frame, self._snapshots, self.is_guessed = _with_snapshots(
            classify_lines(self.log.body()), self.log, self._before, is_only=self._is_only
        )
        self.snapshots = self._snapshots.count - self._before.snapshots.count
        """Number of snapshots that begin here."""

    @property
    def _is_only(self) -> bool:
        return self.piece.is_first and self.piece.is_last

    def _needs_all_rows(self) -> bool:
        """Whether the limits of the snapshots are guessed by their rows."""
        is_bound = self.frame["what"].is_in(["total", "actual"])
        return self._is_only and not self.log.has_sentinels and not is_bound.any()

    @property
    def passed(self) -> int:
        """Number of rows that are not in ``log``."""
        return 0 if self._rows is None else int(np.count_nonzero(self._rows.is_passed))

    @cached_property
    def has_threads(self) -> bool:
        """Whether a row has a TID."""
        titles = {*self.frame.filter(IS_TITLE)["text"].unique(), self._before.title}
        if all(title is not None and "TID" not in title for title in titles):
            return False
        has_tid = self.tasks[0]["tid"].is_not_null().any()
        if not has_tid and self._rows is not None:
            self.add_rows(self._rows.is_passed)
            has_tid = self.tasks[0]["tid"].is_not_null().any()
        return bool(has_tid)

    def add_rows(self, is_added: np.ndarray) -> None:
        """Read these rows by their pattern."""
        assert self._rows is not None
        self.log = self._rows.plain.with_lines(self.log, is_added)
        self._rows.is_passed &= ~is_added
        self._find_snapshots()
        for name in ("totals", "tasks"):
            self.__dict__.pop(name, None)

    def read_rows(self) -> tuple[pl.DataFrame | None, pl.Series]:
        """The rows that are read by NumPy, in the form of ``tasks``, and the lines of ``log`` that are among them.

        ``tasks`` then has the rows of all other snapshots.
        """
        if self._rows is None:
            return None, NO_LINES
        rows, first_line = self._rows.read(), self._rows.plain.first_line
        lines = self.frame["line"].to_numpy()
        of_row = (self.frame["what"] == "row").fill_null(False).to_numpy()
        numbers = self.frame["snapshot"].to_numpy()
        row_lines = self._rows.lines + first_line
        above = np.searchsorted(lines, row_lines, "right") - 1
        snapshots = numbers[above]
        is_bad = np.zeros(numbers[-1] - numbers[0] + 1, np.bool_)
        is_other = of_row.copy()
        is_other[np.searchsorted(lines, row_lines[~self._rows.is_passed[self._rows.lines]])] = False
        is_bad[numbers[is_other] - numbers[0]] = True
        key, has_key = self._keys(row_lines)
        is_good = rows.is_good & of_row[above] & has_key
        is_bad[snapshots[~is_good] - numbers[0]] = True
        number = rows.frame["number"].to_numpy()
        is_bad[snapshots[repeated(snapshots, [number])] - numbers[0]] = True
        is_kept = ~is_bad[snapshots - numbers[0]]
        if not is_kept.all():
            is_added = np.zeros(self._rows.is_row.size, np.bool_)
            is_added[self._rows.lines[~is_kept]] = True
            self.add_rows(is_added & self._rows.is_passed)
        other_key = "tid" if key == "pid" else "pid"
        lines_of_log = row_lines[is_kept & ~self._rows.is_passed[self._rows.lines]]
        self._others = self.frame.filter(~pl.Series(np.isin(self.frame["line"], lines_of_log)))
        self.__dict__.pop("tasks", None)
        frame = rows.frame.rename({"number": key}).with_columns(
            pl.Series("snapshot", snapshots),
            pl.lit(None, pl.Int64).alias(other_key),
            flags=pl.lit(None, pl.String),
        )
        if not is_kept.all():
            frame = frame.filter(pl.Series(is_kept))
        return frame, pl.Series(lines_of_log)

    def _keys(self, row_lines: np.ndarray) -> tuple[str, np.ndarray]:
        """What the first number of the rows is, and of which rows it is sure."""
        titles = self.frame.filter(IS_TITLE)
        keys = {title: _key_of(title) for title in (*titles["text"].unique(), self._before.title)}
        if titles.height and titles["line"][0] < row_lines[0]:
            keys = {title: keys[title] for title in titles["text"].unique()}
        key = "pid" if "pid" in keys.values() else "tid"
        if len(set(keys.values())) == 1:
            return key, np.full(row_lines.size, key in keys.values())
        of_titles = [keys.get(title) for title in (self._before.title, *titles["text"])]
        above = np.searchsorted(titles["line"].to_numpy(), row_lines)
        return key, np.array([of_title == key for of_title in of_titles])[above]

    @cached_property
    def totals(self) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
        """The table ``iotop_totals`` without times, the lines it was read from, and rejects."""
        return read_totals(self.frame, self.log)

    @cached_property
    def tasks(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The table ``iotop_tasks`` without times, and rejects."""
        frame = self.frame if self._others is None else self._others
        return read_tasks(frame, self.log, self._before.title)


def _key_of(title: str | None) -> str:
    """``tid`` or ``pid`` where the columns below a line of names are the usual ones; empty where they are not."""
    columns = DEFAULT_COLUMNS if title is None else parse_header(title)
    if not columns or columns[1:] != DEFAULT_COLUMNS[1:] or columns[0] not in ("TID", "PID"):
        return ""
    return columns[0].lower()


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
