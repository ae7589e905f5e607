"""The closed network of a database run: what lessons 8 and 9 compute their answers by."""

from __future__ import annotations

import numpy as np

from pipeline.course.given import Given
from pipeline.network.closed import ClosedSolution, mean_value_analysis

BOOK_DEMANDS_S, BOOK_THINK_TIME_S = (0.605, 2.1, 1.35), 15.0
"""The example of Lazowska et al., chapter 6."""


def demands(g: Given, role: str = "closed") -> np.ndarray:
    """Service demands of a run, net of background: CPU, host's disk, virtualization layer; seconds."""
    row = g.run(role)
    layer = max(row["D_vdisk_net_s"] - row["D_disk_net_s"], 0.0)
    return np.array([row["R_cpu_net_s"], row["D_disk_net_s"], layer])


def threads(g: Given, role: str = "closed") -> int:
    """Threads of a closed load."""
    return int(g.run(role)["threads"])


def solved(g: Given, population: int, role: str = "closed") -> ClosedSolution:
    """The network with the demands of a run and that many threads, by Mean Value Analysis."""
    return mean_value_analysis(demands(g, role), population)


def response_of_two(g: Given) -> float:
    """R(2) = Σ D_k (1 + D_k / R(1))."""
    d = demands(g)
    return float((d * (1 + d / g.answer("R_1"))).sum())


def queues_of_two(g: Given) -> np.ndarray:
    """Q_k(2) = 2 R_k(2) / R(2)."""
    residence = residence_of_two(g)
    return 2 * residence / residence.sum()


def residence_of_two(g: Given) -> np.ndarray:
    """R_k(2) = D_k (1 + Q_k(1))."""
    d = demands(g)
    return d * (1 + d / d.sum())


def book(population: int) -> ClosedSolution:
    """The textbook's network."""
    return mean_value_analysis(BOOK_DEMANDS_S, population, BOOK_THINK_TIME_S)


def host_response(g: Given, cpu_s: float, cpus: float) -> float:
    """R = N/X of a closed load whose throughput the host's CPU limits to cpus / cpu_s."""
    return threads(g) * cpu_s / cpus


def host_cpu(g: Given) -> float:
    """CPU time of the host per transaction, all of QEMU."""
    return g.value("T_qemu") / g.value("C")
