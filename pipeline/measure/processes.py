"""CPU time of the server's processes (equation 1), and which pid and tid is whose."""

from __future__ import annotations

import polars as pl

from pipeline.measure.window import Enclosure

PROCESS_TIMES = pl.Schema(
    {
        "pid": pl.Int64,
        "life": pl.Int64,
        "cpu_time_s": pl.Float64,
        "low_s": pl.Float64,
        "high_s": pl.Float64,
        "born": pl.Boolean,
        "ended": pl.Boolean,
    }
)


def with_lives(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of top with the column ``life``: 0, 1, … for each process that had the same pid.

    TIME+ never falls and a server's process keeps its name while it lives; where either happens the pid was
    used again, and that is another process.
    """
    rows = rows.sort("pid", "snapshot")
    previous = pl.col("cpu_time_s").shift().over("pid")
    renamed = pl.col("command") != pl.col("command").shift().over("pid")
    again = ((pl.col("cpu_time_s") < previous) | renamed).fill_null(False)
    return rows.with_columns(again.cast(pl.Int64).cum_sum().over("pid").alias("life"))


def cpu_times(rows: pl.DataFrame, enclosure: Enclosure, pattern: str) -> pl.DataFrame:
    """Equation 1's terms: growth of TIME+ in the enclosure, one row a process whose name matches ``pattern``.

    ``rows``: top_processes of the guest. A process born after the first snapshot counts whole; one that ended
    counts up to its last sighting, a lower bound (``ended``). ``low_s`` and ``high_s`` are what the resolution
    of TIME+ leaves open: both readings are cut down to a step.
    """
    lived = (
        with_lives(rows.filter(~pl.col("is_thread")))
        .filter(pl.col("command").str.contains(pattern))
        .filter(pl.col("snapshot") <= enclosure.last)
        .group_by("pid", "life", maintain_order=True)
        .agg(
            base=pl.col("cpu_time_s").filter(pl.col("snapshot") <= enclosure.first).last(),
            base_step=pl.col("cpu_time_resolution_s")
            .filter(pl.col("snapshot") <= enclosure.first)
            .last(),
            top=pl.col("cpu_time_s").last(),
            top_step=pl.col("cpu_time_resolution_s").last(),
            last_seen=pl.col("snapshot").last(),
        )
        .filter(pl.col("last_seen") >= enclosure.first)
    )
    growth = pl.col("top") - pl.col("base").fill_null(0.0)
    return (
        lived.with_columns(
            growth.alias("cpu_time_s"),
            pl.max_horizontal(growth - pl.col("base_step").fill_null(0.0), 0.0).alias("low_s"),
            (growth + pl.col("top_step")).alias("high_s"),
            pl.col("base").is_null().alias("born"),
            (pl.col("last_seen") < enclosure.last).alias("ended"),
        )
        .select(PROCESS_TIMES.names())
        .cast(dict(PROCESS_TIMES))
        .sort("pid", "life")
    )


def pids_named(processes: pl.DataFrame, pattern: str) -> pl.Series:
    """Pids whose name (column ``command`` of top, ``comm`` of tasks.log) matches ``pattern``, sorted."""
    name = "command" if "command" in processes.columns else "comm"
    return processes.filter(pl.col(name).str.contains(pattern))["pid"].unique().sort()


def tids_of(tasks: pl.DataFrame, pids: pl.Series) -> pl.Series:
    """Tids of the threads of ``pids`` in tasks.log, sorted."""
    return tasks.filter(pl.col("pid").is_in(pids.implode()))["tid"].unique().sort()


def kernel_cpu_time(
    processes: pl.DataFrame, enclosure: Enclosure, pids: pl.Series, ticks_per_s: float
) -> pl.DataFrame:
    """The second witness of equation 1: growth of utime + stime, one row a process of ``pids``.

    ``processes``: task_processes. Keyed by pid and start time, so a pid used again is told apart for certain.
    """
    used = pl.col("utime_ticks") + pl.col("stime_ticks")
    return (
        processes.filter(pl.col("pid").is_in(pids.implode()), pl.col("snapshot") <= enclosure.last)
        .sort("pid", "starttime_ticks", "snapshot")
        .group_by("pid", "starttime_ticks", maintain_order=True)
        .agg(
            base=used.filter(pl.col("snapshot") <= enclosure.first).last().fill_null(0),
            top=used.last(),
            last_seen=pl.col("snapshot").last(),
        )
        .filter(pl.col("last_seen") >= enclosure.first)
        .select("pid", "starttime_ticks", cpu_time_s=(pl.col("top") - pl.col("base")) / ticks_per_s)
    )
