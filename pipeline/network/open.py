"""Open networks of product form: every station as if it stood alone in a Poisson stream.

Jackson 1963; Baskett, Chandy, Muntz and Palacios 1975; Lazowska et al., Quantitative System Performance (1984),
pages 109 and 136: R_kc = D_kc / (1 − Σ_j λ_j D_kj) at one server. Everything is an array: a hundred thousand
rates are one call.
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
    """One network at many points; … is the shape of the points, K stations, C classes."""

    throughput: Array
    """X = λ, customers a second, (…, C)."""
    response_times: Array
    """R_c = Σ_k R_kc, seconds, (…, C); infinite where ``is_stable`` is false."""
    residence_times: Array
    """R_kc, seconds a customer, (…, K, C)."""
    queue_lengths: Array
    """Q_kc = λ_c R_kc, customers, (…, K, C)."""
    utilizations: Array
    """Per server; mean number at a delay; P(someone there), shared by load, at a load-dependent station."""
    is_stable: Flags
    """Whether every station can carry its load, (…)."""


def solve_open(rates: ArrayLike, demands: ArrayLike, services: Sequence[Service]) -> OpenSolution:
    """Solve an open network for every point of a sweep.

    ``rates``: λ, customers a second, shape (…, C) or, for one class, anything that ends in 1. ``demands``: D,
    seconds, shape (K, C) or (…, K, C). ``services``: K of them. Points where some station cannot carry its load
    are told by ``is_stable``, their times are infinite. Raises ``ValueError`` for negative or unmatched input.
    """
    rates, demands = np.asarray(rates, float), np.asarray(demands, float)
    if demands.ndim < 2 or demands.shape[-2] != len(services) or rates.ndim < 1:
        raise ValueError("rates (…, C), demands (…, K, C) and K services are expected")
    if not (np.all(rates >= 0) and np.all(demands >= 0)):
        raise ValueError("rates and demands must be numbers that are not negative")
    if rates.shape[-1] != demands.shape[-1]:
        raise ValueError(f"{rates.shape[-1]} rates do not fit {demands.shape[-1]} classes")
    points = np.broadcast_shapes(rates.shape[:-1], demands.shape[:-2])
    stations, classes = demands.shape[-2:]
    residence, queues, utilizations = (np.empty((*points, stations, classes)) for _ in range(3))
    response = np.zeros((*points, classes))
    stable = np.ones(points, bool)
    for k, service in enumerate(services):  # a station at a time: its arrays stay in the cache
        demand = demands[..., k, :]
        load = rates * demand
        total = load[..., 0] if classes == 1 else load.sum(axis=-1)
        stretch, share = _station(service, total)
        full = total >= service.capacity
        if full.any():
            stable &= ~full
            with np.errstate(invalid="ignore"):
                here = np.where(demand > 0, demand * stretch[..., None], 0.0)
                queue = np.where(load > 0, rates * here, 0.0)
        else:
            here = demand * stretch[..., None]
            queue = load * stretch[..., None]
        response += here
        residence[..., k, :], queues[..., k, :] = here, queue
        utilizations[..., k, :] = load * share
    throughput = np.broadcast_to(rates, (*points, classes))
    return OpenSolution(throughput, response, residence, queues, utilizations, stable)


def _station(service: Service, total: Array) -> tuple[Array, Array | float]:
    """R / D at the load ``total``, one for all classes, and utilization / load."""
    if service.is_delay:
        return np.ones_like(total), 1.0
    if service.is_single:
        with np.errstate(divide="ignore"):
            return 1 / np.maximum(service.capacity - total, 0), 1 / service.capacity
    number, busy = mean_number(service, total)
    empty = 1.0 if service.kind == "queue" else 1 / service.multipliers[0]
    stretch = quotient(number, total, empty)
    if service.kind == "queue":
        return stretch, 1 / service.servers
    share = quotient(busy, total, empty)
    return stretch, share[..., None]


def largest_rates(rates: ArrayLike, demands: ArrayLike, services: Sequence[Service]) -> Array:
    """Rate that each class must stay below at each station while the others keep theirs, shape (K, C).

    ``rates`` (C,), ``demands`` (K, C). (capacity − Σ_{j≠c} λ_j D_kj) / D_kc, at least 0, infinite without demand.
    """
    rates, demands = np.asarray(rates, float), np.asarray(demands, float)
    loads = rates * demands
    capacity = np.array([s.capacity for s in services])[:, None]
    others = np.stack(
        [np.delete(loads, c, axis=1).sum(axis=1) for c in range(loads.shape[1])], axis=1
    )
    return quotient(np.maximum(capacity - others, 0), demands, np.inf)
