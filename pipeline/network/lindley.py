"""A single queue whose arrivals are known one by one: customers wait as Lindley's recursion says.

A formula for G/G/1 knows two moments of independent gaps. A load generator's sequence of gaps can have a burst that
lasts for seconds, in which more comes than can be served although the whole does not saturate the server: then the
wait depends on the sequence itself, and it is finite even where the mean load is above 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array

REPLICAS = 16
"""Sequences of service times drawn for a mean wait; the second half mirrors the first."""


def waits(gaps_s: ArrayLike, services_s: ArrayLike) -> Array:
    """The wait of each customer before its service, first come first served, from an empty queue.

    Lindley (Proceedings of the Cambridge Philosophical Society 48, 1952, page 277): W' = max(0, W + S − A), which is
    a random walk less its running minimum. ``gaps_s``: shape (…, n), time between each arrival and the one before
    (the first plays no part); ``services_s``: shape (…, n). Both broadcast.
    """
    gaps, services = np.broadcast_arrays(np.asarray(gaps_s, float), np.asarray(services_s, float))
    steps = services[..., :-1] - gaps[..., 1:]
    walk = np.zeros(gaps.shape)
    np.cumsum(steps, axis=-1, out=walk[..., 1:])
    return walk - np.minimum.accumulate(np.minimum(walk, 0.0), axis=-1)


def mean_wait(gaps_s: ArrayLike, service_s: float | Array, service_scv: float) -> float:
    """Mean wait (s) of all customers of a known sequence of arrivals, over drawn service times.

    ``gaps_s``: shape (n,); ``service_s``: the mean service time, or each customer's, shape (n,); ``service_scv``: their
    c_s². The same call gives the same figure, and it is a smooth function of ``service_s`` and ``service_scv``.
    """
    gaps = np.asarray(gaps_s, float)
    return float(waits(gaps, service_s * service_sizes(len(gaps), service_scv)).mean())


def service_sizes(customers: int, scv: float) -> Array:
    """Service times in units of their mean, shape (REPLICAS, customers), always the same ones: lognormal with this c².

    Only their first two moments matter to the mean wait where arrivals are Poisson, and little more elsewhere.
    """
    sigma_squared = np.log1p(scv)
    sizes = np.exp(np.sqrt(sigma_squared) * _normal(customers) - sigma_squared / 2)
    return sizes / sizes.mean()


@lru_cache(maxsize=32)
def _normal(customers: int) -> Array:
    half = np.random.default_rng(customers).normal(size=(REPLICAS // 2, customers))
    return np.concatenate((half, -half))
