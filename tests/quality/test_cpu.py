"""CPU time by top, by the kernel's counters, in the guest and on the host."""

import polars as pl
import pytest

from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality import cpu, texts
from pipeline.quality.agreement import classify
from quality.snapshots import EVERY_SECOND, LOAD, RATES, SECONDS, ends, kernel


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


def times(tops: pl.DataFrame, counters: pl.DataFrame):
    return cpu.process_times(tops, EVERY_SECOND, counters, EVERY_SECOND, LOAD, RATES, "^apache2$")


def test_time_plus_and_the_counters_agree_where_they_count_the_same():
    used = [0.5 * s for s in SECONDS]
    whole, each = times(top({7: used}), kernel({7: used}))
    assert (whole.a.value, whole.b.value) == (5.0, 5.0)
    assert classify(whole.a, whole.b) == "agree"
    assert [measurement.subject for measurement in each] == ["pid 7"]


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
    assert whole.cause == texts.exited_top(1)
    assert [measurement.subject for measurement in each] == ["pid 1"]  # pid 9 exited


def test_no_such_process_is_a_reason():
    with pytest.raises(MissingData, match=texts.NO_SUCH_PROCESS):
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
    measurement = cpu.machine_cpu(summary(idle), stat(40), LOAD, RATES)
    assert measurement.a.value == pytest.approx((99.5 - idle) / 100)
    assert measurement.b.value == pytest.approx(0.4)
    assert classify(measurement.a, measurement.b) == outcome


def test_a_guest_cannot_have_worked_longer_than_its_qemu():
    got = kernel({7: [0.5 * s for s in SECONDS]})
    honest = cpu.guest_vs_host(stat(45), got, LOAD, RATES, RATES, quota=0.5)
    assert classify(honest.a, honest.b, "<=") == "agree"
    assert honest.cause == ""
    stopped = cpu.guest_vs_host(stat(80), got, LOAD, RATES, RATES, quota=0.5)
    assert classify(stopped.a, stopped.b, "<=") == "disagree"
    assert "0.5 CPU" in stopped.cause
    with_steal = cpu.guest_vs_host(stat(80, steal=10), got, LOAD, RATES, RATES)
    assert with_steal.cause == ""


def test_rows_that_top_left_out_are_counted():
    rows = top({pid: [1.0] * 15 for pid in (1, 2, 3)})
    assert classify(*ends(cpu.task_count(summary(50), rows, LOAD))) == "agree"
    fewer = cpu.task_count(summary(50), rows.filter(pl.col("pid") < 3), LOAD)
    assert classify(*ends(fewer)) == "disagree"
    assert "up to 1 rows" in fewer.cause
