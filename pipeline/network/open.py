"""Open product-form networks: every station behaves as if it were alone with Poisson arrivals.

Jackson 1963; Baskett, Chandy, Muntz and Palacios 1975; Lazowska et al., Quantitative System Performance (1984),
pages 109 and 136: R_kc = D_kc / (1 − Σ_j λ_j D_kj) at one server. All arguments are arrays: a sweep over
a hundred thousand rates is one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array, Flags, quotient
from pipeline.network.service import Service, mean_number


@dataclass(frozen=True)
class OpenSolution:
    """One network at the points of a sweep; … is the shape of the points, K stations, C classes."""

    throughput: Array
    """X = λ, customers per second, (…, C)."""
    response_times: Array
    """R_c = Σ_k R_kc, seconds, (…, C); infinite where ``is_stable`` is false."""
    residence_times: Array
    """R_kc, seconds per customer, (…, K, C)."""
    queue_lengths: Array
    """Q_kc = λ_c R_kc, customers, (…, K, C)."""
    utilizations: Array
    """Per server; mean number at a delay; P(busy), divided by load, at a load-dependent station; (…, K, C)."""
    is_stable: Flags
    """Whether every station is below its capacity, (…)."""


def solve_open(rates: ArrayLike, demands: ArrayLike, services: Sequence[Service]) -> OpenSolution:
    """Solve an open product-form network for every point of a sweep.

    Parameters
    ----------
    rates : array_like, shape (…, C)
        Arrival rates λ, customers per second; the last axis is 1 for one class.
    demands : array_like, shape (K, C) or (…, K, C)
        Service demands D, seconds.
    services : sequence of Service, length K

    Returns
    -------
    OpenSolution
        Times are infinite where a station is overloaded; ``is_stable`` is false there.

    Raises
    ------
    ValueError
        If a rate or demand is negative or NaN, or the shapes do not match.

    References
    ----------
    Lazowska et al., Quantitative System Performance (1984), pages 109 and 136.

    Examples
    --------
    >>> solve_open([[5.0], [9.0]], [[0.1]], [Service.queue()]).response_times.round(3).tolist()
    [[0.2], [1.0]]
    """
    rates, demands = np.asarray(rates, float), np.asarray(demands, float)
    if demands.ndim < 2 or demands.shape[-2] != len(services) or rates.ndim < 1:
        raise ValueError(
            "shapes do not match: needs rates (…, C), demands (…, K, C) and K services"
        )
    if not (np.all(rates >= 0) and np.all(demands >= 0)):
        raise ValueError("rates and demands must be numbers ≥ 0")
    if rates.shape[-1] != demands.shape[-1]:
        raise ValueError(f"{rates.shape[-1]} rates for {demands.shape[-1]} classes")
    points = np.broadcast_shapes(rates.shape[:-1], demands.shape[:-2])
    stations, classes = demands.shape[-2:]
    residence, queues, utilizations = (np.empty((*points, stations, classes)) for _ in range(3))
    response = np.zeros((*points, classes))
    stable = np.ones(points, bool)
    for k, service in enumerate(services):  # one station at a time: its arrays stay in the cache
        demand = demands[..., k, :]
        load = rates * demand
        total = load[..., 0] if classes == 1 else load.sum(axis=-1)
        ratio, share = _residence_ratio(service, total)
        is_saturated = total >= service.capacity
        if is_saturated.any():
            stable &= ~is_saturated
            with np.errstate(invalid="ignore"):
                station_residence = np.where(demand > 0, demand * ratio[..., None], 0.0)
                queue = np.where(load > 0, rates * station_residence, 0.0)
        else:
            station_residence = demand * ratio[..., None]
            queue = load * ratio[..., None]
        response += station_residence
        residence[..., k, :], queues[..., k, :] = station_residence, queue
        utilizations[..., k, :] = load * share
    throughput = np.broadcast_to(rates, (*points, classes))
    return OpenSolution(throughput, response, residence, queues, utilizations, stable)


def _residence_ratio(service: Service, total: Array) -> tuple[Array, Array | float]:
    """R / D at the load ``total``, the same for all classes, and utilization / load."""
    if service.is_delay:
        return np.ones_like(total), 1.0
    if service.is_single_server:
        with np.errstate(divide="ignore"):
            return 1 / np.maximum(service.capacity - total, 0), 1 / service.capacity
    number, busy = mean_number(service, total)
    empty = 1.0 if service.kind == "queue" else 1 / service.multipliers[0]
    ratio = quotient(number, total, empty)
    if service.kind == "queue":
        return ratio, 1 / service.servers
    share = quotient(busy, total, empty)
    return ratio, share[..., None]


def max_rates(rates: ArrayLike, demands: ArrayLike, services: Sequence[Service]) -> Array:
    """Upper limit of each class's rate at each station with the other rates unchanged, shape (K, C).

    ``rates`` (C,), ``demands`` (K, C). (capacity − Σ_{j≠c} λ_j D_kj) / D_kc, at least 0, infinite without demand.
    """
    rates, demands = np.asarray(rates, float), np.asarray(demands, float)
    loads = rates * demands
    capacity = np.array([s.capacity for s in services])[:, None]
    others = np.stack(
        [np.delete(loads, c, axis=1).sum(axis=1) for c in range(loads.shape[1])], axis=1
    )
    return quotient(np.maximum(capacity - others, 0), demands, np.inf)
