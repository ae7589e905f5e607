"""Lines that only say when: ``date``'s output, seconds since 1970, pt-stalk's ``TS`` lines.

Forms: ``TS 1795383360.004 2026-11-22 21:36:00``, ``1795383360.004`` (``date +%s.%N``, also in ms, µs or ns),
``Sun Nov 22 21:36:00 UTC 2026``, ``Sun 22 Nov 2026 09:36:00 PM UTC``, ``Sun, 22 Nov 2026 21:36:00 +0000``,
``2026-11-22T21:36:00+00:00``, ``2026-11-22 21:36:00``, ``21:36:00``; in brackets or between ``#``, ``=``, ``-``.

Seconds since 1970 and times with UTC or an offset are exact. Others are local times of the zone ``tz``, and
a time of day needs the ``date`` of the log's begin, as for top. A number is a time if it is one of the years
2000 to 2099, and not if /proc/schedstat printed it (jiffies, below its ``version``). The abbreviation of a zone says
which zone it is only to those who know the machine: it needs ``tz``.

Example:
    >>> body = pl.DataFrame({"line": [1, 2, 3], "text": ["TS 1795383360.5", "8 0 sda 1", "2026-11-22T21:36:01Z"]})
    >>> stamps = read_stamps(body, date=None, tz=None, file="block.log")
    >>> stamps.frame.select("line", pl.col("time").dt.to_string("%T%.3f")).rows()
    [(1, '21:36:00.500'), (3, '21:36:01.000')]
"""

from __future__ import annotations

import datetime as dt
import re

import polars as pl

from pipeline.parse import texts, timestamps
from pipeline.parse.prefixes import EPOCH_S
from pipeline.parse.timestamps import Day, Times
from pipeline.tables import UTC_NS

_CLOCK = r"(?P<{0}clock>[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})(?:[.,](?P<{0}fraction>[0-9]{{1,9}}))?"
_ZONE = r"(?:Z|UTC|GMT|[A-Z]{2,5}|[+-][0-9]{2}:?[0-9]{2})"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "|".join(_MONTHS)
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"


def _form(name: str, pattern: str) -> str:
    """A pattern with its clock and named groups, whose names begin with ``name``."""
    return pattern.replace("CLOCK", _CLOCK.format(name)).replace("(?P<_", f"(?P<{name}")


FORMS = {
    "e": rf"(?P<epoch>{EPOCH_S})(?:(?P<fine>[0-9]{{9}}|[0-9]{{6}}|[0-9]{{3}})|[.,](?P<efraction>[0-9]{{1,9}}))?"
         rf"(?:\s+(?:[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]|{_WEEKDAY},? [A-Za-z0-9 ]+ )[0-9:.,]+[A-Z0-9 +:-]*)?",
    "i": _form("i", rf"(?P<_day>[0-9]{{4}}[-/][0-9]{{2}}[-/][0-9]{{2}})[T _]CLOCK ?(?P<_zone>{_ZONE})?"),
    "c": _form("c", rf"{_WEEKDAY},? (?P<_month>{_MONTH}) +(?P<_of_month>[0-9]{{1,2}}) CLOCK"
               rf"(?: (?P<_half>[AP]M))?(?: (?P<_zone>{_ZONE}))? (?P<_year>[0-9]{{4}})"),
    "r": _form("r", rf"(?:{_WEEKDAY},? )?(?P<_of_month>[0-9]{{1,2}}) (?P<_month>{_MONTH}) (?P<_year>[0-9]{{4}}),? CLOCK"
               rf"(?: (?P<_half>[AP]M))?(?: (?P<_zone>{_ZONE}))?"),
    "t": _form("t", "CLOCK"),
}  # fmt: skip
"""The forms of a time, by the letter with which the names of their groups begin."""

STAMP = (
    r"^[\s#=*>|\[(-]*(?:(?:TS|[Tt]ime|[Tt]imestamp|[Dd]ate|[Ee]poch|now)\b[:=]?\s*)?"
    rf"(?:{'|'.join(FORMS.values())})[\s#=*<|\]):-]*$"
)
"""A line with nothing but a time."""

_VERSION, _JIFFIES = r"^version [0-9]+$", r"^timestamp [0-9]+$"
"""The first two lines of /proc/schedstat."""

LAST_YEAR = 2261
"""Last full year of 64-bit nanoseconds."""


