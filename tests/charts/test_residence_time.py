"""Residence times: a missing part is named and not drawn as zero."""

import json

import polars as pl

from pipeline import charts

from .examples import RESIDENCE


def test_a_missing_part_is_named_and_not_drawn_as_zero():
    lost = RESIDENCE.with_columns(
        value_ms=pl.when((pl.col("component") == "R_disk") & (pl.col("stack") == "corrected"))
        .then(None)
        .otherwise("value_ms")
    )
    spec = charts.with_theme(charts.residence_time(lost, title="R"))
    assert "without R_disk" in json.dumps(spec)


def test_a_bar_without_any_part_is_missing():
    lost = RESIDENCE.with_columns(
        value_ms=pl.when(pl.col("stack") == "client").then(None).otherwise("value_ms")
    )
    spec = charts.with_theme(charts.residence_time(lost, title="R"))
    assert "client: missing" in spec["description"]
    ends = [row for rows in spec["datasets"].values() for row in rows if row["stack"] == "client"]
    assert [(row["total"], row["text"]) for row in ends] == [(0.0, "missing")]
