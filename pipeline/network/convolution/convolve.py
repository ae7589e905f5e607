"""Convolution: fold the stations into G, then read throughput and queue lengths from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array
from pipeline.network.convolution.multiclass import Multiclass
from pipeline.network.convolution.problem import Backend, ConvolutionProblem, TooLargeError
from pipeline.network.convolution.scaling import scaling_rates
from pipeline.network.convolution.single_class import SingleClass
from pipeline.network.service import Service


class ConvolutionSolution(NamedTuple):
    """A closed network, or the closed part of a mixed one; K stations, C classes."""

    throughput: Array
    """X_c, customers per second, (C,)."""
    queue_lengths: Array
    """Q_kc, customers, (K, C)."""
    marginals: tuple[Array | None, ...]
    """For each station P(n closed customers), n = 0 … |N|; None unless requested."""


def convolve(
    demands: ArrayLike,
    populations: ArrayLike,
    think_times: ArrayLike,
    services: Sequence[Service],
    open_loads: ArrayLike | None = None,
    marginals_for: Sequence[int] = (),
) -> ConvolutionSolution:
    """Solve a closed product-form network exactly, with an open load at its stations if given.

    Parameters
    ----------
    demands : array_like, shape (K, C)
        D ≥ 0 of the closed classes, seconds.
    populations : array_like of int, shape (C,)
        N ≥ 1, customers.
    think_times : array_like, shape (C,)
        Z ≥ 0, seconds.
    services : sequence of Service, length K
    open_loads : array_like, shape (K,), optional
        a = Σ λ D of the open customers at each station, below its capacity.
    marginals_for : sequence of int
        Stations whose marginal distribution of the number of customers is returned.

    Returns
    -------
    ConvolutionSolution

    Raises
    ------
    TooLargeError
        If it would exceed ``MAX_WORK`` multiplications or ``MAX_CELLS`` numbers in memory.
    ValueError
        If a class has no customer, or neither a demand nor a think time.

    Examples
    --------
    >>> solution = convolve([[0.02], [0.005]], [16], [0.0], [Service.queue(), Service.queue()])
    >>> round(float(solution.throughput[0]), 6)
    50.0
    """
    demands = np.asarray(demands, float)
    populations = np.asarray(populations, np.int64)
    scale = np.maximum(demands.max(axis=0, initial=0), think_times)
    if np.any(scale <= 0) or np.any(populations < 1):
        raise ValueError("each closed class needs customers, and a demand or a think time")
    loads = np.zeros(len(services)) if open_loads is None else np.asarray(open_loads, float)
    problem = ConvolutionProblem.from_network(
        demands / scale, populations, think_times / scale, services, loads, set(marginals_for)
    )
    space = SingleClass(problem) if len(populations) == 1 else Multiclass(problem)
    x = scaling_rates(problem)
    solution = solve_with(problem, space.linear(x), x) or solve_with(problem, space.log_space(x), x)
    if solution is None:
        raise TooLargeError("the normalizing constant underflows even in log space")
    throughput, queues, marginals = solution
    throughput = throughput / scale
    is_delay = np.array([k in problem.delays for k in range(len(services))])
    queues[is_delay] = throughput * demands[is_delay]
    return ConvolutionSolution(throughput, queues, marginals)


def sweep_closed(
    demands_s: ArrayLike, population: int, think_time_s: float, services: Sequence[Service]
) -> Array:
    """Throughput of a closed single-class network at every population 0 … N, exactly, from one convolution.

    :func:`pipeline.network.closed.sweep_populations` does the same for single-server queues only.

    Parameters
    ----------
    demands_s : array_like, shape (K,)
        Service demands D ≥ 0, seconds per customer.
    population : int
        N ≥ 1, customers.
    think_time_s : float
        Z ≥ 0, seconds.
    services : sequence of Service, length K

    Returns
    -------
    ndarray, shape (N + 1,)
        X(n), customers per second.

    Raises
    ------
    TooLargeError
        As :func:`convolve`.
    ValueError
        If the population is 0, or there is neither a demand nor a think time.

    Examples
    --------
    >>> sweep_closed([0.02], 3, 0.0, [Service.queue(2)]).round(6).tolist()
    [0.0, 50.0, 100.0, 100.0]
    """
    demands = np.asarray(demands_s, float)[:, None]
    scale = max(float(demands.max(initial=0)), think_time_s)
    if scale <= 0 or population < 1:
        raise ValueError("a closed class needs customers, and a demand or a think time")
    problem = ConvolutionProblem.from_network(
        demands / scale,
        np.array([population]),
        np.array([think_time_s / scale]),
        services,
        np.zeros(len(services)),
        set(),
    )
    space, x = SingleClass(problem), scaling_rates(problem)
    for backend in (space.linear(x), space.log_space(x)):
        g = backend.delay_factor()
        for k in problem.factors:
            g = backend.fold_station(g, k)
        ratios = backend.population_ratios(g)
        if ratios is not None:
            return np.concatenate(([0.0], x[0] * ratios / scale))
    raise TooLargeError("the normalizing constant underflows even in log space")


def solve_with(
    problem: ConvolutionProblem, backend: Backend, x: Array
) -> ConvolutionSolution | None:
    """X, Q and the requested marginals by one backend, demands scaled by ``x``; None where G underflows."""
    queues = np.zeros_like(problem.demands)
    marginals: list[Array | None] = [None] * len(problem.demands)
    g = backend.delay_factor()
    singles = [
        k for k in problem.factors if backend.is_single_server(k) and k not in problem.marginals_for
    ]
    others = [k for k in problem.factors if k not in singles]
    g = backend.fold_single_servers(g, singles)
    complements = list(_complements(backend, g, others))
    total = backend.fold_station(complements[0][1], complements[0][0]) if complements else g
    ratios = backend.throughput_ratios(total)
    if ratios is None:
        return None
    for k in singles:
        queues[k] = backend.single_server_queue(k, total)
    for k, without in complements:
        queues[k], marginals[k] = backend.station_queue(k, without, total)
    return ConvolutionSolution(x * ratios, queues, tuple(marginals))


def _complements(backend: Backend, base: Array, stations: list[int]) -> Iterator[tuple[int, Array]]:
    """For each of ``stations``, ``base`` with all the others folded in, by halving: log K foldings deep."""
    if len(stations) == 1:
        yield stations[0], base
        return
    middle = len(stations) // 2
    for kept, folded in (
        (stations[:middle], stations[middle:]),
        (stations[middle:], stations[:middle]),
    ):
        if kept:
            g = base
            for k in folded:
                g = backend.fold_station(g, k)
            yield from _complements(backend, g, kept)
