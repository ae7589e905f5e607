"""A pair of instruments, compared: the record that one row of the table of instruments is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.measure.counters import Reading
from pipeline.measure.window import Unmeasured
from pipeline.validate.comparison import (
    TOLERANCE,
    Relation,
    Verdict,
    difference,
    gap,
    judge,
)


@dataclass(frozen=True)
class Pair:
    """What is compared: a quantity, its two instruments, and what rests on the first of them."""

    what: str
    unit: str
    one: str
    other: str
    affects: tuple[str, ...]
    """Quantities of the ledger that are computed from the first instrument (``ledger.catalogue``)."""
    relation: Relation = "equal"


@dataclass(frozen=True)
class Found:
    """Two readings, and what is known of why they may differ."""

    one: Reading
    other: Reading
    cause: str = ""
    """Why the values differ, where the logs themselves tell; a clause."""
    subject: str | None = None


@dataclass(frozen=True)
class Comparison:
    """One pair on one machine, judged."""

    role: str
    virtual_server: str | None
    pair: Pair
    found: Found | None
    reason: str = ""
    """Why it could not be compared."""
    subject: str | None = None

    @property
    def verdict(self) -> Verdict:
        """See ``comparison.judge``; ``missing`` where there is nothing to judge."""
        if self.found is None:
            return "missing"
        return judge(self.found.one, self.found.other, self.pair.relation)

    def sentence(self) -> str:
        """What was found, for a reader."""
        if self.found is None:
            return f"cannot be compared: {self.reason}"
        one, other, relation = self.found.one, self.found.other, self.pair.relation
        verdict = self.verdict
        apart = f"{_share(difference(one, other, relation), other.value)} apart"
        if relation == "at most":
            apart = "no more" if one.value <= other.value else f"{apart[:-6]} more"
        cause = f"; {self.found.cause}" if self.found.cause else ""
        if verdict == "agree":
            return apart
        if verdict == "within resolution":
            return f"{apart}, which the instruments' resolution and their snapshots' times leave open{cause}"
        beyond = _share(gap(one, other, relation), other.value)
        left = f"{apart}, {beyond} beyond what resolution leaves (allowed: {TOLERANCE:.0%})"
        return f"{left}{cause or '; the logs do not tell why'}"


def _share(part: float, whole: float) -> str:
    if part == 0:
        return "0 %"
    if whole == 0:
        return "something against nothing:"
    percent = 100 * part / abs(whole)
    return f"{percent:.3g} %" if percent >= 0.01 else "less than 0.01 %"


def compared(
    role: str,
    virtual_server: str | None,
    pair: Pair,
    measure: Callable[[], Found | list[Found]],
) -> list[Comparison]:
    """``measure`` as comparisons; the reason where it cannot be measured."""
    try:
        found = measure()
    except Unmeasured as reason:
        return [Comparison(role, virtual_server, pair, None, str(reason))]
    every = found if isinstance(found, list) else [found]
    return [Comparison(role, virtual_server, pair, one, subject=one.subject) for one in every]
