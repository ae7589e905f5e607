"""Lesson 6: R_req by every combination of the equations' variants, beside the response time of the client."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.teaching.live import DECIMALS, PANEL, live_figure, menu, number, text_line
from pipeline.charts.theme import BLUE, GREEN, ORANGE, VERMILION
from pipeline.charts.titles import empty_chart
from pipeline.units import format_short

CHOICES = ("demand", "denominator", "background")
"""Columns of the ledger that make a row of the chart; the choice ``sum`` makes the two points of a row."""

KINDS = {
    "sum": ("circle", BLUE),
    "nested": ("diamond", ORANGE),
    "corrected": ("square", GREEN),
}
"""Choice of the sum → shape and colour of its point; ``corrected`` is the variant of that name."""


def variants_beside_client(rows: pl.DataFrame) -> alt.VConcatChart | alt.Chart:
    """R_req in every combination of the choices, with the client's R as a line, for the run of a menu.

    Parameters
    ----------
    rows : DataFrame
        Rows of the ledgers of the runs (``tables.LEDGER``), in the order of the menu: ``R_req`` in its variants and
        ``R_client``; other quantities are left out.

    Returns
    -------
    VConcatChart or Chart
        A chart of a sentence if no run has both.
    """
    title = "R_req in every combination"
    points = response_variants(rows)
    if points.is_empty():
        return empty_chart(title)
    runs = points["label"].unique(maintain_order=True).to_list()
    order = points["choices"].unique(maintain_order=True).to_list()
    chosen = alt.Chart(alt.InlineData(values=theme.json_ready(points).to_dicts())).transform_filter(
        "datum.label == run"
    )
    x = (
        alt.X("ms:Q", title="R (ms); the line: as the client measured it")
        .scale(zero=False)
        .axis(grid=True)
    )
    y = alt.Y("choices:N", sort=order, title=None).axis(labelLimit=190, grid=True)
    kinds = list(KINDS)
    panel = alt.layer(
        chosen.transform_aggregate(ms="min(client_ms)").mark_rule(color=VERMILION, strokeWidth=2.5).encode(x=x),
        chosen.mark_point(size=70, filled=True, opacity=0.9).encode(
            x=x,
            y=y,
            color=alt.Color("kind:N", title=None).scale(domain=kinds, range=[KINDS[k][1] for k in kinds]),
            shape=alt.Shape("kind:N", title=None).scale(domain=kinds, range=[KINDS[k][0] for k in kinds]),
            tooltip=["choices:N", "kind:N", alt.Tooltip("ms:Q", title="R (ms)", format=DECIMALS)],
        ),
        chosen.transform_filter("datum.variant == 'as-printed'")
        .mark_text(align="left", dx=8, text="← as printed").encode(x=x, y=y),
    ).properties(width=PANEL, height=alt.Step(20))  # fmt: skip
    combined = chosen.transform_filter("datum.kind != 'corrected'").transform_aggregate(
        count="count()", low="min(ms)", high="max(ms)", client="min(client_ms)"
    )
    lines = [
        text_line(
            combined,
            f"datum.count + ' combinations: ' + {number('datum.low')} + ' to ' + {number('datum.high', 'ms')}"
            f" + '. The client measured ' + {number('datum.client', 'ms')} + '.'",
        ),
        text_line(
            combined,
            f"datum.client > datum.high ? 'The largest is ' + {number('datum.client / datum.high')}"
            " + ' times too small.'"
            f" : datum.client < datum.low ? 'The smallest is ' + {number('datum.low / datum.client')}"
            " + ' times too large.' : 'Some are too small and some too large.'",
        ),
    ]
    first = points.filter((pl.col("label") == runs[0]) & (pl.col("kind") != "corrected"))
    return live_figure(
        lines,
        [panel],
        [menu("run", "Run", runs)],
        title=title,
        description=(
            f"{title} of the equations' choices. {runs[0]}: {first.height} combinations from"
            f" {format_short(first['ms'].min())} to {format_short(first['ms'].max())} ms; the client measured"
            f" {format_short(first['client_ms'][0])} ms. A menu chooses the run: {', '.join(runs)}."
        ),
    )


def response_variants(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per run and combination: ``label``, ``choices``, ``kind``, ``variant``, ``ms``, ``client_ms``."""
    keys = ["server", "run", "virtual_server"]
    client = rows.filter(pl.col("quantity") == "R_client").select(
        *keys, client_ms=pl.col("value") * 1e3
    )
    corrected = pl.col("variant") == "corrected"
    # a closed load's R by Mean Value Analysis belongs to no combination of the choices
    solved = corrected.fill_null(False) & pl.any_horizontal(pl.col(*CHOICES, "sum").is_null())
    return (
        rows.filter((pl.col("quantity") == "R_req") & pl.col("value").is_not_null())
        .join(client.drop_nulls(), on=keys, how="inner", maintain_order="left")
        .select(
            label=pl.format("{}/{}", "server", "run"),
            choices=pl.when(solved)
            .then(pl.lit("corrected: closed, by MVA"))
            .otherwise(pl.concat_str(CHOICES, separator=", ")),
            kind=pl.when(solved).then(pl.lit("corrected")).otherwise("sum"),
            variant="variant",
            ms=pl.col("value") * 1e3,
            client_ms="client_ms",
        )
    )  # fmt: skip
