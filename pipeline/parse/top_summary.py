"""The lines above top's table: clock, tasks, CPU, memory and swap, in one row per snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from pipeline import units
from pipeline.parse import texts
from pipeline.parse.expressions import first_of, to_int64
from pipeline.parse.log import Log
from pipeline.parse.parsed import split_rejects
from pipeline.parse.top_languages import COUNT_LABELS, CPU_LABELS, MEMORY_LABELS, UNITS

SUMMARY_KINDS = ("clock", "tasks", "threads", "cpu", "cpu-each", "memory", "swap", "load")
"""The lines above the table. ``cpu-each`` is one CPU's line, ``load`` is BusyBox's."""

ALWAYS = {
    "snapshot": pl.Int64, "line": pl.Int64, "clock": pl.String, "uptime_s": pl.Int64,
    "tasks": pl.Int64, "shows_threads": pl.Boolean,
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
    plans = [_with_numbers(LINE_PARSERS[kind](of_kind.lazy())) for kind, of_kind in by_kind.items()]
    figures = dict(zip(by_kind, pl.collect_all(plans, engine="in-memory"), strict=True))
    rejects = [bad]
    for kind, of_kind in by_kind.items():
        if figures[kind]["line"].n_unique() < of_kind.height:
            without_value = of_kind.join(
                figures[kind], on="line", how="anti", maintain_order="left"
            )
            reason = pl.lit(texts.no_known_value(kind))
            rejects.append(without_value.select("line", reason=reason))
    all_rejects = pl.concat(rejects)
    if "cpu-each" in figures:
        figures["cpu-each"] = _mean_of_cpus(figures["cpu-each"], lines, all_rejects)
    summary = parts.join(all_rejects, on="line", how="anti", maintain_order="left").lazy()
    summary = summary.group_by("snapshot", maintain_order=True).agg(pl.col("line").min())
    for frame in figures.values():
        summary = _with_values(summary, frame.lazy().drop("line", strict=False))
    summary = _combine_cache(summary.collect(engine="in-memory"))
    return pl.concat([pl.DataFrame(schema=ALWAYS), summary], how="diagonal"), all_rejects


def _with_numbers(values: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of which a value was read."""
    columns = [name for name in values.collect_schema().names() if name not in ("line", "snapshot")]
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


def _clock(lines: pl.LazyFrame) -> pl.LazyFrame:
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
        uptime_s=pl.coalesce(days.fill_null(0) * units.DAY_S + of_day, days * units.DAY_S),
        users=to_int64(text.str.extract(r"([0-9]+) users?\b")),
        **{
            name: units.parse_number(loads.field(str(i)))
            for i, name in enumerate(("load_1", "load_5", "load_15"), 1)
        },
    )


@dataclass(frozen=True)
class NumberLabels:
    """Pattern of numbers followed by their labels.

    Its groups are the number, a letter of a unit (or another mark), and the label. All labels are in one expression,
    since Polars caches 32 compiled expressions.
    """

    columns: Mapping[str, str]
    head: str
    tail: str

    @property
    def pattern(self) -> str:
        """The pattern for text with doubled blanks."""
        labels = sorted(self.columns, key=len, reverse=True)
        either = "|".join(re.escape(label).replace(r"\ ", r"\s+") for label in labels)
        return f"{self.head}(?P<word>{either}){self.tail}"


def _find_numbers(lines: pl.LazyFrame, figures: NumberLabels, *more: str) -> pl.LazyFrame:
    """One row per number with a known label: at (index of ``lines``), number, unit, column, and ``more``."""
    # the blank that ends one number starts the next one: double it
    apart = pl.col("text").str.replace_all(r"([^0-9]),", "$1, ").str.replace_all(r"\s", "  ")
    groups = pl.col("found").str.extract_groups(figures.pattern).struct
    column = groups.field("word").str.replace_all(r"\s+", " ")
    return (
        lines.with_row_index("at")
        .select("at", *more, found=apart.str.extract_all(figures.pattern))
        .explode("found", empty_as_null=False)
        .select(
            "at",
            *more,
            groups.field("number", "unit"),
            column=column.replace_strict(figures.columns, default=None, return_dtype=pl.String),
        )
    )


def _in_columns(lines: pl.LazyFrame, numbers: pl.LazyFrame, columns: Iterable[str]) -> pl.LazyFrame:
    """``line``, ``snapshot`` and the first ``value`` of each column."""
    values = numbers.group_by("at").agg(
        pl.col("value").filter(pl.col("column") == name).first().alias(name) for name in columns
    )
    indexed = lines.with_row_index("at")
    return indexed.join(values, on="at", how="left", maintain_order="left").drop("at")


def _column_of_label(labels: Mapping[str, list[str]]) -> dict[str, str]:
    """The column of each label."""
    return {label: name for name, texts_of_column in labels.items() for label in texts_of_column}


