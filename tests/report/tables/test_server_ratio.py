"""Two simulated servers of which one is twice as slow at its CPU: what a comparison says of them."""

import polars as pl
import pytest
from two_servers import open_two_servers, ratio_row

from pipeline import api
from pipeline.evaluate.server_ratio import FROM_DEMANDS
from pipeline.report import tables, texts
from pipeline.report.tables.server_ratio import server_ratio_text, speed_up_text
from pipeline.units import format_short


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> tuple[api.StudyData, pl.DataFrame]:
    data = open_two_servers(tmp_path_factory.mktemp("compared"))
    return data, tables.df_server_ratio(data, "first", "second")


def test_a_sentence_per_virtual_server_holds_every_interval(compared):
    _, frame = compared
    (sentence,) = server_ratio_text(frame, "first", "second")
    parts = sentence.removesuffix(".").split("; ")
    assert [part.split(":")[0] for part in parts] == ["web server", *texts.DEMANDS.values()]
    row_ = ratio_row(frame, "D_guest_cpu", FROM_DEMANDS)
    assert f"{format_short(row_['low'], 2)}–{format_short(row_['high'], 2)}×" in parts[1]
    assert texts.speed_up("first", "second", 1, 0.9, 1.1).split(",")[0] in parts[-1]


@pytest.mark.parametrize(
    ("ratio", "low", "high", "faster", "numbers"),
    [
        (2.3, 2.1, 2.6, "first is faster", "2.1–2.6×"),
        (0.4, 0.25, 0.5, "second is faster", "2–4×"),
        (1.1, 0.9, 1.3, "no significant difference", "0.9–1.3×"),
        (7.3, None, None, "first is faster", "7.3×"),
        (0.5, None, None, "second is faster", "2×"),
    ],
)
def test_speed_up_of_the_faster_server(ratio, low, high, faster, numbers):
    text = speed_up_text({"ratio": ratio, "low": low, "high": high}, "first", "second")
    assert text.startswith(faster) and numbers in text
    assert ("95 % CI" in text) == (low is not None)


def test_key_figures_show_an_interval_where_there_is_one(compared):
    _, frame = compared
    figures = tables.study_key_figures(frame, "first", "second")
    value = figures["web server, R second / first, client"]
    assert value.endswith("×") and " to " in value
