"""Which snapshots stand for a window."""

from types import SimpleNamespace

import polars as pl
import pytest

from pipeline.measure import texts
from pipeline.measure.window import (
    NS_PER_S,
    MissingData,
    bracketing_span,
    contained_span,
    load_window,
    on_client_clock,
)
from pipeline.raw import VirtualServer, Window, Workload


def ticks(*seconds: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"snapshot": range(len(seconds)), "client_ns": [int(s * NS_PER_S) for s in seconds]},
        schema={"snapshot": pl.Int64, "client_ns": pl.Int64},
    )


def window(start: float, end: float) -> Window:
    return Window(int(start * NS_PER_S), int(end * NS_PER_S))


def test_the_load_lies_inside_the_enclosure():
    found = bracketing_span(ticks(0, 1, 2, 3, 4, 5), window(1.5, 3.2))
    assert (found.first, found.last, found.span_s, found.scale, found.flags) == (1, 4, 3.0, 1.0, ())


def test_a_snapshot_on_the_edge_is_the_edge():
    found = bracketing_span(ticks(0, 1, 2, 3), window(1, 2))
    assert (found.first, found.last) == (1, 2)


def test_a_log_that_begins_a_little_late_or_ends_early_is_a_lower_bound():
    found = bracketing_span(ticks(2, 3, 4), window(0.5, 6))
    assert (found.first, found.last) == (0, 2)
    assert found.flags == (
        "the log begins 1.5 s after the window: a lower bound",
        "the log ends 2.0 s before the window: a lower bound",
    )


def test_a_log_that_leaves_out_more_has_no_increase():
    with pytest.raises(MissingData, match=r"ends 2\.1 s before the window"):
        bracketing_span(ticks(0, 1, 2, 3), window(0.5, 5.1))
    with pytest.raises(MissingData, match=r"begins 3\.0 s after the window"):
        bracketing_span(ticks(3, 4, 5), window(0, 4.5))
    assert bracketing_span(ticks(0, 1, 2, 3), window(0.5, 60), partial=True).last == 3


def test_a_loads_own_window_comes_before_the_runs():
    own, whole = Window(5, 9), Window(0, 10)
    server = VirtualServer("web", "web", Workload("open", window=own))
    assert load_window(SimpleNamespace(window=whole), server) == own
    assert load_window(SimpleNamespace(window=whole), VirtualServer("db", "db", None)) == whole
    with pytest.raises(MissingData, match=texts.NO_WINDOW):
        load_window(SimpleNamespace(window=None))


def test_an_idle_span_holds_nothing_of_the_load():
    found = contained_span(ticks(0, 1, 2, 3, 4, 5), window(0.5, 4.5))
    assert (found.first, found.last, found.span_s) == (1, 4, 3.0)
    assert found.scale == pytest.approx(4 / 3)


@pytest.mark.parametrize("seconds", [(), (1,), (7, 8)])
def test_no_snapshots_is_a_reason_not_a_number(seconds):
    with pytest.raises(MissingData):
        contained_span(ticks(*seconds), window(0, 5))


def test_all_snapshots_before_the_window_is_a_reason():
    with pytest.raises(MissingData, match=texts.NO_SNAPSHOT_IN_WINDOW):
        bracketing_span(ticks(0, 1), window(5, 6))


def test_times_come_to_the_clients_clock():
    frame = pl.DataFrame({"time": [5_000]}).with_columns(
        pl.col("time").cast(pl.Datetime("ns", "UTC"))
    )
    assert on_client_clock(frame, 1_500)["client_ns"].to_list() == [3_500]
