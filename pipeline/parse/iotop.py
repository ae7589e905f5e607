"""What ``iotop -b`` prints: the Python program (0.3, 0.6, 0.6-git) and the C program (1.x).

Two tables: ``iotop_tasks`` (one row a task, or a process with ``-P``) and ``iotop_totals`` (the
Total and the Actual or Current lines, one row a snapshot). Columns and units: ``pipeline.tables``.

Every combination of -t -k -a -P -q is read. Columns are found by their names where they are
printed; where they are not (``-qq``, or any -q of the C program) they stand in iotop's own order,
and the first number is taken for a TID, with a warning. Numbers without ``/s`` are accumulated
(``-a``) and go to other columns than rates. ``resolution_bytes`` is one step of the coarser
number.

``b'…'`` around lines (Python 3 on CentOS and Fedora; the quote may be missing at the end) and what
a logger wrote before them are taken off.

Times: the sentinels' where there are any; the Python program's ``-t`` is a clock without a date
(``--date``, ``--tz``), the C program's a date without a zone (``--tz``).

Caveats:
    - The first iteration is no interval (``is_interval`` false).
    - Delay accounting off: the Python program prints ``?unavailable?``, the C program 0.00 % and a
      warning line; SWAPIN and IO are null in both cases.
    - The C program before 1.27 adds all threads to the leader's row in thread mode, and counts them
      twice in Total: flags ``maybe-leader-sum`` and ``may-count-twice``, unless the recorded
      ``tool_version`` is 1.27 or later.
    - ``-qqq`` prints nothing between snapshots: with -t a new clock reading begins one, without -t
      a task that comes again does (a warning says so). Iterations without rows leave no trace
      then.
    - The C program's ``-A`` prints means since the start in the form of rates: they cannot be told
      apart.

Flags: ``maybe-leader-sum``, ``may-count-twice``, ``cut`` (the file ends in the middle of this
row's command), and those of ``clock``.

Example:
    >>> from pipeline.parse.log import BROKEN_SENTINEL, CUT, log_of
    >>> text = '''Total DISK READ :       0.00 B/s | Total DISK WRITE :     365.81 K/s
    ... Actual DISK READ:       0.00 B/s | Actual DISK WRITE:       0.00 B/s
    ...   TID  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND
    ...  6787 be/4 mysql       0.00 B/s  365.81 K/s  0.00 %  2.16 % mariadbd
    ... '''
    >>> parsed = parse(log_of(text, "iotop.log"))
    >>> columns = ["tid", "write_bytes_per_s", "resolution_bytes", "io_percent", "command"]
    >>> parsed.tables["iotop_tasks"].select(columns).rows()
    [(6787, 374589.44, 10.24, 2.16, 'mariadbd')]
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import polars as pl

from pipeline import units
from pipeline.parse.iotop_snapshots import completed, flavour_of, leaders_flagged, times_of
from pipeline.parse.log import (
    BROKEN_SENTINEL,
    CUT,
    Log,
    Parsed,
    finish,
    numbered,
    shaped,
    without_prefixes,
)

SIZE = r"([0-9]{1,15}(?:[.,][0-9]{1,9})?)\s*([BKMGTPE])(/s)?"
TOTALS = re.compile(
    r"^\s*(?:Total|Actual|Current) DISK READ\s*:\s*"
    + SIZE
    + r"\s*\|\s*(?:Total|Actual|Current) DISK WRITE\s*:\s*"
    + SIZE
    + r"\s*(?:\|\s*(.*?)\s*)?$"
).pattern
CLOCK = r"^\s*([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) (.*)$"
DELAY_WARNING = r"task_delayacct is 0|delay_?acct.*not (?:enabled|available)"

PERCENT = r"([0-9]{1,9}(?:[.,][0-9]{1,9})?)\s*%"

DEFAULT_COLUMNS = ("TID", "PRIO", "USER", "DISK READ", "DISK WRITE", "SWAPIN", "IO", "COMMAND")
KNOWN_COLUMNS = (*DEFAULT_COLUMNS, "PID", "TIME")


def parse(
    log: Log,
    *,
    date: dt.date | str | None = None,
    tz: str | None = None,
    tool_version: str | None = None,
) -> Parsed:
    """The log as the tables ``iotop_tasks`` and ``iotop_totals``."""
    lines = _classified(without_prefixes(log))
    lines, snapshots, guessed = _in_snapshots(lines, log)
    totals, total_rejects = _totals(lines, log)
    tasks, task_rejects = _tasks(lines, log)
    if (lines["what"] == "warning").any():
        tasks = tasks.with_columns(swapin_percent=pl.lit(None), io_percent=pl.lit(None))
    times, warnings = times_of(lines, totals, log, date, tz)
    flavour = flavour_of(lines, tasks, tool_version)
    totals = completed(totals, times, flavour.totals_flag)
    tasks = completed(leaders_flagged(tasks, flavour), times, None)
    unknown = _unknown(lines, log)
    is_total = pl.col("what").is_in(["total", "actual"])
    kept_totals = lines.filter(is_total).join(total_rejects, on="line", how="anti")
    return finish(
        log,
        "iotop",
        {
            "iotop_tasks": shaped(tasks, "iotop_tasks"),
            "iotop_totals": shaped(totals, "iotop_totals"),
        },
        records=pl.concat([tasks["line"], kept_totals["line"]]),
        headers=lines.filter(pl.col("what").is_in(["names", "warning"]))["line"],
        rejects=pl.concat([unknown, total_rejects, task_rejects]),
        snapshots=snapshots,
        warnings=[*_warnings(lines, tasks, guessed, log), *warnings],
    )


# ---------------------------------------------------------------------------------------------- what a line is


def _classified(log: Log) -> pl.DataFrame:
    """The body without literals and clocks, and ``what`` each line is: row, total, actual, names…"""
    body = log.body()
    literal = pl.col("text").str.extract_groups(r"""^b(?:'(.*?)'?|"(.*?)"?)$""").struct
    inside = pl.coalesce(literal.field("1"), literal.field("2")).str.replace_all(r"\\(['\\])", "$1")
    body = body.with_columns(raw="text", text=pl.coalesce(inside, "text"))
    timed = pl.col("text").str.extract_groups(CLOCK).struct
    body = body.with_columns(clock=timed.field("1"), text=pl.coalesce(timed.field("2"), "text"))
    text = pl.col("text")
    what = (
        pl.when(pl.col("sentinel") == "bad")
        .then(None)
        .when(text.str.contains(r"^\s*[0-9]+\s"))
        .then(pl.lit("row"))
        .when(text.str.contains(r"^\s*Total DISK READ"))
        .then(pl.lit("total"))
        .when(text.str.contains(r"^\s*(?:Actual|Current) DISK READ"))
        .then(pl.lit("actual"))
        .when(text.str.contains(r"DISK (?:READ|WRITE)\b.*\bDISK (?:READ|WRITE)\b"))
        .then(pl.lit("names"))
        .when(text.str.contains(DELAY_WARNING))
        .then(pl.lit("warning"))
    )
    body = body.with_columns(what=what)
    titles = body.filter(pl.col("what") == "names")["text"].unique().to_list()
    bad = [title for title in titles if columns_of(title) is None]
    is_bad = (pl.col("what") == "names") & pl.col("text").is_in(bad)
    return body.with_columns(what=pl.when(is_bad).then(pl.lit("bad names")).otherwise("what"))


def columns_of(text: str) -> tuple[str, ...] | None:
    """The columns that a line of names announces; null if one of them is not known, or is twice."""
    words = (
        re.sub(r"DISK (READ|WRITE)", r"DISK_\1", text).replace(">", " ").replace("<", " ").split()
    )
    columns = tuple(word.replace("_", " ") for word in words)
    known = all(column in KNOWN_COLUMNS for column in columns)
    if not known or len(set(columns)) < len(columns) or "DISK READ" not in columns:
        return None
    return tuple(column for column in columns if column != "TIME")


# --------------------------------------------------------------------------------------- snapshots


def _in_snapshots(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, int, bool]:
    """``lines`` with their ``snapshot``, how many there are, and whether their bounds are guessed."""
    known = lines.filter(pl.col("what").is_in(["row", "total", "actual", "names"]))
    before = pl.col("what").shift()
    is_start = (
        (pl.col("what") == "total")
        | ((pl.col("what") == "actual") & before.is_in(["row", "names", "actual"]))
        | ((pl.col("what") == "names") & before.is_in(["row", "names"]))
    )
    starts = known.filter(is_start)["line"]
    has_bounds = known["what"].is_in(["total", "actual"]).any()
    if has_bounds or log.has_sentinels:
        return *numbered(log, lines, known, starts), False
    rows = known.filter(pl.col("what") == "row")
    if rows["clock"].is_not_null().any():
        reading = rows["clock"].forward_fill().backward_fill()
        number = (reading != reading.shift()).fill_null(False).cum_sum().cast(pl.Int64)
        guessed = False
    else:
        first = rows["text"].str.extract(r"^\s*([0-9]+)")
        number = (
            rows.with_columns(first=first)
            .select(pl.int_range(pl.len(), dtype=pl.Int64).over("first", order_by="line").cum_max())
            .to_series()
        )
        guessed = rows.height > 0
    of_row = rows.select("line").with_columns(snapshot=number.alias("snapshot"))
    lines = lines.join_asof(of_row, on="line", strategy="backward")
    lines = lines.with_columns(pl.col("snapshot").fill_null(0))
    return lines, 0 if number.is_empty() else number.max() + 1, guessed


# ------------------------------------------------------------------------------------------ totals


def _totals(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table ``iotop_totals`` without times, and the lines that were refused."""
    parts = lines.filter(pl.col("what").is_in(["total", "actual"]))
    groups = parts["text"].str.extract_groups(TOTALS).struct.unnest()
    groups.columns = ["read", "read_unit", "read_rate", "write", "write_unit", "write_rate", "date"]
    parts = parts.select("line", "snapshot", "what", "clock").hstack(groups)
    is_last = pl.lit(log.unterminated) & (pl.col("line") == log.lines.height)
    is_again = ~pl.struct("snapshot", "what").is_first_distinct()
    ends_in_rate = (pl.col("write_rate") == "/s").fill_null(False)
    is_cut = is_last & (pl.lit(log.has_sentinels) | ~ends_in_rate)
    reason = (
        pl.when(is_cut)
        .then(pl.lit(CUT))
        .when(pl.col("read").is_null())
        .then(pl.lit("not the figures that a line of totals has"))
        .when(pl.col("read_rate").is_null() != pl.col("write_rate").is_null())
        .then(pl.lit("a rate and a sum in one line of totals: it is cut"))
        .when(is_again)
        .then(pl.format("a second line of {} in one snapshot", "what"))
    )
    parts = parts.with_columns(reason=reason)
    good = parts.filter(pl.col("reason").is_null())
    frames = [_total_values(good.filter(pl.col("what") == what), name) for what, name in _WHOSE]
    total, actual = frames
    totals = total.join(actual, on="snapshot", how="full", coalesce=True, suffix="_actual")
    totals = totals.with_columns(
        line=pl.min_horizontal("line", "line_actual"),
        clock=pl.coalesce("clock", "clock_actual"),
        resolution_bytes=pl.max_horizontal("resolution_bytes", "resolution_bytes_actual"),
    ).sort("snapshot")
    return totals, parts.filter(pl.col("reason").is_not_null()).select("line", "reason")


