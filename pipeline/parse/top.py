"""What ``top -b`` prints: procps 3.2 to 4.0, and BusyBox.

Two tables: ``top_summary`` (the lines above the table of processes, one row a snapshot) and
``top_processes`` (one row a process, or a thread with ``-H``). Columns and units: ``pipeline.tables``.

Columns are found by their names, never by their place on the line, so any toprc will do; the last one
takes the rest of the line. A second line of names has its own columns from there on. Rows without
names above them in their snapshot are refused. Names in a language that is not known are an error
(``UnknownFormError``); known are English and what procps is translated to (``top_languages``).

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
    - Where top prints each CPU by itself, the summary's percentages are their means.
    - With ``-H -c`` the command line stands on every thread: the threads' names are lost.

Flags of rows: ``leader-corrected``, ``maybe-leader-sum`` (see -H above), ``cut`` (the file
ends in the middle of this row's command). Flags of snapshots: ``clock-set-back``,
``clock-ambiguous``, ``clock-missing`` (see ``clock``).

Example:
    >>> from pipeline.parse.log import log_of
    >>> text = '''top - 11:24:50 up 2 min,  2 users,  load average: 0.23, 0.22, 0.09
    ... KiB Mem :  3861332 total,  3446476 free,   216940 used,   197916 buff/cache
    ...
    ...   PID USER      PR  NI    VIRT    RES    SHR S %CPU %MEM     TIME+ COMMAND
    ...  1935 web       20   0  161888   2108   1520 R  6.2  0.1   0:00.01 apache2
    ... '''
    >>> parsed = parse(log_of(text, "top.log"))
    >>> parsed.tables["top_processes"].select("pid", "resident_bytes", "cpu_time_s", "command").rows()
    [(1935, 2158592, 0.01, 'apache2')]
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import polars as pl

from pipeline import units
from pipeline.parse import clock
from pipeline.parse.log import (
    BROKEN_SENTINEL,
    CUT,
    Log,
    Parsed,
    UnknownFormError,
    finish,
    numbered,
    shaped,
    without_prefixes,
)
from pipeline.parse.top_languages import (
    COLUMN_NAMES,
    COUNT_LABELS,
    CPU_LABELS,
    LINE_LABELS,
    MEMORY_LABELS,
    UNITS,
    canonical_names,
)

INTEGER = r"(-?[0-9]+)"
SIZE = r"([0-9][0-9.,]*[kmgtpeKMGTPE]?|\?)"
TOKEN = r"(\S+)"
TIME = r"([0-9][0-9:.,wdh+]*|\?)"


@dataclass(frozen=True)
class Column:
    """How a column of top's is matched, and which column of the table it becomes."""

    name: str
    pattern: str


COLUMNS = {
    "PID": Column("pid", r"([0-9]{1,10})"),
    "PPID": Column("ppid", r"([0-9]{1,10})"),
    "TGID": Column("tgid", r"([0-9]{1,10})"),
    "USER": Column("user", TOKEN),
    "PR": Column("priority", r"(-?[0-9]+|[rR][tT])"),
    "NI": Column("nice", INTEGER),
    "VIRT": Column("virtual_bytes", SIZE),
    "VSZ": Column("virtual_bytes", SIZE),
    "RES": Column("resident_bytes", SIZE),
    "RSS": Column("resident_bytes", SIZE),
    "SHR": Column("shared_bytes", SIZE),
    "S": Column("state", r"([A-Za-z?])"),
    "STATUS": Column("state", r"([A-Za-z](?:W?[<N]?|\s[<N]))"),
    "STAT": Column("state", r"([A-Za-z](?:W?[<N]?|\s[<N]))"),
    "%CPU": Column("cpu_percent", r"([0-9][0-9.,]*%?|\?)"),
    "%MEM": Column("memory_percent", r"([0-9][0-9.,]*%?|\?)"),
    "%VSZ": Column("memory_percent", r"([0-9][0-9.,]*%?|\?)"),
    "TIME+": Column("cpu_time", TIME),
    "TIME": Column("cpu_time", TIME),
    "COMMAND": Column("command", r"(.*)"),
}
"""The columns that are kept."""

FINER = {"TIME": "TIME+", "RSS": "RES"}
"""Columns that are not kept beside another one of the same meaning."""

