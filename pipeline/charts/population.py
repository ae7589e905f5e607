"""Charts of a closed system over its population: measured values with intervals, and curves of models."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import CATEGORIES, WIDTH
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_short

SOLID = [1, 0]
DASHES = ([6, 4], SOLID, [2, 3], [8, 3, 2, 3])
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
        Upper end of the value axis; what lies above is not drawn. If None, the largest value, and the largest end of a
        measured interval.
    """
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    measured = usable.filter("is_measured")["source"].unique(maintain_order=True).to_list()
    models = usable.filter(~pl.col("is_measured"))["source"].unique(maintain_order=True).to_list()
    numbers = [
        _summary(usable.filter(pl.col("source") == source)) for source in [*measured, *models]
    ]
    ends = usable.filter(pl.col("is_measured") & pl.col("high").is_finite())["high"]
    limit = max_value or max(float(usable["value"].max()), float(ends.max() or 0)) * 1.05
    x = alt.X("population:Q", title=population_axis, scale=alt.Scale(zero=True))
    scale = alt.Scale(domain=[0, limit], nice=False)
    y = alt.Y("value:Q", title=axis, scale=scale)
    # one domain for colours, dashes and shapes: their legends are one
    names = [*measured, *models]
    symbol = {"symbolType": "stroke", "symbolStrokeWidth": 3} if models else {}
    legend = alt.Legend(columns=2, labelLimit=260, **symbol)
    domain = {"domain": names}
    color = alt.Color("source:N", title=None, legend=legend).scale(
        **domain, range=[CATEGORIES[i % len(CATEGORIES)] for i in range(len(names))]
    )
    dashes = [SOLID] * len(measured) + [DASHES[i % len(DASHES)] for i in range(len(models))]
    dash = alt.StrokeDash("source:N", title=None, legend=legend).scale(**domain, range=dashes)
    shape = alt.value(SHAPES[0])
    if len(measured) > 1:
        shape = alt.Shape("source:N", title=None, legend=legend).scale(
            **domain, range=[SHAPES[i % len(SHAPES)] for i in range(len(names))]
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
                x=x, y=y, color=color, tooltip=tooltip, strokeDash=dash
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
                x=x, y=y, color=color, tooltip=tooltip, shape=shape
            ),
        ]
    return with_title(alt.layer(*layers), title, numbers, axis, width=WIDTH - 160, height=260)


def _summary(rows: pl.DataFrame) -> str:
    """One source: its values at the smallest and the largest population."""
    rows = rows.sort("population")
    ends = [
        f"{format_short(row['value'])} at {row['population']}"
        for row in (rows.row(0, named=True), rows.row(-1, named=True))
    ]
    return f"{rows['source'][0]}: {', '.join(dict.fromkeys(ends))}"
