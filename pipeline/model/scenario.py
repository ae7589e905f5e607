"""What if: a fitted host under other loads, other hardware, and beside other virtual servers.

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
from pipeline.model.colocation import HostModels, solve_cpu_sharing
from pipeline.model.host import HostModel, HostResources
from pipeline.model.prediction import Band, Prediction, band

Array = NDArray[np.float64]

SATURATION_FRACTIONS = (
    *(0.03, 0.06, 0.12, 0.22, 0.35, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99),
    *(1.05, 1.15, 1.3, 1.5),
)
"""Open loads at which a curve is computed, as parts of saturation; past 1 some runs may still keep up."""
POPULATIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class HardwareChange:
    """Other hardware: how many times as fast, or as many, as when the model was fitted."""

    cpu_speed: float = 1.0
    cpus: float = 1.0
    disk_speed: float = 1.0


@dataclass(frozen=True)
class Neighbour:
    """Another virtual server of the same host, and the load it has meanwhile."""

    models: HostModels
    load: Load


@dataclass(frozen=True)
class Scenario:
    """What is asked about, but for the size of the load."""

    models: HostModels
    """With their draws; those of :meth:`HostModel.with_run_variation` make the intervals those of a new run."""
    load: Load
    """The kind of load: its arrivals or think time, and how long it lasts. Its size does not matter."""
    hardware: HardwareChange = HardwareChange()
    neighbours: tuple[Neighbour, ...] = ()
    """Other virtual servers under load; without any, the others are as idle as when the model was fitted."""

    def at_level(self, level: float) -> Load:
        """The load with so many arrivals a second, of any stream of its kind; or with so many customers."""
        if self.load.kind == "open":
            return replace(self.load, rate_per_s=float(level), trace=None, requests=None)
        return replace(self.load, population=round(level))

    def resources_at(self, load: Load) -> HostResources:
        """What the host gives under a load, the other virtual servers' share of it taken off."""
        # the spacing of arrivals changes no mean, unless they are known one by one
        means = load if load.interarrival_s is not None else replace(load, arrivals=None)
        return _resources_at(self.models, self.hardware, self.neighbours, means)

    def predict(self, load: Load) -> Prediction:
        """X and R of a load, arrival by arrival where those are known; R is infinite where it is too much."""
        return self._model.predict(load, self.resources_at(load))

    def saturation_per_s(self) -> float:
        """The rate from which on the server cannot take an open load, by the estimate."""

        def beyond(rate: float) -> float:
            load = self.at_level(rate)
            return (
                float(self._estimate.bottleneck_utilization(load, self.resources_at(load))[0]) - 1
            )

        # no demand is less than that of a warm and busy server with the host for itself
        whole = replace(_changed(self._estimate, self.hardware), neighbour_cpus_at_fit=0.0)
        most = self._estimate.max_open_rate_per_s(whole)
        if math.isinf(most):
            return most
        if beyond(0.0) >= 0:
            return 0.0
        return float(brentq(beyond, 0.0, most * (1 + 1e-9), rtol=1e-9))

    @property
    def max_throughput_per_s(self) -> float:
        """The most X of a closed load, at any population: the utilization law at the bottleneck."""
        return float(1 / (self._demands_s / np.array([self._cpu_servers, 1])).max())

    @property
    def min_response_s(self) -> float:
        """The least R of a closed load: its demands without any wait, or until a quota has paid for them."""
        paid = self._demands_s[0] / self._cpu_servers - self.load.think_time_s
        return float(max(self._demands_s.sum(), paid))

    def knee(self) -> float:
        """N* of a closed load: where the asymptotes of light and of heavy load meet."""
        return (self.min_response_s + self.load.think_time_s) * self.max_throughput_per_s

    @property
    def _model(self) -> HostModel:
        return self.models.colocated if self.neighbours else self.models.alone

    @cached_property
    def _estimate(self) -> HostModel:
        return self._model.point_estimate()

    @cached_property
    def _full(self) -> HostResources:
        """What the host gives when this server takes all it can get."""
        return self.resources_at(self.at_level(POPULATIONS[-1]))

    @property
    def _cpu_servers(self) -> float:
        """How many times as fast many requests are served as one: CPUs, or the part of one that a quota pays for."""
        return self._full.residual_cpus / min(self._full.unthrottled_cpus, 1.0)

    @cached_property
    def _demands_s(self) -> Array:
        cpu = self._estimate.cpu.at(np.inf, 1.0)[0] / self.hardware.cpu_speed
        disk = self._estimate.disk.at(np.inf, 1.0)[0] / self.hardware.disk_speed
        return np.array([cpu / min(self._full.unthrottled_cpus, 1.0), disk])


