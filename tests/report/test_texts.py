"""Sentences of pages: their numbers and units."""

import re

import pytest

from pipeline.report import texts


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?(?: (?:%|ms/√s|ms|requests/s|threads))?", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (texts.variant_vs_client("v", 0.030, 0.010, True), ["30 ms", "3", "10 ms"]),
        (texts.variant_vs_client("v", 0.005, 0.010, False), ["5 ms", "50 %", "10 ms"]),
        (texts.little(16, 40.0, 0.4, 0.39), ["16 threads", "40 requests/s", "400 ms", "390 ms"]),
        (texts.guest_cpu_use(1.0, 0.3, 0.012), ["1", "0.3", "12 ms"]),
        (texts.largest_ratio("web", "s", "R", 3.0, 2.0), ["3", "2"]),
        (texts.variants_vs_client(0.5, 4.0, 2, 9), ["0.5", "4", "8", "2", "9"]),
        (texts.bootstrap(1.5, 4, 20, 0.25, 2), ["1.5", "4", "20", "25 %", "2"]),
        (texts.drift(0.0004), ["0.4 ms/√s"]),
        (
            texts.capacity("db", 0.040, "39.7 (30 to 50)", "requests/s"),
            ["40 ms", "39.7", "30", "50", "95 %"],
        ),
        (texts.extrapolated(5.0, 80.0, "requests/s"), ["5", "80 requests/s"]),
        (texts.todays_load("5/s", 0.0102, True), ["5", "10.2 ms"]),
        (texts.holdout_answer(10, 16, 4, 2), ["10", "16", "15 %", "4", "2"]),
        (texts.rank_answer(30, 31, 0.02, 12.5), ["30", "31", "0.02", "12.5"]),
        (texts.published_answer([3.7, 2.7], 2, 2), ["3.7", "2.7", "2", "2"]),
        (texts.fitted_runs(2, [5.0, 40.0], "requests/s", 60.0), ["2", "5", "40 requests/s", "60"]),
        (texts.fitted_runs(1, [16.0], "threads", 60.0), ["1", "16 threads", "60"]),
    ],
)
def test_numbers_and_units(text, expected):
    assert numbers(text) == expected


def test_whether_the_client_is_within_the_interval():
    within, outside = (texts.variant_vs_client("v", 1.0, 1.0, inside) for inside in (True, False))
    assert "within" in within and "outside" in outside
