"""One pure function a figure: frames in, an Altair chart out.

Nothing here reads a file or measures anything. Each docstring lists the columns that the frame needs; each
chart carries a description in words (its alternative text) that names what is drawn and the numbers that
matter. Missing values leave gaps; what is not finite is missing. What is drawn over time is in :mod:`over_time`.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import CATEGORIES, GREEN, GREY, INK, ORANGE, VERMILION, WIDTH
from pipeline.charts.titles import described, headed, nothing, titled
from pipeline.units import format_number, format_short

PARTS = {
    "R_cpu": theme.BLUE,
    "R_vdisk": ORANGE,
    "R_vdisk − R_disk": "#F3C567",
    "R_disk": GREEN,
    "as measured": GREY,
}
"""What a request's time can consist of, with the colour of each."""

SERVERS = (theme.BLUE, VERMILION)

NUMBERS = {"value": pl.Float64, "low": pl.Float64, "high": pl.Float64}


def _as_text(number: str | pl.Expr, unit: str = "") -> pl.Expr:
    """A column, or an expression, in three digits with its unit."""
    values = pl.col(number) if isinstance(number, str) else number
    return values.map_elements(lambda v: format_short(v) + unit, return_dtype=pl.String)


def _line_at(column: str, value: float, x: alt.X, colour: str = INK) -> alt.Chart:
    """A dashed line across at ``value``."""
    mark = alt.Chart(alt.Data(values=[{column: value}])).mark_rule(color=colour, strokeDash=[4, 3])
    return mark.encode(x=x)


def _intervals(base: alt.Chart, x: alt.X | str, **mark: Any) -> alt.Chart:
    """The intervals of those that have one."""
    has_one = base.transform_filter("datum.low != null && datum.high != null")
    return has_one.mark_rule(**mark).encode(x=x, x2="high:Q")


# -- where a request's time goes ---------------------------------------------------------------------------


def residence(
    frame: pl.DataFrame, *, title: str, label: str = "reading"
) -> alt.LayerChart | alt.Chart:
    """Stacked bars: of what a request's time consists, one bar a reading, with its sum.

    ``frame``: ``bar`` (text: the reading, or who measured), ``part`` (one of ``PARTS``), ``value_ms``.
    A part without a value is left out of its bar and named at its end as missing.
    """
    frame = frame.select("bar", "part", pl.col("value_ms").cast(pl.Float64))
    usable = frame.filter(pl.col("value_ms").is_finite())
    if usable.is_empty():
        return nothing(title)
    bars = frame["bar"].unique(maintain_order=True).to_list()
    order = {part: rank for rank, part in enumerate(PARTS)}
    present = [p for p in PARTS if p in set(usable["part"])]
    data = usable.with_columns(
        rank=pl.col("part").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    ).sort(["bar", "rank"], maintain_order=True)
    data = data.with_columns(
        end=pl.col("value_ms").cum_sum().over("bar"),
        total=pl.col("value_ms").sum().over("bar"),
    ).with_columns(
        start=pl.col("end") - pl.col("value_ms"),
        share=pl.col("value_ms") / pl.col("total"),
        text=_as_text("value_ms"),
    )
    widest = float(data["total"].max() or 0.0)
    sums = data.group_by("bar", maintain_order=True).agg(total=pl.col("total").first())
    lost = (
        frame.filter(~pl.col("value_ms").is_finite().fill_null(False))
        .group_by("bar", maintain_order=True)
        .agg(lost=pl.col("part").str.join(", "))
    )
    sums = sums.join(lost, on="bar", how="left", maintain_order="left").with_columns(
        text=_as_text("total", " ms") + pl.format(" without {}", "lost").fill_null("")
    )
    told = []
    for bar in bars:
        of = data.filter(pl.col("bar") == bar)
        inside = ", ".join(
            f"{r['part']} {r['text']} ms ({r['share']:.0%})" for r in of.iter_rows(named=True)
        )
        total = sums.filter(pl.col("bar") == bar)
        told.append(f"{bar}: {total['text'][0]} = {inside}" if total.height else f"{bar}: missing")
    y = alt.Y("bar:N", title=None, sort=bars).axis(labelLimit=220, labelPadding=8)
    x_scale = alt.Scale(domainMin=0, domainMax=widest * 1.18, nice=False)
    base = alt.Chart(theme.clean(data))
    blocks = base.mark_bar(height=26, stroke="white", strokeWidth=1).encode(
        y=y,
        x=alt.X("start:Q", title="time of one request (ms)", scale=x_scale),
        x2="end:Q",
        color=alt.Color("part:N", title="part")
        .scale(domain=present, range=[PARTS[p] for p in present])
        .legend(columns=5),
        tooltip=[
            alt.Tooltip("bar:N", title=label),
            alt.Tooltip("part:N"),
            alt.Tooltip("value_ms:Q", title="ms", format=".4~g"),
            alt.Tooltip("share:Q", title="share", format=".1%"),
        ],
    )
    inside = (
        alt.Chart(theme.clean(data.filter(pl.col("value_ms") > 0.09 * widest)))
        .transform_calculate(middle="(datum.start + datum.end) / 2")
        .mark_text(fontWeight=600)
        .encode(
            y=y,
            x="middle:Q",
            text="text:N",
            color=alt.condition(
                alt.FieldOneOfPredicate("part", ["R_cpu", "R_disk", "as measured"]),
                alt.value("white"),
                alt.value(INK),
            ),
        )
    )
    ends = (
        alt.Chart(theme.clean(sums))
        .mark_text(align="left", dx=6)
        .encode(y=y, x="total:Q", text="text:N")
    )
    return alt.layer(blocks, inside, ends).properties(
        width=WIDTH - 120,
        height=alt.Step(44),
        title=headed(title),
        description=described(f"{title} One bar a {label}", told),
    )


