"""Where a prediction's error comes from, in milliseconds, by what the missed run's own logs show.

The prediction is changed step by step into the model with what was measured in that run, apart from its response
times: how many requests came, what they took of the CPU, of the disks, what the neighbours took and when. Each
step's difference is one line; what is left is the model's own error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    """Error decomposition of every run held out, alone or colocated. Schema: ``ERROR_DECOMPOSITION``."""
    rows, forms = [], {}
    for group in group_by_deployment(observations):
        if group.deployment in models:
            model = models[group.deployment].alone.point_estimate()
            forms[group.deployment] = form = model_error_sd(model, group.fitted_runs)
            rows += [_row(model, one, form) for one in group.all_runs if one.held_out]
    for guests in models_when_colocated(observations, models).values():
        rows += [
            _row(found.colocated.point_estimate(), one, forms[one.deployment])
            for found, one in guests
            if one.held_out
        ]
    return pl.DataFrame(rows, schema=ERROR_DECOMPOSITION, orient="row")


def _row(model: HostModel, one: Observation, form: float | None) -> dict:
    steps, note = decompose_error(model, one)
    is_alone = one.is_alone and one.load.kind == "open"
    measured = one.response_time_s * 1e3
    predicted = steps.pop("predicted_ms")
    reached = sum(value for value in (predicted, *steps.values()) if value is not None)
    miss = None if predicted is None else measured - predicted
    return {
        "server": one.server,
        "virtual_server": one.virtual_server,
        "run": one.run,
        "load": one.load.label,
        "kind": one.load.kind,
        "is_alone": one.is_alone,
        "kept_up": not one.is_saturated,
        "utilization": float(model.utilization(one.load)[0]) if is_alone else None,
        "X_measured_per_s": one.throughput_per_s,
        "X_per_s": float(model.throughput(one.load)[0]),
        "predicted_ms": predicted,
        **steps,
        "residual_ms": measured - reached,
        "residual_se_ms": None if form is None else form * reached,
        "measured_ms": measured,
        "error_ms": miss,
        "attributed": attributed_share(miss, measured - reached),
        "note": note,
    }


def decompose_error(
    model: HostModel, one: Observation
) -> tuple[dict[str, float | None], str | None]:
    """The steps from the prediction for a run to the model with what was measured in it, and a remark."""
    own = with_run_demands(one, model)
    came = one.load
    if came.kind == "open" and came.interarrival_s is None and not one.errors:
        came = replace(came, rate_per_s=max(one.throughput_per_s, 1e-9))
    stages = {
        "predicted_ms": (model, one.load),
        "arrivals_ms": (model, came),
        "cpu_demand_ms": (replace(model, cpu=own.cpu, pre_reply=own.pre_reply), came),
        "disk_demand_ms": (replace(own, resources=model.resources), came),
        "contention_ms": (own, came),
    }
    steps: dict[str, float | None] = {}
    reached = 0.0
    for name, (tried, load) in stages.items():
        found = float(tried.predict(load).response_time_s[0]) * 1e3
        steps[name] = found - reached if np.isfinite(found) else None
        reached = found if np.isfinite(found) else reached
    note = None
    if steps["contention_ms"] is None:
        note = "by its own demands the server was saturated: it had no steady state"
    steps["contention_timing_ms"] = _contention_timing_s(own, one) * 1e3
    return steps, note


def _contention_timing_s(own: HostModel, one: Observation) -> float:
    """How much longer requests wait since the neighbours did not use the same of the CPU all the time."""
    gaps = one.load.interarrival_s
    if gaps is None or one.neighbour_cpu_series is None:
        return 0.0
    others = np.interp(np.cumsum(gaps), *one.neighbour_cpu_series)
    moving, still = (
        own.wait_with_varying_neighbours(one.load, x)
        for x in (others, np.full_like(others, others.mean()))
    )
    return moving - still
