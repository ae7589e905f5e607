"""Theme, colours, renderer and MIME bundle of the charts, and the data types that a chart may hold.

The palette is Okabe and Ito's, which can be distinguished with any kind of colour vision; colour is never the
only sign (bars have their numbers, lines their names or dashes).
"""

from __future__ import annotations

import base64
import os
from typing import Any

import altair as alt
import polars as pl
import vl_convert

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, GREY, INK = "#56B4E9", "#CC79A7", "#6B7280", "#1F2937"

CATEGORIES = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, GREY)

WIDTH = 620
"""Pixels of a chart's plotting area: the width of a page's column minus the axis."""

SPEC_MIME = "application/vnd.vegalite.v6+json"

FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"


@alt.theme.register("queuevisor", enable=False)
def theme() -> alt.theme.ThemeConfig:
    """The theme: dark grey on white, thin grid, text of 12 px and more."""
    text = {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "config": {
            "font": FONT,
            "numberFormat": ",~r",
            "background": "white",
            "view": {"continuousWidth": WIDTH, "continuousHeight": 200, "stroke": None},
            "title": {
                "anchor": "start",
                "frame": "group",
                "color": INK,
                "fontSize": 14,
                "fontWeight": 600,
                "subtitleColor": GREY,
                "subtitleFontSize": 12,
                "subtitlePadding": 4,
                "offset": 10,
            },
            "axis": {
                **text,
                "titleFontWeight": "normal",
                "gridColor": "#E5E7EB",
                "domainColor": "#9CA3AF",
                "tickColor": "#9CA3AF",
                "labelOverlap": True,
                "titlePadding": 8,
            },
            "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
            "axisX": {"grid": False},
            "header": {**text, "titleFontWeight": "normal", "labelFontWeight": 600},
            "legend": {
                **text,
                "titleFontWeight": "normal",
                "orient": "top",
                "symbolType": "square",
            },
            "range": {"category": list(CATEGORIES)},
            "line": {"strokeWidth": 1.8},
            "bar": {"color": BLUE},
            "text": {"color": INK, "fontSize": 12},
        }
    }  # type: ignore[return-value]


def enable() -> None:
    """Use this theme and renderer for every chart of this process (``pipeline.report.show.setup`` does it)."""
    alt.theme.enable("queuevisor")
    alt.renderers.register("queuevisor", lambda spec, **_: mime_bundle_of_spec(spec))
    alt.renderers.enable("queuevisor")


def with_theme(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """``chart`` as a Vega-Lite specification with this theme in it, whatever theme is enabled."""
    with (
        alt.theme.enable("queuevisor"),
        alt.data_transformers.enable("default", max_rows=MAX_ROWS * 4),
    ):
        return chart.to_dict()


MAX_ROWS = 5000
"""Rows that a chart may hold; more must be downsampled first (:func:`min_max_downsample`)."""

ONLY_SVG = "QUEUEVISOR_ONLY_SVG"
"""Environment variable of the kernels of a report, whose pages have charts as SVG only."""
PNG_SCALE = 1.5
"""Pixels of the PNG per pixel of the chart."""


def title_of(spec: dict[str, Any]) -> str:
    """The title of a chart, without its subtitle; empty if it has none."""
    title = spec.get("title", "")
    if isinstance(title, dict):
        title = title.get("text", "")
    return " ".join(title) if isinstance(title, list) else title


def alt_text_of(spec: dict[str, Any]) -> str:
    """The alternative text of a chart: its ``description``, else its title."""
    return (
        spec.get("description")
        or title_of(spec)
        or "A chart; its numbers are in the table below it."
    )


def mime_bundle(chart: alt.TopLevelMixin) -> tuple[dict[str, Any], dict[str, Any]]:
    """``chart`` as a Jupyter MIME bundle (PNG, SVG, Vega-Lite 6, alternative text) and its metadata.

    JupyterLab shows the PNG in a notebook that is not trusted; a report shows the SVG; the specification makes
    it interactive. Altair's own renderers cannot be used: ``mimetype`` emits a type that papermill refuses, and
    ``html`` loads scripts from a CDN.
    """
    return mime_bundle_of_spec(with_theme(chart))


def mime_bundle_of_spec(spec: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The MIME bundle of a specification and its metadata."""
    svg = svg_of_spec(spec)
    text = alt_text_of(spec)
    data = {"image/svg+xml": svg, SPEC_MIME: spec, "text/plain": text}
    metadata: dict[str, Any] = {"queuevisor": {"alt": text}}
    if ONLY_SVG not in os.environ:
        png = vl_convert.svg_to_png(svg, scale=PNG_SCALE)
        data["image/png"] = base64.b64encode(png).decode("ascii")
        metadata["image/png"] = {"alt": text}
    return data, metadata


def svg_of_spec(spec: dict[str, Any]) -> str:
    """A specification as SVG, without what only shows tooltips."""
    return vl_convert.vegalite_to_svg(_without_hover(spec))


def _without_hover(node: Any) -> Any:
    """The specification without invisible layers (``opacity`` 0), which only show tooltips, for a static image."""
    if isinstance(node, list):
        return [_without_hover(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: [_without_hover(layer) for layer in value if not _is_invisible(layer)]
        if key == "layer"
        else value
        if key in ("datasets", "data", "config")
        else _without_hover(value)
        for key, value in node.items()
    }


def _is_invisible(layer: dict[str, Any]) -> bool:
    mark = layer.get("mark")
    return isinstance(mark, dict) and mark.get("opacity") == 0


TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%.3fZ"


def json_ready(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with columns that JSON and Vega-Lite can represent.

    NaN and infinity become null (they are not JSON, and a queue at utilization 1 has an infinite response
    time); times become ISO strings in UTC, independent of the browser's time zone. A duration raises
    ``TypeError``, because Vega-Lite has no such type: convert it to seconds.
    """
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if dtype == pl.Duration:
            raise TypeError(f"column {name} is a duration; a chart needs seconds as a number")
        if dtype.is_float():
            column = pl.when(column.is_finite()).then(column).cast(pl.Float64)
        elif dtype == pl.Datetime:
            zoned = column if dtype.time_zone is None else column.dt.convert_time_zone("UTC")
            column = zoned.dt.to_string(TIME_FORMAT)
        elif dtype == pl.Categorical or dtype == pl.Enum:
            column = column.cast(pl.String)
        columns.append(column.alias(name))
    return frame.select(columns)
