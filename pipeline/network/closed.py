"""Closed networks of one class: exact Mean Value Analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class ClosedSolution:
    """A closed network of one class at one population."""

    throughput: float
    """X, customers a second."""
    response_time: float
    """R, seconds, without think time."""
    residence_times: NDArray[np.float64]
    """R_k, seconds a customer, one for each station."""
    queue_lengths: NDArray[np.float64]
    """Q_k, customers, one for each station."""
    utilizations: NDArray[np.float64]
    """U_k = X D_k, one for each station."""


def mean_value_analysis(
    demands_s: ArrayLike, population: int, think_time_s: float = 0.0
) -> ClosedSolution:
    """Exact MVA of a closed, single-class network of single-server queues.

    Reiser and Lavenberg 1980; Lazowska et al., Quantitative System Performance, algorithm 6.2 (page 113):
    R_k(n) = D_k (1 + Q_k(n − 1)), X(n) = n / (Z + Σ R_k(n)), Q_k(n) = X(n) R_k(n).

    ``demands_s``: D_k ≥ 0, seconds a customer, shape (K,). ``population``: N ≥ 0 customers. ``think_time_s``:
    Z ≥ 0. Raises ``ValueError`` for anything else.
    """
    demands = np.atleast_1d(np.asarray(demands_s, float))
    if demands.ndim != 1 or not np.all(np.isfinite(demands)) or np.any(demands < 0):
        raise ValueError(f"service demands must be finite and not negative, not {demands_s!r}")
    if population < 0 or int(population) != population:
        raise ValueError(f"a population is a whole number of customers, not {population!r}")
    if not np.isfinite(think_time_s) or think_time_s < 0:
        raise ValueError(f"think time must be finite and not negative, not {think_time_s!r}")
    queues = np.zeros_like(demands)
    residence, throughput = demands.copy(), 0.0
    for customers in range(1, int(population) + 1):
        residence = demands * (1 + queues)
        cycle = think_time_s + residence.sum()
        if cycle == 0:
            raise ValueError(
                "a closed network without any demand or think time has no finite throughput"
            )
        throughput = customers / cycle
        queues = throughput * residence
    return ClosedSolution(
        throughput, float(residence.sum()), residence, queues, throughput * demands
    )
