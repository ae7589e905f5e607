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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize.elementwise import find_root

from pipeline.measure.load import Load
from pipeline.model import texts
from pipeline.model.closed_response import LoadRows
from pipeline.model.colocation import HostModels, share_cpu, solve_cpu_sharing
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
        return self.model.predict(load, self.resources_at(load))

    def saturation_per_s(self) -> float:
        """Rate at which an open load saturates CPU or disk, by the point estimate; infinite without a demand."""
        return float(_Hosts.of([self]).saturation_per_s()[0])

    @property
    def model(self) -> HostModel:
        """The model of X and R."""
        return self.models.colocated if self.neighbours else self.models.alone


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
class _Hosts:
    """The hosts of scenarios that differ in their hardware and in the level and spacing of their load only."""

    scenario: Scenario
    """One of the scenarios."""
    hardware: tuple[HardwareChange, ...]
    """Of each host."""

    @classmethod
    def of(cls, scenarios: Sequence[Scenario]) -> _Hosts:
        """The hosts of these scenarios."""
        return cls(scenarios[0], tuple(dict.fromkeys(each.hardware for each in scenarios)))

    def load(self, levels: Array, arrivals: str | None = None) -> LoadRows:
        """The load at several levels."""
        scenario = self.scenario
        loads = [scenario.at_level(level) for level in levels]
        return replace(LoadRows.of(loads), arrivals=arrivals)

    def resources(self, load: LoadRows, hosts: NDArray[np.int64]) -> HostResources:
        """Resources of the virtual server on a host (its number) under a load, one per row."""
        scenario = self.scenario

        def on_hosts(model: HostModel) -> HostModel:
            changed = HostResources.stack([_changed(model, each) for each in self.hardware])
            return replace(model, resources=changed.at(hosts))

        model = on_hosts(scenario.models.alone)
        if not scenario.neighbours:
            return model.resources
        neighbours = [on_hosts(neighbour.models.alone) for neighbour in scenario.neighbours]
        loads = [LoadRows.of([n.load]).at(np.zeros_like(hosts)) for n in scenario.neighbours]
        return share_cpu([model, *neighbours], [load, *loads])[0]

    def saturation_per_s(self) -> Array:
        """Rate at which an open load saturates CPU or disk of each host, by the point estimate."""
        estimate = self.scenario.model.point_estimate()

        def excess_utilization(rates: Array, hosts: Array) -> Array:
            hosts = hosts.astype(np.int64)
            load = self.load(rates)
            busy = estimate.bottleneck_utilization(load, self.resources(load, hosts))
            return busy[:, 0] - 1

        # an upper bound: demands without cold start and wake-up, no neighbours
        saturation = np.array(
            [
                estimate.max_open_rate_per_s(
                    replace(_changed(estimate, each), neighbour_cpus_at_fit=0.0)
                )
                for each in self.hardware
            ]
        )
        hosts = np.flatnonzero(np.isfinite(saturation))
        if not hosts.size:
            return saturation
        is_saturated_idle = excess_utilization(np.zeros(len(hosts)), hosts) >= 0
        saturation[hosts[is_saturated_idle]] = 0.0
        if not is_saturated_idle.all():
            hosts = hosts[~is_saturated_idle]
            bracket = np.zeros(len(hosts)), saturation[hosts] * (1 + 1e-9)
            saturation[hosts] = find_root(excess_utilization, bracket, args=(hosts,)).x
        return saturation


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
    return sweep_scenarios([scenario], min_level=min_level, extra_levels=extra_levels)[0]


def sweep_scenarios(
    scenarios: Sequence[Scenario], *, min_level: float = 1.0, extra_levels: Sequence[float] = ()
) -> list[ResponseCurve]:
    """:func:`sweep` of each scenario, faster: the CPU of hosts that differ in their hardware is shared in one step."""
    groups: dict[object, list[int]] = {}
    for number, scenario in enumerate(scenarios):
        load = replace(scenario.load, arrivals=None, trace=None, requests=None)
        groups.setdefault((scenario.models, scenario.neighbours, load), []).append(number)
    curves: dict[int, ResponseCurve] = {}
    for numbers in groups.values():
        group = [scenarios[number] for number in numbers]
        curves |= zip(numbers, _sweep_group(group, min_level, extra_levels), strict=True)
    return [curves[number] for number in range(len(scenarios))]


def _sweep_group(
    scenarios: Sequence[Scenario], min_level: float, extra_levels: Sequence[float]
) -> list[ResponseCurve]:
    """The curves of scenarios that have the same hosts but for the hardware."""
    hosts = _Hosts.of(scenarios)
    is_open = scenarios[0].load.kind == "open"
    saturation = hosts.saturation_per_s() if is_open else np.full(len(hosts.hardware), np.inf)
    if is_open and not np.isfinite(saturation).all():
        raise ValueError(texts.NO_DEMAND)
    grids = [
        np.concatenate(([min_level], np.array(SATURATION_FRACTIONS) * rate))
        if is_open
        else np.array(POPULATIONS, float)
        for rate in saturation
    ]
    grids = [np.unique(np.concatenate((grid, extra_levels))) for grid in grids]
    grids = [grid[grid >= min_level] for grid in grids]
    numbers = np.repeat(np.arange(len(grids)), [len(grid) for grid in grids])
    load = hosts.load(np.concatenate(grids))
    resources = hosts.resources(load, numbers)
    each = np.arange(len(grids))
    saturated = None
    if not is_open:
        saturated = hosts.resources(hosts.load(np.full(len(each), POPULATIONS[-1])), each).unstack()
    curves = []
    for scenario in scenarios:
        number = hosts.hardware.index(scenario.hardware)
        rows = np.flatnonzero(numbers == number)
        own = replace(load.at(rows), arrivals=scenario.load.arrivals)
        prediction = scenario.model.predict_rows(own, resources.at(rows))
        response = band(prediction.response_time_s)
        points = int(np.isfinite(response.low).sum()) + 1
        levels = grids[number][:points]
        response = _first(response, points)
        throughput = _first(band(prediction.throughput_per_s), points)
        limits = (
            (_max_power(levels, response.value), float(saturation[number]), 0.0)
            if saturated is None
            else _closed_limits(scenario, saturated[number])
        )
        curves.append(
            ResponseCurve(levels, response, throughput, float(saturation[number]), *limits)
        )
    return curves


def _first(line: Band, points: int) -> Band:
    return Band(line.value[:points], line.low[:points], line.high[:points])


def _closed_limits(scenario: Scenario, saturated: HostResources) -> tuple[float, float, float]:
    """N* of a closed load, where the asymptotes of light and heavy load meet, and the bounds on X and R.

    ``saturated``: resources under a load that uses all it can get.
    """
    estimate, hardware = scenario.model.point_estimate(), scenario.hardware
    speed = min(saturated.unthrottled_cpus, 1.0)
    cpu_s = float(estimate.cpu.at(np.inf, 1.0)[0] / hardware.cpu_speed) / speed
    disk_s = float(estimate.disk.at(np.inf, 1.0)[0] / hardware.disk_speed)
    # rate of many requests over that of one: number of CPUs, or the quota's share of one
    cpus = float(saturated.residual_cpus) / speed
    max_throughput = 1 / max(cpu_s / cpus, disk_s)
    # demands without wait, or the time until a quota has refilled
    min_response = max(cpu_s + disk_s, cpu_s / cpus - scenario.load.think_time_s)
    knee = (min_response + scenario.load.think_time_s) * max_throughput
    return knee, max_throughput, min_response


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
