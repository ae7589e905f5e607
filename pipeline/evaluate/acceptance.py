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
from pipeline.evaluate.replication import typical, typical_interval
from pipeline.model.prediction import Prediction

GOOD_R, GOOD_X, EXPLAINED, MOST_UTILIZATION = 0.15, 0.10, 0.80, 0.90
"""What is aimed at: relative errors of R (any page's tolerance of R) and, for closed loads, X; the part of a miss that
must be attributed; and how near saturation an open load may be."""

NEAR, ACCOUNTED, MISSED = "near enough", "explained", "missed"
VERDICTS = (NEAR, ACCOUNTED, MISSED)
BEYOND = f"beyond {100 * MOST_UTILIZATION:.0f} %"


def finite(value: float | None) -> float | None:
    """The value as a plain number; None where it has no bound."""
    return float(value) if value is not None and np.isfinite(value) else None


FIGURES = dict.fromkeys(
    ("X_measured_per_s", "X_per_s", "error_X", "R_measured_ms", "R_ms", "error_R"), pl.Float64
)
"""The columns that ``compared`` gives of a prediction without draws."""


def compared(found: Prediction, measured_x: float, measured_r: float) -> dict[str, float | None]:
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
    explained: float | None
    """The attributed share of the miss of R."""
    judged: str
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
    explained = None
    if predicted is not None and finite(own_r) is not None:
        explained = attributed_share(measured - predicted, measured - own_r)
    error_x, error_r = relative_error(*x), relative_error(predicted, measured)
    return Score(error_x, error_r, explained, judge(kind, utilization, error_x, error_r, explained))


def judge(
    kind: str,
    utilization: float | None,
    error_x: float | None,
    error_r: float | None,
    explained: float | None,
) -> str:
    """The verdict on one load, by errors that are None where there is no bound."""
    is_open = kind == "open"
    if is_open and utilization is not None and utilization > MOST_UTILIZATION:
        return BEYOND
    good_x = is_open or (error_x is not None and abs(error_x) <= GOOD_X)
    if good_x and error_r is not None and abs(error_r) <= GOOD_R:
        return NEAR
    return ACCOUNTED if explained is not None and explained >= EXPLAINED else MISSED


# -- by each average over a load's runs -----------------------------------------------------------------------

AVERAGES: dict[str, Callable[[list[float]], float]] = {
    "mean": np.mean,
    "geometric mean": typical,
    "median": np.median,
}

SURE = 1.96
"""Standard errors on either side of a 95 % interval."""

BY_AVERAGE = pl.Schema(
    {
        "average": pl.String,
        "server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "kind": pl.String,
        "alone": pl.Boolean,
        "runs": pl.Int64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "typical_low_ms": pl.Float64,
        "typical_high_ms": pl.Float64,
        "R_ms": pl.Float64,
        "error_R": pl.Float64,
        "explained": pl.Float64,
        "explained_low": pl.Float64,
        "explained_high": pl.Float64,
        "judged": pl.String,
    }
)
"""One row an average and load held out. ``alone``: whether no other virtual server was loaded. X and R: the average
over the runs of what was measured, and of what is predicted for each. ``typical_``: where the typical R lies (95 %),
null for one run and where the server did not keep up in some. ``explained``: the share of the miss of R that the runs'
own demands account for, with its 95 % interval by how sure they are. Null where R has no bound."""

KEYS = ("server", "virtual_server", "load", "kind", "alone")


def judged_by_average(budget_of_runs: pl.DataFrame) -> pl.DataFrame:
    """Every load held out, from its runs (form ``BUDGET``), judged by each average. Schema: ``BY_AVERAGE``."""
    rows = [
        {"average": name, **dict(zip(KEYS, keys, strict=True)), **_judged(runs, average)}
        for name, average in AVERAGES.items()
        for keys, runs in budget_of_runs.group_by(KEYS, maintain_order=True)
    ]
    return pl.DataFrame(rows, schema=BY_AVERAGE, orient="row")


def _judged(
    runs: pl.DataFrame, average: Callable[[list[float]], float]
) -> dict[str, float | str | None]:
    def over_runs(values: pl.Series) -> float | None:
        return None if values.null_count() else float(average(values.to_list()))

    names = ("X_per_s", "X_measured_per_s", "predicted_ms", "measured_ms", "utilization")
    *x, predicted, measured, utilization = (over_runs(runs[name]) for name in names)
    r = predicted, measured
    # 0 where no step has a bound
    owns = (runs["measured_ms"] - runs["unexplained_ms"]).replace(0.0, None)
    own = over_runs(owns)
    # runs err independently; one without an error leaves their average without one
    errors = runs["unexplained_error_ms"]
    wide = None
    if own is not None and not errors.null_count():
        wide = SURE * own * float(np.linalg.norm(errors / owns)) / runs.height
    found = score(runs["kind"][0], x, r, own, utilization)
    low, high = _share_interval(r, own, wide)
    typical_r = typical_interval(runs["measured_ms"]) if runs["kept_up"].all() else None
    typical_low, typical_high = typical_r or (None, None)
    return {
        "runs": runs.height,
        "X_measured_per_s": x[1],
        "X_per_s": x[0],
        "error_X": found.error_x,
        "R_measured_ms": measured,
        "typical_low_ms": typical_low,
        "typical_high_ms": typical_high,
        "R_ms": predicted,
        "error_R": found.error_r,
        "explained": found.explained,
        "explained_low": low,
        "explained_high": high,
        "judged": found.judged,
    }


def _share_interval(
    r: tuple[float | None, float], own: float, wide: float | None
) -> tuple[float | None, float | None]:
    """Where the attributed share lies if R by the runs' own demands is sure to ``wide``."""
    if wide is None or r[0] is None:
        return None, None
    miss, left = r[1] - r[0], abs(r[1] - own)
    return attributed_share(miss, left + wide), attributed_share(miss, max(left - wide, 0.0))
