"""Output of ``top -b``: procps 3.2 to 4.0, and BusyBox.

Two tables: ``top_summary`` (the lines above the table of processes, one row per snapshot) and
``top_processes`` (one row per process, or thread with ``-H``). Columns and units: ``pipeline.tables``.

Columns are found by their names, not by their position, so any toprc is read; the last column
takes the rest of the line. Another line of names applies from there on. Rows without column names in their
snapshot are rejects. Names in an unknown language are an error
(``UnknownFormatError``); known are English and the translations of procps (``top_languages``).

Sizes without a letter are KiB. ``?`` and numbers that top truncated (``13174104+total``) are null. Decimal
commas are read like points; TIME+ keeps its point, its comma is hours,minutes.

Caveats:
    - The first iteration is not an interval (``is_interval`` false): its %CPU is since process start. In a log
      with several runs of top, the first iteration of each is recognized by top's own row, if it is shown.
    - procps 3.2 prints ``Tasks:`` with ``-H`` too: its threads cannot be distinguished from processes.
    - TIME+ is coarse for long-lived processes: see ``cpu_time_resolution_s``.
    - ``-H`` of procps 4.0.0 to 4.0.3 prints the whole process on the row of its leader. With that
      ``tool_version`` and a column TGID, %CPU and TIME+ of the other threads are subtracted from the
      leader's (its TIME+ then still includes exited threads); without TGID all possible leaders are
      flagged.
    - BusyBox prints no clock: without sentinels there are no times. Its %MEM is %VSZ.
    - With ``A`` several windows show the same process: one row, with values of the first window.
    - BusyBox's ``-m`` prints sizes instead of %CPU; its lines of memory totals are rejects.
    - Where top prints each CPU separately, the percentages of the summary are their means.
    - With ``-H -c`` every thread has the command line: thread names are lost.

Flags of rows: ``leader-corrected``, ``maybe-leader-sum`` (see -H above), ``cut`` (the file
ends within the command of this row), ``spliced`` (its command contains another line of top's). Flags of snapshots:
``clock-set-back``, ``clock-ambiguous``, ``clock-missing`` (see ``timestamps``), ``memory-exceeds-total`` (parts of the
memory larger than its total, or than any counter, are null), ``spliced`` (another line follows on the clock's).

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> text = '''top - 11:24:50 up 2 min,  2 users,  load average: 0.23, 0.22, 0.09
    ... KiB Mem :  3861332 total,  3446476 free,   216940 used,   197916 buff/cache
    ...
    ...   PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND
    ...  1935 web       20   0  161888   2108   1520 R  6.2  0.1   0:00.01 apache2
    ... '''
    >>> parsed = parse(log_from_text(text, "top.log"))
    >>> parsed.tables["top_processes"].select("pid", "resident_bytes", "cpu_time_s", "command").rows()
    [(1935, 2158592, 0.01, 'apache2')]
"""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from pipeline import tables
from pipeline.parse import texts, timestamps
from pipeline.parse.expressions import add_flag
from pipeline.parse.log import SENTINEL_COLUMNS, Log
from pipeline.parse.parsed import NO_LINES, Parsed, select_table_columns, to_parsed
from pipeline.parse.pieces import Piece
from pipeline.parse.reader import read_whole
from pipeline.parse.top_lines import classify, reject_unknown
from pipeline.parse.top_rows import read_rows
from pipeline.parse.top_sketch import NO_REJECTS, Rows, Sketch
from pipeline.parse.top_snapshots import SnapshotNumbers, TopProcesses, with_row_only_snapshots
from pipeline.parse.top_summary import SUMMARY_KINDS, read_summary
from pipeline.parse.top_survey import Survey
from pipeline.parse.top_threads import ThreadMode, with_threads


def parse(
    log: Log, *, date: timestamps.Day = None, tz: str | None = None, tool_version: str | None = None
) -> Parsed:
    """Parse the output of top into the tables ``top_processes`` and ``top_summary``."""
    return read_whole(Reader(log.file, date=date, tz=tz, tool_version=tool_version), log)


