"""What if: a fitted host under other loads, on other hardware, and with other virtual servers.

A :class:`Scenario` is a fitted model with hardware and neighbours; the level of the load is an argument. A load with an
arrival trace is predicted by that trace. :func:`sweep` computes R and X over the load levels, with prediction intervals
for a new run. :func:`capacity_for_target` finds the load at which a response-time target is missed. The host's CPU is
shared by :mod:`pipeline.model.colocation`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from pipeline.measure.load import Load
from pipeline.model import texts
from pipeline.model.closed_response import respond_closed
from pipeline.model.colocation import HostModels, solve_cpu_sharing
from pipeline.model.host import HostModel, HostResources
from pipeline.model.prediction import Band, Prediction, band

Array = NDArray[np.float64]

SATURATION_FRACTIONS = (
    *(0.03, 0.06, 0.12, 0.22, 0.35, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99),
    *(1.05, 1.15, 1.3, 1.5),
)
"""Rates of an open curve as fractions of saturation; beyond 1 the interval may still be finite."""
POPULATIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Customers of a closed curve."""


@dataclass(frozen=True)
class HardwareChange:
    """Other hardware, relative to the hardware of the fit."""

    cpu_speed: float = 1.0
    cpus: float = 1.0
    disk_speed: float = 1.0


@dataclass(frozen=True)
class Neighbour:
    """Another virtual server of the host with its load."""

    models: HostModels
    load: Load


@dataclass(frozen=True)
class Scenario:
    """A fitted model under other hardware and neighbours."""

    models: HostModels
    """With draws; after :meth:`HostModel.with_run_variation` intervals are those of a new run."""
    load: Load
    """Kind, spacing of arrivals, think time and duration; its level is not used."""
    hardware: HardwareChange = HardwareChange()
    neighbours: tuple[Neighbour, ...] = ()
    """Other virtual servers under load; without any, the neighbours are idle as at the fit."""

    def at_level(self, level: float) -> Load:
        """The load at another level: arrivals per second (without a trace), or customers."""
        if self.load.kind == "open":
            return replace(self.load, rate_per_s=float(level), trace=None, requests=None)
        return replace(self.load, population=round(level))

    def resources_at(self, load: Load) -> HostResources:
        """Resources of the host under a load, net of the neighbours' share."""
        # the spacing of arrivals changes no mean, except for a trace
        mean_load = load if load.interarrival_s is not None else replace(load, arrivals=None)
        return _resources_at(self.models, self.hardware, self.neighbours, mean_load)

    def predict(self, load: Load) -> Prediction:
        """X and R of a load, by its arrival trace where it has one; R is infinite under saturation."""
        return self._model.predict(load, self.resources_at(load))

    def predict_levels(self, levels: Array) -> list[Prediction]:
        """X and R at several levels of the load."""
        loads = [self.at_level(level) for level in levels]
        if self.load.kind == "open":
            return [self.predict(load) for load in loads]
        return respond_closed(self._model, loads, [self.resources_at(load) for load in loads])

    def saturation_per_s(self) -> float:
        """Rate at which an open load saturates CPU or disk, by the point estimate."""

        def excess_utilization(rate: float) -> float:
            load = self.at_level(rate)
            return (
                float(self._estimate.bottleneck_utilization(load, self.resources_at(load))[0]) - 1
            )

        # an upper bound: demands without cold start and wake-up, no neighbours
        without_neighbours = replace(
            _changed(self._estimate, self.hardware), neighbour_cpus_at_fit=0.0
        )
        upper = self._estimate.max_open_rate_per_s(without_neighbours)
        if math.isinf(upper):
            return upper
        if excess_utilization(0.0) >= 0:
            return 0.0
        return float(brentq(excess_utilization, 0.0, upper * (1 + 1e-9), rtol=1e-9))

    @property
    def max_throughput_per_s(self) -> float:
        """Bound on X of a closed load at any population, by the utilization law at the bottleneck."""
        return float(1 / (self._demands_s / np.array([self._cpu_servers, 1])).max())

    @property
    def min_response_s(self) -> float:
        """Bound on R of a closed load: its demands without wait, or the time until a quota has refilled."""
        refill_s = self._demands_s[0] / self._cpu_servers - self.load.think_time_s
        return float(max(self._demands_s.sum(), refill_s))

    def knee(self) -> float:
        """N* of a closed load: where the asymptotes of light and heavy load meet."""
        return (self.min_response_s + self.load.think_time_s) * self.max_throughput_per_s

    @property
    def _model(self) -> HostModel:
        return self.models.colocated if self.neighbours else self.models.alone

    @cached_property
    def _estimate(self) -> HostModel:
        return self._model.point_estimate()

    @cached_property
    def _saturated_resources(self) -> HostResources:
        """Resources under a load that uses all it can get."""
        return self.resources_at(self.at_level(POPULATIONS[-1]))

    @property
    def _cpu_servers(self) -> float:
        """Rate of many requests over that of one: number of CPUs, or the quota's share of one."""
        return self._saturated_resources.residual_cpus / min(
            self._saturated_resources.unthrottled_cpus, 1.0
        )

    @cached_property
    def _demands_s(self) -> Array:
        cpu = self._estimate.cpu.at(np.inf, 1.0)[0] / self.hardware.cpu_speed
        disk = self._estimate.disk.at(np.inf, 1.0)[0] / self.hardware.disk_speed
        return np.array([cpu / min(self._saturated_resources.unthrottled_cpus, 1.0), disk])


