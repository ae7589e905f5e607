"""Cross-checks of CPU time: top against the kernel's task counters and /proc/stat, a guest against its QEMU."""

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
from pipeline.quality import texts
from pipeline.quality.agreement import Measurement, common_span, within_span
from pipeline.raw import Window


@dataclass(frozen=True)
class ClockRates:
    """Rates of a machine's clocks, from its facts.json."""

    ticks_per_s: float
    interval_s: float | None = None
    """Requested time between samples."""


def process_times(
    top: pl.DataFrame,
    ticks: pl.DataFrame,
    counters: pl.DataFrame,
    counter_ticks: pl.DataFrame,
    window: Window,
    rates: ClockRates,
    pattern: str = "",
) -> tuple[Measurement, list[Measurement]]:
    """CPU seconds of some processes by TIME+ and by utime + stime: all together, and pid by pid.

    ``top``, ``counters``: rows of the processes (top_processes, task_processes; ``pattern`` chooses among the
    former by name). ``ticks``, ``counter_ticks``: any rows of those logs with ``snapshot`` and ``client_ns``. A
    process that exited counts up to its last sample in top; the kernel adds all of it to its parent's. Pid by
    pid are those that ran through the whole window.
    """
    span = common_span(ticks, window, counter_ticks["client_ns"])
    endpoints = sampled_endpoints(ticks, span, rates.interval_s)
    times = cpu_times(top, span, pattern)
    if times.is_empty():
        raise MissingData(texts.NO_SUCH_PROCESS)
    kernel_total = process_tree_total(counters, SELF_AND_CHILDREN_CPU, counter_ticks)
    kernel_s = kernel_total.increase_between(endpoints).scaled(1 / rates.ticks_per_s)
    by_process = []
    by_pid = counters_by_key(counters, PROCESS_KEYS, SELF_CPU, counter_ticks)
    whole_window = times.filter(~pl.col("started_in_window") & ~pl.col("exited_in_window"))
    for (pid, _), counter in by_pid.items():
        row, at_ns = whole_window.filter(pl.col("pid") == pid), counter.at_ns
        if row.height == 1 and at_ns[0] <= endpoints.start_ns and at_ns[-1] >= endpoints.end_ns:
            increase_s = counter.increase_between(endpoints).scaled(1 / rates.ticks_per_s)
            top_s = BoundedValue(*row.select("cpu_time_s", "low_s", "high_s").row(0))
            by_process.append(
                Measurement(top_s, _truncated_to_ticks(increase_s, rates), subject=f"pid {pid}")
            )
    exited, started = (int(times[name].sum()) for name in ("exited_in_window", "started_in_window"))
    running = sum(measurement.b.high > 0 for measurement in by_process) + exited + started
    total = Measurement(
        total_cpu_time(times, span),
        kernel_s.widened(2 * running / rates.ticks_per_s),
        texts.exited_top(exited) if exited else "",
    )
    return total, by_process


def _truncated_to_ticks(increase_s: BoundedValue, rates: ClockRates) -> BoundedValue:
    """utime and stime are truncated to a tick each."""
    return increase_s.widened(2 / rates.ticks_per_s) if increase_s.high > 0 else increase_s


def machine_cpu(
    summary: pl.DataFrame, cpus: pl.DataFrame, window: Window, rates: ClockRates
) -> Measurement:
    """The share of all CPUs that was busy: top's %Cpu line, and the `cpu` line of /proc/stat.

    Busy is neither idle, nor waiting for I/O, nor stolen. top's percentages are means over the interval that
    ends with their snapshot.
    """
    all_states, busy_states = (
        machine_counter(cpus, states) for states in (ALL_STATES, BUSY_STATES)
    )
    span = common_span(summary, window, pl.Series(all_states.at_ns))
    endpoints = sampled_endpoints(summary, span, rates.interval_s)
    total = all_states.increase_between(endpoints)
    if total.value <= 0:
        raise MissingData(texts.NO_CPU_TICKS)
    busy = busy_states.increase_between(endpoints).widened(busy_states.bound)
    share = busy.scaled(1 / total.value)
    return Measurement(
        _busy_share_of_top(summary, span),
        BoundedValue(share.value, share.low, min(1.0, share.high)),
    )


def _busy_share_of_top(summary: pl.DataFrame, span: SnapshotSpan) -> BoundedValue:
    timed = summary.sort("snapshot").with_columns(length_ns=pl.col("client_ns").diff())
    rows = within_span(timed, span).drop_nulls("cpu_idle_percent")
    if rows.is_empty():
        raise MissingData(texts.NO_CPU_PERCENT)
    # a top that does not print wa or st has no such state: its percentages add up to 100 without it
    unused = [pl.col(f"cpu_{name}_percent").fill_null(0.0) for name in ("idle", "iowait", "steal")]
    busy = rows.select(100 - pl.sum_horizontal(unused)).to_series().to_numpy() / 100
    has_decimals = rows.select(pl.selectors.matches("^cpu_.*_percent$") % 1 > 0)
    step = 0.001 if any(column.any() for column in has_decimals) else 0.01
    lengths = rows["length_ns"].to_numpy().astype(float)
    value = float(np.clip(np.average(busy, weights=lengths), 0.0, 1.0))
    return BoundedValue(value, value, value).widened(0.5 * step * len(unused))


def guest_vs_host(
    cpus: pl.DataFrame,
    qemu: pl.DataFrame,
    window: Window,
    guest: ClockRates,
    host: ClockRates,
    *,
    quota: float | None = None,
) -> Measurement:
    """CPU seconds that a guest's CPUs were busy, and CPU seconds of its QEMU on the host.

    ``cpus``: the guest's; ``qemu``: rows of task_processes of its QEMU on the host, with the client's time.
    """
    span = common_span(cpus, window, qemu["client_ns"])
    endpoints = exact_endpoints(cpus, span)
    busy_states = machine_counter(cpus, BUSY_STATES, guest.ticks_per_s)
    guest_s = busy_states.increase_between(endpoints).widened(busy_states.bound)
    qemu_total = process_tree_total(qemu, SELF_AND_CHILDREN_CPU, qemu)
    qemu_s = _truncated_to_ticks(
        qemu_total.increase_between(endpoints).scaled(1 / host.ticks_per_s), host
    )
    has_steal = bool(cpus.filter(pl.col("cpu") == "cpu")["steal_ticks"].max())
    is_larger = guest_s.value > qemu_s.value
    return Measurement(
        guest_s, qemu_s, texts.no_steal_clock(quota) if is_larger and not has_steal else ""
    )


def task_count(summary: pl.DataFrame, processes: pl.DataFrame, window: Window) -> Measurement:
    """Tasks by top's own count, and rows of its table: means over the snapshots in the window."""
    in_window = summary.filter(pl.col("client_ns").is_between(window.start_ns, window.end_ns))
    counts = in_window.drop_nulls("tasks").select("snapshot", "tasks")
    if counts.is_empty():
        raise MissingData(texts.NO_TASK_COUNT)
    rows = (
        processes.filter(pl.col("snapshot").is_in(counts["snapshot"].implode()))
        .group_by("snapshot")
        .agg(rows=pl.len())
    )
    both = counts.join(rows, on="snapshot", how="left").with_columns(pl.col("rows").fill_null(0))
    differing = int((both["tasks"] - both["rows"]).abs().max())  # type: ignore[arg-type]
    count, listed = (
        BoundedValue(*3 * (float(both[name].mean()),))  # type: ignore[arg-type]
        for name in ("tasks", "rows")
    )
    return Measurement(count, listed, texts.differing_rows(differing) if differing else "")
