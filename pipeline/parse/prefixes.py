r"""Text in front of each line that is not the tool's: of a logger, of ``grep``, of a quotation.

``strip_prefixes`` is called once, before any parser. It needs no list of loggers: lines that only this kind of log has
(:mod:`pipeline.parse.line_shapes`) are searched in a sample; the text in front of them is reduced to a pattern
(digits to ``[0-9]+``, names of months, and so on), and if a pattern explains two thirds of those lines, it is removed
from every line that has it. Lines without it stay as they are. A log without a prefix costs the sample only.

The removed text is kept: rejects show the line as it is in the file, and ``prefix_times`` gives the dates and times in
it, for logs that print none.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> log = log_from_text("[2026-11-22 21:36:00]   8   0 sda 1 2 3 4 5 6 7 8 9 10 11\n", "block.log")
    >>> log = strip_prefixes(log, "block")
    >>> log.lines["text"].to_list()
    ['  8   0 sda 1 2 3 4 5 6 7 8 9 10 11']
    >>> prefix_times(log)["local"].dt.to_string("%F %T").to_list()
    ['2026-11-22 21:36:00']
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from pipeline.parse.block_devices import DEVICE
from pipeline.parse.expressions import offset_minutes, to_int64
from pipeline.parse.line_shapes import shape_of
from pipeline.parse.log import Log, with_stripped_lines
from pipeline.parse.top_languages import COLUMN_NAMES
from pipeline.tables import UTC_NS

MAX_PREFIX_CHARACTERS, MAX_SEARCHED_CHARACTERS = 400, 1000
SAMPLE_LINES = 400
_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SENTINEL = r"#(?:T [0-9]+ [0-9]+ [0-9]+ \S|GAP |END )"
_BOUNDARY = r"(?<![0-9A-Za-z_.,])"
"""A line of the tool does not begin within a word or a number."""

_DATE_TIME = (
    rf"(?:<[0-9]{{1,3}}>)?(?:[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}(?:Z| ?[+-][0-9]{{2}}:?[0-9]{{2}})?"
    rf"|[A-Z][a-z]{{2}} [ 0-9][0-9] {_CLOCK})"
)
LOGGERS = (
    re.compile(rf"{_DATE_TIME} \S+ [^\s:\[]+(?:\[[0-9]+\])?:(?=\s|$)"),
    re.compile(rf"{_DATE_TIME}(?=\s|$)"),
)
"""Prefixes whose end would be taken for the beginning of the tool's line: a time of day before iotop's line, the
name of a sender before numbers."""

_HOST = r"(?:(?![0-9]{10}(?:[.][0-9]+)?$)[\w.*-]*[\w*]|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
OWN_PREFIXES = {
    "access": re.compile(rf"{_HOST}|(?:{_HOST} )?[\w.:%-]+ -(?: .*)?|(?:[\w.:%-]+, ?)+"),
    "top": re.compile(rf"(?:(?:{'|'.join(map(re.escape, sorted(COLUMN_NAMES)))})(?:\s+|$))+"),
    "block": re.compile(rf"(?:\S*/)?{DEVICE}(?:/(?:stat)?)?:?"),
}
"""What the tool itself may write in front: other column names; the file of a device; the name of a virtual host;
client and identity, where the name of the user has blanks and its last part looks like a client; the first of
several addresses of ``X-Forwarded-For``."""
DAMAGED_LINES = {
    "general": re.compile(r"[-+0-9:.TZ]{1,35}(?: [0-9:.]{1,15})?\t *[0-9]+ [A-Z]"),
}
"""Lines of the tool with a part of their own beginning lost: what is left of a time is no prefix."""


def strip_prefixes(log: Log, kind: str) -> Log:
    """``log`` without the text that stands in front of its lines.

    Parameters
    ----------
    log : Log
    kind : str
        Kind of log; one without known shapes is returned as it is.

    Returns
    -------
    Log
        The same log if there is no prefix. Otherwise ``lines`` has the bare text, sentinels are recognized in it, and
        ``prefixes`` has the removed text by line; ``to_parsed`` puts it back into rejects. Blank lines and
        sentinels need no prefix.
    """
    pattern = find_prefix(_sample(log), kind)
    if pattern is None:
        return log
    parts = pl.col("text").str.extract_groups(rf"(?s)^({pattern})(.*)$").struct
    lines = log.lines.select("line", "text", prefix=parts.field("1"), rest=parts.field("2"))
    keeps = pl.col("prefix").is_null()
    if "\\S+" in pattern:
        keeps = keeps | pl.col("text").str.contains(f"^(?:{shape_of(kind)})")
    return with_stripped_lines(
        log,
        lines.select("line", text=pl.when(keeps).then("text").otherwise("rest")),
        lines.select("line", prefix=pl.when(~keeps).then("prefix")),
    )


def _sample(log: Log) -> list[str]:
    """Lines of the beginning and the middle of the log."""
    lines = log.lines["text"]
    if lines.len() > 2 * SAMPLE_LINES:
        lines = pl.concat([lines.head(SAMPLE_LINES), lines.slice(lines.len() // 2, SAMPLE_LINES)])
    return lines.to_list()


# ---------------------------------------------------------------------------------------- patterns


def find_prefix(lines: Sequence[str], kind: str) -> str | None:
    r"""Regular expression of the prefix that the lines have, None if they have none.

    Parameters
    ----------
    lines : sequence of str
        Lines of the log, not necessarily all.
    kind : str
        Kind of log.

    Returns
    -------
    str or None
        To be anchored at the start of a line; it includes the blank after the prefix.

    Example:
        >>> print(find_prefix(["web-1  | httperf --rate=10", "web-2  | Net I/O: 1.0 KB/s"], "httperf"))
        web\-[0-9]+\s+\|[ ]?
    """
    if not shape_of(kind):
        return None
    shape = re.compile(f"{_BOUNDARY}(?:{shape_of(kind)}|{_SENTINEL})")
    lines = [line[:MAX_SEARCHED_CHARACTERS] for line in lines]
    if _are_bare(lines, kind):
        return None
    own, damaged = OWN_PREFIXES.get(kind), DAMAGED_LINES.get(kind)
    starts = [
        (line, 0 if damaged and damaged.match(line) else _start(line, shape, own))
        for line in lines
        if line.strip()
    ]
    starts = [(line, start) for line, start in starts if start is not None]
    prefixes = [line[:start].rstrip() for line, start in starts if line[:start].strip()]
    for reduce, share in (
        (_digits_reduced, 1 / 3),
        (words_reduced, 1 / 2),
        (_tokens_reduced, 0.9),
    ):
        if len(prefixes) <= share * len(starts):
            return None
        patterns = Counter(map(reduce, prefixes))
        pattern = patterns.most_common(1)[0][0]
        rests = [
            line[match.end() :]
            for line, _ in starts
            if (match := re.match(pattern, line)) and shape.search(line, match.end())
        ]
        if 3 * len(rests) >= 2 * len(starts):
            return pattern + _separator(rests, lines, pattern)
    return None


def _are_bare(lines: Sequence[str], kind: str) -> bool:
    """Whether so many lines begin with the tool's own text that a prefix cannot explain the others."""
    texts = pl.Series(lines, dtype=pl.String)
    is_bare = texts.str.contains(f"^(?:{shape_of(kind)}|{_SENTINEL})")
    return 3 * is_bare.sum() >= 2 * texts.len()


