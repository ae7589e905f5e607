"""Timelines: UTC scales, few series, hostile names as text."""

import json
import re

import polars as pl
import pytest

from pipeline import charts

from .examples import HOSTILE, SPANS, over_time


def panels(*frames: pl.DataFrame) -> list[charts.Panel]:
    return [charts.Panel(frame, f"panel {k}") for k, frame in enumerate(frames)]


@pytest.mark.parametrize(
    "draw",
    [
        lambda frame: charts.timeline(frame, value="value", axis="CPU", title="CPU", spans=SPANS),
        lambda frame: charts.timelines(panels(frame, frame), title="CPU", spans=SPANS),
    ],
)
def test_all_time_scales_are_utc_and_times_are_written_in_utc(draw):
    berlin = over_time().with_columns(pl.col("time").dt.convert_time_zone("Europe/Berlin"))
    spec = charts.with_theme(draw(berlin))
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


def test_many_series_become_the_largest_and_the_sum_of_the_others():
    frame = over_time(10, tuple(f"p{i:02}" for i in range(30)))
    few = charts.top_n(frame, "value")
    assert few["series"].n_unique() == 7
    assert few["value"].sum() == pytest.approx(frame["value"].sum())
    assert any("24" in name for name in few["series"].unique())
    with pytest.raises(ValueError, match="30 series"):
        charts.timeline(frame, value="value", axis="CPU", title="CPU")


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


def test_an_interval_on_the_strip_is_the_time_of_every_panel():
    late = over_time(20).with_columns(pl.col("time") + pl.duration(seconds=30))
    spec = charts.with_theme(charts.timelines(panels(over_time(20), late), title="T", spans=SPANS))
    (selection,) = spec["params"]
    strip, *drawn = spec["vconcat"]
    assert selection["select"] == {"type": "interval", "encodings": ["x"]}
    assert selection["views"] == [next(v["name"] for v in strip["layer"] if "name" in v)]
    for panel in drawn:
        for layer in panel["layer"]:
            assert layer["encoding"]["x"]["scale"]["domain"] == {"param": selection["name"]}
    # without a selection every panel shows the time of all panels
    ends = {
        (row["start"], row["end"])
        for view in spec["vconcat"]
        for layer in view["layer"]
        if layer["mark"].get("strokeWidth") == 0
        for row in spec["datasets"][layer["data"]["name"]]
    }
    assert ends == {("2026-11-22T23:59:30.000Z", "2026-11-23T00:00:19.000Z")}


def test_the_panels_begin_and_end_at_the_same_x():
    chart = charts.timelines(panels(over_time(), over_time(60, ("a", "b", "c"))), title="T")
    data, _ = charts.mime_bundle(chart)
    begins = re.findall(
        r'concat_\d+_group"[^>]*><g transform="translate\(([\d.]+),', data["image/svg+xml"]
    )
    spec = data["application/vnd.vegalite.v6+json"]
    assert len({panel["width"] for panel in spec["vconcat"]}) == 1
    assert len(begins) == 3 and len(set(begins)) == 1


def test_a_panel_without_data_is_named():
    spec = charts.with_theme(charts.timelines(panels(over_time(), over_time(0)), title="T"))
    assert len(spec["vconcat"]) == 2  # the strip and the panel with data
    assert "no data: panel 1" in spec["title"]["subtitle"]
    assert "no data: panel 1" in spec["description"]
