"""What if: a fitted host under other loads, other hardware, and beside other virtual servers.

A :class:`Scene` is a fitted model with all that one asks about but the size of the load. It answers a load exactly as
that is stated: one with a client's fixed sequence of arrivals by that sequence. :func:`sweep` gives the curves of R and
X over the loads, of any stream of that kind, with the interval in which a run not seen yet would lie, up to where the
model has an answer. :func:`breaks` says at which load a response-time target is missed. The host's CPU is shared by
:mod:`pipeline.model.colocation`.
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
from pipeline.model.colocation import HostModels, share_cpu
from pipeline.model.host import HostModel, Surroundings
from pipeline.model.prediction import Band, Prediction, band

Array = NDArray[np.float64]

PARTS = (
    *(0.03, 0.06, 0.12, 0.22, 0.35, 0.5, 0.6, 0.7, 0.78, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99),
    *(1.05, 1.15, 1.3, 1.5),
)
"""Open loads at which a curve is computed, as parts of saturation; past 1 some runs may still keep up."""
POPULATIONS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True)
class Changes:
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
class Scene:
    """What is asked about, but for the size of the load."""

    models: HostModels
    """With their draws; those of :meth:`HostModel.with_run_scatter` make the intervals those of a new run."""
    load: Load
    """The kind of load: its arrivals or think time, and how long it lasts. Its size does not matter."""
    changes: Changes = Changes()
    neighbours: tuple[Neighbour, ...] = ()
    """Other virtual servers under load; without any, the others are as idle as when the model was fitted."""

    def sized(self, size: float) -> Load:
        """The load with so many arrivals a second, of any stream of its kind; or with so many customers."""
        if self.load.kind == "open":
            return replace(self.load, rate_per_s=float(size), trace=None, requests=None)
        return replace(self.load, population=round(size))

    def around(self, load: Load) -> Surroundings:
        """What the host gives under a load, the other virtual servers' share of it taken off."""
        # how arrivals are spaced changes no mean, unless they are known one by one
        means = load if load.interarrival_s is not None else replace(load, arrivals=None)
        return _around(self.models, self.changes, self.neighbours, means)

    def predict(self, load: Load) -> Prediction:
        """X and R of a load, arrival by arrival where those are known; R is infinite where it is too much."""
        return self._model.predict(load, self.around(load))

    def saturation_per_s(self) -> float:
        """The rate from which on the server cannot take an open load, by the estimate."""

        def beyond(rate: float) -> float:
            load = self.sized(rate)
            return float(self._estimate.bottleneck(load, self.around(load))[0]) - 1

        # no demand is less than that of a warm and busy server with the host for itself
        whole = replace(_changed(self._estimate, self.changes), others_cpus=0.0)
        most = self._estimate.most_open_per_s(whole)
        if math.isinf(most):
            return most
        if beyond(0.0) >= 0:
            return 0.0
        return float(brentq(beyond, 0.0, most * (1 + 1e-9), rtol=1e-9))

    @property
    def most_per_s(self) -> float:
        """The most X of a closed load, at any population: the utilization law at the bottleneck."""
        return float(1 / (self._demands_s / np.array([self._cpu_servers, 1])).max())

    @property
    def least_s(self) -> float:
        """The least R of a closed load: its demands without any wait, or until a quota has paid for them."""
        paid = self._demands_s[0] / self._cpu_servers - self.load.think_time_s
        return float(max(self._demands_s.sum(), paid))

    def knee(self) -> float:
        """N* of a closed load: where the asymptotes of light and of heavy load meet."""
        return (self.least_s + self.load.think_time_s) * self.most_per_s

    @property
    def _model(self) -> HostModel:
        return self.models.beside if self.neighbours else self.models.alone

    @cached_property
    def _estimate(self) -> HostModel:
        return self._model.point_estimate()

    @cached_property
    def _full(self) -> Surroundings:
        """What the host gives when this server takes all it can get."""
        return self.around(self.sized(POPULATIONS[-1]))

    @property
    def _cpu_servers(self) -> float:
        """How many times as fast many requests are served as one: CPUs, or the part of one that a quota pays for."""
        return self._full.spare / min(self._full.awake, 1.0)

    @cached_property
    def _demands_s(self) -> Array:
        cpu = self._estimate.cpu.at(np.inf, 1.0)[0] / self.changes.cpu_speed
        disk = self._estimate.disk.at(np.inf, 1.0)[0] / self.changes.disk_speed
        return np.array([cpu / min(self._full.awake, 1.0), disk])


