"""What ``top -b`` prints: procps 3.2 to 4.0, and BusyBox.

Two tables: ``top_summary`` (the lines above the table of processes, one row a snapshot) and
``top_processes`` (one row a process, or a thread with ``-H``). Columns and units: ``pipeline.tables``.

Columns are found by their names, never by their place on the line, so any toprc will do; the last one
takes the rest of the line. A second line of names has its own columns from there on. Rows without
names above them in their snapshot are refused. Names in a language that is not known are an error
(``UnknownFormatError``); known are English and what procps is translated to (``top_languages``).

Sizes without a letter are KiB. ``?`` and numbers that top cut (``13174104+total``) are null. Decimal
commas are read like points; TIME+ keeps its point, its comma is hours,minutes.

Caveats:
    - The first iteration is no interval (``is_interval`` false): its %CPU is since birth. In a log
      that several runs of top were appended to, the first of each is told by top's own row, if it
      is shown.
    - procps 3.2 says ``Tasks:`` with ``-H`` too: its threads cannot be told from processes.
    - TIME+ is coarse for long-lived processes: ``cpu_time_resolution_s`` says how coarse.
    - ``-H`` of procps 4.0.0 to 4.0.3 prints the whole process on its leader's row. With that
      ``tool_version`` and a column TGID the other threads' %CPU and TIME+ are taken off the
      leader's (its TIME+ then still has what ended threads used); without TGID all threads that
      may be leaders are flagged.
    - BusyBox prints no clock: without sentinels there are no times. Its %MEM is %VSZ.
    - With ``A`` several windows tell of the same process: one row, what both tell is the first's.
    - BusyBox's ``-m`` prints sizes instead of %CPU; its lines of memory totals are rejects.
    - Where top prints each CPU by itself, the summary's percentages are their means.
    - With ``-H -c`` the command line stands on every thread: the threads' names are lost.

Flags of rows: ``leader-corrected``, ``maybe-leader-sum`` (see -H above), ``cut`` (the file
ends in the middle of this row's command). Flags of snapshots: ``clock-set-back``,
``clock-ambiguous``, ``clock-missing`` (see ``clock``).

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

import polars as pl

from pipeline.parse import texts, timestamps
from pipeline.parse.expressions import first_of
from pipeline.parse.log import (
    SENTINEL_COLUMNS,
    Log,
    Parsed,
    select_table_columns,
    strip_prefixes,
    to_parsed,
    with_snapshot,
)
from pipeline.parse.top_columns import ColumnHeader, find_headers, has_names
from pipeline.parse.top_languages import LINE_LABELS
from pipeline.parse.top_rows import read_rows
from pipeline.parse.top_summary import SUMMARY_KINDS, read_summary
from pipeline.parse.top_threads import with_threads


def parse(
    log: Log, *, date: timestamps.Day = None, tz: str | None = None, tool_version: str | None = None
) -> Parsed:
    """The log as the tables ``top_processes`` and ``top_summary``."""
    lines = _classify(log)
    names = find_headers(lines, log)
    lines = _with_rows_of_other_headers(_without_bad_headers(lines, names), names)
    lines, snapshots = _with_snapshots(lines, log)
    summary, summary_rejects = read_summary(lines, log)
    rows, row_rejects, more_rows = read_rows(lines, names, log)
    summary = _with_row_only_snapshots(summary, rows)
    summary, time_warnings = timestamps.with_times(summary, log, date=date, tz=tz)
    if not log.has_sentinels:
        summary = _mark_restarts(summary, rows)
    rows = with_threads(rows, summary, tool_version, is_ended=log.ended is not None)
    stamps = summary.select("snapshot", *SENTINEL_COLUMNS)
    rows = rows.join(stamps, on="snapshot", how="left", maintain_order="left")
    kept_summary = lines.filter(pl.col("what").is_in(SUMMARY_KINDS)).join(
        summary_rejects, on="line", how="anti", maintain_order="left"
    )
    return to_parsed(
        log,
        "top",
        {
            "top_processes": select_table_columns(rows, "top_processes"),
            "top_summary": select_table_columns(summary, "top_summary"),
        },
        records=pl.concat([rows["line"], more_rows, kept_summary["line"]]),
        headers=lines.filter(pl.col("what") == "names")["line"],
        rejects=pl.concat([_reject_unknown(lines, log), summary_rejects, row_rejects]),
        snapshots=snapshots,
        warnings=[*_warnings(rows, summary, names, log), *time_warnings],
    )


# ---------------------------------------------------------------------------------- what a line is

CLOCK_LINE = r"^\s*\S+(?: \S+)? - [0-9][0-9]:[0-9][0-9]:[0-9][0-9] up\s"

WINDOW_NAMES = r"^[1-4]\s[^0-9]*\bPID\b[^0-9]*$"
"""Column names with the number of their window before them (``A``)."""


def _classify(log: Log) -> pl.DataFrame:
    """The body with ``what`` each line is: row, names, one of ``SUMMARY_KINDS``, or null."""
    body = strip_prefixes(log).body()
    text = pl.col("text")
    is_row = text.str.contains(r"^\s*[0-9]+\s") & pl.col("sentinel").is_null()
    body = body.with_columns(is_row=is_row & ~text.str.contains(WINDOW_NAMES))
    others = body.filter(~pl.col("is_row")).select("line", "text")
    label = text.str.extract(r"^\s*([^:]*?)\s*:").str.replace_all(r"\s+", " ")
    what = first_of(
        (text.str.contains(CLOCK_LINE), "clock"),
        (pl.lit(True), label.replace_strict(LINE_LABELS, default=None, return_dtype=pl.String)),
        (label.str.contains(r"^%?C[pP][uUpPeE] ?[0-9]+$"), "cpu-each"),
        (has_names(text), "names"),
    )
    known = others.select("text").unique().with_columns(what=what)
    others = others.join(known, on="text", how="left", maintain_order="left").drop("text")
    body = body.join(others, on="line", how="left", maintain_order="left")
    return body.with_columns(what=pl.when("is_row").then(pl.lit("row")).otherwise("what"))


def _without_bad_headers(lines: pl.DataFrame, names: dict[str, ColumnHeader]) -> pl.DataFrame:
    """``lines`` where lines of names with a problem are nothing known, with the ``problem``."""
    problems = {text: form.problem for text, form in names.items() if form.problem}
    problem = pl.col("text").replace_strict(problems, default=None, return_dtype=pl.String)
    is_bad = pl.lit(bool(problems)) & (pl.col("what") == "names")
    return lines.with_columns(problem=pl.when(is_bad).then(problem)).with_columns(
        what=pl.when(pl.col("problem").is_null()).then("what")
    )


def _with_rows_of_other_headers(
    lines: pl.DataFrame, names: dict[str, ColumnHeader]
) -> pl.DataFrame:
    """``lines`` where what stands under names that do not begin with PID is a row too."""
    others = [text for text, form in names.items() if not form.problem and form.columns[0] != "PID"]
    if not others:
        return lines
    title = pl.when(pl.col("what") == "names").then("text").forward_fill()
    is_nothing = pl.all_horizontal(pl.col("what", "problem", "sentinel").is_null())
    is_row = is_nothing & title.is_in(others).fill_null(False)
    return lines.with_columns(what=pl.when(is_row).then(pl.lit("row")).otherwise("what"))


# --------------------------------------------------------------------------------------- snapshots


def _with_snapshots(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, int]:
    """``lines`` with their ``snapshot``, and how many there are.

    A snapshot of top's begins with its clock line. Where that is lost (or switched off), it begins
    where summary lines follow the table, or names do in a log without any summary.
    """
    known = lines.filter(pl.col("what").is_not_null())
    before = pl.col("what").shift()
    after_table = before.is_in(["row", "names"])
    has_summary = known["what"].is_in(SUMMARY_KINDS).any()
    is_start = (pl.col("what") == "clock") | (pl.col("what").is_in(SUMMARY_KINDS) & after_table)
    if not has_summary:
        is_start = (pl.col("what") == "names") & (before.is_null() | after_table)
    elif not (known["what"] == "clock").any():
        is_start = is_start | (pl.col("what").is_in(SUMMARY_KINDS) & before.is_null())
    starts = known.filter(is_start)["line"]
    return with_snapshot(log, lines, known, starts)


def _reject_unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The lines that are nothing of top's, with the reason."""
    reason = first_of(
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (log.is_unterminated_line, texts.TRUNCATED),
        (pl.lit(True), pl.col("problem")),
        otherwise=texts.NOT_TOP_LINE,
    )
    return lines.filter(pl.col("what").is_null()).select("line", reason=reason)


