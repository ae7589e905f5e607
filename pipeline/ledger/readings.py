"""Every reading of the equations, evaluated: inputs → rows of the ledger.

A single reading is written ``demand / denominator / background / sum``, e.g. ``service-demand / own / kept``.
Two sets of choices have names: ``as-printed`` (every choice as the paper prints it, the signs of equations 4
and 5 apart) and ``corrected`` (service-demand, nested, total, background taken off, closed where the workload is
closed).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from pipeline import equations as eq
from pipeline.bundle import VirtualServer
from pipeline.ledger.inputs import DISKS, Disk, DiskUse, Inputs
from pipeline.ledger.quantity import Quantity, between, exact, missing, through
from pipeline.network.closed import mean_value_analysis

AS_PRINTED = "as-printed"
CORRECTED = "corrected"
KEPT, OFF = "background kept", "background off"
BACKGROUNDS = (KEPT, OFF)

ROUNDING = 0.005
"""A share that exceeds 1 by less is iotop's rounding and its clock, not write-back."""

SOURCES = {
    "cpu": "guest top_processes.cpu_time_s",
    "qemu": "host task_processes.utime_ticks, stime_ticks",
    "kernel": "guest task_processes.utime_ticks, stime_ticks",
    "requests": "client.completions",
    "client": "client summary",
    "log": "requests",
    "window": "run.json window",
    "vdisk": "guest block, iotop_tasks",
    "disk": "host block, iotop_tasks",
}


@dataclass(frozen=True)
class Row:
    """One row of the ledger before it knows its run."""

    quantity: str
    number: Quantity
    unit: str
    equation: str
    reading: str | None
    source: str
    subject: str | None = None


@dataclass(frozen=True)
class DiskRow:
    """Equations 3 to 9 for one disk with the background kept or taken off."""

    total_utilization: Quantity
    share: Quantity
    utilization: Quantity
    demands: dict[eq.DemandReading, Quantity]


def ledger_rows(server: VirtualServer, inputs: Inputs) -> list[Row]:
    """All rows of one virtual server in one run, in the order of the equations."""
    return [*_rows(server, inputs)]


def _rows(server: VirtualServer, inputs: Inputs) -> Iterator[Row]:
    length = exact(inputs.window.duration_s)
    throughput = through(eq.throughput, inputs.requests, length)
    yield Row("lambda_total", inputs.requests, "requests", "2", "client", SOURCES["requests"])
    yield Row("lambda_total", inputs.requests_logged, "requests", "2", "server-log", SOURCES["log"])
    yield Row("T", length, "s", "3", None, SOURCES["window"])
    cpu: dict[str, Quantity] = {}
    yield from _cpu_rows(inputs, length, cpu)
    disks: dict[tuple[Disk, str], DiskRow] = {}
    residence: dict[tuple[Disk, eq.DemandReading, eq.Denominator, str], Quantity] = {}
    for disk in DISKS:
        yield from _disk_rows(inputs, length, throughput, disk, disks, residence)
    yield Row("X_req", throughput, "requests/s", "10", None, f"{SOURCES['requests']}, T")
    for demand, denominator, background in product(
        eq.DEMAND_READINGS, eq.DENOMINATORS, BACKGROUNDS
    ):
        parts = [residence[disk, demand, denominator, background] for disk in DISKS]
        for reading in eq.SUM_READINGS:
            yield Row(
                "R_req",
                through(eq.response_time, cpu[background], *parts, reading=reading),
                "s",
                "IV",
                f"{demand} / {denominator} / {background} / {'sum' if reading == AS_PRINTED else reading}",
                "R_cpu, R_vdisk, R_disk",
            )
    sets = (
        _as_printed(cpu, residence, throughput),
        _corrected(server, inputs, cpu, disks, residence, throughput),
    )
    for named in sets:
        yield from named
    yield from _client_rows(inputs, length, sets)


# -- equations 1 and 2 --------------------------------------------------------------------------------


