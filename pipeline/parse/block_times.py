"""Snapshots of block counters and their times: by sentinels, by lines that say when, by repeated devices.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> rows = pl.DataFrame({"line": [1, 2, 3], "text": ["a", "b", "c"], "device": ["vda", "vdb", "vda"]})
    >>> no_stamps = pl.DataFrame(schema={"line": pl.Int64, "time": UTC_NS})
    >>> snapshots = split_snapshots(log_from_text("a\\nb\\nc\\n", "block.log"), rows, no_stamps)
    >>> snapshots.rows["snapshot"].to_list(), snapshots.warnings
    ([0, 0, 1], ['block.log: no times in the log'])
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from pipeline.parse import texts
from pipeline.parse.expressions import first_of
from pipeline.parse.log import Log, snapshot_by_repetition, with_snapshot
from pipeline.parse.parsed import split_rejects
from pipeline.tables import UTC_NS


@dataclass(frozen=True)
class Snapshots:
    """``rows`` with ``snapshot`` and ``time``; the repeated lines of a snapshot with the reason; how many there are."""

    rows: pl.DataFrame
    duplicates: pl.DataFrame
    count: int
    warnings: list[str] = field(default_factory=list)


def split_snapshots(log: Log, rows: pl.DataFrame, stamps: pl.DataFrame) -> Snapshots:
    """The lines of devices (``line``, ``text``, ``device``) by snapshot.

    Parameters
    ----------
    log : Log
    rows : polars.DataFrame
        In the order of the log.
    stamps : polars.DataFrame
        Lines that say when: ``line`` and ``time``. Sentinels come first.
    """
    if log.has_sentinels:
        return _by_sentinels(log, rows, stamps)
    if stamps.height:
        return _by_stamps(rows, stamps)
    rows = rows.with_columns(snapshot=snapshot_by_repetition("device"))
    rows = rows.with_columns(time=pl.lit(None, UTC_NS))
    warnings = [f"{log.file}: {texts.NO_TIMES}"] if rows.height else []
    count = int(rows["snapshot"][-1]) + 1 if rows.height else 0
    return Snapshots(rows, _no_rejects(rows), count, warnings)


def _by_sentinels(log: Log, rows: pl.DataFrame, stamps: pl.DataFrame) -> Snapshots:
    rows, count = with_snapshot(log, rows, rows, stamps["line"])
    is_duplicate = ~pl.struct("snapshot", "device").is_first_distinct()
    rows, duplicates = split_rejects(rows, _duplicate(is_duplicate))
    return Snapshots(log.with_timestamps(rows), duplicates, count)


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
