"""Charts of a designed experiment: effects, allocation of variation, half-normal and interaction plots."""

from __future__ import annotations

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import BLUE, GREY, INK, ORANGE, VERMILION, WIDTH
from pipeline.charts.titles import empty_chart, with_title
from pipeline.units import format_percent, format_short

VERDICT_COLORS = {
    "beyond noise": BLUE,
    "inconclusive": ORANGE,
    "within noise": GREY,
    "not estimated": VERMILION,
}
MAX_EFFECTS = 40
"""Effects that a chart has rows for; of more, the largest."""


def _color(frame: pl.DataFrame) -> alt.Color:
    """Colour by verdict, with those in the frame in the legend."""
    shown = [name for name in VERDICT_COLORS if name in frame["verdict"].to_list()]
    return alt.Color("verdict:N", title=None).scale(
        domain=shown, range=[VERDICT_COLORS[name] for name in shown]
    )


def factor_effects(
    frame: pl.DataFrame, *, title: str, axis: str, no_effect: float = 0.0
) -> alt.LayerChart | alt.Chart:
    """Effects with their intervals, the largest on top.

    ``frame``: ``effect``, ``value``, ``low``, ``high`` (null without interval), ``verdict``. ``no_effect``: 0, or 1
    where values are ratios; then the axis is logarithmic.
    """
    is_ratio = no_effect == 1
    usable = frame.filter(pl.col("value").is_finite()).with_columns(
        pl.col("verdict").fill_null("not estimated")
    )
    if usable.is_empty():
        return empty_chart(title)
    size = pl.col("value").log().abs() if is_ratio else pl.col("value").abs()
    usable = usable.sort(size, descending=True, maintain_order=True).head(MAX_EFFECTS)
    order = usable["effect"].to_list()
    scale = alt.Scale(type="log" if is_ratio else "linear", nice=not is_ratio, zero=not is_ratio)
    base = alt.Chart(theme.json_ready(usable)).encode(
        y=alt.Y("effect:N", sort=order, title=None).axis(labelLimit=260),
        color=_color(usable),
        tooltip=[
            alt.Tooltip("effect:N"),
            *(alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("value", "low", "high")),
            alt.Tooltip("verdict:N"),
        ],
    )
    zero = alt.Chart(alt.Data(values=[{"x": no_effect}])).mark_rule(color=INK, strokeDash=[3, 3])
    layers = [
        zero.encode(x=alt.X("x:Q", title=axis, scale=scale)),
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title=axis, scale=scale), x2="high:Q"
        ),
        base.mark_point(size=70, filled=True, opacity=1).encode(x=alt.X("value:Q", scale=scale)),
    ]
    numbers = [
        f"{row['effect']}: {format_short(row['value'])}"
        + (
            f" ({format_short(row['low'])} to {format_short(row['high'])})"
            if row["low"] is not None and row["high"] is not None
            else ""
        )
        for row in usable.iter_rows(named=True)
    ]
    return with_title(
        alt.layer(*layers), title, numbers, axis, width=WIDTH - 230, height=alt.Step(18)
    )


def factor_variation(frame: pl.DataFrame, *, title: str) -> alt.LayerChart | alt.Chart:
    """Allocation of variation: the share of each source in the total sum of squares.

    ``frame``: ``source`` (an effect, blocks, covariates, error), ``share`` (0 to 1).
    """
    usable = frame.filter(pl.col("share").is_finite()).head(MAX_EFFECTS)
    if usable.is_empty():
        return empty_chart(title)
    usable = usable.with_columns(
        text=pl.col("share").map_elements(
            lambda share: format_percent(share, sign=False), return_dtype=pl.String
        )
    )
    order = usable["source"].to_list()
    base = alt.Chart(theme.json_ready(usable)).encode(
        x=alt.X("share:Q", title="share of the variation").axis(format="%"),
        y=alt.Y("source:N", sort=order, title=None).axis(labelLimit=260),
    )
    chart = alt.layer(base.mark_bar(), base.mark_text(align="left", dx=4).encode(text="text:N"))
    numbers = [f"{row['source']}: {row['text']}" for row in usable.iter_rows(named=True)]
    return with_title(chart, title, numbers, width=WIDTH - 230, height=alt.Step(18))


