"""Rows and totals of iotop: the columns, and the values in them.

Example:
    >>> parse_header("  TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND")[:4]
    ('TID', 'PRIO', 'USER', 'DISK READ')
"""

from __future__ import annotations

import re

import polars as pl

from pipeline import units
from pipeline.parse import texts
from pipeline.parse.expressions import add_flag, first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import split_rejects

DEFAULT_COLUMNS = ("TID", "PRIO", "USER", "DISK READ", "DISK WRITE", "SWAPIN", "IO", "COMMAND")
IS_TITLE = pl.col("what").is_in(["names", "bad names"])
KNOWN_COLUMNS = (*DEFAULT_COLUMNS, "PID", "TIME")


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
SPLICED = (
    r"\s{2,}[0-9]+ +(?:be|rt|idle|none)(?:/[0-9])? +\S+ +[0-9.,]+ [BKMGTPE](?:/s)? "
    r"|(?:Total|Actual|Current) DISK READ *:"
)
"""The beginning of another line of iotop's within a command."""


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


def read_totals(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.Series, pl.DataFrame]:
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
    parts = good.select("snapshot", "line", "what", "clock", "date", *_sizes())
    total, actual = (
        parts.filter(pl.col("what") == what).drop("what") for what in ("total", "actual")
    )
    actual = actual.rename({name: f"actual_{name}" for name in SIZES})
    totals = total.join(actual, on="snapshot", how="full", coalesce=True, suffix="_actual")
    totals = totals.with_columns(
        line=pl.min_horizontal("line", "line_actual"),
        clock=pl.coalesce("clock", "clock_actual"),
        resolution_bytes=pl.max_horizontal("resolution_bytes", "resolution_bytes_actual"),
        flags=pl.lit(None, pl.String),
    ).sort("snapshot")
    return totals, good["line"], bad


SIZES = ("read_bytes_per_s", "read_bytes", "write_bytes_per_s", "write_bytes")


def _sizes() -> list[pl.Expr]:
    """The printed sizes, as rates with ``/s``, otherwise as sums since the start, and the resolution of the
    less precise one.
    """
    columns, steps = [], []
    for name in ("read", "write"):
        printed = pl.col(name), pl.col(f"{name}_unit")
        size = units.to_bytes(*printed)
        is_rate = pl.col(f"{name}_rate").is_not_null()
        columns.append(pl.when(is_rate).then(size).alias(f"{name}_bytes_per_s"))
        columns.append(pl.when(~is_rate).then(size).alias(f"{name}_bytes"))
        steps.append(units.size_resolution_bytes(*printed))
    return [*columns, pl.max_horizontal(steps).alias("resolution_bytes")]


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


def read_tasks(
    lines: pl.DataFrame, log: Log, title_before: str | None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table ``iotop_tasks`` without times, and rejects; ``title_before``: the column names above the first line."""
    rows = lines.filter(pl.col("what") == "row").select("line", "text", "snapshot")
    if not rows.height:
        return pl.DataFrame(schema=TASKS), rows.select("line", reason=pl.lit(None, pl.String))
    titles = lines.filter(IS_TITLE).select("line", title="text")
    rows = rows.join_asof(titles, on="line", strategy="backward")
    rows = rows.with_columns(pl.col("title").fill_null(pl.lit(title_before, pl.String)))
    headers = {title: parse_header(title) for title in rows["title"].unique() if title is not None}
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
