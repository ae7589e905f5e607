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

import polars as pl

from pipeline.parse import texts, timestamps
from pipeline.parse.expressions import add_flag, first_of
from pipeline.parse.foreign_tops import refuse_foreign
from pipeline.parse.log import SENTINEL_COLUMNS, Log, with_snapshot
from pipeline.parse.parsed import Parsed, select_table_columns, to_parsed
from pipeline.parse.top_columns import ColumnHeader, find_headers, has_names
from pipeline.parse.top_languages import LINE_LABELS
from pipeline.parse.top_rows import read_rows
from pipeline.parse.top_summary import SUMMARY_KINDS, read_summary
from pipeline.parse.top_threads import with_threads


def parse(
    log: Log, *, date: timestamps.Day = None, tz: str | None = None, tool_version: str | None = None
) -> Parsed:
    """Parse the output of top into the tables ``top_processes`` and ``top_summary``."""
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
    summary = summary.with_columns(add_flag(pl.col("is_impossible"), "memory-exceeds-total"))
    summary = summary.with_columns(add_flag(pl.col("is_spliced"), "spliced"))
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
"""Column names after the number of their window (``A``)."""


def _classify(log: Log) -> pl.DataFrame:
    """The body with the type (``what``) of each line: row, names, one of ``SUMMARY_KINDS``, or null."""
    body = log.body()
    text = pl.col("text")
    is_row = text.str.contains(r"^\s*[0-9]+\s") & pl.col("sentinel").is_null()
    body = body.with_columns(is_row=is_row & ~text.str.contains(WINDOW_NAMES))
    unnumbered = body.filter(~pl.col("is_row")).select("line", "text")
    label = text.str.extract(r"^\s*([^:]*?)\s*:").str.replace_all(r"\s+", " ")
    what = first_of(
        (text.str.contains(CLOCK_LINE), "clock"),
        (pl.lit(True), label.replace_strict(LINE_LABELS, default=None, return_dtype=pl.String)),
        (label.str.contains(r"^%?(?:C[pP][uUpPeE]|Прц) ?[0-9]+$"), "cpu-each"),
        (has_names(text), "names"),
    )
    refuse_foreign(log, unnumbered)
    types = unnumbered.select("text").unique().with_columns(what=what)
    unnumbered = unnumbered.join(types, on="text", how="left", maintain_order="left").drop("text")
    body = body.join(unnumbered, on="line", how="left", maintain_order="left")
    return body.with_columns(what=pl.when("is_row").then(pl.lit("row")).otherwise("what"))


def _without_bad_headers(lines: pl.DataFrame, names: dict[str, ColumnHeader]) -> pl.DataFrame:
    """``lines`` in which lines of names with a problem have no type, with the ``problem``."""
    problems = {text: form.problem for text, form in names.items() if form.problem}
    problem = pl.col("text").replace_strict(problems, default=None, return_dtype=pl.String)
    is_bad = pl.lit(bool(problems)) & (pl.col("what") == "names")
    return lines.with_columns(problem=pl.when(is_bad).then(problem)).with_columns(
        what=pl.when(pl.col("problem").is_null()).then("what")
    )


def _with_rows_of_other_headers(
    lines: pl.DataFrame, names: dict[str, ColumnHeader]
) -> pl.DataFrame:
    """``lines`` in which lines under names that do not start with PID are rows too."""
    others = [text for text, form in names.items() if not form.problem and form.columns[0] != "PID"]
    if not others:
        return lines
    title = pl.when(pl.col("what") == "names").then("text").forward_fill()
    is_nothing = pl.all_horizontal(pl.col("what", "problem", "sentinel").is_null())
    is_row = is_nothing & title.is_in(others).fill_null(False)
    return lines.with_columns(what=pl.when(is_row).then(pl.lit("row")).otherwise("what"))


# --------------------------------------------------------------------------------------- snapshots


