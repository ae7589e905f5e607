"""Lesson 1's figure: the parts of a request's time add up to the client's."""

import polars as pl
import pytest
from teaching_figures import RUNS, texts

from pipeline import charts
from pipeline.charts.teaching.where_time_goes import time_parts


def parts_of(run: str) -> dict[str, float | None]:
    frame = time_parts(RUNS.filter(pl.col("run") == run).with_columns(label="run"))
    return dict(zip(frame["part"], frame["ms"], strict=True))


def test_the_parts_add_up_to_the_client_s_time():
    parts = parts_of("db-16-a")
    assert parts["CPU"] == pytest.approx(60.13)
    assert parts["virtualization layer"] == pytest.approx(34.81 - 28.45)
    assert sum(parts.values()) == pytest.approx(1089.86)


def test_a_layer_below_nothing_and_a_rest_below_nothing_have_no_value():
    odd = parts_of("web-005-b")
    assert odd["virtualization layer"] is None
    assert odd["in none of them"] == pytest.approx(20.0 - 7.0 - 4.29)
    assert parts_of("web-005-a")["in none of them"] is None


def test_the_texts_follow_the_menu():
    spec = charts.with_theme(charts.where_time_goes(RUNS))
    assert spec["params"][0]["bind"]["labels"] == [
        "web-005-a: 5 requests/s", "db-16-a: 16 threads", "web-005-b: 5 requests/s"
    ]  # fmt: skip
    drawn = texts(spec)
    assert "The client waited 10.7 ms per request. The CPU worked 7.35 ms of it (69%)." in drawn
    # 7.35 + 3.884 - 10.7
    assert any(text.startswith("The parts are 0.534 ms more than") for text in drawn)
    assert "3.7 %" in drawn
    drawn = texts(spec, run="db-16-a")
    # 1089.86 - 60.13 - 34.81
    assert "In none of the three parts: 995 ms (91%)." in drawn
    assert "87.9 %" in drawn and "3.84" in drawn and "3.7 %" not in drawn


def test_without_a_time_of_the_client_nothing_is_drawn():
    chart = charts.where_time_goes(RUNS.filter(pl.col("run") == "idle"))
    assert "nothing to draw" in charts.alt_text_of(charts.with_theme(chart))