COUNTS = NumberLabels(
    _column_of_label(COUNT_LABELS), r"(?P<number>[0-9]+)(?P<unit>)\s+", r"\s*(?:,|$)"
)
COUNTS_BEHIND = NumberLabels(COUNTS.columns, "", r":\s*(?P<number>[0-9]+)(?P<unit>,|\s*$)")
"""Polish: ``razem:  120, działających:   2``. Without its comma a number may be truncated, except the last."""


def _tasks(lines: pl.LazyFrame) -> pl.LazyFrame:
    """``Tasks:  86 total,   1 running,  85 sleeping,   0 stopped,   0 zombie``, or ``Threads:``."""
    is_complete = (pl.col("unit") == ",") | (pl.col("column") == "tasks_zombie")
    polish = _find_numbers(lines, COUNTS_BEHIND).filter(is_complete)
    numbers = pl.concat([_find_numbers(lines, COUNTS), polish]).with_columns(
        value=to_int64("number")
    )
    named = lines.select("line", "snapshot", counts_threads=pl.col("what") == "threads")
    frame = _in_columns(named, numbers, COUNT_LABELS)
    both = pl.col("s_sleeping") + pl.col("d_sleeping")
    frame = frame.with_columns(tasks_sleeping=pl.coalesce("tasks_sleeping", both))
    frame = frame.drop("s_sleeping", "d_sleeping")
    has_any = pl.any_horizontal(pl.col("^tasks.*$").is_not_null())
    is_threads = pl.when(has_any).then("counts_threads")
    return frame.with_columns(counts_threads=is_threads, shows_threads=is_threads)


def _load(lines: pl.LazyFrame) -> pl.LazyFrame:
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


PERCENTAGES = NumberLabels(
    _column_of_label(CPU_LABELS),
    r"(?:^|[\s:,])(?P<number>[0-9]{1,9}(?:[.,][0-9]{1,9})?)(?P<unit>)\s*%?\s*",
    r"(?:,|\s|$)",
)


def _cpu(lines: pl.LazyFrame) -> pl.LazyFrame:
    """``%Cpu(s): 18.7 us,  4.6 sy,…``, ``Cpu(s): 24.7%us,…``, BusyBox's ``CPU:  0.9% usr …``."""
    numbers = _find_numbers(lines, PERCENTAGES).with_columns(
        value=units.parse_number(pl.col("number"))
    )
    return _in_columns(lines.select("line", "snapshot"), numbers, CPU_LABELS)


def _cpu_means(lines: pl.LazyFrame) -> pl.LazyFrame:
    """One row per CPU where top prints each separately, possibly two on a line."""
    marked = pl.col("text").str.replace_all(r"(%?C[pP][A-Za-z]? ?[0-9]+\s*:)", "\n$1")
    one_each = lines.with_columns(text=marked.str.split("\n")).explode("text", empty_as_null=True)
    return _cpu(one_each.filter(pl.col("text").str.contains(":", literal=True)))


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
        for name in CPU_LABELS
    ]
    return complete.group_by("snapshot", maintain_order=True).agg(means)


MEMORY_COLUMNS = {
    "total": "memory_total_bytes", "free": "memory_free_bytes", "used": "memory_used_bytes",
    "cache": "memory_cache_bytes", "buffers": "buffers_bytes", "cached": "cached_bytes",
    "available": "memory_available_bytes",
}  # fmt: skip
SWAP_COLUMNS = {
    "total": "swap_total_bytes", "free": "swap_free_bytes", "used": "swap_used_bytes",
    "cached": "cached_bytes", "available": "memory_available_bytes",
}  # fmt: skip
SIZES = NumberLabels(
    _column_of_label(MEMORY_LABELS),
    r"(?:^|[\s:,])(?P<number>[0-9]{1,15}(?:[.,][0-9]{1,9})?)(?P<unit>[kKmMgGtTpPeE]?)\s*",
    r"(?:[\s,.]|$)",
)


def _sizes(lines: pl.LazyFrame, columns: dict[str, str]) -> pl.LazyFrame:
    """``KiB Mem :  3861332 total,…`` or ``Mem:   1017664k total,…``: bytes by the labels after them.

    Numbers that top truncated (``13174104+total``) are null.
    """
    unit = pl.col("text").str.extract(r"^\s*(\S+)\s+[^:]*:")
    by_unit = {word: 1024.0**power for word, power in UNITS.items()}
    of_line = unit.replace_strict(by_unit, default=None, return_dtype=pl.Float64)
    factor = pl.coalesce("of_line", units.prefix_bytes(pl.col("unit"), bare=1024))
    size = to_int64((units.parse_number(pl.col("number")) * factor).round())
    numbers = _find_numbers(lines.with_columns(of_line=of_line), SIZES, "of_line").with_columns(
        value=size
    )
    frame = _in_columns(lines.select("line", "snapshot"), numbers, columns)
    return frame.rename(columns)


LINE_PARSERS = {
    "clock": _clock,
    "tasks": _tasks,
    "cpu": _cpu,
    "cpu-each": _cpu_means,
    "memory": partial(_sizes, columns=MEMORY_COLUMNS),
    "swap": partial(_sizes, columns=SWAP_COLUMNS),
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
