"""Scoring of predictions: relative errors, the attributed share of an error, and the outcome of a held-out load.

The outcome depends on the average over a load's runs. Demand curves are fitted to logarithms, so R is predicted at the
geometric mean of the demand. R is convex in the demand: the arithmetic mean of R lies above that prediction, the more
the closer to saturation, and the geometric mean less so. The median is unbiased, but varies most with few runs. Loads
are scored by the geometric mean; the outcomes by the other averages are given, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline import equations as eq
from pipeline.evaluate.replication import geometric_mean, geometric_mean_ci
from pipeline.evaluate.texts import ATTRIBUTED, NOT_SCORED, OUTSIDE_TOLERANCE, WITHIN_TOLERANCE
from pipeline.model.prediction import Prediction

ACCEPT_REL_ERROR_R = 0.15
"""Accepted relative error of R."""
ACCEPT_REL_ERROR_X = 0.10
"""Accepted relative error of X, closed loads."""
MIN_ATTRIBUTED_SHARE = 0.80
"""Share of an error of R above which it counts as attributed to the inputs."""
MAX_UTILIZATION = 0.90
"""Predicted utilization up to which an open load is scored."""

OUTCOMES = (WITHIN_TOLERANCE, ATTRIBUTED, OUTSIDE_TOLERANCE)


def finite(value: float | None) -> float | None:
    """The value as a float; None if infinite or NaN."""
    return float(value) if value is not None and np.isfinite(value) else None


COMPARISON = dict.fromkeys(
    ("X_measured_per_s", "X_per_s", "error_X", "R_measured_ms", "R_ms", "error_R"), pl.Float64
)
"""Columns of ``compare_prediction`` for a prediction without draws."""


def compare_prediction(
    prediction: Prediction, measured_x: float, measured_r: float
) -> dict[str, float | None]:
    """X (1/s) and R (ms) modelled, with intervals where there are draws, measured, and the relative errors."""
    figures: dict[str, float | None] = {
        "X_measured_per_s": measured_x,
        "error_X": relative_error(prediction.throughput.value, measured_x),
        "R_measured_ms": measured_r * 1e3,
        "error_R": relative_error(prediction.response_time.value, measured_r),
    }
    for name, unit, quantity, factor in (
        ("X", "per_s", prediction.throughput, 1.0), ("R", "ms", prediction.response_time, 1e3)
    ):  # fmt: skip
        figures[f"{name}_{unit}"] = finite(quantity.value * factor)
        if prediction.response_time_s.size > 1:
            figures[f"{name}_low_{unit}"] = finite(quantity.low * factor)
            figures[f"{name}_high_{unit}"] = finite(quantity.high * factor)
    return figures


def relative_error(modelled: float | None, measured: float) -> float | None:
    """(modelled − measured) / measured; None where the modelled value is infinite."""
    return None if modelled is None else finite(float(eq.relative_error(modelled, measured)))


def attributed_share(error: float | None, unattributed: float) -> float | None:
    """1 − |unattributed| / |error|, at least 0: the share of measured − predicted that has a known cause.

    None without an error.
    """
    if not finite(error):
        return None
    return max(0.0, 1 - abs(unattributed / error))


@dataclass(frozen=True)
class Score:
    """Errors and outcome of a prediction."""

    error_x: float | None
    error_r: float | None
    """Relative errors; None where R is infinite."""
    attributed: float | None
    """The attributed share of the error of R."""
    outcome: str
    """One of ``OUTCOMES``, or ``NOT_SCORED``."""


def score(
    kind: str,
    x: tuple[float, float],
    r: tuple[float | None, float],
    run_demands_r: float | None,
    utilization: float | None = None,
) -> Score:
    """Score the prediction of a load.

    Parameters
    ----------
    kind
        ``open`` or ``closed``.
    x, r
        Modelled and measured X and R.
    run_demands_r
        R modelled with the demands of the runs themselves.
    utilization
        Predicted; None if it does not count.
    """
    predicted, measured = finite(r[0]), r[1]
    attributed = None
    if predicted is not None and finite(run_demands_r) is not None:
        attributed = attributed_share(measured - predicted, measured - run_demands_r)
    error_x, error_r = relative_error(*x), relative_error(predicted, measured)
    return Score(
        error_x, error_r, attributed, classify(kind, utilization, error_x, error_r, attributed)
    )


def classify(
    kind: str,
    utilization: float | None,
    error_x: float | None,
    error_r: float | None,
    attributed: float | None,
) -> str:
    """The outcome of a load by its relative errors (None: infinite) and the attributed share."""
    is_open = kind == "open"
    if is_open and utilization is not None and utilization > MAX_UTILIZATION:
        return NOT_SCORED
    is_x_accepted = is_open or (error_x is not None and abs(error_x) <= ACCEPT_REL_ERROR_X)
    if is_x_accepted and error_r is not None and abs(error_r) <= ACCEPT_REL_ERROR_R:
        return WITHIN_TOLERANCE
    return (
        ATTRIBUTED
        if attributed is not None and attributed >= MIN_ATTRIBUTED_SHARE
        else OUTSIDE_TOLERANCE
    )


# -- by each average over a load's runs -----------------------------------------------------------------------

AVERAGES: dict[str, Callable[[list[float]], float]] = {
    "mean": np.mean,
    "geometric mean": geometric_mean,
    "median": np.median,
}

Z_95 = 1.96
"""Normal quantile of a two-sided 95 % interval."""

BY_AVERAGE = pl.Schema(
    {
        "average": pl.String,
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "kind": pl.String,
        "is_alone": pl.Boolean,
        "runs": pl.Int64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "R_measured_low_ms": pl.Float64,
        "R_measured_high_ms": pl.Float64,
        "R_ms": pl.Float64,
        "error_R": pl.Float64,
        "attributed": pl.Float64,
        "attributed_low": pl.Float64,
        "attributed_high": pl.Float64,
        "outcome": pl.String,
    }
)
"""One row per average and held-out load. ``is_alone``: no other virtual server was loaded. X and R: the average over
the runs of what was measured, and of what is predicted for each. ``R_measured_low_ms``, ``R_measured_high_ms``: 95 %
confidence interval of the geometric mean of R, null for one run and where a run was saturated. ``attributed``: the
share of the error of R that the runs' own demands account for, with its 95 % interval. Null where R is infinite."""

