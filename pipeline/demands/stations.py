"""Where the host's CPU time goes: one virtual server's QEMU, thread by thread, a request.

R_cpu = R_vcpu + R_kvm (the paper's section IV), from the vCPU threads' counters: R_vcpu is Δguest_time, R_kvm is
Δ(utime − guest_time + stime), since utime contains guest_time (Linux, Documentation/filesystems/proc.rst, fields 14,
15 and 43 of /proc/PID/stat). Beside them stand QEMU's other threads, vhost's, and steal. Nothing is counted twice:
``qemu`` is the whole, and ``vcpu`` and ``kvm`` are parts of ``vcpu_threads``.

A thread's utime + stime is what the scheduler clocked, but guest_time is sampled tick by tick: the sum is exact, its
parts scatter. That scatter lies between windows, so moving blocks see it; steps of the counters come on top.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.bundle import HOST, Run, VirtualServer
from pipeline.demands.bootstrap import DRAWS
from pipeline.demands.law import Estimate, estimate_series
from pipeline.demands.series import (
    Counter,
    Counters,
    Series,
    idle_series,
    load_series,
    sum_of_last,
    ticks_of,
)
from pipeline.measure.window import Unmeasured
from pipeline.network.service import erlang_c

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

_NAMES = {
    r"^CPU \d+/|^ALL CPUs/": "vcpu",
    r"^IO ": "iothread",
    r"^(worker|iou-(wrk|sqp)-\d+)$": "worker",
    r"^vhost-\d+$": "vhost",
}
_THREAD = ("pid", "tid", "starttime_ticks")
_CPU_TIME = pl.col("utime_ticks") + pl.col("stime_ticks")
_GUEST_TIME = pl.col("guest_time_ticks")

Found = dict[str, Counter | str]
"""Station → its counter, or why there is none."""


def stations(run: Run, server: VirtualServer, processed: Path | str) -> pl.DataFrame:
    """The stations of a virtual server in a run, form ``FRAME``. Raises ``Unmeasured`` if it had no load."""
    return frame_of(station_estimate(Counters(run, server, processed)))


def station_estimate(counters: Counters, *, draws: int = DRAWS) -> Estimate:
    """The stations' demands with their draws, background taken off as in ``law.estimate`` and by the same windows.

    Raises ``Unmeasured`` if the virtual server had no load.
    """
    found = _counters(counters)
    load = load_series(counters)
    flags = list(load.flags)
    idle: Series | None = None
    try:
        idle = _with(idle_series(counters), found)
    except Unmeasured as reason:
        flags.append(f"{reason}: the background is not taken off")
    return estimate_series(
        _with(load, found), idle, counters.run, counters.server, counters.window.duration_s,
        flags=tuple(flags), draws=draws, stations=(*CPU_STATIONS, *STEALS),
    )  # fmt: skip


def frame_of(estimate: Estimate) -> pl.DataFrame:
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


# -- whose thread is whose -----------------------------------------------------------------------------------


def with_roles(tasks: pl.DataFrame, pids: pl.Series) -> pl.DataFrame:
    """The rows of the QEMU processes ``pids`` and of their vhost threads, with the column ``station``.

    ``tasks``: the host's table of that name. What the recording says of a thread counts, the latest of it; else its
    name tells (QEMU's ``debug-threads=on``). The main thread and helpers are ``emulator``.
    """
    said = pl.col("task_role").drop_nulls().last().over(_THREAD)
    named = pl.coalesce(
        *(
            pl.when(pl.col("comm").str.contains(pattern)).then(pl.lit(role))
            for pattern, role in _NAMES.items()
        ),
        pl.lit("emulator"),
    )
    works_for = pl.coalesce(
        pl.when(said == "vhost").then(pl.col("task_role_id").drop_nulls().last().over(_THREAD)),
        pl.col("comm").str.extract(r"^vhost-(\d+)$"),
    ).cast(pl.Int64, strict=False)
    mine = pl.col("pid").is_in(pids.implode()) | works_for.is_in(pids.implode()).fill_null(False)
    return tasks.sort("snapshot").filter(mine).with_columns(station=pl.coalesce(said, named))


def _qemu_pids(processes: pl.DataFrame, server: VirtualServer) -> pl.Series:
    if server.qemu_process is None:
        raise Unmeasured(f"run.json does not say how {server.name}'s QEMU is told")
    told = pl.col("command_line").str.contains(server.qemu_process)
    pids = processes.filter(told)["pid"].unique().sort()
    if pids.is_empty():
        raise Unmeasured(f"no process of the host is {server.qemu_process}")
    return pids


# -- counters -------------------------------------------------------------------------------------------------


def _counters(counters: Counters) -> Found:
    try:
        found = _of_threads(counters)
    except Unmeasured as reason:
        found = dict.fromkeys(CPU_STATIONS, str(reason))
    return found | _steals(counters)


def _of_threads(counters: Counters) -> Found:
    run, server = counters.run, counters.server
    processes = counters.tables.sampled("task_processes", HOST)
    pids = _qemu_pids(processes, server)
    tasks = with_roles(counters.tables.sampled("tasks", HOST), pids)
    hertz = _hertz(run, HOST)
    snapshots = ticks_of(processes)
    moments = counters.since_start(snapshots["client_ns"])

    def counter(rows: pl.DataFrame, keys: list[str], value: pl.Expr, readings: int) -> Counter:
        # each number that is added up was cut down to a whole tick for itself
        step = max(1, rows.select(keys).n_unique() * readings) ** 0.5 / hertz
        return Counter(moments, sum_of_last(rows, keys, value / hertz, snapshots), step)

    found: Found = {}
    threads = list(_THREAD)
    for role in ("vcpu", "emulator", "iothread", "worker", "vhost"):
        rows = tasks.filter(pl.col("station") == role)
        name = "vcpu_threads" if role == "vcpu" else role
        found[name] = (
            f"no thread of {server.name}'s QEMU is told as {_WORDS[role]}"
            if rows.is_empty()
            else counter(rows, threads, _CPU_TIME, 2)
        )
    own = processes.filter(pl.col("pid").is_in(pids.implode()))
    whole = counter(own, ["pid", "starttime_ticks"], _CPU_TIME, 2)
    outside = tasks.filter(~pl.col("pid").is_in(pids.implode()))
    kernel = counter(outside, threads, _CPU_TIME, 2)
    found["qemu"] = Counter(moments, whole.total + kernel.total, whole.step)
    seen = counter(tasks, threads, _CPU_TIME, 2)
    found["ended"] = Counter(moments, whole.total + kernel.total - seen.total, seen.step)
    if isinstance(found["vcpu_threads"], str):
        reason = f"{found['vcpu_threads']}: its threads have no names (-name …,debug-threads=on)"
        return found | dict.fromkeys(("vcpu_threads", "vcpu", "kvm", "emulator"), reason)
    vcpus = tasks.filter(pl.col("station") == "vcpu")
    missing = _no_split(run, vcpus)
    if missing:
        return found | dict.fromkeys(("vcpu", "kvm"), missing)
    return found | {
        "vcpu": counter(vcpus, threads, _GUEST_TIME, 1),
        "kvm": counter(vcpus, threads, _CPU_TIME - _GUEST_TIME, 3),
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


def _steals(counters: Counters) -> Found:
    found: Found = {}
    for name, role in zip(STEALS, (counters.server.role, HOST), strict=True):
        try:
            found[name] = _steal(counters, role)
        except Unmeasured as reason:
            found[name] = str(reason)
    return found


def _steal(counters: Counters, role: str) -> Counter:
    if role != HOST and counters.run.accelerator == "tcg":
        raise Unmeasured("under emulation the guest is not told of steal")
    rows = counters.tables.sampled("cpus", role).filter(pl.col("cpu") == "cpu")
    rows = rows.drop_nulls("steal_ticks")
    ticks_of(rows)
    rows = rows.unique("snapshot").sort("snapshot")
    hertz = _hertz(counters.run, role)
    return Counter(
        counters.since_start(rows["client_ns"]), rows["steal_ticks"].to_numpy() / hertz, 1 / hertz
    )


def _hertz(run: Run, role: str) -> float:
    hertz = run.facts(role).get("clock_ticks_per_s")
    if not hertz:
        raise Unmeasured(f"facts.json of {role} does not say clock_ticks_per_s")
    return float(hertz)


def _with(series: Series, found: Found) -> Series:
    """The same windows with the stations' growths in place of the series' own columns."""
    frame = series.frame.select("start_s", "length_s", "completions")
    starts = frame["start_s"].to_numpy()
    edges = np.append(starts, starts[-1] + frame["length_s"][-1])
    columns, steps, missing = {}, {}, {}
    for name, counter in found.items():
        if isinstance(counter, str):
            missing[name] = counter
        elif not counter.covers(edges[0], edges[-1]):
            missing[name] = f"the readings of {name} do not reach over the span"
        else:
            columns[name] = np.diff(counter.at(edges))
            steps[name] = counter.step
    return Series(frame.with_columns(**columns), steps, missing, series.flags)
