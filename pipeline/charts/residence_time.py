"""Chart of residence times: one stacked bar per variant."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.marks import number_text
from pipeline.charts.theme import GREEN, GREY, INK, ORANGE, WIDTH
from pipeline.charts.titles import alt_text, chart_title, empty_chart

CPU_WAIT, DISK_WAIT = "waiting for the CPU", "waiting for the disk"
PARTS = {
    "R_cpu": theme.BLUE,
    CPU_WAIT: theme.SKY,
    "R_vdisk": ORANGE,
    "R_vdisk − R_disk": "#F3C567",
    "R_disk": GREEN,
    DISK_WAIT: "#7FD1B9",
    "as measured": GREY,
}
"""Components of the response time, with their colours."""


def residence_time(
    frame: pl.DataFrame, *, title: str, label: str = "variant"
) -> alt.LayerChart | alt.Chart:
    """Stacked bars of the components of the response time, one bar per variant, with its sum.

    ``frame``: ``stack`` (text: the variant, or the client), ``component`` (one of ``PARTS``), ``value_ms``.
    A component without a value is named at the end of its bar as missing.
    """
    frame = frame.select("stack", "component", pl.col("value_ms").cast(pl.Float64))
    usable = frame.filter(pl.col("value_ms").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    bars = frame["stack"].unique(maintain_order=True).to_list()
    order = {part: rank for rank, part in enumerate(PARTS)}
    present = [p for p in PARTS if p in set(usable["component"])]
    data = usable.with_columns(
        rank=pl.col("component").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    ).sort(["stack", "rank"], maintain_order=True)
    data = data.with_columns(
        end=pl.col("value_ms").cum_sum().over("stack"),
        total=pl.col("value_ms").sum().over("stack"),
    ).with_columns(
        start=pl.col("end") - pl.col("value_ms"),
        share=pl.col("value_ms") / pl.col("total"),
        text=number_text("value_ms"),
    )
    widest = float(data["total"].max() or 0.0)
    sums = data.group_by("stack", maintain_order=True).agg(total=pl.col("total").first())
    lost = (
        frame.filter(~pl.col("value_ms").is_finite().fill_null(False))
        .group_by("stack", maintain_order=True)
        .agg(lost=pl.col("component").str.join(", "))
    )
    sums = sums.join(lost, on="stack", how="full", maintain_order="left_right", coalesce=True)
    sums = sums.with_columns(
        text=pl.when(pl.col("total").is_null())
        .then(pl.lit("missing"))
        .otherwise(number_text("total", " ms") + pl.format(" without {}", "lost").fill_null("")),
        total=pl.col("total").fill_null(0.0),
    )
    numbers = []
    for bar in bars:
        of = data.filter(pl.col("stack") == bar)
        inside = ", ".join(
            f"{r['component']} {r['text']} ms ({r['share']:.0%})" for r in of.iter_rows(named=True)
        )
        total = sums.filter(pl.col("stack") == bar)["text"][0]
        numbers.append(f"{bar}: {total} = {inside}" if inside else f"{bar}: {total}")
    y = alt.Y("stack:N", title=None, sort=bars).axis(labelLimit=220, labelPadding=8)
    x_scale = alt.Scale(domainMin=0, domainMax=widest * 1.18, nice=False)
    base = alt.Chart(theme.json_ready(data))
    blocks = base.mark_bar(height=26, stroke="white", strokeWidth=1).encode(
        y=y,
        x=alt.X("start:Q", title="time of one request (ms)", scale=x_scale),
        x2="end:Q",
        color=alt.Color("component:N", title=None)
        .scale(domain=present, range=[PARTS[p] for p in present])
        .legend(columns=len(present)),
        tooltip=[
            alt.Tooltip("stack:N", title=label),
            alt.Tooltip("component:N"),
            alt.Tooltip("value_ms:Q", title="ms", format=".4~g"),
            alt.Tooltip("share:Q", title="share", format=".1%"),
        ],
    )
    inside = (
        alt.Chart(theme.json_ready(data.filter(pl.col("value_ms") > 0.09 * widest)))
        .transform_calculate(middle="(datum.start + datum.end) / 2")
        .mark_text(fontWeight=600)
        .encode(
            y=y,
            x="middle:Q",
            text="text:N",
            color=alt.condition(
                alt.FieldOneOfPredicate("component", ["R_cpu", "R_disk", "as measured"]),
                alt.value("white"),
                alt.value(INK),
            ),
        )
    )
    ends = (
        alt.Chart(theme.json_ready(sums))
        .mark_text(align="left", dx=6)
        .encode(y=y, x="total:Q", text="text:N")
    )
    return alt.layer(blocks, inside, ends).properties(
        width=WIDTH,
        height=alt.Step(36),
        title=chart_title(title),
        description=alt_text(f"{title} One bar per {label}", numbers),
    )
