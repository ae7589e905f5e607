"""CPU time of the host per request by role of the QEMU thread, for one virtual server.

R_cpu = R_vcpu + R_kvm (the paper's section IV), from the counters of the vCPU threads: R_vcpu is Δguest_time, R_kvm is
Δ(utime − guest_time + stime), as utime contains guest_time (Linux, Documentation/filesystems/proc.rst, fields 14, 15
and 43 of /proc/PID/stat). The other threads of QEMU, vhost and steal are listed next to them. Nothing counts twice:
``qemu`` is the total, and ``vcpu`` and ``kvm`` are parts of ``vcpu_threads``.

The scheduler measures utime + stime of a thread exactly, but guest_time is sampled by ticks: the sum is exact, its
parts vary from window to window, which the bootstrap includes. The resolution of the counters comes on top.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import equations as eq
from pipeline.demands import texts
from pipeline.demands.bootstrap import DRAWS
from pipeline.demands.service_demand import (
    PointEstimate,
    RunDemands,
    estimate_with_intervals,
    load_and_idle,
)
from pipeline.measure.counters import Counter
from pipeline.measure.kernel_counters import steal_counter
from pipeline.measure.processes import (
    SELF_CPU,
    THREAD_KEYS,
    qemu_rows,
    task_counter,
    with_thread_roles,
)
from pipeline.measure.run_tables import ticks_per_s
from pipeline.measure.time_series import on_windows
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.network.service import erlang_c
from pipeline.raw import HOST, Run

Array = NDArray[np.float64]

CPU_STATIONS = (
    "qemu", "vcpu_threads", "vcpu", "kvm", "emulator", "iothread", "worker", "vhost", "ended",
)  # fmt: skip
"""QEMU and its vhost threads; the vCPU threads; of these guest mode and the rest; the main loop and its helpers; I/O
threads; workers of the thread pool; vhost; threads that exited after their last snapshot."""
STEALS = ("guest_steal", "host_steal")
"""Time that the guest's vCPUs and the host's CPUs waited for their hypervisor; not CPU time in use."""

HOST_CPU = pl.Schema(
    {
        "station": pl.String,
        "seconds": pl.Float64,
        "per_request_ms": pl.Float64,
        "low_ms": pl.Float64,
        "high_ms": pl.Float64,
        "share": pl.Float64,
        "missing": pl.String,
    }
)
"""One row per station: CPU seconds of the load net of background, the same per request with its interval, its share of
``qemu`` (null for steal), and the reason for a missing value."""

StationCounters = dict[str, Counter | str]
"""Station → its counter, or the reason why there is none."""


def estimate_host_cpu(counters: RunCounters, *, draws: int = DRAWS) -> RunDemands:
    """Estimate CPU time per request by station, net of background, with the windows of ``estimate_demands``.

    Raises ``MissingData`` without a load.
    """
    station_counters = _counters(counters)
    load, idle, flags = load_and_idle(counters)
    completions = float(load.column("completions").sum())
    points = {
        name: counter
        if isinstance(counter, str)
        else value_or_reason(lambda c=counter: _point(counters, c, completions))
        for name, counter in station_counters.items()
    }
    start_ns = counters.window.start_ns
    windows = (
        None if s is None
        else on_windows(s.frame.select("start_s", "length_s", "completions"), start_ns, station_counters)
        for s in (load, idle)
    )  # fmt: skip
    return estimate_with_intervals(*windows, points, counters, flags=flags, draws=draws)


def _point(counters: RunCounters, counter: Counter, completed: float) -> PointEstimate:
    total, baseline = counter.increase(counters.window), counters.run.idle_before
    if baseline is None:
        return PointEstimate(total.value / completed, total.value, 0.0, flags=total.flags)
    idle = counter.idle_increase(baseline)
    net = eq.net_of_background(
        total.value, idle.value, baseline.duration_s, counters.window.duration_s
    )
    value = float(eq.cpu_residence_time(net, completed))
    return PointEstimate(value, total.value, idle.value / baseline.duration_s, flags=total.flags)


def host_cpu_frame(estimate: RunDemands) -> pl.DataFrame:
    """The estimate as a table. Schema: ``HOST_CPU``."""
    total = estimate.demands.get("qemu")
    rows: list[tuple] = []
    for name in (*CPU_STATIONS, *STEALS):
        demand = estimate.demands.get(name)
        if demand is None:
            rows.append((name, *[None] * 5, estimate.missing[name]))
            continue
        has_share = name in CPU_STATIONS and total is not None and total.value_s > 0
        rows.append(
            (
                name,
                demand.value_s * estimate.completions,
                *(x * 1e3 for x in (demand.value_s, demand.low_s, demand.high_s)),
                demand.value_s / total.value_s if has_share and total is not None else None,
                None,
            )
        )
    return pl.DataFrame(rows, schema=HOST_CPU, orient="row")


def processor_wait_s(demand_s: float, busy_cpus: float, cpus: float) -> float:
    """Mean wait for one of m processors by M/M/m, W = C(m, a) S / (m − a), seconds; infinite from a = m.

    Erlang's C: Kleinrock, Queueing Systems I, 1975, page 103.

    Parameters
    ----------
    demand_s
        CPU time per request, seconds.
    busy_cpus
        CPUs in use on average, by any process.
    cpus
        Number of CPUs. For a quota such as 1.5 CPUs m is the next integer, each CPU slowdown by the same factor.

    Raises
    ------
    ValueError
        Without CPUs, or for negative numbers.
    """
    if not cpus > 0 or demand_s < 0 or busy_cpus < 0:
        raise ValueError(
            f"no wait for a demand of {demand_s:g} s at {busy_cpus:g} of {cpus:g} CPUs"
        )
    processors = float(np.ceil(cpus))
    slowdown = processors / cpus
    load = busy_cpus * slowdown
    if load >= processors:
        return float("inf")
    return float(erlang_c(processors, load)) * demand_s * slowdown / (processors - load)


# -- counters -------------------------------------------------------------------------------------------------


def _counters(counters: RunCounters) -> StationCounters:
    counters_by_station = value_or_reason(lambda: _of_threads(counters))
    if isinstance(counters_by_station, str):
        counters_by_station = dict.fromkeys(CPU_STATIONS, counters_by_station)
    roles = (counters.server.role, HOST)
    steals = {
        name: value_or_reason(
            lambda role=role: steal_counter(counters.tables, role, ticks_per_s(counters.run, role))
        )
        for name, role in zip(STEALS, roles, strict=True)
    }
    return counters_by_station | steals


def _of_threads(counters: RunCounters) -> StationCounters:
    run, server = counters.run, counters.server
    qemu = qemu_rows(counters.tables, server)
    tasks = with_thread_roles(counters.tables.sampled("tasks", HOST), qemu["pid"].unique())
    processes, hertz = counters.tables.sampled("task_processes", HOST), ticks_per_s(run, HOST)

    def counter(rows: pl.DataFrame, readings: int = 2, value: pl.Expr = SELF_CPU) -> Counter:
        return task_counter(rows, processes, hertz, THREAD_KEYS, value, readings=readings)

    by_station: StationCounters = {}
    for role in ("vcpu", "emulator", "iothread", "worker", "vhost"):
        rows = tasks.filter(pl.col("station") == role)
        name = "vcpu_threads" if role == "vcpu" else role
        by_station[name] = texts.no_thread(server.name, role) if rows.is_empty() else counter(rows)
    qemu_counter = counters.counter("host_cpu")
    vhost_counter = counter(tasks.filter(~pl.col("pid").is_in(qemu["pid"].unique().implode())))
    by_station["qemu"] = replace(qemu_counter, total=qemu_counter.total + vhost_counter.total)
    sampled = counter(tasks)
    by_station["ended"] = replace(
        sampled, total=by_station["qemu"].total - sampled.total, may_fall=True
    )
    if isinstance(by_station["vcpu_threads"], str):
        reason = texts.unnamed_threads(by_station["vcpu_threads"])
        return by_station | dict.fromkeys(("vcpu_threads", "vcpu", "kvm", "emulator"), reason)
    vcpus = tasks.filter(pl.col("station") == "vcpu")
    reason = _no_split(run, vcpus)
    if reason:
        return by_station | dict.fromkeys(("vcpu", "kvm"), reason)
    guest = pl.col("guest_time_ticks")
    return by_station | {
        "vcpu": counter(vcpus, 1, guest),
        "kvm": replace(counter(vcpus, 3, SELF_CPU - guest), may_fall=True),
    }


def _no_split(run: Run, vcpus: pl.DataFrame) -> str | None:
    """Why guest mode cannot be separated from the rest of the vCPU threads' time; None if it can."""
    if run.accelerator == "tcg" or vcpus["comm"].str.ends_with("/TCG").any():
        return texts.NO_GUEST_MODE
    if vcpus["guest_time_ticks"].null_count():
        return texts.NO_GUEST_TIME
    if vcpus["guest_time_ticks"].max() == 0:
        return texts.GUEST_TIME_ZERO
    return None
