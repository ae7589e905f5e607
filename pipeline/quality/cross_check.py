"""Cross-checks of a run: top, iotop and block against the kernel's counters in tasks.log.

The paper's quantities come from top, iotop and /sys/block. tasks.log samples the kernel's own counters at the same
time; an access log may have response times beside the client's. ``cross_check_run`` compares every quantity that two of
them measure, over the load's window.
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
from pipeline.measure.processes import own_process_rows
from pipeline.measure.run_tables import RunTables, ticks_per_s
from pipeline.measure.window import MissingData, load_window
from pipeline.quality import cpu, disk, texts
from pipeline.quality.agreement import (
    CrossCheck,
    CrossCheckResult,
    Measurement,
    Relation,
    cross_check,
    difference,
)
from pipeline.quality.cpu import ClockRates
from pipeline.quality.disk import DIRECTIONS, Direction
from pipeline.quality.response_time import logged_time_checks
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
"""One row per pair of sources. ``role``: the machine; ``virtual_server``: null for the whole machine; ``subject``: a
pid; ``uncertainty_a``, ``uncertainty_b``: half the width of the interval, including the times of the snapshots;
``relation``: ``=``, or ``<=`` where the first measures a part of the second; ``difference``: for ``<=`` the excess;
``outcome``: ``agreement.Outcome``; ``dependents``: quantities of the ledger computed from the first source, separated
by blanks, empty for none."""

_TOP_VS_KERNEL = (texts.TOP, texts.TASK_COUNTERS)
SERVER_CPU = CrossCheck(texts.CPU_OF_SERVER, "s", *_TOP_VS_KERNEL, ("T_cpu_process",))
PROCESS_CPU = CrossCheck(texts.CPU_OF_PROCESS, "s", *_TOP_VS_KERNEL, ("T_cpu_process",))
QEMU_CPU = CrossCheck(texts.CPU_OF_QEMU, "s", *_TOP_VS_KERNEL, ("T_qemu",))
MACHINE_CPU = CrossCheck(texts.CPU_OF_MACHINE, "1", texts.TOP_CPU, texts.PROC_STAT, ())
TASK_COUNT = CrossCheck(texts.TASKS, "tasks", texts.TOP_COUNT, texts.TOP_ROWS, ("T_cpu_process",))
GUEST_CPU = CrossCheck(
    texts.CPU_OF_GUEST, "s", texts.GUEST_STAT, texts.QEMU_COUNTERS, ("T_cpu_process",), "<="
)


@dataclass(frozen=True)
class _Scope:
    """A machine, and a virtual server of it or the whole of it, over a window."""

    tables: RunTables
    role: str
    window: Window
    server: VirtualServer | None = None

    @property
    def facts(self) -> dict:
        return self.tables.run.facts(self.role)

    @property
    def interval_s(self) -> float | None:
        """Requested time between samples."""
        return self.facts.get("interval_s")

    def rows(self, table: str) -> pl.DataFrame:
        return self.tables.sampled(table, self.role)

    @property
    def disk(self) -> Disk:
        return "disk" if self.role == HOST else "vdisk"

    def disk_rows(self) -> pl.DataFrame:
        device = disk_location(self.tables.run, self.server, self.disk)[1]
        return device_rows(self.rows("block"), device)

    def clock_rates(self) -> ClockRates:
        return ClockRates(ticks_per_s(self.tables.run, self.role), self.interval_s)

    def counters(self) -> pl.DataFrame:
        """Rows of task_processes: of the server's processes in the guest, of its QEMU on the host."""
        return own_process_rows(self.tables, self.server, self.role)

    def iotop(self) -> pl.DataFrame:
        return server_iotop_rows(self.tables, self.role, self.server)

    def compare(
        self, check: CrossCheck, measure: Callable[[], Measurement | list[Measurement]]
    ) -> list[CrossCheckResult]:
        name = None if self.server is None else self.server.name
        return cross_check(self.role, name, check, measure)


