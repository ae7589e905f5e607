"""Rows of top's table as quantities, and rows that do not fit their columns."""

from __future__ import annotations

import re

import polars as pl

from pipeline import units
from pipeline.parse import texts
from pipeline.parse.expressions import add_flag, first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import split_rejects
from pipeline.parse.top_columns import ColumnHeader
from pipeline.parse.top_languages import LINE_LABELS

FIELD_PARSERS = {
    **dict.fromkeys(("pid", "ppid", "tgid", "nice"), to_int64),
    **dict.fromkeys(("virtual_bytes", "resident_bytes", "shared_bytes"), units.parse_memory_bytes),
    **dict.fromkeys(("cpu_percent", "memory_percent"), units.parse_percent),
    "cpu_time": lambda text: units.parse_cpu_time(text).struct.rename_fields(
        ["cpu_time_s", "cpu_time_resolution_s"]
    ),
    "state": lambda text: text.str.replace(r"\s", ""),
    "command": lambda text: text.str.strip_chars_end(),
}
"""Parsers of the columns that are not plain text."""

KEY = ["snapshot", "pid"]
ALWAYS = {"flags": pl.String, **dict.fromkeys(("line", *KEY, "window"), pl.Int64)}
"""Columns that the table always has."""

_LABELS = "|".join(map(re.escape, LINE_LABELS))
_FIGURE = r"[0-9][0-9.,]*[kKmMgGtT]?[+%]?"
_SIZE = r"[0-9.,]+[kmgtp]?"
_RANK = r"[0-9]+ +\S+ +(?:-?[0-9]+|rt|RT)"
SPLICED = (
    r"\S - [0-9]{2}:[0-9]{2}:[0-9]{2} up\s"
    rf"|(?:{_LABELS}) *:\s*(?:{_FIGURE} ?[^\s0-9,]+[,.]*\s+{_FIGURE}|[^\s0-9,]+ +{_FIGURE},\s+[^\s0-9]|[0-9]+ total\b)"
    r"|Load average: [0-9.]+ [0-9.]+ [0-9.]+ [0-9]+/"
    r"|(?:PID|进程号|进程)\s+[^\s0-9]+\s{2,}[^0-9]*%"
    rf"|{_RANK} +-?[0-9]+ +{_SIZE} +{_SIZE} +{_SIZE} +[A-Z] +[0-9.,]+ +[0-9.,]+ +[0-9]+[:.,][0-9]"
    rf"|\s{{2,}}{_RANK}(?: {{2,3}}[0-9]{{1,2}}| {{1,2}}-[0-9]{{1,2}})(?: +{_SIZE}){{1,3}}"
    r"(?: +[A-Z](?: +[0-9.,]+){0,2}(?: +[0-9:.,]+)?)?\s*$"
    r"|\s{2,}[0-9]+ +[0-9]+ +\S+ +[A-Z][W<N]* +[0-9.]+[kmg]? +[0-9.]+% +.*[0-9]%? "
)
"""The beginning of another line of top's within a command: clock, numbers with their labels, column names, a row, a cut
row in the padding of the command, a row of BusyBox."""

MIN_STREAMING_ROWS = 50_000
"""Number of rows from which they are matched in batches on all processors."""


