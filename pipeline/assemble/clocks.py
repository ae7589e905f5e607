"""Dates, zones and times of logs that were recorded by hand, and snapshots that have no time at all."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from pipeline.assemble import texts
from pipeline.assemble.signals import Place, Signal, place_window
from pipeline.assemble.sources import AssembleError, Source

INTERVALS_S = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0)
"""Delays that people give to top and iotop."""
MIN_STRETCH, MAX_STRETCH = 0.97, 1.07
"""Measured over nominal interval: a tool sleeps for the interval, and its own work comes on top."""
MAX_APART = 3.0
"""Two tools that begin within this number of intervals were started together."""
DAY_S = 86_400.0

ACCESS_DATE = r"\[(\d{1,2}/[A-Z][a-z]{2}/\d{4}):\d\d:\d\d:\d\d ([+-]\d{4})\]"
ISO_DATE = r"^(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d:\d\d(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?"
SHORT_DATE = r"^(\d{6}) [ \d]\d:\d\d:\d\d\s"
IOTOP_DATE = r"\| +[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d{1,2}) \d\d:\d\d:\d\d (\d{4})\s*$"
DATES = {"access": (ACCESS_DATE,), "general": (ISO_DATE, SHORT_DATE), "iotop": (IOTOP_DATE,)}
FORMATS = {ACCESS_DATE: "%d/%b/%Y", ISO_DATE: "%Y-%m-%d", SHORT_DATE: "%y%m%d"}
MAX_LINES = 5000


@dataclass(frozen=True)
class PrintedDate:
    """A date in the text of a log, and the zone if its offset is there too."""

    date: str
    tz: str | None
    source: Source


def printed_date(sources: Iterable[Source]) -> PrintedDate | None:
    """The first date that the text of a log has; None without any."""
    for source in sources:
        for pattern in DATES.get(source.kind, ()):
            for text in source.log.lines["text"].head(MAX_LINES):
                match = re.search(pattern, text)
                if match:
                    return PrintedDate(_iso_date(pattern, match), _zone_of(match, pattern), source)
    return None


def _iso_date(pattern: str, match: re.Match[str]) -> str:
    if pattern == IOTOP_DATE:
        day = re.sub(" +", " ", match[1])
        return dt.datetime.strptime(f"{day} {match[2]}", "%b %d %Y").date().isoformat()
    return dt.datetime.strptime(match[1], FORMATS[pattern]).date().isoformat()


def _zone_of(match: re.Match[str], pattern: str) -> str | None:
    """IANA name of a printed offset of whole hours."""
    printed = match[2] if pattern in (ACCESS_DATE, ISO_DATE) else None
    if pattern == ISO_DATE:  # MySQL's log_timestamps is UTC whatever the zone of the machine
        return None
    if not printed:
        return None
    hours, minutes = int(printed[:3]), int(printed[-2:])
    if minutes:
        return None
    return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"


def file_date(sources: Iterable[Source]) -> str | None:
    """The day on which the logs without a date were last written, by their files; None if they differ."""
    days = {
        dt.datetime.fromtimestamp(source.path.stat().st_mtime, dt.UTC).date().isoformat()
        for source in sources
        if source.kind in ("top", "iotop")
    }
    return days.pop() if len(days) == 1 else None


def moment_ns(text: str, date: str, tz: str) -> int:
    """Nanoseconds since 1970 of ``HH:MM:SS`` on ``date`` in the zone ``tz``, or of an ISO date and time.

    Examples
    --------
    >>> moment_ns("01:00:00.5", "1970-01-01", "Europe/Berlin")
    500000000
    """
    try:
        if re.fullmatch(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?", text):
            clock = dt.time.fromisoformat(text.rjust(len(text) + (text[1] == ":"), "0"))
            moment = dt.datetime.combine(dt.date.fromisoformat(date), clock)
        else:
            moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise AssembleError(texts.bad_moment(text)) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(tz))
    return round(moment.timestamp() * 1e6) * 1000


@dataclass(frozen=True)
class Span:
    """Times of a log's first and last snapshot, seconds since 1970."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """From the first to the last."""
        return self.end_s - self.start_s


def span_of(frame: pl.DataFrame) -> Span | None:
    """Span of a table with ``time``; None without two times."""
    if frame.is_empty() or "time" not in frame.columns:
        return None
    times = (frame["time"].drop_nulls().dt.epoch("ns") / 1e9).unique()
    return Span(float(times.min()), float(times.max())) if times.len() > 1 else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class Ticks:
    """Times of snapshots that have none: the first one, and the interval; and how they were inferred."""

    start_s: float
    interval_s: float
    uncertainty_s: float
    reason: str


def align(
    total: Signal,
    nearby: Span | None,
    window: Place | None,
    length_s: float | None,
    interval_s: float | None = None,
) -> Ticks | None:
    """Times of the snapshots of a log that prints none.

    Parameters
    ----------
    total : Signal
        What the log counts, ``at_s`` being the numbers of its snapshots.
    nearby : Span or None
        Of another log of the machine that has times.
    window : Place or None
        Where the load is, by the clock of the machine.
    length_s : float or None
        Length of the load.
    interval_s : float, optional
        The interval, if it is given.

    Returns
    -------
    Ticks or None
        By the rise of the signal with the load, else by the number of snapshots in the nearby log's span; None if
        neither tells.
    """  # fmt: skip
    count = len(total.at_s)
    if count < 2:
        return None
    counted_s = None if nearby is None else nearby.length_s / (count - 1)
    is_nominal = counted_s is not None and any(
        MIN_STRETCH * each <= counted_s <= MAX_STRETCH * each + each / (count - 1)
        for each in INTERVALS_S
    )
    if interval_s is not None:
        candidates = (interval_s,)
    elif counted_s is not None and is_nominal:
        candidates = (counted_s,)
    else:  # an overloaded machine delays the tool
        candidates = (*((counted_s,) if counted_s else ()), 1.0, 2.0, 5.0)
    for each in candidates:
        place = None
        if window is not None and length_s and total.growth > 0:
            place = place_window(Signal(total.at_s * each, total.total, total.name), length_s)
        if place is None or window is None:
            continue
        start_s = window.start_s - place.start_s
        is_together = nearby is not None and abs(start_s - nearby.start_s) <= MAX_APART * each
        if each != counted_s or is_nominal or is_together:
            uncertainty_s = place.uncertainty_s + window.uncertainty_s
            return Ticks(start_s, each, uncertainty_s, texts.by_rise(total.name, each))
    if nearby is not None and (is_nominal or interval_s is not None):
        each = candidates[0]
        return Ticks(nearby.start_s, each, 2 * each, texts.by_count(count, each))
    return None


def day_shift(span: Span, reference: Span) -> int:
    """Days by which a log's times have to be moved so that it overlaps another log of its machine."""
    middle_s = (reference.start_s + reference.end_s) / 2 - (span.start_s + span.end_s) / 2
    return int(np.round(middle_s / DAY_S))


def shifted_date(date: str, days: int) -> str:
    """A date ``days`` later.

    Examples
    --------
    >>> shifted_date("2024-02-28", 2)
    '2024-03-01'
    """
    return (dt.date.fromisoformat(date) + dt.timedelta(days=days)).isoformat()