def cross_check_run(tables: RunTables, limit: CpuLimit) -> pl.DataFrame:
    """Compare every quantity of a run that two sources measured.

    Parameters
    ----------
    tables
        The stored tables of the run.
    limit
        The CPU that the host's virtual servers share; named in the cause of a difference.

    Returns
    -------
    polars.DataFrame
        One row per pair, form ``CROSS_CHECKS``: machine by machine, host first. Pairs of a virtual server are
        compared over the window of its own load, pairs of a machine over the run's. A pair without data has the
        outcome ``not evaluated`` and the reason as its message. Empty for a run without a window.
    """
    run, results = tables.run, []
    if run.window is None:
        return pl.DataFrame(schema=CROSS_CHECKS)
    for role in [HOST, *(role for role in run.roles if role not in (CLIENT, HOST))]:
        results += _compare_machine(_Scope(tables, role, run.window))
        for _, server in sorted(run.virtual_servers.items()):
            scope = _Scope(tables, role, load_window(run, server), server)
            if role == HOST:
                results += _compare_on_host(scope, limit)
            elif server.role == role:
                results += [*_compare_cpu(scope, SERVER_CPU), *_compare_disk(scope)]
                for check, measure in logged_time_checks(tables, server):
                    results += scope.compare(check, measure)
    return pl.DataFrame([_row(result) for result in results], schema=CROSS_CHECKS)


def _row(result: CrossCheckResult) -> dict[str, str | float | None]:
    check, measurement = result.check, result.measurement
    row = {
        "role": result.role,
        "virtual_server": result.virtual_server,
        "outcome": result.outcome,
        "message": result.message(),
        "dependents": " ".join(check.dependents),
        **{
            name: getattr(check, name)
            for name in ("quantity", "unit", "source_a", "source_b", "relation")
        },
    }
    if measurement is None:
        return row
    row["subject"] = measurement.subject
    row["difference"] = difference(measurement.a, measurement.b, check.relation)
    for side, number in (("a", measurement.a), ("b", measurement.b)):
        row[f"value_{side}"] = number.value
        row[f"uncertainty_{side}"] = (number.high - number.low) / 2
    return row


# -- whole machines -----------------------------------------------------------------------------------------


def _compare_machine(scope: _Scope) -> Iterator[CrossCheckResult]:
    def require_all(fact: str, reason: str) -> None:
        if scope.facts.get(fact) is not None:
            raise MissingData(reason)
        if scope.tables.run.is_imported and fact not in scope.facts:  # top -i, iotop piped to grep
            raise MissingData(texts.UNKNOWN_SUBSET)

    def task_count() -> Measurement:
        require_all("only", texts.TOP_SUBSET)
        return cpu.task_count(scope.rows("top_summary"), scope.rows("top_processes"), scope.window)

    def totals(direction: Direction) -> Measurement:
        require_all("only", texts.IOTOP_SUBSET)
        return disk.totals_vs_rows(
            scope.rows("iotop_tasks"), scope.rows("iotop_totals"), scope.window, direction
        )

    def actual(direction: Direction) -> Measurement:
        require_all("devices", texts.BLOCK_SUBSET)
        return disk.actual_vs_disks(
            scope.rows("iotop_totals"), scope.rows("block"), _base_disks(scope.facts), scope.window,
            scope.interval_s, direction,
        )  # fmt: skip

    yield from scope.compare(MACHINE_CPU, lambda: cpu.machine_cpu(
        scope.rows("top_summary"), scope.rows("cpus"), scope.window, scope.clock_rates()
    ))  # fmt: skip
    yield from scope.compare(TASK_COUNT, task_count)
    dependents = (f"IO_{scope.disk}_task",)
    for direction, participle in DIRECTIONS.items():
        check = CrossCheck(
            texts.bytes_of(participle, "all tasks"), "bytes", texts.IOTOP_TOTAL, texts.IOTOP_ROWS,
            dependents,
        )  # fmt: skip
        yield from scope.compare(check, lambda d=direction: totals(d))
        check = CrossCheck(
            texts.bytes_of(participle, "all disks"), "bytes", texts.IOTOP_ACTUAL, texts.BLOCK, ()
        )
        yield from scope.compare(check, lambda d=direction: actual(d))


def _base_disks(facts: dict) -> list[str]:
    """Disks of a machine that lie under no other of its devices, so that each byte counts once."""
    devices = facts.get("block_devices")
    if not isinstance(devices, list):
        raise MissingData(texts.NO_DEVICE_TREE)
    return [
        device["name"]
        for device in devices
        if not device.get("slaves") and not device.get("loop_file") and device.get("size_bytes")
    ]


# -- one virtual server -------------------------------------------------------------------------------------


