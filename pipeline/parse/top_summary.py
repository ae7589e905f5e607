"""The lines above top's table: clock, tasks, CPU, memory and swap, in one row per snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import polars as pl

from pipeline import units
from pipeline.parse import texts
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import split_rejects
from pipeline.parse.top_languages import UNITS
from pipeline.parse.top_messages import CPU, TASKS, columns_of_labels

SUMMARY_KINDS = ("clock", "tasks", "threads", "cpu", "cpu-each", "memory", "swap", "load")
"""The lines above the table. ``cpu-each`` is one CPU's line, ``load`` is BusyBox's."""

ALWAYS = {
    "snapshot": pl.Int64, "line": pl.Int64, "clock": pl.String, "uptime_s": pl.Int64,
    "tasks": pl.Int64, "shows_threads": pl.Boolean, "is_impossible": pl.Boolean,
    "is_spliced": pl.Boolean,
}  # fmt: skip
"""Columns that the summary always has."""


def read_summary(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Values of the summary, one row per snapshot that has any, and rejects."""
    parts = lines.filter(pl.col("what").is_in(SUMMARY_KINDS))
    parts = parts.with_columns(kind=pl.col("what").replace({"threads": "tasks"}))
    is_duplicate = ~pl.struct("snapshot", "kind").is_first_distinct() & (
        pl.col("kind") != "cpu-each"
    )
    reason = first_of(
        (log.is_unterminated_line, texts.TRUNCATED),
        (is_duplicate, pl.format(texts.DUPLICATE_KIND, "kind")),
    )
    parts, bad = split_rejects(parts, reason)
    by_kind = {kind: parts.filter(pl.col("kind") == kind) for kind in LINE_PARSERS}
    by_kind = {kind: of_kind for kind, of_kind in by_kind.items() if of_kind.height}
    figures = {
        kind: _with_numbers(LINE_PARSERS[kind](of_kind)) for kind, of_kind in by_kind.items()
    }
    rejects = [bad]
    for kind, of_kind in by_kind.items():
        if figures[kind]["line"].n_unique() < of_kind.height:
            without_value = of_kind.join(
                figures[kind], on="line", how="anti", maintain_order="left"
            )
            reason = pl.lit(texts.not_understood(kind))
            rejects.append(without_value.select("line", reason=reason))
    all_rejects = pl.concat(rejects)
    if "cpu-each" in figures:
        figures["cpu-each"] = _mean_of_cpus(figures["cpu-each"], lines, all_rejects)
    summary = parts.join(all_rejects, on="line", how="anti", maintain_order="left").lazy()
    summary = summary.group_by("snapshot", maintain_order=True).agg(pl.col("line").min())
    for frame in figures.values():
        summary = _with_values(summary, frame.lazy().drop("line", strict=False))
    summary = _without_impossible(_combine_cache(summary.collect(engine="in-memory")))
    return pl.concat([pl.DataFrame(schema=ALWAYS), summary], how="diagonal"), all_rejects


