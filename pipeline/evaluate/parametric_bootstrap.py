"""Parametric bootstrap: how the held-out loads would be scored if the fitted model were true.

Even a true model has errors: demands vary from run to run, and each load was run a few times. Studies are drawn from
the fitted model: the same runs, each with the curve's demands times a random effect of its batch and an error of its
own, and with the model's response time times a model error as large as at the fitted runs. Each sample is fitted,
predicted and scored as the recorded study is (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, page 53).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from pipeline.demands.load_curve import Batches, between_within_variance_ratio
from pipeline.demands.service_demand import Demand
from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import relative_error, score
from pipeline.evaluate.holdout import geometric_mean_run
from pipeline.evaluate.replication import geometric_mean
from pipeline.measure.window import MissingData
from pipeline.model.fit import (
    CURVES,
    DeploymentRuns,
    fit_host,
    group_by_deployment,
    log_residuals,
    model_error_sd,
    recording_batches,
    resources_of,
    response_with_run_demands_s,
    steady_state_runs,
)
from pipeline.model.host import HostModel
from pipeline.model.observation import Observation

BOOTSTRAP_VERDICTS = pl.Schema(
    {
        "sample": pl.Int64,
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "outcome": pl.String,
        "error_R": pl.Float64,
        "error_R_vs_arithmetic_mean": pl.Float64,
    }
)
"""One row per sample and held-out load. Relative errors of R against the geometric mean over the load's runs, by which
it is scored, and against the arithmetic mean; null where R is infinite."""

MAX_RESPONSE_S = 10.0
"""Response time above which a drawn open run is left out: clients time out and there is no steady state."""


@dataclass(frozen=True)
class BootstrapModel:
    """The fitted model of a deployment with standard deviations, of logarithms, of what varies about it."""

    model: HostModel
    batches: Batches
    """Of all runs of the deployment."""
    batch_sd: float
    """Of demands, between batches."""
    run_sd: float
    """Of demands, between runs of a batch."""
    model_error_sd: float
    """Of R modelled with the run's own demands, between runs."""


def bootstrap_verdicts(
    observations: Iterable[Observation],
    samples: int = 100,
    *,
    seed: int = 0,
) -> pl.DataFrame:
    """Score the held-out loads of runs loaded alone in ``samples`` drawn studies.

    A sample depends on ``seed``, its number and the deployment only. Takes seconds per sample.

    Returns
    -------
    DataFrame
        Schema ``BOOTSTRAP_VERDICTS``; deployments with too few runs are left out.
    """
    rows = []
    for number, group in enumerate(group_by_deployment(observations)):
        with suppress(MissingData):
            bootstrap_model = fit_bootstrap_model(group)
            for sample in range(samples):
                random = np.random.default_rng([seed, number, sample])
                keys = {"server": group.server, "virtual_server": group.virtual_server}
                scores = score_held_out(
                    group_by_deployment(resample_runs(group, bootstrap_model, random))
                )
                rows += [{"sample": sample, **keys, **row} for row in scores]
    return pl.DataFrame(rows, schema=BOOTSTRAP_VERDICTS, orient="row")


def fit_bootstrap_model(group: DeploymentRuns) -> BootstrapModel:
    """Fit the model and its variation. Raises ``MissingData`` with too few runs."""
    model = fit_host(group.fitted_runs, calibrated=True).point_estimate()
    error_sd = model_error_sd(model, group.fitted_runs)
    if error_sd is None:
        raise MissingData(texts.TOO_FEW_RUNS)
    used = steady_state_runs(group.fitted_runs)
    ratio = between_within_variance_ratio(log_residuals(model.cpu, used), recording_batches(used))
    run_sd = model.run_sd / np.sqrt(1 + ratio)
    return BootstrapModel(
        model,
        recording_batches(group.all_runs),
        float(run_sd * np.sqrt(ratio)),
        float(run_sd),
        error_sd,
    )


