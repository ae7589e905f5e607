"""Closed networks of single-server queues and delays: exact Mean Value Analysis.

Reiser and Lavenberg, J. ACM 27 (1980) 313; Lazowska et al., Quantitative System Performance (1984), pages 113
(one class) and 140 (several). Every operation adds or multiplies positive numbers, so nothing cancels at any size.
With several servers the recursion loses all digits: see :mod:`convolution`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.network.arrays import Array
from pipeline.network.lattice import Lattice

MAX_SUMMED_IN_ORDER = 8
"""NumPy adds fewer numbers than these one after the other, as a loop does."""


@dataclass(frozen=True)
class ClosedSolution:
    """A closed network of one class at one population."""

    throughput: float
    """X, customers per second."""
    response_time: float
    """R, seconds, without think time."""
    residence_times: Array
    """R_k, seconds per customer, (K,)."""
    queue_lengths: Array
    """Q_k, customers, (K,)."""
    utilizations: Array
    """U_k = X D_k, (K,)."""


@dataclass(frozen=True)
class PopulationSweep:
    """Closed networks of one class at populations 0 … N; … is the shape of the networks."""

    throughput: Array
    """X(n), customers per second, (…, N + 1)."""
    response_times: Array
    """R(n), seconds, without think time; R(0) is ΣD, that of a first customer; (…, N + 1)."""
    queue_lengths: Array
    """Q_k(n), customers, (…, N + 1, K)."""


def mean_value_analysis(
    demands_s: ArrayLike, population: int, think_time_s: float = 0.0
) -> ClosedSolution:
    """Solve a closed single-class network of single-server queues exactly, by Mean Value Analysis.

    R_k(n) = D_k (1 + Q_k(n − 1)), X(n) = n / (Z + Σ R_k(n)), Q_k(n) = X(n) R_k(n).

    Parameters
    ----------
    demands_s : array_like, shape (K,)
        Service demands D_k ≥ 0, seconds per customer.
    population : int
        N ≥ 0, customers.
    think_time_s : float
        Z ≥ 0, seconds.

    Returns
    -------
    ClosedSolution
        Throughput, response time, and residence time, queue length and utilization of each station.

    Raises
    ------
    ValueError
        If an argument is negative, not finite or of the wrong shape, or the throughput would be infinite.

    References
    ----------
    Lazowska, Zahorjan, Graham and Sevcik, Quantitative System Performance (1984), algorithm 6.2, page 113.

    Examples
    --------
    >>> solution = mean_value_analysis([0.02, 0.005], 16)
    >>> round(solution.throughput, 6)
    50.0
    """
    demands = np.atleast_1d(np.asarray(demands_s, float))
    if demands.ndim != 1:
        raise ValueError(f"service demands must be a list of numbers (got {demands_s!r})")
    swept = sweep_populations(demands, population, think_time_s)
    arrival_queue = swept.queue_lengths[-2] if population else 0.0  # found by the last customer
    residence, throughput = demands * (1 + arrival_queue), float(swept.throughput[-1])
    response, queues = float(swept.response_times[-1]), swept.queue_lengths[-1]
    return ClosedSolution(throughput, response, residence, queues, throughput * demands)


def sweep_populations(
    demands_s: ArrayLike, population: int, think_time_s: ArrayLike = 0.0
) -> PopulationSweep:
    """Solve many closed single-class networks for every population 0 … N, by the same recursion.

    Parameters
    ----------
    demands_s : array_like, shape (…, K)
        Service demands D ≥ 0, seconds per customer.
    population : int
        N ≥ 0, customers.
    think_time_s : array_like, shape (…)
        Z ≥ 0, seconds.

    Returns
    -------
    PopulationSweep

    Raises
    ------
    ValueError
        As :func:`mean_value_analysis`.

    Examples
    --------
    >>> sweep_populations([0.02, 0.005], 2).throughput.round(3).tolist()
    [0.0, 40.0, 47.619]
    """
    demands = np.asarray(demands_s, float)
    think = np.asarray(think_time_s, float)
    _check(demands, population, think)
    shape = np.broadcast_shapes(demands.shape[:-1], think.shape)
    demands = np.broadcast_to(demands, (*shape, demands.shape[-1]))
    total = int(population)
    if math.prod(shape) == 1 and demands.shape[-1] < MAX_SUMMED_IN_ORDER:
        return _sweep_network(demands, total, think, shape)
    throughput, response = np.zeros((*shape, total + 1)), np.zeros((*shape, total + 1))
    queues = np.zeros((*shape, total + 1, demands.shape[-1]))
    response[..., 0] = demands.sum(axis=-1)
    for n in range(1, total + 1):
        residence = demands * (1 + queues[..., n - 1, :])
        response[..., n] = residence.sum(axis=-1)
        throughput[..., n] = n / (think + response[..., n])
        queues[..., n, :] = throughput[..., n, None] * residence
    return PopulationSweep(throughput, response, queues)


def solve_populations(
    demands_s: Array, populations: NDArray[np.int64], think_time_s: Array
) -> tuple[Array, Array]:
    """Solve many closed single-class networks, each row for its own population, by one recursion.

    Parameters
    ----------
    demands_s : ndarray, shape (K, rows, draws)
        Service demands, seconds per customer.
    populations : ndarray, shape (rows,)
        Customers, from 1 on.
    think_time_s : ndarray, shape (rows, draws)
        Seconds.

    Returns
    -------
    throughput : ndarray, shape (rows, draws)
        X, customers per second.
    queue_lengths : ndarray, shape (K, rows, draws)
        Mean number of customers at each station.

    Raises
    ------
    ValueError
        If a demand or a think time is negative or not finite.

    Examples
    --------
    >>> throughput, _ = solve_populations(np.array([[[0.02]], [[0.005]]]), np.array([2]), np.zeros((1, 1)))
    >>> throughput.round(3).tolist()
    [[47.619]]
    """
    _check(demands_s, 0, think_time_s)
    if think_time_s.size == 1 and len(demands_s) < MAX_SUMMED_IN_ORDER:
        swept = _sweep_network(demands_s, int(populations[0]), think_time_s, think_time_s.shape)
        return swept.throughput[..., -1], np.moveaxis(swept.queue_lengths[..., -1, :], -1, 0)
    order = np.argsort(-populations, kind="stable")
    demands, think = demands_s[:, order], think_time_s[order]
    throughput, queues = np.zeros(think.shape), np.zeros(demands.shape)
    for n in range(1, int(populations.max(initial=0)) + 1):
        rows = slice(int(np.count_nonzero(populations >= n)))  # the others have all their customers
        residence = demands[:, rows] * (1 + queues[:, rows])
        throughput[rows] = n / (think[rows] + residence.sum(axis=0))
        queues[:, rows] = throughput[rows] * residence
    back = np.argsort(order)
    return throughput[back], queues[:, back]


def _sweep_network(
    demands: Array, population: int, think: Array, shape: tuple[int, ...]
) -> PopulationSweep:
    """The recursion for a single network in Python's floats: the same numbers, ten times as fast as arrays of one."""
    demands_s, think_s = demands.ravel().tolist(), float(think.ravel()[0])
    queue = [0.0] * len(demands_s)
    throughput, response, queues = [0.0], [float(demands.sum())], [queue]
    for n in range(1, population + 1):
        residence = [demand * (1 + length) for demand, length in zip(demands_s, queue, strict=True)]
        response_s = 0.0
        for time_s in residence:
            response_s += time_s
        rate = n / (think_s + response_s)
        queue = [rate * time_s for time_s in residence]
        throughput.append(rate)
        response.append(response_s)
        queues.append(queue)
    sizes = (*shape, population + 1)
    return PopulationSweep(
        np.array(throughput).reshape(sizes),
        np.array(response).reshape(sizes),
        np.array(queues).reshape((*sizes, len(demands_s))),
    )


