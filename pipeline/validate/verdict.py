"""The one scorer: relative errors, the share of a miss that is attributed, and the verdict on a load held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline import equations as eq
from pipeline.validate.predictors import Prediction

GOOD_R, GOOD_X, EXPLAINED, MOST_UTILIZATION = 0.15, 0.10, 0.80, 0.90
"""What is aimed at: relative errors of R (any page's tolerance of R) and, for closed loads, X; the part of a miss that
must be attributed; and how near saturation an open load may be."""

NEAR, ACCOUNTED, MISSED = "near enough", "explained", "missed"
VERDICTS = (NEAR, ACCOUNTED, MISSED)
BEYOND = f"beyond {100 * MOST_UTILIZATION:.0f} %"


def finite(value: float | None) -> float | None:
    """The value as a plain number; None where it has no bound."""
    return float(value) if value is not None and np.isfinite(value) else None


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
