"""What one experiment says about one virtual server: the load, its demands, and what the client measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.bootstrap import DRAWS
from pipeline.demands.service_demand import RunDemands, estimate_demands
from pipeline.measure.arrivals import count_dispersion, counts_per_second
from pipeline.measure.clients import client_result, client_rows
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.measure.load import Load, logged_arrivals, stated_load, with_arrival_trace
from pipeline.measure.time_series import load_series
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.measure.window import MissingData
from pipeline.raw import Run, Study, VirtualServer, Window

Array = NDArray[np.float64]

STUDY_DRAWS = 300
"""Bootstrap draws of a run where a whole study is observed. Every page has as many: a calibrated form depends on them
a little, as they say how sure a run's demand is."""
SERIES_STEP_S = 5.0
"""Windows in which the neighbours' CPU use is followed: their own work comes once a second."""


Deployment = tuple[str, str]
"""Server and virtual server."""


@dataclass(frozen=True)
class Observation:
    """One virtual server under load in one run."""

    server: str
    run: str
    virtual_server: str
    load: Load
    held_out: bool
    """Whether study.json keeps the run out of every fit."""
    is_alone: bool
    """Whether no other virtual server of the host had a load."""
    capacity_cpus: float
    """CPUs that the guests of this server may use together."""
    neighbour_cpu: float
    """CPU seconds a second that the other virtual servers' QEMUs used meanwhile."""
    neighbour_cpu_series: Array | None = field(default=None, repr=False, kw_only=True)
    """The same over the run: seconds since the load began and CPUs, shape (2, windows); None where it is not known, or
    not when requests came."""
    window: Window | None = field(default=None, kw_only=True)
    """When the load was there, the client's clock."""
    run_demands: RunDemands = field(repr=False)
    throughput_per_s: float
    """X that the client measured."""
    response_time_s: float
    """R that the client measured, the mean."""
    errors: int
    has_steal_clock: bool
    """Whether the guest knows when the host takes its CPU away; without, it counts that time as used (emulation)."""
    arrival_scv: float | None
    """Open: squared coefficient of variation of the times between arrivals, known or by counts a second."""
    operations_per_request: dict[str, float]
    """``vdisk`` and ``disk`` → completed operations a request, the background's included."""
    flags: tuple[str, ...] = ()

    @property
    def deployment(self) -> Deployment:
        """Where it was measured."""
        return self.server, self.virtual_server

    @property
    def path(self) -> str:
        """``server/run``, as study.json names it."""
        return f"{self.server}/{self.run}"

    @property
    def is_saturated(self) -> bool:
        """Whether the server did not keep up: the client gave up on requests, or got fewer replies than asked."""
        rate = self.load.rate_per_s
        return self.errors > 0 or (rate is not None and self.throughput_per_s < 0.95 * rate)


def observe_study(
    study: Study,
    processed: Path | str,
    *,
    draws: int = STUDY_DRAWS,
    runs: Iterable[Run] | None = None,
) -> tuple[list[Observation], dict[str, str]]:
    """Everything a study's ingested runs say; what could not be observed, as ``server/run/virtual server`` → why."""
    found: list[Observation] = []
    lost: dict[str, str] = {}
    for run in study.runs() if runs is None else runs:
        for server in run.virtual_servers.values():
            if server.workload is None:
                continue
            try:
                found.append(observe(study, run, server, processed, draws=draws))
            except MissingData as reason:
                lost[f"{run.server}/{run.run}/{server.name}"] = str(reason)
    return found, lost


