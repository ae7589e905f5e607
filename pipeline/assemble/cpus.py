"""The number of a machine's CPUs, where its logs say it."""

from __future__ import annotations

import polars as pl

from pipeline.assemble import texts
from pipeline.assemble.sources import Machine

OWN_LINE = r"^ *%?Cpu\(?([0-9]+)\)? *:"
MIN_BUSY_PERCENT = 20.0
MIN_SAMPLES = 5
MAX_DEVIATION = 0.1
"""Of the ratio of the processes' %CPU to the machine's from a whole number, as a share of it."""


def count_cpus(machine: Machine) -> tuple[int, str] | None:
    """Number of CPUs of a machine and how it was inferred; None where the logs do not say.

    ``top`` prints a line for each CPU after the key 1, and tasks.log has one; else the CPU time of all processes
    (100 % is one CPU) is compared with the machine's (100 % is all of them).
    """
    counters = machine.frame("cpus")
    if not counters.is_empty():
        count = counters.filter(pl.col("cpu") != "cpu")["cpu"].n_unique()
        return (count, texts.CPUS_BY_TASKS) if count else None
    numbers = [
        source.log.lines["text"].str.extract(OWN_LINE).drop_nulls().cast(pl.Int64)
        for source in machine.of_kind("top")
    ]
    printed = pl.concat([pl.Series("text", [], dtype=pl.Int64), *numbers])
    if printed.len():
        return int(printed.max()) + 1, texts.CPUS_BY_LINES  # type: ignore[arg-type]
    return _by_ratio(machine.frame("top_processes"), machine.frame("top_summary"))


def _by_ratio(rows: pl.DataFrame, summary: pl.DataFrame) -> tuple[int, str] | None:
    if rows.is_empty() or summary.is_empty():
        return None
    used = rows.filter(~pl.col("is_thread")).group_by("snapshot").agg(pl.col("cpu_percent").sum())
    steal = pl.col("cpu_steal_percent").fill_null(0.0)
    iowait = pl.col("cpu_iowait_percent").fill_null(0.0)
    busy = 100 - pl.col("cpu_idle_percent") - steal - iowait
    ratios = (
        summary.filter("is_interval")
        .select("snapshot", busy=busy)
        .filter(pl.col("busy") >= MIN_BUSY_PERCENT)
        .join(used, on="snapshot")
        .select(pl.col("cpu_percent") / pl.col("busy"))["cpu_percent"]
        .drop_nulls()
    )
    if ratios.len() < MIN_SAMPLES:
        return None
    ratio = float(ratios.median())  # type: ignore[arg-type]
    count = round(ratio)
    if count < 1 or abs(ratio - count) > MAX_DEVIATION * count:
        return None
    return count, texts.cpus_by_ratio(ratio)
