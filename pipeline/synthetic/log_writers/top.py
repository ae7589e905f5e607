"""top.log: ``top -b -w 512 -d 1`` of procps-ng 4.0.2."""

from __future__ import annotations

import time

import numpy as np

from pipeline.synthetic.clocks import NS_PER_S, Snapshots
from pipeline.synthetic.kernel_counters import TICKS_PER_S
from pipeline.synthetic.process_state import Running
from pipeline.synthetic.process_table import Hardware, Process

NAMES = "{:>{width}} USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND"


def top_log(snapshots: Snapshots, processes: list[Running], hardware: Hardware) -> str:
    """The log; the machine's CPUs are as busy as its processes."""
    moments, memory_kib, cpus = snapshots.moments_s, hardware.memory_kib, hardware.cpus
    rows = sorted(processes, key=lambda row: row.process.pid)
    ticks = np.array([[row.task.user, row.task.system] for row in rows])
    used, busy = ticks.sum(axis=1), ticks.sum(axis=0)
    alive = np.array([row.task.is_alive(moments) for row in rows])
    shares = np.diff(used, axis=1) / TICKS_PER_S / np.diff(moments) * 100
    # The first iteration has nothing to compare with: top shows the share of the process's whole life.
    life = used[:, :1] / TICKS_PER_S / snapshots.machine.uptime_s * 100
    shares = np.round(np.hstack([life, shares]), 1)
    around = [fixed(row.process, memory_kib, hardware.pid_width) for row in rows]
    names = NAMES.format("PID", width=hardware.pid_width)
    percent = _cpu_percent(busy, moments, cpus, snapshots.machine.uptime_s)
    loads = load_averages(percent[0] + percent[1], cpus)

    def printed(number: int) -> list[str]:
        there = np.flatnonzero(alive[:, number])
        share = shares[there, number]
        ranked = there[np.argsort(-share, kind="stable")]
        head = _head(snapshots, number, loads[number], len(there), percent[:, number], memory_kib)
        lines = []
        for at in ranked.tolist():
            before, after = around[at]
            lines.append(
                f"{before}{shares[at, number]:5.1f}{after} {time_plus(used[at, number]):>9} {rows[at].task.comm}"
            )
        return [*head, "", names, *lines, ""]

    return snapshots.log(printed)


def fixed(process: Process, memory_kib: int, pid_width: int) -> tuple[str, str]:
    """What stands before and after %CPU on a process's row."""
    row = (
        f"{process.pid:>{pid_width}} {process.user:<8} {process.priority:>3} {process.nice:>3} "
        f"{process.virtual_kib:>7} {size(process.resident_kib):>6} {process.shared_kib:>6} {process.state} "
    )
    return row, f" {100 * process.resident_kib / memory_kib:5.1f}"


def size(kib: int) -> str:
    """Memory as top prints it in six columns."""
    if kib < 1_000_000:
        return str(kib)
    return f"{kib / 2**20:.1f}g"


def time_plus(used_ticks: int) -> str:
    """TIME+ of up to 6 hours: minutes, seconds, hundredths."""
    minutes, hundredths = divmod(int(used_ticks), 60 * TICKS_PER_S)
    return f"{minutes}:{hundredths // 100:02d}.{hundredths % 100:02d}"


def uptime(seconds: float) -> str:
    """The time since boot as top's first line tells it, without days."""
    minutes = int(seconds) // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:2d}:{minutes % 60:02d}"


def _cpu_percent(busy: np.ndarray, moments: np.ndarray, cpus: int, uptime_s: float) -> np.ndarray:
    """user, system and idle percent of all CPUs in each interval; in the first since boot."""
    grown = np.diff(busy, axis=1, prepend=0) / TICKS_PER_S
    length = np.diff(moments, prepend=moments[0] - uptime_s) * cpus
    user, system = np.clip(100 * grown / length, 0, 100)
    system = np.minimum(system, 100 - user)
    return np.round([user, system, 100 - user - system], 1)


def load_averages(busy_percent: np.ndarray, cpus: int) -> np.ndarray:
    """Runnable tasks averaged over 1, 5 and 15 minutes, once a snapshot: shape (snapshots, 3)."""
    averages, out = np.zeros(3), []
    fade = np.exp(-1 / np.array([60.0, 300.0, 900.0]))
    for percent in busy_percent:
        averages = averages * fade + percent / 100 * cpus * (1 - fade)
        out.append(averages)
    return np.array(out)


def _head(
    snapshots: Snapshots,
    number: int,
    load: np.ndarray,
    tasks: int,
    percent: np.ndarray,
    memory_kib: int,
) -> list[str]:
    machine, moment = snapshots.machine, snapshots.moments_s[number]
    clock = time.strftime("%H:%M:%S", time.gmtime(machine.epoch_ns(moment) // NS_PER_S))
    total = memory_kib / 1024
    used, cached = 0.45 * total, 0.1 * total
    averages = ", ".join(f"{value:.2f}" for value in load)
    return [
        f"top - {clock} up {uptime(machine.uptime_s + moment)},  0 user,  load average: {averages}",
        f"Tasks: {tasks:>3} total,   1 running, {tasks - 1:>3} sleeping,   0 stopped,   0 zombie",
        cpu_line(*percent),
        f"MiB Mem : {total:8.1f} total, {total - used - cached:8.1f} free, {used:8.1f} used, "
        f"{cached:8.1f} buff/cache     ",
        f"MiB Swap: {0:8.1f} total, {0:8.1f} free, {0:8.1f} used. {total - used:8.1f} avail Mem ",
    ]


def cpu_line(user: float, system: float, idle: float) -> str:
    """The summary's shares of CPU time in percent."""
    return f"%Cpu(s):{user:5.1f} us,{system:5.1f} sy,  0.0 ni,{idle:5.1f} id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st "
