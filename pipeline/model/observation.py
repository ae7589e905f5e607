"""One virtual server under load in one run: the load, its service demands, and what the client measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.bootstrap import DRAWS
from pipeline.demands.service_demand import RunDemands, estimate_demands
from pipeline.ingest.stored import RESULTS, partition_path, read_manifest
from pipeline.measure.arrivals import count_dispersion, counts_per_second
from pipeline.measure.clients import client_result, client_rows
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.measure.load import Load, logged_arrivals, stated_load, with_arrival_trace
from pipeline.measure.run_tables import require_recorded
from pipeline.measure.time_series import load_series
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.measure.window import MissingData
from pipeline.model import texts
from pipeline.model.stored import (
    Busy,
    decode,
    digest_of,
    encode,
    result_key,
    stored_or_computed,
)
from pipeline.raw import HOST, Run, Study, VirtualServer, Window

Array = NDArray[np.float64]

STUDY_DRAWS = 300
"""Bootstrap draws per run when a whole study is observed, the same for every page: calibration weighs runs by the
spread of their draws."""
SERIES_STEP_S = 5.0
"""Windows of the neighbours' CPU series; their background work recurs every second."""


Deployment = tuple[str, str]
"""A server and a virtual server on it."""


@dataclass(frozen=True, eq=False)
class Observation:
    """One virtual server under load in one run."""

    server: str
    run: str
    virtual_server: str
    load: Load
    held_out: bool
    """Whether study.json excludes the run from every fit."""
    is_alone: bool
    """Whether no other virtual server of the host was loaded."""
    capacity_cpus: float
    """CPUs that the guests of this server may use together."""
    neighbour_cpu: float
    """CPUs that the QEMU processes of the other virtual servers used on average during the load."""
    neighbour_cpu_series: Array | None = field(default=None, repr=False, kw_only=True)
    """The same over time: seconds since the load began and CPUs, shape (2, windows); None without a trace."""
    window: Window | None = field(default=None, kw_only=True)
    """The load on the client's clock."""
    run_demands: RunDemands = field(repr=False)
    throughput_per_s: float
    """X, measured by the client."""
    response_time_s: float
    """Mean R, measured by the client."""
    errors: int
    has_steal_clock: bool
    """Whether the guest's CPU accounting excludes time stolen by the host; not so under emulation."""
    arrival_scv: float | None
    """Open: squared coefficient of variation of the interarrival times, from the trace or counts per second."""
    operations_per_request: dict[str, float]
    """``vdisk`` and ``disk`` → completed operations per request, background included."""
    flags: tuple[str, ...] = ()
    results: Path | None = field(default=None, repr=False, kw_only=True)
    """Folder of stored results (:mod:`pipeline.model.stored`); fits to runs without one are not stored."""

    @cached_property
    def digest(self) -> str:
        """A hash of all but ``results``."""
        return digest_of(replace(self, results=None))

    @property
    def deployment(self) -> Deployment:
        """The server and the virtual server."""
        return self.server, self.virtual_server

    @property
    def path(self) -> str:
        """``server/run``, as study.json names it."""
        return f"{self.server}/{self.run}"

    @property
    def is_saturated(self) -> bool:
        """Whether the client reported errors or fewer than 95 % of the requested replies per second."""
        rate = self.load.rate_per_s
        return self.errors > 0 or (rate is not None and self.throughput_per_s < 0.95 * rate)


def observe_study(
    study: Study,
    processed: Path | str,
    *,
    draws: int = STUDY_DRAWS,
    runs: Iterable[Run] | None = None,
) -> tuple[list[Observation], dict[str, str]]:
    """Observe every loaded virtual server of the ingested runs of a study.

    What another process computes at the same time is left to it, and read at the end.

    Parameters
    ----------
    study
        The study; its ``held_out`` marks the runs that no fit may use.
    processed
        Folder of the ingested tables.
    draws
        Bootstrap draws per run.
    runs
        The runs to observe; all of the study if None.

    Returns
    -------
    observations
        One per virtual server and run.
    missing
        ``server/run/virtual server`` → why it could not be observed.
    """
    loaded = [
        (run, server)
        for run in (study.runs() if runs is None else runs)
        for server in run.virtual_servers.values()
        if server.workload is not None
    ]
    results: list[Observation | MissingData | None] = [None] * len(loaded)
    for wait in (False, True):
        for i, (run, server) in enumerate(loaded):
            if results[i] is None:
                with suppress(Busy):
                    results[i] = _observed(study, run, server, processed, draws, wait=wait)
    observations = [result for result in results if isinstance(result, Observation)]
    missing = {
        f"{run.server}/{run.run}/{server.name}": str(result)
        for (run, server), result in zip(loaded, results, strict=True)
        if isinstance(result, MissingData)
    }
    return observations, missing


