"""Whether two sources of one quantity agree, within what their resolution allows.

Both values come with bounds: all that the true increase can have been, by what the source prints. The two sources are
never read at the same moment. The first (top, iotop) is taken between two of its snapshots; the second is a counter,
interpolated to those two moments and bounded there by its readings on both sides (a counter does not decrease), so no
assumption on the load in between is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.measure.counters import BoundedValue
from pipeline.measure.window import MissingData, SnapshotSpan, bracketing_span
from pipeline.quality import texts
from pipeline.raw import Window

TOLERANCE = 0.02
"""Two values may differ by this share of the second, beyond their resolution."""

Relation = Literal["=", "<="]
Outcome = Literal["agree", "within resolution", "disagree", "not evaluated"]


def classify(
    a: BoundedValue, b: BoundedValue, relation: Relation = "=", tolerance: float = TOLERANCE
) -> Outcome:
    """Whether two values can be of one quantity (``=``), or ``a`` of a part of ``b`` (``<=``).

    ``agree``: they differ by at most ``tolerance`` of ``b``. ``within resolution``: by more, but their intervals are
    at most that far apart. ``disagree``: the intervals are farther apart.
    """
    allowed = tolerance * abs(b.value)
    if difference(a, b, relation) <= allowed:
        return "agree"
    return "within resolution" if interval_gap(a, b, relation) <= allowed else "disagree"


def difference(a: BoundedValue, b: BoundedValue, relation: Relation = "=") -> float:
    """Difference of the values; for ``<=`` the excess of ``a``."""
    excess = a.value - b.value
    return abs(excess) if relation == "=" else max(0.0, excess)


def interval_gap(a: BoundedValue, b: BoundedValue, relation: Relation = "=") -> float:
    """Distance of the intervals; 0 where they overlap."""
    above = a.low - b.high
    below = b.low - a.high if relation == "=" else -math.inf
    return max(0.0, above, below)


def common_span(ticks: pl.DataFrame, window: Window, other_ns: pl.Series) -> SnapshotSpan:
    """The snapshots of the first source that bracket ``window``, as far as the second one was read.

    ``ticks``: snapshots of the first source (``snapshot``, ``client_ns``); ``other_ns``: times of the second.
    Raises ``MissingData`` where the two logs do not overlap in the window.
    """
    first, last = other_ns.min(), other_ns.max()
    if first is None or last is None:
        raise MissingData(texts.NO_TIMES)
    read_by_both = ticks.filter(pl.col("client_ns").is_between(first, last))
    return bracketing_span(read_by_both, window, partial=True)


def within_span(rows: pl.DataFrame, span: SnapshotSpan) -> pl.DataFrame:
    """Rows of top or iotop whose interval lies in ``span``."""
    return rows.filter(
        (pl.col("snapshot") > span.first)
        & (pl.col("snapshot") <= span.last)
        & pl.col("is_interval")
    )


@dataclass(frozen=True)
class CrossCheck:
    """What is compared: a quantity, its two sources, and what depends on the first of them."""

    quantity: str
    unit: str
    source_a: str
    source_b: str
    dependents: tuple[str, ...]
    """Quantities of the ledger that are computed from the first source (``ledger.catalogue``)."""
    relation: Relation = "="


@dataclass(frozen=True)
class Measurement:
    """The values of two sources, and a known cause of a difference."""

    a: BoundedValue
    b: BoundedValue
    cause: str = ""
    """Why the values differ, as far as the logs show it; a clause."""
    subject: str | None = None


@dataclass(frozen=True)
class CrossCheckResult:
    """One cross-check on one machine."""

    role: str
    virtual_server: str | None
    check: CrossCheck
    measurement: Measurement | None
    reason: str = ""
    """Why there is no measurement."""

    @property
    def outcome(self) -> Outcome:
        """See ``classify``; ``not evaluated`` without a measurement."""
        if self.measurement is None:
            return "not evaluated"
        return classify(self.measurement.a, self.measurement.b, self.check.relation)

    def message(self) -> str:
        """The difference, whether resolution explains it, and its cause; the reason without a measurement."""
        if self.measurement is None:
            return self.reason
        a, b, relation = self.measurement.a, self.measurement.b, self.check.relation
        if relation == "<=" and a.value <= b.value:
            return texts.NOT_LARGER
        parts = [
            texts.difference(
                _share(difference(a, b, relation), b.value), is_excess=relation == "<="
            )
        ]
        if self.outcome == "within resolution":
            parts.append(texts.WITHIN_RESOLUTION)
        elif self.outcome == "disagree":
            gap = _share(interval_gap(a, b, relation), b.value)
            parts.append(texts.beyond_resolution(gap, TOLERANCE))
        if self.outcome != "agree" and self.measurement.cause:
            parts.append(self.measurement.cause)
        elif self.outcome == "disagree":
            parts.append(texts.CAUSE_UNKNOWN)
        return "; ".join(parts)


def _share(part: float, whole: float) -> float | None:
    if part == 0:
        return 0.0
    return part / abs(whole) if whole else None


def cross_check(
    role: str,
    virtual_server: str | None,
    check: CrossCheck,
    measure: Callable[[], Measurement | list[Measurement]],
) -> list[CrossCheckResult]:
    """Results of ``measure``; one with the reason where it raises ``MissingData``."""
    try:
        measured = measure()
    except MissingData as reason:
        return [CrossCheckResult(role, virtual_server, check, None, str(reason))]
    each = measured if isinstance(measured, list) else [measured]
    return [CrossCheckResult(role, virtual_server, check, measurement) for measurement in each]
