"""iotop: when each snapshot was taken, and what the C program's versions count twice."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import polars as pl

from pipeline.parse import clock
from pipeline.parse.log import Log

DATE = (
    r"^[A-Z][a-z]{2} ([A-Z][a-z]{2}) +([0-9]{1,2}) ([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) ([0-9]{4})$"
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
C_FIRST_RIGHT = (1, 27)
"""The first version of the C program that does not add up threads on their leader's row."""


def times_of(
    lines: pl.DataFrame,
    totals: pl.DataFrame,
    log: Log,
    date: dt.date | str | None,
    tz: str | None,
) -> tuple[pl.DataFrame, list[str]]:
    """One row a snapshot: its time, sentinel columns, ``is_interval`` and the clock's flags."""
    first = (
        lines.group_by("snapshot")
        .agg(pl.col("line").min(), pl.col("clock").drop_nulls().first())
        .sort("snapshot")
    )
    ticks = first.select("line").join_asof(
        log.ticks.select("line", "tick", "is_start"), on="line", strategy="backward"
    )
    first = first.with_columns(ticks["tick"])
    if log.has_sentinels:
        is_interval = ~ticks["is_start"].fill_null(True)
        stamped = log.stamped(first).with_columns(
            is_interval=is_interval, clock_flags=pl.lit(None, dtype=pl.String)
        )
        return stamped.drop("line", "clock", "tick"), []
    dates = totals.select("snapshot", "date").drop_nulls() if "date" in totals.columns else None
    if dates is not None and dates.height:
        local = first.join(dates, on="snapshot", how="left", maintain_order="left").select(_local())
        times = clock.resolve_local(local.to_series(), tz=tz, file=log.file)
    else:
        times = clock.resolve(first["clock"], date=date, tz=tz, file=log.file)
    found = first.select("snapshot").with_columns(
        times.frame["time"],
        clock_flags=times.frame["flags"],
        is_interval=pl.col("snapshot") > 0,
        monotonic_ns=pl.lit(None, dtype=pl.Int64),
        seq=pl.lit(None, dtype=pl.Int64),
        boot_id=pl.lit(None, dtype=pl.String),
    )
    return found, times.warnings


def _local() -> pl.Expr:
    """The C program's ``Sun Nov 22 21:57:16 2026`` as a local date and time."""
    parts = pl.col("date").str.extract_groups(DATE).struct
    month = parts.field("1").replace_strict(
        {name: f"{number:02}" for number, name in enumerate(MONTHS, 1)},
        default=None,
        return_dtype=pl.String,
    )
    day = parts.field("2").str.zfill(2)
    iso = pl.concat_str([parts.field("4"), month, day, parts.field("3")], separator=" ")
    return iso.str.to_datetime("%Y %m %d %H:%M:%S", time_unit="ns", strict=False)


@dataclass(frozen=True)
class Flavour:
    """Which faults of the C program this log may have."""

    adds_up_leaders: bool
    totals_flag: str | None


def flavour_of(lines: pl.DataFrame, tasks: pl.DataFrame, tool_version: str | None) -> Flavour:
    """The C program aligns its lines otherwise than the Python program; its version may be known."""
    is_c = lines.select(
        pl.col("text").str.contains(r"^  Total DISK READ:").any()
        | pl.col("text").str.contains(r"^ *[TP]ID PRIO     USER ").any()
    ).item()
    version = re.search(r"([0-9]+)\.([0-9]+)", tool_version or "")
    number = tuple(int(part) for part in version.groups()) if version else None
    is_right = number is not None and number >= C_FIRST_RIGHT
    by_thread = "tid" in tasks.columns and tasks["tid"].is_not_null().any()
    faulty = bool(is_c) and by_thread and not is_right
    return Flavour(faulty, "may-count-twice" if faulty else None)


def leaders_flagged(tasks: pl.DataFrame, flavour: Flavour) -> pl.DataFrame:
    """Flags the rows that may be the sum of a process's threads: the first of several alike."""
    if "flags" not in tasks.columns:
        tasks = tasks.with_columns(flags=pl.lit(None, dtype=pl.String))
    if not flavour.adds_up_leaders or "command" not in tasks.columns:
        return tasks
    alike = ["snapshot", *(name for name in ("user", "command") if name in tasks.columns)]
    is_first = pl.col("tid") == pl.col("tid").min().over(alike)
    may_lead = is_first & (pl.len().over(alike) > 1)
    flags = pl.concat_str(
        [pl.col("flags"), pl.lit("maybe-leader-sum")], separator=" ", ignore_nulls=True
    )
    return tasks.with_columns(flags=pl.when(may_lead).then(flags).otherwise("flags"))


def completed(frame: pl.DataFrame, times: pl.DataFrame, flag: str | None) -> pl.DataFrame:
    """``frame`` with times, ``is_interval`` and all flags."""
    if "flags" not in frame.columns:
        frame = frame.with_columns(flags=pl.lit(None, dtype=pl.String))
    frame = frame.drop("clock", "date", strict=False)
    frame = frame.join(times, on="snapshot", how="left", maintain_order="left")
    flags = pl.concat_str(
        [pl.col("flags"), pl.lit(flag, dtype=pl.String), pl.col("clock_flags")],
        separator=" ",
        ignore_nulls=True,
    )
    return frame.with_columns(flags=pl.when(flags != "").then(flags))
