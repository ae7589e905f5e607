"""Charts over time: CPU time, disks and throughput. Times are UTC, on UTC scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.downsample import min_max_downsample
from pipeline.charts.theme import CATEGORIES, GREY, INK, MAX_ROWS, SKY, WIDTH
from pipeline.charts.titles import alt_text, chart_title, empty_chart
from pipeline.measure.group_sums import sum_by_group
from pipeline.units import format_number

MAX_SERIES = 7
OTHERS = "all others"

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1], [1, 3], [10, 4])

SPAN_COLOURS = {"before": "#9CA3AF", "load": SKY}

AXIS_PX = 46
"""Width of every panel's axis of values, so that the panels begin at the same x."""


def top_n(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    """``frame`` with its ``MAX_SERIES - 1`` largest series (by mean) and the sum of the others as one more series.

    Only for values that may be added up at one time, such as CPU time of processes.
    """
    numbers = pl.col(value).fill_nan(None)
    mean = pl.when(pl.col("count") > 0).then(pl.col("sum") / pl.col("count")).otherwise(0.0)
    sizes = (
        sum_by_group(frame, ["series"], sum=numbers, count=numbers.is_not_null())
        .with_columns(_size=mean)
        .sort(["_size", "series"], descending=[True, False])
    )
    if sizes.height <= MAX_SERIES:
        return frame
    is_chosen = pl.col("series").is_in(sizes["series"].head(MAX_SERIES - 1).to_list())
    rest = (
        sum_by_group(frame.filter(~is_chosen), ["time"], **{value: numbers})
        .with_columns(pl.lit(f"{OTHERS} ({sizes.height - MAX_SERIES + 1})").alias("series"))
        .select("time", "series", value)
    )
    return pl.concat([frame.filter(is_chosen).select("time", "series", value), rest])


@dataclass(frozen=True)
class Panel:
    """One panel of :func:`timelines`: lines over time, one per series."""

    frame: pl.DataFrame
    """``time`` (UTC), ``series`` (text), and the column ``value`` names; null leaves a gap."""
    title: str
    """What is drawn, with its unit."""
    value: str = "value"
    top: float | None = None
    """Minimum of the axis's upper end."""
    percent: bool = False

    @property
    def usable(self) -> pl.DataFrame:
        """The rows that can be drawn: ``time``, ``series``, ``value``."""
        frame = self.frame.select("time", "series", pl.col(self.value).alias("value"))
        return frame.filter(pl.col("value").cast(pl.Float64).is_finite())

    @property
    def numbers(self) -> list[str]:
        """Mean and maximum of each series, as text."""
        as_text = (lambda x: f"{format_number(100 * x)} %") if self.percent else format_number
        bounds = self.usable.group_by("series", maintain_order=True).agg(
            mean=pl.col("value").mean(), maximum=pl.col("value").max()
        )
        return [
            f"{row['series']}: mean {as_text(row['mean'])}, at most {as_text(row['maximum'])}"
            for row in bounds.iter_rows(named=True)
        ]


def _spans(
    spans: pl.DataFrame | None, x_scale: alt.Scale, *, named: bool = False, **axis: Any
) -> list[alt.Chart]:
    """Shaded intervals of time, with their names above; columns ``name``, ``start``, ``end``."""
    if spans is None or spans.is_empty():
        return []
    base = alt.Chart(theme.json_ready(spans.select("name", "start", "end")))
    shades = base.mark_rect(opacity=0.13, clip=True).encode(
        x=alt.X("start:T", scale=x_scale, **axis),
        x2="end:T",
        fill=alt.Fill("name:N", legend=None).scale(
            domain=list(SPAN_COLOURS), range=list(SPAN_COLOURS.values())
        ),
    )
    names = base.mark_text(
        align="left", baseline="top", dx=4, dy=3, color=GREY, fontSize=11, clip=True
    ).encode(x=alt.X("start:T", scale=x_scale), y=alt.value(0), text="name:N")
    return [shades, names] if named else [shades]


def _lines(
    panel: Panel, x_scale: alt.Scale, *, legend: alt.Legend | None, labelled: bool, limit: int
) -> tuple[alt.Chart, alt.Chart, str]:
    """The lines of a panel, the invisible points that show a tooltip, and the sentence about downsampling."""
    names = panel.usable["series"].unique(maintain_order=True).to_list()
    if len(names) > MAX_SERIES:
        raise ValueError(f"{len(names)} series in one chart; choose {MAX_SERIES} first (`top_n`)")
    frame = panel.frame.select("time", "series", pl.col(panel.value).alias("value"))
    thinned, how = min_max_downsample(frame, "time", "value", ["series"], limit=limit)
    data = theme.json_ready(thinned).with_columns(at=pl.col("time").str.slice(11, 8) + " UTC")
    y_scale: dict[str, Any] = {"domainMin": 0}
    if panel.top is not None:
        y_scale["domainMax"] = max(panel.usable["value"].max(), panel.top)  # type: ignore[type-var]
    colour, dash = (
        channel("series:N", legend=legend).scale(domain=names, range=list(signs))
        for channel, signs in (
            (alt.Color, CATEGORIES[: len(names)]),
            (alt.StrokeDash, DASHES[: len(names)]),
        )
    )
    x = alt.X("time:T", title="time (UTC)" if labelled else None, scale=x_scale).axis(
        format="%H:%M:%S", labelOverlap=True, tickCount=6, labels=labelled
    )
    y = (
        alt.Y("value:Q", title=None)
        .scale(**y_scale)
        .axis(
            **({"format": "%"} if panel.percent else {}),
            tickCount=4,
            minExtent=AXIS_PX,
            maxExtent=AXIS_PX,
        )
    )
    lines = (
        alt.Chart(data)
        .mark_line(clip=True, interpolate="linear")
        .encode(x=x, y=y, color=colour, strokeDash=dash)
    )
    # Invisible points, because a tooltip needs a mark under the pointer.
    points = (
        alt.Chart(data)
        .mark_point(opacity=0, size=60, clip=True)
        .encode(
            x=alt.X("time:T", scale=x_scale),
            y=alt.Y("value:Q"),
            tooltip=[
                alt.Tooltip("series:N", title=" "),
                alt.Tooltip("at:N", title="time"),
                alt.Tooltip(
                    "value:Q", title=panel.title, format=".2%" if panel.percent else ".4~g"
                ),
            ],
        )
    )
    return lines, points, how


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
    panel = Panel(frame, axis, value, top, percent)
    if panel.usable.is_empty():
        return empty_chart(title)
    look = alt.Legend(symbolType="stroke", columns=4, labelLimit=220, title=legend)
    if panel.usable["series"].n_unique() == 1 and legend is None:
        look = None
    scale = alt.Scale(type="utc")
    lines, points, how = _lines(panel, scale, legend=look, labelled=True, limit=MAX_ROWS)
    return alt.layer(*_spans(spans, scale, named=True), lines, points).properties(
        width=WIDTH,
        height=height,
        title=chart_title(title, axis, how),
        description=alt_text(f"{title}, over time ({axis})", panel.numbers),
    )


PANEL_WIDTH, PANEL_HEIGHT, OVERVIEW_HEIGHT, LEGEND_PX = 640, 84, 30, 165
"""Pixels of a panel, of the strip on which a time is chosen, and of the texts of a legend."""


def timelines(
    panels: Sequence[Panel], *, title: str, spans: pl.DataFrame | None = None, hint: str = ""
) -> alt.VConcatChart | alt.Chart:
    """Panels below one another on one time axis, and above them a strip on which a time can be selected.

    An interval dragged over the strip, which shows the first line of the first panel, is the time that all panels show.
    ``spans``: ``name`` (before, load), ``start``, ``end``. A panel without data is left out and named in the subtitle;
    ``hint`` is the subtitle otherwise.
    """
    drawn = [panel for panel in panels if not panel.usable.is_empty()]
    if not drawn:
        return empty_chart(title)
    times = pl.concat([panel.usable["time"].cast(pl.Datetime("ns", "UTC")) for panel in drawn])
    extent = pl.DataFrame({"start": [times.min()], "end": [times.max()]})
    selection = alt.selection_interval(encodings=["x"], name="shown")
    whole = alt.Scale(type="utc")
    charts: list[alt.LayerChart] = [_overview(drawn[0], extent, spans, selection, whole)]
    scale = alt.Scale(type="utc", domain=selection)
    notes = []
    for panel in drawn:
        last = panel is drawn[-1]
        legend = alt.Legend(
            orient="right", symbolType="stroke", labelLimit=LEGEND_PX, title=None, offset=10
        )
        lines, points, how = _lines(panel, scale, legend=legend, labelled=last, limit=MAX_ROWS // 2)
        layers = [*_spans(spans, scale, named=panel is drawn[0]), _bounds(extent, scale)]
        heading = alt.TitleParams(panel.title, fontSize=12, fontWeight=600, color=INK, offset=4)
        charts.append(
            alt.layer(*layers, lines, points).properties(
                width=PANEL_WIDTH, height=PANEL_HEIGHT, title=heading
            )
        )
        notes += [f"{panel.title}: {how}"] if how else []
    missing = [f"no data: {panel.title}" for panel in panels if panel.usable.is_empty()]
    numbers = [f"{panel.title}: {'; '.join(panel.numbers)}" for panel in drawn]
    return (
        alt.vconcat(*charts, spacing=8)
        .resolve_scale(color="independent", strokeDash="independent")
        .properties(
            title=chart_title(title, hint, *notes, *missing),
            description=alt_text(f"{title}, over time", [*numbers, *missing]),
        )
    )


def _bounds(extent: pl.DataFrame, scale: alt.Scale, **axis: Any) -> alt.Chart:
    """A line without width over the time of all panels: it gives each of them the same axis."""
    base = alt.Chart(theme.json_ready(extent)).mark_rule(strokeWidth=0)
    return base.encode(x=alt.X("start:T", scale=scale, **axis), x2="end:T", y=alt.value(0))


def _overview(
    panel: Panel,
    extent: pl.DataFrame,
    spans: pl.DataFrame | None,
    selection: alt.Parameter,
    scale: alt.Scale,
) -> alt.LayerChart:
    rows = panel.usable
    frame = rows.filter(pl.col("series") == rows["series"][0])
    thinned, _ = min_max_downsample(frame, "time", "value", ["series"], limit=MAX_ROWS // 10)
    outline = (
        alt.Chart(theme.json_ready(thinned))
        .mark_line(color=GREY, strokeWidth=1, clip=True)
        .encode(
            x=alt.X("time:T", scale=scale, axis=None),
            y=alt.Y("value:Q", axis=None).scale(domainMin=0),
        )
        .add_params(selection)
    )
    layers = [*_spans(spans, scale, axis=None), _bounds(extent, scale, axis=None), outline]
    return alt.layer(*layers).properties(width=PANEL_WIDTH, height=OVERVIEW_HEIGHT)