def resample_runs(
    group: DeploymentRuns, bootstrap_model: BootstrapModel, random: np.random.Generator
) -> list[Observation]:
    """Draw the runs of a deployment from the model."""
    batch_effects = {
        batch: random.normal(0, bootstrap_model.batch_sd)
        for batch in np.unique(bootstrap_model.batches)
    }
    runs = []
    for recorded, batch in zip(group.all_runs, bootstrap_model.batches, strict=True):
        factor = np.exp(batch_effects[batch] + random.normal(0, bootstrap_model.run_sd))
        response_noise = np.exp(random.normal(0, bootstrap_model.model_error_sd))
        if not recorded.is_saturated:
            run = _run(recorded, bootstrap_model.model, factor, response_noise)
            if run.response_time_s <= MAX_RESPONSE_S or recorded.load.kind == "closed":
                runs.append(run)
    return runs


def score_held_out(groups: Sequence[DeploymentRuns]) -> list[dict[str, Any]]:
    """Load, outcome and errors of R of each held-out load."""
    scores = []
    for group in groups:
        if not group.fitted_runs:
            continue
        model = fit_host(group.fitted_runs, calibrated=True, with_draws=False)
        for load, held_out, runs in group.by_load():
            if not held_out:
                continue
            prediction = model.predict(load)
            x, r = float(prediction.throughput_per_s[0]), float(prediction.response_time_s[0])
            measured_x, measured_r = geometric_mean_run(runs)
            scored = score(
                load.kind,
                (x, measured_x),
                (r, measured_r),
                geometric_mean(response_with_run_demands_s(run, model) for run in runs),
                float(model.utilization(load)[0]),
            )
            scores.append(
                {
                    "load": load.label,
                    "outcome": scored.outcome,
                    "error_R": scored.error_r,
                    "error_R_vs_arithmetic_mean": relative_error(
                        r, float(np.mean([run.response_time_s for run in runs]))
                    ),
                }
            )
    return scores


def _run(
    recorded: Observation, model: HostModel, factor: float, response_noise: float
) -> Observation:
    """A run like ``recorded`` with demands times ``factor`` and the modelled R times ``response_noise``."""
    run_model = replace(
        model,
        cpu=model.cpu.scaled(factor),
        pre_reply=model.pre_reply.scaled(factor),
        resources=resources_of(recorded),
    )
    prediction = run_model.predict(recorded.load)
    rate = float(prediction.throughput_per_s[0])
    demands = run_model.demands_at(recorded.load, prediction.throughput_per_s)
    demands_s = {name: float(draws[0]) for name, draws in demands.items()}
    if not recorded.has_steal_clock:
        slowdown = run_model.resources.slowdown
        layer = max(demands_s["vdisk"] - demands_s["disk"], 0.0)
        demands_s["pre_reply"] *= slowdown
        demands_s["vdisk"] += layer * (slowdown - 1)
    completions = rate * recorded.run_demands.length_s
    stations = {
        station: _demand(
            recorded.run_demands.demand(station), demands_s[name], completions, recorded
        )
        for name, station in CURVES.items()
    }
    return replace(
        recorded,
        run_demands=replace(
            recorded.run_demands,
            demands=recorded.run_demands.demands | stations,
            completions=completions,
        ),
        throughput_per_s=rate,
        response_time_s=float(prediction.response_time_s[0]) * response_noise,
        results=None,
    )


def _demand(like: Demand, value_s: float, completions: float, run: Observation) -> Demand:
    """A demand of this size with the relative standard error of ``like``: two draws, one standard error off."""
    relative_se = (
        float(np.std(like.draws_s) / like.value_s)
        if like.value_s > 0 and like.draws_s.size
        else 0.0
    )
    busy_s = value_s * completions + like.background_per_s * run.run_demands.length_s
    return replace(
        like,
        value_s=value_s,
        draws_s=value_s * np.array([1 + relative_se, 1 - relative_se]),
        busy_s=busy_s,
    )