_WHOSE = (("total", ""), ("actual", "actual_"))


def _total_values(parts: pl.DataFrame, prefix: str) -> pl.DataFrame:
    return parts.select(
        "snapshot",
        "line",
        "clock",
        "date",
        *_rate_or_sum("read", f"{prefix}read_bytes"),
        *_rate_or_sum("write", f"{prefix}write_bytes"),
        resolution_bytes=_coarser(),
    )


def _rate_or_sum(name: str, column: str) -> list[pl.Expr]:
    """The printed size as a rate if it has ``/s``, as a sum since the start if it has not."""
    size = units.scaled_bytes(pl.col(name), pl.col(f"{name}_unit"))
    is_rate = pl.col(f"{name}_rate").is_not_null()
    return [
        pl.when(is_rate).then(size).alias(f"{column}_per_s"),
        pl.when(~is_rate).then(size).alias(column),
    ]


def _coarser() -> pl.Expr:
    """One step of the coarser of the two numbers, read and write."""
    return pl.max_horizontal(
        units.scaled_resolution_bytes(pl.col(name), pl.col(f"{name}_unit"))
        for name in ("read", "write")
    )


# ------------------------------------------------------------------------------------------- tasks


@dataclass(frozen=True)
class _Form:
    """The regular expression of a row and what its groups are."""

    pattern: str
    groups: tuple[str, ...]


