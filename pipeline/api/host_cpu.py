"""CPU time of the host of one virtual server: QEMU's threads per request, and the wait for a CPU."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.api.run import RunData
from pipeline.demands.host_cpu import HOST_CPU, estimate_host_cpu, host_cpu_frame, processor_wait_s
from pipeline.measure.virtual_server import value_or_reason


@dataclass(frozen=True)
class HostCpu:
    """CPU time of QEMU's threads per request, and the use of the host's CPUs."""

    frame: pl.DataFrame
    """One row per station, schema ``demands.host_cpu.HOST_CPU``; no rows where nothing could be measured."""
    flags: tuple[str, ...]
    """Warnings, or the reason why there is no number."""
    cpus: float
    """CPUs that the guests may use together."""
    used_cpus: float | None = None
    """CPUs that all guests used on the average; None where it could not be measured."""
    demand_s: float | None = None
    """CPU time of the whole QEMU per request."""
    wait_s: float | None = None
    """Wait of a request for a CPU if requests came as a Poisson stream (M/M/m); None for a closed load."""


def host_cpu_demand(data: RunData, virtual_server: str) -> HostCpu:
    """CPU time of the host per request of one virtual server of a run, background removed."""
    estimate = value_or_reason(lambda: estimate_host_cpu(data.counters(virtual_server)))
    cpus = data.cpus
    if isinstance(estimate, str):
        return HostCpu(pl.DataFrame(schema=HOST_CPU), (estimate,), cpus)
    demand = estimate.demands.get("qemu")
    if demand is None:
        return HostCpu(host_cpu_frame(estimate), estimate.flags, cpus)
    used_cpus = demand.value_s * estimate.throughput_per_s + demand.background_per_s
    used_cpus += _neighbour_cpus(data, virtual_server)
    work = data.run.virtual_servers[virtual_server].workload
    is_open = work is not None and work.kind == "open"
    wait_s = processor_wait_s(demand.value_s, used_cpus, cpus) if is_open else None
    return HostCpu(
        host_cpu_frame(estimate), estimate.flags, cpus, used_cpus, demand.value_s, wait_s
    )


def _neighbour_cpus(data: RunData, virtual_server: str) -> float:
    """CPUs that the other virtual servers' QEMUs used during the load; 0 where there is no other."""
    counters = data.counters(virtual_server)
    used = value_or_reason(lambda: counters.increase("neighbour_cpu").value)
    return 0.0 if isinstance(used, str) else used / counters.window.duration_s
