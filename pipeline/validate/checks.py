"""One check of the gate: what was measured, what should have been, and what rests on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

CHECKS = pl.Schema(
    {
        "virtual_server": pl.String,
        "check": pl.String,
        "passed": pl.Boolean,
        "value": pl.Float64,
        "expected": pl.Float64,
        "tolerance": pl.Float64,
        "unit": pl.String,
        "sentence": pl.String,
        "mark": pl.String,
        "affects": pl.String,
        "grave": pl.Boolean,
    }
)
"""A row a check: whether it passed (null where that cannot be told), the number, what it should be and by how much
it may differ, a sentence, the few words that mark results, the quantities of the ledger that rest on it (separated by
blanks, or ``everything``), and whether a model is not to be believed where it fails (else: doubted)."""


@dataclass(frozen=True)
class Check:
    """One check of one virtual server; the columns of ``CHECKS``."""

    check: str
    passed: bool | None
    sentence: str
    affects: tuple[str, ...]
    value: float | None = None
    expected: float | None = None
    tolerance: float | None = None
    unit: str = "1"
    mark: str = ""
    grave: bool = False


def near(value: float, expected: float, tolerance: float) -> bool:
    """Whether ``value`` lies within ``tolerance`` of ``expected``; never for what is no number."""
    return math.isfinite(value) and abs(value - expected) <= tolerance


def untold(check: str, reason: str, affects: tuple[str, ...], *, grave: bool = False) -> Check:
    """A check that could not be made, and why."""
    return Check(check, None, f"cannot be told: {reason}", affects, grave=grave)


def words(value: float | None, digits: int = 4) -> str:
    """A number in a sentence."""
    return "–" if value is None else f"{value:.{digits}g}"


def as_frame(virtual_server: str, checks: list[Check]) -> pl.DataFrame:
    """Checks of one virtual server, form ``CHECKS``."""
    rows = [{"virtual_server": virtual_server, **vars(check)} for check in checks]
    for row in rows:
        row["affects"] = " ".join(row["affects"])
    return pl.DataFrame(rows, schema=CHECKS)
