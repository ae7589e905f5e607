"""Which instruments of a run agree: top, iotop and block against the kernel's counters in tasks.log.

The paper's quantities come from top, iotop and /sys/block. tasks.log samples the kernel's own counters beside
them. ``cross_check_run`` compares, over the load's window, every quantity that two of them measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.disks import (
    Disk,
    device_rows,
    disk_location,
    is_shared,
    jiffy_s,
    server_iotop_rows,
)
from pipeline.measure.processes import qemu_rows, server_rows
from pipeline.measure.run_tables import RunTables, ticks_per_s
from pipeline.measure.window import MissingData, load_window
from pipeline.quality import cpu, disk
from pipeline.quality.agreement import (
    CrossCheck,
    CrossCheckResult,
    Measurement,
    Relation,
    cross_check,
    difference,
)
from pipeline.quality.cpu import Clocks
from pipeline.quality.disk import DIRECTIONS, Direction
from pipeline.raw import CLIENT, HOST, VirtualServer, Window

CROSS_CHECKS = pl.Schema(
    {
        "role": pl.String,
        "virtual_server": pl.String,
        "quantity": pl.String,
        "subject": pl.String,
        "unit": pl.String,
        "source_a": pl.String,
        "value_a": pl.Float64,
        "uncertainty_a": pl.Float64,
        "source_b": pl.String,
        "value_b": pl.Float64,
        "uncertainty_b": pl.Float64,
        "relation": pl.String,
        "difference": pl.Float64,
        "outcome": pl.String,
        "message": pl.String,
        "dependents": pl.String,
    }
)
"""A row a pair: on which machine; about which virtual server (null: the whole machine) and subject (a pid);
both instruments, their values, and half the width of what each leaves open, snapshots' times included; ``relation``
(``equal``, or ``at most``: the first measures a part of the second); their difference (for ``at most``, the
excess); ``outcome`` (``pairs.judge``); a sentence; and what of the ledger is computed from the first, separated
by blanks (empty where nothing is: a delay by the task counters, iotop's Actual line)."""

TOP, KERNEL = "top, TIME+", "task counters"
IOTOP, PROC_IO, BLOCK = "iotop, rates × intervals", "task counters, /proc/PID/io", "block, sectors"

SERVER_CPU = CrossCheck("CPU time of the server's processes", "s", TOP, KERNEL, ("T_cpu_process",))
PROCESS_CPU = CrossCheck("CPU time of one process", "s", TOP, KERNEL, ("T_cpu_process",))
QEMU_CPU = CrossCheck("CPU time of QEMU", "s", TOP, KERNEL, ("T_qemu",))
WHOLE_CPU = CrossCheck("share of all CPUs that was busy", "1", "top, %Cpu", "/proc/stat", ())
TASKS_SHOWN = CrossCheck("tasks", "tasks", "top, its count", "top, its rows", ("T_cpu_process",))
GUEST_CPU = CrossCheck(
    "CPU time of the guest, and what its QEMU got",
    "s", "guest, /proc/stat", "host, task counters of QEMU", ("T_cpu_process",), "at most",
)  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """A machine, and a virtual server of it or the whole of it, over a window."""

    tables: RunTables
    role: str
    window: Window
    server: VirtualServer | None = None

    @property
    def facts(self) -> dict:
        return self.tables.run.facts(self.role)

    @property
    def asked_s(self) -> float | None:
        """Time between samples that the collectors asked for."""
        return self.facts.get("interval_s")

    def rows(self, table: str) -> pl.DataFrame:
        return self.tables.sampled(table, self.role)

    @property
    def disk(self) -> Disk:
        return "disk" if self.role == HOST else "vdisk"

    def clocks(self) -> Clocks:
        return Clocks(ticks_per_s(self.tables.run, self.role), self.asked_s)

    def counters(self) -> pl.DataFrame:
        """Rows of task_processes: of the server's processes in the guest, of its QEMU on the host."""
        if self.role == HOST:
            return qemu_rows(self.tables, self.server)
        return server_rows(self.tables, self.server, "task_processes")

    def iotop(self) -> pl.DataFrame:
        return server_iotop_rows(self.tables, self.role, self.server)

    def compare(
        self, pair: CrossCheck, measure: Callable[[], Measurement | list[Measurement]]
    ) -> list[CrossCheckResult]:
        name = None if self.server is None else self.server.name
        return cross_check(self.role, name, pair, measure)


def cross_check_run(tables: RunTables, envelope: CpuLimit) -> pl.DataFrame:
    """Every comparison of a run, form ``CROSS_CHECKS``: machine by machine, host first.

    A virtual server's are over the window of its own load. What cannot be compared has the verdict ``missing`` and says
    why. Without a window there is nothing to compare.
    """
    run, found = tables.run, []
    if run.window is None:
        return pl.DataFrame(schema=CROSS_CHECKS)
    for role in [HOST, *(role for role in run.roles if role not in (CLIENT, HOST))]:
        found += _machine(_Place(tables, role, run.window))
        for _, server in sorted(run.virtual_servers.items()):
            at = _Place(tables, role, load_window(run, server), server)
            if role == HOST:
                found += _on_host(at, envelope)
            elif server.role == role:
                found += [*_cpu(at, SERVER_CPU), *_disk(at)]
    return pl.DataFrame([_row(one) for one in found], schema=CROSS_CHECKS)


def _row(found: CrossCheckResult) -> dict[str, str | float | None]:
    pair, both = found.pair, found.found
    row = {
        "role": found.role,
        "virtual_server": found.virtual_server,
        "outcome": found.outcome,
        "message": found.message(),
        "dependents": " ".join(pair.dependents),
        **{
            name: getattr(pair, name)
            for name in ("quantity", "unit", "source_a", "source_b", "relation")
        },
    }
    if both is None:
        return row
    row["subject"] = both.subject
    row["difference"] = difference(both.a, both.b, pair.relation)
    for side, number in (("a", both.a), ("b", both.b)):
        row[f"value_{side}"] = number.value
        row[f"uncertainty_{side}"] = (number.high - number.low) / 2
    return row


# -- whole machines -----------------------------------------------------------------------------------------


def _machine(at: _Place) -> Iterator[CrossCheckResult]:
    def refuse(fact: str, reason: str) -> None:
        if at.facts.get(fact) is not None:
            raise MissingData(reason)

    def shown() -> Measurement:
        refuse("only", "top was asked for some of the machine's processes only")
        return cpu.tasks_shown(at.rows("top_summary"), at.rows("top_processes"), at.window)

    def sums(direction: Direction) -> Measurement:
        refuse("only", "iotop's rows were cut to some of the machine's tasks")
        return disk.totals_against_rows(
            at.rows("iotop_tasks"), at.rows("iotop_totals"), at.window, direction
        )

    def actual(direction: Direction) -> Measurement:
        refuse("devices", "block.log holds some of the machine's disks only")
        return disk.actual_against_disks(
            at.rows("iotop_totals"), at.rows("block"), _disks(at.facts), at.window, at.asked_s, direction
        )  # fmt: skip

    yield from at.compare(WHOLE_CPU, lambda: cpu.whole_cpu(
        at.rows("top_summary"), at.rows("cpus"), at.window, at.clocks()
    ))  # fmt: skip
    yield from at.compare(TASKS_SHOWN, shown)
    own = (f"IO_{at.disk}_task",)
    for direction, words in DIRECTIONS.items():
        quantity = f"bytes {words} by all"
        pair = CrossCheck(
            f"{quantity} tasks", "bytes", "iotop, Total", "iotop, sum of its rows", own
        )
        yield from at.compare(pair, lambda d=direction: sums(d))
        pair = CrossCheck(f"{quantity} disks", "bytes", "iotop, Actual", BLOCK, ())
        yield from at.compare(pair, lambda d=direction: actual(d))


def _disks(facts: dict) -> list[str]:
    """Disks of a machine that lie under no other of its devices, so that each byte counts once."""
    known = facts.get("block_devices")
    if not isinstance(known, list):
        raise MissingData("facts.json does not tell disks from what lies on them")
    return [
        one["name"]
        for one in known
        if not one.get("slaves") and not one.get("loop_file") and one.get("size_bytes")
    ]


# -- one virtual server -------------------------------------------------------------------------------------


def _on_host(at: _Place, envelope: CpuLimit) -> Iterator[CrossCheckResult]:
    guest = replace(at, role=at.server.role)
    yield from _cpu(at, QEMU_CPU)
    yield from _disk(at)
    if at.tables.run.is_host_itself(at.server.role):
        return
    yield from at.compare(GUEST_CPU, lambda: cpu.guest_against_host(
        guest.rows("cpus"), at.counters(), at.window, guest.clocks(), at.clocks(), quota=envelope.quota
    ))  # fmt: skip
    for direction, words in DIRECTIONS.items():
        quantity = f"bytes {words} {'from' if direction == 'read' else 'to'} the disk"
        pair = CrossCheck(
            quantity,
            "bytes",
            "guest, block",
            "host, block",
            ("T_vdisk", "T_disk"),
            _part_of_disk(at),
        )
        yield from at.compare(pair, lambda d=direction: disk.guest_against_host(
            _of_disk(guest), _of_disk(at), at.window, d
        ))  # fmt: skip


def _cpu(at: _Place, pair: CrossCheck) -> Iterator[CrossCheckResult]:
    """CPU time by top and by the counters: the sum, then process by process."""

    def both() -> tuple[Measurement, list[Measurement]]:
        kernel, top = at.counters(), at.rows("top_processes")
        pattern = at.server.server_processes if at.role != HOST else ""
        if at.role == HOST:  # QEMU's name may be cut in top; its pid is known
            top = top.filter(pl.col("pid").is_in(kernel["pid"].unique().implode()))
        return cpu.process_times(
            top, at.rows("top_summary"), kernel, at.rows("task_processes"), at.window, at.clocks(), pattern
        )  # fmt: skip

    yield from at.compare(pair, lambda: both()[0])
    if pair is SERVER_CPU:
        each = at.compare(PROCESS_CPU, lambda: both()[1])
        yield from (found for found in each if found.found is not None)


def _disk(at: _Place) -> Iterator[CrossCheckResult]:
    """Bytes by iotop, by the counters and by the disk; the disk's busy time and its queue."""
    whose, own = "QEMU" if at.role == HOST else "the server's processes", (f"IO_{at.disk}_task",)
    for direction, words in DIRECTIONS.items():
        quantity = f"bytes {words} by {whose}"
        pair = CrossCheck(quantity, "bytes", IOTOP, PROC_IO, own)
        yield from at.compare(pair, lambda d=direction: disk.against_counters(
            at.iotop(), at.rows("iotop_tasks"), at.rows("iotop_totals"), at.counters(),
            at.rows("task_processes"), at.window, at.asked_s, d,
        ))  # fmt: skip
        pair = CrossCheck(
            f"{quantity}, and by the disk", "bytes", IOTOP, BLOCK, own, _part_of_disk(at)
        )
        yield from at.compare(pair, lambda d=direction: disk.against_disk(
            at.iotop(), at.rows("iotop_totals"), _of_disk(at), at.window, at.asked_s, d
        ))  # fmt: skip
    queue = "block, time_in_queue"
    busy = "time the disk was busy, and its requests' time in it"
    pair = CrossCheck(busy, "s", "block, io_ticks", queue, (f"T_{at.disk}",), "at most")
    yield from at.compare(pair, lambda: disk.busy_against_queue(
        _of_disk(at), at.window, jiffy_s(at.rows("block"), at.facts.get("kernel_hz"))
    ))  # fmt: skip

    def delays() -> Measurement:
        if at.facts.get("delay_accounting") is False:
            raise MissingData(f"delay accounting is off on {at.role}")
        threads = at.rows("tasks")
        of_it = threads.filter(pl.col("pid").is_in(at.counters()["pid"].unique().implode()))
        return disk.delay_against_queue(
            of_it, threads, _of_disk(at), at.window, at.clocks().ticks_per_s
        )

    waited = f"time {whose} waited for a disk, and all requests' time in it"
    pair = CrossCheck(waited, "s", "task counters, blkio delay", queue, (), "at most")
    yield from at.compare(pair, delays)


def _of_disk(at: _Place) -> pl.DataFrame:
    return device_rows(at.rows("block"), disk_location(at.server, at.disk)[1])


def _part_of_disk(at: _Place) -> Relation:
    """``equal`` where the host's disk is this virtual server's alone: a file's loop device, or a volume, of its own."""
    known = at.tables.run.facts(HOST).get("block_devices")
    known = known if isinstance(known, list) else []
    own = [one for one in known if one.get("name") == at.server.host_disk]
    volume = any(one.get("loop_file") or one.get("dm_name") for one in own)
    alone = volume and not is_shared(at.tables, at.server, "disk")
    return "equal" if alone and at.role == HOST else "at most"
