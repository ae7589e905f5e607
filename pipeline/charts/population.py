"""Charts of a closed system over its population: measured values with intervals, and curves of models."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import CATEGORIES, WIDTH
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_short

DASHES = ([1, 0], [6, 4], [2, 3], [8, 3, 2, 3])
SHAPES = ("circle", "diamond", "square", "triangle-up")


def over_population(
    frame: pl.DataFrame,
    *,
    title: str,
    axis: str,
    population_axis: str = "customers, N",
    max_value: float | None = None,
) -> alt.LayerChart | alt.Chart:
    """A quantity of a closed system over its population, points where measured and lines where modelled.

    Parameters
    ----------
    frame
        ``source`` (text), ``is_measured``, ``population``, ``value``, ``low``, ``high`` (may be null).
    title
    axis
        Title of the value axis, with the unit.
    population_axis
        Title of the population axis.
    max_value
        Upper end of the value axis; what lies above is not drawn. The largest value if None.
    """
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    measured = usable.filter("is_measured")["source"].unique(maintain_order=True).to_list()
    models = usable.filter(~pl.col("is_measured"))["source"].unique(maintain_order=True).to_list()
    numbers = [
        _summary(usable.filter(pl.col("source") == source)) for source in [*measured, *models]
    ]
    limit = max_value or float(usable["value"].max()) * 1.05
    x = alt.X("population:Q", title=population_axis, scale=alt.Scale(zero=True))
    scale = alt.Scale(domain=[0, limit], nice=False)
    y = alt.Y("value:Q", title=axis, scale=scale)
    # one colour scale: models are drawn in the colours after those of the measurements
    color = alt.Color("source:N", title=None).scale(
        domain=[*measured, *models], range=list(CATEGORIES[: len(measured) + len(models)])
    )
    tooltip = [
        alt.Tooltip("source:N", title="source"),
        alt.Tooltip("population:Q", title=population_axis),
        alt.Tooltip("value:Q", title=axis, format=".4~g"),
        alt.Tooltip("low:Q", format=".4~g"),
        alt.Tooltip("high:Q", format=".4~g"),
    ]
    layers = []
    if models:
        lines = alt.Chart(theme.json_ready(usable.filter(~pl.col("is_measured"))))
        layers.append(
            lines.mark_line(clip=True, strokeWidth=2).encode(
                x=x, y=y, color=color, tooltip=tooltip, strokeDash=_cycle("strokeDash", models)
            )
        )
    if measured:
        points = alt.Chart(theme.json_ready(usable.filter("is_measured")))
        has_interval = points.transform_filter("datum.low != null && datum.high != null")
        layers += [
            has_interval.mark_rule(clip=True).encode(
                x=x, y=alt.Y("low:Q", title=axis, scale=scale), y2="high:Q", color=color
            ),
            points.mark_point(size=70, filled=True, opacity=1, clip=True).encode(
                x=x, y=y, color=color, tooltip=tooltip, shape=_cycle("shape", measured)
            ),
        ]
    chart = alt.layer(*layers).resolve_scale(shape="independent", strokeDash="independent")
    return with_title(chart, title, numbers, axis, width=WIDTH - 160, height=260)


def _summary(rows: pl.DataFrame) -> str:
    """One source: its values at the smallest and the largest population."""
    rows = rows.sort("population")
    ends = [
        f"{format_short(row['value'])} at {row['population']}"
        for row in (rows.row(0, named=True), rows.row(-1, named=True))
    ]
    return f"{rows['source'][0]}: {', '.join(dict.fromkeys(ends))}"


def _cycle(channel: str, names: Sequence[str]) -> alt.StrokeDash | alt.Shape:
    """A second sign beside the colour."""
    if channel == "shape":
        return alt.Shape("source:N", title=None).scale(
            domain=list(names), range=[SHAPES[i % len(SHAPES)] for i in range(len(names))]
        )
    return alt.StrokeDash("source:N", title=None).scale(
        domain=list(names), range=[DASHES[i % len(DASHES)] for i in range(len(names))]
    )
