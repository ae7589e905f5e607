"""iotop: times of snapshots, and values that versions of the C program count twice."""

from __future__ import annotations

import polars as pl

from pipeline.parse import timestamps
from pipeline.parse.expressions import add_flag, parse_version
from pipeline.parse.log import SENTINEL_COLUMNS, Log

DATE = r"^[A-Z][a-z]{2} ([A-Z][a-z]{2} +[0-9]{1,2} [0-9][0-9]:[0-9][0-9]:[0-9][0-9] [0-9]{4})$"
C_FIXED_VERSION = (1, 27)
"""First version of the C program that does not add threads to the row of their leader."""


class SnapshotTimes:
    """Times of the snapshots of a log: by sentinels of each piece, or by times of day, when all pieces are read.

    Parameters
    ----------
    date : datetime.date or str, optional
    tz : str, optional
        As for :func:`pipeline.parse.parse_log`.
    """

    def __init__(self, date: timestamps.Day, tz: str | None):
        self._date, self._tz = date, tz
        self.warnings: list[str] = []
        """Complete when the first piece is read."""
        self._parts: list[pl.DataFrame] = []
        self._has_dates = False
        self._times: pl.DataFrame | None = None

    def add(self, lines: pl.DataFrame, totals: pl.DataFrame) -> None:
        """Keep the clocks of the next piece of a log without sentinels."""
        dates = totals.select("snapshot", "date").drop_nulls()
        self._has_dates = self._has_dates or dates.height > 0
        snapshots = _snapshots(lines).join(dates, on="snapshot", how="left", maintain_order="left")
        self._parts.append(snapshots.with_columns(local=_local()).drop("date"))

    def of_piece(self, lines: pl.DataFrame, log: Log) -> pl.DataFrame:
        """One row per snapshot: time, sentinel columns, ``is_interval`` and flags of its time."""
        if log.has_sentinels:
            return self._resolved(_snapshots(lines), log)
        if self._times is None:
            first = pl.all().drop_nulls().first()
            snapshots = pl.concat(self._parts).group_by("snapshot").agg(first).sort("snapshot")
            self._parts = []
            self._times = self._resolved(
                snapshots if self._has_dates else snapshots.drop("local"), log
            )
        return self._times

    def _resolved(self, snapshots: pl.DataFrame, log: Log) -> pl.DataFrame:
        times, warnings = timestamps.with_times(snapshots, log, date=self._date, tz=self._tz)
        self.warnings += warnings
        columns = ("snapshot", "is_interval", *SENTINEL_COLUMNS)
        return times.select(*columns, clock_flags="flags")


def _snapshots(lines: pl.DataFrame) -> pl.DataFrame:
    """First line and clock of each snapshot."""
    return (
        lines.group_by("snapshot")
        .agg(pl.col("line").min(), pl.col("clock").drop_nulls().first())
        .sort("snapshot")
    )


def _local() -> pl.Expr:
    """The C program's ``Sun Nov 22 21:57:16 2026`` as a local date and time."""
    printed = pl.col("date").str.extract(DATE).str.replace(" +", " ")
    return printed.str.to_datetime("%b %d %H:%M:%S %Y", time_unit="ns", strict=False)


def is_fixed(tool_version: str | None) -> bool:
    """Whether rows of leaders are their own: the C program before 1.27 adds all their threads, and Total has them
    twice.
    """
    return (parse_version(tool_version) or (0,)) >= C_FIXED_VERSION


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
