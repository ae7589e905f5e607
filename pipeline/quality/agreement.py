"""The same quantity by two instruments: how far they lie apart, and how far their resolution lets them.

Both values come with an interval: all that the true growth can have been, by what the instrument prints. Where the
intervals overlap, the difference says nothing about the instruments.

The two instruments never read at the same moment. The one (top, iotop) is taken as it stands, from one of its
snapshots to another; the other is a counter, interpolated to those two moments. What it can have been there lies
between its readings on both sides (a counter does not fall), so the misalignment is bounded without any assumption on
how the load is spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pipeline.measure.counters import BoundedValue
from pipeline.measure.window import MissingData, SnapshotSpan, bracketing_span
from pipeline.raw import Window

TOLERANCE = 0.02
"""Two instruments may differ by this much of the second one's value, beyond what their resolution leaves."""

Relation = Literal["equal", "at most"]
Outcome = Literal["agree", "within resolution", "disagree", "missing"]


def classify(
    a: BoundedValue,
    b: BoundedValue,
    relation: Relation = "equal",
    tolerance: float = TOLERANCE,
) -> Outcome:
    """Whether two readings can be of one quantity (``equal``), or the one of a part of the other (``at most``).

    ``agree``: they differ by no more than ``tolerance`` of the second. ``within resolution``: by more, but not
    beyond what their intervals leave. ``disagree``: by more than ``tolerance`` beyond that.
    """
    allowed = tolerance * abs(b.value)
    if difference(a, b, relation) <= allowed:
        return "agree"
    return "within resolution" if interval_gap(a, b, relation) <= allowed else "disagree"


def difference(a: BoundedValue, b: BoundedValue, relation: Relation = "equal") -> float:
    """How far the values lie apart; for ``at most``, how far the first exceeds the second."""
    apart = a.value - b.value
    return abs(apart) if relation == "equal" else max(0.0, apart)


def interval_gap(a: BoundedValue, b: BoundedValue, relation: Relation = "equal") -> float:
    """How far the intervals lie apart; 0 where they overlap."""
    over = a.low - b.high
    under = b.low - a.high if relation == "equal" else -math.inf
    return max(0.0, over, under)


def common_span(ticks: pl.DataFrame, window: Window, b_ns: pl.Series) -> SnapshotSpan:
    """The snapshots of the first instrument that enclose ``window``, as far as the other one was reading, too.

    ``ticks``: snapshots of the first instrument (``snapshot``, ``client_ns``); ``b_ns``: times of the other.
    Raises ``MissingData`` where the two logs do not overlap in the window.
    """
    first, last = b_ns.min(), b_ns.max()
    if first is None or last is None:
        raise MissingData("the other log has no times")
    return bracketing_span(
        ticks.filter(pl.col("client_ns").is_between(first, last)), window, partial=True
    )


def within_span(rows: pl.DataFrame, span: SnapshotSpan) -> pl.DataFrame:
    """Rows of top or iotop whose interval lies in ``span``."""
    return rows.filter(
        (pl.col("snapshot") > span.first)
        & (pl.col("snapshot") <= span.last)
        & pl.col("is_interval")
    )


# -- a pair, compared -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CrossCheck:
    """What is compared: a quantity, its two instruments, and what rests on the first of them."""

    quantity: str
    unit: str
    source_a: str
    source_b: str
    dependents: tuple[str, ...]
    """Quantities of the ledger that are computed from the first instrument (``ledger.catalogue``)."""
    relation: Relation = "equal"


@dataclass(frozen=True)
class Measurement:
    """Two readings, and what is known of why they may differ."""

    a: BoundedValue
    b: BoundedValue
    cause: str = ""
    """Why the values differ, where the logs themselves tell; a clause."""
    subject: str | None = None


@dataclass(frozen=True)
class CrossCheckResult:
    """One pair on one machine, judged."""

    role: str
    virtual_server: str | None
    pair: CrossCheck
    found: Measurement | None
    reason: str = ""
    """Why it could not be compared."""

    @property
    def outcome(self) -> Outcome:
        """See ``classify``; ``missing`` where there is nothing to judge."""
        if self.found is None:
            return "missing"
        return classify(self.found.a, self.found.b, self.pair.relation)

    def message(self) -> str:
        """What was found, for a reader."""
        if self.found is None:
            return f"cannot be compared: {self.reason}"
        a, b, relation = self.found.a, self.found.b, self.pair.relation
        outcome = self.outcome
        apart = f"{_share(difference(a, b, relation), b.value)} apart"
        if relation == "at most":
            apart = "no more" if a.value <= b.value else f"{apart[:-6]} more"
        cause = f"; {self.found.cause}" if self.found.cause else ""
        if outcome == "agree":
            return apart
        if outcome == "within resolution":
            return f"{apart}, which the instruments' resolution and their snapshots' times leave open{cause}"
        beyond = _share(interval_gap(a, b, relation), b.value)
        left = f"{apart}, {beyond} beyond what resolution leaves (allowed: {TOLERANCE:.0%})"
        return f"{left}{cause or '; the logs do not tell why'}"


def _share(part: float, whole: float) -> str:
    if part == 0:
        return "0 %"
    if whole == 0:
        return "something against nothing:"
    percent = 100 * part / abs(whole)
    return f"{percent:.3g} %" if percent >= 0.01 else "less than 0.01 %"


def cross_check(
    role: str,
    virtual_server: str | None,
    pair: CrossCheck,
    measure: Callable[[], Measurement | list[Measurement]],
) -> list[CrossCheckResult]:
    """``measure`` as comparisons; the reason where it cannot be measured."""
    try:
        found = measure()
    except MissingData as reason:
        return [CrossCheckResult(role, virtual_server, pair, None, str(reason))]
    every = found if isinstance(found, list) else [found]
    return [CrossCheckResult(role, virtual_server, pair, each) for each in every]