KEYS = ("server", "virtual_server", "load", "kind", "is_alone")


def score_by_average(decomposition: pl.DataFrame) -> pl.DataFrame:
    """Score every held-out load by each average over its runs (``ERROR_DECOMPOSITION``). Schema: ``BY_AVERAGE``."""
    rows = [
        {"average": name, **dict(zip(KEYS, keys, strict=True)), **_score_runs(runs, average)}
        for name, average in AVERAGES.items()
        for keys, runs in decomposition.group_by(KEYS, maintain_order=True)
    ]
    return pl.DataFrame(rows, schema=BY_AVERAGE, orient="row")


def _score_runs(
    runs: pl.DataFrame, average: Callable[[list[float]], float]
) -> dict[str, float | str | None]:
    def over_runs(values: pl.Series) -> float | None:
        return None if values.null_count() else float(average(values.to_list()))

    names = ("X_per_s", "X_measured_per_s", "predicted_ms", "measured_ms", "utilization")
    *x, predicted, measured, utilization = (over_runs(runs[name]) for name in names)
    r = predicted, measured
    # 0 where every step is infinite
    run_demands_r = (runs["measured_ms"] - runs["residual_ms"]).replace(0.0, None)
    mean_run_demands_r = over_runs(run_demands_r)
    # errors of runs are independent; a null one makes their average null
    errors = runs["residual_se_ms"]
    half_width = None
    if mean_run_demands_r is not None and not errors.null_count():
        half_width = (
            Z_95 * mean_run_demands_r * float(np.linalg.norm(errors / run_demands_r)) / runs.height
        )
    scored = score(runs["kind"][0], x, r, mean_run_demands_r, utilization)
    low, high = _share_interval(r, mean_run_demands_r, half_width)
    r_interval = geometric_mean_ci(runs["measured_ms"]) if runs["kept_up"].all() else None
    r_low, r_high = r_interval or (None, None)
    return {
        "runs": runs.height,
        "X_measured_per_s": x[1],
        "X_per_s": x[0],
        "error_X": scored.error_x,
        "R_measured_ms": measured,
        "R_measured_low_ms": r_low,
        "R_measured_high_ms": r_high,
        "R_ms": predicted,
        "error_R": scored.error_r,
        "attributed": scored.attributed,
        "attributed_low": low,
        "attributed_high": high,
        "outcome": scored.outcome,
    }


def _share_interval(
    r: tuple[float | None, float], run_demands_r: float, half_width: float | None
) -> tuple[float | None, float | None]:
    """The interval of the attributed share if R with the runs' own demands has this half-width."""
    if half_width is None or r[0] is None:
        return None, None
    error, unattributed = r[1] - r[0], abs(r[1] - run_demands_r)
    return attributed_share(error, unattributed + half_width), attributed_share(
        error, max(unattributed - half_width, 0.0)
    )