def _cpu_rows(inputs: Inputs, length: Quantity, residence: dict[str, Quantity]) -> Iterator[Row]:
    if inputs.used.processes is not None:
        for row in inputs.used.processes.iter_rows(named=True):
            flags = [
                *(["born in the window: counted whole"] if row["born"] else []),
                *(["ended in the window: counted up to its last sighting"] if row["ended"] else []),
            ]
            yield Row(
                "T_cpu_process",
                between(row["cpu_time_s"], row["low_s"], row["high_s"], *flags),
                "s",
                "1",
                None,
                SOURCES["cpu"],
                f"pid {row['pid']}" + (f" life {row['life'] + 1}" if row["life"] else ""),
            )
    yield Row("T_cpu", inputs.used.cpu_s, "s", "1", KEPT, "T_cpu_process")
    idle = missing("no idle before-state") if inputs.idle is None else inputs.idle.cpu_s
    off = _without(inputs, inputs.used.cpu_s, idle, length)
    yield Row("T_cpu_idle", idle, "s", "1", "before-state", SOURCES["cpu"])
    yield Row("T_cpu", off, "s", "1", OFF, "T_cpu, T_cpu_idle")
    yield Row("T_cpu_witness", inputs.kernel_cpu_s, "s", "1", "task counters", SOURCES["kernel"])
    busy = through(eq.cpu_utilization, inputs.used.cpu_s, length, inputs.guest_cpus)
    yield Row("U_vcpu", busy, "1", "ours: Utilization Law", KEPT, "T_cpu, T, cpus of facts.json")
    yield from qemu_rows(inputs.qemu_cpu_s, length)
    for background, used in zip(BACKGROUNDS, (inputs.used.cpu_s, off), strict=True):
        residence[background] = through(eq.cpu_residence_time, used, inputs.requests)
        yield Row(
            "R_cpu",
            residence[background],
            "s",
            "2",
            background,
            f"T_cpu ({background}), lambda_total",
        )


def qemu_rows(cpu_s: Quantity, length: Quantity) -> Iterator[Row]:
    """What the virtual server's QEMU cost the host: ours, by the task counters."""
    yield Row("T_qemu", cpu_s, "s", "ours: host CPU", "task counters", SOURCES["qemu"])
    share = through(eq.cpu_utilization, cpu_s, length)
    yield Row("U_qemu", share, "CPUs", "ours: host CPU", "task counters", "T_qemu, T")


def _without(inputs: Inputs, used: Quantity, idle: Quantity, length: Quantity) -> Quantity:
    if inputs.before is None:
        return missing("no idle before-state")
    taken = _mid(idle)
    off = through(eq.without_background, used, taken, exact(inputs.before.duration_s), length)
    if off.value == 0 and used.value:
        return off.doubted("the idle rate is no less than the rate under load")
    return off


def _mid(quantity: Quantity) -> Quantity:
    """The value alone: a background that is taken off lowers where it is high, so its own ends do not go along."""
    if quantity.triple is None:
        return quantity
    return exact(float(quantity.triple[0]), *quantity.flags)


# -- equations 3 to 10 for one disk -------------------------------------------------------------------


