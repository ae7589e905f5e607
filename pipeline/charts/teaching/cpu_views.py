"""Lesson 5: CPU time as the guest counts it and as the host gave it, run by run."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.live import PANEL, live_figure, menu, number, text_line
from pipeline.charts.theme import BLUE, GREY, VERMILION
from pipeline.charts.titles import alt_text, empty_chart
from pipeline.units import format_short

TITLE = "Who counts how much CPU time?"
HEIGHT = 300


def cpu_views(runs: pl.DataFrame) -> alt.VConcatChart | alt.Chart:
    """CPU time that the guest counts for its server over that which the host gave its QEMU, both per second.

    One point per run, for the virtual server and the physical server of a menu. Above the line the guest counts more
    than it got.

    Parameters
    ----------
    runs : DataFrame
        Rows of the runs table: ``server``, ``run``, ``virtual_server``, ``T_s``, ``T_cpu_s``, ``T_qemu_s``.

    Returns
    -------
    VConcatChart or Chart
    """
    rows = (
        runs.drop_nulls(["T_s", "T_cpu_s", "T_qemu_s"])
        .select(
            "run",
            group=pl.format("{} / {}", "server", "virtual_server"),
            guest=pl.col("T_cpu_s") / pl.col("T_s"),
            host=pl.col("T_qemu_s") / pl.col("T_s"),
        )
        .with_columns(above=pl.col("guest") > pl.col("host"))
    )
    if rows.is_empty():
        return empty_chart(TITLE)
    summary = rows.group_by("group").agg(
        above=pl.col("above").sum(),
        runs=pl.len(),
        ratio=(pl.col("guest") / pl.col("host")).median(),
    )
    summary = summary.sort(["ratio", "group"], descending=[True, False])
    groups = summary["group"].to_list()
    limit = 1.05 * max(rows["guest"].max(), rows["host"].max())
    scale = alt.Scale(domain=[0, limit], nice=False)
    line = alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": limit, "y": limit}])).mark_line(
        color=GREY, strokeDash=[4, 4]
    )
    chosen = alt.Chart(alt.InlineData(values=theme.json_ready(rows).to_dicts()))
    points = chosen.transform_filter("datum.group == group").mark_point(
        filled=True, size=55, opacity=0.75
    )
    panel = alt.layer(
        line.encode(x="x:Q", y="y:Q"),
        points.encode(
            x=alt.X("host:Q", scale=scale, title="CPUs that the host gave the guest's QEMU").axis(
                tickCount=6
            ),
            y=alt.Y("guest:Q", scale=scale, title="CPUs that the guest counts for its server"),
            color=alt.Color("above:N", title="guest counts more than it got").scale(
                domain=[True, False], range=[VERMILION, BLUE]
            ).legend(orient="top", labelExpr="datum.value ? 'yes' : 'no'"),
            shape=alt.Shape("above:N", title="guest counts more than it got").scale(
                domain=[True, False], range=["triangle-up", "circle"]
            ).legend(orient="top", labelExpr="datum.value ? 'yes' : 'no'"),
            tooltip=["run:N", alt.Tooltip("host:Q", format=".3f"), alt.Tooltip("guest:Q", format=".3f")],
        ),
    ).properties(width=PANEL, height=HEIGHT)  # fmt: skip
    facts = alt.Chart(alt.InlineData(values=summary.to_dicts())).transform_filter(
        "datum.group == group"
    )
    texts = [
        text_line(
            facts,
            "'In ' + datum.above + ' of ' + datum.runs + ' runs the guest counts more than it got.'",
        ),
        text_line(
            facts,
            f"'In the median it counts ' + {number('datum.ratio')} + ' s per second that the host gave.'",
        ),
    ]
    numbers = [
        f"{r['group']}: {r['above']} of {r['runs']} runs above the line, median ratio {format_short(r['ratio'], 3)}"
        for r in summary.iter_rows(named=True)
    ]
    return live_figure(
        texts,
        [panel],
        [menu("group", "Physical and virtual server", groups)],
        title=TITLE,
        description=alt_text(TITLE, numbers),
    )
