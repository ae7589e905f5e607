"""top -H: which rows are threads, and leaders that some versions print as their whole process."""

from __future__ import annotations

import re

import polars as pl

LEADER_SUM_VERSIONS = ((4, 0, 0), (4, 0, 3))


def with_threads(
    rows: pl.DataFrame, summary: pl.DataFrame, tool_version: str | None, *, is_ended: bool
) -> pl.DataFrame:
    """``rows`` with ``is_thread`` and, for the versions that double-count leaders, their flags."""
    if "shows_threads" in summary.columns:
        known = summary.select(
            "snapshot",
            is_thread=pl.col("shows_threads").forward_fill().backward_fill().fill_null(False),
        )
        rows = rows.join(known, on="snapshot", how="left", maintain_order="left")
    else:
        rows = rows.with_columns(is_thread=pl.lit(False))
    if "flags" not in rows.columns:
        rows = rows.with_columns(flags=pl.lit(None, dtype=pl.String))
    version = version_of(tool_version)
    first, last = LEADER_SUM_VERSIONS
    if version is None or not first <= version <= last or not rows["is_thread"].any():
        return rows
    if "tgid" not in rows.columns:
        return _possible_leaders(rows)
    return _corrected_leaders(rows, _is_whole(rows, summary, is_ended=is_ended))


def _is_whole(rows: pl.DataFrame, summary: pl.DataFrame, *, is_ended: bool) -> pl.Expr:
    """Whether a snapshot surely shows all its rows: the last one before an end that was not in good order
    may lack some, unless the summary says how many there are.
    """
    ends = (~pl.col("is_interval")).shift(-1, fill_value=not is_ended)
    counted = summary.select("snapshot", ends=ends, told=_told(summary))
    shown = rows.group_by("snapshot").agg(shown=pl.len())
    doubted = counted.join(shown, on="snapshot").filter(
        pl.col("ends") & (pl.col("told") != pl.col("shown")).fill_null(True)
    )
    return ~pl.col("snapshot").is_in(doubted["snapshot"].implode())


def _told(summary: pl.DataFrame) -> pl.Expr:
    known = "tasks" in summary.columns
    return pl.col("tasks") if known else pl.lit(None, dtype=pl.Int64)


def version_of(text: str | None) -> tuple[int, int, int] | None:
    """The numbers in ``procps-ng 4.0.2``."""
    found = re.search(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?", text or "")
    return tuple(int(part or 0) for part in found.groups()) if found else None


def _possible_leaders(rows: pl.DataFrame) -> pl.DataFrame:
    """Flags the rows that may hold a whole process: the first of several that share its memory."""
    same = [
        "snapshot",
        *(
            n
            for n in ("user", "virtual_bytes", "resident_bytes", "shared_bytes")
            if n in rows.columns
        ),
    ]
    is_first = pl.col("pid") == pl.col("pid").min().over(same)
    may_lead = pl.col("is_thread") & is_first & (pl.len().over(same) > 1)
    if "virtual_bytes" in rows.columns:
        may_lead = may_lead & (pl.col("virtual_bytes") > 0).fill_null(True)
    return rows.with_columns(flags=_flagged(may_lead, "maybe-leader-sum"))


def _corrected_leaders(rows: pl.DataFrame, is_whole: pl.Expr) -> pl.DataFrame:
    """Leaders less their other threads; null where those are not all known or TIME+ is too coarse."""
    group = ["snapshot", "tgid"]
    is_other = pl.col("pid") != pl.col("tgid")
    is_leader = pl.col("is_thread") & ~is_other & ((pl.len().over(group) > 1) | ~is_whole)
    changes = []
    for name, digits in (("cpu_percent", 3), ("cpu_time_s", 2)):
        if name not in rows.columns:
            continue
        own = (pl.col(name) - pl.col(name).filter(is_other).sum().over(group)).round(digits)
        is_known = is_whole
        if name == "cpu_time_s":
            is_known = (
                is_known & (pl.col("cpu_time_resolution_s").max().over(group) <= 1) & (own >= 0)
            )
        own = pl.when(is_known).then(own.clip(lower_bound=0))
        changes.append(pl.when(is_leader).then(own).otherwise(name).alias(name))
    return rows.with_columns(*changes, flags=_flagged(is_leader, "leader-corrected"))


def _flagged(condition: pl.Expr, flag: str) -> pl.Expr:
    """``flags`` with one more where the condition holds."""
    more = pl.concat_str([pl.col("flags"), pl.lit(flag)], separator=" ", ignore_nulls=True)
    return pl.when(condition).then(more).otherwise("flags")