def _start(line: str, shape: re.Pattern, own: re.Pattern | None) -> int | None:
    """Where the tool's line begins in ``line``; None if it is no line that only this kind has."""
    match = shape.search(line)
    if match is None or match.start() > MAX_PREFIX_CHARACTERS:
        return None
    before = line[: match.start()].strip()
    if not before or (own and own.fullmatch(before)):
        return 0
    for logger in LOGGERS:
        longer = logger.match(line)
        if longer and longer.end() > match.start() and shape.search(line, longer.end()):
            return longer.end()
    return match.start()


def _separator(rests: Sequence[str], lines: Sequence[str], pattern: str) -> str:
    """The blank between prefix and line: one that every line has after the prefix."""
    bound = r"\b" if pattern.endswith(("[0-9]+", r"\w+", "[a-z]{2}")) else ""
    texts = (line[match.end() :] for line in lines if (match := re.match(pattern, line)))
    has_blank = all(text.startswith(" ") for text in texts if text.strip())
    return bound + ("[ ]?" if has_blank and rests else "")


_TOKEN = re.compile(
    rf"(?P<clock>\s*{_CLOCK})|(?P<name>\b(?:{'|'.join(_MONTHS)}|Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)"
    r"|(?P<digits>\s*[0-9]+)|(?P<blank>\s+)|(?P<other>.)"
)
_PATTERNS = {
    "clock": r"\s*[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?",
    "name": "[A-Z][a-z]{2}",
    "digits": r"\s*[0-9]+",
    "blank": r"\s+",
}


