"""Ways to predict a load that was not run from loads that were: the paper's, the textbook's, the naive one, ours.

A predictor is fitted to observations of one virtual server on one server, and then told a load. Every number is
an array over bootstrap draws, entry 0 the estimate itself. ``logs-only`` predictors never see a response time;
``calibrated`` ones use the client's, at the fitted loads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.equations import closed_stations
from pipeline.measure.load import Load
from pipeline.model.observation import (
    Observation,
    arrival_scv,
    capacity,
    mean_demand,
    stack_demands,
)
from pipeline.model.prediction import FittedPredictor, Prediction, mean_wait_s, solve_closed

Array = NDArray[np.float64]

LOGS_ONLY = "logs-only"
CALIBRATED = "calibrated"


@dataclass(frozen=True)
class Predictor:
    """A way to predict, and what it may look at."""

    name: str
    label: str
    kinds: tuple[str, ...]
    """Which loads it is for: ``open``, ``closed``."""
    fit: Callable[[Sequence[Observation]], FittedPredictor]


# -- the paper ----------------------------------------------------------------------------------------


def fit_as_printed(observations: Sequence[Observation]) -> FittedPredictor:
    """The paper's equations (2), (9) as printed, (10) and the sum of section IV.

    For a closed load the paper has no X: the one that Little's law allows, X R(X) = N, is taken.
    """
    cpu = mean_demand(observations, "guest_cpu")
    virtual, physical = (mean_demand(observations, disk) for disk in ("vdisk", "disk"))
    per_virtual, per_physical = (
        (
            stack_demands(observations, disk)
            / [[one.operations_per_request[disk]] for one in observations]
        ).mean(axis=0)
        for disk in ("vdisk", "disk")
    )

    def response(rate: Array | float) -> Array:
        on_virtual = _open_residence(per_virtual, rate * virtual)
        return cpu + on_virtual + _open_residence(per_physical, rate * physical)

    return _by_formula(response, lambda: 1 / np.maximum(virtual, physical))


def fit_nested(observations: Sequence[Observation]) -> FittedPredictor:
    """Service demands a request, and the guest's disk time containing the host's: R_cpu + max(R_vdisk, R_disk)."""
    cpu = mean_demand(observations, "guest_cpu")
    virtual, physical = (mean_demand(observations, disk) for disk in ("vdisk", "disk"))

    def response(rate: Array | float) -> Array:
        return cpu + np.maximum(
            _open_residence(virtual, rate * virtual), _open_residence(physical, rate * physical)
        )

    return _by_formula(response, lambda: 1 / np.maximum(virtual, physical))


# -- the textbook ---------------------------------------------------------------------------------------


def fit_open(observations: Sequence[Observation], *, variability: bool = False) -> FittedPredictor:
    """An open product-form network: R = Σ D/(1 − U) at the host's CPU and its disk.

    With ``variability`` each is G/G/1 with the arrivals' measured variability (Krämer and Langenbach-Belz).
    """
    demand, disk, used, capacity = _host(observations)

    def predict(load: Load) -> Prediction:
        rate = np.full_like(demand, load.rate_per_s or 0.0)
        scv = arrival_scv(observations, load) if variability else 1.0
        total = demand / capacity + disk
        total = total + mean_wait_s(demand / capacity, (rate * demand + used) / capacity, scv)
        total = total + mean_wait_s(disk, rate * disk, scv)
        return Prediction(rate, total)

    return predict


fit_open_variability = partial(fit_open, variability=True)


def fit_closed(observations: Sequence[Observation]) -> FittedPredictor:
    """Mean value analysis with the paper's stations: CPU of the server's processes, disk, virtualization layer."""
    cpu, virtual, physical = (mean_demand(observations, s) for s in ("guest_cpu", "vdisk", "disk"))
    return partial(solve_closed, closed_stations(cpu, virtual, physical))


def fit_closed_host(observations: Sequence[Observation]) -> FittedPredictor:
    """Mean value analysis with the host's CPU (its share and its idle load taken into account) and its disk."""
    demand, disk, used, capacity = _host(observations)
    return partial(
        solve_closed, np.stack((demand / np.maximum(capacity - used, 1e-9), disk), axis=-1)
    )


# -- the naive rival -----------------------------------------------------------------------------------


def fit_linear_baseline(observations: Sequence[Observation]) -> FittedPredictor:
    """Straight lines through the client's R and X at the fitted loads, least squares over the load's size.

    For an open load the line is fitted to the loads of the same spacing, if there are two of them at least.
    """

    def predict(load: Load) -> Prediction:
        alike = [one for one in observations if one.load.arrivals == load.arrivals]
        used = alike if len({one.load.level for one in alike}) > 1 else list(observations)
        sizes = np.array([one.load.level for one in used])
        response = np.array([one.response_time_s for one in used])
        throughput = np.array([one.throughput_per_s for one in used])
        rate = float(load.level)
        if load.kind == "closed":
            rate = _line(sizes, throughput, load.level)
        return Prediction(np.array([rate]), np.array([_line(sizes, response, load.level)]))

    return predict


def _line(x: Array, y: Array, at: float) -> float:
    if len(set(x.tolist())) < 2:
        return float(y.mean())
    slope, intercept = np.polyfit(x, y, 1)
    return float(max(slope * at + intercept, 0.0))


# -- shared -----------------------------------------------------------------------------------------------


def _host(observations: Sequence[Observation]) -> tuple[Array, Array, Array, float]:
    """Demands at the host's CPU and disk, CPUs used without requests, and CPUs there are."""
    demand, disk = (mean_demand(observations, station) for station in ("host_cpu", "disk"))
    # this guest's idle rate, and the others' meanwhile
    used = [
        one.run_demands.demand("host_cpu").background_per_s + one.neighbour_cpu
        for one in observations
    ]
    return demand, disk, np.full_like(demand, np.mean(used)), capacity(observations)


def _open_residence(demand_s: Array, utilization: Array) -> Array:
    """D/(1 − U), infinite from U = 1 on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            utilization < 1, demand_s / (1 - np.minimum(utilization, 1 - 1e-15)), np.inf
        )


def _by_formula(
    response: Callable[[Array | float], Array], limit: Callable[[], Array]
) -> FittedPredictor:
    """Predict with a formula R(X): at the rate of an open load, at X R(X) = N for a closed one."""

    def predict(load: Load) -> Prediction:
        if load.kind == "open":
            found = response(load.rate_per_s or 0.0)
            return Prediction(np.full_like(found, load.rate_per_s or 0.0), found)
        low, high = np.zeros_like(limit()), limit().copy()
        for _ in range(80):  # X (R(X) + Z) grows with X: halve the span until it is nothing
            middle = (low + high) / 2
            with np.errstate(invalid="ignore"):
                held = middle * (response(middle) + load.think_time_s)
            enough = ~(held < (load.population or 0))
            high, low = np.where(enough, middle, high), np.where(enough, low, middle)
        found = np.maximum((load.population or 0) / np.maximum(low, 1e-12) - load.think_time_s, 0)
        return Prediction(low, found)

    return predict