def _with_snapshots(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, int]:
    """``lines`` with ``snapshot``, and the number of snapshots.

    A snapshot starts with the line of the clock. Without it, a snapshot starts where summary lines follow the
    table, or where column names do, and where all processes come again; its time is unknown. ``section`` is the
    snapshot without the last rule: column names hold in their section.
    """
    recognized = lines.filter(pl.col("what").is_not_null())
    before = pl.col("what").shift()
    after_table = before.is_in(["row", "names"])
    has_summary = recognized["what"].is_in(SUMMARY_KINDS).any()
    is_start = (pl.col("what") == "clock") | (pl.col("what").is_in(SUMMARY_KINDS) & after_table)
    is_other_window = pl.col("text").str.contains(WINDOW_NAMES)
    if not has_summary:
        is_start = (pl.col("what") == "names") & (before.is_null() | after_table)
    elif not (recognized["what"] == "clock").any():
        is_start = is_start | (pl.col("what").is_in(SUMMARY_KINDS) & before.is_null())
    if has_summary and not log.has_sentinels:
        is_names = (pl.col("what") == "names") & ~is_other_window
        is_start = is_start | (is_names & (before == "row"))
    starts = recognized.filter(is_start)["line"]
    numbered, count = with_snapshot(log, lines, recognized, starts)
    numbered = numbered.with_columns(section="snapshot")
    more = _repetitions(numbered) if not log.has_sentinels else starts.clear()
    if more.is_empty():
        return numbered, count
    numbered, count = with_snapshot(log, lines, recognized, pl.concat([starts, more]).sort())
    sections = with_snapshot(log, lines, recognized, starts)[0].select("line", section="snapshot")
    return numbered.join(sections, on="line", how="left", maintain_order="left"), count


def _repetitions(lines: pl.DataFrame) -> pl.Series:
    """Lines of rows at which the processes of a snapshot come again, at least half of them."""
    if lines.select(pl.col("text").str.contains(WINDOW_NAMES).any()).item():
        return pl.Series(dtype=pl.Int64)
    rows = lines.filter(pl.col("what") == "row").select(
        "line", "text", "section", pid=pl.col("text").str.extract(r"^\s*([0-9]+)\s")
    )
    is_doubled = (pl.col("text") == pl.col("text").shift()).fill_null(False)
    rows = rows.filter(~is_doubled).drop_nulls("pid")
    rows = rows.with_columns(again=pl.int_range(pl.len()).over("section", "pid", order_by="line"))
    is_table = (pl.col("again") > 0).sum() * 2 >= pl.col("pid").n_unique()
    rows = rows.filter(is_table.over("section") & (pl.col("again").max().over("section") > 0))
    rows = rows.with_columns(table=pl.col("again").cum_max().over("section", order_by="line"))
    is_first = pl.struct("section", "table").is_first_distinct() & (pl.col("table") > 0)
    return rows.filter(is_first)["line"]


def _reject_unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Lines that are not output of top, with the reason."""
    reason = first_of(
        (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
        (log.is_unterminated_line, texts.TRUNCATED),
        (pl.lit(True), pl.col("problem")),
        otherwise=texts.NOT_TOP_LINE,
    )
    return lines.filter(pl.col("what").is_null()).select("line", reason=reason)


# ----------------------------------------------------------------------------- snapshots, completed


def _with_row_only_snapshots(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` with a row for each snapshot that has processes but no summary lines."""
    bare = rows.group_by("snapshot").agg(pl.col("line").min())
    bare = bare.join(summary, on="snapshot", how="anti")
    return pl.concat([summary, bare], how="diagonal").sort("snapshot")


def _mark_restarts(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` in which a snapshot of another top process than the one before is not an interval.

    Repeated ``top -b -n 1 >> log`` prints first iterations only. Two snapshots that both show a top, but not the
    same process, are of two runs.
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
    spliced = rows.select((pl.col("flags").str.contains("spliced")).sum()).item()
    if spliced:
        warnings.append(f"{log.file}: {texts.spliced_rows(spliced)}")
    spliced_clocks = summary["is_spliced"].sum()
    if spliced_clocks:
        warnings.append(f"{log.file}: {texts.spliced_clocks(spliced_clocks)}")
    impossible = summary["is_impossible"].sum()
    if impossible:
        warnings.append(f"{log.file}: {texts.impossible_memory(impossible)}")
    unknown = sorted({word for form in names.values() for word in form.unknown})
    if unknown:
        warnings.append(f"{log.file}: {texts.unknown_columns(unknown)}")
    if not rows.height and not summary.height and log.body().height:
        warnings.append(f"{log.file}: {texts.NOT_TOP_LOG}")
    return warnings
