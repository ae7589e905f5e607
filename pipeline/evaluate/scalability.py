"""Sweeps over the population of a closed system: the Universal Scalability Law beside queueing models.

Each model is fitted to the levels of a sweep (all of them, the low ones, or those that study.json does not hold out)
and compared with the measured throughput at every level. The law knows X(N) only; the host model and the closed network
know the demands at CPU and disk, and no throughput.

A model leaves the data at the first level where its X is further from the measured mean than the accepted error and
outside the mean's confidence interval. These fits are made for this comparison; no other page uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import ceil

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.distributions import t_quantile
from pipeline.evaluate import scalability_texts as texts
from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_X, compare_prediction
from pipeline.evaluate.holdout import geometric_mean_run
from pipeline.evaluate.scalability_law import MIN_LEVELS, UslFit, fit_usl
from pipeline.evaluate.texts import HOST_MODEL
from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.model import baselines
from pipeline.model.fit import DeploymentRuns, fit_host, group_by_deployment
from pipeline.model.observation import Observation
from pipeline.model.prediction import FittedPredictor, Prediction

Array = NDArray[np.float64]

MIN_SWEEP_LEVELS = 4
"""Populations of a sweep: one more than the parameters of the law."""

SWEEPS = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "levels_fitted": pl.String,
        "model": pl.String,
        "population": pl.Int64,
        "is_fitted": pl.Boolean,
        "runs": pl.Int64,
        "X_measured_per_s": pl.Float64,
        "X_measured_low_per_s": pl.Float64,
        "X_measured_high_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "X_low_per_s": pl.Float64,
        "X_high_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "R_ms": pl.Float64,
        "R_low_ms": pl.Float64,
        "R_high_ms": pl.Float64,
        "error_R": pl.Float64,
        "is_outside": pl.Boolean,
    }
)
"""One row per sweep, levels fitted to, model and level. X and R measured: geometric means over the runs of the level;
``X_measured_low_per_s`` to ``…_high_…``: their 95 % confidence interval, from the variation between runs pooled over
the levels. ``X_low_per_s`` to ``X_high_per_s``: 95 % prediction interval of a new run; null where the model has none.
Errors: (modelled − measured) / measured. ``is_outside``: the error of X is larger than accepted, and the modelled X is
outside the confidence interval."""

SUMMARY = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "levels_fitted": pl.String,
        "model": pl.String,
        "fitted_up_to": pl.Int64,
        "levels": pl.Int64,
        "mean_abs_error_X": pl.Float64,
        "max_error_X": pl.Float64,
        "max_error_population": pl.Int64,
        "mean_abs_error_R": pl.Float64,
        "leaves_at": pl.Int64,
    }
)
"""One row per sweep, levels fitted to and model, over the ``levels`` that it was not fitted to (over all, where it was
fitted to all). ``max_error_X``: the largest one with its sign, at ``max_error_population``. ``leaves_at``: the first
population outside, null if there is none."""


def list_sweeps(observations: Sequence[Observation]) -> list[DeploymentRuns]:
    """The virtual servers with a closed load, alone on their host, at ``MIN_SWEEP_LEVELS`` populations or more."""
    return [
        group
        for group in group_by_deployment(run for run in observations if run.load.kind == "closed")
        if len({run.load.level for run in group.all_runs}) >= MIN_SWEEP_LEVELS
    ]


def fit_sweep(runs: Sequence[Observation]) -> UslFit:
    """The Universal Scalability Law of runs: each is a point, X with the same relative standard deviation."""
    return fit_usl(
        [run.load.level for run in runs], [run.throughput_per_s for run in runs], relative=True
    )


def _fit_law(runs: Sequence[Observation]) -> FittedPredictor:
    return partial(predict_by_law, fit_sweep(runs))


def predict_by_law(fit: UslFit, load: Load) -> Prediction:
    """X by the law, and R by Little's law. The draws are the point and the ends of the interval of a new run."""
    x = np.array([fit.throughput_at(load.level), *fit.prediction_interval(load.level)])
    if np.isnan(x).any():
        x = x[:1]
    with np.errstate(divide="ignore"):
        return Prediction(x, load.level / x - load.think_time_s)


def _fit_host_model(runs: Sequence[Observation]) -> FittedPredictor:
    return fit_host(runs).with_run_variation().predict


MODELS: dict[str, Callable[[Sequence[Observation]], FittedPredictor]] = {
    texts.LAW: _fit_law,
    HOST_MODEL: _fit_host_model,
    texts.CLOSED_NETWORK: baselines.fit_closed_host,
}
"""Name → the predictor fitted to runs; the first is the only one that sees throughputs."""


def compare_sweeps(observations: Sequence[Observation]) -> pl.DataFrame:
    """Every model at every level of every sweep. Schema: ``SWEEPS``."""
    rows = [row for group in list_sweeps(observations) for row in _sweep_rows(group)]
    return pl.DataFrame(rows, schema=SWEEPS, orient="row")


