"""Two simulated servers of which one is twice as slow at its CPU: what a comparison says of them."""

import shutil

import polars as pl
import pytest

from pipeline import api
from pipeline.files import project_path
from pipeline.report import tables
from pipeline.report.tables.server_ratio import ratio_text, server_ratio_text
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
    return data, tables.df_server_ratio(data, "first", "second")


def test_the_sentence_tells_the_interval(compared):
    _, frame = compared
    (sentence,) = server_ratio_text(frame, "first", "second")
    assert sentence.startswith("For a request to the web server, the client says: ")
    assert "times faster" in sentence
    assert "by the time at the host's disk: which server is faster cannot be told" in sentence


@pytest.mark.parametrize(
    ("ratio", "low", "high", "said"),
    [
        (2.3, 2.1, 2.6, "the first server is 2.1 to 2.6 times faster"),
        (0.4, 0.25, 0.5, "the second server is 2 to 4 times faster"),
        (1.1, 0.9, 1.3, "which server is faster cannot be told (0.9 to 1.3 times the second server's speed)"),
        (7.3, None, None, "the first server is 7.3 times faster, how surely is not known"),
        (0.5, None, None, "the second server is 2 times faster, how surely is not known"),
    ],
)  # fmt: skip
def test_an_interval_in_words(ratio, low, high, said):
    assert ratio_text({"ratio": ratio, "low": low, "high": high}, "first", "second") == said


def test_headlines_tell_an_interval_where_there_is_one(compared):
    _, frame = compared
    told = tables.study_key_figures(frame, "first", "second")
    value = told["web server, second / first, by the client"]
    assert value.endswith(" times") and " to " in value