def _form(columns: tuple[str, ...], *, lenient: bool = False) -> _Form:
    """How a row under these columns looks. ``lenient``: users with blanks in them, or none at all."""
    user = r"(\S+)" if not lenient else r"(\S.*?)??"
    pieces = {
        "TID": (r"([0-9]{1,10})", ("tid",)),
        "PID": (r"([0-9]{1,10})", ("pid",)),
        "PRIO": (r"(\S+)", ("priority",)),
        "USER": (user, ("user",)),
        "DISK READ": (SIZE, ("read", "read_unit", "read_rate")),
        "DISK WRITE": (SIZE, ("write", "write_unit", "write_rate")),
        "SWAPIN": (rf"(?:{PERCENT}|(\?unavailable\?))", ("swapin", "unavailable")),
        "IO": (PERCENT, ("io",)),
        "COMMAND": (r"(.*)", ("command",)),
    }
    parts: list[str] = []
    groups: list[str] = []
    both = "SWAPIN" in columns and "IO" in columns
    for name in columns:
        pattern, names = pieces[name]
        if name == "SWAPIN" and both:
            pattern, names = (
                rf"(?:{PERCENT}\s+{PERCENT}|(\?unavailable\?))",
                ("swapin", "io", "unavailable"),
            )
        elif name == "COMMAND" or (name == "IO" and both):
            continue
        parts.append(pattern)
        groups += names
    end = r"(?:\s+(.*))?$" if "COMMAND" in columns else r"\s*$"
    if "COMMAND" in columns:
        groups.append("command")
    return _Form(r"^\s*" + r"\s+".join(parts) + end, tuple(groups))


