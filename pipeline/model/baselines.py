"""Baselines that predict X and R of a load from runs at other loads: the paper, textbook networks, linear regression.

A baseline is fitted to observations of one deployment. Predictions have shape (1 + draws,), entry 0 the estimate.
``logs-only`` predictors use no response time; ``calibrated`` ones use the client's at the fitted loads.
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
    mean_demand,
    stack_demands,
)
from pipeline.model.prediction import FittedPredictor, Prediction, mean_wait_s, solve_closed

Array = NDArray[np.float64]

LOGS_ONLY = "logs-only"
CALIBRATED = "calibrated"


@dataclass(frozen=True)
class Predictor:
    """A named way to predict, and the data that it may use."""

    name: str
    label: str
    kinds: tuple[str, ...]
    """Loads that it applies to: ``open``, ``closed``."""
    fit: Callable[[Sequence[Observation]], FittedPredictor]


# -- the paper ----------------------------------------------------------------------------------------


def fit_as_printed(observations: Sequence[Observation]) -> FittedPredictor:
    """The paper's equations (2), (9) as printed, (10), and the sum of section IV.

    The paper has no X for a closed load: the X with X R(X) = N (Little's law) is used.
    """
    cpu = mean_demand(observations, "guest_cpu")
    virtual, physical = (mean_demand(observations, disk) for disk in ("vdisk", "disk"))
    per_virtual, per_physical = (
        (
            stack_demands(observations, disk)
            / [[run.operations_per_request[disk]] for run in observations]
        ).mean(axis=0)
        for disk in ("vdisk", "disk")
    )

    def response(rate: Array | float) -> Array:
        on_virtual = _open_residence(per_virtual, rate * virtual)
        return cpu + on_virtual + _open_residence(per_physical, rate * physical)

    return _by_formula(response, lambda: 1 / np.maximum(virtual, physical))


def fit_nested(observations: Sequence[Observation]) -> FittedPredictor:
    """Service demands per request; the guest's disk time contains the host's: R_cpu + max(R_vdisk, R_disk)."""
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

    With ``variability`` each station is G/G/1 with the measured variability of arrivals (Krämer and Langenbach-Belz).
    """
    demand, disk, used, capacity = _host_inputs(observations)

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
    """Mean value analysis with the host's disk and its CPU net of background use."""
    demand, disk, used, capacity = _host_inputs(observations)
    return partial(
        solve_closed, np.stack((demand / np.maximum(capacity - used, 1e-9), disk), axis=-1)
    )


# -- linear regression ----------------------------------------------------------------------------------


def fit_linear_baseline(observations: Sequence[Observation]) -> FittedPredictor:
    """Linear regression of the client's R and X on the load level.

    For an open load it uses the loads with the same spacing of arrivals, if there are two levels of them.
    """

    def predict(load: Load) -> Prediction:
        same_spacing = [run for run in observations if run.load.arrivals == load.arrivals]
        used = (
            same_spacing
            if len({run.load.level for run in same_spacing}) > 1
            else list(observations)
        )
        levels = np.array([run.load.level for run in used])
        response = np.array([run.response_time_s for run in used])
        throughput = np.array([run.throughput_per_s for run in used])
        throughput_per_s = float(load.level)
        if load.kind == "closed":
            throughput_per_s = _line(levels, throughput, load.level)
        return Prediction(
            np.array([throughput_per_s]), np.array([_line(levels, response, load.level)])
        )

    return predict


def _line(x: Array, y: Array, at: float) -> float:
    if len(set(x.tolist())) < 2:
        return float(y.mean())
    slope, intercept = np.polyfit(x, y, 1)
    return float(max(slope * at + intercept, 0.0))


# -- shared -----------------------------------------------------------------------------------------------


def _host_inputs(observations: Sequence[Observation]) -> tuple[Array, Array, Array, float]:
    """Demands at the host's CPU and disk, CPUs in use without requests, and CPUs in total."""
    demand, disk = (mean_demand(observations, station) for station in ("host_cpu", "disk"))
    # background of this guest and of its neighbours
    background_cpus = [
        run.run_demands.demand("host_cpu").background_per_s + run.neighbour_cpu
        for run in observations
    ]
    return (
        demand,
        disk,
        np.full_like(demand, np.mean(background_cpus)),
        observations[0].capacity_cpus,
    )


def _open_residence(demand_s: Array, utilization: Array) -> Array:
    """D/(1 − U), infinite from U = 1 on."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            utilization < 1, demand_s / (1 - np.minimum(utilization, 1 - 1e-15)), np.inf
        )


def _by_formula(
    response: Callable[[Array | float], Array], limit: Callable[[], Array]
) -> FittedPredictor:
    """Predict with a formula R(X): at the rate of an open load, at X with X (R(X) + Z) = N for a closed one."""

    def predict(load: Load) -> Prediction:
        if load.kind == "open":
            response_s = response(load.rate_per_s or 0.0)
            return Prediction(np.full_like(response_s, load.rate_per_s or 0.0), response_s)
        low, high = np.zeros_like(limit()), limit().copy()
        for _ in range(80):  # bisection: X (R(X) + Z) grows with X
            middle = (low + high) / 2
            with np.errstate(invalid="ignore"):
                customers = middle * (response(middle) + load.think_time_s)
            is_reached = ~(customers < (load.population or 0))
            high, low = np.where(is_reached, middle, high), np.where(is_reached, low, middle)
        response_s = np.maximum(
            (load.population or 0) / np.maximum(low, 1e-12) - load.think_time_s, 0
        )
        return Prediction(low, response_s)

    return predict
