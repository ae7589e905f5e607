"""Disk statistics, io_ticks of three kernel generations, ticks, bytes of tasks."""

import numpy as np
import polars as pl
import pytest

from pipeline.synthetic.event_history import Operations
from pipeline.synthetic.kernel_counters import disk_counters, io_ticks_ms, to_ticks
from pipeline.synthetic.process_table import (
    FIRST_CONNECTION,
    FIRST_WORKER,
    IOTHREAD_OFFSET,
    qemu_pid,
)
from synthetic.helpers import seconds_of, select


@pytest.mark.parametrize("role", ["web", "db", "host"])
def test_disk_counters(simulated, role):
    """Operations, sectors, time in queue and busy time between the first snapshot and each other."""
    history = simulated.history
    disks = {"vda": history.guests[role].disk} if role != "host" else history.disks
    for device, disk in disks.items():
        rows = simulated.table("block", role).filter(pl.col("device") == device)
        times_s = seconds_of(simulated, role, rows)
        for kind, is_kind in (("read", ~disk.is_write), ("write", disk.is_write)):
            done = np.sort(disk.done_s[is_kind])
            increase = rows[f"{kind}s"].to_numpy() - rows[f"{kind}s"][0]
            # The stamp is some ms later than the counters.
            upper = np.searchsorted(done, times_s + 0.001) - np.searchsorted(
                done, times_s[0] - 0.01
            )
            lower = np.searchsorted(done, times_s - 0.01) - np.searchsorted(
                done, times_s[0] + 0.001
            )
            assert (increase <= upper).all() and (increase >= lower).all()
            sectors = rows[f"{kind}_sectors"].to_numpy() - rows[f"{kind}_sectors"][0]
            assert (sectors == increase * 32).all()
        total = rows["read_ms"] + rows["write_ms"]
        assert (total == rows["time_in_queue_ms"]).all()
        busy_ms = rows["io_ticks_ms"].to_numpy()
        begins, ends = disk.busy_periods()
        expected = 1000 * np.array(
            [
                np.clip(np.minimum(ends, x) - np.maximum(begins, times_s[0]), 0, None).sum()
                for x in times_s
            ]
        )
        jiffy_ms = 0 if history.plan.monitoring.disk_counter == "exact" else 4
        noise_ms = 5 * 0.5 * jiffy_ms * np.sqrt(1 + len(begins)) + 12
        assert np.abs(busy_ms - busy_ms[0] - expected).max() < noise_ms
        if jiffy_ms:
            assert (busy_ms[1:] - busy_ms[:-1]).max() % 4 == 0
        assert len(begins) > 5


@pytest.mark.parametrize("role", ["web", "db", "host"])
def test_bytes_of_tasks(simulated, role):
    """Rates times intervals add up to the bytes that each task issued between the first and the last snapshot."""
    history = simulated.history
    totals = simulated.table("iotop_totals", role).unique("snapshot").sort("snapshot")
    times_s = seconds_of(simulated, role, totals)
    lengths = totals.select("snapshot").with_columns(
        length=pl.Series(np.diff(times_s, prepend=times_s[0]))
    )
    rows = simulated.table("iotop_tasks", role).join(lengths, on="snapshot")
    moved = {
        tid: sums
        for tid, *sums in rows.group_by("tid")
        .agg(
            (pl.col("read_bytes_per_s") * pl.col("length")).sum(),
            (pl.col("write_bytes_per_s") * pl.col("length")).sum(),
        )
        .iter_rows()
    }
    expected = {}
    if role == "host":
        for number, guest in enumerate(history.guests.values()):
            disk = history.disks[guest.server.host_disk]
            expected[qemu_pid(number) + IOTHREAD_OFFSET] = select(disk, disk.owner == number)
    elif role == "db":
        guest = history.guests[role]
        for number in range(len(guest.started_s)):
            worker_operations = select(guest.disk, guest.disk.owner == FIRST_WORKER + number)
            expected[FIRST_CONNECTION + number] = worker_operations
    else:
        disk = history.guests[role].disk
        expected[135] = select(disk, disk.owner < FIRST_WORKER - 1)
    for tid, operations in expected.items():
        inside = (operations.issued_s > times_s[0]) & (operations.issued_s <= times_s[-1])
        for place, is_kind in enumerate((~operations.is_write, operations.is_write)):
            bytes_moved = 16384 * int((inside & is_kind).sum())
            # Rounded rates, intervals from stamps that are late by parts of a ms, one operation at either end.
            near = pytest.approx(bytes_moved, rel=0.003, abs=2 * 16384 + 100)
            assert moved.get(tid, (0.0, 0.0))[place] == near
    assert sum(map(sum, moved.values())) > 0


def operations(issued: list[float], done: list[float]) -> Operations:
    number = len(issued)
    return Operations(
        np.zeros(number, np.int64),
        np.array(issued),
        np.array(done),
        np.array(done) - np.array(issued),
        np.zeros(number, bool),
    )


def test_three_generations_of_io_ticks():
    # Jiffies of 4 ms. A short operation inside a jiffy, one over its edge, two that overlap.
    disk = operations([0.0010, 0.0070, 0.0210, 0.0250], [0.0030, 0.0090, 0.0290, 0.0330])
    moments = np.array([0.005, 0.010, 0.023, 0.030, 0.040])

    def increase(how: str) -> list[int]:
        return io_ticks_ms(disk, moments, how, phase_s=0.0).tolist()

    assert increase("exact") == [2, 4, 6, 13, 16]
    # [21, 33] ms begins in the jiffy of 20 and ends in that of 32.
    assert increase("jiffies") == [0, 4, 4, 12, 16]
    # One per start in a new jiffy (1, 7, 21, 25 ms), the jiffies since the last event for an end in one.
    assert increase("sampled") == [4, 12, 16, 24, 28]


def test_sampled_io_ticks_are_biased_and_jiffies_are_not():
    rng = np.random.default_rng(1)
    issued = np.sort(rng.uniform(0, 200, 4000))
    disk = operations(issued, issued + 0.0002)
    end = np.array([201.0])
    true_ms = io_ticks_ms(disk, end, "exact", 0.0)[0]
    assert true_ms == pytest.approx(800, rel=0.01)
    assert io_ticks_ms(disk, end, "jiffies", 0.001)[0] == pytest.approx(true_ms, rel=0.25)
    assert io_ticks_ms(disk, end, "sampled", 0.001)[0] > 15 * true_ms


def test_operations_in_flight_and_time_in_queue():
    disk = operations([1.0, 1.2, 2.0], [1.5, 1.7, 2.25])
    counters = disk_counters(disk, np.array([1.3, 1.6, 3.0]), np.full(3, 4096), "exact", 0.0)
    assert counters.in_flight.tolist() == [2, 1, 0]
    assert counters.operations[0].tolist() == [0, 1, 3]
    assert counters.sectors[0].tolist() == [0, 8, 24]
    assert counters.time_ms[0].tolist() == [0, 500, 1250]
    assert counters.operations[1].tolist() == [0, 0, 0]


def test_ticks_are_rounded_down():
    assert to_ticks(np.array([0.0, 0.0099, 0.01, 0.0299])).tolist() == [0, 0, 1, 2]
    assert to_ticks(0.1 + 0.2) == 30  # floats that add up to a whole number do
