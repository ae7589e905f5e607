"""Charts of a model against measurements: predictions over loads, demands over time and over runs."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.marks import interval_rules, reference_line
from pipeline.charts.theme import INK, WIDTH
from pipeline.charts.titles import alt_text, chart_title, empty_chart, with_title
from pipeline.units import format_short


def predictions(
    frame: pl.DataFrame, *, title: str, axis: str, load_axis: str
) -> alt.LayerChart | alt.Chart:
    """Measured and predicted values over the load, with the prediction interval of the first predictor.

    ``frame``: ``source`` (``measured`` or a predictor's name), ``size`` (the load), ``value``, ``low``, ``high``,
    ``fitted`` (whether the load was fitted to). Values may be null. Axes are logarithmic.
    """
    usable = frame.filter(
        pl.col("value").is_finite() & (pl.col("value") > 0) & (pl.col("size") > 0)
    )
    measured = usable.filter(pl.col("source") == "measured")
    if measured.is_empty():
        return empty_chart(title)
    axis_limit = float(measured["value"].max()) * 4
    usable = usable.with_columns(
        pl.col("value").clip(upper_bound=axis_limit),
        pl.col("low").clip(upper_bound=axis_limit),
        pl.col("high").fill_null(axis_limit).clip(upper_bound=axis_limit),
        role_in_fit=pl.when("fitted").then(pl.lit("fitted")).otherwise(pl.lit("held out")),
    )
    names = [
        name for name in frame["source"].unique(maintain_order=True).to_list() if name != "measured"
    ]
    numbers = [
        f"{row['source']} at {format_short(row['size'])}: {format_short(row['value'])}"
        for row in usable.filter(pl.col("source").is_in(["measured", *names[:1]])).iter_rows(
            named=True
        )
    ]
    x = alt.X("size:Q", title=f"{load_axis}, logarithmic", scale=alt.Scale(type="log", nice=False))
    y = alt.Y("value:Q", title=f"{axis}, logarithmic", scale=alt.Scale(type="log", nice=False))
    lines = alt.Chart(theme.json_ready(usable.filter(pl.col("source") != "measured")))
    color = alt.Color("source:N", title=None, sort=names)
    tooltip = [
        alt.Tooltip("source:N", title="source"),
        alt.Tooltip("size:Q", title=load_axis),
        alt.Tooltip("value:Q", title=axis, format=".4~g"),
        alt.Tooltip("low:Q", format=".4~g"),
        alt.Tooltip("high:Q", format=".4~g"),
    ]
    band = (
        lines.transform_filter(alt.FieldEqualPredicate(names[0], field="source"))
        .mark_area(opacity=0.15, color=theme.BLUE)
        .encode(x=x, y=alt.Y("low:Q", title=f"{axis}, logarithmic"), y2="high:Q")
    )
    chart = alt.layer(
        band,
        lines.mark_line(point=True).encode(x=x, y=y, color=color, tooltip=tooltip),
        alt.Chart(theme.json_ready(usable.filter(pl.col("source") == "measured")))
        .mark_point(size=120, filled=True, color=INK, opacity=1)
        .encode(
            x=x,
            y=y,
            shape=alt.Shape("role_in_fit:N", title="measured, and").scale(
                domain=["fitted", "held out"], range=["circle", "diamond"]
            ),
            tooltip=tooltip,
        ),
    )
    return with_title(chart, title, numbers, axis, width=WIDTH - 160, height=300)


def demand_runs(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """A demand in every run, with its interval, in the order of the loads.

    ``frame``: ``run``, ``value``, ``low``, ``high`` (ms per request), ``role_in_fit`` (text: fitted or held out).
    """
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    runs = frame["run"].to_list()
    base = alt.Chart(theme.json_ready(usable)).encode(y=alt.Y("run:N", sort=runs, title=None))
    x = alt.X("value:Q", title="ms per request", scale=alt.Scale(zero=True))
    chart = alt.layer(
        base.mark_rule(strokeWidth=2, color=INK, opacity=0.5).encode(
            x=alt.X("low:Q", title="ms per request"), x2="high:Q"
        ),
        base.mark_point(size=70, filled=True, opacity=1).encode(
            x=x,
            color=alt.Color("role_in_fit:N", title=None),
            tooltip=[
                alt.Tooltip(c, format=".4~g") if c != "run" else alt.Tooltip(c)
                for c in ("run", "value", "low", "high")
            ],
        ),
    )
    numbers = [f"{r['run']}: {format_short(r['value'])} ms" for r in usable.iter_rows(named=True)]
    return with_title(chart, title, numbers, width=WIDTH - 260, height=alt.Step(16))


def demand_vs_neighbour_cpu(frame: pl.DataFrame, *, title: str) -> alt.Chart:
    """A demand relative to other runs of the same load, over the CPU time of neighbours without a load.

    ``frame``: ``deployment`` (text), ``run``, ``neighbour_cpu_percent`` (percent of a CPU), ``relative_demand`` (1 is
    the load's mean), ``role_in_fit`` (text: fitted or held out).
    """
    usable = frame.filter(
        pl.col("relative_demand").is_finite() & (pl.col("neighbour_cpu_percent") > 0)
    )
    if usable.is_empty():
        return empty_chart(title)
    log = alt.Scale(type="log", nice=False, padding=12)
    chart = (
        alt.Chart(theme.json_ready(usable))
        .mark_point(size=60, filled=True, opacity=0.85)
        .encode(
            x=alt.X(
                "neighbour_cpu_percent:Q",
                title="neighbours' CPU time (% of a CPU), logarithmic",
                scale=log,
            ).axis(format="~g", tickCount=6),
            y=alt.Y(
                "relative_demand:Q", title="CPU demand over its load's mean, logarithmic", scale=log
            ).axis(format=".1f", values=[0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.7, 2]),
            color=alt.Color("deployment:N", title=None).legend(labelLimit=260, columns=2),
            shape=alt.Shape("role_in_fit:N", title=None),
            tooltip=[
                alt.Tooltip("deployment:N", title="virtual server"),
                "run:N",
                alt.Tooltip(
                    "neighbour_cpu_percent:Q", title="neighbours (% of a CPU)", format=".3~g"
                ),
                alt.Tooltip("relative_demand:Q", title="over the load's mean", format=".3~g"),
            ],
        )
    )
    numbers = [
        f"{row['deployment']}, {row['run']}: {format_short(row['relative_demand'])} at "
        f"{format_short(row['neighbour_cpu_percent'])} %"
        for row in usable.iter_rows(named=True)
    ]
    return with_title(chart, title, numbers, width=WIDTH - 60, height=320)


def demand_changes(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """Demand at the highest load of each sweep over that at the lowest, with its interval.

    ``frame``: ``sweep`` (text), ``station`` (text), ``ratio``, ``low``, ``high``, ``verdict`` (text). A ratio may be
    null.
    """
    usable = frame.filter(pl.col("ratio").is_finite() & (pl.col("low") > 0)).with_columns(
        row=pl.format("{}: {}", "station", "sweep")
    )
    if usable.is_empty():
        return empty_chart(title)
    rows = usable.sort("station", maintain_order=True)["row"].to_list()
    base = alt.Chart(theme.json_ready(usable)).encode(
        y=alt.Y("row:N", sort=rows, title=None).axis(labelLimit=340)
    )
    scale = alt.Scale(type="log", nice=False, padding=12)
    axis = "demand, highest / lowest load, logarithmic"
    ticks = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2]
    x = alt.X("ratio:Q", title=axis, scale=scale).axis(format="~g", values=ticks)
    color = alt.Color("verdict:N", title=None).legend(orient="top")
    chart = alt.layer(
        reference_line("ratio", 1.0, x),
        interval_rules(base, alt.X("low:Q", title=axis, scale=scale), strokeWidth=2, color=INK),
        base.mark_point(size=80, filled=True, opacity=1).encode(
            x=x,
            color=color,
            shape=alt.Shape("verdict:N", title=None),
            tooltip=[
                alt.Tooltip("row:N", title="sweep"),
                *(alt.Tooltip(f"{name}:Q", format=".3~g") for name in ("ratio", "low", "high")),
                "verdict:N",
            ],
        ),
    )
    numbers = [
        f"{r['row']}: {format_short(r['ratio'])} ({format_short(r['low'])} to {format_short(r['high'])}), "
        f"{r['verdict']}"
        for r in usable.iter_rows(named=True)
    ]
    return with_title(chart, title, numbers, width=WIDTH - 290, height=alt.Step(20))


def demand_track(
    frame: pl.DataFrame, *, title: str, subtitle: str = ""
) -> alt.LayerChart | alt.Chart:
    """A demand over a run's time: the demand of each window, and the filter's estimate with its interval.

    ``frame``: ``start_s``, ``window`` (ms per request, may be null), ``value``, ``low``, ``high``.
    """
    if frame.is_empty():
        return empty_chart(title)
    base = alt.Chart(theme.json_ready(frame))
    x = alt.X("start_s:Q", title="seconds since the load began")
    return alt.layer(
        base.mark_area(opacity=0.2, color=theme.BLUE).encode(
            x=x, y=alt.Y("low:Q", title="ms per request"), y2="high:Q"
        ),
        base.mark_point(size=18, filled=True, color=INK, opacity=0.35).encode(x=x, y="window:Q"),
        base.mark_line(color=theme.BLUE).encode(
            x=x,
            y="value:Q",
            tooltip=[
                alt.Tooltip("start_s:Q", format=".3~g"),
                alt.Tooltip("value:Q", format=".4~g"),
            ],
        ),
    ).properties(
        width=WIDTH - 160,
        height=180,
        title=chart_title(title, subtitle),
        description=alt_text(
            title,
            [
                f"from {format_short(frame['value'].min())} to {format_short(frame['value'].max())} ms"
            ],
        ),
    )
