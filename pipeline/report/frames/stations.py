"""Where the host's CPU time goes, for a run's page: QEMU's threads a request, and the wait for a processor."""

from __future__ import annotations

import polars as pl

from pipeline.demands.host_cpu import FRAME, frame_of, processor_wait_s, station_estimate
from pipeline.demands.service_demand import Estimate
from pipeline.measure.cpu_limit import envelope_of
from pipeline.measure.virtual_server import tried
from pipeline.report.frames.run import RunData
from pipeline.units import format_short

CPU_STATION_WORDS = {
    "qemu": "QEMU and vhost, all threads",
    "vcpu_threads": "vCPU threads",
    "vcpu": "of these: guest mode, R_vcpu",
    "kvm": "of these: KVM and the rest, R_kvm",
    "emulator": "main loop and helpers",
    "iothread": "I/O threads",
    "worker": "workers",
    "vhost": "vhost threads",
    "ended": "threads that ended between two snapshots",
    "guest_steal": "steal, as the guest counts it",
    "host_steal": "steal, as the host counts it",
}
"""Stations of ``demands.stations`` in words."""


def cpu_stations(data: RunData, virtual_server: str) -> Estimate | str:
    """The stations' demands (``demands.stations``), or why there are none."""
    return tried(lambda: station_estimate(data.counters(virtual_server)))


def df_cpu_stations(found: Estimate | str) -> pl.DataFrame:
    """CPU time of the host a request, the background taken off, in the order of the stations.

    Columns: ``station`` (in words), ``seconds`` (of the load), ``per_request_ms``, ``low_ms``, ``high_ms``,
    ``share`` (of all of QEMU), ``missing`` (why there is no number). No rows where nothing could be measured.
    """
    if isinstance(found, str):
        return pl.DataFrame(schema=FRAME)
    return frame_of(found).with_columns(pl.col("station").replace(CPU_STATION_WORDS))


def cpu_station_words(data: RunData, virtual_server: str, found: Estimate | str) -> list[str]:
    """Sentences: doubts, what the guests use of the host's CPUs, and how long a request would wait for one."""
    if isinstance(found, str):
        return [f"{_capital(found)}."]
    said = [f"{_capital(flag)}." for flag in found.flags]
    demand = found.demands.get("qemu")
    if demand is None:
        return said
    cpus = envelope_of(data.study, data.run).cpus
    used = demand.value_s * found.throughput_per_s + demand.background_per_s
    busy = used + _others_cpus(data, virtual_server)
    told = (
        f"The guests may use {_cpus(cpus)} together and used {format_short(busy)} on the average; this one took "
        f"{format_short(demand.value_s * 1e3)} ms for a request."
    )
    work = data.run.virtual_servers[virtual_server].workload
    if work is not None and work.kind == "open":
        wait_s = processor_wait_s(demand.value_s, busy, cpus)
        waits = f"one would wait {format_short(wait_s * 1e3)} ms for a CPU"
        if wait_s == float("inf"):
            waits = "the queue for the CPU would grow without end"
        told += f" If requests came as a Poisson stream, {waits} (M/M/m)."
    return [*said, told]


def _cpus(count: float) -> str:
    return f"{format_short(count)} CPU" + ("s" if count > 1 else "")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _others_cpus(data: RunData, virtual_server: str) -> float:
    """CPUs that the other virtual servers' QEMUs used during the load; 0 where there is no other."""
    counters = data.counters(virtual_server)
    used = tried(lambda: counters.used("others_cpu").value)
    return 0.0 if isinstance(used, str) else used / counters.window.duration_s
