"""Hold-out evaluation: fitted at some loads, compared at loads that no fit used.

study.json names the held-out runs. Replications of one load count as one load: X and R measured are geometric means
over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import MAX_UTILIZATION, compare_prediction, relative_error
from pipeline.evaluate.replication import geometric_mean
from pipeline.evaluate.texts import HOST_MODEL, HOST_MODEL_CALIBRATED, LINEAR
from pipeline.measure.window import MissingData
from pipeline.model import baselines
from pipeline.model.baselines import CALIBRATED, LOGS_ONLY, Predictor
from pipeline.model.fit import (
    DeploymentRuns,
    fit_host,
    group_by_deployment,
    response_with_run_demands_s,
)
from pipeline.model.observation import Observation
from pipeline.model.prediction import FittedPredictor, Prediction

Array = NDArray[np.float64]

PREDICTIONS = pl.Schema(
    {
        "server": pl.String,
        "virtual_server": pl.String,
        "kind": pl.String,
        "load": pl.String,
        "level": pl.Float64,
        "held_out": pl.Boolean,
        "runs": pl.Int64,
        "predictor": pl.String,
        "label": pl.String,
        "utilization": pl.Float64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "X_low_per_s": pl.Float64,
        "X_high_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "R_ms": pl.Float64,
        "R_low_ms": pl.Float64,
        "R_high_ms": pl.Float64,
        "error_R": pl.Float64,
        "note": pl.String,
    }
)
"""One row per load and predictor. ``utilization``: predicted by the host model; R is null where the predictor gives an
infinite R. Errors are relative to the measured geometric means of ``runs``."""


# -- predictors side by side, by name -------------------------------------------------------------------------

OPEN, CLOSED = ("open",), ("closed",)
BOTH = ("open", "closed")


def _host(observations: Sequence[Observation], **switches: bool) -> FittedPredictor:
    return fit_host(observations, **switches).with_run_variation().predict


PREDICTORS: tuple[Predictor, ...] = (
    Predictor("as printed", LOGS_ONLY, BOTH, baselines.fit_as_printed),
    Predictor("nested", LOGS_ONLY, BOTH, baselines.fit_nested),
    Predictor("open", LOGS_ONLY, OPEN, baselines.fit_open),
    Predictor("open, variability", LOGS_ONLY, OPEN, baselines.fit_open_variability),
    Predictor("closed", LOGS_ONLY, CLOSED, baselines.fit_closed),
    Predictor("closed, host CPU", LOGS_ONLY, CLOSED, baselines.fit_closed_host),
    Predictor(HOST_MODEL, LOGS_ONLY, BOTH, _host),
    Predictor(HOST_MODEL_CALIBRATED, CALIBRATED, OPEN, partial(_host, calibrated=True)),
    Predictor(LINEAR, CALIBRATED, BOTH, baselines.fit_linear_baseline),
)

ABLATIONS: tuple[tuple[str, dict[str, bool], tuple[str, ...]], ...] = (
    (texts.COMPLETE, {}, BOTH),
    *(
        (texts.WITHOUT[switch], {switch: False}, kinds)
        for switch, kinds in (
            ("load_dependent", BOTH),
            ("split_reply_work", OPEN),
            ("use_arrival_scv", OPEN),
            ("use_arrival_trace", OPEN),
            ("quota_as_budget", CLOSED),
        )
    ),
)
"""Name, switches and kinds of load of the host model: complete, and without each of its corrections."""


# -- predictions -----------------------------------------------------------------------------------------


def predict_loads(observations: Sequence[Observation]) -> pl.DataFrame:
    """Predict every load by every predictor, held out or not. Schema: ``PREDICTIONS``."""
    rows = [row for group in group_by_deployment(observations) for row in _group_rows(group)]
    return pl.DataFrame(rows, schema=PREDICTIONS, orient="row")


def geometric_mean_run(runs: Sequence[Observation]) -> tuple[float, float]:
    """X (1/s) and R (s) measured at a load: geometric means over its runs."""
    return geometric_mean(run.throughput_per_s for run in runs), geometric_mean(
        run.response_time_s for run in runs
    )


def _group_rows(group: DeploymentRuns) -> Iterator[dict]:
    try:
        host_model = fit_host(group.fitted_runs).point_estimate()
    except MissingData:
        return
    for predictor in PREDICTORS:
        kind = group.fitted_runs[0].load.kind
        if kind not in predictor.kinds:
            continue
        predict = predictor.fit(group.fitted_runs)
        for load, held_out, runs in group.by_load():
            prediction = predict(load)
            yield {
                "server": group.server,
                "virtual_server": group.virtual_server,
                "kind": kind,
                "load": load.label,
                "level": load.level,
                "held_out": held_out,
                "runs": len(runs),
                "predictor": predictor.name,
                "label": predictor.label,
                "utilization": float(host_model.utilization(load)[0]),
                **compare_prediction(prediction, *geometric_mean_run(runs)),
                "note": _note(prediction, runs),
            }


def _note(prediction: Prediction, runs: Sequence[Observation]) -> str | None:
    notes = []
    if not np.isfinite(prediction.response_time_s[0]):
        notes.append(texts.UNBOUNDED)
    saturated = sum(run.is_saturated for run in runs)
    if saturated:
        notes.append(texts.saturated_runs(saturated, len(runs)))
    return "; ".join(notes) or None


def summarize_predictors(
    frame: pl.DataFrame, max_utilization: float = MAX_UTILIZATION
) -> pl.DataFrame:
    """Mean absolute errors over the held-out loads, one row per predictor and deployment.

    Open loads count up to ``max_utilization``, predicted by the host model. ``unbounded``: loads with an infinite R,
    which are not in the means.
    """
    held = frame.filter(
        pl.col("held_out")
        & ((pl.col("kind") == "closed") | (pl.col("utilization") <= max_utilization))
    )
    return held.group_by("server", "virtual_server", "predictor", "label", maintain_order=True).agg(
        loads=pl.len(),
        mean_abs_error_X=pl.col("error_X").abs().mean(),
        mean_abs_error_R=pl.col("error_R").abs().mean(),
        max_abs_error_R=pl.col("error_R").abs().max(),
        unbounded=pl.col("R_ms").is_null().sum(),
    )


def ablate_model(
    observations: Sequence[Observation], max_utilization: float = MAX_UTILIZATION
) -> pl.DataFrame:
    """Error of the calibrated host model, complete and without each of its corrections.

    Returns
    -------
    DataFrame
        Columns server, virtual_server, model, loads, error_X, error_R, error_R_run_demands, unbounded. ``error_R``:
        mean absolute relative error over the held-out loads; ``error_R_run_demands``: that over the held-out runs with
        each run's own demands, the error of the model's form alone.
    """
    rows = []
    for group in group_by_deployment(observations):
        try:
            complete = fit_host(group.fitted_runs).point_estimate()
            models = {
                name: fit_host(
                    group.fitted_runs, calibrated=True, with_draws=not switches, **switches
                ).point_estimate()
                for name, switches, kinds in ABLATIONS
                if group.fitted_runs[0].load.kind in kinds
            }
        except MissingData:
            continue
        held_out_loads = [
            (load, runs)
            for load, held_out, runs in group.by_load()
            if held_out
            and (load.kind == "closed" or complete.utilization(load)[0] <= max_utilization)
        ]
        for name, model in models.items():
            comparisons = [
                compare_prediction(model.predict(load), *geometric_mean_run(runs))
                for load, runs in held_out_loads
            ]
            bounded = [figures for figures in comparisons if figures["R_ms"] is not None]
            run_errors = [
                relative_error(response_with_run_demands_s(run, model), run.response_time_s)
                for _, runs in held_out_loads
                for run in runs
            ]
            rows.append(
                {
                    "server": group.server,
                    "virtual_server": group.virtual_server,
                    "model": name,
                    "loads": len(bounded),
                    "error_X": _mean_abs(figures["error_X"] for figures in bounded),
                    "error_R": _mean_abs(figures["error_R"] for figures in bounded),
                    "error_R_run_demands": _mean_abs(run_errors),
                    "unbounded": len(comparisons) - len(bounded),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def _mean_abs(errors: Iterable[float | None]) -> float | None:
    absolute = [abs(error) for error in errors if error is not None]
    return float(np.mean(absolute)) if absolute else None
