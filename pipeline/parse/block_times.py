"""Snapshots of block counters and their times: by sentinels, by lines that say when, by repeated devices.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> rows = pl.DataFrame({"line": [1, 2, 3], "text": ["a", "b", "c"], "device": ["vda", "vdb", "vda"]})
    >>> no_stamps = pl.DataFrame(schema={"line": pl.Int64, "time": pl.Datetime("ns", "UTC")})
    >>> snapshots = split_snapshots(log_from_text("a\\nb\\nc\\n", "block.log"), rows, no_stamps)
    >>> snapshots.rows["snapshot"].to_list(), snapshots.warnings
    ([0, 0, 1], ['block.log: no times in the log'])
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from pipeline.parse import texts, timestamps
from pipeline.parse.expressions import first_of
from pipeline.parse.log import (
    Log,
    SnapshotsBefore,
    snapshot_by_repetition,
    with_snapshot_after,
)
from pipeline.parse.parsed import split_rejects
from pipeline.parse.prefixes import prefix_times
from pipeline.parse.stamps import read_stamps
from pipeline.parse.timestamps import Day, Times


@dataclass(frozen=True)
class Snapshots:
    """``rows`` with ``snapshot`` and ``time``; the repeated lines of a snapshot with the reason; how many there are."""

    rows: pl.DataFrame
    duplicates: pl.DataFrame
    count: int
    """Number of snapshots of the piece."""
    warnings: list[str] = field(default_factory=list)


def split_snapshots(
    log: Log,
    rows: pl.DataFrame,
    stamps: pl.DataFrame,
    *,
    date: Day = None,
    tz: str | None = None,
) -> Snapshots:
    """The lines of devices (``line``, ``text``, ``device``) of a log without sentinels by snapshot.

    Parameters
    ----------
    log : Log
    rows : polars.DataFrame
        In the order of the log.
    stamps : polars.DataFrame
        Lines that say when: ``line`` and ``time``. Prefixes of the lines come after them.
    date, tz : optional
        As for :func:`pipeline.parse.parse_log`, for times in prefixes.
    """
    if stamps.height:
        return _by_stamps(rows, stamps)
    rows = rows.with_columns(snapshot=snapshot_by_repetition("device"))
    count = int(rows["snapshot"][-1]) + 1 if rows.height else 0
    rows, warnings = _with_prefix_times(log, rows, date=date, tz=tz)
    return Snapshots(rows, _no_rejects(rows), count, warnings)


def _with_prefix_times(
    log: Log, rows: pl.DataFrame, *, date: Day, tz: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """``rows`` with the time in the prefix of their snapshot's first line, null where there is none, and warnings."""
    first = rows.group_by("snapshot", maintain_order=True).agg(pl.col("line").first())
    times = _prefix_times(log, first, date=date, tz=tz)
    warnings = times.warnings
    if rows.height and not warnings and not times.frame["time"].is_not_null().any():
        warnings = [f"{log.file}: {texts.NO_TIMES}"]
    first = first.join(
        times.frame.select("line", "time"), on="line", how="left", maintain_order="left"
    )
    first = first.drop("line")
    return rows.join(first, on="snapshot", how="left", maintain_order="left"), warnings


def _prefix_times(log: Log, first: pl.DataFrame, *, date: Day, tz: str | None) -> Times:
    """Times in the prefixes of the lines ``first``: ``line`` and ``time``."""
    if log.prefixes is None:
        return Times(pl.DataFrame(schema={"line": pl.Int64, "time": pl.Datetime("ns", "UTC")}))
    prefixes = log.prefixes.join(first, on="line", how="semi", maintain_order="left").drop_nulls()
    # A prefix that is nothing but a time is read as a line that says when; others have names of loggers too.
    stamps = read_stamps(
        prefixes.select("line", text=pl.col("prefix").str.strip_chars_end(" \t|:")),
        date=date,
        tz=tz,
        file=log.file,
    )
    if stamps.frame.height:
        return stamps
    dated = prefix_times(log, timestamps.parse_day(date, log.file))
    dated = dated.join(first, on="line", how="semi", maintain_order="left")
    if dated["local"].is_not_null().any():
        times = timestamps.resolve_local_times(dated["local"], tz=tz, file=log.file)
    elif dated.height:
        return Times(dated.select("line", "time"))
    else:
        dated = prefixes.select(
            "line",
            time=None,
            clock=pl.col("prefix").str.extract(r"\b([0-9]{2}:[0-9]{2}:[0-9]{2})\b"),
        ).drop_nulls("clock")
        times = timestamps.resolve_times(dated["clock"], date=date, tz=tz, file=log.file)
    time = pl.coalesce(dated["time"].cast(pl.Datetime("ns", "UTC")), times.frame["time"])
    return Times(dated.select("line", time=time), times.warnings)


