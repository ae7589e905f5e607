"""Marks that several charts share: numbers as text, a reference line, intervals.

Short, because the marks of a single chart are in its module.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from pipeline.charts.theme import INK
from pipeline.units import format_short

NUMBERS = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


def number_text(number: str | pl.Expr, unit: str = "") -> pl.Expr:
    """A column, or an expression, as text with three digits and a unit."""
    values = pl.col(number) if isinstance(number, str) else number
    return values.map_elements(lambda v: format_short(v) + unit, return_dtype=pl.String)


def reference_line(column: str, value: float, x: alt.X, colour: str = INK) -> alt.Chart:
    """A dashed vertical line at ``value``."""
    mark = alt.Chart(alt.Data(values=[{column: value}])).mark_rule(color=colour, strokeDash=[4, 3])
    return mark.encode(x=x)


def interval_rules(base: alt.Chart, x: alt.X | str, **mark: Any) -> alt.Chart:
    """A rule from ``low`` to ``high`` for each row that has both."""
    has_one = base.transform_filter("datum.low != null && datum.high != null")
    return has_one.mark_rule(**mark).encode(x=x, x2="high:Q")
