"""Manifests against the logs of machines: values of run.json and facts.json that they contradict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from pipeline.ingest import texts
from pipeline.ingest.load_consistency import find_load_contradictions
from pipeline.raw import CLIENT, HOST, Run, VirtualServer, Window
from pipeline.raw.manifest import abbreviate

SAMPLED = {
    "top": ("top_summary",),
    "iotop": ("iotop_totals",),
    "block": ("block",),
    "tasks": ("task_processes", "cpus"),
}
"""Kind of log → its tables whose rows have the time of their snapshot."""
STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""States of /proc/stat: in each tick a CPU is in one of them."""
MIN_TICK_SHARE, MAX_TICK_SHARE = 0.55, 1.25
"""Ticks counted in /proc/stat per second and CPU, over clock_ticks_per_s. A virtual CPU that waits for a host CPU
misses ticks (a third of them in the recorded study); a wrong number of ticks is off by a factor."""
USER_HZ = 100
"""Ticks per second in /proc on every architecture with KVM (include/asm-generic/param.h; alpha and ia64 have 1024).
Where it explains the ticks that were counted, no other number does: a range for lost ticks cannot tell 150 from it.
A guest that has it and counts fewer has lost ticks, however many: no smaller number is possible."""
MIN_SPAN_S = 5.0
"""Shortest log whose rate of ticks is checked."""
MAX_OFFSET_SHARE = 0.05
"""Largest clock offset as a share of the load's window; a larger one is an error of measurement or a clock that is
not set."""
MAX_UNCOVERED_SHARE, MAX_UNCOVERED_S = 0.2, 5.0
"""Part of a window before a log's first snapshot and after its last; both must be exceeded."""
NO_SNAPSHOT = 0.0
"""Share of a window that a log without a snapshot in it covers."""
MIN_PROCESSES = 5
"""Fewest names of processes of which a pattern for a server's may not match all."""
MIN_SNAPSHOTS = 5
"""Fewest snapshots whose interval is checked."""
MAX_INTERVAL_FACTOR = 2.0
"""Between the requested interval and the snapshots' median interval: a busy machine delays snapshots."""
MAX_MEMORY_ERROR = 0.05
"""Share of memory_bytes by which top's total may differ: both are MemTotal of /proc/meminfo."""
NS_PER_S = 1e9


def find_contradictions(run: Run, frames: Mapping[str, pl.LazyFrame]) -> list[str]:
    """Values of run.json and facts.json that the logs contradict.

    Parameters
    ----------
    run : Run
    frames : mapping of str to polars.LazyFrame
        The run's tables with ``role``. A value that the logs say nothing about is not checked.

    Returns
    -------
    list of str
        One sentence per value, with file and key.
    """
    roles = [name for name in run.roles if name != CLIENT]
    sentences = [*_offsets(run)]
    for role in roles:
        at_ns = _snapshot_times(frames, role)
        sentences += _windows(run, at_ns, role)
        sentences += _boot_ids(run, frames, role)
        sentences += _interval(run, at_ns, role)
        sentences += _ticks(run, frames, role)
        sentences += _memory(run, frames, role)
    for server in run.virtual_servers.values():
        sentences += [*_disks(run, frames, server), *_processes(run, frames, server)]
    return [*sentences, *_shared_qemu(run, frames), *find_load_contradictions(run, frames)]


def _of_role(
    frames: Mapping[str, pl.LazyFrame], table: str, role: str, *columns: pl.Expr | str
) -> pl.DataFrame | None:
    """Different rows of some columns of a table of one machine, in any order; None without any."""
    if table not in frames:
        return None
    rows = (
        frames[table]
        .filter(pl.col("role") == role)
        .select(columns)
        .unique()
        .collect(engine="streaming")
    )
    return None if rows.is_empty() else rows


def _snapshot_times(frames: Mapping[str, pl.LazyFrame], role: str) -> dict[str, np.ndarray]:
    """Kind of log → the times of its snapshots by the machine's clock, in nanoseconds, each once and in order."""
    at_ns = pl.col("time").dt.epoch("ns").drop_nulls().alias("at_ns")
    result = {}
    for kind, names in SAMPLED.items():
        times = [
            rows["at_ns"].to_numpy()
            for table in names
            if (rows := _of_role(frames, table, role, at_ns)) is not None
        ]
        if times:
            result[kind] = np.unique(np.concatenate(times))
    return result


def _log_name(run: Run, role: str, kind: str) -> str:
    log = run.log(role, kind)
    return f"{role}/{kind}.log" if log is None else log.name