def split_by_sentinels(
    log: Log, rows: pl.DataFrame, own_starts: pl.Series, before: SnapshotsBefore
) -> tuple[Snapshots, SnapshotsBefore]:
    """The lines of devices of a piece of a log by sentinels, and the snapshots up to its end.

    ``own_starts``: lines that say when; ``before``: the snapshots of the pieces before.
    """
    rows, after = with_snapshot_after(before, log, rows, rows, own_starts)
    is_duplicate = ~pl.struct("snapshot", "device").is_first_distinct()
    rows, duplicates = split_rejects(rows, _duplicate(is_duplicate))
    return Snapshots(log.with_timestamps(rows), duplicates, after.count - before.count), after


def _by_stamps(rows: pl.DataFrame, stamps: pl.DataFrame) -> Snapshots:
    """A stamp starts a snapshot, as does a repeated device, whose time is not known.

    Where the first snapshot has no stamp above it and the last one has one below, stamps follow their snapshot.
    """
    is_duplicate = (pl.col("text") == pl.col("text").shift()) & (
        pl.col("line") == pl.col("line").shift() + 1
    )
    rows, duplicates = split_rejects(rows, _duplicate(is_duplicate))
    first, last = stamps["line"][0], stamps["line"][-1]
    trailing = rows.height > 0 and rows["line"][0] < first and rows["line"][-1] < last
    numbered = stamps.with_row_index("section", offset=0 if trailing else 1)
    numbered = numbered.with_columns(pl.col("section").cast(pl.Int64))
    counted = stamps.select("line", section=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    rows = rows.join_asof(counted, on="line", strategy="backward").with_columns(
        pl.col("section").fill_null(0)
    )
    repeats = pl.int_range(pl.len(), dtype=pl.Int64).over("section", "device", order_by="line")
    rows = rows.with_columns(again=repeats).with_columns(
        again=pl.col("again").cum_max().over("section")
    )
    sizes = rows.group_by("section").agg(size=pl.col("again").max() + 1)
    sizes = (
        pl.DataFrame({"section": pl.int_range(stamps.height + 1, dtype=pl.Int64, eager=True)})
        .join(sizes, on="section", how="left", maintain_order="left")
        .join(
            numbered.select("section", stamped=pl.lit(1)),
            on="section",
            how="left",
            maintain_order="left",
        )
        .with_columns(size=pl.coalesce("size", "stamped", pl.lit(0)))
        .with_columns(before=pl.col("size").cum_sum() - pl.col("size"))
    )
    rows = rows.join(
        sizes.select("section", "before"), on="section", how="left", maintain_order="left"
    )
    rows = rows.join(
        numbered.select("section", "time"), on="section", how="left", maintain_order="left"
    )
    rows = rows.with_columns(
        snapshot=pl.col("before") + pl.col("again"),
        time=pl.when(pl.col("again") == 0).then("time"),
    )
    return Snapshots(rows, duplicates, int(sizes["size"].sum()))


def _duplicate(is_duplicate: pl.Expr) -> pl.Expr:
    return first_of((is_duplicate, pl.format(texts.DUPLICATE_DEVICE, "device")))


def _no_rejects(rows: pl.DataFrame) -> pl.DataFrame:
    return split_rejects(rows.clear(), pl.lit(None, pl.String))[1]