OPAQUE_INTEGERS = {
    "UID", "RUID", "SUID", "GID", "PGRP", "TPGID", "SID", "nTH", "P", "CPU", "OOMa", "OOMs", "NU",
}  # fmt: skip
"""Columns that are not kept, and hold whole numbers: they tell where a command in the middle ends."""

SPACIOUS = {"COMMAND", "ENVIRON", "CGROUPS", "SUPGIDS", "SUPGRPS", "CGNAME", "EXE", "WCHAN"}
"""Columns whose text may hold blanks."""

SIZES = ("virtual_bytes", "resident_bytes", "shared_bytes")
INTEGERS = ("pid", "ppid", "tgid", "nice")
PERCENTAGES = ("cpu_percent", "memory_percent")

CPU_COLUMNS = {
    "user": "cpu_user_percent",
    "system": "cpu_system_percent",
    "nice": "cpu_nice_percent",
    "idle": "cpu_idle_percent",
    "iowait": "cpu_iowait_percent",
    "hardirq": "cpu_hardirq_percent",
    "softirq": "cpu_softirq_percent",
    "steal": "cpu_steal_percent",
}

MANY_ROWS = 50_000
"""From here on rows are matched in pieces, on all processors."""

LEADER_SUM_VERSIONS = ((4, 0, 0), (4, 0, 3))


def parse(
    log: Log,
    *,
    date: dt.date | str | None = None,
    tz: str | None = None,
    tool_version: str | None = None,
) -> Parsed:
    """The log as the tables ``top_processes`` and ``top_summary``."""
    lines = _classified(log)
    names = _names(lines, log)
    lines = _with_other_rows(_without_bad_names(lines, names), names)
    judged, snapshots = _in_snapshots(lines, log)
    summary, summary_rejects = _summary(judged, log)
    rows, row_rejects = _rows(judged, names, log)
    summary = _with_row_only_snapshots(summary, rows)
    summary, time_warnings = _timed(summary, log, date, tz)
    if not log.has_sentinels:
        summary = _without_restarts(summary, rows)
    rows = _threads(rows, summary, tool_version, is_ended=log.ended is not None)
    stamps = summary.select("snapshot", "time", "monotonic_ns", "seq", "boot_id")
    rows = rows.join(stamps, on="snapshot", how="left", maintain_order="left")
    rejects = pl.concat([_unknown(judged, log), summary_rejects, row_rejects], how="vertical")
    kept_summary = judged.filter(pl.col("what").is_in(SUMMARY_KINDS)).join(
        summary_rejects, on="line", how="anti", maintain_order="left"
    )
    return finish(
        log,
        "top",
        {
            "top_processes": shaped(rows, "top_processes"),
            "top_summary": shaped(summary, "top_summary"),
        },
        records=pl.concat([rows["line"], kept_summary["line"]]),
        headers=judged.filter(pl.col("what") == "names")["line"],
        rejects=rejects,
        snapshots=snapshots,
        warnings=[*_warnings(rows, summary, names, log), *time_warnings],
    )


# ---------------------------------------------------------------------------------- what a line is

SUMMARY_KINDS = ("clock", "tasks", "threads", "cpu", "cpu-each", "memory", "swap", "load")
"""The lines above the table. ``cpu-each`` is one CPU's line, ``load`` is BusyBox's."""

CLOCK_LINE = r"^\s*\S+(?: \S+)? - [0-9][0-9]:[0-9][0-9]:[0-9][0-9] up\s"


def _classified(log: Log) -> pl.DataFrame:
    """The body with ``what`` each line is: row, names, one of ``SUMMARY_KINDS``, or null."""
    body = without_prefixes(log).body()
    is_row = pl.col("text").str.contains(r"^\s*[0-9]+\s") & pl.col("sentinel").is_null()
    is_row = is_row & ~pl.col("text").str.contains(r"^\s*[0-9]:")
    body = body.with_columns(is_row=is_row)
    others = body.filter(~pl.col("is_row"))
    text = others.select("text").unique()
    label = pl.col("text").str.extract(r"^\s*([^:]*?)\s*:").str.replace_all(r"\s+", " ")
    what = (
        pl.when(pl.col("text").str.contains(CLOCK_LINE))
        .then(pl.lit("clock"))
        .when(label.is_in(list(LINE_LABELS)))
        .then(label.replace_strict(LINE_LABELS, default=None, return_dtype=pl.String))
        .when(label.str.contains(r"^%?C[pP][uUpPeE] ?[0-9]+$"))
        .then(pl.lit("cpu-each"))
        .when(_has_names(pl.col("text")))
        .then(pl.lit("names"))
    )
    text = text.with_columns(what=what)
    others = others.select("line", "text").join(text, on="text", how="left", maintain_order="left")
    return body.join(
        others.select("line", "what"), on="line", how="left", maintain_order="left"
    ).with_columns(what=pl.when("is_row").then(pl.lit("row")).otherwise("what"))


