"""Charts: valid, nothing that JSON cannot hold, nothing dropped in silence, hostile names harmless."""

import base64
import datetime as dt
import json
import math

import altair as alt
import polars as pl
import pytest

from pipeline import charts, units
from pipeline.charts import theme

HOSTILE = "<script>alert(1)</script>"
START = dt.datetime(2026, 11, 22, 23, 59, 30, tzinfo=dt.UTC)


def over_time(points: int = 60, series: tuple[str, ...] = ("vda", "loop1")) -> pl.DataFrame:
    rows = [
        (START + dt.timedelta(seconds=i), name, (i % 7) / 10 + number / 20)
        for number, name in enumerate(series)
        for i in range(points)
    ]
    return pl.DataFrame(rows, schema=["time", "series", "value"], orient="row")


SPANS = pl.DataFrame(
    {
        "name": ["before", "load"],
        "start": [START, START + dt.timedelta(seconds=20)],
        "end": [START + dt.timedelta(seconds=15), START + dt.timedelta(seconds=55)],
    }
)
RESIDENCE = pl.DataFrame(
    [
        ("as-printed", "R_cpu", 3.8),
        ("as-printed", "R_vdisk", 9.7),
        ("as-printed", "R_disk", 2.2),
        ("corrected", "R_cpu", 3.6),
        ("corrected", "R_vdisk − R_disk", 7.5),
        ("corrected", "R_disk", 2.2),
        ("client", "as measured", 11.0),
    ],
    schema=["bar", "part", "value_ms"],
    orient="row",
)
COMPARISON = pl.DataFrame(
    [
        (source, server, quantity, value)
        for source in ("published", "recorded here")
        for server in ("first", "second")
        for quantity, value in (("R_cpu", 1.0), ("R_vdisk", 2.0), ("R_disk", 3.0), ("X", 5.0))
    ],
    schema=["source", "server", "quantity", "value"],
    orient="row",
)
CLIENT = pl.DataFrame(
    {
        "who": ["client (httperf)", "as-printed", "corrected"],
        "value": [5.6, 11.0, 9.0],
        "low": [None, 10.0, 8.0],
        "high": [None, 12.0, 10.0],
        "is_client": [True, False, False],
    }
)
STATIONS = pl.DataFrame(
    {
        "station": ["vCPU", "vda", "loop1"],
        "utilization": [0.4, 0.83, 1.04],
        "low": [0.38, None, None],
        "high": [0.42, None, None],
    }
)
READINGS = pl.DataFrame(
    {
        "reading": ["service-demand", "as-printed", "per-operation"],
        "value": [5.5, 1.2, 0.3],
        "low": [5.0, None, None],
        "high": [6.0, None, None],
    }
)


STRIP = pl.DataFrame(
    {
        "group": ["first", "first", "second"],
        "reading": ["as-printed", "corrected", "another"],
        "value": [0.06, 0.9, 1.3],
        "named": [True, True, False],
    }
)

PREDICTED = pl.DataFrame(
    [
        (who, size, value, value and value * 0.9, value and value * 1.1, fitted)
        for who, scale in (("measured", 10.0), ("host", 11.0), ("straight line", None))
        for size, fitted in ((1.0, True), (2.0, False), (4.0, True))
        for value in [scale and scale * size]
    ],
    schema=["who", "size", "value", "low", "high", "fitted"],
    orient="row",
)
DEMANDS = pl.DataFrame(
    {"run": ["a", "b"], "value": [5.0, 6.0], "low": [4.8, 5.7], "high": [5.2, 6.4]}
).with_columns(used=pl.lit("fitted to"))
TRACK = pl.DataFrame(
    {"start_s": [0.0, 2.0, 4.0], "window": [5.0, None, 7.0], "value": [5.5, 6.0, 6.5]}
).with_columns(low=pl.col("value") - 1, high=pl.col("value") + 1)
PACE = pl.DataFrame(
    {
        "place": [HOSTILE, HOSTILE, "web"],
        "run": ["a", "b", "c"],
        "others": [6.0, 7.5, 9.0],
        "relative": [0.8, 1.0, 1.3],
        "used": ["fitted to", "held out", "held out"],
    }
)


