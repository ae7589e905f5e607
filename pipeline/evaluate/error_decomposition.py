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

BUDGET = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "run": pl.String,
        "load": pl.String,
        "kind": pl.String,
        "alone": pl.Boolean,
        "kept_up": pl.Boolean,
        "utilization": pl.Float64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "predicted_ms": pl.Float64,
        "arrivals_ms": pl.Float64,
        "cpu_demand_ms": pl.Float64,
        "disk_demand_ms": pl.Float64,
        "surroundings_ms": pl.Float64,
        "course_ms": pl.Float64,
        "unexplained_ms": pl.Float64,
        "unexplained_error_ms": pl.Float64,
        "measured_ms": pl.Float64,
        "miss_ms": pl.Float64,
        "explained": pl.Float64,
        "note": pl.String,
    }
)
"""One row a run held out. ``alone``: whether no other virtual server was loaded; ``kept_up``: whether the server did;
``utilization``: as predicted, of an open load alone; ``X_per_s``: predicted. predicted + the five steps + unexplained =
measured; ``explained`` is the share of the miss that the steps are. A null step is unbounded: the next finite one holds
both. ``course_ms``: that the neighbours used more at one time and less at another; 0 but for arrivals that are known
one by one.
``unexplained_error_ms``: standard error of what is unexplained, by what runs that were fitted to are off by with their
own demands; null with too few of them."""


def budgets(
    observations: Sequence[Observation], models: Mapping[Deployment, HostModels]
) -> pl.DataFrame:
    """Error decomposition of every run held out, alone or colocated. Schema: ``BUDGET``."""
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
    return pl.DataFrame(rows, schema=BUDGET, orient="row")


def _row(model: HostModel, one: Observation, form: float | None) -> dict:
    steps, note = budget(model, one)
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
        "alone": one.is_alone,
        "kept_up": not one.is_saturated,
        "utilization": float(model.utilization(one.load)[0]) if is_alone else None,
        "X_measured_per_s": one.throughput_per_s,
        "X_per_s": float(model.throughput(one.load)[0]),
        "predicted_ms": predicted,
        **steps,
        "unexplained_ms": measured - reached,
        "unexplained_error_ms": None if form is None else form * reached,
        "measured_ms": measured,
        "miss_ms": miss,
        "explained": attributed_share(miss, measured - reached),
        "note": note,
    }


def budget(model: HostModel, one: Observation) -> tuple[dict[str, float | None], str | None]:
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
        "surroundings_ms": (own, came),
    }
    steps: dict[str, float | None] = {}
    reached = 0.0
    for name, (tried, load) in stages.items():
        found = float(tried.predict(load).response_time_s[0]) * 1e3
        steps[name] = found - reached if np.isfinite(found) else None
        reached = found if np.isfinite(found) else reached
    note = None
    if steps["surroundings_ms"] is None:
        note = "by its own demands the server was saturated: it had no steady state"
    steps["course_ms"] = _course_s(own, one) * 1e3
    return steps, note


def _course_s(own: HostModel, one: Observation) -> float:
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