def _has_names(text: pl.Expr) -> pl.Expr:
    """Whether a line looks like column names: several known ones in it."""
    words = text.str.extract_all(r"\S+")
    known = words.list.eval(pl.element().is_in(sorted(COLUMN_NAMES))).list.sum()
    return known >= 3


# ------------------------------------------------------------------------------------ column names


@dataclass(frozen=True)
class Names:
    """One form of the line of column names; ``passed_over`` are columns that are not known."""

    columns: tuple[str, ...]
    problem: str | None = None
    passed_over: tuple[str, ...] = ()

    def regex(self, *, lenient: bool = False) -> tuple[str, tuple[str, ...]]:
        """The pattern of a row under these names, and what its groups are.

        ``lenient`` also takes blanks within user names.
        """
        kept: list[str] = []
        parts: list[str] = []
        taken = self._taken()
        last = len(self.columns) - 1
        for at, name in enumerate(self.columns):
            pattern = self._pattern(name, at == last, lenient)
            if at in taken:
                kept.append(COLUMNS[name].name)
            else:
                pattern = "(?:" + pattern[1:]
            parts.append(pattern)
        head = r"\s+".join(parts[:-1])
        if self.columns[-1] in SPACIOUS:
            return rf"^\s*{head}(?:\s+{parts[-1]})?$", tuple(kept)
        return rf"^\s*{head}\s+{parts[-1]}\s*$", tuple(kept)

    def _pattern(self, name: str, is_last: bool, lenient: bool) -> str:
        if name in SPACIOUS:
            return "(.*)" if is_last else "(.*?)"
        if lenient and name in ("USER", "RUSER", "SUSER", "GROUP"):
            return r"(\S+(?: \S+)*?)"
        if name in COLUMNS:
            return COLUMNS[name].pattern
        return INTEGER if name in OPAQUE_INTEGERS else TOKEN

    def _taken(self) -> set[int]:
        """The places of the columns that are kept."""
        places: dict[str, int] = {}
        for at, name in enumerate(self.columns):
            if name in COLUMNS and FINER.get(name) not in self.columns:
                places.setdefault(COLUMNS[name].name, at)
        return set(places.values())


def names_of(text: str) -> Names:
    """The columns that a line of names announces, or the problem with it."""
    words = text.split()
    columns, unknown = canonical_names(words)
    if "PID" not in columns:
        return Names(columns, "column names without PID")
    if unknown and ("COMMAND" not in words or not "".join(unknown).isascii()):
        return Names(columns, f"column names in no known language: {' '.join(unknown)}")
    kept = [COLUMNS[name].name for name in columns if name in COLUMNS]
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        return Names(columns, f"column names with {' and '.join(sorted(twice))} twice")
    if len(kept) < 2:
        return Names(columns, "column names of no table of top's")
    return Names(columns, passed_over=unknown)


def _names(lines: pl.DataFrame, log: Log) -> dict[str, Names]:
    """Every form of the line of names in the log. No known form at all, but rows, is an error."""
    forms = lines.filter(pl.col("what") == "names")
    cut = forms.filter(pl.col("line") == log.lines.height) if log.unterminated else forms.clear()
    found = {text: names_of(text) for text in forms["text"].unique().to_list()}
    for text in cut["text"]:
        found.setdefault(text, names_of(text))
    good = any(names.problem is None for names in found.values())
    if not good and (lines["what"] == "row").any():
        for line, text in forms.select("line", "text").rows():
            if "language" in (found[text].problem or ""):
                raise UnknownFormError(log.file, found[text].problem, line)
        _refuse_foreign(lines, log)
    return found


def _refuse_foreign(lines: pl.DataFrame, log: Log) -> None:
    """A log whose rows follow a line that is nothing known: names in another alphabet, it seems."""
    before_row = lines.filter(
        pl.col("what").is_null()
        & (pl.col("what").shift(-1) == "row")
        & (pl.col("text").str.extract_all(r"\S+").list.len() >= 5)
        & ~pl.col("text").str.contains(r"[0-9]")
    )
    if before_row.height:
        line, text = before_row.select("line", "text").row(0)
        raise UnknownFormError(
            log.file, f"column names in no known language: {' '.join(text.split())}", line
        )


