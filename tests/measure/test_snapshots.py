"""Clocks that are set within a log, and logs that lack snapshots: what was done to them is known."""

import numpy as np
import polars as pl
import pytest

from pipeline.measure import texts
from pipeline.measure.counters import Counter
from pipeline.measure.snapshots import (
    by_monotonic_clock,
    clock_difference_ns,
    clock_step_ns,
    coverage,
    recording_flags,
    require_one_boot,
)
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.raw import Window
from pipeline.tables import UTC_NS

START_NS = 1_700_000_000 * NS_PER_S
BOOT_NS = 500 * NS_PER_S
WINDOW = Window(START_NS + 10 * NS_PER_S + 1, START_NS + 30 * NS_PER_S - 1)


def log(*, without=(), set_from=None, set_by_s=0.0, rates=False) -> pl.DataFrame:
    """A snapshot every second for 40 s; from snapshot ``set_from`` on the clock is off by ``set_by_s``."""
    rows = [
        {
            "snapshot": number,
            "time": START_NS
            + seq * NS_PER_S
            + (int(set_by_s * NS_PER_S) if set_from is not None and seq >= set_from else 0),
            "monotonic_ns": BOOT_NS + seq * NS_PER_S,
            "seq": seq,
            "boot_id": "b",
            **({"is_interval": seq != 0} if rates else {}),
        }
        for number, seq in enumerate(seq for seq in range(41) if seq not in without)
    ]
    frame = pl.DataFrame(rows).with_columns(pl.col("time").cast(UTC_NS))
    return frame.with_columns(client_ns=pl.col("time").dt.epoch("ns"))


@pytest.mark.parametrize("by_s", [-60.0, -1.0, -0.1, 0.1, 10.0])
def test_a_clock_that_is_set_is_undone_in_both_directions(by_s):
    whole, damaged = log(), log(set_from=20, set_by_s=by_s)
    difference_ns = clock_difference_ns([whole, damaged])
    assert difference_ns == START_NS - BOOT_NS
    assert clock_step_ns(whole, difference_ns) == 0
    assert clock_step_ns(damaged, difference_ns) == pytest.approx(by_s * NS_PER_S)
    placed = by_monotonic_clock(damaged, difference_ns)
    assert placed["client_ns"].equals(whole["client_ns"])


def test_the_offset_counts_where_it_was_measured():
    logs = [log(set_from=20, set_by_s=10.0)] * 3
    assert clock_difference_ns(logs) == START_NS - BOOT_NS
    assert clock_difference_ns(logs, at_end=True) == START_NS - BOOT_NS + 10 * NS_PER_S


def test_one_log_of_three_with_another_clock_is_the_wrong_one():
    logs = [log(set_from=0, set_by_s=-1.0), log(), log()]
    difference_ns = clock_difference_ns(logs)
    assert [clock_step_ns(each, difference_ns) for each in logs] == [-NS_PER_S, 0, 0]


def test_clocks_that_are_not_read_at_one_moment_were_not_set():
    frame = log().with_columns(
        time=pl.when(pl.col("seq") % 7 == 3).then(pl.col("time").dt.offset_by("290ms")).otherwise("time")
    )  # fmt: skip
    assert clock_step_ns(frame, START_NS - BOOT_NS) == 0


FLAGGED = [
    ({}, {}, ()),
    ({"without": range(15, 25)}, {}, ()),
    ({"without": range(15, 25)}, {"has_turnover": True}, (texts.unseen_processes(10),)),
    ({"without": [15, 16], "rates": True}, {"has_rates": True}, (texts.rates_missing(0.1),)),
    ({"without": [10]}, {}, (texts.missing_at_ends(1),)),
    ({"without": [30]}, {}, (texts.missing_at_ends(1),)),
    ({"without": [9, 11, 29, 31]}, {}, ()),
    ({"without": range(7, 11)}, {}, (texts.beyond_window(4.0), texts.missing_at_ends(4))),
]


@pytest.mark.parametrize(("damage", "kind", "flags"), FLAGGED)
def test_missing_snapshots_are_flagged_where_they_change_the_number(damage, kind, flags):
    assert recording_flags(coverage(log(**damage), WINDOW), interval_s=1.0, **kind) == flags


def test_an_idle_baseline_of_which_a_part_is_missing_is_flagged():
    idle = Window(START_NS - 1, START_NS + 10 * NS_PER_S + 1)
    whole, damaged = (
        coverage(log(without=without), idle, is_idle=True) for without in ((), (8, 9, 10))
    )
    assert recording_flags(whole) == ()
    assert recording_flags(damaged) == (
        texts.short_of_baseline(7.0, 10.0),
        texts.missing_at_ends(3),
    )


def test_a_pause_that_no_number_explains_is_flagged():
    frame = log().with_columns(
        client_ns=pl.col("client_ns") + pl.when(pl.col("seq") >= 20).then(6 * NS_PER_S).otherwise(0)
    )
    covered = coverage(frame, WINDOW)
    assert recording_flags(covered, interval_s=1.0) == (texts.paused(7.0),)
    assert recording_flags(covered) == ()  # top and iotop may take that long


def test_snapshots_that_go_back_in_time_have_no_increase():
    frame = log(set_from=20, set_by_s=-5.0)
    with pytest.raises(MissingData, match="order"):
        coverage(frame, WINDOW)
    with pytest.raises(MissingData, match="order"):
        Counter(frame["client_ns"].to_numpy(), np.arange(41.0)).increase(WINDOW)


def test_a_restart_of_the_machine_has_no_increase():
    frame = log()
    require_one_boot(frame, "web")
    two = frame.with_columns(boot_id=pl.when(pl.col("seq") < 20).then(pl.lit("b")).otherwise(pl.lit("c")))  # fmt: skip
    with pytest.raises(MissingData, match="web was restarted"):
        require_one_boot(two, "web")


@pytest.mark.parametrize(("jump_s", "exceeds"), [(0.0, False), (1.5, False), (4.0, True), (3600.0, True)])  # fmt: skip
def test_more_cpu_time_than_a_cpu_has(jump_s, exceeds):
    at_ns = log()["client_ns"].to_numpy()
    total = 0.9 * np.arange(41.0) + np.where(np.arange(41) >= 20, jump_s, 0.0)
    assert Counter(at_ns, total).exceeds_rate(1.0) is exceeds
    assert not Counter(at_ns, total).exceeds_rate(4000.0)