@lru_cache(maxsize=256)
def _around(
    models: HostModels, changes: Changes, neighbours: tuple[Neighbour, ...], load: Load
) -> Surroundings:
    guests = [
        (replace(one.alone, surroundings=_changed(one.alone, changes)), under)
        for one, under in [(models, load), *((n.models, n.load) for n in neighbours)]
    ]
    return share_cpu(guests)[0] if neighbours else guests[0][0].surroundings


def _changed(model: HostModel, changes: Changes) -> Surroundings:
    there = model.surroundings
    return replace(
        there,
        capacity_cpus=there.capacity_cpus * changes.cpus,
        cpu_speed=changes.cpu_speed,
        disk_speed=changes.disk_speed,
    )


@dataclass(frozen=True)
class Curve:
    """R and X over the load."""

    sizes: Array
    """Arrivals a second, or customers; ascending."""
    response_s: Band
    """Infinite where the server cannot take the load: of such loads the model says nothing else."""
    throughput_per_s: Band
    end: float
    """Open: the rate from which on the estimate is saturated. Closed: infinite."""
    knee: float
    """Closed: N*. Open: the rate of the greatest power X/R (Kleinrock 1979)."""
    most_per_s: float
    """No more X than this at any load."""
    least_s: float
    """Closed: no smaller R than this, the sum of demands. Open: 0."""


@dataclass(frozen=True)
class Break:
    """The load at which a response-time target is missed first, for good."""

    load: float
    """0 if it is missed at every load; infinite if it is met at every load of the curve."""
    low: float
    high: float


def sweep(scene: Scene, *, least: float = 1.0, also: Sequence[float] = ()) -> Curve:
    """The curves of a scene, with the loads ``also`` among their points; an open load begins at the rate ``least``."""
    if scene.load.kind == "closed":
        end, places = math.inf, np.array(POPULATIONS, float)
    else:
        end = scene.saturation_per_s()
        if not math.isfinite(end):
            raise ValueError("the model has no demand: nothing is ever saturated")
        places = np.concatenate(([least], np.array(PARTS) * end))
    sizes = np.unique(np.concatenate((places, also)))
    sizes = sizes[sizes >= least]
    found = [scene.predict(scene.sized(size)) for size in sizes]
    # the first load at which nothing is left to say ends the curve
    points = int(np.isfinite([one.response_time.low for one in found]).sum()) + 1
    sizes, found = sizes[:points], found[:points]
    response = band(np.array([one.response_time_s for one in found]))
    throughput = band(np.array([one.throughput_per_s for one in found]))
    if scene.load.kind == "closed":
        limits = scene.knee(), scene.most_per_s, scene.least_s
    else:
        limits = _most_power(sizes, response.value), end, 0.0
    return Curve(sizes, response, throughput, end, *limits)


def breaks(curve: Curve, target_s: float) -> Break:
    """The load from which on a target of the mean response time is missed, and its interval.

    The interval is where a new run's own break would lie: R rises with the load, so that the interval of R at a load,
    read sideways, is the interval of the load.
    """
    sizes, response = curve.sizes, curve.response_s
    after = np.append(sizes[1:], math.inf)
    return Break(
        _crossing(sizes, response.value, target_s, np.minimum(after, curve.end)),
        _crossing(sizes, response.high, target_s, sizes),
        _crossing(sizes, response.low, target_s, after),
    )


def _crossing(sizes: Array, response_s: Array, target_s: float, beyond: Array) -> float:
    """Where a curve rises through the target the last time.

    ``beyond`` is what to say where it has no value any more after a point that met the target, an entry a point.
    """
    met = response_s <= target_s
    if not met.any():
        return 0.0
    last = int(np.flatnonzero(met)[-1])
    if last + 1 == len(sizes):
        return math.inf
    above = response_s[last + 1]
    if not math.isfinite(above):
        return float(beyond[last])
    part = (target_s - response_s[last]) / (above - response_s[last])
    return float(sizes[last] + part * (sizes[last + 1] - sizes[last]))


def _most_power(rates: Array, response_s: Array) -> float:
    """The rate of the greatest X/R, by the parabola through the greatest and its neighbours."""
    finite = np.isfinite(response_s)
    x, y = rates[finite], rates[finite] / response_s[finite]
    top = int(np.argmax(y))
    if not 0 < top < len(x) - 1:
        return float(x[top])
    near = slice(top - 1, top + 2)
    a, b, _ = np.polyfit(x[near], y[near], 2)
    return float(-b / (2 * a)) if a < 0 else float(x[top])