def _compare_on_host(scope: _Scope, limit: CpuLimit) -> Iterator[CrossCheckResult]:
    guest = replace(scope, role=scope.server.role)
    yield from _compare_cpu(scope, QEMU_CPU)
    yield from _compare_disk(scope)
    if scope.tables.run.is_host_itself(scope.server.role):
        return
    yield from scope.compare(GUEST_CPU, lambda: cpu.guest_vs_host(
        guest.rows("cpus"), scope.counters(), scope.window, guest.clock_rates(), scope.clock_rates(),
        quota=limit.quota,
    ))  # fmt: skip
    for direction in DIRECTIONS:
        check = CrossCheck(
            texts.disk_bytes(direction), "bytes", texts.GUEST_BLOCK, texts.HOST_BLOCK,
            ("T_vdisk", "T_disk"), _relation_to_disk(scope),
        )  # fmt: skip
        yield from scope.compare(check, lambda d=direction: disk.guest_vs_host(
            guest.disk_rows(), scope.disk_rows(), scope.window, d
        ))  # fmt: skip


def _compare_cpu(scope: _Scope, check: CrossCheck) -> Iterator[CrossCheckResult]:
    """CPU time by top and by the counters: the sum, then process by process."""

    def process_times() -> tuple[Measurement, list[Measurement]]:
        kernel, top = scope.counters(), scope.rows("top_processes")
        pattern = scope.server.server_processes if scope.role != HOST else ""
        if scope.role == HOST:  # top may cut off QEMU's name; its pid is known
            top = top.filter(pl.col("pid").is_in(kernel["pid"].unique().implode()))
        return cpu.process_times(
            top, scope.rows("top_summary"), kernel, scope.rows("task_processes"), scope.window,
            scope.clock_rates(), pattern,
        )  # fmt: skip

    yield from scope.compare(check, lambda: process_times()[0])
    if check is SERVER_CPU:
        by_process = scope.compare(PROCESS_CPU, lambda: process_times()[1])
        yield from (result for result in by_process if result.measurement is not None)


def _compare_disk(scope: _Scope) -> Iterator[CrossCheckResult]:
    """Bytes by iotop, by the counters and by the disk; the disk's busy time and its queue."""
    whose = texts.QEMU if scope.role == HOST else texts.SERVER_PROCESSES
    dependents = (f"IO_{scope.disk}_task",)
    for direction, participle in DIRECTIONS.items():
        check = CrossCheck(
            texts.bytes_of(participle, whose), "bytes", texts.IOTOP, texts.PROC_IO, dependents
        )
        yield from scope.compare(check, lambda d=direction: disk.iotop_vs_counters(
            scope.iotop(), scope.rows("iotop_tasks"), scope.rows("iotop_totals"), scope.counters(),
            scope.rows("task_processes"), scope.window, scope.interval_s, d,
        ))  # fmt: skip
        check = CrossCheck(
            texts.bytes_and_disk(participle, whose), "bytes", texts.IOTOP, texts.BLOCK, dependents,
            _relation_to_disk(scope),
        )  # fmt: skip
        yield from scope.compare(check, lambda d=direction: disk.iotop_vs_disk(
            scope.iotop(), scope.rows("iotop_totals"), scope.disk_rows(), scope.window, scope.interval_s, d
        ))  # fmt: skip
    check = CrossCheck(
        texts.DISK_BUSY, "s", texts.IO_TICKS, texts.TIME_IN_QUEUE, (f"T_{scope.disk}",), "<="
    )
    yield from scope.compare(check, lambda: disk.busy_vs_queue(
        scope.disk_rows(), scope.window, jiffy_s(scope.rows("block"), scope.facts.get("kernel_hz"))
    ))  # fmt: skip

    def delays() -> Measurement:
        if scope.facts.get("delay_accounting") is False:
            raise MissingData(texts.no_delay_accounting(scope.role))
        threads = scope.rows("tasks")
        pids = scope.counters()["pid"].unique()
        return disk.delay_vs_queue(
            threads.filter(pl.col("pid").is_in(pids.implode())), threads, scope.disk_rows(),
            scope.window, scope.clock_rates().ticks_per_s,
        )  # fmt: skip

    check = CrossCheck(
        texts.disk_wait(whose), "s", texts.BLKIO_DELAY, texts.TIME_IN_QUEUE, (), "<="
    )
    yield from scope.compare(check, delays)


def _relation_to_disk(scope: _Scope) -> Relation:
    """``=`` where the host's disk is a loop device or a volume of this virtual server alone."""
    devices = scope.tables.run.facts(HOST).get("block_devices")
    devices = devices if isinstance(devices, list) else []
    own = [device for device in devices if device.get("name") == scope.server.host_disk]
    is_volume = any(device.get("loop_file") or device.get("dm_name") for device in own)
    is_own = is_volume and not is_shared(scope.tables, scope.server, "disk")
    return "=" if is_own and scope.role == HOST else "<="
