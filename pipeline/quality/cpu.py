"""CPU time by top against the kernel's task counters, and a machine's whole CPU by top against /proc/stat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.measure.counters import (
    BoundedValue,
    counters_by_key,
    exact_endpoints,
    process_tree_total,
    sampled_endpoints,
)
from pipeline.measure.processes import (
    ALL_STATES,
    BUSY_STATES,
    PROCESS_KEYS,
    SELF_AND_CHILDREN_CPU,
    SELF_CPU,
    cpu_times,
    machine_counter,
    total_cpu_time,
)
from pipeline.measure.window import MissingData, SnapshotSpan
from pipeline.quality.agreement import Measurement, common_span, within_span
from pipeline.raw import Window


@dataclass(frozen=True)
class Clocks:
    """What facts.json says of a machine's clocks."""

    ticks_per_s: float
    asked_s: float | None = None
    """Time between samples that the collectors asked for."""


def process_times(
    top: pl.DataFrame,
    ticks: pl.DataFrame,
    counters: pl.DataFrame,
    counter_ticks: pl.DataFrame,
    window: Window,
    clocks: Clocks,
    pattern: str = "",
) -> tuple[Measurement, list[Measurement]]:
    """CPU seconds of some processes by TIME+ and by utime + stime: all together, and pid by pid.

    ``top``, ``counters``: rows of the processes (top_processes, task_processes; ``pattern`` chooses among the
    former by name). ``ticks``, ``counter_ticks``: any rows of those logs with ``snapshot`` and ``client_ns``. A
    process that ended counts up to its last sighting in top; the kernel adds all of it to its parent's. Pid by
    pid are those that lived through the window.
    """
    span = common_span(ticks, window, counter_ticks["client_ns"])
    endpoints = sampled_endpoints(ticks, span, clocks.asked_s)
    times = cpu_times(top, span, pattern)
    if times.is_empty():
        raise MissingData("top shows no such process in the window")
    one = total_cpu_time(times, span)
    family = process_tree_total(counters, SELF_AND_CHILDREN_CPU, counter_ticks)
    other = family.increase_between(endpoints).scaled(1 / clocks.ticks_per_s)
    each = []
    kernels = counters_by_key(counters, PROCESS_KEYS, SELF_CPU, counter_ticks)
    lived = times.filter(~pl.col("started_in_window") & ~pl.col("exited_in_window"))
    for (pid, _), kernel in kernels.items():
        row, at = lived.filter(pl.col("pid") == pid), kernel.at_ns
        if row.height == 1 and at[0] <= endpoints.start_ns and at[-1] >= endpoints.end_ns:
            grown = kernel.increase_between(endpoints).scaled(1 / clocks.ticks_per_s)
            seen = BoundedValue(*row.select("cpu_time_s", "low_s", "high_s").row(0))
            each.append(Measurement(seen, _cut_to_ticks(grown, clocks), subject=f"pid {pid}"))
    ended = int(times["exited_in_window"].sum())
    cause = f"{ended} processes ended in the window, and what they used after top saw them last is lost to it"
    moved = sum(found.b.high > 0 for found in each) + ended + int(times["started_in_window"].sum())
    whole = Measurement(one, other.widened(2 * moved / clocks.ticks_per_s), cause if ended else "")
    return whole, each


def _cut_to_ticks(grown: BoundedValue, clocks: Clocks) -> BoundedValue:
    """utime and stime are cut down to a tick each."""
    return grown.widened(2 / clocks.ticks_per_s) if grown.high > 0 else grown


def whole_cpu(
    summary: pl.DataFrame, cpus: pl.DataFrame, window: Window, clocks: Clocks
) -> Measurement:
    """The share of all CPUs that was busy: top's %Cpu line, and the `cpu` line of /proc/stat.

    Busy is neither idle, nor waiting for I/O, nor stolen. top's percentages are means over the interval that
    ends with their snapshot.
    """
    every, working = (machine_counter(cpus, states) for states in (ALL_STATES, BUSY_STATES))
    span = common_span(summary, window, pl.Series(every.at_ns))
    endpoints = sampled_endpoints(summary, span, clocks.asked_s)
    total = every.increase_between(endpoints)
    if total.value <= 0:
        raise MissingData("/proc/stat counted nothing in the window")
    other = working.increase_between(endpoints).widened(working.bound).scaled(1 / total.value)
    return Measurement(
        _by_top(summary, span), BoundedValue(other.value, other.low, min(1.0, other.high))
    )


