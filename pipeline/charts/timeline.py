"""Charts over time: CPU time, disks and throughput. Times are UTC, on UTC scales."""

from __future__ import annotations

from functools import partial

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.downsample import min_max_downsample
from pipeline.charts.theme import CATEGORIES, GREY, SKY, WIDTH
from pipeline.charts.titles import alt_text, chart_title, empty_chart
from pipeline.units import format_number

MAX_SERIES = 7
OTHERS = "all others"

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1], [1, 3], [10, 4])

SPAN_COLOURS = {"before": "#9CA3AF", "load": SKY}


def top_n(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    """``frame`` with its ``MAX_SERIES - 1`` largest series (by mean) and the sum of the others as one more series.

    Only for values that may be added up at one time, such as CPU time of processes.
    """
    sizes = (
        frame.group_by("series")
        .agg(pl.col(value).fill_nan(None).mean().fill_null(0).alias("_size"))
        .sort(["_size", "series"], descending=[True, False])
    )
    if sizes.height <= MAX_SERIES:
        return frame
    is_chosen = pl.col("series").is_in(sizes["series"].head(MAX_SERIES - 1).to_list())
    rest = (
        frame.filter(~is_chosen)
        .group_by("time", maintain_order=True)
        .agg(pl.col(value).fill_nan(None).sum())
        .with_columns(pl.lit(f"{OTHERS} ({sizes.height - MAX_SERIES + 1})").alias("series"))
        .select("time", "series", value)
    )
    return pl.concat([frame.filter(is_chosen).select("time", "series", value), rest])


def _spans(spans: pl.DataFrame | None) -> list[alt.Chart]:
    """Shaded intervals of time with their names above; columns ``name``, ``start``, ``end``."""
    if spans is None or spans.is_empty():
        return []
    data = theme.json_ready(spans.select("name", "start", "end"))
    base = alt.Chart(data)
    return [
        base.mark_rect(opacity=0.13).encode(
            x=alt.X("start:T").scale(type="utc"),
            x2="end:T",
            fill=alt.Fill("name:N", legend=None).scale(
                domain=list(SPAN_COLOURS), range=list(SPAN_COLOURS.values())
            ),
        ),
        base.mark_text(align="left", baseline="top", dx=4, dy=3, color=GREY, fontSize=11).encode(
            x=alt.X("start:T").scale(type="utc"), y=alt.value(0), text="name:N"
        ),
    ]


def timeline(
    frame: pl.DataFrame,
    *,
    value: str,
    axis: str,
    title: str,
    spans: pl.DataFrame | None = None,
    height: int = 170,
    top: float | None = None,
    percent: bool = False,
    legend: str | None = None,
) -> alt.LayerChart | alt.Chart:
    """Lines over time, one per series, with the idle baseline and the load shaded.

    ``frame``: ``time`` (UTC), ``series`` (text), ``value`` (number; null leaves a gap). ``spans``: ``name``
    (before, load), ``start``, ``end``. ``axis`` is the value's name with its unit, ``top`` the minimum of
    the axis's upper end. More than ``MAX_SERIES`` series raise ``ValueError``: see :func:`top_n`.
    """
    frame = frame.select("time", "series", pl.col(value).alias("value"))
    usable = frame.filter(pl.col("value").cast(pl.Float64).is_finite())
    if usable.is_empty():
        return empty_chart(title)
    names = usable["series"].unique(maintain_order=True).to_list()
    if len(names) > MAX_SERIES:
        raise ValueError(f"{len(names)} series in one chart; choose {MAX_SERIES} first (`top_n`)")
    thinned, how = min_max_downsample(frame, "time", "value", ["series"])
    data = theme.json_ready(thinned).with_columns(
        at=pl.col("time").str.slice(11, 8) + " UTC",
    )
    bounds = usable.group_by("series", maintain_order=True).agg(
        mean=pl.col("value").mean(), maximum=pl.col("value").max()
    )
    as_text = (lambda x: f"{format_number(100 * x)} %") if percent else format_number
    numbers = [
        f"{row['series']}: mean {as_text(row['mean'])}, at most {as_text(row['maximum'])}"
        for row in bounds.iter_rows(named=True)
    ]
    domain_top = max(usable["value"].max(), top or 0.0)
    scale = {"domainMin": 0} | ({"domainMax": domain_top} if top is not None else {})
    look = alt.Legend(symbolType="stroke", columns=4, labelLimit=220)
    if len(names) == 1 and legend is None:
        look = None
    colour, dash = (
        channel("series:N", title=legend, legend=look).scale(domain=names, range=list(signs))
        for channel, signs in (
            (alt.Color, CATEGORIES[: len(names)]),
            (alt.StrokeDash, DASHES[: len(names)]),
        )
    )
    lines = (
        alt.Chart(data)
        .mark_line(clip=True, interpolate="linear")
        .encode(
            x=alt.X("time:T", title="time (UTC)")
            .scale(type="utc")
            .axis(format="%H:%M:%S", labelOverlap=True, tickCount=6),
            y=alt.Y("value:Q", title=axis)
            .scale(**scale)
            .axis(**({"format": "%"} if percent else {}), tickCount=5),
            color=colour,
            strokeDash=dash,
        )
    )
    # Invisible points, because a tooltip needs a mark under the pointer.
    points = (
        alt.Chart(data)
        .mark_point(opacity=0, size=60)
        .encode(
            x=alt.X("time:T").scale(type="utc"),
            y=alt.Y("value:Q"),
            tooltip=[
                alt.Tooltip("series:N", title=" "),
                alt.Tooltip("at:N", title="time"),
                alt.Tooltip("value:Q", title=axis, format=".2%" if percent else ".4~g"),
            ],
        )
    )
    layers = [*_spans(spans), lines, points]
    return alt.layer(*layers).properties(
        width=WIDTH,
        height=height,
        title=chart_title(title, how),
        description=alt_text(f"{title}, over time ({axis})", numbers),
    )


def disk_timeline(
    frame: pl.DataFrame, *, title: str, spans: pl.DataFrame | None = None
) -> alt.VConcatChart | alt.Chart:
    """Utilization of disks and, below it, the mean number of requests at them.

    ``frame``: ``time``, ``series`` (the disk), ``utilization`` (0 to 1), ``queue_length``. Both are drawn,
    because utilization only shows that at least one request was in flight.
    """
    if frame.is_empty():
        return empty_chart(title)
    panel = partial(timeline, frame, spans=spans, legend="disk")
    upper = panel(
        value="utilization", axis="utilization", title=title, top=1.0, percent=True, height=150
    )
    below = "Mean number of requests waiting or served"
    lower = panel(value="queue_length", axis="requests in the disk", title=below, height=110)
    text = [str(part.to_dict(validate=False).get("description", "")) for part in (upper, lower)]
    return (
        alt.vconcat(upper, lower, spacing=24)
        .resolve_scale(color="independent", strokeDash="independent")
        .properties(description=" ".join(text))
    )
