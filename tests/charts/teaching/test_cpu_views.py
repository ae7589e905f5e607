"""Lesson 5's figure: which runs count more CPU time in the guest than the host gave."""

import polars as pl
from teaching_figures import CPU_VIEWS, texts

from pipeline import charts


def test_the_group_that_counts_most_comes_first_and_its_runs_are_counted():
    spec = charts.with_theme(charts.cpu_views(CPU_VIEWS))
    assert spec["params"][0]["bind"]["labels"] == ["second / db", "first / web"]
    drawn = " | ".join(texts(spec))
    assert "In 2 of 3 runs" in drawn and "counts 1.5 s" in drawn  # ratios 2, 1.5, 0.9
    assert any(text.startswith("In 0 of 1 runs") for text in texts(spec, group="first / web"))
    assert "second / db: 2 of 3 runs above the line" in charts.alt_text_of(spec)


def test_runs_without_a_load_are_left_out():
    assert "nothing to draw" in charts.alt_text_of(
        charts.with_theme(charts.cpu_views(CPU_VIEWS.filter(pl.col("T_s").is_null())))
    )
