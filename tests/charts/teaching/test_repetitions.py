"""Lesson 10's figures: intervals of few runs, repetitions as blocks, the interaction of a 2² design."""

import numpy as np
import polars as pl
import pytest
from teaching_figures import FACTORIAL, REPEATED, texts

from pipeline import charts
from pipeline.charts.teaching.interaction import design_cells, responses, variation_shares
from pipeline.charts.teaching.repetitions import KEPT, OFF, by_repetition, interval_inputs
from pipeline.evaluate.replication import geometric_mean_ci


def test_an_interval_of_the_recorded_runs_is_that_of_their_geometric_mean():
    row = interval_inputs(by_repetition(REPEATED)).row(
        by_predicate=(pl.col("mode") == KEPT)
        & (pl.col("load") == "web-021-even")
        & (pl.col("n") == 6),
        named=True,
    )
    half = row["t"] * row["sd"] / np.sqrt(6)
    recorded = REPEATED.filter(pl.col("run").str.starts_with("web-021-even"))["R_client_s"]
    bounds = geometric_mean_ci([1e3 * seconds for seconds in recorded])
    assert np.exp([row["mean"] - half, row["mean"] + half]) == pytest.approx(bounds)
    assert (np.exp(row["mean"]), bounds[1], row["degrees"]) == pytest.approx(
        (26.37, 44.49, 5), rel=1e-3
    )


def test_without_the_repetitions_each_has_the_same_mean():
    shown = by_repetition(REPEATED).with_columns(log=pl.col("ms").log())
    means = shown.group_by("mode", "repetition").agg(pl.col("log").mean())
    assert means.filter(pl.col("mode") == OFF)["log"].std() == pytest.approx(0, abs=1e-9)
    assert means.filter(pl.col("mode") == KEPT)["log"].std() > 0.3
    # a load's mean stays, and the residuals of 4 loads and 6 blocks have 15 degrees of freedom
    residuals = shown.filter(pl.col("mode") == OFF).with_columns(
        residual=pl.col("log") - pl.col("log").mean().over("load")
    )["residual"]
    row = interval_inputs(shown.drop("log")).filter((pl.col("mode") == OFF) & (pl.col("n") == 6))
    assert row["sd"].to_list() == pytest.approx([np.sqrt((residuals**2).sum() / 15)] * 4)
    assert set(row["degrees"]) == {15}


def test_a_repetition_that_a_load_does_not_have_is_left_out():
    shown = by_repetition(REPEATED.filter(pl.col("run") != "web-026-poisson-6"))
    assert shown["repetition"].unique().sort().to_list() == [1, 2, 3, 4, 5]


def test_the_texts_follow_the_number_of_runs():
    spec = charts.with_theme(charts.repetitions(REPEATED))
    assert any(
        text.startswith("6 runs, web-026-poisson: 44.3 ms, 95 % interval 15.9 to 124 ms")
        for text in texts(spec)
    )
    drawn = " ".join(texts(spec, n=2))
    assert "(t = 12.71, 1 degrees of freedom)" in drawn
    assert "(t = 2.13, 15 degrees of freedom)" in " ".join(texts(spec, mode=OFF))


def test_the_interaction_that_logarithms_take_away():
    cells = design_cells(FACTORIAL)
    raw, logs = variation_shares(responses(cells)), variation_shares(np.log(responses(cells)))
    # by signs: SS = 2² r q², r = 2 runs in a cell
    y = cells.group_by("server", "neighbour", maintain_order=True).agg(pl.col("ms").mean())
    signs = np.where(y["server"] == "first", -1, 1) * np.where(
        y["neighbour"] == "neighbour idle", -1, 1
    )
    q = (signs * y["ms"].to_numpy()).mean()
    total = ((cells["ms"] - cells["ms"].mean()) ** 2).sum()
    assert raw["both"] == pytest.approx(8 * q**2 / total) == pytest.approx(0.1477, rel=1e-3)
    assert logs["both"] == pytest.approx(0.017617, rel=1e-3)
    assert sum(raw.values()) == pytest.approx(1) == pytest.approx(sum(logs.values()))
    spec = charts.with_theme(charts.interaction(FACTORIAL))
    assert "The interaction explains 14.8% of the variation of R" in texts(spec)
    assert "The interaction explains 1.8% of the variation of log R" in texts(spec, scale="log R")


def test_a_design_with_an_empty_cell_is_refused():
    with pytest.raises(ValueError, match="four cells"):
        charts.interaction(FACTORIAL.head(6))