# -- Figures 6 and 7 ---------------------------------------------------------------------------------------


def server_comparison(frame: pl.DataFrame, *, title: str) -> alt.VConcatChart | alt.Chart:
    """Figures 6 and 7 of the paper: grouped bars of one virtual server on two physical servers.

    ``frame``: ``source`` (published, recorded here), ``server`` (text), ``quantity`` (R_cpu, R_vdisk,
    R_disk, X), ``value`` (ms, or requests a second for X). One row of panels a source, each on a scale of
    its own: times and throughputs of different machines are not to be read off one axis.
    """
    frame = frame.select("source", "server", "quantity", pl.col("value").cast(pl.Float64))
    if frame.filter(pl.col("value").is_finite()).is_empty():
        return nothing(title)
    servers = frame["server"].unique(maintain_order=True).to_list()
    rows = []
    told = []
    for source in frame["source"].unique(maintain_order=True).to_list():
        here = frame.filter(pl.col("source") == source)
        panels = []
        for quantities, axis, width in (
            (["R_cpu", "R_vdisk", "R_disk"], "time (ms)", 400),
            (["X"], "requests a second", 120),
        ):
            part = here.filter(pl.col("quantity").is_in(quantities)).with_columns(
                text=pl.col("value").map_elements(
                    format_short, return_dtype=pl.String, skip_nulls=False
                )
            )
            told += [
                f"{source}, {r['server']}: {r['quantity']} {r['text']}"
                for r in part.iter_rows(named=True)
            ]
            base = alt.Chart(theme.clean(part)).encode(
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
    return titled(chart, title, told)


# -- model and measurement ---------------------------------------------------------------------------------


def model_against_client(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """What the client measured, and what each reading of the model says, as points with their intervals.

    ``frame``: ``who`` (client, or the reading), ``value``, ``low``, ``high``, ``is_client``. The client's
    value is also drawn as a line across, so that distances can be read. The axis is logarithmic where the
    values lie more than a factor of 20 apart, and then says so.
    """
    axis = "response time (ms)"
    frame = frame.select("who", "value", "low", "high", "is_client").cast(NUMBERS)
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return nothing(title)
    who = frame["who"].unique(maintain_order=True).to_list()
    least, most = float(usable["value"].min()), float(usable["value"].max())
    log = least > 0 and most / least > 20
    client = usable.filter("is_client")["value"].to_list()
    data = usable.with_columns(text=_as_text("value"))
    if client and client[0] > 0:
        part = pl.format("  ({} of the client's)", _as_text(pl.col("value") / client[0]))
        beside = pl.when("is_client").then(pl.lit("")).otherwise(part)
        data = data.with_columns(pl.col("text") + beside)
    kind = pl.when("is_client").then(pl.lit("client")).otherwise(pl.lit("model"))
    data = data.with_columns(kind=kind)
    told = [f"{r['who']}: {r['text']}" for r in data.iter_rows(named=True)]
    missing = [w for w in who if w not in set(data["who"])]
    told += [f"{w}: missing" for w in missing]
    y = alt.Y("who:N", title=None, sort=who).axis(labelLimit=260)
    scale = (
        alt.Scale(type="log", domainMax=most * (most / least) ** 0.5)
        if log
        else alt.Scale(domainMin=0, domainMax=most * 1.45, nice=False)
    )
    x_title = axis + (", logarithmic" if log else "")
    base = alt.Chart(theme.clean(data))
    kinds = alt.Color("kind:N", title=None).scale(
        domain=["client", "model"], range=[VERMILION, theme.BLUE]
    )
    x = alt.X("value:Q", title=x_title, scale=scale).axis(grid=True, tickCount=6)
    layers = [
        _intervals(base, alt.X("low:Q", title=x_title, scale=scale), strokeWidth=2).encode(
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
                alt.Tooltip("who:N"),
                alt.Tooltip("value:Q", title=axis, format=".4~g"),
                alt.Tooltip("low:Q", format=".4~g"),
                alt.Tooltip("high:Q", format=".4~g"),
            ],
        ),
        base.mark_text(align="left", dx=10, dy=-9).encode(y=y, x=x, text="text:N"),
    ]
    if client:
        layers.insert(0, _line_at("value", client[0], x, VERMILION))
    chart = alt.layer(*layers)
    return titled(chart, title, told, axis, width=WIDTH - 160, height=alt.Step(40))


def utilization(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """How busy each station was, the busiest marked, with the line at 100 %.

    ``frame``: ``station`` (text), ``utilization`` (a share, 1 is always busy), ``low``, ``high``.
    """
    frame = frame.select("station", pl.col("utilization", "low", "high").cast(pl.Float64))
    usable = frame.filter(pl.col("utilization").is_finite())
    if usable.is_empty():
        return nothing(title)
    stations = frame["station"].unique(maintain_order=True).to_list()
    most = float(usable["utilization"].max())
    busiest = usable.filter(pl.col("utilization") == most)["station"][0]
    data = usable.with_columns(
        is_busiest=pl.col("station") == busiest,
        text=_as_text(pl.col("utilization") * 100, " %")
        + pl.when(pl.col("station") == busiest).then(pl.lit("  ← busiest")).otherwise(pl.lit("")),
    )
    told = [f"{r['station']}: {r['text'].replace('←', '')}" for r in data.iter_rows(named=True)]
    told += [f"{s}: missing" for s in stations if s not in set(data["station"])]
    end = max(1.0, most, float(usable.filter(pl.col("high").is_finite())["high"].max() or 0)) * 1.22
    x = alt.X(
        "utilization:Q", title="utilization", scale=alt.Scale(domain=[0, end], nice=False)
    ).axis(format="%", grid=True, tickCount=6)
    y = alt.Y("station:N", title=None, sort=stations).axis(labelLimit=260)
    base = alt.Chart(theme.clean(data)).encode(y=y)
    chart = alt.layer(
        base.mark_bar(height=20).encode(
            x=x,
            color=alt.condition("datum.is_busiest", alt.value(VERMILION), alt.value(theme.BLUE)),
            tooltip=[alt.Tooltip("station:N"), alt.Tooltip("utilization:Q", format=".2%")],
        ),
        _intervals(base, "low:Q", color=INK, strokeWidth=1.5),
        base.mark_text(align="left", dx=6, dy=0)
        .encode(x=alt.X("anchor:Q"), text="text:N")
        .transform_calculate(anchor="max(datum.utilization, datum.high == null ? 0 : datum.high)"),
        _line_at("utilization", 1, x),
    )
    return titled(chart, title, told, width=WIDTH - 160, height=alt.Step(34))


def readings(
    frame: pl.DataFrame, *, title: str, axis: str, log: bool = False
) -> alt.LayerChart | alt.Chart:
    """One quantity in several readings: bars with their numbers.

    ``frame``: ``reading`` (text), ``value``, ``low``, ``high`` (may be null), and optionally ``group``
    (text: one panel each). A reading without a value keeps its place and says so.
    """
    group = "group" in frame.columns
    columns = ["reading", "value", "low", "high"]
    frame = frame.select(["group", *columns] if group else columns).cast(NUMBERS)
    usable = frame.filter(pl.col("value").is_finite())
    if usable.is_empty():
        return nothing(title)
    names = frame["reading"].unique(maintain_order=True).to_list()
    most = float(usable["value"].max())
    least = float(usable.filter(pl.col("value") > 0)["value"].min() or 1.0)
    data = frame.with_columns(
        text=pl.when(pl.col("value").is_finite())
        .then(_as_text("value"))
        .otherwise(pl.lit("missing")),
        place=pl.when(pl.col("value").is_finite())
        .then(pl.max_horizontal("value", pl.when(pl.col("high").is_finite()).then("high")))
        .otherwise(least if log else 0.0),
    )
    told = [
        (f"{r['group']}, " if group else "") + f"{r['reading']}: {r['text']}"
        for r in data.iter_rows(named=True)
    ]
    scale = (
        alt.Scale(type="log", domain=[least / 2, most * 6], nice=False)
        if log
        else alt.Scale(domain=[0, most * 1.2 or 1.0], nice=False)
    )
    x = alt.X("value:Q", title=axis + (", logarithmic" if log else ""), scale=scale).axis(
        grid=True, tickCount=6
    )
    y = alt.Y("reading:N", title=None, sort=names).axis(labelLimit=260)
    base = alt.Chart(theme.clean(data)).encode(y=y)
    mark = base.mark_point(size=100, filled=True, opacity=1) if log else base.mark_bar(height=18)
    tooltip = [alt.Tooltip("reading:N"), alt.Tooltip("value:Q", title=axis, format=".4~g")]
    layers = alt.layer(
        mark.encode(x=x, tooltip=tooltip),
        _intervals(base, "low:Q", color=INK, strokeWidth=1.5),
        base.mark_text(align="left", dx=9).encode(x=alt.X("place:Q"), text="text:N"),
    ).properties(width=WIDTH - 180, height=alt.Step(30))
    if not group:
        return titled(layers, title, told, axis)
    order = frame["group"].unique(maintain_order=True).to_list()
    row = alt.Row("group:N", sort=order, title=None).header(
        labelAngle=0, labelAlign="left", labelAnchor="start", labelOrient="top"
    )
    return titled(layers.facet(row=row), title, told, axis)


def strip(frame: pl.DataFrame, *, title: str, axis: str) -> alt.LayerChart | alt.Chart:
    """Many values of one quantity on a logarithmic line, a row a group, with a mark where they should be.

    ``frame``: ``group`` (text), ``reading`` (text), ``value`` (above 0), ``named`` (true for those that are
    labelled). A right value would lie at 1.
    """
    usable = frame.filter(pl.col("value").is_finite() & (pl.col("value") > 0))
    if usable.is_empty():
        return nothing(title)
    groups = frame["group"].unique(maintain_order=True).to_list()
    least = min(float(usable["value"].min()), 1) / 1.5
    most = max(float(usable["value"].max()), 1) * 2
    told = []
    for group in groups:
        here = usable.filter(pl.col("group") == group)
        if not here.is_empty():
            low, high = format_short(here["value"].min()), format_short(here["value"].max())
            told.append(f"{group}: {here.height} readings from {low} to {high}")
    scale = alt.Scale(type="log", domain=[least, most], nice=False)
    x = alt.X("value:Q", title=f"{axis}, logarithmic", scale=scale).axis(grid=True, tickCount=6)
    y = alt.Y("group:N", title=None, sort=groups).axis(labelLimit=260)
    tooltip = [alt.Tooltip("reading:N"), alt.Tooltip("value:Q", title=axis, format=".3~g")]
    base = alt.Chart(theme.clean(usable)).encode(x=x, y=y)
    names = usable.filter("named")["reading"].unique(maintain_order=True).to_list()
    labelled = [  # above and below in turn: two named values may lie close together
        base.transform_filter(alt.FieldEqualPredicate(name, field="reading"))
        .mark_text(dy=-16 if place % 2 == 0 else 18, fontSize=11)
        .encode(text="reading:N")
        for place, name in enumerate(names)
    ]
    chart = alt.layer(
        _line_at("value", 1.0, x),
        base.mark_point(size=70, filled=True, opacity=0.45, color=theme.BLUE).encode(
            tooltip=tooltip
        ),
        base.transform_filter("datum.named")
        .mark_point(size=110, filled=True, opacity=1, shape="diamond", color=VERMILION)
        .encode(tooltip=tooltip),
        *labelled,
    )
    return titled(chart, title, told, axis, width=WIDTH - 160, height=alt.Step(72))


def single_queue(demand_s: float, rate_per_s: float, *, title: str) -> alt.LayerChart:
    """R = D / (1 − U) over the rate of arrivals, with a slider for D that needs no kernel.

    ``demand_s`` and ``rate_per_s`` set where the slider and the marked point begin. The curve ends before
    the rate 1/D, where the queue has no steady state.
    """
    start_ms = max(demand_s * 1e3, 1e-3)
    most = max(1.6 / demand_s, 1.2 * rate_per_s) if demand_s > 0 else 2 * rate_per_s + 1
    slider = alt.param(
        name="demand_ms",
        value=start_ms,
        bind=alt.binding_range(
            min=start_ms / 5, max=start_ms * 5, step=start_ms / 50, name="demand D (ms): "
        ),
    )
    calculated = (
        alt.Chart(alt.sequence(0, 1, 0.005, as_="part"))
        .transform_calculate(rate=f"datum.part * {most}")
        .transform_calculate(u="datum.rate * demand_ms / 1000")
        .transform_filter("datum.u < 0.985")
        .transform_calculate(response="demand_ms / (1 - datum.u)")
    )
    curve = calculated.mark_line(color=theme.BLUE, strokeWidth=2.5, clip=True).encode(
        x=alt.X("rate:Q", title="requests a second").scale(domain=[0, most]).axis(grid=True),
        y=alt.Y("response:Q", title="response time R (ms)").scale(
            domain=[0, start_ms * 10], clamp=False
        ),
    )
    here = (
        alt.Chart(alt.Data(values=[{"rate": rate_per_s}]))
        .transform_calculate(response=f"demand_ms / max(0.01, 1 - {rate_per_s} * demand_ms / 1000)")
        .mark_point(size=130, filled=True, color=VERMILION, opacity=1, clip=True)
        .encode(x="rate:Q", y="response:Q", tooltip=["rate:Q", "response:Q"])
    )
    return (
        alt.layer(curve, here)
        .add_params(slider)
        .properties(
            width=WIDTH - 60,
            height=240,
            title=headed(title, f"the point: {format_number(rate_per_s)} requests a second"),
            description=(
                f"{title}: response time of a queue with demand {format_number(start_ms)} ms over the rate of"
                f" arrivals; at {format_number(rate_per_s)} requests a second it is"
                f" {format_number(start_ms / max(1e-9, 1 - rate_per_s * demand_s))} ms, and it grows without"
                f" bound towards {format_number(1 / demand_s if demand_s > 0 else None)} requests a second."
            ),
        )
    )
