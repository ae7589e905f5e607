"""The chart with sliders: what it says at each position, read from the picture it draws there."""

import copy
import json
import re

import altair as alt
import polars as pl
import pytest
import vl_convert

from pipeline import charts
from pipeline.charts import WhatIfSpec
from pipeline.charts.theme import SPEC_MIME

HOSTILE = "</script><script>alert(1)</script>"
POINTS = pl.DataFrame(
    [
        (0, "even", 5.0, 11.0, 10.6, 5.0, "fitted", "first/web-005-a", "evenly spaced"),
        (0, "even", 240.0, 4980.0, None, 90.0, "saturated", HOSTILE, "evenly spaced"),
        (1, "even", 5.0, 24.0, 22.2, 5.0, "co-located", "first/both", "evenly spaced"),
    ],
    schema=["place", "spacing", "size", "R", "R_model", "X", "role_in_fit", "run", "process"],
    orient="row",
)


def open_row(speed: float = 1.0, place: int = 0, spacing: str = "even") -> dict:
    """R = D/(1 − λ D), D = 10 ms at speed 1; one draw is a fifth slower, one a fifth faster."""
    demand = 10.0 / speed * (1 + place)
    sizes = [1.0, 20.0, 40.0, 45.0, 50.0, 60.0, 70.0, 80.0, 95.0, 120.0]

    def response(factor: float) -> list[float | None]:
        busy = [size * demand * factor / 1e3 for size in sizes]
        return [demand * factor / (1 - u) if u < 1 else None for u in busy]

    return {
        "place": place, "spacing": spacing, "cpu_speed": speed, "cpus": 1, "disk_speed": 1.0,
        "size": sizes, "R": response(1.0), "R_low": response(0.8), "R_high": response(1.2),
        "fitted_low": 20.0, "fitted_high": 45.0, "knee": 500 / demand, "most": 1e3 / demand, "end": 1e3 / demand,
    }  # fmt: skip


def closed_row(disk: float = 1.0) -> dict:
    """Two stations of 10 ms: R = 10 (N + 1) ms, X = N/R."""
    sizes = [1.0, 2.0, 4.0, 8.0, 16.0]
    response = [10.0 * (size + 1) / disk for size in sizes]
    throughput = [size / r * 1e3 for size, r in zip(sizes, response, strict=True)]
    return {
        "place": 0, "spacing": "", "cpu_speed": 1.0, "cpus": 1, "disk_speed": disk,
        "size": sizes, "R": response, "R_low": response, "R_high": response,
        "X": throughput, "X_low": throughput, "X_high": throughput,
        "fitted_low": 2.0, "fitted_high": 8.0, "knee": 2.0, "most": 100.0, "least": 20.0,
    }  # fmt: skip


EVENLY = {"even": "evenly spaced", "poisson": "any Poisson stream"}
OPEN = WhatIfSpec(
    "The web server", "requests/s", True, ["alone", "beside"], EVENLY, 5.0, 1.0, 20.0
)  # fmt: skip
CLOSED = WhatIfSpec("The database", "threads", False, ["alone"], {"": ""}, 4.0, 1.0, 55.0)
ROWS = [
    open_row(speed, place, spacing)
    for speed in (0.5, 1.0, 1.5, 2.0)
    for place in (0, 1)
    for spacing in ("even", "poisson")
]


@pytest.fixture(scope="module")
def web() -> dict:
    return charts.with_theme(charts.what_if(ROWS, POINTS, OPEN))


@pytest.fixture(scope="module")
def db() -> dict:
    return charts.with_theme(
        charts.what_if([closed_row(), closed_row(2.0)], POINTS.clear(), CLOSED)
    )


def said(spec: dict, **positions: object) -> str:
    """The texts of the picture with the sliders at ``positions``."""
    moved = copy.deepcopy(spec)
    known = {param["name"]: param for param in moved["params"]}
    for name, value in positions.items():
        known[name]["value"] = value
    svg = vl_convert.vegalite_to_svg(moved)
    return "\n".join(re.findall(r"<text[^>]*>([^<]+)</text>", svg))


def test_it_is_valid_and_says_what_it_shows(web, db):
    for spec in (web, db):
        alt.VConcatChart.from_dict(spec, validate=True)
        json.dumps(spec, allow_nan=False)
        assert "measured runs" in charts.alt_text_of(spec)
    data, _ = charts.mime_bundle(charts.what_if(ROWS, POINTS, OPEN))
    assert data["image/svg+xml"].startswith("<svg") and SPEC_MIME in data
    assert "<script" not in data["image/svg+xml"]


def test_the_curves_are_in_the_page_once(web):
    assert json.dumps(web).count('"R_high":') == len(ROWS)


def test_every_slider_is_bound_and_begins_today(web):
    params = {param["name"]: param for param in web["params"]}
    assert set(params) == {
        "place", "spacing", "load", "target", "cpu_speed", "cpus", "disk_speed"
    }  # fmt: skip
    assert params["load"]["value"] == 5.0 and params["target"]["value"] == 20.0
    assert params["cpu_speed"]["bind"]["input"] == "range"
    assert (params["cpu_speed"]["bind"]["min"], params["cpu_speed"]["bind"]["max"]) == (0.5, 2.0)
    assert params["place"]["bind"]["labels"] == ["alone", "beside"]


def test_values_that_are_not_evenly_spaced_are_a_choice(db):
    rows = [closed_row(disk) for disk in (0.5, 1.0, 2.0)]
    spec = charts.with_theme(charts.what_if(rows, POINTS.clear(), CLOSED))
    bind = next(p["bind"] for p in spec["params"] if p["name"] == "disk_speed")
    assert (bind["input"], bind["options"]) == ("select", [0.5, 1.0, 2.0])


