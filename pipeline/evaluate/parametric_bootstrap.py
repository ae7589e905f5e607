"""How the loads held out would be judged if the model were true: what a verdict of this study is worth.

A model whose form is right still misses loads: the demands wander from run to run, and a load was run a few times. So
studies are drawn in which the fitted model is the truth: the same runs, each with the curve's demands times the pace of
its batch and a scatter of its own, and the response times that the model then gives, off by as much as it is at the
fitted runs. Each is fitted, predicted and judged as the recorded one is (a parametric bootstrap: Efron and Tibshirani,
An Introduction to the Bootstrap, 1993, page 53).
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
"""One row a drawn study and load held out. The relative errors of R are against the load's typical run (geometric
mean), by which it is judged, and against the mean over its runs; null where R has no bound."""

MAX_RESPONSE_S = 10.0
"""A drawn run in which requests take longer is left out, as clients give up and the run tells of no steady state."""


@dataclass(frozen=True)
class BootstrapModel:
    """A group's fitted model, and what runs differ by from it (standard deviations of logarithms)."""

    model: HostModel
    batches: Batches
    """Of all runs of the group."""
    batch_sd: float
    """From batch to batch."""
    run_sd: float
    """From run to run within a batch, of the demands."""
    model_error_sd: float
    """From run to run, of R with the run's own demands."""


def bootstrap_verdicts(
    observations: Iterable[Observation],
    samples: int = 100,
    *,
    seed: int = 0,
) -> pl.DataFrame:
    """Verdicts on the loads held out in ``studies`` drawn studies, runs with one load. Schema: ``BOOTSTRAP_VERDICTS``.

    Study i of a group depends on ``seed``, i and the group only; some seconds a study.
    """
    rows = []
    for number, group in enumerate(group_by_deployment(observations)):
        with suppress(MissingData):
            truth = fit_bootstrap_model(group)
            for sample in range(samples):
                random = np.random.default_rng([seed, number, sample])
                keys = {"server": group.server, "virtual_server": group.virtual_server}
                found = score_held_out(group_by_deployment(resample_runs(group, truth, random)))
                rows += [{"sample": sample, **keys, **row} for row in found]
    return pl.DataFrame(rows, schema=BOOTSTRAP_VERDICTS, orient="row")


def fit_bootstrap_model(group: DeploymentRuns) -> BootstrapModel:
    """The fitted model as the truth. Raises ``MissingData`` where the runs are too few to tell how they scatter."""
    model = fit_host(group.fitted_runs, calibrated=True).point_estimate()
    form = model_error_sd(model, group.fitted_runs)
    if form is None:
        raise MissingData("too few runs to tell what they scatter by")
    used = steady_state_runs(group.fitted_runs)
    ratio = between_within_variance_ratio(log_residuals(model.cpu, used), recording_batches(used))
    within = model.run_sd / np.sqrt(1 + ratio)
    return BootstrapModel(
        model,
        recording_batches(group.all_runs),
        float(within * np.sqrt(ratio)),
        float(within),
        form,
    )


def resample_runs(
    group: DeploymentRuns, truth: BootstrapModel, random: np.random.Generator
) -> list[Observation]:
    """The group's runs as they would be if the model were true."""
    paces = {batch: random.normal(0, truth.batch_sd) for batch in np.unique(truth.batches)}
    found = []
    for one, batch in zip(group.all_runs, truth.batches, strict=True):
        factor = np.exp(paces[batch] + random.normal(0, truth.run_sd))
        off = np.exp(random.normal(0, truth.model_error_sd))
        if not one.is_saturated:
            run = _run(one, truth.model, factor, off)
            if run.response_time_s <= MAX_RESPONSE_S or one.load.kind == "closed":
                found.append(run)
    return found


def score_held_out(some: Sequence[DeploymentRuns]) -> list[dict[str, Any]]:
    """Each load held out, in words, how it is judged, and by how much R was missed."""
    found = []
    for group in some:
        if not group.fitted_runs:
            continue
        model = fit_host(group.fitted_runs, calibrated=True).point_estimate()
        for load, out, runs in group.by_load():
            if not out:
                continue
            guess = model.predict(load)
            x, r = float(guess.throughput_per_s[0]), float(guess.response_time_s[0])
            measured_x, measured_r = geometric_mean_run(runs)
            scored = score(
                load.kind,
                (x, measured_x),
                (r, measured_r),
                geometric_mean(response_with_run_demands_s(one, model) for one in runs),
                float(model.utilization(load)[0]),
            )
            found.append(
                {
                    "load": load.label,
                    "outcome": scored.outcome,
                    "error_R": scored.error_r,
                    "error_R_vs_arithmetic_mean": relative_error(
                        r, float(np.mean([o.response_time_s for o in runs]))
                    ),
                }
            )
    return found


def _run(one: Observation, model: HostModel, factor: float, off: float) -> Observation:
    """A run like ``one`` on a machine ``factor`` times as slow, its R ``off`` times what the model says."""
    true = replace(
        model,
        cpu=model.cpu.scaled(factor),
        pre_reply=model.pre_reply.scaled(factor),
        resources=resources_of(one),
    )
    guess = true.predict(one.load)
    rate = float(guess.throughput_per_s[0])
    demands = true.demands_at(one.load, guess.throughput_per_s)
    own = {name: float(found[0]) for name, found in demands.items()}
    if not one.has_steal_clock:
        stretch = true.resources.slowdown
        layer = max(own["vdisk"] - own["disk"], 0.0)
        own["pre_reply"] *= stretch
        own["vdisk"] += layer * (stretch - 1)
    completions = rate * one.run_demands.length_s
    stations = {
        station: _demand(one.run_demands.demand(station), own[name], completions, one)
        for name, station in CURVES.items()
    }
    return replace(
        one,
        run_demands=replace(
            one.run_demands, demands=one.run_demands.demands | stations, completions=completions
        ),
        throughput_per_s=rate,
        response_time_s=float(guess.response_time_s[0]) * off,
    )


def _demand(like: Demand, value_s: float, completions: float, one: Observation) -> Demand:
    """A demand of this size, as sure as ``like``: two draws, a standard error to either side."""
    error = (
        float(np.std(like.draws_s) / like.value_s)
        if like.value_s > 0 and like.draws_s.size
        else 0.0
    )
    busy = value_s * completions + like.background_per_s * one.run_demands.length_s
    return replace(
        like, value_s=value_s, draws_s=value_s * np.array([1 + error, 1 - error]), busy_s=busy
    )
