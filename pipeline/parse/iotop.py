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

import polars as pl

from pipeline import units
from pipeline.parse import texts
from pipeline.parse.expressions import add_flag, first_of, to_int64
from pipeline.parse.iotop_snapshots import (
    flag_leaders,
    has_leader_sums,
    snapshot_times,
    with_snapshot_times,
)
from pipeline.parse.log import Log, snapshot_by_repetition, with_snapshot
from pipeline.parse.parsed import Parsed, select_table_columns, split_rejects, to_parsed
from pipeline.parse.timestamps import Day


def _size(name: str) -> str:
    """Pattern of a size: number, letter of the unit, and whether it is a rate."""
    number = rf"(?P<{name}>[0-9]{{1,15}}(?:[.,][0-9]{{1,9}})?)"
    return rf"{number}\s*(?P<{name}_unit>[BKMGTPE])(?P<{name}_rate>/s)?"


def _percent(name: str) -> str:
    return rf"(?P<{name}>[0-9]{{1,9}}(?:[.,][0-9]{{1,9}})?)\s*%"


TOTALS = (
    rf"^\s*(?:Total|Actual|Current) DISK READ\s*:\s*{_size('read')}"
    rf"\s*\|\s*(?:Total|Actual|Current) DISK WRITE\s*:\s*{_size('write')}"
    r"\s*(?:\|\s*(?P<date>.*?)\s*)?$"
)
CLOCK = r"^\s*([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) (.*)$"
DELAY_WARNING = (
    r"(?i)task_delayacct is 0|delay_?acct.*not (?:enabled|available)|cannot determine SWAPIN"
)
SPLICED = (
    r"\s{2,}[0-9]+ +(?:be|rt|idle|none)(?:/[0-9])? +\S+ +[0-9.,]+ [BKMGTPE](?:/s)? "
    r"|(?:Total|Actual|Current) DISK READ *:"
)
"""The beginning of another line of iotop's within a command."""
BYTES_LITERAL = r"""^b(?:'((?:[^\\]|\\.)*?)'?|"((?:[^\\]|\\.)*?)"?)$"""
"""What Python 3 prints of bytes; the closing quote may be missing."""
ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")

DEFAULT_COLUMNS = ("TID", "PRIO", "USER", "DISK READ", "DISK WRITE", "SWAPIN", "IO", "COMMAND")
KNOWN_COLUMNS = (*DEFAULT_COLUMNS, "PID", "TIME")


def parse(
    log: Log, *, date: Day = None, tz: str | None = None, tool_version: str | None = None
) -> Parsed:
    """Parse the output of iotop into the tables ``iotop_tasks`` and ``iotop_totals``."""
    lines = _classify(log)
    lines, snapshots, guessed = _with_snapshots(lines, log)
    totals, total_lines, total_rejects = _totals(lines, log)
    tasks, task_rejects = _tasks(lines, log)
    if (lines["what"] == "warning").any():
        tasks = tasks.with_columns(swapin_percent=pl.lit(None), io_percent=pl.lit(None))
    times, warnings = snapshot_times(lines, totals, log, date, tz)
    if has_leader_sums(lines, tasks, tool_version):
        totals = totals.with_columns(flags=pl.lit("may-count-twice"))
        tasks = flag_leaders(tasks)
    totals, tasks = with_snapshot_times(totals, times), with_snapshot_times(tasks, times)
    return to_parsed(
        log,
        "iotop",
        {
            "iotop_tasks": select_table_columns(tasks, "iotop_tasks"),
            "iotop_totals": select_table_columns(totals, "iotop_totals"),
        },
        records=pl.concat([tasks["line"], total_lines]),
        headers=lines.filter(pl.col("what").is_in(["names", "warning"]))["line"],
        rejects=pl.concat([_reject_unknown(lines, log), total_rejects, task_rejects]),
        snapshots=snapshots,
        warnings=[*_warnings(lines, tasks, guessed, log), *warnings],
    )


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


def parse_header(text: str) -> tuple[str, ...] | None:
    """Columns of a line of column names; None if one is unknown or repeated."""
    names = (
        re.sub(r"DISK (READ|WRITE)", r"DISK_\1", text).replace(">", " ").replace("<", " ").split()
    )
    columns = tuple(name.replace("_", " ") for name in names)
    are_known = all(column in KNOWN_COLUMNS for column in columns)
    if not are_known or len(set(columns)) < len(columns) or "DISK READ" not in columns:
        return None
    return tuple(column for column in columns if column != "TIME")


# --------------------------------------------------------------------------------------- snapshots


