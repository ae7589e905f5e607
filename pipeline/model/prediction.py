"""Predicted X and R of a load: a point estimate with bootstrap draws, and the prediction intervals from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.measure.load import Load
from pipeline.network.closed import sweep_populations
from pipeline.network.gg1 import kramer_langenbach_belz

Array = NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95
"""Coverage of the intervals."""


@dataclass(frozen=True)
class Band:
    """A value with its interval: numbers, or one entry per load of a curve. Infinite where R is unbounded."""

    value: Array
    low: Array
    high: Array


def band(draws: Array) -> Band:
    """The estimate (entry 0 of the last axis) with the quantiles of its draws. Infinite draws sort last."""
    value, rest = draws[..., 0][()], draws[..., 1:] if draws.shape[-1] > 1 else draws
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low = np.quantile(rest, tail, axis=-1, method="lower")
    high = np.quantile(rest, 1 - tail, axis=-1, method="higher")
    return Band(value, np.minimum(low, value), np.maximum(high, value))


CPU, CPU_WAIT, DISK, LAYER, DISK_WAIT = "cpu", "cpu_wait", "disk", "layer", "disk_wait"
PARTS = (CPU, CPU_WAIT, LAYER, DISK, DISK_WAIT)
"""Parts of R: CPU time before the reply and the wait for the CPU; time of the virtualization layer, of the host's disk,
and the wait for the disk."""


@dataclass(frozen=True)
class Prediction:
    """X and R of a load, shape (1 + draws,), entry 0 the estimate; R is infinite under saturation."""

    throughput_per_s: Array
    response_time_s: Array
    parts_s: Mapping[str, Array] = field(default_factory=dict, repr=False)
    """``PARTS`` → seconds; they add up to R. A closed model has the layer in its CPU time; empty for a baseline."""

    @property
    def throughput(self) -> Band:
        """X with its interval, requests per second."""
        return band(self.throughput_per_s)

    @property
    def response_time(self) -> Band:
        """R with its interval, seconds."""
        return band(self.response_time_s)


FittedPredictor = Callable[[Load], Prediction]
"""Predicts X and R of a load."""


def mean_wait_s(
    service_s: Array, utilization: Array, arrival_scv: float, service_scv: float | Array = 1.0
) -> Array:
    """Mean wait in a G/G/1 queue by Krämer and Langenbach-Belz, seconds; infinite from a utilization of 1.

    Parameters
    ----------
    service_s
        Mean service time, seconds.
    utilization
        Of the server, by all work.
    arrival_scv, service_scv
        Squared coefficients of variation of interarrival and service times.
    """
    busy = np.asarray(utilization, float)
    rate = np.where(service_s > 0, busy / np.maximum(service_s, 1e-15), 0.0)
    wait_s = kramer_langenbach_belz(rate, service_s, 1, arrival_scv, service_scv)
    return np.where(busy < 1, wait_s, np.inf)


def solve_closed(demands_s: Array, load: Load, delay_s: Array | float = 0.0) -> Prediction:
    """Exact X and R of a closed load in a product-form network (mean value analysis).

    Parameters
    ----------
    demands_s
        Service demands, shape (1 + draws, stations).
    load
        A closed load.
    delay_s
        Part of R that is spent at no queue, seconds.
    """
    population, think = load.population or 0, load.think_time_s
    swept = sweep_populations(demands_s, population, think + delay_s)
    return Prediction(swept.throughput[..., -1], swept.response_times[..., -1] + delay_s)
