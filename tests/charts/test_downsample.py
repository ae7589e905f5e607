"""Downsampling keeps the outline of a series, and says what it did."""

import datetime as dt
import json
import math

import polars as pl

from pipeline import charts

from .examples import START, over_time


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