def every_figure() -> dict[str, alt.TopLevelMixin]:
    disks = over_time().with_columns(utilization="value", queue_length=pl.col("value") * 3)
    return {
        "timeline": charts.timeline(
            over_time(),
            value="value",
            axis="CPU (cores)",
            title="CPU",
            spans=SPANS,
            legend="process",
        ),
        "disk_timeline": charts.disk_timeline(disks, title="Disks", spans=SPANS),
        "residence": charts.residence_time(RESIDENCE, title="Where does the time go?"),
        "server_comparison": charts.server_comparison(COMPARISON, title="Figure 6"),
        "model_against_client": charts.model_against_client(CLIENT, title="Model against client"),
        "utilization": charts.utilization(STATIONS, title="Which station is busiest?"),
        "readings": charts.variants(READINGS, title="D in three readings", axis="D (ms)"),
        "readings_log": charts.variants(READINGS, title="D", axis="D (ms)", log=True),
        "readings_in_groups": charts.variants(
            READINGS.with_columns(group=pl.lit("first")), title="D", axis="D (ms)"
        ),
        "strip": charts.ratio_strip(STRIP, title="Every reading", axis="model / client"),
        "single_queue": charts.single_queue(0.0056, 60, title="One queue"),
        "predictions": charts.predictions(
            PREDICTED, title="Predicted", axis="response time (ms)", load_axis="threads"
        ),
        "demand_runs": charts.demand_runs(DEMANDS, title="CPU demand"),
        "demand_track": charts.demand_track(TRACK, title="Within a run", subtitle="it wanders"),
        "pace": charts.demand_vs_neighbour_cpu(PACE, title="The pace of the machine"),
        "nothing": charts.empty_chart("Nothing"),
    }


FIGURES = every_figure()


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
        data, metadata = FIGURES["readings"]._repr_mimebundle_()
    finally:
        alt.renderers.enable("default")
        alt.theme.enable("default")
    assert {"image/png", "image/svg+xml", "application/vnd.vegalite.v6+json"} <= set(data)
    assert metadata["image/png"]["alt"].startswith("D in three readings")


def test_all_time_scales_are_utc_and_times_are_written_in_utc():
    berlin = over_time().with_columns(pl.col("time").dt.convert_time_zone("Europe/Berlin"))
    spec = charts.with_theme(
        charts.timeline(berlin, value="value", axis="CPU", title="CPU", spans=SPANS)
    )
    scales = []

    def find(node):
        if isinstance(node, dict):
            if node.get("type") == "temporal":
                scales.append(node.get("scale", {}).get("type"))
            for value in node.values():
                find(value)
        elif isinstance(node, list):
            for value in node:
                find(value)

    find({key: value for key, value in spec.items() if key != "datasets"})
    # x2 and text channels take the scale of x
    assert scales and set(scales) == {"utc"}
    assert '"2026-11-22T23:59:30.000Z"' in json.dumps(spec)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_missing(bad):
    frame = over_time().with_columns(
        value=pl.when(pl.col("time") == START).then(bad).otherwise("value")
    )
    for chart in (
        charts.timeline(frame, value="value", axis="CPU", title="CPU"),
        charts.residence_time(
            RESIDENCE.with_columns(
                value_ms=pl.when(pl.col("part") == "R_disk").then(bad).otherwise("value_ms")
            ),
            title="R",
        ),
        charts.variants(READINGS.with_columns(value=pl.lit(bad)), title="D", axis="ms"),
        charts.utilization(STATIONS.with_columns(high=pl.lit(bad)), title="U"),
        charts.model_against_client(CLIENT.with_columns(value=pl.lit(bad)), title="R"),
    ):
        spec = charts.with_theme(chart)
        json.dumps(spec, allow_nan=False)
        assert all(math.isfinite(value) for value in values_in(spec) if isinstance(value, float))
        charts.mime_bundle(chart)


