"""Decomposition of a prediction's error by cause, in milliseconds, from the logs of the run itself.

The prediction is changed step by step into the model with what was measured in the run, its response times excepted:
the number of requests, the demands at CPU and disks, the neighbours' CPU use and its variation. Each step's difference
is one term; the residual is the error of the model's form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import attributed_share
from pipeline.model.colocation import HostModels, models_when_colocated
from pipeline.model.fit import group_by_deployment, model_error_sd, with_run_demands
from pipeline.model.host import HostModel
from pipeline.model.observation import Deployment, Observation

Array = NDArray[np.float64]

ERROR_DECOMPOSITION = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "run": pl.String,
        "load": pl.String,
        "kind": pl.String,
        "is_alone": pl.Boolean,
        "kept_up": pl.Boolean,
        "utilization": pl.Float64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "predicted_ms": pl.Float64,
        "arrivals_ms": pl.Float64,
        "cpu_demand_ms": pl.Float64,
        "disk_demand_ms": pl.Float64,
        "contention_ms": pl.Float64,
        "contention_timing_ms": pl.Float64,
        "residual_ms": pl.Float64,
        "residual_se_ms": pl.Float64,
        "measured_ms": pl.Float64,
        "error_ms": pl.Float64,
        "attributed": pl.Float64,
        "note": pl.String,
    }
)
"""One row per held-out run. ``is_alone``: no other virtual server was loaded; ``kept_up``: R has a steady state;
``utilization``: as predicted, for an open load alone; ``X_per_s``: predicted. predicted + the five steps + residual =
measured; ``error_ms`` = measured − predicted; ``attributed`` is the share of it that the steps sum to. A null step is
unbounded: the next finite one contains both. ``contention_ms``: the neighbours' mean CPU use;
``contention_timing_ms``: that it varied over the run, 0 without an arrival trace. ``residual_se_ms``: standard error of
the residual, from the errors of the fitted runs with their own demands; null with fewer than three of them."""


def decompose_errors(
    observations: Sequence[Observation], models: Mapping[Deployment, HostModels]
) -> pl.DataFrame:
    """Decompose the error of every held-out run, alone or co-located. Schema: ``ERROR_DECOMPOSITION``.

    ``models``: those of :func:`pipeline.model.colocation.fit_deployments`.
    """
    rows, error_sds = [], {}
    for group in group_by_deployment(observations):
        if group.deployment in models:
            model = models[group.deployment].alone.point_estimate()
            error_sds[group.deployment] = error_sd = model_error_sd(model, group.fitted_runs)
            rows += [_row(model, run, error_sd) for run in group.all_runs if run.held_out]
    for guests in models_when_colocated(observations, models).values():
        rows += [
            _row(guest_models.colocated.point_estimate(), run, error_sds[run.deployment])
            for guest_models, run in guests
            if run.held_out
        ]
    return pl.DataFrame(rows, schema=ERROR_DECOMPOSITION, orient="row")


def _row(model: HostModel, run: Observation, error_sd: float | None) -> dict:
    steps, note = decompose_error(model, run)
    is_alone = run.is_alone and run.load.kind == "open"
    measured = run.response_time_s * 1e3
    predicted = steps.pop("predicted_ms")
    modelled = sum(value for value in (predicted, *steps.values()) if value is not None)
    error = None if predicted is None else measured - predicted
    return {
        "server": run.server,
        "virtual_server": run.virtual_server,
        "run": run.run,
        "load": run.load.label,
        "kind": run.load.kind,
        "is_alone": run.is_alone,
        "kept_up": not run.is_saturated,
        "utilization": float(model.utilization(run.load)[0]) if is_alone else None,
        "X_measured_per_s": run.throughput_per_s,
        "X_per_s": float(model.throughput(run.load)[0]),
        "predicted_ms": predicted,
        **steps,
        "residual_ms": measured - modelled,
        "residual_se_ms": None if error_sd is None else error_sd * modelled,
        "measured_ms": measured,
        "error_ms": error,
        "attributed": attributed_share(error, measured - modelled),
        "note": note,
    }


def decompose_error(
    model: HostModel, run: Observation
) -> tuple[dict[str, float | None], str | None]:
    """The terms from the prediction of a run to the model with its measured inputs, in order, and a note."""
    with_demands = with_run_demands(run, model)
    arrived = run.load
    if arrived.kind == "open" and arrived.interarrival_s is None and not run.errors:
        arrived = replace(arrived, rate_per_s=max(run.throughput_per_s, 1e-9))
    stages = {
        "predicted_ms": (model, run.load),
        "arrivals_ms": (model, arrived),
        "cpu_demand_ms": (
            replace(model, cpu=with_demands.cpu, pre_reply=with_demands.pre_reply),
            arrived,
        ),
        "disk_demand_ms": (replace(with_demands, resources=model.resources), arrived),
        "contention_ms": (with_demands, arrived),
    }
    steps: dict[str, float | None] = {}
    previous_ms = 0.0
    for name, (staged_model, load) in stages.items():
        modelled_ms = float(staged_model.predict(load).response_time_s[0]) * 1e3
        steps[name] = modelled_ms - previous_ms if np.isfinite(modelled_ms) else None
        previous_ms = modelled_ms if np.isfinite(modelled_ms) else previous_ms
    note = None
    if steps["contention_ms"] is None:
        note = texts.NO_STEADY_STATE
    steps["contention_timing_ms"] = _contention_timing_s(with_demands, run) * 1e3
    return steps, note


def _contention_timing_s(model: HostModel, run: Observation) -> float:
    """Additional mean wait because the neighbours' CPU use varied over the run."""
    interarrival_s = run.load.interarrival_s
    if interarrival_s is None or run.neighbour_cpu_series is None:
        return 0.0
    neighbour_cpus = np.interp(np.cumsum(interarrival_s), *run.neighbour_cpu_series)
    varying_s, constant_s = (
        model.wait_with_varying_neighbours(run.load, x)
        for x in (neighbour_cpus, np.full_like(neighbour_cpus, neighbour_cpus.mean()))
    )
    return varying_s - constant_s
