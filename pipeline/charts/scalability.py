"""Charts of scalability: where models of a sweep over populations leave the data."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.population import DASHES, SHAPES
from pipeline.charts.theme import CATEGORIES, WIDTH
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_short


def sweep_errors(
    frame: pl.DataFrame, *, title: str, limit: float, population_axis: str = "threads, N"
) -> alt.LayerChart | alt.Chart:
    """Relative errors of X of several models over the population, one set of levels fitted to.

    Parameters
    ----------
    frame
        ``model``, ``population``, ``is_fitted`` (whether the model was fitted to the level), ``error`` (percent),
        ``low`` and ``high`` (the error against the ends of the measured interval; may be null).
    title
    limit
        Accepted error, percent: the band about 0.
    population_axis
        Title of the population axis, which is logarithmic.
    """
    usable = frame.filter(pl.col("error").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    usable = usable.with_columns(
        role_in_fit=pl.when("is_fitted").then(pl.lit("fitted")).otherwise(pl.lit("predicted")),
    )
    models = usable["model"].unique(maintain_order=True).to_list()
    numbers = [
        f"{model}: "
        + ", ".join(
            f"{format_short(row['error'])} % at {row['population']}"
            for row in usable.filter(model=model).sort("population").iter_rows(named=True)
        )
        for model in models
    ]
    x = alt.X(
        "population:Q",
        title=f"{population_axis}, logarithmic",
        scale=alt.Scale(type="log", base=2, nice=False),
        axis=alt.Axis(values=sorted(usable["population"].unique()), format="d"),
    )
    y = alt.Y("error:Q", title="error of X (%)")
    color = alt.Color("model:N", title=None, sort=models).scale(
        domain=models, range=list(CATEGORIES[1 : len(models) + 1])
    )
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("population:Q", title=population_axis),
        alt.Tooltip("error:Q", title="error of X (%)", format="+.3~g"),
        alt.Tooltip("low:Q", format="+.3~g"),
        alt.Tooltip("high:Q", format="+.3~g"),
        alt.Tooltip("role_in_fit:N", title="level"),
    ]
    accepted = (
        alt.Chart(theme.json_ready(pl.DataFrame({"low": [-limit], "high": [limit]})))
        .mark_rect(opacity=0.12, color=theme.INK)
        .encode(y=alt.Y("low:Q", title="error of X (%)"), y2="high:Q")
    )
    base = alt.Chart(theme.json_ready(usable))
    chart = alt.layer(
        accepted,
        base.mark_line(strokeWidth=2).encode(
            x=x,
            y=y,
            color=color,
            strokeDash=alt.StrokeDash("model:N", legend=None).scale(
                domain=models, range=[DASHES[i % len(DASHES)] for i in range(len(models))]
            ),
        ),
        base.mark_point(size=80, filled=True, opacity=1).encode(
            x=x,
            y=y,
            color=color,
            tooltip=tooltip,
            shape=alt.Shape("role_in_fit:N", title=None).scale(
                domain=["fitted", "predicted"], range=list(SHAPES[:2])
            ),
        ),
    ).resolve_scale(shape="independent", strokeDash="independent")
    return with_title(chart, title, numbers, "error of X (%)", width=WIDTH - 160, height=220)
