"""top.log: ``top -b -w 512 -d 1`` of procps-ng 4.0.2."""

from __future__ import annotations

import time

import numpy as np

from pipeline.synthetic.clocks import NS_PER_S, Snapshots
from pipeline.synthetic.kernel_counters import TICKS_PER_S
from pipeline.synthetic.process_state import RunningProcess
from pipeline.synthetic.process_table import Hardware, Process

HEADER = "{:>{width}} USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND"


def top_log(snapshots: Snapshots, processes: list[RunningProcess], hardware: Hardware) -> str:
    """The log; the CPU line sums all processes of the machine."""
    times, memory_kib, cpus = snapshots.times_s, hardware.memory_kib, hardware.cpus
    rows = sorted(processes, key=lambda row: row.process.pid)
    ticks = np.array([[row.task.user, row.task.system] for row in rows])
    used, busy = ticks.sum(axis=1), ticks.sum(axis=0)
    alive = np.array([row.task.is_alive(times) for row in rows])
    shares = np.diff(used, axis=1) / TICKS_PER_S / np.diff(times) * 100
    # The first iteration has no previous counters: top shows the share since boot.
    life = used[:, :1] / TICKS_PER_S / snapshots.machine.uptime_s * 100
    shares = np.round(np.hstack([life, shares]), 1)
    fixed_columns_of = [fixed_columns(row.process, memory_kib, hardware.pid_width) for row in rows]
    header = HEADER.format("PID", width=hardware.pid_width)
    percent = _cpu_percent(busy, times, cpus, snapshots.machine.uptime_s)
    loads = load_averages(percent[0] + percent[1], cpus)

    def lines_at(number: int) -> list[str]:
        present = np.flatnonzero(alive[:, number])
        share = shares[present, number]
        order = present[np.argsort(-share, kind="stable")]
        head = _summary_lines(
            snapshots, number, loads[number], len(present), percent[:, number], memory_kib
        )
        lines = []
        for at in order.tolist():
            before, after = fixed_columns_of[at]
            lines.append(
                f"{before}{shares[at, number]:5.1f}{after} {format_time_plus(used[at, number]):>9} {rows[at].task.comm}"
            )
        return [*head, "", header, *lines, ""]

    return snapshots.format_log(lines_at)


def fixed_columns(process: Process, memory_kib: int, pid_width: int) -> tuple[str, str]:
    """The text before and after %CPU in a process's row."""
    row = (
        f"{process.pid:>{pid_width}} {process.user:<8} {process.priority:>3} {process.nice:>3} "
        f"{process.virtual_kib:>7} {format_memory(process.resident_kib):>6} {process.shared_kib:>6} {process.state} "
    )
    return row, f" {100 * process.resident_kib / memory_kib:5.1f}"


def format_memory(kib: int) -> str:
    """Memory in top's format of six columns."""
    if kib < 1_000_000:
        return str(kib)
    return f"{kib / 2**20:.1f}g"


def format_time_plus(used_ticks: int) -> str:
    """TIME+ of up to 6 hours: minutes, seconds, hundredths."""
    minutes, hundredths = divmod(int(used_ticks), 60 * TICKS_PER_S)
    return f"{minutes}:{hundredths // 100:02d}.{hundredths % 100:02d}"


def format_uptime(seconds: float) -> str:
    """The time since boot in the format of top's first line, without days."""
    minutes = int(seconds) // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60:2d}:{minutes % 60:02d}"


def _cpu_percent(busy: np.ndarray, times: np.ndarray, cpus: int, uptime_s: float) -> np.ndarray:
    """user, system and idle percent of all CPUs in each interval; in the first since boot."""
    increase = np.diff(busy, axis=1, prepend=0) / TICKS_PER_S
    length = np.diff(times, prepend=times[0] - uptime_s) * cpus
    user, system = np.clip(100 * increase / length, 0, 100)
    system = np.minimum(system, 100 - user)
    return np.round([user, system, 100 - user - system], 1)


def load_averages(busy_percent: np.ndarray, cpus: int) -> np.ndarray:
    """Load averages over 1, 5 and 15 minutes at each snapshot: shape (snapshots, 3)."""
    averages, out = np.zeros(3), []
    decay = np.exp(-1 / np.array([60.0, 300.0, 900.0]))
    for percent in busy_percent:
        averages = averages * decay + percent / 100 * cpus * (1 - decay)
        out.append(averages)
    return np.array(out)


def _summary_lines(
    snapshots: Snapshots,
    number: int,
    load: np.ndarray,
    tasks: int,
    percent: np.ndarray,
    memory_kib: int,
) -> list[str]:
    machine, time_s = snapshots.machine, snapshots.times_s[number]
    clock_time = time.strftime("%H:%M:%S", time.gmtime(machine.epoch_ns(time_s) // NS_PER_S))
    total = memory_kib / 1024
    used, cached = 0.45 * total, 0.1 * total
    averages = ", ".join(f"{value:.2f}" for value in load)
    return [
        f"top - {clock_time} up {format_uptime(machine.uptime_s + time_s)},  0 user,  load average: {averages}",
        f"Tasks: {tasks:>3} total,   1 running, {tasks - 1:>3} sleeping,   0 stopped,   0 zombie",
        cpu_line(*percent),
        f"MiB Mem : {total:8.1f} total, {total - used - cached:8.1f} free, {used:8.1f} used, "
        f"{cached:8.1f} buff/cache     ",
        f"MiB Swap: {0:8.1f} total, {0:8.1f} free, {0:8.1f} used. {total - used:8.1f} avail Mem ",
    ]


def cpu_line(user: float, system: float, idle: float) -> str:
    """The summary line of CPU time in percent."""
    return f"%Cpu(s):{user:5.1f} us,{system:5.1f} sy,  0.0 ni,{idle:5.1f} id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st "
