"""One simulated run as the text of every file of a raw run (docs/reference/raw-run.md)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pipeline.synthetic.clocks import Machine, machine, snapshots
from pipeline.synthetic.event_history import HOST_ITSELF, Floats, Guest, History, Ints, Operations
from pipeline.synthetic.kernel_counters import disk_counters, moved_by
from pipeline.synthetic.log_writers.block import block_log
from pipeline.synthetic.log_writers.httperf import httperf_log
from pipeline.synthetic.log_writers.iotop import Mover, iotop_log
from pipeline.synthetic.log_writers.server_logs import access_log, general_log
from pipeline.synthetic.log_writers.sysbench import sysbench_log
from pipeline.synthetic.log_writers.tasks import tasks_log
from pipeline.synthetic.log_writers.top import top_log
from pipeline.synthetic.process_state import Running, guest_processes, host_processes
from pipeline.synthetic.process_table import (
    DATABASE_FLUSHER,
    GUEST,
    HOST,
    HOST_WRITER,
    IOTHREAD,
    OTHERS,
    SERVER,
    SERVER_LOG,
    VIRTUAL_DISK,
    WEB_MASTER,
    WORKERS,
    WRITER,
    Hardware,
    qemu_command,
    qemu_pid,
    worker_pid,
)
from pipeline.synthetic.run_manifest import facts, run_manifest


def recorded(history: History, study: str, began_ns: int) -> dict[str, str]:
    """The run's files: path below the run's folder → text, run.json last.

    ``began_ns``: UTC when the recording began.
    """
    return _Recorder(history, study, began_ns).files()


class _Recorder:
    def __init__(self, history: History, study: str, began_ns: int) -> None:
        self.history, self.study = history, study
        name = zlib.crc32(f"{history.server}/{history.run}".encode())
        self.rng = np.random.default_rng(np.random.SeedSequence([history.seed, name, 1]))
        self.how = history.plan.instruments
        self.host = machine("host", began_ns, self.rng, 0.0)
        self.guests = {
            guest: machine(guest, began_ns, self.rng, self.how.clock_offset_s)
            for guest in history.guests
        }

    def files(self) -> dict[str, str]:
        history = self.history
        disks = {name: (disk, self._sizes(disk)) for name, disk in history.disks.items()}
        processes = partial(host_processes, history)
        files = self._machine("host", self.host, HOST, disks, processes, self._host_movers)
        for name, guest in history.guests.items():
            files |= self._guest(name, guest)
        for guest in history.guests.values():
            if guest.load is not None and guest.server.kind == "open":
                files["client/httperf.log"] = httperf_log(guest)
            elif guest.load is not None:
                report = sysbench_log(guest, history.plan.seconds, history.seed)
                files["client/sysbench.log"] = report
        files["client/facts.json"] = as_json(facts(history, self.host, "client", HOST, []))
        files["run.json"] = as_json(run_manifest(history, self.study, self.host, self.guests))
        return files

    def _machine(
        self,
        role: str,
        machine: Machine,
        hardware: Hardware,
        disks: dict[str, tuple[Operations, Ints]],
        processes: Callable[[Floats], list[Running]],
        movers: Callable[[Floats], list[Mover]],
    ) -> dict[str, str]:
        """What the tools print on one machine.

        ``disks``: operations and their bytes, by name; ``processes`` and ``movers``: those at some moments.
        """
        how = self.how
        top, iotop, block, tasks = (
            snapshots(machine, tool, self.history.end_s, self.rng, how.interval_s, how.jitter_s)
            for tool in ("top", "iotop", "block", "tasks")
        )
        counters = {
            name: disk_counters(
                disk, block.moments_s, sizes, how.disk_counter, machine.jiffy_phase_s
            )
            for name, (disk, sizes) in disks.items()
        }
        at = tasks.moments_s
        return {
            f"{role}/top.log": top_log(top, processes(top.moments_s), hardware),
            f"{role}/iotop.log": iotop_log(iotop, movers(iotop.moments_s), hardware.pid_width),
            f"{role}/block.log": block_log(block, counters),
            f"{role}/tasks.log": tasks_log(tasks, processes(at), movers(at), hardware.cpus),
            f"{role}/facts.json": as_json(
                facts(self.history, machine, role, hardware, list(disks))
            ),
        }

    def _guest(self, name: str, guest: Guest) -> dict[str, str]:
        machine, how = self.guests[name], self.how
        sizes = np.full(len(guest.disk.done_s), guest.server.operation_bytes)
        files = self._machine(
            name,
            machine,
            GUEST,
            {VIRTUAL_DISK: (guest.disk, sizes)},
            partial(guest_processes, guest, machine, how.cpu_counter),
            partial(_guest_movers, guest, sizes),
        )
        if how.server_logs:
            write = access_log if guest.server.kind == "open" else general_log
            kind = SERVER_LOG[guest.server.kind]
            files[f"{name}/{kind}.log"] = write(guest, machine, self.rng)
        return files

    def _sizes(self, disk: Operations) -> Ints:
        """Bytes of each operation on a host's disk; the host's own are as large as the first guest's."""
        sizes = [guest.server.operation_bytes for guest in self.history.guests.values()]
        return np.array([*sizes, sizes[0]])[disk.owner]

    def _host_movers(self, moments: Floats) -> list[Mover]:
        """QEMU's I/O threads and the host's own writer."""
        guests = self.history.guests
        read, written, waited = 0, 0, 0.0
        for disk in self.history.disks.values():
            # The host itself, HOST_ITSELF = -1, gets the row after the guests'.
            owner = np.where(disk.owner == HOST_ITSELF, len(guests), disk.owner)
            moved = replace(disk, owner=owner)
            more = moved_by(moved, moments, self._sizes(disk), len(guests) + 1)
            read, written, waited = read + more[0], written + more[1], waited + more[2]
        # Only the host's own writer waits: QEMU's operations are asynchronous.
        waited[:-1] = 0.0
        accelerator = self.history.plan.accelerator
        who = [
            (
                qemu_pid(number) + IOTHREAD,
                f"{qemu_command(name, guest.server.host_disk, accelerator)} [IO iothread0]",
            )
            for number, (name, guest) in enumerate(guests.items())
        ]
        movers = [
            Mover(tid, "root", command, *counters)
            for (tid, command), *counters in zip(
                who, read[:-1], written[:-1], waited[:-1], strict=True
            )
        ]
        name = f"[{HOST_WRITER.comm}]"
        own = Mover(HOST_WRITER.pid, "root", name, read[-1], written[-1], waited[-1], "be/3")
        return [*movers, own]


def _guest_movers(guest: Guest, sizes: Ints, moments: Floats) -> list[Mover]:
    """Tasks of the guest that move bytes."""
    moved = moved_by(guest.disk, moments, sizes, WORKERS + len(guest.born_s))
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
        Mover(pid, name, said, *(counter[at] for counter in moved), priority)
        for at, (pid, name, said, priority) in who.items()
    ]


def as_json(document: dict[str, Any]) -> str:
    """A document as every file of a study has it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
