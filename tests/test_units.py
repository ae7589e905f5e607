"""Quantities as the tools print them."""

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import escape, units


def read(function, *texts, **options):
    frame = pl.DataFrame({"text": list(texts)}, schema={"text": pl.String})
    return frame.select(function(pl.col("text"), **options)).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9796", 9796 * 1024),
        ("0", 0),
        ("0.0m", 0),
        ("1453m", 1453 * 1024**2),
        ("10.6g", round(10.6 * 1024**3)),
        ("10,6g", round(10.6 * 1024**3)),
        ("1.5t", round(1.5 * 1024**4)),
        ("2p", 2 * 1024**5),
        ("1e", 1024**6),
        ("4.0G", 4 * 1024**3),
        ("?", None),
        ("", None),
        ("-", None),
        ("12z", None),
        ("12kk", None),
        ("13174104+", None),
        (None, None),
    ],
)
def test_memory(text, value):
    assert read(units.parse_memory_bytes, text) == [value]
    assert read(units.parse_memory_bytes, "7", text, "1m") == [7168, value, 1024**2]


@pytest.mark.parametrize(
    ("text", "seconds", "resolution"),
    [
        ("0:00.07", 0.07, 0.01),
        ("9:11.05", 551.05, 0.01),
        ("579:03.91", 34743.91, 0.01),
        ("0:00,91", 0.91, 0.01),
        ("1241:00", 74460, 1),
        ("0:16", 16, 1),
        ("206,45", 206 * 3600 + 45 * 60, 60),
        ("4d+3h", 4 * 86400 + 3 * 3600, 3600),
        ("2w+1d", 15 * 86400, 86400),
        ("5h", 5 * 3600, 3600),
        ("3d", 3 * 86400, 86400),
        ("2w", 14 * 86400, 604800),
        ("0:7.07", None, None),
        ("0:00.4", None, None),
        ("1:75.00", None, None),
        ("w", None, None),
        ("", None, None),
        ("?", None, None),
        (None, None, None),
    ],
)
def test_cpu_time(text, seconds, resolution):
    assert read(units.parse_cpu_time, text) == [{"seconds": seconds, "resolution": resolution}]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 6 * 360_000), min_size=1))
def test_cpu_time_is_exact_to_the_last_hundredth(hundredths):
    texts = [f"{h // 6000}:{h // 100 % 60:02}.{h % 100:02}" for h in hundredths]
    assert [time["seconds"] for time in read(units.parse_cpu_time, *texts)] == [
        h / 100 for h in hundredths
    ]


def test_numbers_percentages_sizes():
    assert read(units.parse_number, "0,3", "100", "99.7", "x", None) == [0.3, 100, 99.7, None, None]
    assert read(units.parse_percent, "99.37 %", "112%", "0,5", "") == [99.37, 112, 0.5, None]
    frame = pl.DataFrame({"value": ["365.81", "7,95", "12", "1"], "prefix": ["K", "M", "B", "X"]})
    sizes = frame.select(
        size=units.to_bytes(pl.col("value"), pl.col("prefix")),
        step=units.size_resolution_bytes(pl.col("value"), pl.col("prefix")),
    )
    assert sizes["size"].to_list()[2:] == [12, None]
    assert math.isclose(sizes["size"][0], 365.81 * 1024)
    assert math.isclose(sizes["size"][1], 7.95 * 1024**2)
    assert [round(step, 6) for step in sizes["step"].to_list()[:3]] == [10.24, 10485.76, 1.0]


def test_no_rows():
    assert (
        read(units.parse_memory_bytes)
        == read(units.parse_cpu_time)
        == read(units.parse_number)
        == []
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0"),
        (0.00075, "0.000750"),
        (206.45, "206"),
        (1234567.0, "1,234,567"),
        (1e12, "1.00e+12"),
        (-3.14159, "-3.14"),
    ],
)
def test_numbers_have_three_significant_digits(value, text):
    assert units.format_number(value) == text


def test_short_numbers_lose_only_zeros_after_the_point():
    assert units.format_short(5.0) == "5"
    assert units.format_short(0.75) == "0.75"
    assert units.format_short(100.0) == "100"


@pytest.mark.parametrize(
    ("ends", "kind", "text"),
    [
        ((1085.1, 948.2, 1209.4), "95 %", "1,085 (948.2 to 1,209)"),
        ((106.04575, 106.03575, 106.05575), "resolution", "106.0 ± 0.01"),
        ((-0.94110, -0.941105, -0.941095), "resolution", "-0.9411 ± 0.000005"),
        ((61_000.0, 60_000.0, 63_000.0), "resolution", "61,000 ± 2,000"),
        ((2.0, 1.5, 2.1), "resolution", "2 ± 0.5"),
        ((0.1 + 0.2, 0.3, 0.1 + 0.2), "resolution", "0.3000"),
        ((600.0, None, None), None, "600"),
        ((None, None, None), "resolution", "–"),
    ],
)
def test_an_interval_of_resolution_does_not_look_like_one_of_confidence(ends, kind, text):
    assert units.format_interval(*ends, kind) == text


@pytest.mark.parametrize(
    ("quantity", "unit", "shown"),
    [
        ("R_disk", "s", ("ms", 1e3)),
        ("D_disk_req", "s", ("ms", 1e3)),
        ("T_disk", "s", ("s", 1)),
        ("IO_disk_req", "bytes", ("MB", 1e-6)),
        ("U_disk", "1", ("", 1)),
        ("X_req", "requests/s", ("req/s", 1)),
    ],
)
def test_times_of_one_request_are_in_milliseconds(quantity, unit, shown):
    assert units.display_unit(quantity, unit) == shown


def test_a_page_holds_no_control_character():
    text = "a\x1b[31m\x00\x9b\u202eb\tc\nd µ \xa0≥"
    assert escape.escape_page(text) == "a\\x1b[31m\\x00\\x9b\\u202eb\tc\nd µ \xa0≥"