def _digits_reduced(prefix: str) -> str:
    """Pattern of prefixes that differ in their numbers and dates only."""
    parts = []
    for match in _TOKEN.finditer(prefix):
        token = match.lastgroup
        if token == "digits" and not match[0][0].isspace():
            parts.append("[0-9]+" if prefix[: match.start()][-1:] != "[" else r"\s*[0-9]+")
        else:
            parts.append(_PATTERNS.get(token) or re.escape(match[0]))
    # grep writes : after lines that match and - after their context
    if parts and prefix[-1] in ":-":
        parts[-1] = "[:-]"
    return "".join(parts)


def words_reduced(prefix: str) -> str:
    """Pattern of prefixes that differ in names and numbers, not in punctuation."""
    return "".join(
        r"\w+" if part.isalnum() else r"\s+" if part.isspace() else re.escape(part)
        for part in re.findall(r"\w+|\s+|.", prefix.replace("_", "a"))
    )


def _tokens_reduced(prefix: str) -> str:
    """Pattern of prefixes with the same number of fields."""
    return r"\s+".join([r"\S+"] * len(prefix.split()))


# ------------------------------------------------------------------------------------------- times

_FRACTION = r"(?:[.,]([0-9]{1,9})[0-9]*)?"
_ZONE = r"(?: ?(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})\b)?"
_HMS = r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})"
ISO = rf"([0-9]{{4}})[-/.]([0-9]{{2}})[-/.]([0-9]{{2}})[T _]+{_HMS}{_FRACTION}{_ZONE}"
NAMED = (
    rf"\b([A-Z][a-z]{{2}}) +([0-9]{{1,2}}) {_HMS}{_FRACTION}(?: [A-Z]{{3,4}})?(?: ([0-9]{{4}})\b)?"
)
APACHE = rf"\b([0-9]{{1,2}})/([A-Z][a-z]{{2}})/([0-9]{{4}}):{_HMS}{_FRACTION}{_ZONE}"
EPOCH_S = "(?:9[5-9][0-9]{7}|[123][0-9]{9}|40[0-9]{8})"
"""Seconds since 1970 of the years 2000 to 2099; other numbers as long count something else, jiffies for example."""
EPOCH = rf"(?:^|[^0-9.:-])({EPOCH_S})(?:[.]([0-9]{{1,9}}))?(?:[^0-9:-]|$)"


def prefix_times(log: Log, date: dt.date | None = None) -> pl.DataFrame:
    """Dates and times in the removed prefixes.

    A parser whose log prints no date joins it to its rows or snapshots by ``line``: ``time`` where it is not null,
    else ``local`` in the time zone of the machine (``timestamps.resolve_local_times``).
    ``timestamps.with_times`` does so for snapshots.

    Parameters
    ----------
    log : Log
        As returned by ``strip_prefixes``.
    date : datetime.date, optional
        First day of the log: the year of prefixes that have none (syslog).

    Returns
    -------
    polars.DataFrame
        ``line``, ``time`` (UTC, where the prefix has an offset or counts seconds since 1970) and ``local`` (naive,
        where it has none), one row per line with a date and a time; empty without prefixes.
    """
    schema = {"line": pl.Int64, "time": UTC_NS, "local": pl.Datetime("ns")}
    if log.prefixes is None:
        return pl.DataFrame(schema=schema)
    prefixes = log.prefixes.drop_nulls()
    for parts in _readings(prefixes, date):
        if parts.height:
            return parts.select(schema.keys()).cast(schema)
    return pl.DataFrame(schema=schema)


