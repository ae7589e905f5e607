"""Processes of a machine at the snapshot times: whether alive, and their CPU time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.synthetic.clocks import Machine
from pipeline.synthetic.event_history import Floats, GuestHistory, Ints, RunHistory
from pipeline.synthetic.kernel_counters import TICKS_PER_S, periodic, to_ticks
from pipeline.synthetic.process_table import (
    DATABASE,
    DATABASE_FLUSHER,
    FIRST_WORKER,
    HOST_PROCESSES,
    IOTHREAD_OFFSET,
    OTHER_PROCESSES,
    QEMU,
    SERVER_OWNER,
    VCPU_OFFSET,
    WEB_MASTER,
    WEB_WORKER,
    Process,
    qemu_command,
    qemu_pid,
    worker_pid,
)

SYSTEM_SHARE = {"apache2": 0.7, "mariadbd": 0.4}
"""Share of a server process's CPU time in the kernel."""
OTHERS_SYSTEM_SHARE = 0.6
"""The same for all other processes."""
MAIN_LOOP_CPU = 0.002
"""Share of a CPU that QEMU's main thread always uses."""


@dataclass(frozen=True)
class TaskCounters:
    """A thread, or a process as the sum of its threads: CPU time at each snapshot, in ticks."""

    tid: int
    comm: str
    started_s: float
    exited_s: float
    user: Ints
    system: Ints
    guest: Ints
    owner: int | None = None
    """Its owner number in the guest's history, if it uses the disk."""

    def is_alive(self, times_s: Floats) -> np.ndarray:
        """Whether it exists at each time."""
        return (self.started_s <= times_s) & (times_s < self.exited_s)


@dataclass(frozen=True)
class RunningProcess:
    """A process, its threads and its command line."""

    process: Process
    task: TaskCounters
    threads: list[TaskCounters] = field(default_factory=list)
    command: str = ""
    is_server: bool = False
    """Whether tasks.log records it."""


def start_ticks(machine: Machine, task: TaskCounters) -> int:
    """Start of a task, in ticks since its machine's boot."""
    started_s = task.started_s if task.started_s >= 0 else task.tid * 0.05 - machine.uptime_s
    return int((machine.uptime_s + started_s) * TICKS_PER_S)


def guest_processes(
    guest: GuestHistory, machine: Machine, cpu_counter: str, times_s: Floats
) -> list[RunningProcess]:
    """All processes of a guest."""
    cumulative_work = (
        periodic(1 / TICKS_PER_S, machine.tick_phase_s) if cpu_counter == "sampled" else None
    )
    used = guest.cpu.cpu_time_by_owner(
        times_s, FIRST_WORKER + len(guest.started_s), cumulative_work
    )
    processes = [
        RunningProcess(
            process, _task(process, used[owner] + process.used_s, OTHERS_SYSTEM_SHARE, owner)
        )
        for owner, process in enumerate(OTHER_PROCESSES)
    ]
    if guest.server.kind == "closed":
        return [*processes, _database(guest, used)]
    return [*processes, *_web(guest, used)]


def _task(
    process: Process,
    used_s: Floats,
    system_share: float,
    owner: int | None,
    started_s: float = -1.0,
    exited_s: float = float("inf"),
) -> TaskCounters:
    # utime and stime are each rounded down to ticks: their sum may be up to two ticks low.
    user, system = to_ticks(used_s * (1 - system_share)), to_ticks(used_s * system_share)
    return TaskCounters(
        process.pid, process.comm, started_s, exited_s, user, system, 0 * user, owner
    )


