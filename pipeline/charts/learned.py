"""Charts of learned predictors beside the queueing model: errors by setting, and by the number of training runs."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import WIDTH
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_short

LOG = alt.Scale(type="log", nice=False, padding=10)
TICKS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
COLUMNS = 2
"""Panels beside each other."""


def predictor_errors(frame: pl.DataFrame, *, title: str) -> alt.FacetChart | alt.Chart:
    """Median error of each predictor with its interval, a panel per setting.

    ``frame``: ``setting``, ``predictor``, ``error``, ``low``, ``high`` (percent; an error of null is left out).
    """
    usable = frame.filter(pl.col("error") > 0)
    if usable.is_empty():
        return empty_chart(title)
    names = usable["predictor"].unique(maintain_order=True).to_list()
    settings = usable["setting"].unique(maintain_order=True).to_list()
    axis = alt.Axis(format="~g", values=TICKS)
    x_title = "median relative error of R (%), logarithmic"
    base = alt.Chart().encode(y=alt.Y("predictor:N", sort=names, title=None))
    layers = alt.layer(
        base.mark_rule(strokeWidth=2, opacity=0.5).encode(
            x=alt.X("low:Q", scale=LOG, title=x_title, axis=axis),
            x2="high:Q",
            color=_color(names),
        ),
        base.mark_point(size=70, filled=True, opacity=1).encode(
            x=alt.X("error:Q", scale=LOG, title=x_title, axis=axis),
            color=_color(names),
            tooltip=_tooltip("error", "low", "high"),
        ),
        data=theme.json_ready(usable),
    ).properties(width=WIDTH - 190, height=alt.Step(18))
    chart = layers.facet(
        row=alt.Row("setting:N", sort=settings, title=None).header(
            labelOrient="top", labelAnchor="start"
        )
    )
    numbers = [
        f"{row['setting']}, {row['predictor']}: {format_short(row['error'])} %"
        for row in usable.iter_rows(named=True)
    ]
    return with_title(chart, title, numbers)


def learning_curves(frame: pl.DataFrame, *, title: str) -> alt.FacetChart | alt.Chart:
    """Median error of each predictor over the number of training runs, a panel per virtual server and task.

    ``frame``: ``panel``, ``training_runs``, ``predictor``, ``error``, ``low``, ``high`` (percent).
    """
    usable = frame.filter(pl.col("error") > 0)
    if usable.is_empty():
        return empty_chart(title)
    names = usable["predictor"].unique(maintain_order=True).to_list()
    panels = usable["panel"].unique(maintain_order=True).to_list()
    x = alt.X("training_runs:Q", title="training runs", scale=alt.Scale(zero=False, padding=12))
    x = x.axis(tickCount=5, format="d")
    y = alt.Y("error:Q", scale=LOG, title="median error of R (%), logarithmic")
    y = y.axis(format="~g", values=TICKS)
    shape = alt.Shape("predictor:N", scale=alt.Scale(domain=names), legend=None)
    base = alt.Chart().encode(x=x, color=_color(names, columns=3))
    layers = alt.layer(
        base.mark_rule(strokeWidth=1.5, opacity=0.35).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line().encode(y=y),
        base.mark_point(size=45, filled=True, opacity=1).encode(
            y=y, shape=shape, tooltip=_tooltip("training_runs", "error", "low", "high")
        ),
        data=theme.json_ready(usable),
    ).properties(width=WIDTH / COLUMNS - 40, height=190)
    chart = layers.facet(alt.Facet("panel:N", sort=panels, title=None), columns=COLUMNS)
    numbers = [
        f"{row['panel']}, {row['predictor']}, {row['training_runs']} training runs: "
        f"{format_short(row['error'])} %"
        for row in usable.iter_rows(named=True)
    ]
    return with_title(chart, title, numbers)


def _color(names: list[str], columns: int | None = None) -> alt.Color:
    color = alt.Color("predictor:N", title=None, scale=alt.Scale(domain=names))
    return (
        color.legend(None)
        if columns is None
        else color.legend(columns=columns, labelLimit=240, symbolOpacity=1)
    )


def _tooltip(*numbers: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("predictor:N"),
        *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in numbers),
    ]
