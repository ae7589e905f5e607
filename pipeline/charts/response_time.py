"""Charts of response time: the model's variants against the client's measurement."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.marks import NUMBERS, interval_rules, number_text, reference_line
from pipeline.charts.theme import INK, VERMILION, WIDTH
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_short


def model_against_client(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """The client's measurement and each variant of the model, as points with intervals.

    ``frame``: ``source`` (client, or the variant), ``value``, ``low``, ``high``, ``is_client``. The client's
    value is also drawn as a vertical line. The axis is logarithmic, with that word in its title, where the
    values lie more than a factor of 20 apart.
    """
    axis = "response time (ms)"
    frame = frame.select("source", "value", "low", "high", "is_client").cast(NUMBERS)
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    sources = frame["source"].unique(maintain_order=True).to_list()
    min_value, max_value = float(usable["value"].min()), float(usable["value"].max())
    log = min_value > 0 and max_value / min_value > 20
    client = usable.filter("is_client")["value"].to_list()
    data = usable.with_columns(text=number_text("value"))
    if client and client[0] > 0:
        ratio_text = pl.format("  ({} of the client's)", number_text(pl.col("value") / client[0]))
        client_ratio = pl.when("is_client").then(pl.lit("")).otherwise(ratio_text)
        data = data.with_columns(pl.col("text") + client_ratio)
    kind = pl.when("is_client").then(pl.lit("client")).otherwise(pl.lit("model"))
    data = data.with_columns(kind=kind)
    numbers = [f"{r['source']}: {r['text']}" for r in data.iter_rows(named=True)]
    missing = [s for s in sources if s not in set(data["source"])]
    numbers += [f"{source}: missing" for source in missing]
    y = alt.Y("source:N", title=None, sort=sources).axis(labelLimit=260)
    scale = (
        alt.Scale(type="log", domainMax=max_value * (max_value / min_value) ** 0.5)
        if log
        else alt.Scale(domainMin=0, domainMax=max_value * 1.45, nice=False)
    )
    x_title = axis + (", logarithmic" if log else "")
    base = alt.Chart(theme.json_ready(data))
    kinds = alt.Color("kind:N", title=None).scale(
        domain=["client", "model"], range=[VERMILION, theme.BLUE]
    )
    x = alt.X("value:Q", title=x_title, scale=scale).axis(grid=True, tickCount=6)
    layers = [
        interval_rules(base, alt.X("low:Q", title=x_title, scale=scale), strokeWidth=2).encode(
            y=y, color=kinds
        ),
        base.mark_point(size=110, filled=True, opacity=1).encode(
            y=y,
            x=x,
            color=kinds,
            shape=alt.Shape("kind:N", title=None).scale(
                domain=["client", "model"], range=["diamond", "circle"]
            ),
            tooltip=[
                alt.Tooltip("source:N"),
                alt.Tooltip("value:Q", title=axis, format=".4~g"),
                alt.Tooltip("low:Q", format=".4~g"),
                alt.Tooltip("high:Q", format=".4~g"),
            ],
        ),
        base.mark_text(align="left", dx=10, dy=-9).encode(y=y, x=x, text="text:N"),
    ]
    if client:
        layers.insert(0, reference_line("value", client[0], x, VERMILION))
    chart = alt.layer(*layers)
    return with_title(chart, title, numbers, axis, width=WIDTH - 160, height=alt.Step(40))


def variants(
    frame: pl.DataFrame, *, title: str, axis: str, log: bool = False
) -> alt.LayerChart | alt.Chart:
    """One quantity in several variants: bars with their numbers.

    ``frame``: ``variant`` (text), ``value``, ``low``, ``high`` (may be null), and optionally ``group``
    (text: one panel each). A variant without a value is drawn as `missing`.
    """
    group = "group" in frame.columns
    columns = ["variant", "value", "low", "high"]
    frame = frame.select(["group", *columns] if group else columns).cast(NUMBERS)
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    names = frame["variant"].unique(maintain_order=True).to_list()
    max_value = float(usable["value"].max())
    min_value = float(usable.filter(pl.col("value") > 0)["value"].min() or 1.0)
    data = frame.with_columns(
        text=pl.when(pl.col("value").is_finite())
        .then(number_text("value"))
        .otherwise(pl.lit("missing")),
        place=pl.when(pl.col("value").is_finite())
        .then(pl.max_horizontal("value", pl.when(pl.col("high").is_finite()).then("high")))
        .otherwise(min_value if log else 0.0),
    )
    numbers = [
        (f"{r['group']}, " if group else "") + f"{r['variant']}: {r['text']}"
        for r in data.iter_rows(named=True)
    ]
    scale = (
        alt.Scale(type="log", domain=[min_value / 2, max_value * 6], nice=False)
        if log
        else alt.Scale(domain=[0, max_value * 1.2 or 1.0], nice=False)
    )
    x = alt.X("value:Q", title=axis + (", logarithmic" if log else ""), scale=scale).axis(
        grid=True, tickCount=6
    )
    y = alt.Y("variant:N", title=None, sort=names).axis(labelLimit=260)
    base = alt.Chart(theme.json_ready(data)).encode(y=y)
    mark = base.mark_point(size=100, filled=True, opacity=1) if log else base.mark_bar(height=18)
    tooltip = [alt.Tooltip("variant:N"), alt.Tooltip("value:Q", title=axis, format=".4~g")]
    layers = alt.layer(
        mark.encode(x=x, tooltip=tooltip),
        interval_rules(base, "low:Q", color=INK, strokeWidth=1.5),
        base.mark_text(align="left", dx=9).encode(x=alt.X("place:Q"), text="text:N"),
    ).properties(width=WIDTH - 180, height=alt.Step(30))
    if not group:
        return with_title(layers, title, numbers, axis)
    order = frame["group"].unique(maintain_order=True).to_list()
    row = alt.Row("group:N", sort=order, title=None).header(
        labelAngle=0, labelAlign="left", labelAnchor="start", labelOrient="top"
    )
    return with_title(layers.facet(row=row), title, numbers, axis)


def ratio_strip(frame: pl.DataFrame, *, title: str, axis: str) -> alt.LayerChart | alt.Chart:
    """Ratios on a logarithmic axis, one row per group, with a line at 1, where a correct value lies.

    ``frame``: ``group`` (text), ``variant`` (text), ``value`` (above 0), ``named`` (true for those that are
    labelled).
    """
    usable = frame.filter(pl.col("value").is_finite() & (pl.col("value") > 0))
    if usable.is_empty():
        return empty_chart(title)
    groups = frame["group"].unique(maintain_order=True).to_list()
    min_value = min(float(usable["value"].min()), 1) / 1.5
    max_value = max(float(usable["value"].max()), 1) * 2
    numbers = []
    for group in groups:
        group_rows = usable.filter(pl.col("group") == group)
        if not group_rows.is_empty():
            low, high = (
                format_short(group_rows["value"].min()),
                format_short(group_rows["value"].max()),
            )
            numbers.append(f"{group}: {group_rows.height} variants from {low} to {high}")
    scale = alt.Scale(type="log", domain=[min_value, max_value], nice=False)
    x = alt.X("value:Q", title=f"{axis}, logarithmic", scale=scale).axis(grid=True, tickCount=6)
    y = alt.Y("group:N", title=None, sort=groups).axis(labelLimit=260)
    tooltip = [alt.Tooltip("variant:N"), alt.Tooltip("value:Q", title=axis, format=".3~g")]
    base = alt.Chart(theme.json_ready(usable)).encode(x=x, y=y)
    names = usable.filter("named")["variant"].unique(maintain_order=True).to_list()
    labelled = [  # above and below in turn: two named values may lie close together
        base.transform_filter(alt.FieldEqualPredicate(name, field="variant"))
        .mark_text(dy=-16 if place % 2 == 0 else 18, fontSize=11)
        .encode(text="variant:N")
        for place, name in enumerate(names)
    ]
    chart = alt.layer(
        reference_line("value", 1.0, x),
        base.mark_point(size=70, filled=True, opacity=0.45, color=theme.BLUE).encode(
            tooltip=tooltip
        ),
        base.transform_filter("datum.named")
        .mark_point(size=110, filled=True, opacity=1, shape="diamond", color=VERMILION)
        .encode(tooltip=tooltip),
        *labelled,
    )
    return with_title(chart, title, numbers, axis, width=WIDTH - 160, height=alt.Step(72))
