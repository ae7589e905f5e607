"""Designed experiments of a study: their factors, and what each planned run measured.

One experiment per virtual server that runs measure. A response is measured once and read here: R and X as the client
reports them (:mod:`pipeline.measure.clients`), demands as of :mod:`pipeline.demands.service_demand`. Two covariates
describe the machine during a run; they are no factors, and no effect is adjusted for them unless it is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.evaluate import texts
from pipeline.measure.clients import client_result, client_rows
from pipeline.measure.virtual_server import RunCounters
from pipeline.measure.window import MissingData
from pipeline.model.observation import Observation
from pipeline.raw import Factor, FactorRun, Run, Study


@dataclass(frozen=True)
class Response:
    """A quantity that is measured in every run."""

    column: str
    """Its column in the frame of runs, with the unit."""
    symbol: str
    title: str
    unit: str
    station: str | None = None
    """The station whose service demand it is."""


RESPONSES = {
    response.column: response
    for response in (
        Response("R_ms", "R", "response time", "ms"),
        Response("X_per_s", "X", "throughput", "1/s"),
        Response("D_cpu_ms", "D_cpu", "CPU demand on the host", "ms", "host_cpu"),
        Response(
            "T_cpu_ms", "T_cpu", "CPU time on the host per request, background included", "ms"
        ),
        Response("B_cpus", "B_cpu", "CPU use on the host without requests", "CPUs"),
        Response("D_vdisk_ms", "D_vdisk", "demand at the guest's disk", "ms", "vdisk"),
        Response("D_disk_ms", "D_disk", "demand at the host's disk", "ms", "disk"),
    )
}
"""The responses by column: R and X as the client measured them, demands per request, and two parts of the CPU demand,
which is their difference: where it is small, they are more certain."""

COVARIATES = {
    "memory_latency_ns": "memory latency of the machine (ns)",
}
"""Covariate → its title."""

RUN_COLUMNS = {
    "server": pl.String,
    "run": pl.String,
    "order": pl.Int64,
    "block": pl.String,
    "replicate": pl.Int64,
    "cell": pl.Int64,
    "is_recorded": pl.Boolean,
}
"""Columns of the frame of runs before those of the factors, responses and covariates."""
MISSING = "missing"
"""The last column of the frame of runs: why its values are null."""

_LATENCY = re.compile(r"memory latency under load[^:]*: (\d{1,6}) ns per access")


@dataclass(frozen=True)
class Experiment:
    """The designed experiment on one virtual server."""

    virtual_server: str
    title: str
    factors: dict[str, Factor]
    """Factors that its plan varies, by name."""
    constant: dict[str, Factor]
    """Factors of the study that its plan does not vary."""
    planned: tuple[FactorRun, ...]

    @property
    def has_blocks(self) -> bool:
        """Whether its runs are in several blocks."""
        return len({run.block for run in self.planned if run.block is not None}) > 1


def list_experiments(study: Study) -> list[Experiment]:
    """The designed experiments of a study, in the order of its virtual servers."""
    by_server: dict[str, list[FactorRun]] = {}
    for run in study.factor_runs:
        by_server.setdefault(run.virtual_server, []).append(run)
    experiments = []
    for name in study.ordered(by_server):
        planned = by_server[name]
        varied = {
            factor: {run.signs[factor] for run in planned if factor in run.signs} == {-1, 1}
            for factor in study.factors
        }
        experiments.append(
            Experiment(
                name,
                study.title_of(name),
                {factor: study.factors[factor] for factor, is_varied in varied.items() if is_varied},
                {factor: study.factors[factor] for factor, is_varied in varied.items() if not is_varied},
                tuple(planned),
            )
        )  # fmt: skip
    return experiments


def measure_runs(
    experiment: Experiment,
    recorded: Sequence[Run],
    observations: Sequence[Observation],
    not_observed: Mapping[str, str],
    processed: Path,
) -> pl.DataFrame:
    """What each planned run of an experiment measured.

    Parameters
    ----------
    experiment
        Of the study.
    recorded
        The runs on disk.
    observations, not_observed
        Of them, as of :func:`pipeline.model.observation.observe_study`; reasons by ``server/run/virtual server``, or by
        ``server/run`` where a run could not be ingested.
    processed
        Folder of the ingested tables.

    Returns
    -------
    DataFrame
        One row per planned run, in the order of recording: ``RUN_COLUMNS``, a column per factor (−1 or +1, null where
        study.json gives none), the responses, the covariates, and ``MISSING``.
    """
    names = factor_columns(experiment)
    observed = {
        (each.server, each.run): each
        for each in observations
        if each.virtual_server == experiment.virtual_server
    }
    on_disk = {(run.server, run.run): run for run in recorded}
    rows = []
    for plan in experiment.planned:
        key = (plan.server, plan.run)
        run = on_disk.get(key)
        values, reasons = _measured(
            run, observed.get(key), experiment.virtual_server, not_observed, processed
        )
        block = None if plan.block is None else str(plan.block)
        numbers = (plan.order, block, plan.replicate, plan.cell, run is not None)
        signs = {column: plan.signs.get(factor) for factor, column in names.items()}
        rows.append(
            dict(zip(RUN_COLUMNS, (*key, *numbers), strict=True))
            | signs
            | values
            | {MISSING: "; ".join(dict.fromkeys(reasons)) or None}
        )
    schema = {
        **RUN_COLUMNS,
        **dict.fromkeys(names.values(), pl.Int8),
        **dict.fromkeys([*RESPONSES, *COVARIATES], pl.Float64),
        MISSING: pl.String,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").sort(
        "order", nulls_last=True, maintain_order=True
    )


def factor_columns(experiment: Experiment) -> dict[str, str]:
    """Factor → its column in the frame of runs: its name, unless that is another column's."""
    taken = {*RUN_COLUMNS, *RESPONSES, *COVARIATES, MISSING}
    return {
        name: f"{name}_factor" if name in taken or name.endswith("_factor") else name
        for name in experiment.factors
    }


