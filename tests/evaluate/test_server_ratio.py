"""Ratios of two simulated servers, of which one takes twice the CPU time per request."""

import shutil

import polars as pl
import pytest

from pipeline import api
from pipeline.evaluate.server_ratio import SERVER_RATIO, replications
from pipeline.files import project_path
from pipeline.synthetic.plan import Load, Plan, Server, VirtualServer
from pipeline.synthetic.study import write_study

SLOWER = 2.0


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> tuple[api.StudyData, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("compared")
    plan = Plan(
        {"web": VirtualServer("web", "open", cpu_s=0.010, disk_operations=1.0)},
        {"low": {"web": Load(rate_per_s=20)}, "more": {"web": Load(rate_per_s=30)}},
        servers={
            "first": Server("first"),
            "second": Server("second", cpu_times=SLOWER),
        },
        seconds=30.0,
    )
    write_study(plan, folder / "raw" / "two", seed=5, replications=2)
    shutil.copytree(project_path("data/raw/published"), folder / "raw" / "published")
    data = api.open_study("two", raw=folder / "raw", processed=folder / "processed")
    return data, data.server_ratio("first", "second")


def row(frame: pl.DataFrame, quantity: str, source: str) -> dict:
    return frame.filter(pl.col("quantity") == quantity, pl.col("source") == source).row(
        0, named=True
    )


def test_replications_are_the_runs_of_the_same_load(compared):
    data, _ = compared
    assert [run.run for run in replications(data.study, data.runs["first", "web"].run, "web")] == [
        "low-a",
        "low-b",
    ]


def test_the_interval_of_a_demand_s_ratio_holds_the_truth(compared):
    _, frame = compared
    assert frame.schema == SERVER_RATIO
    found = row(frame, "D_guest_cpu", "recorded here, demands")
    assert found["runs"] == "2, 2" and found["note"] is None
    assert found["low"] < SLOWER < found["high"]
    assert found["low"] < found["ratio"] < found["high"]
    disk = row(frame, "D_disk", "recorded here, demands")
    assert disk["low"] < 1 < disk["high"]


def test_a_published_number_has_no_interval(compared):
    _, frame = compared
    printed = frame.filter(pl.col("source") == "published")
    assert printed["ratio"].to_list() == [pytest.approx(19.65 / 2.68)]
    assert printed["low"].to_list() == [None]