def observe(
    study: Study, run: Run, server: VirtualServer, processed: Path | str, *, draws: int = DRAWS
) -> Observation:
    """Observe one virtual server in one run: its load, demands, and the client's X and R.

    The observation is stored below ``processed`` (:mod:`pipeline.model.stored`) and read from there if nothing has
    changed that it is computed from.

    Raises ``MissingData`` without a load, without the host's task counters, without the client's figures, or where the
    number of CPUs is unknown.
    """
    result = _observed(study, run, server, processed, draws)
    if isinstance(result, MissingData):
        raise result
    return result


def _observed(
    study: Study,
    run: Run,
    server: VirtualServer,
    processed: Path | str,
    draws: int,
    *,
    wait: bool = True,
) -> Observation | MissingData:
    """An observation, or why there is none. Raises ``Busy``."""

    def compute() -> dict[str, Any]:
        try:
            return {"observation": encode(_observe(study, run, server, processed, draws))}
        except MissingData as reason:
            return {"missing": str(reason)}

    partition = partition_path((run.study, run.server, run.run))
    ingested = read_manifest(Path(processed), partition)
    if ingested is None:  # the tables say why
        return _observe(study, run, server, processed, draws)
    folder = Path(processed) / RESULTS / partition.parts[0]
    path = folder / "observations" / Path(*partition.parts[1:]) / f"{server.name}-{draws}.json"
    key = result_key(ingested["key"], run.id, run.manifest, study.manifest, server.name, draws)
    result = stored_or_computed(path, key, compute, wait=wait)
    if "missing" in result:
        return MissingData(result["missing"])
    return replace(decode(Observation, result["observation"]), results=folder)


def _observe(
    study: Study, run: Run, server: VirtualServer, processed: Path | str, draws: int
) -> Observation:
    if server.workload is None:
        raise MissingData(texts.NO_LOAD)
    counters = RunCounters(run, server, processed)
    _require_host_counters(counters)
    run_demands = estimate_demands(counters, draws=draws)
    reports = client_rows(counters.tables, server)
    client = client_result(reports)
    if client.throughput_per_s is None or client.response_time_mean_s is None:
        raise MissingData(texts.NO_CLIENT_FIGURES)
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
        capacity_cpus=_capacity_cpus(study, run),
        neighbour_cpu=_neighbour_cpu(counters),
        window=counters.window,
        neighbour_cpu_series=None
        if load.interarrival_s is None
        else _neighbour_cpu_series(counters),
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
    """Of the trace where it is known; else by counts in whole seconds of the server's own log.

    Not by the windows of the series: interpolation between windows smooths the counts.
    """
    gaps = load.interarrival_s
    if gaps is not None:
        return float(gaps.var() / gaps.mean() ** 2)
    scv = count_dispersion(counts_per_second(at_ns, window))
    return None if np.isnan(scv) else scv


def _require_host_counters(counters: RunCounters) -> None:
    require_recorded(counters.run, HOST)
    if counters.tables.table("task_processes", HOST).is_empty():
        raise MissingData(texts.NO_TASK_COUNTERS)


def _capacity_cpus(study: Study, run: Run) -> float:
    limit = cpu_limit(study, run)
    if limit.is_assumed:
        raise MissingData(texts.NO_CPU_COUNT)
    return limit.cpus


def _neighbour_cpu(counters: RunCounters) -> float:
    used = value_or_reason(lambda: counters.increase_per_s("neighbour_cpu"))
    return 0.0 if isinstance(used, str) else used


def _neighbour_cpu_series(counters: RunCounters) -> Array | None:
    frame = load_series(counters, SERIES_STEP_S).frame
    if "neighbour_cpu" not in frame or len(frame) < 2:
        return None
    middle = frame["start_s"] + frame["length_s"] / 2
    return np.stack((middle.to_numpy(), (frame["neighbour_cpu"] / frame["length_s"]).to_numpy()))


def stack_demands(observations: Sequence[Observation], station: str) -> Array:
    """Demands at a station, shape (runs, 1 + draws), column 0 the estimates. Raises ``MissingData``."""
    demands = [observation.run_demands.demand(station) for observation in observations]
    return np.array([np.concatenate(([d.value_s], d.draws_s)) for d in demands])


def mean_demand(observations: Sequence[Observation], station: str) -> Array:
    """Mean demand at a station over runs, shape (1 + draws,)."""
    return stack_demands(observations, station).mean(axis=0)


def arrival_scv(observations: Sequence[Observation], load: Load) -> float:
    """c_a² for a load: the least value measured at loads with the same spacing of arrivals.

    A busy server logs when it reads requests, which only adds variability to the arrivals. 1 (Poisson) without a
    measured value.
    """
    measured = [
        observation.arrival_scv
        for observation in observations
        if observation.arrival_scv is not None
        and observation.load.arrivals == load.arrivals
        and not observation.is_saturated
    ]
    return float(np.clip(min(measured), 0.0, 10.0)) if measured else 1.0
