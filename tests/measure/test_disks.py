"""Increase of a disk's counters, and bytes of tasks from iotop's rates."""

import polars as pl
import pytest

from pipeline.measure.counters import BoundedValue
from pipeline.measure.disks import (
    busy_time_flags,
    device_rows,
    disk_counter,
    jiffy_s,
    server_task_rows,
    task_bytes,
    with_interval_s,
)
from pipeline.measure.window import NS_PER_S, MissingData, SnapshotSpan
from pipeline.raw import Window

WINDOW = SnapshotSpan(0, 2, 2.0)


LOAD = Window(0, 2 * NS_PER_S)


def block(before: dict, after: dict, between: dict | None = None) -> pl.DataFrame:
    counters = "reads writes read_sectors write_sectors io_ticks_ms time_in_queue_ms"
    zero = dict.fromkeys(counters.split(), 0)
    rows = [
        {"snapshot": 0, "device": "vda", **zero, **before},
        {"snapshot": 1, "device": "vda", **zero, **before, **(between or {})},
        {"snapshot": 2, "device": "vda", **zero, **before, **after},
        {"snapshot": 2, "device": "loop0", **zero},
    ]
    return pl.DataFrame(rows).with_columns(client_ns=pl.col("snapshot") * NS_PER_S)


def increase(rows: pl.DataFrame, what: str) -> BoundedValue:
    return disk_counter(device_rows(rows, "vda"), what).increase(LOAD)


def test_an_increase_is_after_less_before():
    rows = block(
        {"reads": 10, "read_sectors": 80, "io_ticks_ms": 100, "time_in_queue_ms": 100},
        {
            "reads": 15,
            "writes": 2,
            "read_sectors": 180,
            "io_ticks_ms": 600,
            "time_in_queue_ms": 900,
        },
    )
    found = {what: increase(rows, what) for what in ("busy", "queue", "operations", "read")}
    assert {what: one.value for what, one in found.items()} == pytest.approx(
        {"busy": 0.5, "queue": 0.8, "operations": 7, "read": 100}
    )
    assert {one.flags for one in found.values()} == {()}


def test_a_wrapped_millisecond_counter_is_continued_when_that_is_plausible():
    rows = block(
        {"io_ticks_ms": 2**32 - 100, "time_in_queue_ms": 2**32 - 50},
        {"io_ticks_ms": 900, "time_in_queue_ms": 1200},
    )
    busy, queue = (increase(rows, what) for what in ("busy", "queue"))
    assert (busy.value, queue.value) == pytest.approx((1.0, 1.25))
    assert "wrapped" in busy.flags[0] and "wrapped" in queue.flags[0]


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ({"io_ticks_ms": 5000}, {"io_ticks_ms": 10}, "busy"),
        ({"time_in_queue_ms": 5000}, {"time_in_queue_ms": 10}, "queue"),
        ({"reads": 5}, {"reads": 1}, "operations"),
        ({"read_sectors": 5}, {"read_sectors": 1}, "read"),
    ],
)
def test_a_device_that_was_replaced_is_a_reason(before, after, what):
    with pytest.raises(MissingData, match="vda decreased"):
        increase(block(before, after), what)


def test_a_fall_inside_the_window_is_a_reset_whatever_the_ends_say():
    rows = block({"reads": 5}, {"reads": 9}, between={"reads": 1})
    with pytest.raises(MissingData, match="reset or replaced"):
        increase(rows, "operations")


def test_a_device_that_is_not_there_is_a_reason():
    with pytest.raises(MissingData, match="no statistics of vdb"):
        device_rows(block({}, {}), "vdb")


def test_busy_time_beyond_the_time_in_queue_is_flagged():
    assert (
        "io_ticks"
        in busy_time_flags(BoundedValue(1.9, 1.9, 1.9), BoundedValue(0.02, 0.02, 0.02), 2.0)[0]
    )
    assert busy_time_flags(BoundedValue(0.5, 0.5, 0.5), BoundedValue(0.5, 0.5, 0.5), 2.0) == ()


def test_a_jiffy_is_told_by_hz_or_by_the_steps_of_io_ticks():
    rows = pl.DataFrame({"io_ticks_ms": [0, 12, 40]})
    assert jiffy_s(rows, 1000) == 0.001
    assert jiffy_s(rows, None) == 0.004
    assert jiffy_s(pl.DataFrame({"io_ticks_ms": [0, 0]}), None) == 0.01


def iotop(**columns) -> pl.DataFrame:
    blank = {"tid": None, "pid": None, "read_bytes": None, "write_bytes": None, "is_interval": True}
    height = len(next(iter(columns.values())))
    full = {
        name: columns.get(name, [value] * height) for name, value in {**blank, **columns}.items()
    }
    schema = {"tid": pl.Int64, "pid": pl.Int64, "read_bytes": pl.Float64, "write_bytes": pl.Float64}
    return pl.DataFrame(full, schema_overrides=schema)


def test_rates_count_over_the_interval_that_ends_with_their_snapshot():
    ticks = pl.DataFrame({"snapshot": [0, 1, 2], "client_ns": [0, NS_PER_S, 3 * NS_PER_S]})
    rows = iotop(
        snapshot=[0, 1, 2, 2],
        tid=[7, 7, 7, 8],
        read_bytes_per_s=[9e9, 100.0, 50.0, 0.0],
        write_bytes_per_s=[9e9, 0.0, 10.0, 1.0],
        resolution_bytes=[1.0, 1.0, 1.0, 1.0],
        is_interval=[False, True, True, True],
    )
    found = task_bytes(with_interval_s(rows, ticks), WINDOW)
    assert found["task"].to_list() == [7, 8]
    assert found["read_bytes"].to_list() == [200.0, 0.0]
    assert found["written_bytes"].to_list() == [20.0, 2.0]
    assert found["uncertain_bytes"].to_list() == [2.5, 1.0]


def test_accumulated_bytes_are_last_less_first():
    rows = iotop(
        snapshot=[0, 1, 2],
        tid=[7, 7, 7],
        read_bytes=[100.0, 150.0, 400.0],
        write_bytes=[0.0, 0.0, 5.0],
        read_bytes_per_s=[None, None, None],
        write_bytes_per_s=[None, None, None],
        resolution_bytes=[10.0, 10.0, 10.0],
    )
    found = task_bytes(rows, WINDOW)
    assert found.select("read_bytes", "written_bytes").rows() == [(300.0, 5.0)]


def test_a_servers_rows_are_told_by_id_or_by_the_programs_name():
    rows = iotop(
        snapshot=[0, 0, 0, 0],
        tid=[1, 2, 3, 4],
        command=["/usr/sbin/mariadbd --x", "mariadbd", "grep mariadbd", "kworker"],
    )
    none = pl.Series([], dtype=pl.Int64)
    assert server_task_rows(rows, none, none, "^mariadbd$")["tid"].to_list() == [1, 2]
    assert server_task_rows(rows, none, pl.Series([4]), "^mariadbd$")["tid"].to_list() == [1, 2, 4]
