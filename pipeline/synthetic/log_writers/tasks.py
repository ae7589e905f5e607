"""tasks.log, the collector's own log of the recorded processes' counters (grammar: docs/reference/raw-run.md)."""

from __future__ import annotations

import numpy as np

from pipeline.synthetic.clocks import Snapshots
from pipeline.synthetic.kernel_counters import TICKS_PER_S
from pipeline.synthetic.log_writers.iotop import IoTask
from pipeline.synthetic.process_state import RunningProcess, TaskCounters, start_ticks


def tasks_log(
    snapshots: Snapshots, processes: list[RunningProcess], io_tasks: list[IoTask], cpus: int
) -> str:
    """The log of the servers' processes; the CPU lines sum all processes of the machine."""
    io_task_of = {io_task.tid: io_task for io_task in io_tasks}
    followed = [
        _Process(running, io_task_of, snapshots)
        for running in sorted(processes, key=lambda running: running.process.pid)
        if running.is_server
    ]
    user, system, guest = (
        sum(getattr(running.task, name) for running in processes)
        for name in ("user", "system", "guest")
    )
    elapsed_s = snapshots.machine.uptime_s + snapshots.times_s
    cpu_lines_at = cpu_lines(user, system, guest, elapsed_s, cpus)

    def lines_at(number: int) -> list[str]:
        lines = list(cpu_lines_at[number])
        for process in followed:
            if process.alive[number]:
                if number == process.first:
                    lines.append(f"c {process.tid} {process.started} {process.running.command}")
                lines += process.lines(number)
        return lines

    return snapshots.format_log(lines_at)


class _Task:
    """The printed counters of one task, as plain lists for speed in the inner loop."""

    def __init__(self, task: TaskCounters, waited_s: np.ndarray, snapshots: Snapshots) -> None:
        self.tid, self.comm = task.tid, task.comm
        self.alive = task.is_alive(snapshots.times_s).tolist()
        self.started = start_ticks(snapshots.machine, task)
        self.user, self.system = task.user.tolist(), task.system.tolist()
        self.guest, self.waited = task.guest.tolist(), _ticks(waited_s)


class _Process(_Task):
    def __init__(
        self, running: RunningProcess, io_task_of: dict[int, IoTask], snapshots: Snapshots
    ) -> None:
        zeros = np.zeros(len(snapshots.times_s), np.int64)
        no_io = IoTask(0, "", "", zeros, zeros, zeros)
        thread_io = [io_task_of.get(thread.tid, no_io) for thread in running.threads]
        super().__init__(running.task, sum(io_task.waited_s for io_task in thread_io), snapshots)
        self.running = running
        self.first = self.alive.index(True) if True in self.alive else None
        self.read = sum(io_task.read_bytes for io_task in thread_io).tolist()
        self.written = sum(io_task.written_bytes for io_task in thread_io).tolist()
        self.threads = [
            _Task(thread, io_task.waited_s, snapshots)
            for thread, io_task in zip(running.threads, thread_io, strict=True)
        ]

    def lines(self, number: int) -> list[str]:
        """Lines p, i and t of one snapshot."""
        alive_threads = [thread for thread in self.threads if thread.alive[number]]
        pages = self.running.process.resident_kib // 4
        read, written = self.read[number], self.written[number]
        return [
            f"p {self.tid} {self.started} 1 S {len(alive_threads)} {self.user[number]} {self.system[number]} 0 0 "
            f"{self.guest[number]} {self.waited[number]} {pages} {self.comm}",
            f"i {self.tid} {self.started} {read} {written} {read // 4096} {written // 4096} {read} {written} 0",
            *(
                f"t {self.tid} {thread.tid} {thread.started} S 0 {thread.user[number]} "
                f"{thread.system[number]} {thread.guest[number]} {thread.waited[number]} {thread.comm}"
                for thread in alive_threads
            ),
        ]


def _ticks(seconds: np.ndarray) -> list[int]:
    return (np.asarray(seconds) * TICKS_PER_S).astype(np.int64).tolist()


def cpu_lines(
    user: np.ndarray, system: np.ndarray, guest: np.ndarray, elapsed_s: np.ndarray, cpus: int
) -> list[list[str]]:
    """The cpu lines of /proc/stat at each snapshot; all CPU time but idle is on the first CPU."""
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
