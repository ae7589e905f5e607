"""Response times in a server's own log: which requests count, percentiles, resolution."""

import polars as pl
import pytest

from pipeline.measure.clients import requests_logged
from pipeline.measure.logged_times import times_in_window
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.raw import Window

WINDOW = Window(100 * NS_PER_S + 300_000_000, 110 * NS_PER_S + 300_000_000)


def requests_at(seconds, times_s, offset_s=0.0):
    at_ns = [round((second + offset_s) * NS_PER_S) for second in seconds]
    return pl.DataFrame(
        {
            "client_ns": at_ns,
            "response_time_s": times_s,
            "log": "access",
            "command": "GET",
            "target": "/",
        }
    )


@pytest.mark.parametrize("offset_s", [0.0, 0.25])
def test_a_request_of_a_whole_second_counts_if_its_second_overlaps_the_window(offset_s):
    rows = requests_at(
        [98, 100, 101, 109, 110, 111], [0.5, 0.001, 0.002, 0.003, 0.006, 0.5], offset_s
    )
    times = times_in_window(rows, WINDOW)
    # 100 and 110 overlap the window's ends
    assert (times.requests.value, times.requests.low, times.requests.high) == (4, 2, 4)
    assert times.mean_s.value == pytest.approx(0.003)
    assert requests_logged(rows, WINDOW) == 4


def test_a_request_with_a_fraction_of_a_second_counts_if_its_time_is_in_the_window():
    rows = requests_at([100.29, 100.31, 105.0, 110.29, 110.31], [0.5, 0.001, 0.002, 0.003, 0.5])
    times = times_in_window(rows, WINDOW)
    assert (times.requests.value, times.requests.low) == (3, 3)
    assert times.mean_s.value == pytest.approx(0.002)
    assert requests_logged(rows, WINDOW) == 3


def test_percentiles_are_times_of_requests():
    times_s = [number / 1000 for number in range(1, 201)]  # 1 to 200 ms
    times = times_in_window(requests_at([105] * 200, times_s[::-1]), WINDOW)
    assert times.percentiles_s == pytest.approx({50: 0.100, 90: 0.180, 95: 0.190, 99: 0.198})


@pytest.mark.parametrize(
    ("times_s", "resolution_s"),
    [
        ([0.0, 2.0, 1.0], 1.0),
        ([0.0, 2.0, 0.001], 1e-3),
        ([0.120, 1234.567], 1e-3),
        ([0.000125, 2.0], 1e-6),
    ],
)
def test_the_resolution_is_the_unit_of_the_log(times_s, resolution_s):
    times = times_in_window(requests_at([105] * len(times_s), times_s), WINDOW)
    assert times.resolution_s == resolution_s
    mean_s = sum(times_s) / len(times_s)
    assert times.mean_s.high == pytest.approx(mean_s + resolution_s)
    assert times.mean_s.low == pytest.approx(max(0.0, mean_s - resolution_s))


def test_requests_without_a_time_are_counted_apart_and_none_with_one_is_missing_data():
    times = times_in_window(requests_at([105, 106, 107], [0.002, None, 0.004]), WINDOW)
    assert (times.requests.value, times.untimed, times.mean_s.value) == (2, 1, pytest.approx(0.003))
    for rows in (
        requests_at([105], [None]).cast({"response_time_s": pl.Float64}),
        requests_at([1], [0.5]),
    ):
        with pytest.raises(MissingData):
            times_in_window(rows, WINDOW)