@lru_cache(maxsize=256)
def _resources_at(
    models: HostModels, hardware: HardwareChange, neighbours: tuple[Neighbour, ...], load: Load
) -> HostResources:
    guests = [
        (replace(model.alone, resources=_changed(model.alone, hardware)), model_load)
        for model, model_load in [(models, load), *((n.models, n.load) for n in neighbours)]
    ]
    return solve_cpu_sharing(guests)[0] if neighbours else guests[0][0].resources


def _changed(model: HostModel, hardware: HardwareChange) -> HostResources:
    resources = model.resources
    return replace(
        resources,
        capacity_cpus=resources.capacity_cpus * hardware.cpus,
        cpu_speed=hardware.cpu_speed,
        disk_speed=hardware.disk_speed,
    )


@dataclass(frozen=True)
class ResponseCurve:
    """R and X over the level of a load."""

    levels: Array
    """Arrivals per second, or customers; ascending."""
    response_s: Band
    """Infinite under saturation."""
    throughput_per_s: Band
    saturation_level: float
    """Open: the rate at which the point estimate saturates. Closed: infinite."""
    knee: float
    """Closed: N*. Open: the rate of maximum power X/R (Kleinrock 1979)."""
    max_throughput_per_s: float
    """Bound on X at any level."""
    min_response_s: float
    """Closed: bound on R, the sum of demands. Open: 0."""


@dataclass(frozen=True)
class TargetCrossing:
    """Level of the load above which a response-time target is missed, with its interval."""

    level: float
    """0 if the target is missed at every level; infinite if it is met at every level of the curve."""
    low: float
    high: float


def sweep(
    scenario: Scenario, *, min_level: float = 1.0, extra_levels: Sequence[float] = ()
) -> ResponseCurve:
    """Compute R and X over load levels, with prediction intervals.

    Parameters
    ----------
    scenario
        Model, hardware, neighbours and kind of load.
    min_level
        Lowest level; an open curve starts there.
    extra_levels
        Further levels of the curve.

    Returns
    -------
    ResponseCurve
        It ends at the first level at which even the lower limit of R is infinite.

    Raises
    ------
    ValueError
        For an open load where all demands are 0.
    """
    if scenario.load.kind == "closed":
        saturation_level, grid = math.inf, np.array(POPULATIONS, float)
    else:
        saturation_level = scenario.saturation_per_s()
        if not math.isfinite(saturation_level):
            raise ValueError(texts.NO_DEMAND)
        grid = np.concatenate(([min_level], np.array(SATURATION_FRACTIONS) * saturation_level))
    levels = np.unique(np.concatenate((grid, extra_levels)))
    levels = levels[levels >= min_level]
    predictions = scenario.predict_levels(levels)
    # the first level with an infinite lower limit ends the curve
    points = (
        int(np.isfinite([prediction.response_time.low for prediction in predictions]).sum()) + 1
    )
    levels, predictions = levels[:points], predictions[:points]
    response = band(np.array([prediction.response_time_s for prediction in predictions]))
    throughput = band(np.array([prediction.throughput_per_s for prediction in predictions]))
    if scenario.load.kind == "closed":
        limits = scenario.knee(), scenario.max_throughput_per_s, scenario.min_response_s
    else:
        limits = _max_power(levels, response.value), saturation_level, 0.0
    return ResponseCurve(levels, response, throughput, saturation_level, *limits)


def capacity_for_target(curve: ResponseCurve, target_s: float) -> TargetCrossing:
    """Find the load level above which the mean response time exceeds a target.

    R increases with the level, so the limits of R, read along the level axis, are the limits of the level: the interval
    in which the crossing of a new run would lie.

    Parameters
    ----------
    curve
        R over the level.
    target_s
        Mean response time, seconds.
    """
    levels, response = curve.levels, curve.response_s
    next_levels = np.append(levels[1:], math.inf)
    return TargetCrossing(
        _crossing(
            levels, response.value, target_s, np.minimum(next_levels, curve.saturation_level)
        ),
        _crossing(levels, response.high, target_s, levels),
        _crossing(levels, response.low, target_s, next_levels),
    )


def _crossing(levels: Array, response_s: Array, target_s: float, if_unbounded: Array) -> float:
    """Level of the last upward crossing of the target, by linear interpolation.

    ``if_unbounded``: the result where R is infinite at the next level, one entry per level.
    """
    is_met = response_s <= target_s
    if not is_met.any():
        return 0.0
    last = int(np.flatnonzero(is_met)[-1])
    if last + 1 == len(levels):
        return math.inf
    next_response_s = response_s[last + 1]
    if not math.isfinite(next_response_s):
        return float(if_unbounded[last])
    fraction = (target_s - response_s[last]) / (next_response_s - response_s[last])
    return float(levels[last] + fraction * (levels[last + 1] - levels[last]))


def _max_power(rates: Array, response_s: Array) -> float:
    """The rate of maximum X/R, by a parabola through the maximum and its neighbours."""
    finite = np.isfinite(response_s)
    x, y = rates[finite], rates[finite] / response_s[finite]
    top = int(np.argmax(y))
    if not 0 < top < len(x) - 1:
        return float(x[top])
    nearest = slice(top - 1, top + 2)
    a, b, _ = np.polyfit(x[nearest], y[nearest], 2)
    return float(-b / (2 * a)) if a < 0 else float(x[top])
