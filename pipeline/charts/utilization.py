"""Chart of the utilization of each station."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.marks import interval_rules, number_text, reference_line
from pipeline.charts.theme import INK, VERMILION, WIDTH
from pipeline.charts.titles import empty_chart, with_title


def utilization(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """Utilization of each station, the bottleneck marked, with a line at 100 %.

    ``frame``: ``station`` (text), ``utilization`` (a share, 1 is always busy), ``low``, ``high``.
    """
    frame = frame.select("station", pl.col("utilization", "low", "high").cast(pl.Float64))
    usable = frame.filter(pl.col("utilization").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    stations = frame["station"].unique(maintain_order=True).to_list()
    max_utilization = float(usable["utilization"].max())
    busiest = usable.filter(pl.col("utilization") == max_utilization)["station"][0]
    data = usable.with_columns(
        is_busiest=pl.col("station") == busiest,
        text=number_text(pl.col("utilization") * 100, " %")
        + pl.when(pl.col("station") == busiest).then(pl.lit("  ← busiest")).otherwise(pl.lit("")),
    )
    numbers = [f"{r['station']}: {r['text'].replace('←', '')}" for r in data.iter_rows(named=True)]
    numbers += [f"{s}: missing" for s in stations if s not in set(data["station"])]
    end = (
        max(
            1.0,
            max_utilization,
            float(usable.filter(pl.col("high").is_finite())["high"].max() or 0),
        )
        * 1.22
    )
    x = alt.X(
        "utilization:Q", title="utilization", scale=alt.Scale(domain=[0, end], nice=False)
    ).axis(format="%", grid=True, tickCount=6)
    y = alt.Y("station:N", title=None, sort=stations).axis(labelLimit=260)
    base = alt.Chart(theme.json_ready(data)).encode(y=y)
    chart = alt.layer(
        base.mark_bar(height=20).encode(
            x=x,
            color=alt.condition("datum.is_busiest", alt.value(VERMILION), alt.value(theme.BLUE)),
            tooltip=[alt.Tooltip("station:N"), alt.Tooltip("utilization:Q", format=".2%")],
        ),
        interval_rules(base, "low:Q", color=INK, strokeWidth=1.5),
        base.mark_text(align="left", dx=6, dy=0)
        .encode(x=alt.X("anchor:Q"), text="text:N")
        .transform_calculate(anchor="max(datum.utilization, datum.high == null ? 0 : datum.high)"),
        reference_line("utilization", 1, x),
    )
    return with_title(chart, title, numbers, width=WIDTH - 160, height=alt.Step(34))
