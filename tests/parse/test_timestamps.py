"""Wall clocks brought to UTC: midnight, clocks set back, daylight saving time, dates and zones that are none."""

import datetime as dt

import polars as pl
import pytest

from pipeline.parse import texts, timestamps
from pipeline.parse.errors import ClockError


def resolved(*readings, date="2024-01-01", tz="UTC", uptime=None):
    times = timestamps.resolve_times(
        pl.Series(readings, dtype=pl.String),
        date=date,
        tz=tz,
        file="top.log",
        uptime_s=None if uptime is None else pl.Series(uptime),
    )
    frame = times.frame
    return (
        frame["time"].dt.to_string("%m-%d %H:%M:%S").to_list(),
        frame["flags"].to_list(),
        times.warnings,
    )


def test_midnight_and_the_year():
    times, flags, warnings = resolved(
        "23:59:59", "00:00:00", "12:00:00", "00:00:00", date="2023-12-31"
    )
    assert times == ["12-31 23:59:59", "01-01 00:00:00", "01-01 12:00:00", "01-02 00:00:00"]
    assert flags == [None] * 4 and not warnings


def test_days_are_counted_by_the_uptime_where_there_is_one():
    times, *_ = resolved(
        "10:00:00", "10:00:00", "09:00:00", uptime=[60, 60 + 3 * 86400, 60 + 4 * 86400 - 3600]
    )
    assert times == ["01-01 10:00:00", "01-04 10:00:00", "01-05 09:00:00"]


def test_a_coarse_uptime_does_not_make_days():
    times, *_ = resolved("23:59:59", "00:00:01", "00:01:01", uptime=[100_000, 100_000, 100_060])
    assert times == ["01-01 23:59:59", "01-02 00:00:01", "01-02 00:01:01"]


@pytest.mark.parametrize("uptime", [None, [1000, 1010, 1020]])
def test_a_clock_set_back_gives_a_flag_and_a_warning(uptime):
    times, flags, warnings = resolved("10:00:00", "09:58:20", "09:58:30", uptime=uptime)
    assert times == ["01-01 10:00:00", "01-01 09:58:20", "01-01 09:58:30"]
    assert flags == [None, "clock-set-back", None]
    assert texts.CLOCK_BACK in warnings[0] and warnings[0].startswith("top.log: ")


BERLIN = {"date": "2024-10-27", "tz": "Europe/Berlin"}


def test_a_repeated_hour_is_resolved_by_the_decrease_within_it():
    times, flags, warnings = resolved(
        "01:59:59", "02:30:00", "02:59:59", "02:00:00", "02:30:00", "03:00:00", **BERLIN
    )
    assert [time[6:] for time in times] == [
        "23:59:59", "00:30:00", "00:59:59", "01:00:00", "01:30:00", "02:00:00"
    ]  # fmt: skip
    assert flags == [None, *["clock-ambiguous"] * 4, None] and "twice" in warnings[0]


def test_a_repeated_hour_is_resolved_by_neighbouring_times():
    assert [time[6:] for time in resolved("01:59:59", "02:30:00", **BERLIN)[0]] == [
        "23:59:59",
        "00:30:00",
    ]
    assert [time[6:] for time in resolved("02:30:00", "03:00:00", **BERLIN)[0]] == [
        "01:30:00",
        "02:00:00",
    ]
    assert resolved("02:30:00", **BERLIN)[1] == ["clock-ambiguous"]


def test_an_hour_that_does_not_exist_is_null():
    times, flags, warnings = resolved(
        "01:59:59", "02:30:00", "03:00:00", date="2024-03-31", tz="Europe/Berlin"
    )
    assert times == ["03-31 00:59:59", None, "03-31 01:00:00"]
    assert flags[1] == "clock-missing" and texts.missing_hour("Europe/Berlin") in warnings[0]


def test_offsets_of_half_hours_and_of_long_ago():
    assert resolved("10:00:00", tz="Asia/Kathmandu")[0] == ["01-01 04:15:00"]
    assert resolved("10:00:00", tz="America/St_Johns", date="2024-07-01")[0] == ["07-01 12:30:00"]


def test_readings_that_are_none():
    times, flags, _ = resolved("10:00:00", None, "25:00:00", "10:61:00", "x", "10:00:05")
    assert times == ["01-01 10:00:00", None, None, None, None, "01-01 10:00:05"]
    assert flags == [None] * 6
    assert resolved() == ([], [], [])


def test_without_a_date_or_a_zone():
    times, _, warnings = resolved("10:00:00", date=None)
    assert times == [None] and texts.NO_DATE in warnings[0]
    assert texts.NO_CLOCK in resolved(None, date=None)[2][0]
    times, _, warnings = resolved("10:00:00", tz=None)
    assert times == ["01-01 10:00:00"] and texts.UTC_ASSUMED in warnings[0]


def test_full_local_times():
    local = pl.Series([dt.datetime(2024, 10, 27, 2, 59), None, dt.datetime(2024, 10, 27, 2, 1)])
    times = timestamps.resolve_local_times(local, tz="Europe/Berlin", file="iotop.log")
    assert times.frame["time"].dt.to_string("%H:%M").to_list() == ["00:59", None, "01:01"]


@pytest.mark.parametrize("date", ["yesterday", "2024-02-30", "", 5])
def test_a_date_that_is_none_is_an_error(date):
    with pytest.raises(ClockError, match=r"^top\.log: .*YYYY-MM-DD"):
        timestamps.parse_day(date, "top.log")


@pytest.mark.parametrize("tz", ["Mars/Olympus", "../etc/passwd", "", "/etc/localtime"])
def test_a_zone_that_is_none_is_an_error(tz):
    with pytest.raises(ClockError, match=r"^top\.log: .*time zone"):
        timestamps.check_time_zone(tz, "top.log")


def test_dates_in_their_forms():
    day = dt.date(2024, 2, 29)
    assert [
        timestamps.parse_day(d, "f") for d in ("2024-02-29", day, dt.datetime(2024, 2, 29, 5), None)
    ] == [day] * 3 + [None]


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01", dt.date(2262, 4, 12)])
def test_a_day_that_nanoseconds_do_not_reach_is_refused(date):
    with pytest.raises(ClockError, match="1970 to 2200"):
        timestamps.parse_day(date, "top.log")
