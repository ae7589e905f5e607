"""Manifests against logs: values of run.json and facts.json that the logs contradict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipeline.ingest import texts
from pipeline.raw import CLIENT, Run, Window

SAMPLED = ("top_summary", "iotop_totals", "block", "task_processes", "cpus")
"""Tables whose rows have the time of their snapshot."""
STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""States of /proc/stat: in each tick a CPU is in one of them."""
MIN_TICK_SHARE, MAX_TICK_SHARE = 0.55, 1.25
"""Ticks counted in /proc/stat per second and CPU, over clock_ticks_per_s. A virtual CPU that waits for a host CPU
misses ticks (a third of them in the recorded study); a wrong number of ticks is off by a factor."""
MIN_SPAN_S = 5.0
"""Shortest log whose rate of ticks is checked."""
MAX_OFFSET_SHARE = 0.05
"""Largest clock offset as a share of the load's window; a larger one is an error of measurement or a clock that is
not set."""
NS_PER_S = 1e9


def find_contradictions(run: Run, frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """Values of run.json and facts.json that the logs contradict.

    Parameters
    ----------
    run : Run
    frames : mapping of str to polars.DataFrame
        The run's tables with ``role``. A value that the logs say nothing about is not checked.

    Returns
    -------
    list of str
        One sentence per value, with file and key.
    """
    roles = [name for name in run.roles if name != CLIENT]
    sentences = [*_offsets(run)]
    for role in roles:
        sentences += [*_windows(run, frames, role), *_ticks(run, frames, role)]
    return sentences


def _offsets(run: Run) -> Iterator[str]:
    """Clock offsets that are large against the load's window; an inferred one may be that of another time zone."""
    if run.window is None or run.is_imported:
        return
    for name, role in run.roles.items():
        offset_s = (role.clock_offset_ns or 0) / NS_PER_S
        if abs(offset_s) > MAX_OFFSET_SHARE * run.window.duration_s:
            yield texts.large_offset(name, offset_s, 100 * MAX_OFFSET_SHARE, run.window.duration_s)


def _windows(run: Run, frames: Mapping[str, pl.DataFrame], role: str) -> Iterator[str]:
    """Windows without a snapshot of a machine that has logs."""
    offset_ns = run.clock_offset_ns(role)
    times = [
        frame.filter(pl.col("role") == role)["time"].drop_nulls().dt.epoch("ns")
        for table in SAMPLED
        if (frame := frames.get(table)) is not None
    ]
    at_ns = pl.concat([pl.Series("time", [], dtype=pl.Int64), *times]).unique()
    if at_ns.is_empty() or offset_ns is None:
        return
    windows: dict[str, Window | None] = {"window": run.window, "before": run.idle_before}
    for server in run.virtual_servers.values():
        if server.workload is not None and server.role == role:
            windows[f"virtual_servers.{server.name}.workload"] = server.workload.window
    for key, window in windows.items():
        if window is None:
            continue
        local_window = window.shifted(offset_ns)
        if not at_ns.is_between(local_window.start_ns, local_window.end_ns).any():
            first, last = (
                pl.Series([end]).cast(pl.Datetime("ns")).dt.to_string("%F %T")[0]
                for end in (at_ns.min(), at_ns.max())
            )
            yield texts.window_without_snapshot(key, role, first, last)


def _ticks(run: Run, frames: Mapping[str, pl.DataFrame], role: str) -> Iterator[str]:
    """CPUs and clock ticks of facts.json against those of /proc/stat."""
    if (cpus := frames.get("cpus")) is None:
        return
    of_role = cpus.filter(pl.col("role") == role)
    counted = of_role.filter(pl.col("cpu") != "cpu")["cpu"].n_unique()
    facts = run.facts(role)
    stated = facts.get("cpus")
    if stated is not None and counted and stated != counted:
        yield texts.other_cpu_count(role, stated, counted)
    stated = facts.get("clock_ticks_per_s")
    all_cpus = of_role.filter(pl.col("cpu") == "cpu").drop_nulls("monotonic_ns").sort("snapshot")
    if stated is None or not counted or all_cpus["boot_id"].n_unique() != 1:
        return
    total_ticks = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in STATES)
    ends = all_cpus.select("monotonic_ns", ticks=total_ticks)[[0, -1]].cast(pl.Float64)
    passed_s = (ends["monotonic_ns"][1] - ends["monotonic_ns"][0]) / NS_PER_S
    if passed_s < MIN_SPAN_S:
        return
    rate = (ends["ticks"][1] - ends["ticks"][0]) / counted / passed_s
    if not MIN_TICK_SHARE <= rate / stated <= MAX_TICK_SHARE:
        yield texts.other_tick_rate(role, stated, rate)