def _sweep_rows(group: DeploymentRuns) -> Iterator[dict]:
    levels = list(group.by_load())
    intervals = pooled_intervals([[r.throughput_per_s for r in runs] for _, _, runs in levels])
    for name, fitted_levels in _splits(group).items():
        fitted = [run for run in group.all_runs if run.load.level in fitted_levels]
        if name == texts.STUDY_LEVELS:
            fitted = [run for run in fitted if not run.held_out]
        for model, fit in MODELS.items():
            try:
                predict = fit(fitted)
            except MissingData:
                continue
            for (load, _, runs), interval in zip(levels, intervals, strict=True):
                figures = compare_prediction(predict(load), *geometric_mean_run(runs))
                error, x = figures["error_X"], figures["X_per_s"]
                low, high = interval or (None, None)
                is_outside = error is None or abs(error) > ACCEPT_REL_ERROR_X
                if x is not None and low is not None and high is not None:
                    is_outside &= not low <= x <= high
                yield {
                    "server": group.server,
                    "virtual_server": group.virtual_server,
                    "levels_fitted": name,
                    "model": model,
                    "population": round(load.level),
                    "is_fitted": load.level in fitted_levels,
                    "runs": len(runs),
                    "X_measured_low_per_s": low,
                    "X_measured_high_per_s": high,
                    **figures,
                    "is_outside": is_outside,
                }


def _splits(group: DeploymentRuns) -> dict[str, set[float]]:
    """The levels that models are fitted to, by name; a split without enough levels, or none to predict, is left out."""
    levels = sorted({run.load.level for run in group.all_runs})
    low = levels[: max(MIN_LEVELS, ceil(len(levels) / 2))]
    not_held_out = {run.load.level for run in group.all_runs if not run.held_out}
    splits = {texts.ALL_LEVELS: set(levels), texts.LOW_LEVELS: set(low)}
    if MIN_LEVELS <= len(not_held_out) < len(levels):
        splits[texts.STUDY_LEVELS] = not_held_out
    return splits


def pooled_intervals(
    values: Sequence[Sequence[float]], level: float = 0.95
) -> list[tuple[float, float] | None]:
    """Confidence interval of the geometric mean of each group, with one standard deviation of the logarithms.

    Parameters
    ----------
    values
        The replications of each group, above 0.
    level
        Of the intervals.

    Returns
    -------
    list
        None for each group where no group has a replication, or a value is not above 0.

    Examples
    --------
    >>> pooled_intervals([[1.0], [2.0]])
    [None, None]
    """
    groups = [np.asarray(group, float) for group in values]
    degrees = sum(len(group) - 1 for group in groups)
    if degrees < 1 or not all((group > 0).all() for group in groups):
        return [None] * len(groups)
    logs = [np.log(group) for group in groups]
    variance = sum(float(((each - each.mean()) ** 2).sum()) for each in logs) / degrees
    halves = [t_quantile(0.5 + level / 2, degrees) * np.sqrt(variance / len(each)) for each in logs]
    return [
        (float(np.exp(each.mean() - half)), float(np.exp(each.mean() + half)))
        for each, half in zip(logs, halves, strict=True)
    ]


def summarize_sweeps(frame: pl.DataFrame) -> pl.DataFrame:
    """Errors of each model over the levels that it was not fitted to. Schema: ``SUMMARY``."""
    keys = ["server", "virtual_server", "levels_fitted", "model"]
    rows = []
    for key, levels in frame.group_by(keys, maintain_order=True):
        predicted = levels.filter(~pl.col("is_fitted"))
        scored = levels if predicted.is_empty() else predicted
        errors = scored["error_X"].to_numpy()
        worst = int(np.nanargmax(np.abs(errors)))
        outside = scored.filter("is_outside")["population"]
        rows.append(
            {
                **dict(zip(keys, key, strict=True)),
                "fitted_up_to": levels.filter("is_fitted")["population"].max(),
                "levels": scored.height,
                "mean_abs_error_X": float(np.abs(errors).mean()),
                "max_error_X": float(errors[worst]),
                "max_error_population": scored["population"][worst],
                "mean_abs_error_R": scored["error_R"].abs().mean(),
                "leaves_at": outside.min(),
            }
        )
    return pl.DataFrame(rows, schema=SUMMARY, orient="row")


def law_parameters(observations: Sequence[Observation]) -> pl.DataFrame:
    """The law of each sweep, fitted to all levels.

    Returns
    -------
    DataFrame
        ``server``, ``virtual_server``, and the columns of ``UslFit.parameters``; λ and the largest X per second.
    """
    frames = [
        fit_sweep(group.all_runs).parameters.select(
            pl.lit(group.server).alias("server"),
            pl.lit(group.virtual_server).alias("virtual_server"),
            pl.all(),
        )
        for group in list_sweeps(observations)
    ]
    return pl.concat(frames) if frames else pl.DataFrame()
