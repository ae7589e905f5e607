"""Fitted at some loads, compared at others: how well loads that were not run are predicted.

Runs held out are those that study.json names. Repetitions of one load count as one load: its measured X and R are
those of its typical run, the geometric means over the repetitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.evaluate.acceptance import MAX_UTILIZATION, compare_prediction, relative_error
from pipeline.evaluate.replication import geometric_mean
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
"""One row a load and predictor. ``utilization`` is what our model, fitted, predicts for the load; a null R is
unbounded: the load is more than the server can take, says the predictor. Errors are relative to the measured, the
typical one of ``runs``."""


# -- predictors side by side, by name -------------------------------------------------------------------------

OPEN, CLOSED = ("open",), ("closed",)
BOTH = ("open", "closed")

HOST_MODEL, HOST_MODEL_CALIBRATED, LINEAR = "host", "host, calibrated", "linear baseline"


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
    ("complete", {}, BOTH),
    ("demand that does not depend on the load", {"load_dependent": False}, BOTH),
    ("all work before the reply", {"split_reply_work": False}, OPEN),
    ("arrivals taken for Poisson", {"use_arrival_scv": False}, OPEN),
    ("arrivals of a known sequence taken for any", {"use_arrival_trace": False}, OPEN),
    ("a quota taken for a slower CPU", {"quota_as_budget": False}, CLOSED),
)
"""The corrections of our model, each left out in turn, and the loads that it is for."""


# -- loads, predicted -----------------------------------------------------------------------------------------


def predict_loads(observations: Sequence[Observation]) -> pl.DataFrame:
    """Every predictor at every load, held out or not. Schema: ``PREDICTIONS``."""
    rows = [row for group in group_by_deployment(observations) for row in _group_rows(group)]
    return pl.DataFrame(rows, schema=PREDICTIONS, orient="row")


def geometric_mean_run(runs: Sequence[Observation]) -> tuple[float, float]:
    """X (1/s) and R (s) that the client measured in the typical run of a load."""
    return geometric_mean(o.throughput_per_s for o in runs), geometric_mean(
        o.response_time_s for o in runs
    )


def _group_rows(group: DeploymentRuns) -> Iterator[dict]:
    try:
        ours = fit_host(group.fitted_runs)
    except MissingData:
        return
    point = ours.point_estimate()
    for predictor in PREDICTORS:
        kind = group.fitted_runs[0].load.kind
        if kind not in predictor.kinds:
            continue
        fitted = predictor.fit(group.fitted_runs)
        for load, out, runs in group.by_load():
            found = fitted(load)
            yield {
                "server": group.server,
                "virtual_server": group.virtual_server,
                "kind": kind,
                "load": load.label,
                "level": load.level,
                "held_out": out,
                "runs": len(runs),
                "predictor": predictor.name,
                "label": predictor.label,
                "utilization": float(point.utilization(load)[0]),
                **compare_prediction(found, *geometric_mean_run(runs)),
                "note": _note(found, runs),
            }


def _note(found: Prediction, runs: Sequence[Observation]) -> str | None:
    said = []
    if not np.isfinite(found.response_time_s[0]):
        said.append("more than the server can take, says the predictor")
    broken = sum(one.is_saturated for one in runs)
    if broken:
        said.append(f"the server did not keep up in {broken} of {len(runs)} runs")
    return "; ".join(said) or None


def summarize_predictors(
    frame: pl.DataFrame, max_utilization: float = MAX_UTILIZATION
) -> pl.DataFrame:
    """Mean absolute errors over the held-out loads, a row a predictor, server and virtual server.

    Open loads count up to ``max_utilization`` of saturation, by our model's own prediction. ``unbounded`` tells
    how many of them the predictor called impossible; they are not in its means.
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
    """What each correction of our model is worth: its error with all of them, and without each.

    The form is calibrated at the fitted loads anew for each. ``error_R`` is the mean absolute error of R over the
    loads held out, demands predicted, too; ``error_R_run_demands`` is that over the held-out runs with each run's own
    demands, the error of the model's form alone. Columns server, virtual_server, model, loads, error_X, error_R,
    error_R_run_demands, unbounded.
    """
    rows = []
    for group in group_by_deployment(observations):
        try:
            scope = fit_host(group.fitted_runs).point_estimate()
            models = {
                name: fit_host(group.fitted_runs, calibrated=True, **switches).point_estimate()
                for name, switches, kinds in ABLATIONS
                if group.fitted_runs[0].load.kind in kinds
            }
        except MissingData:
            continue
        held = [
            (load, runs)
            for load, out, runs in group.by_load()
            if out and (load.kind == "closed" or scope.utilization(load)[0] <= max_utilization)
        ]
        for name, model in models.items():
            found = [
                compare_prediction(model.predict(load), *geometric_mean_run(runs))
                for load, runs in held
            ]
            good = [figures for figures in found if figures["R_ms"] is not None]
            own = [
                relative_error(response_with_run_demands_s(one, model), one.response_time_s)
                for _, runs in held
                for one in runs
            ]
            rows.append(
                {
                    "server": group.server,
                    "virtual_server": group.virtual_server,
                    "model": name,
                    "loads": len(good),
                    "error_X": _mean_abs(figures["error_X"] for figures in good),
                    "error_R": _mean_abs(figures["error_R"] for figures in good),
                    "error_R_run_demands": _mean_abs(own),
                    "unbounded": len(found) - len(good),
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def _mean_abs(errors: Iterable[float | None]) -> float | None:
    sizes = [abs(error) for error in errors if error is not None]
    return float(np.mean(sizes)) if sizes else None
