"""Lesson 3's figure: the curve by formula, the points by Lindley's recursion in a plain loop."""

import numpy as np
import polars as pl
import pytest
from teaching_figures import texts

from pipeline import charts
from pipeline.charts.teaching.one_queue import response_ratio, scatter, simulated_means


def test_the_curve_is_pollaczek_and_khinchine_s():
    assert response_ratio([0.0, 0.5, 0.9], 1.0) == pytest.approx([1, 2, 10])  # M/M/1
    assert response_ratio([0.5, 0.9], 0.0) == pytest.approx([1.5, 5.5])  # M/D/1
    assert response_ratio([0.5], 4.0) == pytest.approx([3.5])


def test_a_point_is_the_mean_of_a_queue_simulated_in_a_loop():
    draws = np.random.default_rng(3)
    gaps, services = draws.exponential(1 / 0.9, 10_000), draws.exponential(1.0, 10_000)
    wait, total = 0.0, 0.0
    for number in range(10_000):
        if number:
            wait = max(0.0, wait + services[number - 1] - gaps[number])
        total += wait + services[number]
    point = simulated_means().filter((pl.col("u") == 0.9) & (pl.col("seed") == 3))
    assert point["ratio"].item() == pytest.approx(total / 10_000)


def test_the_points_fan_out_about_the_curve():
    means = simulated_means()
    assert means.height == 240
    for (utilization,), group in means.group_by("u"):
        theory = 1 / (1 - utilization)
        error = group["ratio"].std() / group.height**0.5
        assert abs(group["ratio"].mean() - theory) < 3.5 * error
    relative = (
        scatter(means).select((pl.col("high") - pl.col("low")) * (1 - pl.col("u"))).to_series()
    )
    assert relative.is_sorted()


def test_the_texts_follow_the_sliders():
    spec = charts.with_theme(charts.one_queue())
    drawn = texts(spec)
    assert "U = 90%, c² = 1: R = 10 D, of which 9 D is waiting" in drawn
    low, high = scatter(simulated_means()).filter(pl.col("u") == 0.9).row(0)[1:]
    assert (
        f"30 simulated M/M/1 queues of 10,000 requests: R from {low:.3g} to {high:.3g} D" in drawn
    )
    drawn = texts(spec, utilization=0.5, scv=4)
    assert "U = 50%, c² = 4: R = 3.5 D, of which 2.5 D is waiting" in drawn
