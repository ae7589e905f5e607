"""Observations with demands that are known: what a run would say if everything about it were so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.demands.service_demand import Demand, RunDemands
from pipeline.measure.load import Load
from pipeline.model.fit import with_run_demands
from pipeline.model.host import HostModel
from pipeline.model.observation import Observation

DRAWS = 8
EVEN, POISSON = "even", "poisson"
SCV = {EVEN: 0.0, POISSON: 1.0}


def open_load(rate_per_s: float, arrivals: str = POISSON, duration_s: float = 60.0) -> Load:
    return Load("open", rate_per_s=float(rate_per_s), arrivals=arrivals, duration_s=duration_s)


def closed_load(population: int, think_time_s: float = 0.0, duration_s: float = 60.0) -> Load:
    return Load("closed", population=population, think_time_s=think_time_s, duration_s=duration_s)


def observation(
    load: Load,
    *,
    host_cpu_s: float = 0.010,
    guest_cpu_s: float | None = None,
    vdisk_s: float = 0.0,
    disk_s: float = 0.0,
    background_cpus: float = 0.0,
    throughput_per_s: float | None = None,
    response_time_s: float = 0.02,
    scatter: float = 0.0,
    **changed,
) -> Observation:
    """A run under ``load`` with these demands. Draws are ``scatter`` (relative) about the value, the same each time.

    ``throughput_per_s`` is the load's rate if it is not given; other fields of ``Observation`` by name.
    """
    rate = throughput_per_s if throughput_per_s is not None else load.rate_per_s or 10.0
    done = rate * load.duration_s
    random = np.random.default_rng(1)

    def demand(station: str, value: float) -> Demand:
        draws = value * (1 + scatter * random.normal(size=DRAWS))
        busy = value * done + background_cpus * load.duration_s * (station == "host_cpu")
        background = background_cpus if station == "host_cpu" else 0.0
        return Demand(station, value, draws.min(), draws.max(), draws, busy, background)

    values = {
        "guest_cpu": host_cpu_s if guest_cpu_s is None else guest_cpu_s,
        "host_cpu": host_cpu_s,
        "vdisk": vdisk_s,
        "disk": disk_s,
    }
    name = f"{load.level:g}-{load.arrivals or 'threads'}"
    estimate = RunDemands(
        "first", name, "web", load.duration_s, done,
        {station: demand(station, value) for station, value in values.items()},
        {}, np.full(DRAWS, rate),
    )  # fmt: skip
    fields = {
        "server": "first", "run": name, "virtual_server": "web", "held_out": False, "is_alone": True,
        "capacity_cpus": 1.0, "neighbour_cpu": 0.0, "errors": 0, "has_steal_clock": True,
        "arrival_scv": SCV.get(load.arrivals) if load.kind == "open" else None,
        "operations_per_request": {"vdisk": 1.0, "disk": 1.0},
    }  # fmt: skip
    return Observation(
        load=load, run_demands=estimate, throughput_per_s=rate, response_time_s=response_time_s,
        **{**fields, **changed},
    )  # fmt: skip


def answered(one: Observation, like: HostModel) -> Observation:
    """The same run with the throughput and response time that the model of its own demands gives."""
    found = with_run_demands(one, like).predict(one.load)
    return replace(
        one,
        throughput_per_s=float(found.throughput_per_s[0]),
        response_time_s=float(found.response_time_s[0]),
    )


def by_spacing(load: Load) -> float:
    """c_a² as the load's word says."""
    return SCV[load.arrivals or POISSON]


Spacing = Callable[[Load], float]