# ----------------------------------------------------------------------------- snapshots, completed


def _with_row_only_snapshots(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` with a row for snapshots that have processes but no summary lines."""
    bare = rows.group_by("snapshot").agg(pl.col("line").min())
    bare = bare.join(summary, on="snapshot", how="anti")
    return pl.concat([summary, bare], how="diagonal").sort("snapshot")


def _mark_restarts(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` where a snapshot that another top printed than the one before is no interval.

    ``top -b -n 1 >> log`` run again and again prints first iterations only. Its own row tells:
    where both snapshots show a top, one of them has to be the same process.
    """
    if "command" not in rows.columns:
        return summary
    is_top = pl.col("command").str.contains(r"^(?:\S*/)?top(?: |$)")
    tops = rows.filter(is_top).select("snapshot", "pid")
    before = tops.with_columns(snapshot=pl.col("snapshot") + 1)
    have_both = tops.join(before, on="snapshot", how="semi")["snapshot"].implode()
    same = tops.join(before, on=["snapshot", "pid"], how="semi")["snapshot"].implode()
    is_restart = pl.col("snapshot").is_in(have_both) & ~pl.col("snapshot").is_in(same)
    return summary.with_columns(is_interval=pl.col("is_interval") & ~is_restart)


def _warnings(
    rows: pl.DataFrame, summary: pl.DataFrame, names: dict[str, ColumnHeader], log: Log
) -> list[str]:
    warnings = []
    unknown = sorted({word for form in names.values() for word in form.unknown})
    if unknown:
        warnings.append(f"{log.file}: {texts.unknown_columns(unknown)}")
    if not rows.height and not summary.height and log.body().height:
        warnings.append(f"{log.file}: {texts.NOT_TOP_LOG}")
    return warnings