def read_stamps(body: pl.DataFrame, *, date: Day, tz: str | None, file: str) -> Times:
    """Lines of ``body`` that only say when, with their time.

    Parameters
    ----------
    body : polars.DataFrame
        ``line`` and ``text``.
    date : datetime.date or str, optional
        First day of a log whose stamps have only a time of day.
    tz : str, optional
        IANA name of the zone of times without an offset.
    file : str
        Name of the log in warnings.

    Returns
    -------
    Times
        ``frame`` has ``line`` and ``time`` (UTC; null where unknown).
    """
    return resolve_stamps(find_stamps(body), date=date, tz=tz, file=file)


def find_stamps(body: pl.DataFrame, above: str | None = None) -> pl.DataFrame:
    """Lines of ``body`` that only say when, with what each says, for :func:`resolve_stamps`.

    ``above``: the line above the first one.
    """
    text = pl.col("text")
    before = text.shift(fill_value=above)
    is_jiffies = text.str.contains(_JIFFIES) & before.str.contains(_VERSION)
    lines = body.filter(text.str.contains(STAMP) & ~is_jiffies.fill_null(False))
    values = [_read(re.match(STAMP, text)) for text in lines["text"]]
    return pl.DataFrame(
        [
            lines["line"],
            *(
                pl.Series(name, [row[at] for row in values], dtype)
                for at, (name, dtype) in enumerate(_PARTS)
            ),
        ]
    )


_PARTS = (
    ("ns", pl.Int64),
    ("local", pl.Datetime("us")),
    ("clock", pl.String),
    ("zone", pl.String),
    ("below_s_ns", pl.Int64),
)


def resolve_stamps(frame: pl.DataFrame, *, date: Day, tz: str | None, file: str) -> Times:
    """The stamps of a log (``find_stamps``) with ``time``, and warnings."""
    warnings: list[str] = []
    unknown = (
        frame.filter(pl.col("zone").is_not_null())["zone"].unique().sort().to_list()
        if tz is None
        else []
    )
    if unknown:
        warnings.append(f"{file}: {texts.zone_abbreviation(unknown)}")
        frame = frame.with_columns(local=pl.when(pl.col("zone").is_null()).then("local"))
    time = frame["ns"].cast(UTC_NS)
    for column, resolve in (
        ("local", timestamps.resolve_local_times),
        ("clock", lambda clock, **given: timestamps.resolve_times(clock, date=date, **given)),
    ):
        if frame[column].is_not_null().any():
            times = resolve(frame[column], tz=tz, file=file)
            below = pl.duration(nanoseconds=frame["below_s_ns"], time_unit="ns")
            time = times.frame.select(time=pl.coalesce(time, pl.col("time") + below))["time"]
            warnings += times.warnings
    return Times(frame.select("line", time=time), warnings)


def _read(
    match: re.Match[str],
) -> tuple[int | None, dt.datetime | None, str | None, str | None, int]:
    """What a stamp says: ns since 1970, or a local time, or a time of day; a zone's abbreviation; ns of the second."""
    parts = match.groupdict()
    form = next(name for name in "eicrt" if parts.get("epoch" if name == "e" else f"{name}clock"))
    fraction = parts["fine"] or parts[f"{form}fraction"] or ""
    below_s_ns = int(fraction.ljust(9, "0"))
    if form == "e":
        return int(parts["epoch"]) * 10**9 + below_s_ns, None, None, None, 0
    if form == "t":
        return None, None, parts["tclock"], None, below_s_ns
    zone = parts[f"{form}zone"]
    local = _local_time(parts, form)
    if local is None or zone is None:
        return None, local, None, None, below_s_ns
    if zone in ("Z", "UTC", "GMT"):
        offset_min = 0
    elif zone[0] in "+-":
        offset_min = int(zone[0] + "1") * (int(zone[1:3]) * 60 + int(zone[-2:]))
    else:
        return None, local, None, zone, below_s_ns
    moment = local - dt.timedelta(minutes=offset_min) - dt.datetime(1970, 1, 1)
    return (moment.days * 86_400 + moment.seconds) * 10**9 + below_s_ns, None, None, None, 0


def _local_time(parts: dict[str, str | None], form: str) -> dt.datetime | None:
    """Date and time of day of a stamp to the second; None if they do not exist."""
    hour, minute, second = map(int, parts[f"{form}clock"].split(":"))
    half = parts.get(f"{form}half")
    if half:
        hour = hour % 12 + 12 * (half == "PM")
    try:
        if form == "i":
            day = dt.date.fromisoformat(parts["iday"].replace("/", "-"))
        else:
            month = _MONTHS.index(parts[f"{form}month"]) + 1
            day = dt.date(int(parts[f"{form}year"]), month, int(parts[f"{form}of_month"]))
        local = dt.datetime.combine(day, dt.time(hour, minute, second))
        return local if 1970 <= local.year <= LAST_YEAR else None
    except ValueError:
        return None