def _tasks(lines: pl.DataFrame, log: Log) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The table ``iotop_tasks`` without times, and the rows that were refused."""
    rows = lines.filter(pl.col("what") == "row").select("line", "text", "snapshot", "clock")
    titles = lines.filter(pl.col("what").is_in(["names", "bad names"])).select("line", title="text")
    rows = rows.join_asof(titles, on="line", strategy="backward")
    forms = {title: columns_of(title) for title in titles["title"].unique().to_list()}
    read, refused = [], []
    for title in rows["title"].unique(maintain_order=True):
        of_title = pl.col("title").is_null() if title is None else pl.col("title") == title
        columns = DEFAULT_COLUMNS if title is None else forms[title]
        under = rows.filter(of_title).drop("title")
        if columns is None:
            reason = pl.lit("a row under column names that are not known")
            refused.append(under.select("line", reason=reason))
            continue
        good, bad = _tasks_under(under, columns, log)
        read.append(good)
        refused.append(bad)
    tasks = pl.concat(read, how="diagonal").sort("line") if read else _no_tasks()
    key = pl.struct("snapshot", *(name for name in ("tid", "pid") if name in tasks.columns))
    has_number = pl.any_horizontal(pl.col("^(tid|pid)$").is_not_null())
    is_again = ~key.is_first_distinct() & has_number
    again = tasks.filter(is_again).select(
        "line", reason=pl.lit("a second row of one task in one snapshot")
    )
    refused += [again, _no_tasks().select("line", reason=pl.lit(""))]
    return tasks.join(again, on="line", how="anti", maintain_order="left"), pl.concat(refused)


def _no_tasks() -> pl.DataFrame:
    names = {"line": pl.Int64, "snapshot": pl.Int64, "clock": pl.String, "tid": pl.Int64}
    return pl.DataFrame(schema=names)


def _tasks_under(
    rows: pl.DataFrame, columns: tuple[str, ...], log: Log
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows under one form of column names, and those that do not fit it."""
    good = _matched(rows, _form(columns))
    missed = rows.join(good, on="line", how="anti")
    if missed.height:
        again = _matched(missed, _form(columns, lenient=True))
        missed = missed.join(again, on="line", how="anti")
        good = pl.concat([good, again]).sort("line")
    is_last = pl.lit(log.unterminated) & (pl.col("line") == log.lines.height)
    reason = (
        pl.when(is_last).then(pl.lit(CUT)).otherwise(pl.lit("not the fields of iotop's columns"))
    )
    refused = [missed.select("line", reason=reason)]
    if log.unterminated:
        no_command = (
            pl.col("command").fill_null("") == "" if "command" in good.columns else pl.lit(True)
        )
        is_cut = is_last & (no_command | pl.lit(log.has_sentinels))
        refused.append(good.filter(is_cut).select("line", reason=pl.lit(CUT)))
        good = good.filter(~is_cut).with_columns(flags=pl.when(is_last).then(pl.lit("cut")))
    return _task_values(good), pl.concat(refused)


