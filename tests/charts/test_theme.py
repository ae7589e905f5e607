"""Every chart: a valid specification, finite numbers only, alternative text, and a message where there is no data."""

import base64
import datetime as dt
import json
import math

import altair as alt
import polars as pl
import pytest

from pipeline import charts
from pipeline.charts import theme

from .examples import (
    CLIENT,
    COMPARISON,
    DEMAND_CHANGES,
    DEMANDS,
    FIGURES,
    LEARNING_CURVES,
    NEIGHBOUR_CPU,
    PREDICTED,
    PREDICTOR_ERRORS,
    RESIDENCE,
    START,
    STATIONS,
    STRIP,
    TRACK,
    VARIANTS,
    over_time,
)


def values_in(node):
    if isinstance(node, dict):
        for value in node.values():
            yield from values_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from values_in(value)
    else:
        yield node


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_a_valid_specification_and_json(name):
    spec = charts.with_theme(FIGURES[name])
    alt.Chart.from_dict(spec, validate=True)
    text = json.dumps(spec, allow_nan=False)
    assert '"timeUnit"' not in text
    assert spec["config"]["font"] == theme.FONT


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_in_words_what_it_shows(name):
    words = charts.alt_text_of(charts.with_theme(FIGURES[name]))
    assert len(words) > 20
    assert "No description" not in words


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_travels_as_png_svg_and_vega_lite(name):
    data, metadata = charts.mime_bundle(FIGURES[name])
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["image/svg+xml"].startswith("<svg")
    assert "/vega-lite/v6" in data["application/vnd.vegalite.v6+json"]["$schema"]
    assert metadata["image/png"]["alt"] == data["text/plain"]


def test_the_renderer_of_a_bare_chart_gives_the_same_bundle():
    charts.enable()
    try:
        data, metadata = FIGURES["variants"]._repr_mimebundle_()
    finally:
        alt.renderers.enable("default")
        alt.theme.enable("default")
    assert {"image/png", "image/svg+xml", "application/vnd.vegalite.v6+json"} <= set(data)
    assert metadata["image/png"]["alt"].startswith("D in three variants")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_missing(bad):
    frame = over_time().with_columns(
        value=pl.when(pl.col("time") == START).then(bad).otherwise("value")
    )
    for chart in (
        charts.timeline(frame, value="value", axis="CPU", title="CPU"),
        charts.residence_time(
            RESIDENCE.with_columns(
                value_ms=pl.when(pl.col("component") == "R_disk").then(bad).otherwise("value_ms")
            ),
            title="R",
        ),
        charts.variants(VARIANTS.with_columns(value=pl.lit(bad)), title="D", axis="ms"),
        charts.utilization(STATIONS.with_columns(high=pl.lit(bad)), title="U"),
        charts.model_against_client(CLIENT.with_columns(value=pl.lit(bad)), title="R"),
    ):
        spec = charts.with_theme(chart)
        json.dumps(spec, allow_nan=False)
        assert all(math.isfinite(value) for value in values_in(spec) if isinstance(value, float))
        charts.mime_bundle(chart)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.timeline(over_time().clear(), value="value", axis="CPU", title="CPU"),
        lambda: charts.timelines([charts.Panel(over_time().clear(), "CPU")], title="D"),
        lambda: charts.residence_time(RESIDENCE.clear(), title="R"),
        lambda: charts.server_comparison(COMPARISON.clear(), title="F"),
        lambda: charts.model_against_client(CLIENT.clear(), title="R"),
        lambda: charts.utilization(STATIONS.clear(), title="U"),
        lambda: charts.variants(VARIANTS.clear(), title="D", axis="ms"),
        lambda: charts.ratio_strip(STRIP.clear(), title="S", axis="x"),
        lambda: charts.predictions(PREDICTED.clear(), title="P", axis="R", load_axis="threads"),
        lambda: charts.demand_runs(DEMANDS.clear(), title="D"),
        lambda: charts.demand_track(TRACK.clear(), title="D"),
        lambda: charts.demand_vs_neighbour_cpu(NEIGHBOUR_CPU.clear(), title="P"),
        lambda: charts.demand_changes(DEMAND_CHANGES.clear(), title="D"),
        lambda: charts.predictor_errors(PREDICTOR_ERRORS.clear(), title="P"),
        lambda: charts.learning_curves(LEARNING_CURVES.clear(), title="L"),
    ],
)
def test_nothing_to_draw_says_so(draw):
    data, _ = charts.mime_bundle(draw())
    assert "nothing to draw" in data["text/plain"]


def test_durations_are_refused():
    with pytest.raises(TypeError, match="duration"):
        charts.json_ready(pl.DataFrame({"d": [dt.timedelta(seconds=1)]}))
