"""The rows of top's table as quantities, and those that are not what their columns say."""

from __future__ import annotations

import polars as pl

from pipeline import units
from pipeline.parse.log import CUT, Log
from pipeline.parse.top_columns import Names

SIZES = ("virtual_bytes", "resident_bytes", "shared_bytes")
INTEGERS = ("pid", "ppid", "tgid", "nice")
PERCENTAGES = ("cpu_percent", "memory_percent")

KEY = ["snapshot", "pid"]

MANY_ROWS = 50_000
"""From here on rows are matched in pieces, on all processors."""


def read_rows(
    lines: pl.DataFrame, names: dict[str, Names], log: Log
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """The table ``top_processes`` without times, the rows that were refused, and the lines that tell
    more of a process in another window (``A``).
    """
    rows = lines.filter(pl.col("what") == "row").select("line", "text", "snapshot")
    titles = lines.filter(pl.col("what") == "names").select(
        "line", title="text", title_snapshot="snapshot"
    )
    rows = rows.join_asof(titles, on="line", strategy="backward")
    is_under = (pl.col("title_snapshot") == pl.col("snapshot")).fill_null(False)
    orphans = rows.filter(~is_under).select(
        "line", reason=pl.lit("a row without column names above it in its snapshot")
    )
    rows = rows.filter(is_under)
    read, refused = [], [orphans]
    for title in titles["title"].unique(maintain_order=True):
        under = rows.filter(pl.col("title") == title) if titles["title"].n_unique() > 1 else rows
        if under.height:
            good, bad = _rows_under(under.drop("title", "title_snapshot"), names[title], log)
            read.append(good.with_columns(window=pl.lit(names[title].window, dtype=pl.Int64)))
            refused.append(bad)
    table = pl.concat(read, how="diagonal").sort("line") if read else _no_rows()
    table, more = _windows_joined(table)
    key = pl.col("snapshot") * (1 << 32) + pl.col("pid")
    is_again = ~key.is_first_distinct()
    again = table.filter(is_again)
    refused.append(
        again.select("line", reason=pl.format("a second row of {} in one snapshot", "pid"))
    )
    return (table.filter(~is_again) if again.height else table), pl.concat(refused), more


def _windows_joined(table: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """One row a process where several windows show it, and the further lines that it came from.

    What the windows both tell is the first one's. A process twice in one window stays twice.
    """
    if table["window"].null_count() == table.height:
        return table.drop("window"), table["line"].clear()
    one_each = pl.col("window").is_not_null() & pl.struct([*KEY, "window"]).is_first_distinct()
    parts = table.filter(one_each).drop("window")
    whole = parts.group_by(KEY, maintain_order=True).agg(pl.all().drop_nulls().first())
    more = parts.join(whole, on="line", how="anti")["line"]
    others = table.filter(~one_each).drop("window")
    return pl.concat([whole, others], how="diagonal_relaxed").sort("line"), more


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(("line", *KEY, "window"), pl.Int64))


def _rows_under(rows: pl.DataFrame, names: Names, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows under one form of column names, and those that do not fit it."""
    good = _matched(rows, *names.regex())
    missed = rows.join(good, on="line", how="anti") if good.height < rows.height else rows.clear()
    if missed.height:
        again = _matched(missed, *names.regex(lenient=True))
        missed = missed.join(again, on="line", how="anti")
        good = pl.concat([good, again]).sort("line")
    words = pl.col("text").str.extract_all(r"\S+").list.len()
    is_last = pl.lit(log.unterminated) & (pl.col("line") == log.lines.height)
    missed = missed.select(
        "line",
        reason=pl.when(is_last)
        .then(pl.lit(CUT))
        .when(words < len(names.columns))
        .then(pl.format("{} fields under {} column names", words, pl.lit(len(names.columns))))
        .otherwise(pl.lit("a field is not what its column says")),
    )
    values, bad = _values(good)
    if log.unterminated:
        values, cut = _without_cut_row(values, names, log)
        bad = pl.concat([bad, cut])
    return values, pl.concat([missed, bad])


def _matched(rows: pl.DataFrame, pattern: str, kept: tuple[str, ...]) -> pl.DataFrame:
    """The rows that match, with the raw text of each kept column."""
    fields = pl.col("text").str.extract_groups(pattern).struct.rename_fields(list(kept))
    matched = rows.lazy().select("line", "snapshot", fields.alias("fields")).unnest("fields")
    engine = "streaming" if rows.height >= MANY_ROWS else "in-memory"
    found = matched.collect(engine=engine)
    return found.drop_nulls("pid") if found["pid"].null_count() else found


def _values(raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The raw columns as quantities, and the rows with a field that is none."""
    expressions: list[pl.Expr] = []
    for name in raw.columns:
        text = pl.col(name)
        if name in INTEGERS:
            expressions.append(text.cast(pl.Int64, strict=False))
        elif name in SIZES:
            expressions.append(units.memory_bytes(text))
        elif name in PERCENTAGES:
            expressions.append(units.percent(text))
        elif name == "cpu_time":
            expressions.append(units.cpu_time(text))
        elif name == "state":
            expressions.append(text.str.replace(r"\s", ""))
        elif name == "command":
            expressions.append(text.str.strip_chars_end())
        else:
            expressions.append(text)
    values = raw.select(expressions)
    wrong = (
        pl.Series([False]).new_from_index(0, raw.height)
        if raw.height
        else pl.Series([], dtype=pl.Boolean)
    )
    for name in (*INTEGERS, *SIZES, *PERCENTAGES, "cpu_time"):
        if name in raw.columns:
            value = values[name].struct.field("seconds") if name == "cpu_time" else values[name]
            wrong = wrong | (value.is_null() & raw[name].is_not_null() & (raw[name] != "?"))
    if "cpu_time" in values.columns:
        time = pl.col("cpu_time").struct
        values = values.with_columns(
            cpu_time_s=time.field("seconds"), cpu_time_resolution_s=time.field("resolution")
        ).drop("cpu_time")
    reason = pl.lit("a field is not what its column says")
    bad = values.filter(wrong).select("line", reason=reason)
    return (values.filter(~wrong) if bad.height else values), bad


def _without_cut_row(
    values: pl.DataFrame, names: Names, log: Log
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The last row of a file that ends within it: kept and flagged if only its command can be cut."""
    is_last = pl.col("line") == log.lines.height
    has_command = names.columns[-1] == "COMMAND" and not log.has_sentinels
    if has_command:
        is_whole = pl.col("command").fill_null("") != ""
        flag = pl.when(is_last & is_whole).then(pl.lit("cut"))
        cut = values.filter(is_last & ~is_whole)
    else:
        flag = pl.lit(None, dtype=pl.String)
        cut = values.filter(is_last)
    kept = values.join(cut, on="line", how="anti", maintain_order="left")
    return kept.with_columns(flags=flag), cut.select("line", reason=pl.lit(CUT))