def _with_snapshots(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, int, bool]:
    """``lines`` with ``snapshot``, number of snapshots, and whether their limits are guessed."""
    recognized = lines.filter(pl.col("what").is_in(["row", "total", "actual", "names"]))
    before = pl.col("what").shift()
    is_start = (
        (pl.col("what") == "total")
        | ((pl.col("what") == "actual") & before.is_in(["row", "names", "actual"]))
        | ((pl.col("what") == "names") & before.is_in(["row", "names"]))
    )
    starts = recognized.filter(is_start)["line"]
    has_bounds = recognized["what"].is_in(["total", "actual"]).any()
    if has_bounds or log.has_sentinels:
        return *with_snapshot(log, lines, recognized, starts), False
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
    return lines, rows["snapshot"][-1] + 1 if rows.height else 0, guessed


# ------------------------------------------------------------------------------------------ totals


def _totals(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
    """The table ``iotop_totals`` without times, the lines it was read from, and rejects."""
    groups = pl.col("text").str.extract_groups(TOTALS).struct.unnest()
    parts = lines.filter(pl.col("what").is_in(["total", "actual"]))
    parts = parts.select("line", "snapshot", "what", "clock", groups)
    is_duplicate = ~pl.struct("snapshot", "what").is_first_distinct()
    ends_in_rate = pl.col("write_rate").is_not_null()
    reason = first_of(
        (log.is_unterminated_line & (pl.lit(log.has_sentinels) | ~ends_in_rate), texts.TRUNCATED),
        (pl.col("read").is_null(), texts.MALFORMED_TOTALS),
        (pl.col("read_rate").is_null() == ends_in_rate,
         texts.MIXED_SIZES),
        (is_duplicate, pl.format(texts.DUPLICATE_KIND, "what")),
    )  # fmt: skip
    good, bad = split_rejects(parts, reason)
    total, actual = (
        good.filter(pl.col("what") == what).select(
            "snapshot", "line", "clock", "date", *_sizes(prefix)
        )
        for what, prefix in (("total", ""), ("actual", "actual_"))
    )
    totals = total.join(actual, on="snapshot", how="full", coalesce=True, suffix="_actual")
    totals = totals.with_columns(
        line=pl.min_horizontal("line", "line_actual"),
        clock=pl.coalesce("clock", "clock_actual"),
        resolution_bytes=pl.max_horizontal("resolution_bytes", "resolution_bytes_actual"),
        flags=pl.lit(None, pl.String),
    ).sort("snapshot")
    return totals, good["line"], bad


def _sizes(prefix: str = "") -> list[pl.Expr]:
    """The printed sizes, as rates with ``/s``, otherwise as sums since the start, and the resolution of the
    less precise one.
    """
    columns, steps = [], []
    for name in ("read", "write"):
        printed = pl.col(name), pl.col(f"{name}_unit")
        size = units.to_bytes(*printed)
        is_rate = pl.col(f"{name}_rate").is_not_null()
        columns.append(pl.when(is_rate).then(size).alias(f"{prefix}{name}_bytes_per_s"))
        columns.append(pl.when(~is_rate).then(size).alias(f"{prefix}{name}_bytes"))
        steps.append(units.size_resolution_bytes(*printed))
    return [*columns, pl.max_horizontal(steps).alias("resolution_bytes")]


# ------------------------------------------------------------------------------------------- tasks


def _row_pattern(columns: tuple[str, ...], *, lenient: bool = False) -> str:
    """Pattern of a row under these columns. ``lenient``: user names with blanks, or empty."""
    swapin, io = _percent("swapin"), _percent("io")
    both = "SWAPIN" in columns and "IO" in columns
    fields = {
        "TID": r"(?P<tid>[0-9]{1,10})",
        "PID": r"(?P<pid>[0-9]{1,10})",
        "PRIO": r"(?P<priority>\S+)",
        "USER": r"(?P<user>\S.*?)??" if lenient else r"(?P<user>\S+)",
        "DISK READ": _size("read"),
        "DISK WRITE": _size("write"),
        "SWAPIN": rf"(?:{swapin}\s+{io}|\?unavailable\?)" if both else rf"(?:{swapin}|\?unavailable\?)",
        "IO": None if both else io,
        "COMMAND": None,
    }  # fmt: skip
    parts = [fields[name] for name in columns if fields[name]]
    end = r"(?:\s+(?P<command>.*))?$" if "COMMAND" in columns else r"\s*$"
    return r"^\s*" + r"\s+".join(parts) + end


def _tasks(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table ``iotop_tasks`` without times, and rejects."""
    rows = lines.filter(pl.col("what") == "row").select("line", "text", "snapshot")
    titles = lines.filter(pl.col("what").is_in(["names", "bad names"])).select("line", title="text")
    rows = rows.join_asof(titles, on="line", strategy="backward")
    headers = {title: parse_header(title) for title in titles["title"].unique().to_list()}
    parts, rejects = [], []
    for title in rows["title"].unique(maintain_order=True):
        columns = DEFAULT_COLUMNS if title is None else headers[title]
        under = rows.filter(pl.col("title").eq_missing(pl.lit(title, pl.String))).drop("title")
        if columns is None:
            reason = pl.lit(texts.IOTOP_ROW_WITH_UNKNOWN_NAMES)
            rejects.append(under.select("line", reason=reason))
            continue
        good, bad = _parse_rows(under, columns, log)
        parts.append(good)
        rejects.append(bad)
    tasks = pl.concat([pl.DataFrame(schema=TASKS), *parts], how="diagonal").sort("line")
    has_number = pl.any_horizontal(pl.col("tid", "pid").is_not_null())
    is_duplicate = ~pl.struct("snapshot", "tid", "pid").is_first_distinct() & has_number
    reason = first_of((is_duplicate, texts.DUPLICATE_TASK))
    tasks, duplicates = split_rejects(tasks, reason)
    return tasks, pl.concat([*rejects, duplicates])


TASKS = {
    "line": pl.Int64, "snapshot": pl.Int64, "tid": pl.Int64, "pid": pl.Int64, "user": pl.String,
    "flags": pl.String,
}  # fmt: skip
"""Columns that the rows always have."""


def _parse_rows(
    rows: pl.DataFrame, columns: tuple[str, ...], log: Log
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows under one line of column names, and those that do not match it."""
    good = _matched(rows, _row_pattern(columns))
    missed = rows.join(good, on="line", how="anti")
    if missed.height:
        lenient = _matched(missed, _row_pattern(columns, lenient=True))
        missed = missed.join(lenient, on="line", how="anti")
        good = pl.concat([good, lenient]).sort("line")
    reason = first_of((log.is_unterminated_line, texts.TRUNCATED), otherwise=texts.IOTOP_MISFIT)
    if {"DISK READ", "DISK WRITE"} <= set(columns):
        is_mixed = pl.col("read_rate").is_null() != pl.col("write_rate").is_null()
        good, mixed = split_rejects(good, first_of((is_mixed, texts.MIXED_SIZES)))
    else:
        mixed = good.select("line", reason=pl.lit(texts.MIXED_SIZES)).clear()
    has_command = pl.col("command") != "" if "command" in good.columns else pl.lit(False)
    is_cut = log.is_unterminated_line & (pl.lit(log.has_sentinels) | ~has_command.fill_null(False))
    good, cut = split_rejects(good, first_of((is_cut, texts.TRUNCATED)))
    good = good.select(
        pl.col("^(line|snapshot|priority|user)$"),
        to_int64(pl.col("^(tid|pid)$")),
        units.parse_number(pl.col("^(swapin|io)$")).name.suffix("_percent"),
        pl.col("^command$").str.strip_chars_end(),
        *_sizes(),
        flags=pl.when(log.is_unterminated_line).then(pl.lit("cut")),
    )
    if "command" in good.columns:
        good = good.with_columns(add_flag(pl.col("command").str.contains(SPLICED), "spliced"))
    return good, pl.concat([missed.select("line", reason=reason), mixed, cut])


def _matched(rows: pl.DataFrame, form: str) -> pl.DataFrame:
    groups = pl.col("text").str.extract_groups(form).struct.unnest()
    return rows.select("line", "snapshot", groups).filter(pl.col("read").is_not_null())


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


def _warnings(lines: pl.DataFrame, tasks: pl.DataFrame, guessed: bool, log: Log) -> list[str]:
    warnings = []
    spliced = tasks.select(pl.col("flags").str.contains("spliced").sum()).item()
    if spliced:
        warnings.append(f"{log.file}: {texts.spliced_rows(spliced)}")
    if (lines["what"] == "warning").any():
        warnings.append(f"{log.file}: {texts.DELAY_ACCOUNTING_OFF}")
    if tasks.height and not (lines["what"] == "names").any():
        warnings.append(f"{log.file}: {texts.FIRST_NUMBER_IS_TID}")
    if guessed:
        warnings.append(f"{log.file}: {texts.GUESSED_SNAPSHOTS}")
    if lines.height and not (lines["what"].is_not_null()).any():
        warnings.append(f"{log.file}: {texts.NOT_IOTOP_LOG}")
    return warnings