def read_clocks(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """``snapshot``, ``clock`` and ``uptime_s`` of each snapshot with a clock, as ``read_summary`` reads them."""
    return _clock(_first_lines(lines, log, "clock")).select("snapshot", "clock", "uptime_s")


def read_thread_mode(lines: pl.DataFrame, log: Log) -> bool | None:
    """``shows_threads`` of the first snapshot that says it."""
    stated = _with_numbers(_tasks(_first_lines(lines, log, "tasks", "threads")))["shows_threads"]
    return stated.drop_nulls().first() if stated.len() else None


def _first_lines(lines: pl.DataFrame, log: Log, *what: str) -> pl.DataFrame:
    """The lines of these types that are the first ones of their snapshots."""
    lines = lines.filter(pl.col("what").is_in(what))
    return lines.filter(pl.col("snapshot").is_first_distinct() & ~log.is_unterminated_line)


def _with_numbers(values: pl.DataFrame) -> pl.DataFrame:
    """The lines of which a value was read."""
    columns = [name for name in values.columns if name not in ("line", "snapshot")]
    return values.filter(pl.any_horizontal(pl.col(columns).is_not_null()))


def _with_values(summary: pl.LazyFrame, values: pl.LazyFrame) -> pl.LazyFrame:
    """``summary`` with the columns of ``values``; the first value counts where both have one."""
    present = set(summary.collect_schema().names())
    both = [
        name for name in values.collect_schema().names() if name in present and name != "snapshot"
    ]
    joined = summary.join(values, on="snapshot", how="left", maintain_order="left", suffix="_again")
    first = [pl.coalesce(name, f"{name}_again").alias(name) for name in both]
    return joined.with_columns(first).drop(f"{name}_again" for name in both)


LOAD = r"([0-9]{1,9}[.,][0-9][0-9])"


def _clock(lines: pl.DataFrame) -> pl.DataFrame:
    """``top - 11:40:49 up 2 days, 17:39,  2 users,  load average: 0.41, 0.51, 0.68``."""
    text = pl.col("text")
    days = to_int64(text.str.extract(r"\sup\s+([0-9]{1,6})\s+day"))
    up = r"\sup\s+(?:[0-9]+\s+days?,\s+)?"
    hours = text.str.extract_groups(rf"{up}([0-9]{{1,3}}):([0-9][0-9])\b").struct
    minutes = to_int64(text.str.extract(rf"{up}([0-9]{{1,6}})\s+min"))
    hour, minute = (to_int64(hours.field(str(i))) for i in (1, 2))
    of_day = pl.coalesce(hour * 3600 + minute * 60, minutes * 60)
    loads = text.str.extract_groups(
        rf"load averages?:\s+{LOAD}(?:,?\s+{LOAD}(?:,?\s+{LOAD})?)?"
    ).struct
    return lines.select(
        "line",
        "snapshot",
        clock=text.str.extract(r" - ([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) up"),
        is_spliced=text.str.contains(rf"load averages?:(?:,?\s+{LOAD}){{3}}\s*\S"),
        uptime_s=pl.coalesce(days.fill_null(0) * units.DAY_S + of_day, days * units.DAY_S),
        users=to_int64(text.str.extract(r"([0-9]+) users?\b")),
        **{
            name: units.parse_number(loads.field(str(i)))
            for i, name in enumerate(("load_1", "load_5", "load_15"), 1)
        },
    )


FIGURE = r"[0-9]+(?:[.,][0-9]+)?(?:[kKmMgGtTpPeE]?\+|[kKmMgGtTpPeE]\b)?"
"""A number with the letter of its unit, and the mark of a truncated one (``13174104+total``)."""
MARK = "\x00"


def _labelled_numbers(lines: pl.DataFrame, kind: str, *more: str) -> pl.DataFrame:
    """One row per number of the lines of which every word is understood.

    Columns: at (index of ``lines``), number, unit, rest (text from this label on), column, and ``more``.
    """
    body = pl.col("text").str.replace(r"^[^:]*:", "")
    parts = lines.with_row_index("at").select(
        "at",
        *more,
        figure=body.str.extract_all(FIGURE),
        labels=body.str.replace_all(MARK, "?", literal=True).str.replace_all(FIGURE, MARK),
    )
    columns = {
        text: columns_of_labels(kind, _labels(text)) for text in parts["labels"].unique().to_list()
    }
    understood = pl.DataFrame(
        {"labels": list(columns), "column": [names and list(names) for names in columns.values()]},
        schema={"labels": pl.String, "column": pl.List(pl.String)},
    ).drop_nulls()
    groups = pl.col("figure").str.extract_groups(r"^([0-9.,]+)([kKmMgGtTpPeE]?)(\+?)$").struct
    return (
        parts.join(understood, on="labels", how="inner", maintain_order="left")
        .explode("figure", "column", empty_as_null=False)
        .select(
            "at",
            *more,
            "labels",
            "column",
            number=pl.when(groups.field("3") == "").then(groups.field("1")),
            unit=groups.field("2"),
        )
    )


def _labels(text: str) -> list[str]:
    """The labels of a line in which numbers are ``MARK``: after them, or (Polish) before them."""
    first, *others = text.split(MARK)
    if not first.strip():
        return others
    return [first, *others[:-1]] if others and not others[-1].strip(" \t,") else []


def _in_columns(lines: pl.DataFrame, numbers: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    """``line``, ``snapshot`` and the ``value`` of each column, of lines that are understood."""
    values = numbers.group_by("at").agg(
        pl.col("value").filter(pl.col("column") == name).first().alias(name) for name in columns
    )
    indexed = lines.with_row_index("at")
    return indexed.join(values, on="at", how="inner", maintain_order="left").drop("at")


def _tasks(lines: pl.DataFrame) -> pl.DataFrame:
    """``Tasks:  86 total,   1 running,  85 sleeping,   0 stopped,   0 zombie``, or ``Threads:``.

    Polish labels stand before their numbers: without the comma after it the last number may be truncated.
    """
    numbers = _labelled_numbers(lines, "tasks")
    is_behind = ~pl.col("labels").str.strip_chars().str.starts_with(MARK)
    is_last = pl.int_range(pl.len()).over("at") == pl.len().over("at") - 1
    is_cut = is_behind & is_last & (pl.col("column") != "tasks_zombie")
    numbers = numbers.with_columns(value=pl.when(~is_cut).then(to_int64("number")))
    named = lines.select("line", "snapshot", counts_threads=pl.col("what") == "threads")
    frame = _in_columns(named, numbers, (*TASKS, "s_sleeping", "d_sleeping"))
    both = pl.col("s_sleeping") + pl.col("d_sleeping")
    frame = frame.with_columns(tasks_sleeping=pl.coalesce("tasks_sleeping", both))
    frame = frame.drop("s_sleeping", "d_sleeping")
    return frame.with_columns(shows_threads="counts_threads")


def _load(lines: pl.DataFrame) -> pl.DataFrame:
    """BusyBox: ``Load average: 0.00 0.03 0.00 4/428 26`` (the kernel counts threads here)."""
    parts = (
        pl.col("text")
        .str.extract_groups(
            r":\s*([0-9]+[.][0-9][0-9]),?\s+([0-9]+[.][0-9][0-9]),?\s+([0-9]+[.][0-9][0-9])(?:\s+([0-9]+)/([0-9]+)\s)?"
        )
        .struct
    )
    return lines.select(
        "line",
        "snapshot",
        *(
            units.parse_number(parts.field(str(i))).alias(f"load_{m}")
            for i, m in enumerate((1, 5, 15), 1)
        ),
        tasks_running=to_int64(parts.field("4")),
        tasks=to_int64(parts.field("5")),
        counts_threads=pl.when(parts.field("5").is_not_null()).then(True),
    )


def _cpu(lines: pl.DataFrame) -> pl.DataFrame:
    """``%Cpu(s): 18.7 us,  4.6 sy,…``, ``Cpu(s): 24.7%us,…``, BusyBox's ``CPU:  0.9% usr …``."""
    numbers = _labelled_numbers(lines, "cpu").with_columns(
        value=pl.when(pl.col("unit") == "").then(units.parse_number(pl.col("number")))
    )
    return _in_columns(lines.select("line", "snapshot"), numbers, CPU)


def _cpu_means(lines: pl.DataFrame) -> pl.DataFrame:
    """One row per CPU where top prints each separately, possibly two on a line, of which all are understood."""
    marked = pl.col("text").str.replace_all(r"(%?(?:C[pP][A-Za-z]?|Прц) ?[0-9]+\s*:)", "\n$1")
    one_each = lines.with_columns(text=marked.str.split("\n")).explode("text", empty_as_null=True)
    one_each = one_each.filter(pl.col("text").str.contains(":", literal=True))
    values = _cpu(one_each)
    printed = one_each.group_by("line").agg(printed=pl.len())
    values = values.join(printed, on="line", how="left", maintain_order="left")
    return values.filter(pl.len().over("line") == pl.col("printed")).drop("printed")


def _mean_of_cpus(values: pl.DataFrame, lines: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """Means over the CPUs, in snapshots in which all their lines were read and other lines follow."""
    last = (
        lines.filter(pl.col("what").is_not_null())
        .group_by("snapshot")
        .agg(last=pl.col("line").max())
    )
    unread = lines.filter(pl.col("what") == "cpu-each").join(refused, on="line", how="semi")
    complete = values.join(last, on="snapshot").filter(
        pl.col("line").max().over("snapshot") < pl.col("last")
    )
    complete = complete.join(unread, on="snapshot", how="anti", maintain_order="left")
    means = [
        pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).mean()).alias(name)
        for name in CPU
    ]
    return complete.group_by("snapshot", maintain_order=True).agg(means)


MEMORY_COLUMNS = {
    "total": "memory_total_bytes", "free": "memory_free_bytes", "used": "memory_used_bytes",
    "cache": "memory_cache_bytes", "buffers": "buffers_bytes", "cached": "cached_bytes",
    "available": "memory_available_bytes", "shared": "shared_bytes",
}  # fmt: skip
SWAP_COLUMNS = {
    "total": "swap_total_bytes", "free": "swap_free_bytes", "used": "swap_used_bytes",
    "buffers": "buffers_bytes", "cached": "cached_bytes", "available": "memory_available_bytes",
}  # fmt: skip


def _sizes(lines: pl.DataFrame, kind: str, columns: dict[str, str]) -> pl.DataFrame:
    """``KiB Mem :  3861332 total,…`` or ``Mem:   1017664k total,…``: bytes by the labels after them.

    Numbers that top truncated (``13174104+total``) and numbers without any unit are null.
    """
    unit = pl.col("text").str.extract(r"^\s*(\S+)\s+[^:]*:")
    by_unit = {word: 1024.0**power for word, power in UNITS.items()}
    of_line = unit.replace_strict(by_unit, default=None, return_dtype=pl.Float64)
    letter = pl.when(pl.col("unit") != "").then("unit")
    factor = pl.coalesce("of_line", units.prefix_bytes(letter, bare=1024))
    size = to_int64((units.parse_number(pl.col("number")) * factor).round())
    numbers = _labelled_numbers(lines.with_columns(of_line=of_line), kind, "of_line").with_columns(
        value=pl.when(pl.col("of_line").is_not_null() | letter.is_not_null()).then(size)
    )
    # a number that no counter of bytes can hold: of a subtraction below 0
    is_lost = pl.col("value").is_null() & (pl.col("number").str.len_chars() > MAX_DIGITS)
    lost = numbers.filter(is_lost).select("at").unique().with_columns(lost=pl.lit(True))
    lines = lines.with_row_index("at").join(lost, on="at", how="left", maintain_order="left")
    lines = lines.select("line", "snapshot", pl.col("lost").alias(f"{kind}_overflows"))
    return _in_columns(lines, numbers, columns).rename(columns)


LINE_PARSERS = {
    "clock": _clock,
    "tasks": _tasks,
    "cpu": _cpu,
    "cpu-each": _cpu_means,
    "memory": partial(_sizes, kind="memory", columns=MEMORY_COLUMNS),
    "swap": partial(_sizes, kind="swap", columns=SWAP_COLUMNS),
    "load": _load,
}
"""Parser of each kind of summary line."""


def _combine_cache(summary: pl.DataFrame) -> pl.DataFrame:
    """``memory_cache_bytes`` as printed (buff/cache), or buffers and cached together."""
    parts = [name for name in ("buffers_bytes", "cached_bytes") if name in summary.columns]
    if len(parts) < 2 or "memory_cache_bytes" not in summary.columns:
        return summary.drop(parts)
    both = pl.col("buffers_bytes") + pl.col("cached_bytes")
    return summary.with_columns(memory_cache_bytes=pl.coalesce("memory_cache_bytes", both)).drop(
        parts
    )


MAX_DIGITS = 15
"""Of a size that is no fault of top: 10**15 KiB are about an exbibyte."""
OVERFLOWS = ("memory_overflows", "swap_overflows")
PARTS_OF_MEMORY = (
    "memory_free_bytes",
    "memory_used_bytes",
    "memory_cache_bytes",
    "memory_available_bytes",
)


def _without_impossible(summary: pl.DataFrame) -> pl.DataFrame:
    """``summary`` with ``is_impossible``; parts of the memory that exceed its total are null, as are numbers that no
    counter holds."""
    present = [name for name in OVERFLOWS if name in summary.columns]
    overflows = (
        pl.any_horizontal(pl.lit(False), pl.col(present).fill_null(False))
        if present
        else pl.lit(False)
    )
    parts = [name for name in PARTS_OF_MEMORY if name in summary.columns]
    # BusyBox prints no total; there used and free are all of it
    whole = [pl.col("memory_total_bytes")] if "memory_total_bytes" in summary.columns else []
    if {"memory_used_bytes", "memory_free_bytes"} <= set(parts):
        whole.append(pl.col("memory_used_bytes") + pl.col("memory_free_bytes"))
    if not whole:
        return summary.with_columns(is_impossible=overflows)
    total = pl.coalesce(whole)
    exceeds = {name: (pl.col(name) > total).fill_null(False) for name in parts}
    return summary.with_columns(
        *(pl.when(~is_more).then(name).alias(name) for name, is_more in exceeds.items()),
        is_impossible=pl.any_horizontal(overflows, *exceeds.values()),
    )
