"""Synthetic observations: a run whose demands, response time and host are given numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.demands.service_demand import Demand, RunDemands
from pipeline.measure.load import Load
from pipeline.model.fit import fit_host, with_run_demands
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
    relative_sd: float = 0.0,
    **changed,
) -> Observation:
    """A run under ``load`` with these demands. Draws differ from the value by ``relative_sd``, the same each time.

    ``throughput_per_s`` is the load's rate if it is not given; other fields of ``Observation`` by name.
    """
    rate = throughput_per_s if throughput_per_s is not None else load.rate_per_s or 10.0
    done = rate * load.duration_s
    random = np.random.default_rng(1)

    def demand(station: str, value: float) -> Demand:
        draws = value * (1 + relative_sd * random.normal(size=DRAWS))
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


def simulate_response(run: Observation, model: HostModel) -> Observation:
    """The same run with X and R that the model gives for its own demands.

    Such runs test that a fit recovers the model; whether the model is right is tested against independent sources.
    """
    prediction = with_run_demands(run, model).predict(run.load)
    return replace(
        run,
        throughput_per_s=float(prediction.throughput_per_s[0]),
        response_time_s=float(prediction.response_time_s[0]),
    )


def by_spacing(load: Load) -> float:
    """c_a² as the load's word says."""
    return SCV[load.arrivals or POISSON]


Spacing = Callable[[Load], float]


# -- a study with co-located runs ------------------------------------------------------------------------

KNOWN = {"host_cpu_s": 0.010, "guest_cpu_s": 0.006, "vdisk_s": 0.004, "disk_s": 0.003}
TWICE = {**KNOWN, "host_cpu_s": 0.020}


def runs_alone(**changed) -> list[Observation]:
    """A web server's runs at six open loads, its response times by the model fitted to them."""
    loads = [open_load(rate, spacing) for rate in (10, 30, 50) for spacing in (EVEN, POISSON)]
    plain = [observation(load, **{**KNOWN, **changed}) for load in loads]
    like = fit_host(plain)
    return [simulate_response(one, like) for one in plain]


def run_colocated(run: str, rate: float = 5.0, **changed) -> Observation:
    """A run of the web server beside a loaded neighbour: a request takes twice the CPU time."""
    return replace(observation(open_load(rate), **{**TWICE, **changed}), run=run, is_alone=False)


def colocated_study() -> list[Observation]:
    """A web server alone, a database alone, and both, in which a web request takes twice the CPU time."""
    web = runs_alone()
    db = [
        replace(observation(closed_load(n), **KNOWN), virtual_server="db", run=f"db-{n}")
        for n in (1, 4, 16)
    ]
    both = []
    for name, out in (("both-a", False), ("both-b", True)):
        mine = run_colocated(name, neighbour_cpu=0.9)
        guess = with_run_demands(mine, fit_host(web)).predict(mine.load)
        both.append(replace(mine, held_out=out, response_time_s=float(guess.response_time_s[0])))
        both.append(
            replace(
                observation(closed_load(16), **KNOWN, neighbour_cpu=0.1),
                virtual_server="db",
                run=name,
                is_alone=False,
                held_out=out,
            )
        )
    return [*web, *db, *both]
