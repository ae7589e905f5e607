"""X and R of a load, as a model predicts them: an estimate, its draws, and the interval they give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.measure.load import Load
from pipeline.network.closed import sweep_populations
from pipeline.network.gg1 import kramer_langenbach_belz

Array = NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95
"""How many draws lie in an interval."""


@dataclass(frozen=True)
class Band:
    """An estimate and its interval: numbers, or an entry for each load of a curve; infinite where there is no bound."""

    value: Array
    low: Array
    high: Array


def band(draws: Array) -> Band:
    """Over the last axis: the estimate, then its draws. Infinite draws are ordered with the rest."""
    value, rest = draws[..., 0][()], draws[..., 1:] if draws.shape[-1] > 1 else draws
    tail = (1 - CONFIDENCE_LEVEL) / 2
    low = np.quantile(rest, tail, axis=-1, method="lower")
    high = np.quantile(rest, 1 - tail, axis=-1, method="higher")
    return Band(value, np.minimum(low, value), np.maximum(high, value))


@dataclass(frozen=True)
class Prediction:
    """X and R of a load, each over draws; infinite where the load is more than the server can take."""

    throughput_per_s: Array
    response_time_s: Array

    @property
    def throughput(self) -> Band:
        """X with its interval, requests a second."""
        return band(self.throughput_per_s)

    @property
    def response_time(self) -> Band:
        """R with its interval, seconds."""
        return band(self.response_time_s)


FittedPredictor = Callable[[Load], Prediction]


def mean_wait_s(
    service_s: Array, utilization: Array, arrival_scv: float, service_scv: float | Array = 1.0
) -> Array:
    """Mean wait before a single server that is busy for ``utilization`` of the time; infinite from 1 on."""
    busy = np.asarray(utilization, float)
    rate = np.where(service_s > 0, busy / np.maximum(service_s, 1e-15), 0.0)
    waited = kramer_langenbach_belz(rate, service_s, 1, arrival_scv, service_scv)
    return np.where(busy < 1, waited, np.inf)


def solve_closed(demands_s: Array, load: Load, delay_s: Array | float = 0.0) -> Prediction:
    """Exact X and R of a closed load in a product-form network; ``demands_s``: (1 + draws, stations).

    ``delay_s``: what a customer takes of no station, a part of its R.
    """
    population, think = load.population or 0, load.think_time_s
    swept = sweep_populations(demands_s, population, think + delay_s)
    return Prediction(swept.throughput[..., -1], swept.response_times[..., -1] + delay_s)
