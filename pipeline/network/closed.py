"""Closed networks of single-server queues and delays: exact Mean Value Analysis.

Reiser and Lavenberg, J. ACM 27 (1980) 313; Lazowska et al., Quantitative System Performance (1984), pages 113
(one class) and 140 (several). Every operation adds or multiplies positive numbers, so nothing cancels at any size.
Stations with several servers are not for this recursion, which loses all digits there: see :mod:`convolution`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array
from pipeline.network.lattice import Lattice


@dataclass(frozen=True)
class ClosedSolution:
    """A closed network of one class at one population."""

    throughput: float
    """X, customers a second."""
    response_time: float
    """R, seconds, without think time."""
    residence_times: Array
    """R_k, seconds a customer, one for each station."""
    queue_lengths: Array
    """Q_k, customers, one for each station."""
    utilizations: Array
    """U_k = X D_k, one for each station."""


@dataclass(frozen=True)
class PopulationSweep:
    """Closed networks of one class at populations 0 … N; … is the shape of the networks."""

    throughput: Array
    """X(n), customers a second, (…, N + 1)."""
    response_times: Array
    """R(n), seconds, without think time; R(0) is ΣD, what a first customer would find; (…, N + 1)."""
    queue_lengths: Array
    """Q_k(n), customers, (…, N + 1, K)."""


def mean_value_analysis(
    demands_s: ArrayLike, population: int, think_time_s: float = 0.0
) -> ClosedSolution:
    """Exact MVA of a closed, single-class network of single-server queues.

    R_k(n) = D_k (1 + Q_k(n − 1)), X(n) = n / (Z + Σ R_k(n)), Q_k(n) = X(n) R_k(n): Lazowska et al., algorithm 6.2
    (page 113).

    ``demands_s``: D_k ≥ 0, seconds a customer, shape (K,). ``population``: N ≥ 0 customers. ``think_time_s``:
    Z ≥ 0. Raises ``ValueError`` for anything else.
    """
    demands = np.atleast_1d(np.asarray(demands_s, float))
    if demands.ndim != 1:
        raise ValueError(f"service demands must be a list of numbers, not {demands_s!r}")
    swept = sweep_populations(demands, population, think_time_s)
    found = swept.queue_lengths[-2] if population else 0.0  # by the last customer, on arrival
    residence, throughput = demands * (1 + found), float(swept.throughput[-1])
    response, queues = float(swept.response_times[-1]), swept.queue_lengths[-1]
    return ClosedSolution(throughput, response, residence, queues, throughput * demands)


def sweep_populations(
    demands_s: ArrayLike, population: int, think_time_s: ArrayLike = 0.0
) -> PopulationSweep:
    """Solve every population 0 … N of many networks at once, for sliders and sweeps over demands.

    ``demands_s``: D ≥ 0, seconds, shape (…, K). ``think_time_s``: Z ≥ 0, seconds, shape (…). The recursion is
    :func:`mean_value_analysis`'s. Raises ``ValueError`` as it does.
    """
    demands = np.asarray(demands_s, float)
    think = np.asarray(think_time_s, float)
    _check(demands, population, think)
    shape = np.broadcast_shapes(demands.shape[:-1], think.shape)
    demands = np.broadcast_to(demands, (*shape, demands.shape[-1]))
    total = int(population)
    throughput, response = np.zeros((*shape, total + 1)), np.zeros((*shape, total + 1))
    queues = np.zeros((*shape, total + 1, demands.shape[-1]))
    response[..., 0] = demands.sum(axis=-1)
    for n in range(1, total + 1):
        residence = demands * (1 + queues[..., n - 1, :])
        response[..., n] = residence.sum(axis=-1)
        throughput[..., n] = n / (think + response[..., n])
        queues[..., n, :] = throughput[..., n, None] * residence
    return PopulationSweep(throughput, response, queues)


def _check(demands: Array, population: int, think: ArrayLike) -> None:
    if demands.ndim < 1 or not np.all(np.isfinite(demands)) or np.any(demands < 0):
        raise ValueError(f"service demands must be finite and not negative, not {demands!r}")
    if population < 0 or int(population) != population:
        raise ValueError(f"a population is a whole number of customers, not {population!r}")
    if not np.all(np.isfinite(think)) or np.any(np.asarray(think) < 0):
        raise ValueError(f"think time must be finite and not negative, not {think!r}")
    if population > 0 and np.any(demands.sum(axis=-1) + think == 0):
        raise ValueError(
            "a closed network without any demand or think time has no finite throughput"
        )


def multiclass_mean_value_analysis(
    demands: ArrayLike, populations: ArrayLike, think_times: ArrayLike
) -> tuple[Array, Array]:
    """Exact MVA of several classes: single-server queues and delays (in the think times).

    R_kc(n) = D_kc (1 + Q_k(n − 1_c)), X_c(n) = n_c / (Z_c + Σ_k R_kc(n)), Q_k(n) = Σ_c X_c(n) R_kc(n)
    (Lazowska et al. 1984, algorithm 7.2, page 141), one layer of populations with the same total at a time.

    ``demands``: D ≥ 0, seconds, (K, C). ``populations``: N ≥ 1, (C,). ``think_times``: Z ≥ 0, seconds, (C,); each
    class has some demand or think time. Returns X, customers a second, (C,), and R, seconds, (K, C).
    Time and memory grow with Π (N_c + 1): the caller bounds it.
    """
    demands, think = np.asarray(demands, float), np.asarray(think_times, float)
    populations = np.asarray(populations, np.int64)
    stations, classes = demands.shape
    lattice = Lattice(populations)
    starts, before, numbers = lattice.starts.tolist(), lattice.before, lattice.numbers
    queues = np.zeros((stations, 1))
    by_class, cycle = demands[:, :, None], think[:, None]
    widest = max(1, 4_000_000 // (stations * classes))
    residence, throughput = by_class, np.zeros((classes, 1))
    for layer in range(1, len(starts) - 1):
        low, high, shift = starts[layer], starts[layer + 1], starts[layer - 1]
        last = starts[layer] - shift - 1
        found = []
        for left in range(low, high, widest):
            part = slice(left, min(left + widest, high))
            place = np.minimum(
                before[:, part] - shift, last
            )  # no n − 1_c: n_c = 0 removes it again
            residence = queues.take(place, axis=1)
            residence += 1
            residence *= by_class
            total = np.add.reduce(residence, axis=0)
            total += cycle
            throughput = numbers[:, part] / total
            found.append(np.einsum("kcp,cp->kp", residence, throughput))
        queues = found[0] if len(found) == 1 else np.concatenate(found, axis=1)
    return throughput[:, -1], residence[:, :, -1]