def _without_bad_names(lines: pl.DataFrame, names: dict[str, Names]) -> pl.DataFrame:
    """``lines`` where lines of names with a problem are nothing known, with the ``problem``."""
    problems = {text: form.problem for text, form in names.items() if form.problem}
    problem = pl.lit(None, dtype=pl.String)
    if problems:
        problem = pl.when(pl.col("what") == "names").then(
            pl.col("text").replace_strict(problems, default=None, return_dtype=pl.String)
        )
    return lines.with_columns(problem=problem).with_columns(
        what=pl.when(pl.col("problem").is_null()).then("what")
    )


def _with_other_rows(lines: pl.DataFrame, names: dict[str, Names]) -> pl.DataFrame:
    """``lines`` where what stands under names that do not begin with PID is a row too."""
    others = [text for text, form in names.items() if not form.problem and form.columns[0] != "PID"]
    if not others:
        return lines
    title = pl.when(pl.col("what") == "names").then("text").forward_fill()
    is_row = (
        pl.col("what").is_null()
        & pl.col("problem").is_null()
        & title.is_in(others).fill_null(False)
    )
    is_row = is_row & (pl.col("sentinel").is_null())
    return lines.with_columns(what=pl.when(is_row).then(pl.lit("row")).otherwise("what"))


# --------------------------------------------------------------------------------------- snapshots


def _in_snapshots(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, int]:
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
    return numbered(log, lines, known, starts)


# ----------------------------------------------------------------------------------------- summary


