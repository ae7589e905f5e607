"""The auditor's answer: evaluation of the rules on a table, and the findings as frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.audit import texts
from pipeline.audit.columns import Columns, Values
from pipeline.audit.intervals import bounds
from pipeline.audit.reconcile import reconcile
from pipeline.audit.rules import ASSUMED, Rule, Side
from pipeline.audit.vocabulary import Key

Array = NDArray[np.float64]

TOLERANCE = 0.05
"""Share by which two measured sides may differ beyond rounding: at both ends of a measurement not all customers are in
the system, and counters are read a moment apart. The quality checks of a run allow the same."""
ARITHMETIC = 1e-9
"""Relative error of numbers that were computed in 64-bit floating point and printed in full."""
MAX_FINDINGS = 1000
"""Findings that are listed; all are counted."""

FINDING = pl.Schema(
    {
        "row": pl.Int64, "line": pl.Int64, "label": pl.String, "check": pl.String, "formula": pl.String,
        "left_side": pl.Float64, "right_side": pl.Float64, "ratio": pl.Float64, "difference": pl.Float64,
        "unit": pl.String, "reconciled_by": pl.String,
    }
)  # fmt: skip
CHECK = pl.Schema(
    {
        "check": pl.String, "formula": pl.String, "rows": pl.Int64, "findings": pl.Int64,
        "largest_difference": pl.Float64, "tolerance": pl.Float64, "assumed": pl.String,
    }
)  # fmt: skip
COLUMN = pl.Schema({"column": pl.String, "read_as": pl.String, "not_checked": pl.String})


@dataclass
class Audit:
    """What an audit of a table says.

    Attributes
    ----------
    findings : polars.DataFrame
        One row per broken rule and row of the table, at most ``MAX_FINDINGS``: ``left_side`` and ``right_side`` of the
        formula in ``unit`` (s, per s, or empty), ``ratio`` is left over right, ``reconciled_by`` what single change
        would make them agree.
    checks : polars.DataFrame
        One row per rule: the rows that it was evaluated on, its findings, the largest relative difference of its sides,
        its tolerance and what it assumes.
    columns : polars.DataFrame
        One row per column of the table: what it was read as, or why it is not checked.
    count, row_count : int
        All findings, and the rows that have one.
    height : int
        Rows of the table.
    """

    height: int
    findings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FINDING))
    checks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CHECK))
    columns: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=COLUMN))
    count: int = 0
    row_count: int = 0

    def summary(self) -> str:
        """One line: rows, checks and findings."""
        checks = self.checks.filter(pl.col("check") != "not negative").height
        return texts.summary(self.height, checks, self.count, self.row_count)

    def to_dict(self) -> dict[str, Any]:
        """Everything as numbers and texts, for JSON; infinity is null."""
        finite = pl.selectors.float().replace([np.nan, np.inf, -np.inf], None)
        return {
            "rows": self.height,
            "finding_count": self.count,
            **{
                name: frame.with_columns(finite).to_dicts()
                for name, frame in (
                    ("findings", self.findings), ("checks", self.checks), ("columns", self.columns),
                )
            },
        }  # fmt: skip


def evaluate(columns: Columns, rules: Iterable[Rule], tolerance: float = TOLERANCE) -> Audit:
    """Evaluate ``rules`` on every row.

    ``tolerance`` is the relative tolerance of rules between measured numbers; all others allow for the printed digits
    only.
    """
    audit = Audit(columns.height)
    findings: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    used: set[Key] = set()
    has_finding = np.zeros(columns.height, bool)
    for rule in rules:
        values = {key: _values(columns, key) for key in rule.keys}
        lhs, rhs = (_bounds(side, values, columns.height) for side in (rule.lhs, rule.rhs))
        allowed = tolerance if rule.is_measured else 0.0
        is_evaluated = ~(np.isnan(lhs[0]) | np.isnan(rhs[0]))
        if rule.rows is not None:
            is_evaluated &= rule.rows.astype(bool)
        if not is_evaluated.any():
            continue
        used |= {key for key in rule.keys if rule.name != "not negative"}
        with np.errstate(all="ignore"):
            is_broken = is_evaluated & _is_broken(rule.relation, lhs, rhs, allowed)
            difference = np.abs(lhs[0] - rhs[0]) / np.abs(rhs[0])
        shown = difference[is_evaluated & np.isfinite(difference)]
        rows = np.flatnonzero(is_broken)
        audit.count += rows.size
        has_finding |= is_broken
        checks.append(
            {
                "check": rule.name, "formula": rule.formula, "rows": int(is_evaluated.sum()),
                "findings": int(rows.size),
                "largest_difference": float(shown.max()) if shown.size and rule.relation == "=" else None,
                "tolerance": allowed, "assumed": rule.assumed,
            }
        )  # fmt: skip
        for row in rows[: MAX_FINDINGS - len(findings)]:
            findings.append(_finding(columns, rule, values, int(row), lhs[:, row], rhs[:, row]))
    audit.findings = pl.DataFrame(findings, schema=FINDING).sort("row", maintain_order=True)
    audit.checks = pl.DataFrame(checks, schema=CHECK)
    audit.row_count = int(has_finding.sum())
    unused = {values.name for key, values in columns.values.items() if key not in used}
    audit.columns = pl.DataFrame(
        [
            (name, read_as, texts.NO_CHECK if name in unused and not reason else reason)
            for name, (read_as, reason) in columns.notes.items()
        ],
        schema=COLUMN,
        orient="row",
    )
    return audit


def _values(columns: Columns, key: Key) -> Values:
    if key.qualifier != ASSUMED:
        return columns.values[key]
    if key.symbol == "Z":
        return columns.constant("Z", "ms", 0.0)
    return columns.constant(str(key._replace(qualifier="")), "", 1.0)


def _bounds(side: Side, values: dict[Key, Values], height: int) -> Array:
    result = bounds(side.function, [values[key].bounds for key in side.keys])
    return np.broadcast_to(result.reshape(3, -1), (3, height))


def _is_broken(relation: str, lhs: Array, rhs: Array, tolerance: float) -> Array:
    """Whether no pair of numbers within both intervals satisfies the relation."""
    size = np.maximum(np.abs(lhs[0]), np.abs(rhs[0]))
    slack = ARITHMETIC * np.where(np.isfinite(size), size, 0.0)
    margin = [slack + tolerance * np.where(np.isfinite(bound), np.abs(bound), 0.0) for bound in rhs]
    above = lhs[1] > rhs[2] + margin[2]
    return above if relation == "<=" else above | (lhs[2] < rhs[1] - margin[1])


def _finding(
    columns: Columns, rule: Rule, values: dict[Key, Values], row: int, lhs: Array, rhs: Array
) -> dict[str, Any]:
    with np.errstate(all="ignore"):
        ratio = float(lhs[0] / rhs[0])
    return {
        "row": row + 1,
        "line": columns.lines[row],
        "label": columns.labels[row],
        "check": rule.name,
        "formula": rule.formula,
        "left_side": float(lhs[0]),
        "right_side": float(rhs[0]),
        "ratio": ratio,
        "difference": float(lhs[0] - rhs[0]),
        "unit": _unit(rule),
        "reconciled_by": reconcile(rule, values, row, lhs, rhs),
    }


def _unit(rule: Rule) -> str:
    """Unit of both sides: that of a side with a single quantity."""
    side = rule.lhs if len(rule.lhs.keys) == 1 else rule.rhs
    symbol = side.keys[0].symbol if side.keys else ""
    return {"R": "s", "E_w": "s", "D": "s", "S": "s", "X": "per s"}.get(symbol, "")