def _disk_rows(
    inputs: Inputs,
    length: Quantity,
    throughput: Quantity,
    disk: Disk,
    found: dict[tuple[Disk, str], DiskRow],
    residence: dict[tuple[Disk, eq.DemandReading, eq.Denominator, str], Quantity],
) -> Iterator[Row]:
    source = SOURCES[disk]
    used = inputs.used.disks[disk]
    idle = None if inputs.idle is None else inputs.idle.disks[disk]
    if used.tasks is not None:
        for row in used.tasks.iter_rows(named=True):
            total = row["read_bytes"] + row["written_bytes"]
            low = max(0.0, total - row["uncertain_bytes"])
            number = between(total, low, total + row["uncertain_bytes"])
            yield Row(f"IO_{disk}_task", number, "bytes", "7", None, source, f"task {row['task']}")
    for background in BACKGROUNDS:
        busy, read, written, own, operations = (
            _amounts(used) if background == KEPT else _amounts_off(inputs, used, idle, length)
        )
        yield Row(f"T_{disk}", busy, "s", "3", background, source)
        total_utilization = through(eq.disk_utilization, busy, length)
        if total_utilization.value is not None and total_utilization.value > 1:
            total_utilization = total_utilization.doubted("utilization above 1")
        yield Row(f"U_{disk}_total", total_utilization, "1", "3", background, f"T_{disk}, T")
        yield Row(f"Read_{disk}_total", read, "bytes", "4", background, source)
        yield Row(f"Write_{disk}_total", written, "bytes", "5", background, source)
        moved = through(eq.bytes_moved, read, written)
        yield Row(
            f"IO_{disk}_total",
            moved,
            "bytes",
            "6",
            background,
            f"Read_{disk}_total, Write_{disk}_total",
        )
        yield Row(f"IO_{disk}_req", own, "bytes", "7", background, f"IO_{disk}_task")
        share = through(eq.server_share, own, moved)
        if share.value is not None and share.value > 1 + ROUNDING:
            share = share.doubted(
                f"the server's bytes are {share.value:.2f} times the disk's: bounded by 1"
            )
        yield Row(f"share_{disk}", share, "1", "8", background, f"IO_{disk}_req, IO_{disk}_total")
        utilization = through(eq.server_disk_utilization, share, total_utilization)
        yield Row(
            f"U_{disk}_req", utilization, "1", "8", background, f"share_{disk}, U_{disk}_total"
        )
        rate = through(eq.throughput, operations, length)
        yield Row(f"X_{disk}_total", rate, "operations/s", "9", background, source)
        demands = {}
        for reading in eq.DEMAND_READINGS:
            demands[reading] = through(
                eq.disk_demand,
                utilization,
                reading=reading,
                requests_per_s=throughput,
                operations_per_s=rate,
                share=share,
            )
            yield Row(
                f"D_{disk}_req",
                demands[reading],
                "s",
                "9",
                f"{reading} / {background}",
                f"U_{disk}_req, X_req"
                if reading == "service-demand"
                else f"U_{disk}_req, X_{disk}_total",
            )
        found[disk, background] = DiskRow(total_utilization, share, utilization, demands)
        # Load of others delays whether it is background or not: `total` takes everything that the disk did.
        everything = found[disk, KEPT].total_utilization
        for reading, denominator in product(eq.DEMAND_READINGS, eq.DENOMINATORS):
            delayed_by = utilization if denominator == "own" else everything
            number = through(eq.disk_residence_time, demands[reading], delayed_by)
            residence[disk, reading, denominator, background] = number
            by = f"U_{disk}_req" if denominator == "own" else f"U_{disk}_total"
            yield Row(
                f"R_{disk}",
                number,
                "s",
                "10",
                f"{reading} / {denominator} / {background}",
                f"D_{disk}_req, {by}",
            )
    queue = through(eq.disk_utilization, used.queue_s, length)
    yield Row(f"L_{disk}", queue, "requests", "ours: mean in flight", None, source)


def _amounts(use: DiskUse) -> tuple[Quantity, Quantity, Quantity, Quantity, Quantity]:
    return use.busy_s, use.read_bytes, use.written_bytes, use.server_bytes, use.operations


def _amounts_off(
    inputs: Inputs, used: DiskUse, idle: DiskUse | None, length: Quantity
) -> tuple[Quantity, ...]:
    if idle is None:
        return (missing("no idle before-state"),) * 5
    return tuple(
        _without(inputs, loaded, resting, length)
        for loaded, resting in zip(_amounts(used), _amounts(idle), strict=True)
    )


# -- the two named sets ---------------------------------------------------------------------------------


def _as_printed(
    cpu: dict[str, Quantity],
    residence: dict[tuple[Disk, eq.DemandReading, eq.Denominator, str], Quantity],
    throughput: Quantity,
) -> list[Row]:
    virtual, physical = (residence[disk, "as-printed", "own", KEPT] for disk in DISKS)
    whole = through(eq.response_time, cpu[KEPT], virtual, physical, reading="as-printed")
    return _set_rows(AS_PRINTED, "10", cpu[KEPT], virtual, physical, whole, throughput)


