"""A simulated run as the text of every file of a raw run (docs/reference/raw-run.md)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pipeline.synthetic.clocks import Machine, draw_machine, draw_snapshots
from pipeline.synthetic.event_history import (
    HOST_OWNER,
    Floats,
    GuestHistory,
    Ints,
    Operations,
    RunHistory,
)
from pipeline.synthetic.kernel_counters import charged_to_owners, disk_counters
from pipeline.synthetic.log_writers.block import block_log
from pipeline.synthetic.log_writers.httperf import httperf_log
from pipeline.synthetic.log_writers.iotop import IoTask, iotop_log
from pipeline.synthetic.log_writers.server_logs import access_log, general_log
from pipeline.synthetic.log_writers.sysbench import sysbench_log
from pipeline.synthetic.log_writers.tasks import tasks_log
from pipeline.synthetic.log_writers.top import top_log
from pipeline.synthetic.process_state import RunningProcess, guest_processes, host_processes
from pipeline.synthetic.process_table import (
    DATABASE_FLUSHER,
    FIRST_WORKER,
    GUEST_HARDWARE,
    HOST_HARDWARE,
    HOST_WRITER,
    IOTHREAD_OFFSET,
    JOURNAL_OWNER,
    OTHER_PROCESSES,
    SERVER_LOG,
    SERVER_OWNER,
    VIRTUAL_DISK,
    WEB_MASTER,
    Hardware,
    qemu_command,
    qemu_pid,
    worker_pid,
)
from pipeline.synthetic.run_manifest import checksums, machine_facts, run_manifest


def render_run_files(history: RunHistory, study: str, started_ns: int) -> dict[str, str]:
    """The run's files: path below the run's folder → text, run.json last.

    ``started_ns``: start of the recording, UTC.
    """
    return _RunRenderer(history, study, started_ns).files()


class _RunRenderer:
    def __init__(self, history: RunHistory, study: str, started_ns: int) -> None:
        self.history, self.study = history, study
        name = zlib.crc32(f"{history.server}/{history.run}".encode())
        self.rng = np.random.default_rng(np.random.SeedSequence([history.seed, name, 1]))
        self.monitoring = history.plan.monitoring
        self.host = draw_machine("host", started_ns, self.rng, 0.0)
        self.guests = {
            guest: draw_machine(guest, started_ns, self.rng, self.monitoring.clock_offset_s)
            for guest in history.guests
        }

    def files(self) -> dict[str, str]:
        history = self.history
        disks = {name: (disk, self._sizes(disk)) for name, disk in history.disks.items()}
        processes = partial(host_processes, history)
        files = self._machine(
            "host", self.host, HOST_HARDWARE, disks, processes, self._host_io_tasks
        )
        for name, guest in history.guests.items():
            files |= self._guest(name, guest)
        for guest in history.guests.values():
            if guest.load is not None and guest.server.kind == "open":
                files["client/httperf.log"] = httperf_log(guest)
            elif guest.load is not None:
                report = sysbench_log(guest, history.plan.seconds, history.seed)
                files["client/sysbench.log"] = report
        files["client/facts.json"] = to_json(
            machine_facts(history, self.host, "client", HOST_HARDWARE, [])
        )
        manifest = run_manifest(history, self.study, self.host, self.guests)
        files["run.json"] = to_json(manifest | {"sha256": checksums(files)})
        return files

    def _machine(
        self,
        role: str,
        machine: Machine,
        hardware: Hardware,
        disks: dict[str, tuple[Operations, Ints]],
        processes: Callable[[Floats], list[RunningProcess]],
        io_tasks: Callable[[Floats], list[IoTask]],
    ) -> dict[str, str]:
        """The logs of one machine.

        ``disks``: operations and the bytes of each, by name. ``processes``, ``io_tasks``: functions of time.
        """
        monitoring = self.monitoring
        top, iotop, block, tasks = (
            draw_snapshots(
                machine,
                tool,
                self.history.end_s,
                self.rng,
                monitoring.interval_s,
                monitoring.jitter_s,
            )
            for tool in ("top", "iotop", "block", "tasks")
        )
        counters = {
            name: disk_counters(
                disk, block.times_s, sizes, monitoring.disk_counter, machine.jiffy_phase_s
            )
            for name, (disk, sizes) in disks.items()
        }
        times_s = tasks.times_s
        return {
            f"{role}/top.log": top_log(top, processes(top.times_s), hardware),
            f"{role}/iotop.log": iotop_log(iotop, io_tasks(iotop.times_s), hardware.pid_width),
            f"{role}/block.log": block_log(block, counters),
            f"{role}/tasks.log": tasks_log(
                tasks, processes(times_s), io_tasks(times_s), hardware.cpus
            ),
            f"{role}/facts.json": to_json(
                machine_facts(self.history, machine, role, hardware, list(disks))
            ),
        }

    def _guest(self, name: str, guest: GuestHistory) -> dict[str, str]:
        machine, monitoring = self.guests[name], self.monitoring
        sizes = np.full(len(guest.disk.done_s), guest.server.operation_bytes)
        files = self._machine(
            name,
            machine,
            GUEST_HARDWARE,
            {VIRTUAL_DISK: (guest.disk, sizes)},
            partial(guest_processes, guest, machine, monitoring.cpu_counter),
            partial(_guest_io_tasks, guest, sizes),
        )
        if monitoring.server_logs:
            write = access_log if guest.server.kind == "open" else general_log
            kind = SERVER_LOG[guest.server.kind]
            files[f"{name}/{kind}.log"] = write(guest, machine, self.rng)
        return files

    def _sizes(self, disk: Operations) -> Ints:
        """Bytes of each operation on a host disk; the host's own are as large as the first guest's."""
        sizes = [guest.server.operation_bytes for guest in self.history.guests.values()]
        return np.array([*sizes, sizes[0]])[disk.owner]

    def _host_io_tasks(self, times: Floats) -> list[IoTask]:
        """QEMU's I/O threads and the host's journal thread."""
        guests = self.history.guests
        read, written, waited = 0, 0, 0.0
        for disk in self.history.disks.values():
            # HOST_OWNER = -1 gets the row after the guests'.
            owner = np.where(disk.owner == HOST_OWNER, len(guests), disk.owner)
            charged = replace(disk, owner=owner)
            added = charged_to_owners(charged, times, self._sizes(disk), len(guests) + 1)
            read, written, waited = read + added[0], written + added[1], waited + added[2]
        # QEMU's operations are asynchronous: only the journal thread waits.
        waited[:-1] = 0.0
        accelerator = self.history.plan.accelerator
        tasks = [
            (
                qemu_pid(number) + IOTHREAD_OFFSET,
                f"{qemu_command(name, guest.server.host_disk, accelerator)} [IO iothread0]",
            )
            for number, (name, guest) in enumerate(guests.items())
        ]
        io_tasks = [
            IoTask(tid, "root", command, *counters)
            for (tid, command), *counters in zip(
                tasks, read[:-1], written[:-1], waited[:-1], strict=True
            )
        ]
        name = f"[{HOST_WRITER.comm}]"
        own = IoTask(HOST_WRITER.pid, "root", name, read[-1], written[-1], waited[-1], "be/3")
        return [*io_tasks, own]


def _guest_io_tasks(guest: GuestHistory, sizes: Ints, times: Floats) -> list[IoTask]:
    """Tasks of the guest that read or write."""
    charged = charged_to_owners(guest.disk, times, sizes, FIRST_WORKER + len(guest.started_s))
    is_web = guest.server.kind == "open"
    flusher = WEB_MASTER.pid if is_web else DATABASE_FLUSHER
    command = "apache2 -k start" if is_web else "mariadbd"
    user = "www-data" if is_web else "mysql"
    tasks = {
        JOURNAL_OWNER: (OTHER_PROCESSES[JOURNAL_OWNER].pid, "root", "[jbd2/vda-8]", "be/3"),
        SERVER_OWNER: (flusher, "root" if is_web else "mysql", command, "be/4"),
    }
    for number in range(len(guest.started_s)):
        pid = worker_pid(guest.server.kind, number)
        tasks[FIRST_WORKER + number] = (pid, user, command, "be/4")
    return [
        IoTask(pid, name, task_command, *(counter[owner] for counter in charged), priority)
        for owner, (pid, name, task_command, priority) in tasks.items()
    ]


def to_json(document: dict[str, Any]) -> str:
    """A document in the JSON layout of a study's files."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
