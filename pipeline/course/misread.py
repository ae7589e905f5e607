"""What typical slips make of the raw logs of a run: wrong answers of lesson 6 that no table holds."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from pipeline.course import raw_logs
from pipeline.course.raw_logs import NS_PER_S, Recording

SECTOR_BYTES = 512


@lru_cache(maxsize=64)
def misread(folder: Path, virtual_server: str) -> dict[str, float]:
    """Values that typical slips give on the raw logs of a run.

    Returns
    -------
    dict
        ``T_…``: times in s. ``T_snapshots`` between the snapshots of top around the load, ``T_idle`` with the idle
        measurement, ``T_end`` since 1970; ``T_cpu_early`` up to the last snapshot before the end, ``T_cpu_late`` from
        the first after the start, ``T_cpu_one`` of the busiest process, ``T_cpu_first`` at the start, ``T_cpu_ends``
        of the last snapshot minus the first, without processes that ended, ``T_cpu_log`` over the whole log,
        ``T_cpu_added`` of all snapshots added; ``read_ticks_s``, ``write_ticks_s``, and
        ``host_io_ticks_s`` of the host's disk since boot.
        ``IO_…``: bytes. ``IO_boot`` since boot, ``IO_field_before``, ``IO_field_after`` and ``IO_operations`` of
        other fields; ``IO_rates``: rates added, ``IO_times_T``: their sum times T, ``IO_reads``, ``IO_writes``,
        ``IO_all`` of all rows, ``IO_thousand`` with K as 1000, ``IO_named`` without the threads of tasks.log,
        ``IO_gone`` of these threads (``IO_gone_reads``, ``IO_gone_writes``, ``IO_gone_rows`` their number),
        ``IO_extra`` with one interval too many, ``IO_mean_rate`` per second.
        Counts: ``sectors``, ``reads``, and ``queries`` where the client is sysbench.

    Raises
    ------
    OSError, LookupError
        If a log is missing or does not reach over the load.
    """
    run = raw_logs.open_run(folder, virtual_server)
    pattern = run.entry["server_processes"]
    duration_s = (run.load["end_ns"] - run.load["start_ns"]) / NS_PER_S
    top = run.snapshots("top.log")
    history = [raw_logs.cpu_times(shot.lines, pattern) for shot in top]
    first, last = run.around(top)
    values = {
        "T_snapshots": (top[last].time_ns - top[first].time_ns) / NS_PER_S,
        "T_cpu_early": sum(_growth(history[first:last]).values()),
        "T_cpu_late": sum(_growth(history[first + 1 : last + 1]).values()),
        "T_cpu_one": max(_growth(history[first : last + 1]).values(), default=0.0),
        "T_cpu_first": sum(history[first].values()),
        "T_cpu_ends": sum(history[last].values()) - sum(history[first].values()),
        "T_cpu_log": sum(_growth(history).values()),
        "T_cpu_added": sum(sum(used.values()) for used in history[first : last + 1]),
        "T_end": run.load["end_ns"] / NS_PER_S,
    }
    if "before" in run.manifest:
        idle_ns = run.load["start_ns"] - run.manifest["before"]["start_ns"]
        values["T_idle"] = duration_s + idle_ns / NS_PER_S
    values |= _of_disk(run) | _of_tasks(run)
    values["IO_times_T"] = values["IO_rates"] * duration_s
    if queries := re.search(r"queries:\s+(\d+)", run.report()):
        values["queries"] = float(queries[1])
    return values


def _growth(history: list[dict[int, float]]) -> dict[int, float]:
    """CPU time by pid over some snapshots of top."""
    seen: dict[int, float] = {}
    for used in history:
        seen.update(used)
    return {pid: used - history[0].get(pid, 0.0) for pid, used in seen.items()}


def _of_disk(run: Recording) -> dict[str, float]:
    block = run.snapshots("block.log")
    before, after = (
        raw_logs.disk_counters(block[index].lines, run.entry["virtual_disk"])
        for index in run.around(block)
    )
    growth = [late - early for early, late in zip(before, after, strict=True)]
    host = run.snapshots("block.log", "host")
    host_after = raw_logs.disk_counters(host[run.around(host)[1]].lines, run.entry["host_disk"])
    return {
        "host_io_ticks_s": host_after[9] / 1000,
        "sectors": growth[2] + growth[6],
        "IO_boot": (after[2] + after[6]) * SECTOR_BYTES,
        "read_ticks_s": growth[3] / 1000,
        "write_ticks_s": growth[7] / 1000,
        "reads": growth[0],
        "IO_field_before": (growth[1] + growth[5]) * SECTOR_BYTES,
        "IO_field_after": (growth[3] + growth[7]) * SECTOR_BYTES,
        "IO_operations": (growth[0] + growth[4]) * SECTOR_BYTES,
    }


def _of_tasks(run: Recording) -> dict[str, float]:
    names = ("rates", "reads", "writes", "all", "thousand", "named", "extra")
    names += ("gone", "gone_reads", "gone_writes", "gone_rows")
    sums = dict.fromkeys(names, 0.0)
    pids, tids = run.server_pids(), run.server_tids()
    iotop = run.snapshots("iotop.log")
    first, last = run.around(iotop)
    for index in range(max(first, 1), last + 1):
        seconds = (iotop[index].time_ns - iotop[index - 1].time_ns) / NS_PER_S
        for row in raw_logs.rates(iotop[index].lines):
            task, command, rate = row.task, row.command, row.bytes_per_s
            is_named = task in pids or raw_logs.is_program(command, run.entry["server_processes"])
            is_server = is_named or task in tids
            moved = rate * seconds
            sums["extra"] += moved * is_server
            if index > first:
                sums["rates"] += rate * is_server
                sums["reads"] += row.read_per_s * seconds * is_server
                sums["writes"] += row.write_per_s * seconds * is_server
                sums["all"] += moved
                sums["thousand"] += moved / 1.024 * is_server
                sums["named"] += moved * is_named
                is_gone = is_server and not is_named
                sums["gone"] += moved * is_gone
                sums["gone_reads"] += row.read_per_s * seconds * is_gone
                sums["gone_writes"] += row.write_per_s * seconds * is_gone
                sums["gone_rows"] += is_gone
    sums["mean_rate"] = sums["rates"] / (last - first)
    return {f"IO_{name}": value for name, value in sums.items()}
