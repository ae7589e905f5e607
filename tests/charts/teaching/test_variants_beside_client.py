"""Lesson 6's figures: every combination beside the client, and one queue with its demand and rate."""

import pytest
from teaching_figures import combinations, texts

from pipeline import charts
from pipeline.charts.teaching.variants_beside_client import response_variants


def test_each_combination_is_a_point_beside_the_client_s_time():
    points = response_variants(combinations())
    assert points.filter(label="first/web")["ms"].to_list() == pytest.approx(
        [13.8, 11.6, 10.7, 9.4]
    )
    assert set(points.filter(label="first/web")["client_ms"]) == {10.7}
    closed = points.filter(label="first/db")
    # a combination without a value is left out; that by MVA is none of the combinations
    assert closed["kind"].to_list() == ["sum", "sum", "corrected"]
    assert "first/none" not in set(points["label"])


def test_the_texts_count_the_combinations_and_compare_them():
    spec = charts.with_theme(charts.variants_beside_client(combinations()))
    drawn = texts(spec)
    assert "4 combinations: 9.4 to 13.8 ms. The client measured 10.7 ms." in drawn
    assert "Some are too small and some too large." in drawn
    drawn = texts(spec, run="first/db")
    assert "2 combinations: 64.2 to 186 ms. The client measured 1,090 ms." in drawn
    # 1090 / 186
    assert "The largest is 5.86 times too small." in drawn


def test_one_queue_follows_its_demand_and_its_rate():
    spec = charts.with_theme(charts.single_queue(0.0025, 80.0, title="One queue"))
    # 2.5 / (1 - 0.2), 2.5 / (1 - 0.4)
    assert {"U = 20.0%", "R = 3.13 ms"} <= set(texts(spec))
    assert {"U = 40.0%", "R = 4.17 ms"} <= set(texts(spec, rate_per_s=160))
    assert {"U = 80.0%", "R = 50 ms"} <= set(texts(spec, demand_ms=10))
    assert {"U = 120.0%", "no steady state"} <= set(texts(spec, demand_ms=15))