def test_r_at_the_slider_s_load_lies_on_the_curve(web):
    told = said(web, load=40.0)
    # 10/0.6, 8/0.68, 12/0.52
    assert "At 40 requests/s: R 16.7 ms (11.8 to 23.1), X 40/s" in told
    # half-way between 40 and 45: (16.67 + 18.18)/2
    assert "At 42.5 requests/s: R 17.4 ms" in said(web, load=42.5)


def test_past_saturation_the_model_says_nothing_of_r(web):
    told = said(web, load=101.0)
    assert "the model cannot say R: the server is saturated from 100/s on" in told
    assert "R 1" not in told
    # at 95 the slowest draw is saturated: the interval is open
    assert "or more)" in said(web, load=90.0)


def test_the_break_is_where_the_curve_and_its_limits_pass_the_target(web):
    # straight between points: the slow draw has 15.79 ms at 20 and 23.08 at 40, the fast one 18.18 at 70, 22.22 at 80
    assert "R passes 20 ms at 50 (31.6 to 74.5) requests/s" in said(web)
    assert "R passes 12.5 ms at 20" in said(web, target=12.5)
    assert "R is above 5 ms at every load" in said(web, target=5.0)
    # out of sight on the curve: at saturation
    assert "R passes 1,000 ms at 100" in said(web, target=1000.0)


def test_hardware_and_place_choose_the_curve(web):
    assert "At 40 requests/s: R 6.25 ms" in said(web, load=40.0, cpu_speed=2)
    assert "saturated from 200/s on" in said(web, cpu_speed=2)
    assert "saturated from 50/s on" in said(web, place=1)
    assert "saturated from 50/s on" in said(web, cpu_speed=0.5)


def test_a_run_above_the_axis_is_told(web):
    assert "↑ 4,980 ms" in said(web)
    assert "↑ 4,980 ms" not in said(web, place=1)


def test_a_closed_load_has_its_knee_its_limit_and_its_break(db):
    told = said(db)
    assert "At 4 threads: R 50 ms (50 to 50), X 80/s" in told
    assert "R passes 55 ms at 4.5" in told
    assert "Knee (N*) at 2 threads, never more than 100/s" in told
    assert "R stays below 200 ms on the whole curve" in said(db, target=200.0)
    assert "At 16 threads: R 170 ms" in said(db, load=16)
    assert "the curve ends at 16" in said(db, load=17)
    assert "At 4 threads: R 25 ms" in said(db, disk_speed=2)


def test_without_a_curve_to_begin_with_it_refuses():
    with pytest.raises(ValueError, match="no curve for the initial position"):
        charts.what_if([open_row(2.0)], POINTS, OPEN)


def panel_layers(spec: dict, panel: int) -> list[dict]:
    """The lines of the model in a panel: dashed, solid."""
    return [
        layer
        for layer in spec["vconcat"][panel]["layer"]
        if layer["mark"]["type"] == "line" and layer["mark"]["color"] == charts.theme.BLUE
    ]


@pytest.mark.parametrize("panel", [1, 2])
def test_the_curve_is_solid_over_the_fitted_loads_only(web, db, panel):
    for spec in (web, db):
        dashed, solid = panel_layers(spec, panel)
        assert dashed["mark"]["strokeDash"] and "strokeDash" not in solid["mark"]
        limits = "datum.size >= datum.fitted_low && datum.size <= datum.fitted_high"
        assert {"filter": limits} in solid["transform"]
        assert {"filter": limits} not in dashed["transform"]


def test_the_solid_line_ends_at_the_last_fitted_load(web):
    """Of a picture of the solid lines alone: R from 20 to 45 requests/s, on an axis from 0 to 120."""
    moved = copy.deepcopy(web)
    moved["vconcat"][1]["layer"] = panel_layers(web, 1)
    svg = vl_convert.vegalite_to_svg(moved)
    paths = re.findall(r'<path[^>]*aria-roledescription="line mark"[^>]* d="(M[^"]+)"', svg)
    ends = [[float(part.split(",")[0]) for part in re.split("[ML]", path)[1:]] for path in paths]
    width = charts.theme.WIDTH - 60
    whole, fitted = ends[0], ends[1]
    scale = whole[-1] / 95.0  # the last load at which the point estimate has an R
    assert fitted[0] == pytest.approx(20 * scale, abs=0.5)
    assert fitted[-1] == pytest.approx(45 * scale, abs=0.5)
    assert 0 < whole[-1] <= width


def test_a_load_outside_the_fitted_ones_is_extrapolated(web, db):
    note = "Outside the measured range (20 to 45 requests/s): extrapolated."
    assert note in said(web, load=5.0) and note in said(web, load=50.0)
    assert "Outside" not in said(web, load=20.0) and "Outside" not in said(web, load=45.0)
    assert "Outside the measured range (2 to 8 threads)" in said(db, load=12)
    # the target, too: R passes 20 ms at 50, and 12.5 ms at 20
    assert "requests/s, extrapolated" in said(web)
    assert "extrapolated" not in said(web, target=12.5, load=20.0)


@pytest.mark.parametrize("changed", [{"cpu_speed": 2}, {"cpu_speed": 0.5}])
def test_other_hardware_is_predicted(web, changed):
    assert "This hardware was not measured: predicted." in said(web, load=30.0, **changed)
    assert "not measured" not in said(web, load=30.0)


def test_every_slider_has_a_label_and_a_place_among_the_controls(web, db):
    for spec in (web, db):
        bound = {param["name"] for param in spec["params"] if "bind" in param}
        groups = spec["usermeta"]["controls"]
        assert {one["name"] for group in groups for one in group["controls"]} == bound
        assert all(one["label"] for group in groups for one in group["controls"])