def _corrected(
    server: VirtualServer,
    inputs: Inputs,
    cpu: dict[str, Quantity],
    disks: dict[tuple[Disk, str], DiskRow],
    residence: dict[tuple[Disk, eq.DemandReading, eq.Denominator, str], Quantity],
    throughput: Quantity,
) -> list[Row]:
    work = server.workload
    if work is None or work.kind != "closed":
        virtual, physical = (residence[disk, "service-demand", "total", OFF] for disk in DISKS)
        whole = through(eq.response_time, cpu[OFF], virtual, physical, reading="nested")
        return _set_rows(CORRECTED, "10", cpu[OFF], virtual, physical, whole, throughput)
    virtual, physical = (disks[disk, OFF].demands["service-demand"] for disk in DISKS)
    if work.population is None:
        return _set_rows(CORRECTED, "MVA", *(missing("run.json does not say the population"),) * 5)
    solved = [
        through(
            _closed,
            cpu[OFF],
            virtual,
            physical,
            population=work.population,
            think_time_s=work.think_time_s or 0.0,
            part=part,
        )
        for part in ("cpu", "vdisk", "disk", "response", "throughput")
    ]
    left_out = [
        f"the load on {name} at the same time is not in the closed model"
        for name in inputs.also_loaded
    ]
    return _set_rows(CORRECTED, "MVA", *(number.doubted(*left_out) for number in solved))


def _closed(
    cpu_s: np.ndarray,
    vdisk_s: np.ndarray,
    disk_s: np.ndarray,
    *,
    population: int,
    think_time_s: float,
    part: str,
) -> np.ndarray:
    """One figure of the closed model: queues at the CPU, the physical disk, and the virtualization layer above it.

    The guest's time at its disk is the time at the host's disk and in the layer, never less than the host's.
    """
    layer_s = eq.virtualization_share(vdisk_s, disk_s)
    figures = []
    for demands in zip(cpu_s, disk_s, layer_s, strict=True):
        solution = mean_value_analysis(demands, population, think_time_s)
        cpu, disk, layer = solution.residence_times
        figures.append(
            {
                "cpu": cpu,
                "vdisk": disk + layer,
                "disk": disk,
                "response": solution.response_time,
                "throughput": solution.throughput,
            }[part]
        )
    return np.array(figures)


def _set_rows(
    name: str,
    equation: str,
    cpu: Quantity,
    virtual: Quantity,
    physical: Quantity,
    whole: Quantity,
    throughput: Quantity,
) -> list[Row]:
    return [
        Row("R_cpu", cpu, "s", "2" if equation == "10" else equation, name, "T_cpu, lambda_total"),
        Row("R_vdisk", virtual, "s", equation, name, "D_vdisk_req, U_vdisk"),
        Row("R_disk", physical, "s", equation, name, "D_disk_req, U_disk"),
        Row(
            "R_req",
            whole,
            "s",
            "IV" if equation == "10" else equation,
            name,
            "R_cpu, R_vdisk, R_disk",
        ),
        Row("X_req", throughput, "requests/s", equation, name, "lambda_total, T"),
    ]


# -- what the client measured ---------------------------------------------------------------------------


def _client_rows(inputs: Inputs, length: Quantity, sets: tuple[list[Row], ...]) -> Iterator[Row]:
    source = SOURCES["client"]
    yield Row("X_client", inputs.client_throughput, "requests/s", "client", None, source)
    yield Row("R_client", inputs.client_response_time_s, "s", "client", None, source)
    little = through(
        eq.population_from_response_time, inputs.client_response_time_s, inputs.client_throughput
    )
    yield Row("N_client", little, "requests", "ours: Little's law", None, "X_client, R_client")
    for named in sets:
        modelled = next(row for row in named if row.quantity == "R_req")
        error = through(_relative_error, modelled.number, inputs.client_response_time_s)
        yield Row(
            "error_R", error, "1", "ours: model against client", modelled.reading, "R_req, R_client"
        )


def _relative_error(modelled: np.ndarray, measured: np.ndarray) -> np.ndarray:
    return eq.ratio(modelled - measured, measured)