def _offsets(run: Run) -> Iterator[str]:
    """Clock offsets that are large against the load's window; an inferred one may be that of another time zone."""
    if run.window is None or run.is_imported:
        return
    for name, role in run.roles.items():
        offset_s = (role.clock_offset_ns or 0) / NS_PER_S
        if abs(offset_s) > MAX_OFFSET_SHARE * run.window.duration_s:
            yield texts.large_offset(name, offset_s, 100 * MAX_OFFSET_SHARE, run.window.duration_s)


def _windows(run: Run, at_ns: Mapping[str, np.ndarray], role: str) -> Iterator[str]:
    """Windows that the logs of a machine do not cover: a problem of run.json if it is so for all logs."""
    offset_ns = run.clock_offset_ns(role)
    if not at_ns or offset_ns is None:
        return
    windows: dict[str, Window | None] = {"window": run.window, "before": run.idle_before}
    for server in run.virtual_servers.values():
        if server.workload is not None and server.role == role:
            windows[f"virtual_servers.{server.name}.workload"] = server.workload.window
    for key, window in windows.items():
        if window is None:
            continue
        local_window = window.shifted(offset_ns)
        reasons = {kind: _uncovered(times, local_window) for kind, times in at_ns.items()}
        if None not in reasons.values():
            every = np.concatenate(list(at_ns.values()))
            first, last = (
                pl.Series([int(end)]).cast(pl.Datetime("ns")).dt.to_string("%F %T")[0]
                for end in (every.min(), every.max())
            )
            share = None if NO_SNAPSHOT in reasons.values() else min(reasons.values())
            yield texts.window_without_snapshot(key, role, first, last, share)
            continue
        for kind, share in reasons.items():
            if share is not None:
                yield texts.log_outside_window(_log_name(run, role, kind), key, share)


def _uncovered(at_ns: np.ndarray, window: Window) -> float | None:
    """Share of a window between the first and the last snapshot of a log; None if that is enough."""
    if not ((at_ns >= window.start_ns) & (at_ns <= window.end_ns)).any():
        return NO_SNAPSHOT
    before_s = max(0.0, (int(at_ns[0]) - window.start_ns) / NS_PER_S)
    after_s = max(0.0, (window.end_ns - int(at_ns[-1])) / NS_PER_S)
    uncovered_s = before_s + after_s
    if uncovered_s <= max(MAX_UNCOVERED_S, MAX_UNCOVERED_SHARE * window.duration_s):
        return None
    return 1 - uncovered_s / window.duration_s


def _boot_ids(run: Run, frames: Mapping[str, pl.LazyFrame], role: str) -> Iterator[str]:
    """Logs of another boot, or another machine, than run.json (else facts.json) has."""
    machine = run.roles.get(role)
    stated = machine.boot_id if machine is not None and machine.boot_id else None
    stated = stated or run.facts(role).get("boot_id")
    if stated is None:
        return
    is_other = (pl.col("role") == role) & (pl.col("boot_id") != stated)
    for kind, names in SAMPLED.items():
        for table in names:
            if table not in frames:
                continue
            others = frames[table].filter(is_other).select("boot_id").head(1)
            if (rows := others.collect(engine="streaming")).height:
                yield texts.other_boot(_log_name(run, role, kind), rows["boot_id"][0], stated, role)
                break


def _interval(run: Run, at_ns: Mapping[str, np.ndarray], role: str) -> Iterator[str]:
    """interval_s of facts.json against the median interval of the snapshots."""
    stated = run.facts(role).get("interval_s")
    if stated is None:
        return
    medians_s = {
        kind: float(np.median(np.diff(times_ns))) / NS_PER_S
        for kind, times_ns in at_ns.items()
        if len(times_ns) >= MIN_SNAPSHOTS
    }
    off = {
        kind: median_s
        for kind, median_s in medians_s.items()
        if not 1 / MAX_INTERVAL_FACTOR <= median_s / stated <= MAX_INTERVAL_FACTOR
    }
    if off and len(off) == len(medians_s):
        yield texts.other_interval(role, stated, next(iter(off.values())))


def _memory(run: Run, frames: Mapping[str, pl.LazyFrame], role: str) -> Iterator[str]:
    """memory_bytes of facts.json against top's total."""
    stated = run.facts(role).get("memory_bytes")
    if not stated or "top_summary" not in frames:
        return
    of_role = frames["top_summary"].filter(pl.col("role") == role)
    total = of_role.select(pl.col("memory_total_bytes").median()).collect(engine="streaming").item()
    if total and abs(total / stated - 1) > MAX_MEMORY_ERROR:
        yield texts.other_memory(role, stated, total)


