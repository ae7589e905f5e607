"""One simulated run as the text of every file of a raw run (docs/reference/raw-run.md)."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from pipeline.simulated.clocks import Machine, Snapshots, machine, snapshots
from pipeline.simulated.counters import bytes_by, disk_counters, waited_by
from pipeline.simulated.history import HOST_ITSELF, Floats, Guest, History, Operations
from pipeline.simulated.instruments import httperf, sysbench
from pipeline.simulated.instruments.block import block_log
from pipeline.simulated.instruments.iotop import Mover, iotop_log
from pipeline.simulated.instruments.server_logs import access_log, general_log
from pipeline.simulated.instruments.tasks import Moved, cpu_lines, tasks_log
from pipeline.simulated.instruments.top import top_log
from pipeline.simulated.machine import (
    DATABASE_FLUSHER,
    HOST_WRITER,
    IOTHREAD,
    OTHERS,
    SERVER,
    SERVER_LOG,
    VIRTUAL_DISK,
    WEB_MASTER,
    WORKERS,
    WRITER,
    qemu_command,
    qemu_pid,
    worker_pid,
)
from pipeline.simulated.manifests import facts, run_manifest
from pipeline.simulated.running import Running, guest_processes, host_processes

GUEST_MEMORY_KIB = 480_266
HOST_MEMORY_KIB = 24_684_134
HOST_CPUS = 4
GUEST_PID_WIDTH, HOST_PID_WIDTH = 7, 5


def recorded(history: History, study: str, began_ns: int) -> dict[str, str]:
    """The run's files: path below the run's folder → text. ``began_ns``: UTC when the recording began."""
    return _Recorder(history, study, began_ns).files()


class _Recorder:
    def __init__(self, history: History, study: str, began_ns: int) -> None:
        self.history, self.study, self.began_ns = history, study, began_ns
        name = zlib.crc32(f"{history.server}/{history.run}".encode())
        self.rng = np.random.default_rng(np.random.SeedSequence([history.seed, name, 1]))
        self.how = history.plan.instruments
        self.host = machine("host", began_ns, self.rng, 0.0)
        self.guests = {
            guest: machine(guest, began_ns, self.rng, self.how.clock_offset_s)
            for guest in history.guests
        }

    def files(self) -> dict[str, str]:
        files = self._host()
        for name, guest in self.history.guests.items():
            files |= {f"{name}/{file}": text for file, text in self._guest(name, guest).items()}
        for guest in self.history.guests.values():
            if guest.load is not None:
                log, text = self._client(guest)
                files[f"client/{log}"] = text
        files["client/facts.json"] = _json(
            facts(self.history, self.host, "client", HOST_CPUS, HOST_MEMORY_KIB, [])
        )
        files["run.json"] = _json(run_manifest(self.history, self.study, self.host, self.guests))
        return files

    def _snapshots(self, machine: Machine, tool: str) -> Snapshots:
        how = self.how
        return snapshots(machine, tool, self.history.end_s, self.rng, how.interval_s, how.jitter_s)

    # -- the client

    def _client(self, guest: Guest) -> tuple[str, str]:
        if guest.server.kind == "open":
            return "httperf.log", httperf.httperf_log(guest)
        start_s, plan = float(guest.arrival_s.min()), self.history.plan
        return "sysbench.log", sysbench.sysbench_log(
            guest, start_s, plan.seconds, self.history.seed
        )

    # -- a guest

    def _guest(self, name: str, guest: Guest) -> dict[str, str]:
        machine, how = self.guests[name], self.how
        shots = {
            tool: self._snapshots(machine, tool) for tool in ("top", "iotop", "block", "tasks")
        }

        def running(tool: str) -> list[Running]:
            return guest_processes(guest, machine, shots[tool].moments_s, how.cpu_counter)

        sizes = np.full(len(guest.disk.done_s), guest.server.operation_bytes)
        moments = shots["block"].moments_s
        disk = disk_counters(guest.disk, moments, sizes, how.disk_counter, machine.jiffy_phase_s)
        movers = self._guest_movers(guest, sizes, shots["iotop"].moments_s)
        files = {
            "top.log": _top(shots["top"], running("top"), GUEST_MEMORY_KIB, GUEST_PID_WIDTH, 1),
            "iotop.log": _iotop(shots["iotop"], movers, GUEST_PID_WIDTH),
            "block.log": block_log(shots["block"], {VIRTUAL_DISK: disk}),
            "tasks.log": _tasks(
                shots["tasks"],
                running("tasks"),
                self._guest_movers(guest, sizes, shots["tasks"].moments_s),
                1,
            ),
            "facts.json": _json(
                facts(self.history, machine, name, 1, GUEST_MEMORY_KIB, [VIRTUAL_DISK])
            ),
        }
        if how.server_logs:
            write = access_log if guest.server.kind == "open" else general_log
            kind = SERVER_LOG[guest.server.kind]
            files[f"{kind}.log"] = write(guest, machine, self.rng)
        return files

    def _guest_movers(self, guest: Guest, sizes: np.ndarray, moments: Floats) -> list[Mover]:
        """Tasks of the guest that move bytes."""
        owners = WORKERS + len(guest.born_s)
        read, written = bytes_by(guest.disk, moments, sizes, owners)
        waited = waited_by(guest.disk, moments, owners)
        is_web = guest.server.kind == "open"
        flusher = WEB_MASTER.pid if is_web else DATABASE_FLUSHER
        command = "apache2 -k start" if is_web else "mariadbd"
        user = "www-data" if is_web else "mysql"
        who = {
            WRITER: (OTHERS[WRITER].pid, "root", "[jbd2/vda-8]", "be/3"),
            SERVER: (flusher, "root" if is_web else "mysql", command, "be/4"),
        }
        for number in range(len(guest.born_s)):
            pid = worker_pid(guest.server.kind, number)
            who[WORKERS + number] = (pid, user, command, "be/4")
        return [
            Mover(pid, name, said, read[at], written[at], waited[at], priority)
            for at, (pid, name, said, priority) in who.items()
        ]

    # -- the host

    def _host(self) -> dict[str, str]:
        history, machine, how = self.history, self.host, self.how
        shots = {
            tool: self._snapshots(machine, tool) for tool in ("top", "iotop", "block", "tasks")
        }
        moments = shots["block"].moments_s
        disks = {
            name: disk_counters(
                disk, moments, self._sizes(disk), how.disk_counter, machine.jiffy_phase_s
            )
            for name, disk in history.disks.items()
        }

        def running(tool: str) -> list[Running]:
            return host_processes(history, shots[tool].moments_s)

        movers = {tool: self._host_movers(shots[tool].moments_s) for tool in ("iotop", "tasks")}
        top = _top(shots["top"], running("top"), HOST_MEMORY_KIB, HOST_PID_WIDTH, HOST_CPUS)
        said = facts(history, machine, "host", HOST_CPUS, HOST_MEMORY_KIB, list(disks))
        return {
            "host/top.log": top,
            "host/iotop.log": _iotop(shots["iotop"], movers["iotop"], HOST_PID_WIDTH),
            "host/block.log": block_log(shots["block"], disks),
            "host/tasks.log": _tasks(shots["tasks"], running("tasks"), movers["tasks"], HOST_CPUS),
            "host/facts.json": _json(said),
        }

    def _sizes(self, disk: Operations) -> np.ndarray:
        """Bytes of each operation on a host's disk; the host's own are as large as the first guest's."""
        sizes = [guest.server.operation_bytes for guest in self.history.guests.values()]
        return np.array([*sizes, sizes[0]])[disk.owner]

    def _host_movers(self, moments: Floats) -> list[Mover]:
        """QEMU's I/O threads and the host's own writer."""
        number_of = len(self.history.guests)
        read = np.zeros((number_of + 1, len(moments)), np.int64)
        written, waited = read.copy(), np.zeros(read.shape)
        for disk in self.history.disks.values():
            # The host itself, HOST_ITSELF = -1, gets the row after the guests'.
            owner = np.where(disk.owner == HOST_ITSELF, number_of, disk.owner)
            moved = Operations(owner, disk.issued_s, disk.done_s, disk.service_s, disk.is_write)
            reads, writes = bytes_by(moved, moments, self._sizes(disk), number_of + 1)
            read, written = read + reads, written + writes
            # Only the host's own writer waits: QEMU's operations are asynchronous.
            waited[-1] += waited_by(moved, moments, number_of + 1)[-1]
        movers = [
            Mover(
                qemu_pid(number) + IOTHREAD,
                "root",
                f"{self._qemu(name, guest)} [IO iothread0]",
                read[number],
                written[number],
                waited[number],
            )
            for number, (name, guest) in enumerate(self.history.guests.items())
        ]
        name = f"[{HOST_WRITER.comm}]"
        own = Mover(HOST_WRITER.pid, "root", name, read[-1], written[-1], waited[-1], "be/3")
        return [*movers, own]

    def _qemu(self, name: str, guest: Guest) -> str:
        return qemu_command(name, guest.server.host_disk, self.history.plan.accelerator)


def _top(
    shots: Snapshots, processes: list[Running], memory_kib: int, pid_width: int, cpus: int
) -> str:
    busy = np.array(
        [
            sum(process.task.user for process in processes),
            sum(process.task.system for process in processes),
        ]
    )
    return top_log(shots, processes, busy, memory_kib, pid_width, cpus)


def _iotop(shots: Snapshots, movers: list[Mover], tid_width: int) -> str:
    read = sum(mover.read_bytes for mover in movers)
    written = sum(mover.written_bytes for mover in movers)
    return iotop_log(shots, movers, read, written, tid_width)


def _tasks(shots: Snapshots, processes: list[Running], movers: list[Mover], cpus: int) -> str:
    moved = {m.tid: Moved(m.read_bytes, m.written_bytes, m.waited_s) for m in movers}
    user, system, guest = (
        sum(getattr(process.task, name) for process in processes)
        for name in ("user", "system", "guest")
    )
    elapsed_s = shots.machine.uptime_s + shots.moments_s
    return tasks_log(shots, processes, moved, cpu_lines(user, system, guest, elapsed_s, cpus))


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