class Reader:
    """Reads a log of top piece by piece (``reader.Reader``).

    A survey of all pieces comes first. If it does not show where snapshots begin, all pieces are read as one.
    """

    START = re.compile(
        rb"^(?:(?:[1-4]:)?[A-Za-z][!-~]*(?: [!-~]+)? - [0-9]{2}:[0-9]{2}:[0-9]{2} up[ \t]|Mem: [0-9]+K used)",
        re.MULTILINE,
    )
    """The line of the clock, or BusyBox's first line."""
    NEEDS_SURVEY = True
    SURVEYED = ("_survey",)

    def __init__(
        self,
        file: str,
        *,
        date: timestamps.Day = None,
        tz: str | None = None,
        tool_version: str | None = None,
    ):
        self._file, self._date, self._tz, self._version = file, date, tz, tool_version
        self._survey = Survey(file, date, tz, tool_version)
        self._numbers = SnapshotNumbers()
        self._threads: ThreadMode | None = None
        self._tops = TopProcesses()
        self._pieces = 0
        self._held: list[Log] = []
        """Of a log that has to be read as one piece: those so far."""
        self._prepared: tuple[Sketch | None, pl.DataFrame] | None = None
        """Of a log of one piece: its sketch and its lines, from the survey."""
        self._counts = dict.fromkeys(("rows", "summary", "body", "spliced", "clocks", "memory"), 0)
        self._time_warnings: list[str] | None = None

    def survey(self, piece: Piece) -> None:
        """Keep what reading needs to know of all pieces."""
        sketch, log, lines = _classified(piece)
        is_single = piece.is_first and piece.is_last
        self._survey.add(lines, log, piece.first_line, is_single=is_single, sketch=sketch)
        if is_single:
            self._prepared = sketch, lines

    def read(self, piece: Piece) -> Parsed:
        """The tables of a piece."""
        if self._threads is None:
            self._survey.check()
            self._threads = ThreadMode(first=self._survey.first_thread_mode)
        self._pieces += 1
        is_single = piece.is_first and piece.is_last
        if self._survey.is_whole:
            self._held.append(piece.log)
            if not piece.is_last:
                return _nothing(replace(piece.log, lines=piece.log.lines.clear()))
            lines = pl.concat([log.lines for log in self._held])
            ticks = pl.concat([log.ticks for log in self._held])
            log = replace(piece.log, lines=lines, ticks=ticks)
            return self._parsed(None, log, classify(log), is_last=True, is_single=True)
        if self._prepared is None:
            sketch, log, lines = _classified(piece)
        else:
            sketch, lines = self._prepared
            log = piece.log if sketch is None else sketch.log
        return self._parsed(sketch, log, lines, is_last=piece.is_last, is_single=is_single)

    def facts(self) -> object:
        """What the survey says about the pieces so far (``grown.GrowingReader``)."""
        survey = self._survey
        survey.check()
        if survey.is_whole:
            return None
        is_interval = survey.next_is_interval[: self._pieces + 1]
        return sorted(survey.headers.names), survey.facts, survey.first_thread_mode, is_interval

    def _parsed(
        self,
        sketch: Sketch | None,
        log: Log,
        lines: pl.DataFrame,
        *,
        is_last: bool,
        is_single: bool,
    ) -> Parsed:
        """The tables of the ``lines`` of ``log``, or of a sketch; ``is_single``: of all lines."""
        assert self._threads is not None
        names = self._survey.headers.names
        before = replace(self._numbers)
        numbered = self._numbers.read(
            lines, log, names, self._survey.facts, may_repeat=sketch is None
        )
        rows = None
        if sketch is not None:
            is_repeated = not log.has_sentinels and (
                sketch.repeats_pid(numbered.lines)
                if is_single
                else self._survey.repeats[self._pieces - 1]
            )
            rows = None if is_repeated else sketch.read(numbered.lines, names)
            if rows is None:
                log = sketch.full_log()
                self._numbers = before
                numbered = self._numbers.read(classify(log), log, names, self._survey.facts)
        lines = numbered.lines
        if rows is None:
            table, rejects, more_lines = read_rows(lines, names, log)
            rows = Rows(table, rejects, more_lines, table["line"], log)
        self._counts["body"] += lines.height
        summary, summary_rejects = read_summary(lines, log)
        table = rows.table
        summary = self._with_times(with_row_only_snapshots(summary, table), log, is_single)
        if not log.has_sentinels:
            summary = self._tops.mark_restarts(summary, table, self._numbers.before.count - 1)
        summary = summary.with_columns(add_flag(pl.col("is_impossible"), "memory-exceeds-total"))
        summary = summary.with_columns(add_flag(pl.col("is_spliced"), "spliced"))
        is_ended = log.ended is not None
        if not is_last and self._survey.next_is_interval:
            is_ended = bool(self._survey.next_is_interval[self._pieces])
        table = with_threads(table, summary, self._threads, self._version, is_ended=is_ended)
        stamps = summary.select("snapshot", *SENTINEL_COLUMNS)
        table = table.join(stamps, on="snapshot", how="left", maintain_order="left")
        kept_summary = lines.filter(pl.col("what").is_in(SUMMARY_KINDS)).join(
            summary_rejects, on="line", how="anti", maintain_order="left"
        )
        self._count(table, summary)
        return to_parsed(
            rows.log,
            "top",
            {
                "top_processes": select_table_columns(table, "top_processes"),
                "top_summary": select_table_columns(summary, "top_summary"),
            },
            records=pl.concat([rows.records, rows.more_lines, kept_summary["line"]]),
            more_records=rows.count,
            headers=lines.filter(pl.col("what") == "names")["line"],
            rejects=pl.concat([reject_unknown(lines, log), summary_rejects, rows.rejects]),
            snapshots=numbered.snapshots,
        )

    def _with_times(self, summary: pl.DataFrame, log: Log, is_single: bool) -> pl.DataFrame:
        """``summary`` with the times of its snapshots."""
        if log.has_sentinels or is_single:
            summary, self._time_warnings = timestamps.with_times(
                summary, log, date=self._date, tz=self._tz
            )
            return summary
        return self._survey.clocks.with_times(summary, log)

    def _count(self, rows: pl.DataFrame, summary: pl.DataFrame) -> None:
        """Add what the warnings count."""
        self._counts["rows"] += rows.height
        self._counts["summary"] += summary.height
        self._counts["spliced"] += rows["flags"].str.contains("spliced").sum()
        self._counts["clocks"] += summary["is_spliced"].sum()
        self._counts["memory"] += summary["is_impossible"].sum()

    def finish(self) -> tuple[list[str], list[str]]:
        """Warnings of the whole log."""
        counts = self._counts
        warnings = []
        if counts["spliced"]:
            warnings.append(texts.spliced_rows(counts["spliced"]))
        if counts["clocks"]:
            warnings.append(texts.spliced_clocks(counts["clocks"]))
        if counts["memory"]:
            warnings.append(texts.impossible_memory(counts["memory"]))
        forms = self._survey.headers.names.values()
        if unknown := sorted({word for form in forms for word in form.unknown}):
            warnings.append(texts.unknown_columns(unknown))
        if not counts["rows"] and not counts["summary"] and counts["body"]:
            warnings.append(texts.NOT_TOP_LOG)
        times = self._time_warnings
        if times is None:
            times = self._survey.clocks.warnings(counts["summary"])
        return [*(f"{self._file}: {text}" for text in warnings), *times], []


def _classified(piece: Piece) -> tuple[Sketch | None, Log, pl.DataFrame]:
    """The sketch of a piece, if it has one, its log, and the lines of that log with their types."""
    sketch = Sketch.of(piece)
    log = piece.log if sketch is None else sketch.log
    return sketch, log, classify(log)


def _nothing(log: Log) -> Parsed:
    """The result for a log without lines."""
    frames = {name: tables.empty(tables.STORED[name]) for name in ("top_processes", "top_summary")}
    return to_parsed(log, "top", frames, records=NO_LINES, rejects=NO_REJECTS)