def _by_top(summary: pl.DataFrame, span: SnapshotSpan) -> BoundedValue:
    timed = summary.sort("snapshot").with_columns(length_ns=pl.col("client_ns").diff())
    rows = within_span(timed, span).drop_nulls("cpu_idle_percent")
    if rows.is_empty():
        raise MissingData("top printed no %Cpu line in the window")
    # a top that does not print wa or st has no such state: its percentages add up to 100 without it
    unused = [pl.col(f"cpu_{name}_percent").fill_null(0.0) for name in ("idle", "iowait", "steal")]
    busy = rows.select(100 - pl.sum_horizontal(unused)).to_series().to_numpy() / 100
    printed = rows.select(pl.selectors.matches("^cpu_.*_percent$") % 1 > 0)
    step = 0.001 if any(column.any() for column in printed) else 0.01
    lengths = rows["length_ns"].to_numpy().astype(float)
    value = float(np.clip(np.average(busy, weights=lengths), 0.0, 1.0))
    return BoundedValue(value, value, value).widened(0.5 * step * len(unused))


def guest_against_host(
    cpus: pl.DataFrame,
    qemu: pl.DataFrame,
    window: Window,
    guest: Clocks,
    host: Clocks,
    *,
    quota: float | None = None,
) -> Measurement:
    """CPU seconds that a guest says it worked, and those that its QEMU got on the host.

    ``cpus``: the guest's; ``qemu``: rows of task_processes of its QEMU on the host, with the client's time.
    """
    span = common_span(cpus, window, qemu["client_ns"])
    endpoints = exact_endpoints(cpus, span)
    working = machine_counter(cpus, BUSY_STATES, guest.ticks_per_s)
    one = working.increase_between(endpoints).widened(working.bound)
    got = (
        process_tree_total(qemu, SELF_AND_CHILDREN_CPU, qemu)
        .increase_between(endpoints)
        .scaled(1 / host.ticks_per_s)
    )
    other = _cut_to_ticks(got, host)
    stolen = cpus.filter(pl.col("cpu") == "cpu")["steal_ticks"].max()
    why = "" if quota is None else f" (all virtual servers together get {quota:g} CPU)"
    cause = (
        "the guest has no steal clock and counts as used the time in which its vCPU was stopped or "
        f"waited for a CPU of the host{why}"
    )
    return Measurement(one, other, cause if one.value > other.value and not stolen else "")


def tasks_shown(summary: pl.DataFrame, processes: pl.DataFrame, window: Window) -> Measurement:
    """Tasks by top's own count, and rows of its table: means over the snapshots in the window."""
    inside = summary.filter(pl.col("client_ns").is_between(window.start_ns, window.end_ns))
    counts = inside.drop_nulls("tasks").select("snapshot", "tasks")
    if counts.is_empty():
        raise MissingData("top printed no count of tasks in the window")
    rows = (
        processes.filter(pl.col("snapshot").is_in(counts["snapshot"].implode()))
        .group_by("snapshot")
        .agg(rows=pl.len())
    )
    both = counts.join(rows, on="snapshot", how="left").with_columns(pl.col("rows").fill_null(0))
    one, other = float(both["tasks"].mean()), float(both["rows"].mean())  # type: ignore[arg-type]
    lines = int((both["tasks"] - both["rows"]).abs().max())  # type: ignore[arg-type]
    cause = f"up to {lines} rows of a snapshot are missing or doubled" if lines else ""
    return Measurement(BoundedValue(one, one, one), BoundedValue(other, other, other), cause)
