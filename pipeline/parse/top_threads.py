"""top -H: rows of threads, and leaders that some versions print as their whole process."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.parse.expressions import add_flag, parse_version

LEADER_SUM_VERSIONS = ((4, 0, 0), (4, 0, 3))


def is_leader_sum(tool_version: str | None) -> bool:
    """Whether that version prints leaders as their whole process."""
    version = parse_version(tool_version)
    first, last = LEADER_SUM_VERSIONS
    return version is not None and first <= version <= last


@dataclass
class ThreadMode:
    """Whether rows are threads: as the summary says, of the snapshots before, or of the first one that says it."""

    first: bool | None = None
    """As the first snapshot of the log says."""
    before: bool | None = None
    """As the last snapshot so far says."""

    def add(self, summary: pl.DataFrame) -> pl.DataFrame:
        """``snapshot`` and ``is_thread`` of the next snapshots."""
        stated = summary["shows_threads"].drop_nulls()
        shows_threads = (
            pl.col("shows_threads")
            .forward_fill()
            .fill_null(pl.lit(self.before, pl.Boolean))
            .backward_fill()
            .fill_null(pl.lit(bool(self.first)))
        )
        self.before = stated[-1] if stated.len() else self.before
        return summary.select("snapshot", is_thread=shows_threads)


def with_threads(
    rows: pl.DataFrame,
    summary: pl.DataFrame,
    mode: ThreadMode,
    tool_version: str | None,
    *,
    is_ended: bool,
) -> pl.DataFrame:
    """``rows`` with ``is_thread`` and, for versions that double-count leaders, flags.

    ``is_ended``: whether the last snapshot has all its rows.
    """
    rows = rows.join(mode.add(summary), on="snapshot", how="left", maintain_order="left")
    if not is_leader_sum(tool_version) or not rows["is_thread"].any():
        return rows
    if "tgid" not in rows.columns:
        return _flag_possible_leaders(rows)
    return _correct_leaders(rows, _is_complete(rows, summary, is_ended=is_ended))


def _is_complete(rows: pl.DataFrame, summary: pl.DataFrame, *, is_ended: bool) -> pl.Expr:
    """Whether a snapshot has all its rows: the last one before an interruption may lack some, unless their
    number is that of the summary.
    """
    ends = (~pl.col("is_interval")).shift(-1, fill_value=not is_ended)
    counted = summary.select("snapshot", "tasks", ends=ends)
    shown = rows.group_by("snapshot").agg(shown=pl.len())
    incomplete = counted.join(shown, on="snapshot").filter(
        pl.col("ends") & (pl.col("tasks") != pl.col("shown")).fill_null(True)
    )
    return ~pl.col("snapshot").is_in(incomplete["snapshot"].implode())


def _flag_possible_leaders(rows: pl.DataFrame) -> pl.DataFrame:
    """Flag rows that may be a whole process: the first of several that share its memory."""
    alike = ("snapshot", "user", "virtual_bytes", "resident_bytes", "shared_bytes")
    same = [name for name in alike if name in rows.columns]
    is_first = pl.col("pid") == pl.col("pid").min().over(same)
    may_lead = pl.col("is_thread") & is_first & (pl.len().over(same) > 1)
    if "virtual_bytes" in rows.columns:
        may_lead = may_lead & (pl.col("virtual_bytes") > 0).fill_null(True)
    return rows.with_columns(add_flag(may_lead, "maybe-leader-sum"))


def _correct_leaders(rows: pl.DataFrame, is_complete: pl.Expr) -> pl.DataFrame:
    """Leaders minus their other threads; null where some are missing or TIME+ is too coarse."""
    group = ["snapshot", "tgid"]
    is_other = pl.col("pid") != pl.col("tgid")
    is_leader = pl.col("is_thread") & ~is_other & ((pl.len().over(group) > 1) | ~is_complete)
    changes = []
    for name, digits in (("cpu_percent", 3), ("cpu_time_s", 2)):
        if name not in rows.columns:
            continue
        own = (pl.col(name) - pl.col(name).filter(is_other).sum().over(group)).round(digits)
        is_known = is_complete
        if name == "cpu_time_s":
            is_known = (
                is_known & (pl.col("cpu_time_resolution_s").max().over(group) <= 1) & (own >= 0)
            )
        own = pl.when(is_known).then(own.clip(lower_bound=0))
        changes.append(pl.when(is_leader).then(own).otherwise(name).alias(name))
    return rows.with_columns(*changes, add_flag(is_leader, "leader-corrected"))