def _readings(prefixes: pl.DataFrame, date: dt.date | None) -> Iterator[pl.DataFrame]:
    """The times of the prefixes by each form of a date, the surest first."""
    text = pl.col("prefix")
    group = text.str.extract_groups(ISO).struct
    fields = [group.field(str(i)) for i in range(1, 9)]
    yield _resolved(prefixes, *map(to_int64, fields[:6]), fields[6], fields[7])
    group = text.str.extract_groups(APACHE).struct
    fields = [group.field(str(i)) for i in range(1, 9)]
    day, month, year = to_int64(fields[0]), _month(fields[1]), to_int64(fields[2])
    yield _resolved(prefixes, year, month, day, *map(to_int64, fields[3:6]), fields[6], fields[7])
    group = text.str.extract_groups(NAMED).struct
    fields = [group.field(str(i)) for i in range(1, 8)]
    month, none = _month(fields[0]), pl.lit(None, pl.String)
    new_year = (month < month.forward_fill().shift() - 6).fill_null(False).cum_sum()
    first_year = pl.lit(None if date is None else date.year, pl.Int64)
    year = pl.coalesce(to_int64(fields[6]), first_year + new_year)
    yield _resolved(prefixes, year, month, *map(to_int64, fields[1:5]), fields[5], none)
    group = text.str.extract_groups(EPOCH).struct
    seconds, fraction = to_int64(group.field("1")), _nanoseconds(group.field("2"))
    epoch_ns = seconds * 1_000_000_000 + fraction
    yield prefixes.select(
        "line", time=epoch_ns.cast(UTC_NS), local=pl.lit(None, pl.Datetime("ns"))
    ).drop_nulls("time")


def _month(name: pl.Expr) -> pl.Expr:
    numbers = {month: number for number, month in enumerate(_MONTHS, 1)}
    return name.replace_strict(numbers, default=None, return_dtype=pl.Int64)


def _nanoseconds(fraction: pl.Expr) -> pl.Expr:
    return to_int64(fraction.fill_null("").str.pad_end(9, "0"))


def _resolved(
    prefixes: pl.DataFrame,
    year: pl.Expr,
    month: pl.Expr,
    day: pl.Expr,
    hour: pl.Expr,
    minute: pl.Expr,
    second: pl.Expr,
    fraction: pl.Expr,
    zone: pl.Expr,
) -> pl.DataFrame:
    """``line``, ``time`` and ``local`` of the prefixes whose fields make a date."""
    is_valid = (
        year.is_between(1970, 2261)
        & month.is_between(1, 12)
        & day.is_between(1, 31)
        & (hour < 24)
        & (minute < 60)
        & (second < 60)
    )
    text = pl.format(
        "{}-{}-{} {}:{}:{}",
        year,
        *(part.cast(pl.String).str.zfill(2) for part in (month, day, hour, minute, second)),
    )
    moment = (
        pl.when(is_valid).then(text).str.to_datetime("%Y-%m-%d %T", time_unit="ns", strict=False)
    )
    offset = zone.str.extract_groups(r"^([+-])([0-9]{2}):?([0-9]{2})$").struct
    minutes = (
        pl.when(zone.is_in(["Z", "UTC", "GMT"]))
        .then(0)
        .otherwise(offset_minutes(offset.field("1"), offset.field("2"), offset.field("3")))
    )
    frame = prefixes.select("line", moment=moment, minutes=minutes, fraction=_nanoseconds(fraction))
    exact = pl.col("moment") + pl.duration(nanoseconds="fraction")
    return frame.drop_nulls("moment").select(
        "line",
        time=(exact - pl.duration(minutes="minutes")).dt.replace_time_zone("UTC"),
        local=pl.when(pl.col("minutes").is_null()).then(exact),
    )