def _check(demands: Array, population: int, think: ArrayLike) -> None:
    if demands.ndim < 1 or not np.all(np.isfinite(demands)) or np.any(demands < 0):
        raise ValueError(f"service demands must be finite and not negative (got {demands!r})")
    if population < 0 or int(population) != population:
        raise ValueError(f"population must be a whole number of customers (got {population!r})")
    if not np.all(np.isfinite(think)) or np.any(np.asarray(think) < 0):
        raise ValueError(f"think time must be finite and not negative (got {think!r})")
    if population > 0 and np.any(demands.sum(axis=-1) + think == 0):
        raise ValueError(
            "a closed network needs a demand or a think time: its throughput would be infinite"
        )


def multiclass_mean_value_analysis(
    demands: ArrayLike, populations: ArrayLike, think_times: ArrayLike
) -> tuple[Array, Array]:
    """Solve a closed network of several classes exactly: single-server queues, and delays as think times.

    R_kc(n) = D_kc (1 + Q_k(n − 1_c)), X_c(n) = n_c / (Z_c + Σ_k R_kc(n)), Q_k(n) = Σ_c X_c(n) R_kc(n)
    for one layer of populations with the same total at a time. Time and memory grow with Π (N_c + 1), which the
    caller has to bound.

    Parameters
    ----------
    demands : array_like, shape (K, C)
        D ≥ 0, seconds.
    populations : array_like of int, shape (C,)
        N ≥ 1, customers.
    think_times : array_like, shape (C,)
        Z ≥ 0, seconds; each class has some demand or think time.

    Returns
    -------
    throughput : ndarray, shape (C,)
        Customers per second.
    residence_times : ndarray, shape (K, C)
        Seconds.

    References
    ----------
    Lazowska et al., Quantitative System Performance (1984), algorithm 7.2, page 141.

    Examples
    --------
    >>> throughput, _ = multiclass_mean_value_analysis([[0.02, 0.01]], [3, 2], [0.0, 1.0])
    >>> throughput.round(3).tolist()
    [49.039, 1.922]
    """
    demands, think = np.asarray(demands, float), np.asarray(think_times, float)
    populations = np.asarray(populations, np.int64)
    stations, classes = demands.shape
    lattice = Lattice(populations)
    starts, predecessors, numbers = lattice.starts.tolist(), lattice.predecessors, lattice.numbers
    queues = np.zeros((stations, 1))
    by_class, cycle = demands[:, :, None], think[:, None]
    chunk = max(1, 4_000_000 // (stations * classes))
    residence, throughput = by_class, np.zeros((classes, 1))
    for layer in range(1, len(starts) - 1):
        low, high, shift = starts[layer], starts[layer + 1], starts[layer - 1]
        last = starts[layer] - shift - 1
        parts = []
        for begin in range(low, high, chunk):
            part = slice(begin, min(begin + chunk, high))
            # where n − 1_c does not exist any place will do: n_c = 0 makes the throughput 0
            place = np.minimum(predecessors[:, part] - shift, last)
            residence = queues.take(place, axis=1)
            residence += 1
            residence *= by_class
            total = np.add.reduce(residence, axis=0)
            total += cycle
            throughput = numbers[:, part] / total
            parts.append(np.einsum("kcp,cp->kp", residence, throughput))
        queues = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
    return throughput[:, -1], residence[:, :, -1]