def _summary(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The summary's figures, one row a snapshot that has any, and the lines that were refused."""
    parts = _judged_parts(lines, log)
    bad = parts.filter(pl.col("reason").is_not_null()).select("line", "reason")
    parts = parts.filter(pl.col("reason").is_null()) if bad.height else parts
    found = {kind: parts.filter(pl.col("kind") == kind) for kind in READERS}
    found = {kind: of_kind for kind, of_kind in found.items() if of_kind.height}
    plans = [_with_figures(READERS[kind](of_kind.lazy())) for kind, of_kind in found.items()]
    figures = dict(zip(found, pl.collect_all(plans, engine="in-memory"), strict=True))
    refused = [bad]
    for kind, of_kind in found.items():
        if figures[kind]["line"].n_unique() < of_kind.height:
            nothing = of_kind.join(figures[kind], on="line", how="anti", maintain_order="left")
            reason = pl.lit(f"a line of {kind} without a figure that is known")
            refused.append(nothing.select("line", reason=reason))
    refused_lines = pl.concat(refused)
    if "cpu-each" in figures:
        figures["cpu-each"] = _means_of_all(figures["cpu-each"], lines, refused_lines)
    summary = parts.join(refused_lines, on="line", how="anti", maintain_order="left").lazy()
    summary = summary.group_by("snapshot", maintain_order=True).agg(pl.col("line").min())
    for frame in figures.values():
        summary = _with_values(summary, frame.lazy().drop("line", strict=False))
    return _combined_cache(summary.collect(engine="in-memory")), refused_lines


def _judged_parts(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The summary lines with their ``kind``, and the ``reason`` for which one is refused."""
    is_cut = pl.lit(log.unterminated) & (pl.col("line") == log.lines.height)
    is_again = ~pl.struct("snapshot", "kind").is_first_distinct() & (pl.col("kind") != "cpu-each")
    return (
        lines.lazy()
        .filter(pl.col("what").is_in(SUMMARY_KINDS))
        .with_columns(kind=pl.col("what").replace({"threads": "tasks"}))
        .with_columns(
            reason=pl.when(is_cut)
            .then(pl.lit(CUT))
            .when(is_again)
            .then(pl.format("a second line of {} in one snapshot", "kind"))
        )
        .collect(engine="in-memory")
    )


def _with_figures(values: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of which something was read."""
    columns = [name for name in values.collect_schema().names() if name not in ("line", "snapshot")]
    return values.filter(pl.any_horizontal(pl.col(columns).is_not_null()))


def _with_values(summary: pl.LazyFrame, values: pl.LazyFrame) -> pl.LazyFrame:
    """``summary`` with the columns of ``values``; where both know a figure the first one stays."""
    known = set(summary.collect_schema().names())
    both = [
        name for name in values.collect_schema().names() if name in known and name != "snapshot"
    ]
    joined = summary.join(values, on="snapshot", how="left", maintain_order="left", suffix="_again")
    first = [pl.coalesce(name, f"{name}_again").alias(name) for name in both]
    return joined.with_columns(first).drop(f"{name}_again" for name in both)


def _clock(lines: pl.LazyFrame) -> pl.LazyFrame:
    """``top - 11:40:49 up 2 days, 17:39,  2 users,  load average: 0.41, 0.51, 0.68``."""
    text = pl.col("text")
    days = text.str.extract(r"\sup\s+([0-9]{1,6})\s+day").cast(pl.Int64, strict=False)
    hours = text.str.extract_groups(
        r"\sup\s+(?:[0-9]+\s+days?,\s+)?([0-9]{1,3}):([0-9][0-9])\b"
    ).struct
    minutes = text.str.extract(r"\sup\s+(?:[0-9]+\s+days?,\s+)?([0-9]{1,6})\s+min").cast(
        pl.Int64, strict=False
    )
    hour, minute = (hours.field(str(i)).cast(pl.Int64, strict=False) for i in (1, 2))
    of_day = pl.coalesce(hour * 3600 + minute * 60, minutes * 60)
    loads = text.str.extract_groups(
        r"load averages?:\s+([0-9]{1,9}[.,][0-9]+),?\s+([0-9]{1,9}[.,][0-9]+),?\s+([0-9]{1,9}[.,][0-9]+)"
    ).struct
    return lines.select(
        "line",
        "snapshot",
        clock=text.str.extract(r" - ([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) up"),
        uptime_s=pl.coalesce(days.fill_null(0) * units.DAY_S + of_day, days * units.DAY_S),
        users=text.str.extract(r"([0-9]+) users?\b").cast(pl.Int64, strict=False),
        **{
            name: units.number(loads.field(str(i)))
            for i, name in enumerate(("load_1", "load_5", "load_15"), 1)
        },
    )


def _tasks(lines: pl.LazyFrame) -> pl.LazyFrame:
    """``Tasks:  86 total,   1 running,  85 sleeping,   0 stopped,   0 zombie``, or ``Threads:``."""
    text = pl.col("text")

    def count(words: list[str]) -> pl.Expr:
        either = "|".join(re.escape(word) for word in words)
        return pl.coalesce(
            text.str.extract(rf"([0-9]+)\s+(?:{either})\s*(?:,|$)"),
            text.str.extract(rf"(?:{either}):\s*([0-9]+)"),
        ).cast(pl.Int64, strict=False)

    frame = lines.select(
        "line",
        "snapshot",
        *(count(words).alias(name) for name, words in COUNT_LABELS.items()),
        counts_threads=pl.col("what") == "threads",
    )
    sleeping = pl.col("tasks_sleeping") + pl.col("d_sleeping").fill_null(0)
    frame = frame.with_columns(tasks_sleeping=sleeping).drop("d_sleeping")
    has_any = pl.any_horizontal(pl.col("^tasks.*$").is_not_null())
    is_threads = pl.when(has_any).then("counts_threads")
    return frame.with_columns(counts_threads=is_threads, shows_threads=is_threads)


def _load(lines: pl.LazyFrame) -> pl.LazyFrame:
    """BusyBox: ``Load average: 0.00 0.03 0.00 4/428 26`` (the kernel counts threads here)."""
    parts = (
        pl.col("text")
        .str.extract_groups(r":\s*([0-9.]+),?\s+([0-9.]+),?\s+([0-9.]+)(?:\s+([0-9]+)/([0-9]+)\b)?")
        .struct
    )
    whole = {"tasks_running": "4", "tasks": "5"}
    return lines.select(
        "line",
        "snapshot",
        *(
            units.number(parts.field(str(i))).alias(f"load_{m}")
            for i, m in enumerate((1, 5, 15), 1)
        ),
        *(parts.field(i).cast(pl.Int64, strict=False).alias(name) for name, i in whole.items()),
        counts_threads=pl.when(parts.field("5").is_not_null()).then(True),
    )


def _percentage(words: list[str]) -> str:
    either = "|".join(re.escape(word) for word in words)
    return rf"(?:^|[\s:,])([0-9]{{1,9}}(?:[.,][0-9]{{1,9}})?)\s*%?\s*(?:{either})\s*(?:,|\s|$)"


def _cpu(lines: pl.LazyFrame) -> pl.LazyFrame:
    """``%Cpu(s): 18.7 us,  4.6 sy,…``, ``Cpu(s): 24.7%us,…``, BusyBox's ``CPU:  0.9% usr …``."""
    return lines.select(
        "line",
        "snapshot",
        *(
            units.number(pl.col("text").str.extract(_percentage(CPU_LABELS[name]))).alias(column)
            for name, column in CPU_COLUMNS.items()
        ),
    )


def _cpu_means(lines: pl.LazyFrame) -> pl.LazyFrame:
    """One row a CPU where top prints each by itself, two of them side by side maybe."""
    marked = pl.col("text").str.replace_all(r"(%?C[pP][A-Za-z]? ?[0-9]+\s*:)", "\n$1")
    one_each = lines.with_columns(text=marked.str.split("\n")).explode("text", empty_as_null=True)
    return _cpu(one_each.filter(pl.col("text").str.contains(":", literal=True)))


def _means_of_all(values: pl.DataFrame, lines: pl.DataFrame, refused: pl.DataFrame) -> pl.DataFrame:
    """The means over the CPUs, in snapshots where all their lines were read and others follow."""
    last = (
        lines.filter(pl.col("what").is_not_null())
        .group_by("snapshot")
        .agg(last=pl.col("line").max())
    )
    unread = lines.filter(pl.col("what") == "cpu-each").join(refused, on="line", how="semi")
    whole = values.join(last, on="snapshot").filter(
        pl.col("line").max().over("snapshot") < pl.col("last")
    )
    whole = whole.join(unread, on="snapshot", how="anti", maintain_order="left")
    means = [
        pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).mean()).alias(name)
        for name in CPU_COLUMNS.values()
    ]
    return whole.group_by("snapshot", maintain_order=True).agg(means)


