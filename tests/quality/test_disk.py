"""Bytes by iotop, by the kernel's counters and by sectors; busy time against the queue."""

import polars as pl
import pytest

from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality import disk, texts
from pipeline.quality.agreement import Measurement, classify
from pipeline.raw import Window
from quality.snapshots import EVERY_SECOND, LOAD, ends, exactly, kernel, ticks


def iotop(rate: float, command: str = "apache2", tid: int = 7) -> pl.DataFrame:
    return EVERY_SECOND.with_columns(
        tid=pl.lit(tid),
        pid=pl.lit(None, pl.Int64),
        read_bytes_per_s=pl.lit(rate),
        write_bytes_per_s=pl.lit(rate / 2),
        read_bytes=pl.lit(None, pl.Float64),
        write_bytes=pl.lit(None, pl.Float64),
        actual_read_bytes_per_s=pl.lit(rate),
        actual_write_bytes_per_s=pl.lit(rate / 2),
        resolution_bytes=pl.lit(10.0),
        command=pl.lit(command),
        is_interval=pl.col("snapshot") > 0,
    )


def proc_io(per_s: float, cancelled: float = 0.0) -> pl.DataFrame:
    return kernel({7: [0.0] * 15}).with_columns(
        read_bytes=(pl.col("snapshot") * per_s).cast(pl.Int64),
        write_bytes=(pl.col("snapshot") * (per_s / 2 + cancelled)).cast(pl.Int64),
        cancelled_write_bytes=(pl.col("snapshot") * cancelled).cast(pl.Int64),
    )


def block(
    per_s: float, busy_ms: int = 100, queue_ms: int = 150, device: str = "vda"
) -> pl.DataFrame:
    increased = {
        "reads": 10, "writes": 5, "read_sectors": int(per_s / 512), "write_sectors": int(per_s / 1024),
        "io_ticks_ms": busy_ms, "time_in_queue_ms": queue_ms,
    }  # fmt: skip
    return EVERY_SECOND.with_columns(
        device=pl.lit(device),
        **{name: pl.col("snapshot") * step for name, step in increased.items()},
    )


def by_counters(
    rows: pl.DataFrame, counters: pl.DataFrame, direction="read", every=None
) -> Measurement:
    return disk.iotop_vs_counters(
        rows, rows if every is None else every, rows, counters, EVERY_SECOND, LOAD, 1.0, direction
    )


@pytest.mark.parametrize(
    ("rate", "outcome"), [(1e6, "agree"), (0.981e6, "agree"), (0.979e6, "disagree")]
)
def test_iotop_against_proc_io(rate, outcome):
    measurement = by_counters(iotop(rate), proc_io(1e6))
    assert measurement.b == exactly(10e6)
    assert classify(measurement.a, measurement.b) == outcome


def test_cancelled_writes_are_taken_off_as_iotop_does():
    measurement = by_counters(iotop(1e6), proc_io(1e6, cancelled=3e5), "write")
    assert measurement.b.value == pytest.approx(5e6)


def test_bytes_of_threads_without_a_name_are_a_cause():
    gone = iotop(1e5, "{no such process}", 8)
    rows = iotop(0.9e6)
    measurement = by_counters(rows, proc_io(1e6), every=pl.concat([rows, gone]))
    assert classify(measurement.a, measurement.b) == "disagree"
    assert "1 MB" in measurement.cause


def test_an_iotop_that_lags_may_be_off_by_what_it_saw_late():
    slow = iotop(1e6).with_columns(client_ns=pl.col("client_ns") * 3)
    late = Window(3 * NS_PER_S, 33 * NS_PER_S)
    fine = pl.concat([proc_io(1.05e6), proc_io(1.05e6).with_columns(
        pl.col("snapshot") + 15, client_ns=(pl.col("snapshot") + 15) * NS_PER_S,
        read_bytes=((pl.col("snapshot") + 15) * 1.05e6).cast(pl.Int64),
    ), proc_io(1.05e6).with_columns(
        pl.col("snapshot") + 30, client_ns=(pl.col("snapshot") + 30) * NS_PER_S,
        read_bytes=((pl.col("snapshot") + 30) * 1.05e6).cast(pl.Int64),
    )])  # fmt: skip
    measurement = disk.iotop_vs_counters(slow, slow, slow, fine, fine, late, 1.0, "read")
    assert classify(measurement.a, measurement.b) == "within resolution"
    assert measurement.cause == texts.slow_iotop(3.0, 1.0)