def _disks(run: Run, frames: Mapping[str, pl.LazyFrame], server: VirtualServer) -> Iterator[str]:
    """Disks of run.json that block.log does not have."""
    for key, role in (("virtual_disk", server.role), ("host_disk", HOST)):
        disk = getattr(server, key)
        rows = None if disk is None else _of_role(frames, "block", role, "device")
        if rows is None:
            continue
        devices = rows["device"].drop_nulls().sort().to_list()
        if devices and disk not in devices:
            name = _log_name(run, role, "block")
            yield texts.no_such_disk(server.name, key, disk, name, abbreviate(devices))


def _processes(
    run: Run, frames: Mapping[str, pl.LazyFrame], server: VirtualServer
) -> Iterator[str]:
    """Patterns of run.json that select no process, or every process, of the logs."""
    if server.server_processes is not None:
        names: set[str] = set()
        for table, column in (("top_processes", "command"), ("task_processes", "comm")):
            if (rows := _of_role(frames, table, server.role, column)) is not None:
                names |= set(rows[column].drop_nulls())
        series = pl.Series(sorted(names), dtype=pl.String)
        matches = series.str.contains(server.server_processes)
        if names and not matches.any():
            yield texts.no_process(server.name, "server_processes", server.role)
        elif len(names) >= MIN_PROCESSES and matches.all():
            yield texts.every_process(server.name, "server_processes", server.role, len(names))
    if server.qemu_process is not None and server.role != HOST:
        rows = _of_role(frames, "task_processes", HOST, "command_line")
        lines = None if rows is None else rows["command_line"].drop_nulls()
        if lines is not None and len(lines) and not lines.str.contains(server.qemu_process).any():
            yield texts.no_process(server.name, "qemu_process", HOST)


def _shared_qemu(run: Run, frames: Mapping[str, pl.LazyFrame]) -> Iterator[str]:
    """Two virtual servers whose patterns select one process of the host."""
    patterns = [server.qemu_process for server in run.virtual_servers.values()]
    if sum(pattern is not None for pattern in patterns) < 2:
        return
    rows = _of_role(frames, "task_processes", HOST, "pid", "command_line")
    if rows is None:
        return
    lines = rows.drop_nulls()
    server_of_pid: dict[int, str] = {}
    for server in run.virtual_servers.values():
        if server.qemu_process is None:
            continue
        pids = lines.filter(pl.col("command_line").str.contains(server.qemu_process))["pid"]
        others = {server_of_pid.setdefault(pid, server.name) for pid in pids} - {server.name}
        if others:
            yield texts.shared_process(server.name, min(others))


def _ticks(run: Run, frames: Mapping[str, pl.LazyFrame], role: str) -> Iterator[str]:
    """CPUs and clock ticks of facts.json against those of /proc/stat."""
    if (names := _of_role(frames, "cpus", role, "cpu")) is None:
        return
    counted = int((names["cpu"] != "cpu").sum())
    facts = run.facts(role)
    stated = facts.get("cpus")
    if stated is not None and counted and stated != counted:
        yield texts.other_cpu_count(role, stated, counted)
    stated = facts.get("clock_ticks_per_s")
    if stated is None or not counted:
        return
    total_ticks = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in STATES)
    is_of_all = (pl.col("role") == role) & (pl.col("cpu") == "cpu")
    all_cpus = (
        frames["cpus"]
        .filter(is_of_all & pl.col("monotonic_ns").is_not_null())
        .select("snapshot", "boot_id", "monotonic_ns", ticks=total_ticks)
        .collect(engine="streaming")
        .sort("snapshot")
    )
    if all_cpus["boot_id"].n_unique() != 1:
        return
    ends = all_cpus.select("monotonic_ns", "ticks")[[0, -1]].cast(pl.Float64)
    passed_s = (ends["monotonic_ns"][1] - ends["monotonic_ns"][0]) / NS_PER_S
    if passed_s < MIN_SPAN_S:
        return
    rate = (ends["ticks"][1] - ends["ticks"][0]) / counted / passed_s
    is_explained, is_usual = (
        MIN_TICK_SHARE <= rate / hertz <= MAX_TICK_SHARE for hertz in (stated, USER_HZ)
    )
    if role != HOST and stated == USER_HZ and rate < USER_HZ:
        return
    if not is_explained or (is_usual and stated != USER_HZ):
        yield texts.other_tick_rate(role, stated, rate)
