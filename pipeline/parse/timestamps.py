"""Times of snapshots in UTC, for logs without sentinels that print a local time of day.

``top`` and ``iotop -t`` print ``HH:MM:SS`` in the machine's time zone and no date, so the first day of the log
and the zone must be given. Then:

- midnight is where the time decreases by half a day or more; where the uptime is known, days are counted by it
  (also over gaps of several days);
- a smaller decrease is a clock that was set back: flag ``clock-set-back``, times remain as printed;
- an hour that occurs twice in a zone (end of daylight saving time) is resolved by the decrease within it, or by
  the times before and after it: flag ``clock-ambiguous``;
- a time that does not exist in a zone is null: flag ``clock-missing``.

A logger's prefix with a date gives the times where the log prints none. Without a date times are null, with a
warning. Without a zone UTC is assumed, with a warning.

Example:
    >>> clock = pl.Series(["23:59:58", "00:00:01"])
    >>> times = resolve_times(clock, date="2024-02-28", tz="Europe/Berlin", file="top.log")
    >>> times.frame["time"].dt.to_string("%F %T").to_list()
    ['2024-02-28 22:59:58', '2024-02-28 23:00:01']
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import ClockError
from pipeline.parse.expressions import join_flags
from pipeline.parse.log import Log
from pipeline.parse.prefixes import prefix_times
from pipeline.tables import UTC_NS
from pipeline.units import DAY_S

Day = dt.date | str | None
"""First day of a log: a date, or text ``YYYY-MM-DD``."""

SET_BACK, AMBIGUOUS, MISSING = "clock-set-back", "clock-ambiguous", "clock-missing"


MIN_YEAR, MAX_YEAR = 1970, 2200
"""Years of logs: nanoseconds since 1970 in 64 bits end in 2262."""


@dataclass(frozen=True)
class Times:
    """``frame`` has ``time`` (UTC, null where unknown) and ``flags`` (null where there are none)."""

    frame: pl.DataFrame
    warnings: list[str] = field(default_factory=list)


def parse_day(date: Day, file: str) -> dt.date | None:
    """First day of a log as a date; ``ClockError`` if there is no such date, or if nanoseconds do not reach it."""
    if date is None:
        return None
    if isinstance(date, dt.datetime):
        day = date.date()
    elif isinstance(date, dt.date):
        day = date
    else:
        try:
            day = dt.date.fromisoformat(str(date).strip())
        except ValueError as error:
            raise ClockError(file, texts.invalid_date(date)) from error
    if not MIN_YEAR <= day.year <= MAX_YEAR:
        raise ClockError(file, texts.date_out_of_range(date, MIN_YEAR, MAX_YEAR))
    return day


def check_time_zone(tz: str | None, file: str) -> str | None:
    """Name of the zone; ``ClockError`` if there is no such zone."""
    if tz is None:
        return None
    try:
        return zoneinfo.ZoneInfo(tz).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ClockError(file, texts.unknown_zone(tz)) from error


def with_times(
    snapshots: pl.DataFrame, log: Log, *, date: Day, tz: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """``snapshots`` with time, sentinel columns, ``is_interval`` and ``flags``, and warnings.

    Columns of ``snapshots``: snapshot, line, ``clock`` as for ``resolve_times``, and maybe ``uptime_s``;
    or ``local`` as for ``resolve_local_times``. With sentinels neither is used. Where the log prints no date, the times
    in front of its lines (``prefixes``) are used.
    """
    snapshots = snapshots.join_asof(log.ticks.drop("tick"), on="line", strategy="backward")
    if log.has_sentinels:
        is_interval = ~pl.col("is_start").fill_null(True)
        return snapshots.with_columns(is_interval=is_interval, flags=pl.lit(None, pl.String)), []
    dated = prefix_times(log, parse_day(date, log.file))
    has_clock = snapshots["clock"].is_not_null().any() and date is not None
    if "local" not in snapshots.columns and dated.height and not has_clock:
        times = _resolve_prefix_times(snapshots, dated, tz=tz, file=log.file)
    elif "local" in snapshots.columns:
        times = resolve_local_times(snapshots["local"], tz=tz, file=log.file)
    else:
        uptime_s = snapshots.get_column("uptime_s", default=None)
        times = resolve_times(
            snapshots["clock"], date=date, tz=tz, file=log.file, uptime_s=uptime_s
        )
    return (
        snapshots.with_columns(*times.frame.iter_columns(), is_interval=pl.col("snapshot") > 0),
        times.warnings,
    )


class ClockReadings:
    """Times of day of the snapshots of a log that comes in pieces; resolved when all are read.

    Parameters
    ----------
    file : str
    date : datetime.date or str, optional
    tz : str, optional
        As for ``resolve_times``.
    """

    def __init__(self, file: str, date: Day, tz: str | None):
        self._file, self._date, self._tz = file, date, tz
        self._readings = [
            pl.DataFrame(schema={"snapshot": pl.Int64, "clock": pl.String, "uptime_s": pl.Int64})
        ]
        self._has_clock = False

    def add(self, snapshots: pl.DataFrame) -> None:
        """Keep ``snapshot``, ``clock`` and ``uptime_s`` of the next snapshots with a clock."""
        readings = snapshots.select("snapshot", "clock", "uptime_s").drop_nulls("clock")
        self._has_clock = self._has_clock or readings.height > 0
        if self._date is not None:  # without a date there are no times
            self._readings.append(readings)

    @cached_property
    def times(self) -> Times:
        """``snapshot``, ``time`` and ``flags`` of all snapshots with a clock."""
        readings = pl.concat(self._readings)
        times = resolve_times(
            readings["clock"],
            date=self._date,
            tz=self._tz,
            file=self._file,
            uptime_s=readings["uptime_s"],
        )
        return Times(times.frame.insert_column(0, readings["snapshot"]), times.warnings)

    def with_times(self, snapshots: pl.DataFrame, log: Log) -> pl.DataFrame:
        """As the function ``with_times``, for the snapshots of a piece of a log without sentinels."""
        snapshots = snapshots.join_asof(
            log.ticks.drop("tick", "time"), on="line", strategy="backward"
        ).join(self.times.frame, on="snapshot", how="left", maintain_order="left")
        return snapshots.with_columns(is_interval=pl.col("snapshot") > 0)

    def warnings(self, snapshots: int) -> list[str]:
        """Warnings about the times of a log with that number of snapshots."""
        if self._date is not None or not snapshots:
            return self.times.warnings
        return [f"{self._file}: {texts.NO_DATE if self._has_clock else texts.NO_CLOCK}"]


def _resolve_prefix_times(
    snapshots: pl.DataFrame, dated: pl.DataFrame, *, tz: str | None, file: str
) -> Times:
    """Times of the prefixes of the first lines of snapshots (``prefix_times``)."""
    dated = snapshots.select("line").join(
        dated.rename({"time": "exact"}), on="line", how="left", maintain_order="left"
    )
    local = resolve_local_times(dated["local"], tz=tz, file=file)
    time = pl.coalesce(dated["exact"], local.frame["time"]).alias("time")
    warnings = [f"{file}: {texts.TIMES_OF_PREFIX}", *local.warnings]
    return Times(local.frame.with_columns(time), warnings)


def resolve_times(
    clock: pl.Series,
    *,
    date: Day,
    tz: str | None,
    file: str,
    uptime_s: pl.Series | None = None,
) -> Times:
    """Times in UTC for times of day (``HH:MM:SS``, or null) in the order of the log."""
    day = parse_day(date, file)
    name = check_time_zone(tz, file)
    if day is None:
        has_clock = clock.is_not_null().any()
        why = texts.NO_DATE if has_clock else texts.NO_CLOCK
        warnings = [f"{file}: {why}"] if clock.len() else []
        unknown = pl.DataFrame(schema={"time": UTC_NS, "flags": pl.String}).clear(clock.len())
        return Times(unknown, warnings)
    frame = pl.DataFrame({"clock": clock.cast(pl.String)})
    parts = (
        pl.col("clock").str.extract_groups(r"^([0-9][0-9]):([0-5][0-9]):([0-5][0-9]|60)$").struct
    )
    hours, minutes, seconds = (parts.field(str(i)).cast(pl.Int64) for i in (1, 2, 3))
    of_day = pl.when(hours < 24).then(hours * 3600 + minutes * 60 + seconds)
    frame = frame.with_row_index("at").with_columns(
        of_day=of_day,
        uptime=pl.lit(None, dtype=pl.Int64) if uptime_s is None else uptime_s.cast(pl.Int64),
    )
    resolved = frame.drop_nulls("of_day").with_columns(
        days=_midnights_between(), back=_is_step_back()
    )
    start = pl.lit(day).cast(pl.Datetime("ns"))
    local = start + pl.duration(days=pl.col("days").cum_sum(), seconds=pl.col("of_day"))
    resolved = resolved.with_columns(local=local.cast(pl.Datetime("ns")))
    return _to_utc(frame, resolved, name, file)


def resolve_local_times(local: pl.Series, *, tz: str | None, file: str) -> Times:
    """Times in UTC for local dates and times (``Datetime``, or null) in the order of the log."""
    frame = pl.DataFrame({"local": local.cast(pl.Datetime("ns"))}).with_row_index("at")
    back = (pl.col("local") < pl.col("local").shift()).fill_null(False)
    resolved = frame.drop_nulls("local").with_columns(back=back)
    return _to_utc(frame, resolved, check_time_zone(tz, file), file)


def _midnights_between() -> pl.Expr:
    """Number of midnights between a time and the one before it."""
    step = pl.col("of_day") - pl.col("of_day").shift()
    up = pl.col("uptime") - pl.col("uptime").shift()
    by_uptime = ((up - step) / DAY_S).round().cast(pl.Int64)
    by_clock = (step <= -DAY_S // 2).cast(pl.Int64)
    return pl.when(up >= 0).then(by_uptime.clip(lower_bound=0)).otherwise(by_clock).fill_null(0)


def _is_step_back() -> pl.Expr:
    """Whether a time is before the previous one, other than at midnight."""
    step = pl.col("of_day") - pl.col("of_day").shift() + _midnights_between() * DAY_S
    return (step < 0).fill_null(False)


def _to_utc(frame: pl.DataFrame, resolved: pl.DataFrame, name: str | None, file: str) -> Times:
    """The times of ``frame``, from its rows whose local time is ``resolved`` (``at``, ``local``, ``back``)."""
    warnings = []
    if name is None and resolved.height:
        warnings.append(f"{file}: {texts.UTC_ASSUMED}")
    zoned = resolved["local"].dt
    earliest = zoned.replace_time_zone(name or "UTC", ambiguous="earliest", non_existent="null")
    latest = zoned.replace_time_zone(name or "UTC", ambiguous="latest", non_existent="null")
    resolved = resolved.with_columns(
        earliest=earliest.dt.convert_time_zone("UTC"), latest=latest.dt.convert_time_zone("UTC")
    ).with_columns(
        is_ambiguous=(pl.col("earliest") != pl.col("latest")).fill_null(False),
        is_missing=pl.col("earliest").is_null(),
    )
    run = (pl.col("is_ambiguous") != pl.col("is_ambiguous").shift()).fill_null(True).cum_sum()
    resolved = resolved.with_columns(run=run)
    back_inside = pl.col("back") & (pl.col("run") == pl.col("run").shift()).fill_null(False)
    resolved = resolved.with_columns(inside=back_inside).with_columns(
        backs=pl.col("inside").cast(pl.Int64).cum_sum().over("run", order_by="at"),
        begins_log=pl.col("at").min().over("run") == pl.col("at").min(),
        ends_log=pl.col("at").max().over("run") == pl.col("at").max(),
    )
    is_second = (
        pl.when(pl.col("inside").any().over("run"))
        .then(pl.col("backs") > 0)
        .otherwise(pl.col("begins_log") & ~pl.col("ends_log"))
    )
    is_latest = pl.col("is_ambiguous") & is_second
    resolved = resolved.with_columns(time=pl.when(is_latest).then("latest").otherwise("earliest"))
    earlier = (pl.col("time") < pl.col("time").forward_fill().shift()).fill_null(False)
    resolved = resolved.with_columns(is_set_back=pl.col("back") & earlier)
    problems = (
        ("is_set_back", SET_BACK, texts.CLOCK_BACK),
        ("is_ambiguous", AMBIGUOUS, texts.ambiguous_hour(name)),
        ("is_missing", MISSING, texts.missing_hour(name)),
    )  # fmt: skip
    for column, _, message in problems:
        count = resolved[column].sum()
        if count:
            warnings.append(f"{file}: {message} ({count} snapshots)")
    times = resolved.select(
        "at", "time", flags=join_flags((pl.col(column), flag) for column, flag, _ in problems)
    )
    frame = frame.join(times, on="at", how="left", maintain_order="left")
    return Times(frame.select("time", "flags"), warnings)
