"""The processes of a machine at each of some moments: alive or not, and what they have used."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.synthetic.clocks import Machine
from pipeline.synthetic.event_history import Floats, Guest, History, Ints
from pipeline.synthetic.kernel_counters import TICKS_PER_S, every, ticks
from pipeline.synthetic.process_table import (
    DATABASE,
    DATABASE_FLUSHER,
    HOST_OTHERS,
    IOTHREAD,
    OTHERS,
    QEMU,
    SERVER,
    VCPU,
    WEB_MASTER,
    WEB_WORKER,
    WORKERS,
    Process,
    qemu_command,
    qemu_pid,
    worker_pid,
)

SYSTEM_SHARE = {"apache2": 0.7, "mariadbd": 0.4}
"""Part of a process's CPU time that is the kernel's; of others:"""
OTHERS_SYSTEM_SHARE = 0.6
MAIN_LOOP = 0.002
"""Share of a CPU that QEMU's main thread uses, load or not."""


@dataclass(frozen=True)
class Task:
    """A thread, or a process as the sum of its threads: counters at each moment, in ticks."""

    tid: int
    comm: str
    born_s: float
    died_s: float
    user: Ints
    system: Ints
    guest: Ints
    owner: int | None = None
    """Its number as an owner in the guest's history, if it does anything at the disk."""

    def is_alive(self, moments_s: Floats) -> np.ndarray:
        """Whether it is there, at each moment."""
        return (self.born_s <= moments_s) & (moments_s < self.died_s)


@dataclass(frozen=True)
class Running:
    """A process, its threads and its command line."""

    process: Process
    task: Task
    threads: list[Task] = field(default_factory=list)
    command: str = ""
    is_server: bool = False
    """Whether tasks.log follows it."""


def start_ticks(machine: Machine, task: Task) -> int:
    """When a task started, in ticks since its machine's boot."""
    born_s = task.born_s if task.born_s >= 0 else task.tid * 0.05 - machine.uptime_s
    return int((machine.uptime_s + born_s) * TICKS_PER_S)


def guest_processes(
    guest: Guest, machine: Machine, cpu_counter: str, moments_s: Floats
) -> list[Running]:
    """All processes of a guest."""
    meter = every(1 / TICKS_PER_S, machine.tick_phase_s) if cpu_counter == "sampled" else None
    used = guest.cpu.by(moments_s, WORKERS + len(guest.born_s), meter)
    listed = [
        Running(process, _task(process, used[owner] + process.used_s, OTHERS_SYSTEM_SHARE, owner))
        for owner, process in enumerate(OTHERS)
    ]
    if guest.server.kind == "closed":
        return [*listed, _database(guest, used)]
    return [*listed, *_web(guest, used)]


def _task(
    process: Process,
    used_s: Floats,
    system_share: float,
    owner: int | None,
    born_s: float = -1.0,
    died_s: float = float("inf"),
) -> Task:
    # utime and stime are cut down to ticks each for itself: their sum may lack up to two.
    user, system = ticks(used_s * (1 - system_share)), ticks(used_s * system_share)
    return Task(process.pid, process.comm, born_s, died_s, user, system, 0 * user, owner)


def _web(guest: Guest, used: Floats) -> list[Running]:
    share = SYSTEM_SHARE["apache2"]
    command = "/usr/sbin/apache2 -k start"
    master = _task(WEB_MASTER, used[SERVER] + WEB_MASTER.used_s, share, SERVER)
    listed = [Running(WEB_MASTER, master, [master], command, is_server=True)]
    for number, (born, died) in enumerate(zip(guest.born_s, guest.died_s, strict=True)):
        before = 1.2 if born < 0 else 0.0
        process = replace(WEB_WORKER, pid=worker_pid("open", number), used_s=before)
        owner = WORKERS + number
        task = _task(process, used[owner] + before, share, owner, float(born), float(died))
        listed.append(Running(process, task, [task], command, is_server=True))
    return listed


def _database(guest: Guest, used: Floats) -> Running:
    share = SYSTEM_SHARE["mariadbd"]
    whole = _task(DATABASE, used[SERVER:].sum(axis=0) + DATABASE.used_s, share, None)
    moments = used.shape[1]
    leader = _task(DATABASE, np.full(moments, DATABASE.used_s), share, None)
    flusher = replace(DATABASE, pid=DATABASE_FLUSHER)
    threads = [leader, _task(flusher, used[SERVER], share, SERVER)]
    for number, born in enumerate(guest.born_s):
        thread = replace(DATABASE, pid=worker_pid("closed", number))
        owner = WORKERS + number
        threads.append(
            _task(thread, used[owner], share, owner, float(born), guest.load_end_s + 0.5)
        )
    return Running(DATABASE, whole, threads, "/usr/sbin/mariadbd", is_server=True)


def host_processes(history: History, moments_s: Floats) -> list[Running]:
    """The host's own processes and one QEMU a virtual server."""
    quiet = np.zeros(len(moments_s))
    listed = [
        Running(process, _task(process, quiet + process.used_s, OTHERS_SYSTEM_SHARE, None))
        for process in HOST_OTHERS
    ]
    accelerator = history.plan.accelerator
    for number, (name, guest) in enumerate(history.guests.items()):
        listed.append(_qemu(number, name, guest, moments_s, accelerator))
    return listed


def _qemu(number: int, name: str, guest: Guest, moments_s: Floats, accelerator: str) -> Running:
    """QEMU: the vCPU's thread has run what the guest's CPU was busy; its exits are the host kernel's time."""
    server, pid = guest.server, qemu_pid(number)
    process = replace(QEMU, pid=pid)
    busy = guest.cpu.by(moments_s, WORKERS + len(guest.born_s)).sum(axis=0)
    moved = np.searchsorted(guest.disk.done_s, moments_s, side="right") * server.iothread_s
    loop = MAIN_LOOP * moments_s

    def task(tid: int, comm: str, user_s: Floats, system_s: Floats, guest_s: Floats) -> Task:
        return Task(tid, comm, -1.0, float("inf"), ticks(user_s), ticks(system_s), ticks(guest_s))

    none = np.zeros(len(moments_s))
    inside = (1 - server.exit_share) * busy
    in_guest_mode = inside if accelerator == "kvm" else none
    threads = [
        task(pid, QEMU.comm, QEMU.used_s + loop / 2, loop / 2, none),
        task(pid + IOTHREAD, "IO iothread0", moved / 2, moved / 2, none),
        task(
            pid + VCPU, f"CPU 0/{accelerator.upper()}", inside, server.exit_share * busy, in_guest_mode
        ),
    ]  # fmt: skip
    user_s = QEMU.used_s + loop / 2 + moved / 2 + inside
    system_s = loop / 2 + moved / 2 + server.exit_share * busy
    whole = task(pid, QEMU.comm, user_s, system_s, in_guest_mode)
    command = qemu_command(name, server.host_disk, accelerator)
    return Running(process, whole, threads, command, is_server=True)
