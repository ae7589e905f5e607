"""Chart of one virtual server on two physical servers (figures 6 and 7 of the paper)."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import CATEGORIES, VERMILION
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_short

SERVERS = (theme.BLUE, VERMILION)


def server_comparison(frame: pl.DataFrame, *, title: str) -> alt.VConcatChart | alt.Chart:
    """Figures 6 and 7 of the paper: grouped bars of one virtual server on two physical servers.

    ``frame``: ``source`` (published, recorded), ``server`` (text), ``quantity`` (R_cpu, R_vdisk,
    R_disk, X), ``value`` (ms, or requests/s for X). One row of panels per source, each with its own
    scale, because the machines of the sources differ.
    """
    frame = frame.select("source", "server", "quantity", pl.col("value").cast(pl.Float64))
    if frame.filter(pl.col("value").is_finite()).is_empty():
        return empty_chart(title)
    servers = frame["server"].unique(maintain_order=True).to_list()
    rows = []
    numbers = []
    for source in frame["source"].unique(maintain_order=True).to_list():
        source_rows = frame.filter(pl.col("source") == source)
        panels = []
        for quantities, axis, width in (
            (["R_cpu", "R_vdisk", "R_disk"], "time (ms)", 400),
            (["X"], "requests/s", 120),
        ):
            part = source_rows.filter(pl.col("quantity").is_in(quantities)).with_columns(
                text=pl.col("value").map_elements(
                    format_short, return_dtype=pl.String, skip_nulls=False
                )
            )
            numbers += [
                f"{source}, {r['server']}: {r['quantity']} {r['text']}"
                for r in part.iter_rows(named=True)
            ]
            base = alt.Chart(theme.json_ready(part)).encode(
                x=alt.X("quantity:N", sort=quantities, title=None).axis(labelAngle=0),
                xOffset=alt.XOffset("server:N", sort=servers),
                y=alt.Y("value:Q", title=axis).axis(tickCount=4),
            )
            bars = base.mark_bar(stroke="white").encode(
                color=alt.Color("server:N", title="physical server")
                .scale(domain=servers, range=list(SERVERS) + list(CATEGORIES[2:]))
                .legend(labelLimit=260),
                tooltip=[
                    alt.Tooltip("server:N"),
                    alt.Tooltip("quantity:N"),
                    alt.Tooltip("value:Q", title=axis, format=".4~g"),
                ],
            )
            texts = base.mark_text(dy=-7).encode(text="text:N")
            panels.append(
                alt.layer(bars, texts).properties(
                    width=width, height=170, title=source if quantities[0] == "R_cpu" else ""
                )
            )
        rows.append(alt.hconcat(*panels, spacing=28))
    chart = alt.vconcat(*rows, spacing=26).resolve_scale(color="shared", xOffset="shared")
    return with_title(chart, title, numbers)
