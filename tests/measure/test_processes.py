"""Equation 1's terms: processes that live through, are born, end, and follow each other under one pid."""

import polars as pl
import pytest

from pipeline.measure.processes import (
    cpu_times,
    machine_counter,
    matching_pids,
    task_counter,
    thread_ids,
    top_counter,
    with_pid_generation,
)
from pipeline.measure.window import NS_PER_S, SnapshotSpan, bracketing_span
from pipeline.raw import Window


def top(*rows: tuple[int, int, float, str], step: float = 0.01) -> pl.DataFrame:
    return pl.DataFrame(
        rows,
        schema={
            "snapshot": pl.Int64,
            "pid": pl.Int64,
            "cpu_time_s": pl.Float64,
            "command": pl.String,
        },
        orient="row",
    ).with_columns(cpu_time_resolution_s=pl.lit(step), is_thread=pl.lit(False))


WINDOW = SnapshotSpan(1, 4, 3.0)


def found(*rows) -> list[tuple]:
    frame = cpu_times(top(*rows), WINDOW, "^apache2$")
    return [
        (
            r["pid"],
            r["pid_generation"],
            round(r["cpu_time_s"], 6),
            r["started_in_window"],
            r["exited_in_window"],
        )
        for r in frame.iter_rows(named=True)
    ]


def test_a_process_that_lives_through_counts_its_growth():
    rows = [(s, 7, 1.0 + 0.1 * s, "apache2") for s in range(6)]
    assert found(*rows) == [(7, 0, 0.3, False, False)]


def test_a_process_born_in_the_window_counts_whole():
    assert found((2, 8, 0.05, "apache2"), (4, 8, 0.20, "apache2")) == [(8, 0, 0.2, True, False)]


def test_a_process_that_ended_counts_up_to_its_last_sighting():
    rows = [(0, 9, 0.5, "apache2"), (1, 9, 0.6, "apache2"), (2, 9, 0.8, "apache2")]
    assert found(*rows) == [(9, 0, 0.2, False, True)]


def test_a_process_that_ended_before_the_window_does_not_count():
    assert found((0, 9, 0.5, "apache2"), (1, 7, 0.1, "apache2"), (4, 7, 0.2, "apache2")) == [
        (7, 0, 0.1, False, False)
    ]


def test_a_process_born_after_the_window_does_not_count():
    assert found((5, 9, 0.5, "apache2")) == []


def test_a_pid_used_again_is_two_processes():
    rows = [
        (1, 5, 3.0, "apache2"),
        (2, 5, 3.5, "apache2"),
        (3, 5, 0.1, "apache2"),
        (4, 5, 0.4, "apache2"),
    ]
    assert found(*rows) == [(5, 0, 0.5, False, True), (5, 1, 0.4, True, False)]


def test_a_pid_that_another_program_took_over_is_not_the_servers():
    rows = [
        (1, 5, 3.0, "apache2"),
        (2, 5, 3.5, "apache2"),
        (3, 5, 4.0, "bash"),
        (4, 5, 9.0, "bash"),
    ]
    assert found(*rows) == [(5, 0, 0.5, False, True)]


def test_other_processes_and_hostile_names_do_not_count():
    rows = [(s, 1, float(s), "<script>alert(1)</script>") for s in range(6)]
    assert found(*rows) == []


def test_the_interval_is_a_step_at_each_end():
    frame = cpu_times(top((1, 7, 1.0, "apache2"), (4, 7, 1.3, "apache2")), WINDOW, "^apache2$")
    assert frame["low_s"][0] == pytest.approx(0.29)
    assert frame["high_s"][0] == pytest.approx(0.31)
    idle = cpu_times(top((1, 7, 1.0, "apache2"), (4, 7, 1.0, "apache2")), WINDOW, "^apache2$")
    assert idle["low_s"][0] == 0


def test_lives_do_not_depend_on_the_order_of_rows():
    rows = top((3, 5, 0.1, "apache2"), (1, 5, 3.0, "apache2"), (2, 5, 3.5, "apache2"))
    assert with_pid_generation(rows)["pid_generation"].to_list() == [0, 0, 1]


def test_names_and_threads():
    tasks = pl.DataFrame({"pid": [1, 1, 2], "tid": [1, 3, 2], "comm": ["mariadbd", "io", "sshd"]})
    assert matching_pids(tasks, "^mariadbd$").to_list() == [1]
    assert thread_ids(tasks, pl.Series([1])).to_list() == [1, 3]


LOAD = Window(NS_PER_S, 4 * NS_PER_S)


def timed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(client_ns=pl.col("snapshot") * NS_PER_S)


def test_the_kernels_counters_tell_a_pid_used_again_by_its_start():
    rows = pl.DataFrame(
        {
            "snapshot": [1, 4, 2, 4],
            "pid": [5, 5, 6, 6],
            "starttime_ticks": [10, 10, 20, 20],
            "utime_ticks": [100, 150, 5, 30],
            "stime_ticks": [0, 50, 0, 0],
        }
    )
    used = task_counter(timed(rows), timed(rows), 100).increase(LOAD)
    assert used.value == pytest.approx(1.3)
    # two processes, two numbers of each, cut down to a tick at one end and the other
    assert (used.low, used.high) == pytest.approx((1.26, 1.34))


def test_together_over_time_and_process_by_process_is_the_same():
    rows = timed(
        top(
            *[(s, 7, 1.0 + 0.1 * s, "apache2") for s in range(6)],
            (2, 8, 0.05, "apache2"), (4, 8, 0.20, "apache2"),
            (0, 9, 0.5, "apache2"), (1, 9, 0.6, "apache2"), (2, 9, 0.8, "apache2"),
        )
    )  # fmt: skip
    each = cpu_times(rows, bracketing_span(rows, LOAD), "^apache2$")
    whole = top_counter(with_pid_generation(rows), rows).increase(LOAD)
    assert whole.value == pytest.approx(each["cpu_time_s"].sum()) == pytest.approx(0.7)
    assert "1 process exited" in whole.flags[0]


def test_a_machines_cpu_time_is_the_sum_of_its_states():
    cpus = timed(
        pl.DataFrame(
            {"snapshot": [0, 2, 5], "cpu": ["cpu"] * 3, "user_ticks": [0, 10, 40], "idle_ticks": [0, 90, 200]}
        )
    ).with_columns(system_ticks=pl.lit(None, pl.Int64))  # fmt: skip
    assert machine_counter(cpus, ("user", "system"), 100).increase(LOAD).value == pytest.approx(0.4)
    assert machine_counter(cpus, ("idle",)).increase(LOAD).value == 200
