"""The same quantity by two instruments: what resolution explains, what it does not, and why."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import ingest
from pipeline.measure.counters import (
    BoundedValue,
    Counter,
    Endpoints,
    process_tree_total,
    sampled_endpoints,
)
from pipeline.measure.cpu_limit import CpuLimit, cpu_limit
from pipeline.measure.processes import SELF_AND_CHILDREN_CPU
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality import cpu, disk
from pipeline.quality.agreement import (
    CrossCheck,
    CrossCheckResult,
    Measurement,
    classify,
    common_span,
    cross_check,
    difference,
    interval_gap,
)
from pipeline.quality.cpu import Clocks
from pipeline.quality.cross_check import CROSS_CHECKS, cross_check_run
from pipeline.raw import Run, Study, Window, find_studies

LOAD = Window(2 * NS_PER_S, 12 * NS_PER_S)
SECONDS = range(15)


def exactly(value: float) -> BoundedValue:
    return BoundedValue(value, value, value)


def ticks(*seconds: float) -> pl.DataFrame:
    return pl.DataFrame(
        {"snapshot": range(len(seconds)), "client_ns": [int(s * NS_PER_S) for s in seconds]},
        schema={"snapshot": pl.Int64, "client_ns": pl.Int64},
    )


# -- verdicts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "outcome"),
    [(98.1, "agree"), (101.9, "agree"), (97.9, "disagree"), (102.1, "disagree")],
)
def test_two_percent_apart_is_where_instruments_without_width_stop_to_agree(one, outcome):
    assert classify(exactly(one), exactly(100.0)) == outcome


def test_resolution_comes_before_the_two_percent():
    wide = BoundedValue(95.0, 92.0, 98.0)
    assert classify(wide, exactly(100.0)) == "within resolution"  # 5 % apart, intervals 2 %
    assert classify(wide, exactly(100.1)) == "disagree"  # the intervals are 2.1 % apart
    assert interval_gap(wide, exactly(100.1)) == pytest.approx(2.1)


def test_a_part_may_be_smaller_by_anything_but_not_greater():
    assert classify(exactly(1.0), exactly(100.0), "at most") == "agree"
    assert classify(exactly(103.0), exactly(100.0), "at most") == "disagree"
    assert difference(exactly(1.0), exactly(100.0), "at most") == 0


def test_nothing_and_nothing_agree_and_nothing_and_something_do_not():
    assert classify(exactly(0.0), exactly(0.0)) == "agree"
    assert classify(exactly(0.1), exactly(0.0)) == "disagree"


def pair(relation="equal") -> CrossCheck:
    return CrossCheck("bytes", "bytes", "a", "b", ("T_cpu",), relation)


def test_a_sentence_tells_the_cause_where_there_is_one_and_that_there_is_none():
    far = CrossCheckResult(
        "web", None, pair(), Measurement(exactly(90), exactly(100), "it was slow")
    )
    assert far.outcome == "disagree"
    assert far.message() == (
        "10 % apart, 10 % beyond what resolution leaves (allowed: 2%); it was slow"
    )
    blank = CrossCheckResult("web", None, pair(), Measurement(exactly(90), exactly(100)))
    assert blank.message().endswith("the logs do not tell why")
    less = CrossCheckResult(
        "web", None, pair("at most"), Measurement(exactly(90), exactly(100), "ignored")
    )
    assert less.message() == "no more"


def test_what_cannot_be_compared_is_missing_with_its_reason():
    def measure():
        raise MissingData("tasks.log is not there")

    (found,) = cross_check("web", "web", pair(), measure)
    assert found.outcome == "missing"
    assert "tasks.log is not there" in found.message()


# -- a counter at moments that are not its own ----------------------------------------------------------


def test_growth_between_readings_is_bounded_by_the_readings_on_both_sides():
    at, totals = np.arange(5) * NS_PER_S, np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    found = Counter(at, totals).increase_between(
        Endpoints(int(0.5 * NS_PER_S), int(3.5 * NS_PER_S))
    )
    assert (found.value, found.low, found.high) == (30.0, 20.0, 40.0)
    exact = Counter(at, totals).increase_between(Endpoints(NS_PER_S, 3 * NS_PER_S))
    assert (exact.value, exact.low, exact.high) == (20.0, 20.0, 20.0)


def test_a_slow_reader_may_have_read_earlier():
    at, totals = np.arange(5) * NS_PER_S, np.array([0.0, 10.0, 20.0, 30.0, 40.0])
    found = Counter(at, totals).increase_between(
        Endpoints(NS_PER_S, 3 * NS_PER_S, NS_PER_S, NS_PER_S)
    )
    assert (found.value, found.low, found.high) == (20.0, 10.0, 30.0)


def test_a_counter_that_fell_is_a_reason():
    with pytest.raises(MissingData, match="reset"):
        Counter(np.array([0, 1]), np.array([5.0, 1.0])).increase_between(Endpoints(0, 1))


def test_the_lag_is_what_a_period_is_longer_than_the_sleep_that_was_asked_for():
    rows = ticks(0, 1.1, 2.2, 7.2)
    endpoints = sampled_endpoints(
        rows, common_span(rows, Window(NS_PER_S, 7 * NS_PER_S), rows["client_ns"]), 1.0
    )
    assert endpoints.start_ns == 0 and endpoints.end_ns == int(7.2 * NS_PER_S)
    assert endpoints.end_read_delay_ns == pytest.approx(4 * NS_PER_S)
    assert endpoints.start_read_delay_ns == pytest.approx(
        0.1 * NS_PER_S
    )  # the first: a usual period


def test_logs_that_do_not_overlap_are_a_reason():
    with pytest.raises(MissingData):
        common_span(ticks(0, 1, 2), LOAD, ticks(20, 21)["client_ns"])


# -- CPU time ---------------------------------------------------------------------------------------------


def top(used: dict[int, list[float | None]], command: str = "apache2") -> pl.DataFrame:
    rows = [
        (second, pid, float(value), command)
        for pid, values in used.items()
        for second, value in zip(SECONDS, values, strict=True)
        if value is not None
    ]
    return pl.DataFrame(
        rows,
        schema={
            "snapshot": pl.Int64,
            "pid": pl.Int64,
            "cpu_time_s": pl.Float64,
            "command": pl.String,
        },
        orient="row",
    ).with_columns(
        cpu_time_resolution_s=pl.lit(0.01),
        is_thread=pl.lit(False),
        client_ns=pl.col("snapshot") * NS_PER_S,
    )


def kernel(used: dict[int, list[float | None]], parent: int = 1, children=None) -> pl.DataFrame:
    rows = [
        (
            second,
            pid,
            parent if pid != parent else 0,
            round(value * 100),
            (children or {}).get((pid, second), 0),
        )
        for pid, values in used.items()
        for second, value in zip(SECONDS, values, strict=True)
        if value is not None
    ]
    return pl.DataFrame(
        rows,
        schema={
            "snapshot": pl.Int64,
            "pid": pl.Int64,
            "ppid": pl.Int64,
            "utime_ticks": pl.Int64,
            "child_utime_ticks": pl.Int64,
        },
        orient="row",
    ).with_columns(
        starttime_ticks=pl.col("pid") * 10,
        stime_ticks=pl.lit(0),
        child_stime_ticks=pl.lit(0),
        client_ns=pl.col("snapshot") * NS_PER_S,
    )  # fmt: skip


CLOCKS = Clocks(100.0, 1.0)
EVERY_SECOND = ticks(*SECONDS)


def times(tops: pl.DataFrame, counters: pl.DataFrame):
    return cpu.process_times(tops, EVERY_SECOND, counters, EVERY_SECOND, LOAD, CLOCKS, "^apache2$")


def test_time_plus_and_the_counters_agree_where_they_count_the_same():
    used = [0.5 * s for s in SECONDS]
    whole, each = times(top({7: used}), kernel({7: used}))
    assert (whole.a.value, whole.b.value) == (5.0, 5.0)
    assert classify(whole.a, whole.b) == "agree"
    assert [found.subject for found in each] == ["pid 7"]


@pytest.mark.parametrize(("factor", "outcome"), [(0.981, "agree"), (0.967, "disagree")])
def test_a_top_that_loses_time_is_found_beyond_a_step_and_two_ticks(factor, outcome):
    true = [0.5 * s for s in SECONDS]
    seen = [round(factor * value, 2) for value in true]
    whole, each = times(top({7: seen}), kernel({7: true}))
    assert classify(whole.a, whole.b) == outcome
    assert classify(each[0].a, each[0].b) == outcome


def test_a_process_of_few_ticks_is_not_blamed_for_them():
    whole, _ = times(
        top({7: [0.01 * (s > 5) for s in SECONDS]}), kernel({7: [0.02 * (s > 5) for s in SECONDS]})
    )
    assert classify(whole.a, whole.b) == "within resolution"


def test_what_ended_children_used_is_in_their_parents_counters_and_lost_to_top():
    parent = [0.0 for _ in SECONDS]
    child = [0.9 * s if s < 8 else None for s in SECONDS]
    reaped = {(1, s): 650 for s in SECONDS if s >= 8}
    whole, each = times(top({1: parent, 9: child}), kernel({1: parent, 9: child}, children=reaped))
    assert whole.a.value == pytest.approx(0.9 * 7 - 0.9 * 2)
    assert whole.b.value == pytest.approx(6.5 - 0.9 * 2)
    assert "1 processes ended in the window" in whole.cause
    assert [found.subject for found in each] == ["pid 1"]  # what ended is judged in the sum


def test_a_child_of_nobody_among_them_keeps_what_it_had():
    rows = kernel({9: [1.0 * s if s < 8 else None for s in SECONDS]}, parent=4)
    assert process_tree_total(rows, SELF_AND_CHILDREN_CPU, EVERY_SECOND).total[-1] == 700


def test_no_such_process_is_a_reason():
    with pytest.raises(MissingData, match="no such process"):
        times(top({7: [0.0] * 15}, "nginx"), kernel({7: [0.0] * 15}))


def summary(idle: float) -> pl.DataFrame:
    return EVERY_SECOND.with_columns(
        is_interval=pl.col("snapshot") > 0,
        cpu_user_percent=pl.lit(99.5 - idle),
        cpu_idle_percent=pl.lit(idle),
        cpu_iowait_percent=pl.lit(0.5),
        cpu_steal_percent=pl.lit(None, pl.Float64),
        tasks=pl.lit(3),
    )


def stat(busy: int, steal: int = 0) -> pl.DataFrame:
    """A machine with ``busy`` ticks of user time a second, of 100."""
    return EVERY_SECOND.with_columns(
        cpu=pl.lit("cpu"),
        user_ticks=pl.col("snapshot") * busy,
        idle_ticks=pl.col("snapshot") * (100 - busy - steal),
        steal_ticks=pl.col("snapshot") * steal,
        **{f"{name}_ticks": pl.lit(0) for name in ("nice", "system", "iowait", "irq", "softirq")},
    )


@pytest.mark.parametrize(("idle", "outcome"), [(59.5, "agree"), (55.0, "disagree")])
def test_tops_cpu_line_against_proc_stat(idle, outcome):
    found = cpu.whole_cpu(summary(idle), stat(40), LOAD, CLOCKS)
    assert found.a.value == pytest.approx((99.5 - idle) / 100)
    assert found.b.value == pytest.approx(0.4)
    assert classify(found.a, found.b) == outcome


def test_a_guest_cannot_have_worked_longer_than_its_qemu():
    got = kernel({7: [0.5 * s for s in SECONDS]})
    honest = cpu.guest_against_host(stat(45), got, LOAD, CLOCKS, CLOCKS, quota=0.5)
    assert classify(honest.a, honest.b, "at most") == "agree"
    assert honest.cause == ""
    stopped = cpu.guest_against_host(stat(80), got, LOAD, CLOCKS, CLOCKS, quota=0.5)
    assert classify(stopped.a, stopped.b, "at most") == "disagree"
    assert "0.5 CPU" in stopped.cause
    with_steal = cpu.guest_against_host(stat(80, steal=10), got, LOAD, CLOCKS, CLOCKS)
    assert with_steal.cause == ""


def test_rows_that_top_left_out_are_counted():
    rows = top({pid: [1.0] * 15 for pid in (1, 2, 3)})
    assert classify(*_ends(cpu.tasks_shown(summary(50), rows, LOAD))) == "agree"
    fewer = cpu.tasks_shown(summary(50), rows.filter(pl.col("pid") < 3), LOAD)
    assert classify(*_ends(fewer)) == "disagree"
    assert "up to 1 rows" in fewer.cause


def _ends(found: Measurement) -> tuple[BoundedValue, BoundedValue]:
    return found.a, found.b


# -- bytes ------------------------------------------------------------------------------------------------


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
    grown = {
        "reads": 10, "writes": 5, "read_sectors": int(per_s / 512), "write_sectors": int(per_s / 1024),
        "io_ticks_ms": busy_ms, "time_in_queue_ms": queue_ms,
    }  # fmt: skip
    return EVERY_SECOND.with_columns(
        device=pl.lit(device), **{name: pl.col("snapshot") * step for name, step in grown.items()}
    )


def by_counters(
    rows: pl.DataFrame, counters: pl.DataFrame, direction="read", every=None
) -> Measurement:
    return disk.against_counters(
        rows, rows if every is None else every, rows, counters, EVERY_SECOND, LOAD, 1.0, direction
    )


@pytest.mark.parametrize(
    ("rate", "outcome"), [(1e6, "agree"), (0.981e6, "agree"), (0.979e6, "disagree")]
)
def test_iotop_against_proc_io(rate, outcome):
    found = by_counters(iotop(rate), proc_io(1e6))
    assert found.b == exactly(10e6)
    assert classify(found.a, found.b) == outcome


def test_cancelled_writes_are_taken_off_as_iotop_does():
    found = by_counters(iotop(1e6), proc_io(1e6, cancelled=3e5), "write")
    assert found.b.value == pytest.approx(5e6)


def test_bytes_of_threads_without_a_name_are_told():
    gone = iotop(1e5, "{no such process}", 8)
    rows = iotop(0.9e6)
    found = by_counters(rows, proc_io(1e6), every=pl.concat([rows, gone]))
    assert classify(found.a, found.b) == "disagree"
    assert "1 MB are in rows of threads that had ended" in found.cause


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
    found = disk.against_counters(slow, slow, slow, fine, fine, late, 1.0, "read")
    assert classify(found.a, found.b) == "within resolution"
    assert "needed 3.0 s for a snapshot" in found.cause


def test_an_iotop_that_paused_says_so():
    steady = ticks(0, 1, 2, 3, 4)
    assert disk.slowness(steady, 1.0) == []
    (pause,) = disk.slowness(ticks(0, 1, 2, 3, 10, 11, 12), 1.0)
    assert "paused for up to 7.0 s" in pause
    assert disk.slowness(ticks(0, 9, 18), None) == []


def test_byte_counters_that_nobody_may_read_are_a_reason():
    blind = proc_io(1e6).with_columns(read_bytes=pl.lit(None, pl.Int64))
    with pytest.raises(MissingData, match="no right"):
        by_counters(iotop(1e6), blind)


def test_a_server_cannot_read_more_than_its_disk_and_a_write_says_when_it_is_charged():
    def against(rate, direction="read"):
        return disk.against_disk(iotop(rate), iotop(rate), block(1_024_000), LOAD, 1.0, direction)

    assert classify(*_ends(against(5e5)), "at most") == "agree"
    assert classify(*_ends(against(1.2e6)), "at most") == "disagree"
    assert "dirtied" in against(1e6, "write").cause


def test_iotops_totals_against_its_rows_and_the_disks():
    rows, doubled = iotop(1e6), pl.concat([iotop(1e6), iotop(1e6, tid=8)])
    assert classify(*_ends(disk.totals_against_rows(rows, rows, LOAD, "read"))) == "agree"
    twice = disk.totals_against_rows(doubled, rows, LOAD, "read")
    assert twice.b.value == pytest.approx(2e7) and classify(*_ends(twice)) == "disagree"
    both = pl.concat([block(512_000), block(512_000, device="vdb")])
    found = disk.actual_against_disks(iotop(1.024e6), both, ["vda", "vdb"], LOAD, 1.0, "read")
    assert classify(*_ends(found)) == "agree"


@pytest.mark.parametrize(
    ("busy_ms", "outcome"), [(150, "agree"), (200, "within resolution"), (900, "disagree")]
)
def test_a_disk_is_not_busy_for_longer_than_its_requests_are_in_it(busy_ms, outcome):
    found = disk.busy_against_queue(block(1e6, busy_ms), LOAD, 0.004)
    assert classify(*_ends(found), "at most") == outcome


def test_threads_wait_no_longer_than_requests_are_in_the_disk():
    none = [0.0] * 15
    threads = kernel({7: none, 8: none, 9: none}).with_columns(tid=pl.col("pid"))

    def waited(step):
        return disk.delay_against_queue(
            threads.with_columns(
                blkio_delay_ticks=pl.when(pl.col("pid") == 7)
                .then(pl.col("snapshot") * step)
                .otherwise(None if step is None else pl.col("pid"))
            ),
            EVERY_SECOND, block(1e6), LOAD, 100.0,
        )  # fmt: skip

    assert classify(*_ends(waited(14)), "at most") == "agree"
    assert classify(*_ends(waited(40)), "at most") == "disagree"
    with pytest.raises(MissingData, match="delay accounting"):
        waited(None)


def test_guest_and_host_count_the_same_sectors():
    guest, host = block(512_000), block(512_000, device="loop0")
    same = disk.guest_against_host(guest, host, LOAD, "read")
    assert same.a.value == same.b.value == 5_120_000
    more = disk.guest_against_host(guest, block(600_000), LOAD, "read")
    assert classify(*_ends(more)) == "disagree"


def test_the_envelope_is_the_quota_else_the_cpus_else_the_hosts(tmp_path):
    run = Run("s", "first", "r", tmp_path, {})

    def study(envelope):
        return Study("s", tmp_path, {"servers": {"first": {"envelope": envelope}}})

    assert cpu_limit(study({"cpus": [0, 1], "cpu_quota": 0.5}), run) == CpuLimit(0.5, 0.5)
    assert cpu_limit(study({"cpus": [0, 1]}), run) == CpuLimit(2.0)
    assert cpu_limit(None, run) == CpuLimit(1.0, is_assumed=True)


# -- recorded runs ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(root: Path, tmp_path_factory) -> tuple[RunTables, CpuLimit]:
    """The shortest recorded run of one virtual server."""
    study = next(s for s in find_studies(root / "data" / "raw") if s.name == "kvm-case-study")
    runs = [run for run in study.runs() if run.window is not None and run.idle_before is not None]
    run = min(runs, key=lambda r: (sum(log.path.stat().st_size for log in r.logs()), r.id))
    processed = tmp_path_factory.mktemp("processed")
    ingest.ingest([run], processed)
    return RunTables(run, processed), cpu_limit(study, run)


def test_a_recorded_runs_instruments_measure_the_same(recorded):
    found = cross_check_run(*recorded)
    assert found.schema == CROSS_CHECKS
    assert set(found["outcome"]) <= {"agree", "within resolution", "disagree", "missing"}
    assert found["message"].null_count() == 0
    # every machine's own CPU is counted by two instruments, and they agree on every machine
    whole = found.filter(pl.col("quantity") == "share of all CPUs that was busy")
    assert set(whole["role"]) == {"host", "web", "db"}
    assert "disagree" not in set(whole["outcome"])
    qemu = found.filter(pl.col("quantity") == "CPU time of QEMU")
    assert qemu.height == 2 and set(qemu["outcome"]) <= {"agree", "within resolution"}
    # a row that is not missing has both values and both resolutions, one that is has its reason
    judged = found.filter(pl.col("outcome") != "missing")
    for name in ("value_a", "value_b", "uncertainty_a", "uncertainty_b", "difference"):
        assert judged[name].null_count() == 0, name
    lost = found.filter(pl.col("outcome") == "missing")
    assert lost["message"].str.starts_with("cannot be compared: ").all()


def test_a_lost_log_takes_only_its_own_comparisons_with_it(recorded):
    tables, envelope = recorded

    class WithoutTasks(RunTables):
        def rows(self, table, role):
            if table in ("task_processes", "tasks", "cpus"):
                raise MissingData(f"{role} has no rows of {table}")
            return super().rows(table, role)

    found = cross_check_run(WithoutTasks(tables.run, tables.processed), envelope)
    by = dict(found.filter(pl.col("role") == "web").select("quantity", "outcome").iter_rows())
    assert by["share of all CPUs that was busy"] == "missing"
    assert by["tasks"] == "agree"
