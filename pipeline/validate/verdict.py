"""When a load held out counts as predicted: near enough, missed for reasons that its own logs show, or missed."""

from __future__ import annotations

GOOD_R, GOOD_X, EXPLAINED, MOST_UTILIZATION = 0.15, 0.10, 0.80, 0.90
"""What is aimed at: relative errors of R and, for closed loads, X; the part of a miss that a budget must explain; and
how near saturation an open load may be."""

NEAR, ACCOUNTED, MISSED = "near enough", "explained", "missed"
VERDICTS = (NEAR, ACCOUNTED, MISSED)
BEYOND = f"beyond {100 * MOST_UTILIZATION:.0f} %"


def judge(
    kind: str,
    utilization: float | None,
    error_x: float,
    error_r: float | None,
    explained: float | None,
) -> str:
    """The verdict on one load. ``utilization``: as predicted, None where it is not looked at; ``error_r``: None where
    R has no bound; ``explained``: the share of the miss that the runs' own logs account for."""
    is_open = kind == "open"
    if is_open and utilization is not None and utilization > MOST_UTILIZATION:
        return BEYOND
    good = error_r is not None and abs(error_r) <= GOOD_R
    if good and (is_open or abs(error_x) <= GOOD_X):
        return NEAR
    return ACCOUNTED if explained is not None and explained >= EXPLAINED else MISSED