def observe(
    study: Study, run: Run, server: VirtualServer, processed: Path | str, *, draws: int = DRAWS
) -> Observation:
    """One virtual server in one run. Raises ``MissingData`` without a load or a client's report."""
    if server.workload is None:
        raise MissingData("no load on this virtual server")
    counters = RunCounters(run, server, processed)
    run_demands = estimate_demands(counters, draws=draws)
    reports = client_rows(counters.tables, server)
    client = client_result(reports)
    if client.throughput_per_s is None or client.response_time_mean_s is None:
        raise MissingData("the client printed no throughput or no response time")
    load = stated_load(counters)
    logged = logged_arrivals(counters) if load.kind == "open" else None
    if logged is not None:
        load = with_arrival_trace(load, reports["tool"][0], client.connections, *logged)
    loaded = [s for s in run.virtual_servers.values() if s.workload is not None]
    return Observation(
        server=run.server,
        run=run.run,
        virtual_server=server.name,
        load=load,
        held_out=f"{run.server}/{run.run}" in study.held_out,
        is_alone=len(loaded) == 1,
        capacity_cpus=_capacity(study, run),
        neighbour_cpu=_others(counters),
        window=counters.window,
        neighbour_cpu_series=None if load.interarrival_s is None else _others_course(counters),
        run_demands=run_demands,
        throughput_per_s=client.throughput_per_s,
        response_time_s=client.response_time_mean_s,
        errors=client.errors or 0,
        has_steal_clock=run.accelerator == "kvm",
        arrival_scv=None if logged is None else _arrival_scv(load, *logged),
        operations_per_request={
            disk: counters.increase(f"{disk}_operations").value / run_demands.completions
            for disk in ("vdisk", "disk")
        },
        flags=(*run_demands.flags, *client.flags),
    )


def _arrival_scv(load: Load, at_ns: NDArray[np.int64], window: Window) -> float | None:
    """Of the gaps themselves where they are known; else by counts in whole seconds of the server's own log.

    The log's seconds, not the series' windows: to spread a second's requests over two windows evens them out.
    """
    gaps = load.interarrival_s
    if gaps is not None:
        return float(gaps.var() / gaps.mean() ** 2)
    scv = count_dispersion(counts_per_second(at_ns, window))
    return None if np.isnan(scv) else scv


def _capacity(study: Study, run: Run) -> float:
    envelope = cpu_limit(study, run)
    if envelope.is_assumed:
        raise MissingData(
            "neither study.json nor the host's facts.json says how many CPUs there are"
        )
    return envelope.cpus


def _others(counters: RunCounters) -> float:
    used = value_or_reason(lambda: counters.increase_per_s("neighbour_cpu"))
    return 0.0 if isinstance(used, str) else used


def _others_course(counters: RunCounters) -> Array | None:
    frame = load_series(counters, SERIES_STEP_S).frame
    if "neighbour_cpu" not in frame or len(frame) < 2:
        return None
    middle = frame["start_s"] + frame["length_s"] / 2
    return np.stack((middle.to_numpy(), (frame["neighbour_cpu"] / frame["length_s"]).to_numpy()))


def stack_demands(observations: Sequence[Observation], station: str) -> Array:
    """A station's demands, shape (runs, 1 + draws), column 0 the estimates. Raises ``MissingData``."""
    found = [one.run_demands.demand(station) for one in observations]
    return np.array([np.concatenate(([d.value_s], d.draws_s)) for d in found])


def mean_demand(observations: Sequence[Observation], station: str) -> Array:
    """The mean over runs: what a model has that takes a demand for a constant."""
    return stack_demands(observations, station).mean(axis=0)


def arrival_scv(observations: Sequence[Observation], load: Load) -> float:
    """c_a² measured at the fitted loads of the same spacing: the least, since a busy server's log, which tells when
    requests were read, only adds to what the client did. Poisson's 1 where none was measured."""
    alike = [
        one.arrival_scv
        for one in observations
        if one.arrival_scv is not None
        and one.load.arrivals == load.arrivals
        and not one.is_saturated
    ]
    return float(np.clip(min(alike), 0.0, 10.0)) if alike else 1.0


def capacity(observations: Sequence[Observation]) -> float:
    """CPUs that the guests may use together."""
    return observations[0].capacity_cpus