@lru_cache(maxsize=256)
def _resources_at(
    models: HostModels, hardware: HardwareChange, neighbours: tuple[Neighbour, ...], load: Load
) -> HostResources:
    guests = [
        (replace(one.alone, resources=_changed(one.alone, hardware)), under)
        for one, under in [(models, load), *((n.models, n.load) for n in neighbours)]
    ]
    return solve_cpu_sharing(guests)[0] if neighbours else guests[0][0].resources


def _changed(model: HostModel, hardware: HardwareChange) -> HostResources:
    there = model.resources
    return replace(
        there,
        capacity_cpus=there.capacity_cpus * hardware.cpus,
        cpu_speed=hardware.cpu_speed,
        disk_speed=hardware.disk_speed,
    )


@dataclass(frozen=True)
class ResponseCurve:
    """R and X over the load."""

    levels: Array
    """Arrivals a second, or customers; ascending."""
    response_s: Band
    """Infinite where the server cannot take the load: of such loads the model says nothing else."""
    throughput_per_s: Band
    saturation_level: float
    """Open: the rate from which on the estimate is saturated. Closed: infinite."""
    knee: float
    """Closed: N*. Open: the rate of the greatest power X/R (Kleinrock 1979)."""
    max_throughput_per_s: float
    """No more X than this at any load."""
    min_response_s: float
    """Closed: no smaller R than this, the sum of demands. Open: 0."""


@dataclass(frozen=True)
class TargetCrossing:
    """The load at which a response-time target is missed first, for good."""

    level: float
    """0 if it is missed at every load; infinite if it is met at every load of the curve."""
    low: float
    high: float


def sweep(
    scenario: Scenario, *, min_level: float = 1.0, extra_levels: Sequence[float] = ()
) -> ResponseCurve:
    """R and X over load levels, ``extra_levels`` among them; an open load starts at the rate ``min_level``."""
    if scenario.load.kind == "closed":
        end, places = math.inf, np.array(POPULATIONS, float)
    else:
        end = scenario.saturation_per_s()
        if not math.isfinite(end):
            raise ValueError("the model has no demand: nothing is ever saturated")
        places = np.concatenate(([min_level], np.array(SATURATION_FRACTIONS) * end))
    levels = np.unique(np.concatenate((places, extra_levels)))
    levels = levels[levels >= min_level]
    found = [scenario.predict(scenario.at_level(size)) for size in levels]
    # the first load at which nothing is left to say ends the curve
    points = int(np.isfinite([one.response_time.low for one in found]).sum()) + 1
    levels, found = levels[:points], found[:points]
    response = band(np.array([one.response_time_s for one in found]))
    throughput = band(np.array([one.throughput_per_s for one in found]))
    if scenario.load.kind == "closed":
        limits = scenario.knee(), scenario.max_throughput_per_s, scenario.min_response_s
    else:
        limits = _max_power(levels, response.value), end, 0.0
    return ResponseCurve(levels, response, throughput, end, *limits)


def capacity_for_target(curve: ResponseCurve, target_s: float) -> TargetCrossing:
    """The load from which on a target of the mean response time is missed, and its interval.

    The interval is where a new run's own break would lie: R rises with the load, so that the interval of R at a load,
    read sideways, is the interval of the load.
    """
    levels, response = curve.levels, curve.response_s
    after = np.append(levels[1:], math.inf)
    return TargetCrossing(
        _crossing(levels, response.value, target_s, np.minimum(after, curve.saturation_level)),
        _crossing(levels, response.high, target_s, levels),
        _crossing(levels, response.low, target_s, after),
    )


def _crossing(levels: Array, response_s: Array, target_s: float, beyond: Array) -> float:
    """Where a curve rises through the target the last time.

    ``beyond`` is what to say where it has no value any more after a point that met the target, an entry a point.
    """
    met = response_s <= target_s
    if not met.any():
        return 0.0
    last = int(np.flatnonzero(met)[-1])
    if last + 1 == len(levels):
        return math.inf
    above = response_s[last + 1]
    if not math.isfinite(above):
        return float(beyond[last])
    part = (target_s - response_s[last]) / (above - response_s[last])
    return float(levels[last] + part * (levels[last + 1] - levels[last]))


def _max_power(rates: Array, response_s: Array) -> float:
    """The rate of the greatest X/R, by the parabola through the greatest and its neighbours."""
    finite = np.isfinite(response_s)
    x, y = rates[finite], rates[finite] / response_s[finite]
    top = int(np.argmax(y))
    if not 0 < top < len(x) - 1:
        return float(x[top])
    near = slice(top - 1, top + 2)
    a, b, _ = np.polyfit(x[near], y[near], 2)
    return float(-b / (2 * a)) if a < 0 else float(x[top])