def test_an_iotop_that_paused_says_so():
    steady = ticks(0, 1, 2, 3, 4)
    assert disk.sampling_warnings(steady, 1.0) == []
    (pause,) = disk.sampling_warnings(ticks(0, 1, 2, 3, 10, 11, 12), 1.0)
    assert pause == texts.paused_iotop(7.0)
    assert disk.sampling_warnings(ticks(0, 9, 18), None) == []


def test_byte_counters_that_nobody_may_read_are_a_reason():
    without_data = proc_io(1e6).with_columns(read_bytes=pl.lit(None, pl.Int64))
    with pytest.raises(MissingData, match="no permission"):
        by_counters(iotop(1e6), without_data)


def test_a_server_cannot_read_more_than_its_disk_and_a_write_says_when_it_is_charged():
    def against(rate, direction="read"):
        return disk.iotop_vs_disk(iotop(rate), iotop(rate), block(1_024_000), LOAD, 1.0, direction)

    assert classify(*ends(against(5e5)), "<=") == "agree"
    assert classify(*ends(against(1.2e6)), "<=") == "disagree"
    assert "dirtied" in against(1e6, "write").cause


def test_iotops_totals_against_its_rows_and_the_disks():
    rows, doubled = iotop(1e6), pl.concat([iotop(1e6), iotop(1e6, tid=8)])
    assert classify(*ends(disk.totals_vs_rows(rows, rows, LOAD, "read"))) == "agree"
    twice = disk.totals_vs_rows(doubled, rows, LOAD, "read")
    assert twice.b.value == pytest.approx(2e7) and classify(*ends(twice)) == "disagree"
    both = pl.concat([block(512_000), block(512_000, device="vdb")])
    measurement = disk.actual_vs_disks(iotop(1.024e6), both, ["vda", "vdb"], LOAD, 1.0, "read")
    assert classify(*ends(measurement)) == "agree"


@pytest.mark.parametrize(
    ("busy_ms", "outcome"), [(150, "agree"), (200, "within resolution"), (900, "disagree")]
)
def test_a_disk_is_not_busy_for_longer_than_its_requests_are_in_it(busy_ms, outcome):
    measurement = disk.busy_vs_queue(block(1e6, busy_ms), LOAD, 0.004)
    assert classify(*ends(measurement), "<=") == outcome


def test_threads_wait_no_longer_than_requests_are_in_the_disk():
    none = [0.0] * 15
    threads = kernel({7: none, 8: none, 9: none}).with_columns(tid=pl.col("pid"))

    def waited(step):
        return disk.delay_vs_queue(
            threads.with_columns(
                blkio_delay_ticks=pl.when(pl.col("pid") == 7)
                .then(pl.col("snapshot") * step)
                .otherwise(None if step is None else pl.col("pid"))
            ),
            EVERY_SECOND, block(1e6), LOAD, 100.0,
        )  # fmt: skip

    assert classify(*ends(waited(14)), "<=") == "agree"
    assert classify(*ends(waited(40)), "<=") == "disagree"
    with pytest.raises(MissingData, match="delay accounting"):
        waited(None)
    with pytest.raises(MissingData, match="switched on"):
        waited(400)


def test_guest_and_host_count_the_same_sectors():
    guest, host = block(512_000), block(512_000, device="loop0")
    same = disk.guest_vs_host(guest, host, LOAD, "read")
    assert same.a.value == same.b.value == 5_120_000
    more = disk.guest_vs_host(guest, block(600_000), LOAD, "read")
    assert classify(*ends(more)) == "disagree"