def _memory(lines: pl.LazyFrame) -> pl.LazyFrame:
    return _sizes(
        lines,
        {
            "total": "memory_total_bytes",
            "free": "memory_free_bytes",
            "used": "memory_used_bytes",
            "cache": "memory_cache_bytes",
            "buffers": "buffers_bytes",
            "cached": "cached_bytes",
            "available": "memory_available_bytes",
        },
    )


def _swap(lines: pl.LazyFrame) -> pl.LazyFrame:
    return _sizes(
        lines,
        {
            "total": "swap_total_bytes",
            "free": "swap_free_bytes",
            "used": "swap_used_bytes",
            "cached": "cached_bytes",
            "available": "memory_available_bytes",
        },
    )


def _sizes(lines: pl.LazyFrame, columns: dict[str, str]) -> pl.LazyFrame:
    """``KiB Mem :  3861332 total,…`` or ``Mem:   1017664k total,…``: bytes by the words behind them.

    Numbers that top cut (``13174104+total``) are null.
    """
    text = pl.col("text")
    unit = text.str.extract(r"^\s*(\S+)\s+[^:]*:")
    by_unit = {word: 1024.0**power for word, power in UNITS.items()}
    line_factor = unit.replace_strict(by_unit, default=None, return_dtype=pl.Float64)

    def size(name: str) -> pl.Expr:
        either = "|".join(re.escape(word) for word in MEMORY_LABELS[name])
        parts = text.str.extract_groups(
            rf"(?:^|[\s:,])([0-9]{{1,15}}(?:[.,][0-9]{{1,9}})?)([kKmMgGtTpPeE]?)\s*(?:{either})(?:[\s,.]|$)"
        ).struct
        factor = pl.coalesce(line_factor, units.factor(parts.field("2"), bare=1024))
        return (units.number(parts.field("1")) * factor).round().cast(pl.Int64, strict=False)

    return lines.select(
        "line", "snapshot", *(size(n).alias(column) for n, column in columns.items())
    )


READERS = {
    "clock": _clock,
    "tasks": _tasks,
    "cpu": _cpu,
    "cpu-each": _cpu_means,
    "memory": _memory,
    "swap": _swap,
    "load": _load,
}
"""What reads each kind of summary line."""