def test_a_missing_part_is_named_and_not_drawn_as_zero():
    lost = RESIDENCE.with_columns(
        value_ms=pl.when((pl.col("part") == "R_disk") & (pl.col("bar") == "corrected"))
        .then(None)
        .otherwise("value_ms")
    )
    spec = charts.with_theme(charts.residence_time(lost, title="R"))
    assert "without R_disk" in json.dumps(spec)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: charts.timeline(over_time().clear(), value="value", axis="CPU", title="CPU"),
        lambda: charts.disk_timeline(
            over_time().clear().with_columns(utilization="value", queue_length="value"), title="D"
        ),
        lambda: charts.residence_time(RESIDENCE.clear(), title="R"),
        lambda: charts.server_comparison(COMPARISON.clear(), title="F"),
        lambda: charts.model_against_client(CLIENT.clear(), title="R"),
        lambda: charts.utilization(STATIONS.clear(), title="U"),
        lambda: charts.variants(READINGS.clear(), title="D", axis="ms"),
        lambda: charts.ratio_strip(STRIP.clear(), title="S", axis="x"),
        lambda: charts.predictions(PREDICTED.clear(), title="P", axis="R", load_axis="threads"),
        lambda: charts.demand_runs(DEMANDS.clear(), title="D"),
        lambda: charts.demand_track(TRACK.clear(), title="D"),
        lambda: charts.demand_vs_neighbour_cpu(PACE.clear(), title="P"),
    ],
)
def test_nothing_to_draw_says_so(draw):
    data, _ = charts.mime_bundle(draw())
    assert "nothing to draw" in data["text/plain"]


def test_hostile_names_stay_text_in_the_picture():
    chart = charts.timeline(
        over_time(series=(HOSTILE, 'a"b\\c</title>')),
        value="value",
        axis="CPU",
        title=HOSTILE,
        legend="process",
    )
    data, _ = charts.mime_bundle(chart)
    assert "<script" not in data["image/svg+xml"]
    assert "&lt;script&gt;" in data["image/svg+xml"]


def test_durations_are_refused():
    with pytest.raises(TypeError, match="duration"):
        charts.json_ready(pl.DataFrame({"d": [dt.timedelta(seconds=1)]}))


def test_a_long_series_is_thinned_to_its_outline_and_says_so():
    n = 50_000
    values = [0.0] * n
    values[31_415], values[27_182] = 9.0, -7.0
    frame = pl.DataFrame(
        {
            "time": [START + dt.timedelta(milliseconds=i) for i in range(n)],
            "series": "a",
            "value": values,
        }
    )
    thinned, how = charts.min_max_downsample(frame, "time", "value", ["series"])
    assert thinned.height <= 5000
    assert {9.0, -7.0} <= set(thinned["value"])
    assert thinned["time"].is_sorted()
    assert f"{n:,}" in how
    spec = charts.with_theme(charts.timeline(frame, value="value", axis="x", title="Long"))
    assert how in json.dumps(spec, ensure_ascii=False)


def test_thinning_keeps_gaps_and_short_frames():
    frame = over_time(100).with_columns(value=pl.lit(None, dtype=pl.Float64))
    assert charts.min_max_downsample(frame, "time", "value", ["series"])[0].height == 200
    thinned, _ = charts.min_max_downsample(frame, "time", "value", ["series"], limit=20)
    assert 0 < thinned.height <= 20
    mixed = over_time(100).with_columns(
        value=pl.when(pl.col("time").dt.second() % 2 == 0).then(math.nan).otherwise("value")
    )
    thinned, _ = charts.min_max_downsample(mixed, "time", "value", ["series"], limit=20)
    assert thinned["value"].is_finite().all()


def test_many_series_become_the_largest_and_the_sum_of_the_others():
    frame = over_time(10, tuple(f"p{i:02}" for i in range(30)))
    few = charts.top_n(frame, "value")
    assert few["series"].n_unique() == 7
    assert few["value"].sum() == pytest.approx(frame["value"].sum())
    assert any("24" in name for name in few["series"].unique())
    with pytest.raises(ValueError, match="30 series"):
        charts.timeline(frame, value="value", axis="CPU", title="CPU")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0"),
        (0.00075, "0.000750"),
        (206.45, "206"),
        (1234567.0, "1,234,567"),
        (1e12, "1.00e+12"),
        (-3.14159, "-3.14"),
    ],
)
def test_numbers_have_three_significant_digits(value, text):
    assert units.format_number(value) == text


def test_short_numbers_lose_only_zeros_after_the_point():
    assert units.format_short(5.0) == "5"
    assert units.format_short(0.75) == "0.75"
    assert units.format_short(100.0) == "100"