def read_rows(
    lines: pl.DataFrame, names: dict[str, ColumnHeader], log: Log
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """The table ``top_processes`` without times, rejects, and lines with further columns of a process in another
    window (``A``).
    """
    rows = lines.filter(pl.col("what") == "row").select("line", "text", "snapshot", "section")
    titles = lines.filter(pl.col("what") == "names").select(
        "line", title="text", title_section="section"
    )
    rows = rows.join_asof(titles, on="line", strategy="backward")
    is_under = (pl.col("title_section") == pl.col("section")).fill_null(False)
    reason = first_of((~is_under, texts.TOP_ROW_WITHOUT_NAMES))
    rows, orphans = split_rejects(rows, reason)
    parts, rejects = [pl.DataFrame(schema=ALWAYS)], [orphans]
    for title in titles["title"].unique(maintain_order=True):
        under = rows.filter(pl.col("title") == title) if titles["title"].n_unique() > 1 else rows
        if under.height:
            good, bad = _parse_rows(
                under.drop("title", "title_section", "section"), names[title], log
            )
            parts.append(good.with_columns(window=pl.lit(names[title].window, dtype=pl.Int64)))
            rejects.append(bad)
    table, more = _join_windows(pl.concat(parts, how="diagonal").sort("line"))
    is_duplicate = ~(pl.col("snapshot") * (1 << 32) + pl.col("pid")).is_first_distinct()
    reason = first_of((is_duplicate, pl.format(texts.DUPLICATE_PID, "pid")))
    table, duplicates = split_rejects(table, reason)
    return flag_spliced(table), pl.concat([*rejects, duplicates]), more


def flag_spliced(table: pl.DataFrame) -> pl.DataFrame:
    """``table`` with a flag where a command contains another line of top's."""
    if "command" not in table.columns:
        return table
    commands = table.select("command").unique()  # few: each is searched once
    spliced = commands.filter(pl.col("command").str.contains(SPLICED))["command"]
    if spliced.is_empty():
        return table
    return table.with_columns(add_flag(pl.col("command").is_in(spliced.implode()), "spliced"))


def _join_windows(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """One row per process that several windows show, and the further lines it was read from.

    The first window with a value counts. A process twice in one window remains twice.
    """
    if table["window"].null_count() == table.height:
        return table.drop("window"), table["line"].clear()
    one_each = pl.col("window").is_not_null() & pl.struct([*KEY, "window"]).is_first_distinct()
    parts = table.filter(one_each).drop("window")
    joined = parts.group_by(KEY, maintain_order=True).agg(pl.all().drop_nulls().first())
    more = parts.join(joined, on="line", how="anti")["line"]
    others = table.filter(~one_each).drop("window")
    return pl.concat([joined, others], how="diagonal_relaxed").sort("line"), more


def _parse_rows(
    rows: pl.DataFrame, names: ColumnHeader, log: Log
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows under one line of column names, and those that do not match it."""
    good = _matched(rows, names.regex())
    missed = rows.join(good, on="line", how="anti") if good.height < rows.height else rows.clear()
    if missed.height:
        lenient = _matched(missed, names.regex(lenient=True))
        missed = missed.join(lenient, on="line", how="anti")
        good = pl.concat([good, lenient]).sort("line")
    field_count = pl.col("text").str.extract_all(r"\S+").list.len()
    columns = len(names.columns)
    reason = first_of(
        (log.is_unterminated_line, texts.TRUNCATED),
        (field_count < columns, pl.format(texts.FIELD_COUNT, field_count, pl.lit(columns))),
        otherwise=texts.TOP_MISFIT,
    )
    values, bad = _values(good)
    values, cut = _drop_cut_row(values, names, log)
    return values, pl.concat([missed.select("line", reason=reason), bad, cut])


def _matched(rows: pl.DataFrame, pattern: str) -> pl.DataFrame:
    """The rows that match, with the text of each column that is read."""
    fields = pl.col("text").str.extract_groups(pattern)
    matched = rows.lazy().select("line", "snapshot", fields.alias("fields")).unnest("fields")
    engine = "streaming" if rows.height >= MIN_STREAMING_ROWS else "in-memory"
    collected = matched.collect(engine=engine)
    return collected.drop_nulls("pid") if collected["pid"].null_count() else collected


def _values(raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns as quantities, and rows with an invalid field."""
    parsed = {
        name: FIELD_PARSERS[name](pl.col(name)) for name in raw.columns if name in FIELD_PARSERS
    }
    values = raw.with_columns(**parsed)
    if "cpu_time" in raw.columns:
        values = values.unnest("cpu_time")
    is_wrong = pl.Series([False]).new_from_index(0, raw.height)
    for name in set(raw.columns) & FIELD_PARSERS.keys():
        value = values["cpu_time_s" if name == "cpu_time" else name]
        is_wrong |= value.is_null() & raw[name].is_not_null() & (raw[name] != "?")
    bad = values.filter(is_wrong).select("line", reason=pl.lit(texts.TOP_MISFIT))
    return (values.filter(~is_wrong) if bad.height else values), bad


def _drop_cut_row(
    values: pl.DataFrame, names: ColumnHeader, log: Log
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """An unterminated last row is kept and flagged if only its command can be truncated."""
    if not log.unterminated:
        return values, values.select("line", reason=pl.lit(texts.TRUNCATED)).clear()
    ends_in_command = names.columns[-1] == "COMMAND" and not log.has_sentinels
    is_complete = pl.col("command").fill_null("") != "" if ends_in_command else pl.lit(False)
    kept, cut = split_rejects(
        values, first_of((log.is_unterminated_line & ~is_complete, texts.TRUNCATED))
    )
    return kept.with_columns(flags=pl.when(log.is_unterminated_line).then(pl.lit("cut"))), cut
