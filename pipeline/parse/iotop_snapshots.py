"""iotop: times of snapshots, and values that versions of the C program count twice."""

from __future__ import annotations

import polars as pl

from pipeline.parse import timestamps
from pipeline.parse.expressions import add_flag, parse_version
from pipeline.parse.log import SENTINEL_COLUMNS, Log

DATE = r"^[A-Z][a-z]{2} ([A-Z][a-z]{2} +[0-9]{1,2} [0-9][0-9]:[0-9][0-9]:[0-9][0-9] [0-9]{4})$"
C_FIXED_VERSION = (1, 27)
"""First version of the C program that does not add threads to the row of their leader."""


def snapshot_times(
    lines: pl.DataFrame,
    totals: pl.DataFrame,
    log: Log,
    date: timestamps.Day,
    tz: str | None,
) -> tuple[pl.DataFrame, list[str]]:
    """One row per snapshot: time, sentinel columns, ``is_interval`` and flags of its time."""
    snapshots = (
        lines.group_by("snapshot")
        .agg(pl.col("line").min(), pl.col("clock").drop_nulls().first())
        .sort("snapshot")
    )
    dates = totals.select("snapshot", "date").drop_nulls()
    if dates.height:
        snapshots = snapshots.join(dates, on="snapshot", how="left", maintain_order="left")
        snapshots = snapshots.with_columns(local=_local())
    times, warnings = timestamps.with_times(snapshots, log, date=date, tz=tz)
    columns = ("snapshot", "is_interval", *SENTINEL_COLUMNS)
    return times.select(*columns, clock_flags="flags"), warnings


def _local() -> pl.Expr:
    """The C program's ``Sun Nov 22 21:57:16 2026`` as a local date and time."""
    printed = pl.col("date").str.extract(DATE).str.replace(" +", " ")
    return printed.str.to_datetime("%b %d %H:%M:%S %Y", time_unit="ns", strict=False)


def has_leader_sums(lines: pl.DataFrame, tasks: pl.DataFrame, tool_version: str | None) -> bool:
    """Whether rows of leaders may include all their threads, which Total then counts twice (C program before 1.27).

    The C program is recognized by the alignment of its lines.
    """
    is_c = lines.select(
        pl.col("text").str.contains(r"^  Total DISK READ:").any()
        | pl.col("text").str.contains(r"^ *[TP]ID PRIO     USER ").any()
    ).item()
    is_right = (parse_version(tool_version) or (0,)) >= C_FIXED_VERSION
    by_thread = tasks["tid"].is_not_null().any()
    return bool(is_c) and by_thread and not is_right


def flag_leaders(tasks: pl.DataFrame) -> pl.DataFrame:
    """Flag rows that may be the sum of the threads of a process: the first of several equal ones."""
    if "command" not in tasks.columns:
        return tasks
    alike = ["snapshot", "user", "command"]
    is_first = pl.col("tid") == pl.col("tid").min().over(alike)
    return tasks.with_columns(add_flag(is_first & (pl.len().over(alike) > 1), "maybe-leader-sum"))


def with_snapshot_times(frame: pl.DataFrame, times: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with times, ``is_interval`` and the flags of the time after its own."""
    frame = frame.join(times, on="snapshot", how="left", maintain_order="left")
    flags = pl.concat_str("flags", "clock_flags", separator=" ", ignore_nulls=True)
    return frame.with_columns(flags=pl.when(flags != "").then(flags))
