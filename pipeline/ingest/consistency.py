"""What the manifests say of a run, held against its logs: a wrong value would change numbers without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipeline.raw import CLIENT, Run, Window

SAMPLED = ("top_summary", "iotop_totals", "block", "task_processes", "cpus")
"""Tables whose rows have the time of their snapshot."""
STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""States of /proc/stat: in each tick a CPU is in one of them."""
MIN_TICK_SHARE, MAX_TICK_SHARE = 0.55, 1.25
"""Ticks that /proc/stat counts per second and CPU, as a share of those there are. A virtual CPU that had to wait for
one of the host's misses ticks (a third of them in the recorded study); a wrong number of ticks is off by a factor."""
MIN_SPAN_S = 5.0
"""A log that spans less says nothing of a rate."""
MAX_OFFSET_SHARE = 0.05
"""Share of the load's window that a clock's offset may be: a greater one is an error of its measurement, or a clock
that is not set."""
NS_PER_S = 1e9


def find_contradictions(run: Run, frames: Mapping[str, pl.DataFrame]) -> list[str]:
    """A sentence for each value of run.json and facts.json that the logs contradict; each names file and key.

    ``frames``: the run's stored tables with ``role``. What the logs do not tell is not judged.
    """
    roles = [name for name in run.roles if name != CLIENT]
    found = [*_offsets(run)]
    for role in roles:
        found += [*_windows(run, frames, role), *_ticks(run, frames, role)]
    return found


def _offsets(run: Run) -> Iterator[str]:
    """Offsets of clocks that are not small against the load's window."""
    if run.window is None:
        return
    for name, role in run.roles.items():
        offset_s = (role.clock_offset_ns or 0) / NS_PER_S
        if abs(offset_s) > MAX_OFFSET_SHARE * run.window.duration_s:
            yield (
                f"run.json: roles.{name}.clock_offset_ns is {offset_s:.4g} s, more than "
                f"{100 * MAX_OFFSET_SHARE:g} % of the window of {run.window.duration_s:.4g} s: "
                "set the clock, or measure the offset again"
            )


def _windows(run: Run, frames: Mapping[str, pl.DataFrame], role: str) -> Iterator[str]:
    """Windows in which a machine has no snapshot, though it has logs."""
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
        here = window.shifted(offset_ns)
        if not at_ns.is_between(here.start_ns, here.end_ns).any():
            first, last = (
                pl.Series([end]).cast(pl.Datetime("ns")).dt.to_string("%F %T")[0]
                for end in (at_ns.min(), at_ns.max())
            )
            yield (
                f"run.json: {key} holds no snapshot of {role}, whose logs are from {first} to {last} UTC by its "
                "clock"
            )


def _ticks(run: Run, frames: Mapping[str, pl.DataFrame], role: str) -> Iterator[str]:
    """CPUs and clock ticks of facts.json against those that /proc/stat counted."""
    if (cpus := frames.get("cpus")) is None:
        return
    of_role = cpus.filter(pl.col("role") == role)
    counted = of_role.filter(pl.col("cpu") != "cpu")["cpu"].n_unique()
    facts = run.facts(role)
    said = facts.get("cpus")
    if said is not None and counted and said != counted:
        yield f"{role}/facts.json: cpus is {said}, but tasks.log has counters of {counted}"
    said = facts.get("clock_ticks_per_s")
    all_cpus = of_role.filter(pl.col("cpu") == "cpu").drop_nulls("monotonic_ns").sort("snapshot")
    if said is None or not counted or all_cpus["boot_id"].n_unique() != 1:
        return
    total_ticks = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in STATES)
    ends = all_cpus.select("monotonic_ns", ticks=total_ticks)[[0, -1]].cast(pl.Float64)
    passed_s = (ends["monotonic_ns"][1] - ends["monotonic_ns"][0]) / NS_PER_S
    if passed_s < MIN_SPAN_S:
        return
    rate = (ends["ticks"][1] - ends["ticks"][0]) / counted / passed_s
    if not MIN_TICK_SHARE <= rate / said <= MAX_TICK_SHARE:
        yield (
            f"{role}/facts.json: clock_ticks_per_s is {said}, but tasks.log counted {rate:.4g} per second and CPU"
        )
