"""Times of the commands of a general log, piece by piece: times without a zone, and those that a command inherits.

Threads overtake each other between taking the time and writing the head: the clock is read as going steadily
(``steady``), and what a head lags behind is put back after.

Example:
    >>> times = GeneralTimes("general.log", "UTC")
    >>> times.warnings()
    []
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from pipeline import tables
from pipeline.parse import texts, timestamps
from pipeline.parse.expressions import offset_minutes, to_utc_ns

OVERTAKING = dt.timedelta(seconds=60)
"""Heads may be out of order by this much without a step of the clock."""

_INHERITED = {"own": tables.UTC_NS, "clock_flags": pl.String, "assumed": pl.Boolean}


class GeneralTimes:
    """The times of a log, and what later pieces need of earlier ones.

    Parameters
    ----------
    file : str
    tz : str, optional
        Time zone of times without an offset.
    """

    def __init__(self, file: str, tz: str | None):
        self.file, self.tz = file, tz
        self._last: dt.datetime | None = None
        """Last local time without a zone, and the latest one since the clock was set back."""
        self._steady: dt.datetime | None = None
        self._follows_other = False
        """Whether the last head has no local time without a zone."""
        self._resolved: dt.datetime | None = None
        """Last steady local time that exists."""
        self._inherited: dict[str, Any] | None = None
        """What a blank time below the last line is."""
        self._counts = dict.fromkeys(_WARNINGS, 0)
        self._has_local = False
        self._lost: list[int] = [0, 0]
        """Number of commands without a time, and line of the first one."""

    def held_line(self, heads: pl.DataFrame, last: int | None) -> int | None:
        """The line from which on a piece must be read with the next one; None: its first line.

        The last command may go on, and which of the two equal hours at the end of daylight saving time it is, only
        later times say.

        Parameters
        ----------
        heads : polars.DataFrame
            ``line`` and the columns of ``with_stamps``.
        last : int, optional
            The last line of the piece with which a command or something else begins.
        """
        if last is None or self.tz is None:
            return last
        rows = self._with_steady(heads.filter(pl.col("line") < last)).drop_nulls("steady")
        earliest, latest = (
            pl.col("steady").dt.replace_time_zone(self.tz, ambiguous=which, non_existent="null")
            for which in ("earliest", "latest")
        )
        certain = rows.filter((earliest == latest).fill_null(True))
        after = int(certain["line"][-1]) if certain.height else 0
        ambiguous = rows.filter(pl.col("line") > after)["line"]
        return int(ambiguous[0]) if ambiguous.len() else last

    def with_times(self, heads: pl.DataFrame, last_era: int) -> pl.DataFrame:
        """The heads of a piece with ``time`` in UTC (inherited where blank), ``clock_flags`` and ``assumed``.

        Parameters
        ----------
        heads : polars.DataFrame
            ``line``, ``era`` and the columns of ``with_stamps``.
        last_era : int
            The era of the last line of the piece.
        """
        says, era = pl.col("says"), pl.col("era")
        # a blank time below another one of its era is the same
        is_read = heads.select(
            (says | says.shift() | (era != era.shift())).fill_null(True)
        ).to_series()
        rows = self._read(heads.filter(is_read).select("line", "era", *STAMP_COLUMNS), last_era)
        rows = rows.select("time", "clock_flags", "assumed")
        if not is_read.all():
            rows = rows[is_read.cum_sum() - 1]
        lost = heads.filter(rows["time"].is_null())["line"]
        if lost.len():
            self._lost = [self._lost[0] + lost.len(), self._lost[1] or int(lost[0])]
        return heads.with_columns(rows)

    def _read(self, rows: pl.DataFrame, last_era: int) -> pl.DataFrame:
        """``rows`` with ``time``, ``clock_flags`` and ``assumed``."""
        rows = self._with_steady(rows)
        by_zone = self._resolve(rows["steady"])
        lag = rows["local_naive"] - rows["steady"]
        zoned = pl.col("local") - pl.duration(minutes="offset", time_unit="us")
        rows = rows.with_columns(
            by_zone.select(
                (pl.col("time") + lag).cast(tables.UTC_NS).alias("by_zone"),
                pl.col("flags").alias("clock_flags"),
            )
        ).with_columns(
            own=pl.when("has_zone").then(to_utc_ns(zoned)).otherwise("by_zone"),
            assumed=pl.col("says") & ~pl.col("has_zone") & pl.lit(self.tz is None),
        )
        self._carry(rows, by_zone)
        return self._with_inherited(rows, last_era)

    def _with_steady(self, rows: pl.DataFrame) -> pl.DataFrame:
        """``rows`` with ``local_naive`` (null with a zone) and ``steady``."""
        fits = pl.col("local").dt.year().is_between(1678, 2261)
        rows = rows.with_columns(local_naive=pl.when(~pl.col("has_zone") & fits).then("local"))
        if rows["local_naive"].null_count() == rows.height:
            return rows.with_columns(steady="local_naive")
        local = pl.col("local_naive")
        before = pl.lit(self._last, pl.Datetime("us"))
        dated = rows.select("line", "local_naive").drop_nulls()
        dated = dated.with_columns(
            set_back=(local < local.shift().fill_null(before) - OVERTAKING)
            .fill_null(False)
            .cum_sum()
        )
        steady = local.cum_max().over("set_back")
        carried = pl.when(pl.col("set_back") == 0).then(pl.lit(self._steady, pl.Datetime("us")))
        dated = dated.select("line", steady=pl.max_horizontal(steady, carried))
        return rows.join(dated, on="line", how="left", maintain_order="left")

    def _resolve(self, steady: pl.Series) -> pl.DataFrame:
        """``time`` and ``flags`` of local times, which go on from those of earlier pieces."""
        if steady.null_count() == steady.len():
            return pl.DataFrame(schema={"time": tables.UTC_NS, "flags": pl.String}).clear(
                steady.len()
            )
        above = [time for time in dict.fromkeys((self._resolved, self._steady)) if time]
        above += [None] if above and self._follows_other else []
        every = pl.concat([pl.Series(above, dtype=pl.Datetime("us")), steady])
        times = timestamps.resolve_local_times(every, tz=self.tz, file=self.file)
        return times.frame.slice(len(above))

    def _carry(self, rows: pl.DataFrame, by_zone: pl.DataFrame) -> None:
        """Keep what the times of the next piece go on from."""
        if not rows.height:
            return
        self._follows_other = rows["steady"][-1] is None
        dated = rows.select("local_naive", "steady", "clock_flags", by=by_zone["time"])
        dated = dated.drop_nulls("steady")
        for flag in _WARNINGS:
            flags = dated["clock_flags"].str.contains(flag, literal=True)
            self._counts[flag] += int(flags.sum())
        if dated.height:
            self._has_local = True
            self._last, self._steady = dated["local_naive"][-1], dated["steady"][-1]
            existing = dated.drop_nulls("by")["steady"]
            self._resolved = existing[-1] if existing.len() else self._resolved

    def _with_inherited(self, rows: pl.DataFrame, era: int) -> pl.DataFrame:
        """``rows`` with ``time``, ``clock_flags`` and ``assumed``, also of heads with a blank time.

        A blank time inherits the head above it, but not across a server's start; a time that says nothing readable is
        inherited as what it is: unknown.
        """
        rows = rows.with_row_index("row")
        rows = rows.with_columns(source=pl.when("says").then("row").forward_fill().over("era"))
        at = pl.col("source")
        rows = rows.with_columns(pl.col(*_INHERITED).gather(at, null_on_oob=True))
        last = rows.filter((pl.col("era") == era) & at.is_not_null()).select(*_INHERITED).tail(1)
        above, self._inherited = self._inherited, None if era else self._inherited
        if last.height:
            self._inherited = last.row(0, named=True)
        if above is not None:
            is_below = at.is_null() & (pl.col("era") == 0)
            rows = rows.with_columns(
                pl.when(is_below).then(pl.lit(above[name], dtype)).otherwise(name).alias(name)
                for name, dtype in _INHERITED.items()
            )
        return rows.rename({"own": "time"})

    def warnings(self) -> list[str]:
        """Warnings about the times of the log."""
        name = timestamps.check_time_zone(self.tz, self.file)
        warnings = []
        if name is None and self._has_local:
            warnings.append(f"{self.file}: {texts.UTC_ASSUMED}")
        for flag, message in _WARNINGS.items():
            if count := self._counts[flag]:
                warnings.append(f"{self.file}: {message(name)} ({count} snapshots)")
        count, line = self._lost
        if count:
            warnings.append(f"{self.file}:{line}: {texts.commands_without_time(count)}")
        return warnings


_WARNINGS = {
    timestamps.SET_BACK: lambda _name: texts.CLOCK_BACK,
    timestamps.AMBIGUOUS: texts.ambiguous_hour,
    timestamps.MISSING: texts.missing_hour,
}
"""Flag of a time → warning with the name of the zone, in order."""


STAMP_COLUMNS = ("says", "local", "has_zone", "offset")


def with_stamps(heads: pl.DataFrame) -> pl.DataFrame:
    """``heads`` with their times as printed instead of the groups of ``general_heads.STAMP``.

    Returns
    -------
    polars.DataFrame
        ``says``: whether a time is printed; ``local``: the time, null if there is no such time; ``has_zone``, and
        ``offset`` from UTC in minutes.
    """
    day = pl.col("day").str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
    hms, fraction = pl.col("clock").str.slice(0, 8), pl.col("clock").str.slice(9)
    parts = hms.str.split_exact(":", 2).struct
    hour, minute, second = (parts.field(f"field_{i}").cast(pl.Int64) for i in range(3))
    real = (hour <= 23) & (minute <= 59) & (second <= 60)
    micros = fraction.str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64, strict=False).fill_null(0)
    iso = pl.when(real).then(
        day
        + pl.duration(
            hours=hour, minutes=minute, seconds=second, microseconds=micros, time_unit="us"
        )
    )
    short = (
        pl.col("short")
        .str.replace("  ", " 0", literal=True)
        .str.to_datetime("%y%m%d %H:%M:%S", time_unit="us", strict=False)
    )
    offset = offset_minutes(pl.col("sign"), pl.col("hours"), pl.col("minutes"))
    return heads.with_columns(
        says=pl.any_horizontal(pl.col("day", "short").is_not_null()),
        local=pl.coalesce(iso, short),
        has_zone=pl.any_horizontal(pl.col("sign", "zulu").is_not_null()),
        offset=pl.when(pl.col("zulu").is_not_null()).then(0).otherwise(offset),
    ).drop("day", "clock", "zulu", "sign", "hours", "minutes", "short")
