"""Ratios of two simulated servers, of which one takes twice the CPU time per request."""

import polars as pl
import pytest
from two_servers import SLOWER, open_two_servers, ratio_row

from pipeline import api
from pipeline.evaluate.server_ratio import SERVER_RATIO, replications


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> tuple[api.StudyData, pl.DataFrame]:
    data = open_two_servers(tmp_path_factory.mktemp("compared"))
    return data, data.server_ratio("first", "second")


def test_replications_are_the_runs_of_the_same_load(compared):
    data, _ = compared
    assert [
        run.run for run in replications(data.study, data.case_study_runs["first", "web"].run, "web")
    ] == [
        "low-a",
        "low-b",
    ]


def test_the_interval_of_a_demand_s_ratio_holds_the_truth(compared):
    _, frame = compared
    assert frame.schema == SERVER_RATIO
    found = ratio_row(frame, "D_guest_cpu", "recorded here, demands")
    assert found["runs"] == "2, 2" and found["note"] is None
    assert found["low"] < SLOWER < found["high"]
    assert found["low"] < found["ratio"] < found["high"]
    disk = ratio_row(frame, "D_disk", "recorded here, demands")
    assert disk["low"] < 1 < disk["high"]


def test_a_published_number_has_no_interval(compared):
    _, frame = compared
    printed = frame.filter(pl.col("source") == "published")
    assert printed["ratio"].to_list() == [pytest.approx(19.65 / 2.68)]
    assert printed["low"].to_list() == [None]