def _combined_cache(summary: pl.DataFrame) -> pl.DataFrame:
    """``memory_cache_bytes`` as printed (buff/cache), or buffers and cached together."""
    parts = [name for name in ("buffers_bytes", "cached_bytes") if name in summary.columns]
    if len(parts) < 2 or "memory_cache_bytes" not in summary.columns:
        return summary.drop(parts)
    both = pl.col("buffers_bytes") + pl.col("cached_bytes")
    return summary.with_columns(memory_cache_bytes=pl.coalesce("memory_cache_bytes", both)).drop(
        parts
    )


# -------------------------------------------------------------------------------------------- rows


def _rows(
    lines: pl.DataFrame, names: dict[str, Names], log: Log
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table ``top_processes`` without times, and the rows that were refused."""
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
            read.append(good)
            refused.append(bad)
    table = pl.concat(read, how="diagonal").sort("line") if read else _no_rows()
    key = pl.col("snapshot") * (1 << 32) + pl.col("pid")
    is_again = ~key.is_first_distinct()
    again = table.filter(is_again)
    refused.append(
        again.select("line", reason=pl.format("a second row of {} in one snapshot", "pid"))
    )
    return (table.filter(~is_again) if again.height else table), pl.concat(refused)


def _no_rows() -> pl.DataFrame:
    return pl.DataFrame(schema={"line": pl.Int64, "snapshot": pl.Int64, "pid": pl.Int64})


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
    return matched.filter(pl.col("pid").is_not_null()).collect(engine=engine)


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


def _unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The lines that are nothing of top's, with the reason."""
    is_cut = pl.lit(log.unterminated) & (pl.col("line") == log.lines.height)
    return lines.filter(pl.col("what").is_null()).select(
        "line",
        reason=pl.when(pl.col("sentinel") == "bad")
        .then(pl.lit(BROKEN_SENTINEL))
        .when(is_cut)
        .then(pl.lit(CUT))
        .when(pl.col("problem").is_not_null())
        .then("problem")
        .otherwise(pl.lit("not a line of top's")),
    )


# ----------------------------------------------------------------------------- snapshots, completed


def _with_row_only_snapshots(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` with a row for snapshots that have processes but no summary lines."""
    bare = (
        rows.group_by("snapshot").agg(pl.col("line").min()).join(summary, on="snapshot", how="anti")
    )
    return pl.concat([summary, bare], how="diagonal").sort("snapshot")


def _timed(
    summary: pl.DataFrame, log: Log, date: dt.date | str | None, tz: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """``summary`` with times (by sentinels, else by its clock), ``is_interval`` and ``flags``."""
    ticks = summary.select("line").join_asof(
        log.ticks.select("line", "tick", "is_start"), on="line", strategy="backward"
    )
    summary = summary.with_columns(ticks["tick"])
    if log.has_sentinels:
        is_start = ticks["is_start"].fill_null(True)
        summary = log.stamped(summary).with_columns(
            is_interval=~is_start, flags=pl.lit(None, dtype=pl.String)
        )
        return summary, []
    uptime = summary["uptime_s"] if "uptime_s" in summary.columns else None
    readings = (
        summary["clock"]
        if "clock" in summary.columns
        else pl.Series([None] * summary.height, dtype=pl.String)
    )
    times = clock.resolve(readings, date=date, tz=tz, file=log.file, uptime_s=uptime)
    summary = summary.hstack(times.frame).with_columns(
        is_interval=pl.col("snapshot") > 0,
        monotonic_ns=pl.lit(None, dtype=pl.Int64),
        seq=pl.lit(None, dtype=pl.Int64),
        boot_id=pl.lit(None, dtype=pl.String),
    )
    return summary, times.warnings


def _without_restarts(summary: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """``summary`` where a snapshot that another top printed than the one before is no interval.

    ``top -b -n 1 >> log`` run again and again prints first iterations only. Its own row tells:
    where both snapshots show a top, one of them has to be the same process.
    """
    if "command" not in rows.columns:
        return summary
    tops = rows.filter(pl.col("command").str.contains(r"^(?:\S*/)?top(?: |$)")).select(
        "snapshot", "pid"
    )
    before = tops.with_columns(snapshot=pl.col("snapshot") + 1)
    have_both = tops.join(before.select("snapshot").unique(), on="snapshot", how="semi")[
        "snapshot"
    ].unique()
    same = tops.join(before, on=["snapshot", "pid"], how="semi")["snapshot"].unique()
    is_restart = pl.col("snapshot").is_in(have_both.implode()) & ~pl.col("snapshot").is_in(
        same.implode()
    )
    return summary.with_columns(is_interval=pl.col("is_interval") & ~is_restart)


def _threads(
    rows: pl.DataFrame, summary: pl.DataFrame, tool_version: str | None, *, is_ended: bool
) -> pl.DataFrame:
    """``rows`` with ``is_thread`` and, for the versions that double-count leaders, their flags."""
    if "shows_threads" in summary.columns:
        known = summary.select(
            "snapshot",
            is_thread=pl.col("shows_threads").forward_fill().backward_fill().fill_null(False),
        )
        rows = rows.join(known, on="snapshot", how="left", maintain_order="left")
    else:
        rows = rows.with_columns(is_thread=pl.lit(False))
    if "flags" not in rows.columns:
        rows = rows.with_columns(flags=pl.lit(None, dtype=pl.String))
    version = version_of(tool_version)
    first, last = LEADER_SUM_VERSIONS
    if version is None or not first <= version <= last or not rows["is_thread"].any():
        return rows
    if "tgid" not in rows.columns:
        return _possible_leaders(rows)
    is_whole = pl.lit(True)
    if not is_ended:  # the last snapshot may lack rows
        shown = rows.filter(pl.col("snapshot") == pl.col("snapshot").max()).height
        is_whole = (pl.col("snapshot") < pl.col("snapshot").max()) | pl.lit(
            summary["tasks"][-1] == shown
        )
    return _corrected_leaders(rows, is_whole)


def version_of(text: str | None) -> tuple[int, int, int] | None:
    """The numbers in ``procps-ng 4.0.2``."""
    found = re.search(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?", text or "")
    return tuple(int(part or 0) for part in found.groups()) if found else None


def _possible_leaders(rows: pl.DataFrame) -> pl.DataFrame:
    """Flags the rows that may hold a whole process: the first of several that share its memory."""
    same = [
        "snapshot",
        *(
            n
            for n in ("user", "virtual_bytes", "resident_bytes", "shared_bytes")
            if n in rows.columns
        ),
    ]
    is_first = pl.col("pid") == pl.col("pid").min().over(same)
    may_lead = pl.col("is_thread") & is_first & (pl.len().over(same) > 1)
    if "virtual_bytes" in rows.columns:
        may_lead = may_lead & (pl.col("virtual_bytes") > 0).fill_null(True)
    return rows.with_columns(flags=_flagged(may_lead, "maybe-leader-sum"))


def _corrected_leaders(rows: pl.DataFrame, is_whole: pl.Expr) -> pl.DataFrame:
    """Leaders less their other threads; null where those are not all known or TIME+ is too coarse."""
    group = ["snapshot", "tgid"]
    is_other = pl.col("pid") != pl.col("tgid")
    is_leader = pl.col("is_thread") & ~is_other & ((pl.len().over(group) > 1) | ~is_whole)
    changes = []
    for name, digits in (("cpu_percent", 3), ("cpu_time_s", 2)):
        if name not in rows.columns:
            continue
        own = (pl.col(name) - pl.col(name).filter(is_other).sum().over(group)).round(digits)
        is_known = is_whole
        if name == "cpu_time_s":
            is_known = (
                is_known & (pl.col("cpu_time_resolution_s").max().over(group) <= 1) & (own >= 0)
            )
        own = pl.when(is_known).then(own.clip(lower_bound=0))
        changes.append(pl.when(is_leader).then(own).otherwise(name).alias(name))
    return rows.with_columns(*changes, flags=_flagged(is_leader, "leader-corrected"))


def _flagged(condition: pl.Expr, flag: str) -> pl.Expr:
    """``flags`` with one more where the condition holds."""
    more = pl.concat_str([pl.col("flags"), pl.lit(flag)], separator=" ", ignore_nulls=True)
    return pl.when(condition).then(more).otherwise("flags")


def _warnings(
    rows: pl.DataFrame, summary: pl.DataFrame, names: dict[str, Names], log: Log
) -> list[str]:
    warnings = []
    strange = sorted({word for form in names.values() for word in form.passed_over})
    if strange:
        warnings.append(
            f"{log.file}: columns that are not known were passed over: {' '.join(strange)}"
        )
    if not rows.height and not summary.height and log.body().height:
        warnings.append(f"{log.file}: nothing in it is a line of top's")
    return warnings
