"""tasks.log, the collector's own: counters of the processes that matter (grammar: docs/reference/raw-run.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.simulated.clocks import END, Snapshots
from pipeline.simulated.counters import TICKS_PER_S
from pipeline.simulated.running import Running, Task, start_ticks


@dataclass(frozen=True)
class Moved:
    """What one task has moved and waited for, at each snapshot."""

    read_bytes: np.ndarray
    written_bytes: np.ndarray
    waited_s: np.ndarray


def tasks_log(
    snapshots: Snapshots,
    processes: list[Running],
    moved: dict[int, Moved],
    cpu_lines: list[list[str]],
) -> str:
    """The log of the servers' processes. ``moved`` by thread number; ``cpu_lines``: those of each snapshot."""
    followed = [
        _Followed(running, moved, snapshots)
        for running in sorted(processes, key=lambda running: running.process.pid)
        if running.is_server
    ]
    lines, seen = [], set()
    for number, sentinel in enumerate(snapshots.lines()):
        lines += [sentinel, *cpu_lines[number]]
        for process in followed:
            if process.alive[number]:
                if process.pid not in seen:
                    seen.add(process.pid)
                    lines.append(f"c {process.pid} {process.started} {process.running.command}")
                lines += process.lines(number)
    return "\n".join(lines) + "\n" + END


class _Followed:
    """One process with all that is printed of it, as plain lists: this is the inmost loop."""

    def __init__(self, running: Running, moved: dict[int, Moved], snapshots: Snapshots) -> None:
        self.running, self.pid = running, running.process.pid
        moments, none = snapshots.moments_s, np.zeros(len(snapshots.moments_s), np.int64)
        self.alive = running.task.is_alive(moments).tolist()
        self.started = start_ticks(snapshots.machine, running.task)
        nothing = Moved(none, none, none.astype(float))
        own = [moved.get(thread.tid, nothing) for thread in running.threads]
        self.waited = [_ticks(one.waited_s) for one in own]
        self.all_waited = _ticks(sum(one.waited_s for one in own))
        self.read = sum(one.read_bytes for one in own).tolist()
        self.written = sum(one.written_bytes for one in own).tolist()
        self.task = _Counters(running.task)
        self.threads = [_Counters(thread) for thread in running.threads]
        self.thread_alive = [thread.is_alive(moments).tolist() for thread in running.threads]
        self.thread_started = [start_ticks(snapshots.machine, thread) for thread in running.threads]

    def lines(self, number: int) -> list[str]:
        """Lines p, i and t of one snapshot."""
        process, task = self.running.process, self.task
        there = [at for at, alive in enumerate(self.thread_alive) if alive[number]]
        pages = process.resident_kib // 4
        read, written = self.read[number], self.written[number]
        lines = [
            f"p {self.pid} {self.started} 1 S {len(there)} {task.user[number]} {task.system[number]} 0 0 "
            f"{task.guest[number]} {self.all_waited[number]} {pages} {process.comm}",
            f"i {self.pid} {self.started} {read} {written} {read // 4096} {written // 4096} {read} {written} 0",
        ]
        for at in there:
            thread = self.threads[at]
            lines.append(
                f"t {self.pid} {thread.tid} {self.thread_started[at]} S 0 {thread.user[number]} "
                f"{thread.system[number]} {thread.guest[number]} {self.waited[at][number]} {thread.comm}"
            )
        return lines


class _Counters:
    def __init__(self, task: Task) -> None:
        self.tid, self.comm = task.tid, task.comm
        self.user, self.system = task.user.tolist(), task.system.tolist()
        self.guest = task.guest.tolist()


def _ticks(seconds: np.ndarray) -> list[int]:
    return (np.asarray(seconds) * TICKS_PER_S).astype(np.int64).tolist()


def cpu_lines(
    user: np.ndarray, system: np.ndarray, guest: np.ndarray, elapsed_s: np.ndarray, cpus: int
) -> list[list[str]]:
    """The cpu lines of /proc/stat at each snapshot; all but the idle time stands on the first CPU."""
    elapsed = (elapsed_s * TICKS_PER_S).astype(np.int64)
    rows = []
    for at in range(len(elapsed)):
        used = user[at] + system[at]
        idle = max(0, elapsed[at] - used)
        rest = f"0 0 0 0 {guest[at]} 0"
        lines = [f"cpu  {user[at]} 0 {system[at]} {idle + (cpus - 1) * elapsed[at]} {rest}"]
        lines.append(f"cpu0 {user[at]} 0 {system[at]} {idle} {rest}")
        lines += [f"cpu{number} 0 0 0 {elapsed[at]} 0 0 0 0 0 0" for number in range(1, cpus)]
        rows.append(lines)
    return rows