def _web(guest: GuestHistory, used: Floats) -> list[RunningProcess]:
    share = SYSTEM_SHARE["apache2"]
    command = "/usr/sbin/apache2 -k start"
    master = _task(WEB_MASTER, used[SERVER_OWNER] + WEB_MASTER.used_s, share, SERVER_OWNER)
    processes = [RunningProcess(WEB_MASTER, master, [master], command, is_server=True)]
    for number, (started, exited) in enumerate(zip(guest.started_s, guest.exited_s, strict=True)):
        used_before_s = 1.2 if started < 0 else 0.0
        process = replace(WEB_WORKER, pid=worker_pid("open", number), used_s=used_before_s)
        owner = FIRST_WORKER + number
        task = _task(
            process, used[owner] + used_before_s, share, owner, float(started), float(exited)
        )
        processes.append(RunningProcess(process, task, [task], command, is_server=True))
    return processes


def _database(guest: GuestHistory, used: Floats) -> RunningProcess:
    share = SYSTEM_SHARE["mariadbd"]
    total = _task(DATABASE, used[SERVER_OWNER:].sum(axis=0) + DATABASE.used_s, share, None)
    snapshots = used.shape[1]
    leader = _task(DATABASE, np.full(snapshots, DATABASE.used_s), share, None)
    flusher = replace(DATABASE, pid=DATABASE_FLUSHER)
    threads = [leader, _task(flusher, used[SERVER_OWNER], share, SERVER_OWNER)]
    for number, started in enumerate(guest.started_s):
        thread = replace(DATABASE, pid=worker_pid("closed", number))
        owner = FIRST_WORKER + number
        threads.append(
            _task(thread, used[owner], share, owner, float(started), guest.load_end_s + 0.5)
        )
    return RunningProcess(DATABASE, total, threads, "/usr/sbin/mariadbd", is_server=True)


def host_processes(history: RunHistory, times_s: Floats) -> list[RunningProcess]:
    """The host's own processes and one QEMU per virtual server."""
    zeros = np.zeros(len(times_s))
    processes = [
        RunningProcess(process, _task(process, zeros + process.used_s, OTHERS_SYSTEM_SHARE, None))
        for process in HOST_PROCESSES
    ]
    accelerator = history.plan.accelerator
    for number, (name, guest) in enumerate(history.guests.items()):
        processes.append(_qemu(number, name, guest, times_s, accelerator))
    return processes


def _qemu(
    number: int, name: str, guest: GuestHistory, times_s: Floats, accelerator: str
) -> RunningProcess:
    """A QEMU: the vCPU thread's CPU time is the guest's busy time, with exits as system time."""
    server, pid = guest.server, qemu_pid(number)
    process = replace(QEMU, pid=pid)
    busy = guest.cpu.cpu_time_by_owner(times_s, FIRST_WORKER + len(guest.started_s)).sum(axis=0)
    iothread_s_total = np.searchsorted(guest.disk.done_s, times_s, side="right") * server.iothread_s
    main_loop_s = MAIN_LOOP_CPU * times_s

    def task(
        tid: int, comm: str, user_s: Floats, system_s: Floats, guest_s: Floats
    ) -> TaskCounters:
        return TaskCounters(
            tid, comm, -1.0, float("inf"), to_ticks(user_s), to_ticks(system_s), to_ticks(guest_s)
        )

    zeros = np.zeros(len(times_s))
    guest_mode_s = (1 - server.exit_share) * busy
    counted_guest_s = guest_mode_s if accelerator == "kvm" else zeros
    threads = [
        task(pid, QEMU.comm, QEMU.used_s + main_loop_s / 2, main_loop_s / 2, zeros),
        task(pid + IOTHREAD_OFFSET, "IO iothread0", iothread_s_total / 2, iothread_s_total / 2, zeros),
        task(
            pid + VCPU_OFFSET, f"CPU 0/{accelerator.upper()}", guest_mode_s, server.exit_share * busy, counted_guest_s
        ),
    ]  # fmt: skip
    user_s = QEMU.used_s + main_loop_s / 2 + iothread_s_total / 2 + guest_mode_s
    system_s = main_loop_s / 2 + iothread_s_total / 2 + server.exit_share * busy
    total = task(pid, QEMU.comm, user_s, system_s, counted_guest_s)
    command = qemu_command(name, server.host_disk, accelerator)
    return RunningProcess(process, total, threads, command, is_server=True)
