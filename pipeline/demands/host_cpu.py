"""Where the host's CPU time goes: one virtual server's QEMU, thread by thread, a request.

R_cpu = R_vcpu + R_kvm (the paper's section IV), from the vCPU threads' counters: R_vcpu is Δguest_time, R_kvm is
Δ(utime − guest_time + stime), since utime contains guest_time (Linux, Documentation/filesystems/proc.rst, fields 14,
15 and 43 of /proc/PID/stat). Beside them stand QEMU's other threads, vhost's, and steal. Nothing is counted twice:
``qemu`` is the whole, and ``vcpu`` and ``kvm`` are parts of ``vcpu_threads``.

A thread's utime + stime is what the scheduler clocked, but guest_time is sampled tick by tick: the sum is exact, its
parts scatter. That scatter lies between windows, so moving blocks see it; steps of the counters come on top.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import equations as eq
from pipeline.demands.bootstrap import DRAWS
from pipeline.demands.service_demand import (
    PointEstimate,
    RunDemands,
    estimate_with_intervals,
    load_and_idle,
)
from pipeline.measure.counters import Counter
from pipeline.measure.processes import (
    SELF_CPU,
    THREAD_KEYS,
    machine_counter,
    qemu_rows,
    task_counter,
    with_thread_roles,
)
from pipeline.measure.run_tables import ticks_per_s
from pipeline.measure.time_series import on_windows
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.measure.window import MissingData
from pipeline.network.service import erlang_c
from pipeline.raw import HOST, Run, VirtualServer

Array = NDArray[np.float64]

CPU_STATIONS = (
    "qemu", "vcpu_threads", "vcpu", "kvm", "emulator", "iothread", "worker", "vhost", "ended",
)  # fmt: skip
"""All of QEMU and its vhost threads; the vCPU threads; of these guest mode and the rest; the main loop and its
helpers; I/O threads; workers of the thread pool; vhost; threads that no snapshot saw to their end."""
STEALS = ("guest_steal", "host_steal")
"""What the guest's vCPUs and the host's CPUs waited for whoever runs them. Not CPU time that was used."""

FRAME = pl.Schema(
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
"""A row a station: CPU seconds of the load with the background taken off, the same a request with its interval, its
share of ``qemu`` (null for steal), and why there is no number."""

Found = dict[str, Counter | str]
"""Station → its counter, or why there is none."""


def stations(run: Run, server: VirtualServer, processed: Path | str) -> pl.DataFrame:
    """The stations of a virtual server in a run, form ``FRAME``. Raises ``MissingData`` if it had no load."""
    return frame_of(estimate_host_cpu(RunCounters(run, server, processed)))


def estimate_host_cpu(counters: RunCounters, *, draws: int = DRAWS) -> RunDemands:
    """The stations' demands with their draws, background taken off as in ``estimate_demands`` and by the same windows.

    Raises ``MissingData`` if the virtual server had no load.
    """
    found = _counters(counters)
    load, idle, flags = load_and_idle(counters)
    completed = float(load.column("completions").sum())
    points = {
        name: one
        if isinstance(one, str)
        else value_or_reason(lambda c=one: _point(counters, c, completed))
        for name, one in found.items()
    }
    start_ns = counters.window.start_ns
    windows = (
        None if s is None else on_windows(s.frame.select("start_s", "length_s", "completions"), start_ns, found)
        for s in (load, idle)
    )  # fmt: skip
    return estimate_with_intervals(*windows, points, counters, flags=flags, draws=draws)


def _point(counters: RunCounters, counter: Counter, completed: float) -> PointEstimate:
    used, before = counter.increase(counters.window), counters.run.idle_before
    if before is None:
        return PointEstimate(used.value / completed, used.value, 0.0, flags=used.flags)
    idle = counter.idle_increase(before)
    own = eq.net_of_background(
        used.value, idle.value, before.duration_s, counters.window.duration_s
    )
    value = float(eq.cpu_residence_time(own, completed))
    return PointEstimate(value, used.value, idle.value / before.duration_s, flags=used.flags)


def frame_of(estimate: RunDemands) -> pl.DataFrame:
    """An estimate of stations in the form ``FRAME``."""
    whole = estimate.demands.get("qemu")
    rows: list[tuple] = []
    for name in (*CPU_STATIONS, *STEALS):
        demand = estimate.demands.get(name)
        if demand is None:
            rows.append((name, *[None] * 5, estimate.missing[name]))
            continue
        shared = name in CPU_STATIONS and whole is not None and whole.value_s > 0
        rows.append(
            (
                name,
                demand.value_s * estimate.completions,
                *(x * 1e3 for x in (demand.value_s, demand.low_s, demand.high_s)),
                demand.value_s / whole.value_s if shared and whole is not None else None,
                None,
            )
        )
    return pl.DataFrame(rows, schema=FRAME, orient="row")


def processor_wait_s(demand_s: float, busy_cpus: float, cpus: float) -> float:
    """Mean wait for one of m processors, by M/M/m: W = C(m, a) S / (m − a), seconds; infinite from a = m on.

    ``demand_s``: CPU time of a request; ``busy_cpus``: CPUs in use on average, by whomever; ``cpus``: how many there
    are. Of a quota (1.5 CPUs, say) m is the next whole number, and each of them so much slower.
    Erlang's C: Kleinrock, Queueing Systems I, 1975, page 103. ``ValueError`` without CPUs or for negative numbers.
    """
    if not cpus > 0 or demand_s < 0 or busy_cpus < 0:
        raise ValueError(
            f"no wait for a demand of {demand_s:g} s at {busy_cpus:g} of {cpus:g} CPUs"
        )
    processors = float(np.ceil(cpus))
    slower = processors / cpus
    load = busy_cpus * slower
    if load >= processors:
        return float("inf")
    return float(erlang_c(processors, load)) * demand_s * slower / (processors - load)


# -- counters -------------------------------------------------------------------------------------------------


def _counters(counters: RunCounters) -> Found:
    found = value_or_reason(lambda: _of_threads(counters))
    if isinstance(found, str):
        found = dict.fromkeys(CPU_STATIONS, found)
    roles = (counters.server.role, HOST)
    steals = {
        name: value_or_reason(lambda role=role: _steal(counters, role))
        for name, role in zip(STEALS, roles, strict=True)
    }
    return found | steals


def _of_threads(counters: RunCounters) -> Found:
    run, server = counters.run, counters.server
    own = qemu_rows(counters.tables, server)
    tasks = with_thread_roles(counters.tables.sampled("tasks", HOST), own["pid"].unique())
    processes, hertz = counters.tables.sampled("task_processes", HOST), ticks_per_s(run, HOST)

    def counter(rows: pl.DataFrame, readings: int = 2, value: pl.Expr = SELF_CPU) -> Counter:
        return task_counter(rows, processes, hertz, THREAD_KEYS, value, readings=readings)

    found: Found = {}
    for role in ("vcpu", "emulator", "iothread", "worker", "vhost"):
        rows = tasks.filter(pl.col("station") == role)
        name = "vcpu_threads" if role == "vcpu" else role
        found[name] = (
            f"no thread of {server.name}'s QEMU is told as {_WORDS[role]}"
            if rows.is_empty()
            else counter(rows)
        )
    whole = counters.counter("host_cpu")
    kernel = counter(tasks.filter(~pl.col("pid").is_in(own["pid"].unique().implode())))
    found["qemu"] = replace(whole, total=whole.total + kernel.total)
    seen = counter(tasks)
    found["ended"] = replace(seen, total=found["qemu"].total - seen.total, may_fall=True)
    if isinstance(found["vcpu_threads"], str):
        reason = f"{found['vcpu_threads']}: its threads have no names (-name …,debug-threads=on)"
        return found | dict.fromkeys(("vcpu_threads", "vcpu", "kvm", "emulator"), reason)
    vcpus = tasks.filter(pl.col("station") == "vcpu")
    missing = _no_split(run, vcpus)
    if missing:
        return found | dict.fromkeys(("vcpu", "kvm"), missing)
    guest = pl.col("guest_time_ticks")
    return found | {
        "vcpu": counter(vcpus, 1, guest),
        "kvm": replace(counter(vcpus, 3, SELF_CPU - guest), may_fall=True),
    }


_WORDS = {
    "vcpu": "a vCPU",
    "emulator": "its main loop",
    "iothread": "an I/O thread",
    "worker": "a worker",
    "vhost": "vhost",
}


def _no_split(run: Run, vcpus: pl.DataFrame) -> str | None:
    """Why guest mode cannot be told from the rest of the vCPU threads' time; None if it can."""
    if run.accelerator == "tcg" or vcpus["comm"].str.ends_with("/TCG").any():
        return "under emulation there is no guest mode: guest_time stays 0"
    if vcpus["guest_time_ticks"].null_count():
        return "tasks.log has no guest_time of the vCPU threads"
    if vcpus["guest_time_ticks"].max() == 0:
        return "guest_time stayed 0: the host's kernel does not account it"
    return None


def _steal(counters: RunCounters, role: str) -> Counter:
    if role != HOST and counters.run.accelerator == "tcg":
        raise MissingData("under emulation the guest is not told of steal")
    rows = counters.tables.sampled("cpus", role).drop_nulls("steal_ticks")
    return machine_counter(rows, ("steal",), ticks_per_s(counters.run, role))
