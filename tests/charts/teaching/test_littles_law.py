"""Lesson 2's figure: N, X and R of windows counted by hand, and the area counted in two ways."""

import polars as pl
import pytest
from teaching_figures import texts

from pipeline import charts
from pipeline.charts.teaching.littles_law import number_in_system

THREE = pl.DataFrame({"arrival_s": [0.0, 1.0, 2.0], "completion_s": [2.0, 3.0, 4.0]})


@pytest.fixture(scope="module")
def spec() -> dict:
    return charts.with_theme(charts.littles_law(THREE))


def test_a_window_that_cuts_requests(spec):
    drawn = texts(spec, end=2.5)
    # 2 + 1.5 + 0.5 request-seconds in 2.5 s; one of 2 s is completed
    assert "N = 4 s / 2.5 s = 1.6" in drawn
    assert "X = 1 / 2.5 s = 0.4/s, R = 2 s, X R = 0.8" in drawn
    assert "N − X R = 0.8: the requests that the end of the window cuts." in drawn


def test_a_window_that_cuts_none(spec):
    drawn = texts(spec, end=4.0)
    assert "N = 6 s / 4 s = 1.5" in drawn
    assert "N − X R = 0: the window cuts no request." in drawn
    assert "No request is completed yet." in texts(spec, end=0.5)


def test_rows_and_columns_have_the_same_area():
    requests = charts.example_requests()
    assert requests.height == 24 and (requests["completion_s"] > requests["arrival_s"]).all()
    columns = number_in_system(requests)
    by_columns = (columns["number"] * (columns["until_s"] - columns["from_s"])).sum()
    assert by_columns == pytest.approx((requests["completion_s"] - requests["arrival_s"]).sum())
    # first come, first served: requests leave in the order in which they came
    assert requests["completion_s"].is_sorted()
