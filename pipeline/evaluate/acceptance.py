"""The one scorer: relative errors, the share of a miss that is attributed, and the verdict on a load held out.

How a verdict depends on the average that is taken over a load's runs: demand curves are fitted to logarithms, so a
prediction speaks of the typical run; R is convex in the demand, so the mean over runs lies above it, the more the
nearer to saturation. A true model is therefore judged too quick by the mean, less so by the geometric mean, and not at
all by the median, which scatters most with few runs. Loads are judged by the geometric mean, and the verdicts by the
others are shown beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline import equations as eq
from pipeline.evaluate.replication import geometric_mean, geometric_mean_ci
from pipeline.model.prediction import Prediction

ACCEPT_REL_ERROR_R, ACCEPT_REL_ERROR_X, MIN_ATTRIBUTED_SHARE, MAX_UTILIZATION = (
    0.15,
    0.10,
    0.80,
    0.90,
)
"""What is aimed at: relative errors of R (any page's tolerance of R) and, for closed loads, X; the part of a miss that
must be attributed; and how near saturation an open load may be."""

WITHIN_TOLERANCE = "within tolerance"
ATTRIBUTED = "attributed to inputs"
OUTSIDE_TOLERANCE = "outside tolerance"
NOT_SCORED = "not scored"
OUTCOMES = (WITHIN_TOLERANCE, ATTRIBUTED, OUTSIDE_TOLERANCE)


def finite(value: float | None) -> float | None:
    """The value as a plain number; None where it has no bound."""
    return float(value) if value is not None and np.isfinite(value) else None


COMPARISON = dict.fromkeys(
    ("X_measured_per_s", "X_per_s", "error_X", "R_measured_ms", "R_ms", "error_R"), pl.Float64
)
"""The columns that ``compare_prediction`` gives of a prediction without draws."""


def compare_prediction(
    found: Prediction, measured_x: float, measured_r: float
) -> dict[str, float | None]:
    """X (1/s) and R (ms) as modelled, with intervals where there are draws, as measured, and the relative errors."""
    figures: dict[str, float | None] = {
        "X_measured_per_s": measured_x,
        "error_X": relative_error(found.throughput.value, measured_x),
        "R_measured_ms": measured_r * 1e3,
        "error_R": relative_error(found.response_time.value, measured_r),
    }
    for name, unit, quantity, factor in (
        ("X", "per_s", found.throughput, 1.0), ("R", "ms", found.response_time, 1e3)
    ):  # fmt: skip
        figures[f"{name}_{unit}"] = finite(quantity.value * factor)
        if found.response_time_s.size > 1:
            figures[f"{name}_low_{unit}"] = finite(quantity.low * factor)
            figures[f"{name}_high_{unit}"] = finite(quantity.high * factor)
    return figures


def relative_error(modelled: float | None, measured: float) -> float | None:
    """(modelled − measured) / measured; None where what is modelled has no bound."""
    return None if modelled is None else finite(float(eq.relative_error(modelled, measured)))


def attributed_share(miss: float | None, unattributed: float) -> float | None:
    """1 − |unattributed| / |miss|, and not below 0: how much of measured − predicted a cause was found for.

    None without a miss.
    """
    if not finite(miss):
        return None
    return max(0.0, 1 - abs(unattributed / miss))


@dataclass(frozen=True)
class Score:
    """What a model said of a load against what was measured."""

    error_x: float | None
    error_r: float | None
    """Relative errors; None where R has no bound."""
    attributed: float | None
    """The attributed share of the miss of R."""
    outcome: str
    """The verdict."""


def score(
    kind: str,
    x: tuple[float, float],
    r: tuple[float | None, float],
    own_r: float | None,
    utilization: float | None = None,
) -> Score:
    """Score a load. ``x`` and ``r``: as modelled and as measured; ``own_r``: R by the demands of the runs themselves.

    ``utilization``: as predicted, None where it is not looked at.
    """
    predicted, measured = finite(r[0]), r[1]
    attributed = None
    if predicted is not None and finite(own_r) is not None:
        attributed = attributed_share(measured - predicted, measured - own_r)
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
    """The verdict on one load, by errors that are None where there is no bound."""
    is_open = kind == "open"
    if is_open and utilization is not None and utilization > MAX_UTILIZATION:
        return NOT_SCORED
    good_x = is_open or (error_x is not None and abs(error_x) <= ACCEPT_REL_ERROR_X)
    if good_x and error_r is not None and abs(error_r) <= ACCEPT_REL_ERROR_R:
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
"""Standard errors on either side of a 95 % interval."""

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
"""One row an average and load held out. ``is_alone``: whether no other virtual server was loaded. X and R: the average
over the runs of what was measured, and of what is predicted for each. ``R_measured_low_ms`` and ``R_measured_high_ms``:
95 % confidence interval of the geometric mean of R,
null for one run and where the server did not keep up in some. ``attributed``: the share of the miss of R that the runs'
own demands account for, with its 95 % interval by how sure they are. Null where R has no bound."""

KEYS = ("server", "virtual_server", "load", "kind", "is_alone")


def score_by_average(decomposition: pl.DataFrame) -> pl.DataFrame:
    """Score every held-out load by each average, from its runs (``ERROR_DECOMPOSITION``). Schema: ``BY_AVERAGE``."""
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
    # 0 where no step has a bound
    owns = (runs["measured_ms"] - runs["residual_ms"]).replace(0.0, None)
    own = over_runs(owns)
    # runs err independently; one without an error leaves their average without one
    errors = runs["residual_se_ms"]
    wide = None
    if own is not None and not errors.null_count():
        wide = Z_95 * own * float(np.linalg.norm(errors / owns)) / runs.height
    found = score(runs["kind"][0], x, r, own, utilization)
    low, high = _share_interval(r, own, wide)
    typical_r = geometric_mean_ci(runs["measured_ms"]) if runs["kept_up"].all() else None
    typical_low, typical_high = typical_r or (None, None)
    return {
        "runs": runs.height,
        "X_measured_per_s": x[1],
        "X_per_s": x[0],
        "error_X": found.error_x,
        "R_measured_ms": measured,
        "R_measured_low_ms": typical_low,
        "R_measured_high_ms": typical_high,
        "R_ms": predicted,
        "error_R": found.error_r,
        "attributed": found.attributed,
        "attributed_low": low,
        "attributed_high": high,
        "outcome": found.outcome,
    }


def _share_interval(
    r: tuple[float | None, float], own: float, wide: float | None
) -> tuple[float | None, float | None]:
    """Where the attributed share lies if R by the runs' own demands is sure to ``wide``."""
    if wide is None or r[0] is None:
        return None, None
    miss, left = r[1] - r[0], abs(r[1] - own)
    return attributed_share(miss, left + wide), attributed_share(miss, max(left - wide, 0.0))