def _matched(rows: pl.DataFrame, form: _Form) -> pl.DataFrame:
    groups = rows["text"].str.extract_groups(form.pattern).struct.unnest()
    groups.columns = list(form.groups)
    return (
        rows.select("line", "snapshot", "clock").hstack(groups).filter(pl.col("read").is_not_null())
    )


def _task_values(raw: pl.DataFrame) -> pl.DataFrame:
    """The raw fields as quantities."""
    kept = [
        name
        for name in ("line", "snapshot", "clock", "priority", "user", "flags")
        if name in raw.columns
    ]
    values = [pl.col(kept)]
    values += [pl.col(n).cast(pl.Int64, strict=False) for n in ("tid", "pid") if n in raw.columns]
    values += [*_rate_or_sum("read", "read_bytes"), *_rate_or_sum("write", "write_bytes")]
    values += [
        units.number(pl.col(name)).alias(f"{name}_percent")
        for name in ("swapin", "io")
        if name in raw.columns
    ]
    if "command" in raw.columns:
        values.append(pl.col("command").str.strip_chars_end())
    return raw.select(*values, resolution_bytes=_coarser())


def _unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """The lines that are nothing of iotop's, with the reason."""
    is_last = pl.lit(log.unterminated) & (pl.col("line") == log.lines.height)
    is_bad = pl.col("what").is_null() | (pl.col("what") == "bad names")
    return lines.filter(is_bad).select(
        "line",
        reason=pl.when(pl.col("sentinel") == "bad")
        .then(pl.lit(BROKEN_SENTINEL))
        .when(is_last)
        .then(pl.lit(CUT))
        .when(pl.col("what") == "bad names")
        .then(pl.lit("column names that are not known"))
        .otherwise(pl.lit("not a line of iotop's")),
    )


def _warnings(lines: pl.DataFrame, tasks: pl.DataFrame, guessed: bool, log: Log) -> list[str]:
    warnings = []
    if (lines["what"] == "warning").any():
        warnings.append(f"{log.file}: delay accounting was off: SWAPIN and IO are not known")
    if tasks.height and not (lines["what"] == "names").any():
        warnings.append(
            f"{log.file}: no column names: the first number is taken for a TID (with -P it is a PID)"
        )
    if guessed:
        warnings.append(
            f"{log.file}: nothing between snapshots: a new one begins where a task comes again"
        )
    if lines.height and not (lines["what"].is_not_null()).any():
        warnings.append(f"{log.file}: nothing in it is a line of iotop's")
    return warnings