def factor_half_normal(
    frame: pl.DataFrame, *, title: str, axis: str, error: float | None = None
) -> alt.LayerChart | alt.Chart:
    """Half-normal plot: effects of noise alone are on a line through the origin, others are right of it.

    ``frame``: ``effect``, ``size`` (absolute estimate), ``quantile``, ``verdict``. ``error``: the standard error of an
    estimate, the slope of the line.
    """
    usable = frame.filter(pl.col("size").is_finite()).with_columns(
        pl.col("verdict").fill_null("not estimated")
    )
    if usable.is_empty():
        return empty_chart(title)
    is_named = pl.col("verdict").is_in(["beyond noise", "inconclusive"]) | (
        pl.col("size") == pl.col("size").max()
    )
    usable = usable.with_columns(label=pl.when(is_named).then("effect").otherwise(pl.lit("")))
    limit = float(usable["size"].max()) * 1.25 or 1.0
    x = alt.X("size:Q", title=f"absolute {axis}", scale=alt.Scale(domain=[0, limit]))
    top = float(usable["quantile"].max()) * 1.1
    y = alt.Y("quantile:Q", title="half-normal quantile", scale=alt.Scale(domain=[0, top]))
    base = alt.Chart(theme.json_ready(usable)).encode(
        x=x,
        y=y,
        tooltip=["effect:N", alt.Tooltip("size:Q", format=".4~g"), "verdict:N"],
    )
    layers = [
        base.mark_point(size=70, filled=True, opacity=1).encode(color=_color(usable)),
        base.mark_text(align="left", dx=8).encode(text="label:N"),
    ]
    if error:
        end = min(top, limit / error)
        line = alt.Data(values=[{"size": 0, "quantile": 0}, {"size": end * error, "quantile": end}])
        layers.insert(0, alt.Chart(line).mark_line(color=GREY, strokeDash=[4, 3]).encode(x=x, y=y))
    numbers = [
        f"{row['effect']}: {format_short(row['size'])} at {format_short(row['quantile'])}"
        for row in usable.tail(8).reverse().iter_rows(named=True)
    ]
    return with_title(alt.layer(*layers), title, numbers, axis, width=WIDTH - 160, height=260)


def factor_interaction(
    frame: pl.DataFrame, *, title: str, axis: str, x_title: str, line_title: str
) -> alt.LayerChart | alt.Chart:
    """Interaction plot: the means of a response at the levels of two factors; parallel lines do not interact.

    ``frame``: ``x`` and ``line`` (levels as text, low ones first), ``mean``, ``low``, ``high`` (null without interval).
    """
    usable = frame.filter(pl.col("mean").is_finite())
    if usable.is_empty():
        return empty_chart(title)
    levels = usable["x"].unique(maintain_order=True).to_list()
    lines = usable["line"].unique(maintain_order=True).to_list()
    scale = alt.Scale(zero=False)
    usable = usable.with_columns(label=pl.lit(f"{line_title} ") + pl.col("line"))
    color = alt.Color("line:N", sort=lines, legend=None)
    base = alt.Chart(theme.json_ready(usable)).encode(
        x=alt.X("x:N", sort=levels, title=x_title, scale=alt.Scale(padding=0.4)).axis(labelAngle=0),
        color=color,
    )
    y = alt.Y("mean:Q", scale=scale)
    chart = alt.layer(
        base.mark_rule(opacity=0.5, strokeWidth=2).encode(
            y=alt.Y("low:Q", title=axis, scale=scale), y2="high:Q"
        ),
        base.mark_line().encode(y=y, strokeDash=alt.StrokeDash("line:N", sort=lines, legend=None)),
        base.mark_point(size=70, filled=True, opacity=1).encode(
            y=y, tooltip=["x:N", "line:N", alt.Tooltip("mean:Q", format=".4~g")]
        ),
        base.transform_filter(alt.FieldEqualPredicate(levels[-1], field="x"))
        .mark_text(align="left", dx=10)
        .encode(y=y, text="label:N", color=alt.value(INK)),
    )
    numbers = [
        f"{x_title} {row['x']}, {line_title} {row['line']}: {format_short(row['mean'])}"
        for row in usable.iter_rows(named=True)
    ]
    return with_title(chart, title, numbers, axis, width=300, height=240)