def _measured(
    run: Run | None,
    observation: Observation | None,
    virtual_server: str,
    not_observed: Mapping[str, str],
    processed: Path,
) -> tuple[dict[str, float | None], list[str]]:
    """Responses and covariates of a run, and reasons for those that are null."""
    if run is None:
        return {}, [texts.NOT_RECORDED]
    if (failed := not_observed.get(f"{run.server}/{run.run}")) is not None:
        return {}, [failed]
    values: dict[str, float | None] = {"memory_latency_ns": memory_latency_ns(run)}
    reasons: list[str] = []
    if observation is None:
        reason = not_observed.get(f"{run.server}/{run.run}/{virtual_server}", texts.NO_LOAD)
        client, more = _client_figures(run, virtual_server, processed)
        return values | client, [reason, *more]
    values["R_ms"] = observation.response_time_s * 1e3
    values["X_per_s"] = observation.throughput_per_s
    demands = observation.run_demands
    for response in RESPONSES.values():
        if response.station is None:
            continue
        demand = demands.demands.get(response.station)
        if demand is not None and demand.value_s > 0:
            values[response.column] = demand.value_s * 1e3
        else:  # 0 is what the background leaves of a use that is no larger
            reason = demands.missing.get(response.station, texts.NO_DEMAND)
            reasons.append(f"{response.symbol}: {texts.NOT_ABOVE_BACKGROUND if demand else reason}")
    cpu = demands.demands.get("host_cpu")
    if cpu is not None and demands.completions > 0:
        values["T_cpu_ms"] = cpu.busy_s / demands.completions * 1e3
        if run.idle_before is not None:
            values["B_cpus"] = cpu.background_per_s
    return values, reasons


def _client_figures(
    run: Run, virtual_server: str, processed: Path
) -> tuple[dict[str, float | None], list[str]]:
    """R and X of a run without an observation: the client's own."""
    server = run.virtual_servers.get(virtual_server)
    if server is None or server.workload is None:
        return {}, []
    try:
        client = client_result(client_rows(RunCounters(run, server, processed).tables, server))
    except MissingData as reason:
        return {}, [str(reason)]
    r = client.response_time_mean_s
    return {"R_ms": None if r is None else r * 1e3, "X_per_s": client.throughput_per_s}, []


def memory_latency_ns(run: Run) -> float | None:
    """Median memory latency of the machine during the load, as the testbed notes it in run.json."""
    for note in run.notes:
        if match := _LATENCY.match(note):
            return float(match[1])
    return None
