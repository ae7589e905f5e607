"""Random hosts, to measure how often an estimate's interval contains the true value."""

from __future__ import annotations

import numpy as np

from pipeline.network.closed import mean_value_analysis
from pipeline.synthetic import texts
from pipeline.synthetic.plan import Background, Load, Plan, VirtualServer

CPU_RANGE_S = (0.001, 0.030)
"""CPU demand of a request, before and after its reply (s); log-uniform."""
VDISK_RANGE_S = (0.001, 0.020)
"""Demand at the guest's disk (s); log-uniform."""
DISK_SHARE_RANGE = (0.4, 0.95)
"""Fraction of it that is the host's disk."""
DISK_RANGE_S = (0.0005, 0.015)
"""Limits of the demand at the host's disk (s)."""
UTILIZATION_RANGE = (0.03, 0.85)
"""Utilization of the busiest station; uniform."""
MAX_THREADS = 16
MAX_THINK_S = 60.0


def draw_plan(rng: np.random.Generator) -> Plan:
    """A random host with one virtual server, web or database with equal probability, and one run, ``run``.

    The demands, the load, the variability of both, the background and the size of operations are random.
    """
    kind = "open" if rng.random() < 0.5 else "closed"
    name = "web" if kind == "open" else "db"
    server = _server(rng, name, kind)
    demands = [server.cpu_s + server.cpu_after_reply_s, server.disk_operations * server.vdisk_s]
    throughput = rng.uniform(*UTILIZATION_RANGE) / max(demands)
    if kind == "open":
        scv = float(rng.choice([0.0, 1.0, 1.0, 2.0]))
        load = Load(rate_per_s=float(throughput), arrivals_scv=scv)
    else:
        threads = int(rng.integers(1, MAX_THREADS + 1))
        think_s = think_time_for(demands, threads, throughput)
        load = Load(threads=threads, think_time_s=think_s)
    return Plan({name: server}, {"run": {name: load}}, title=texts.RANDOM_HOST_TITLE)


def _server(rng: np.random.Generator, name: str, kind: str) -> VirtualServer:
    cpu_s, vdisk_s = _log_uniform(rng, *CPU_RANGE_S), _log_uniform(rng, *VDISK_RANGE_S)
    disk_s = float(np.clip(vdisk_s * rng.uniform(*DISK_SHARE_RANGE), *DISK_RANGE_S))
    after_share = rng.uniform(0, 0.4)
    operations = float(rng.choice([0.5, 1.0, 1.5, 2.0, 4.0]))
    return VirtualServer(
        name,
        kind,
        cpu_s=cpu_s * (1 - after_share),
        cpu_after_reply_s=cpu_s * after_share,
        cpu_scv=float(rng.choice([0.5, 1.0, 2.0])),
        scheduling=str(rng.choice(["ps", "fcfs"])),
        disk_operations=operations,
        disk_s=disk_s / operations,
        disk_scv=float(rng.choice([0.0, 0.5, 1.0])),
        layer_s=(vdisk_s - disk_s) / operations,
        layer_scv=float(rng.choice([0.0, 1.0])),
        operation_bytes=int(rng.choice([4096, 16384, 65536])),
        write_share=rng.uniform(0, 0.5),
        exit_share=rng.uniform(0.05, 0.3),
        background=Background(
            server_cpu=_log_uniform(rng, 0.0005, 0.01),
            other_cpu=rng.uniform(0.005, 0.03),
            server_operations_per_s=rng.uniform(0, 0.5),
            other_operations_per_s=rng.uniform(0, 1.0),
            host_operations_per_s=rng.uniform(0, 0.5),
        ),
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def think_time_for(demands_s: list[float], threads: int, throughput_per_s: float) -> float:
    """The think time (s) at which ``threads`` reach that throughput by MVA; 0 if they cannot."""

    def throughput_at(think_s: float) -> float:
        return mean_value_analysis(np.array(demands_s), threads, think_s).throughput

    if throughput_at(0.0) <= throughput_per_s:
        return 0.0
    low, high = 0.0, MAX_THINK_S
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if throughput_at(middle) > throughput_per_s else (low, middle)
    return (low + high) / 2
