"""Timelines: UTC scales, few series, hostile names as text."""

import json

import polars as pl
import pytest

from pipeline import charts

from .examples import HOSTILE, SPANS, over_time


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
