"""Flow balance, Little's law, the Utilization Law and U ≤ 1: passed where they hold, failed where not."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.ledger.lookup import LedgerView
from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality.check import FAILED, NOT_EVALUATED, PASSED, Check
from pipeline.quality.operational_laws import (
    check_flow_balance,
    check_littles_law,
    check_utilization_bound,
    check_utilization_law,
)
from pipeline.raw import Workload
from quality.samples import CLIENT, CLOSED, OPEN, RESULTS, WINDOW, SampleRun, ledger, numbers, of


@pytest.mark.parametrize(
    ("done", "passed"), [(4800, True), (4760, True), (4700, False), (5000, False)]
)
def test_requests_begun_are_completed(done, passed):
    check = of(
        check_flow_balance({**CLIENT, "completions": done}, numbers()), "flow balance at the client"
    )
    assert (check.result, check.blocking) == (RESULTS[passed], True)
    assert (check.value, check.expected) == (done, 4800)


def test_a_client_without_connections_counts_its_errors_as_arrivals():
    balanced = {**CLIENT, "connections": None, "errors": 5}
    check = of(check_flow_balance(balanced, numbers()), "flow balance at the client")
    assert (check.expected, check.result) == (4805, PASSED)
    without_data = {**CLIENT, "connections": None, "errors": None}
    assert (
        of(check_flow_balance(without_data, numbers()), "flow balance at the client").result
        == NOT_EVALUATED
    )
    assert (
        of(check_flow_balance(None, numbers()), "flow balance at the client").result
        == NOT_EVALUATED
    )


@pytest.mark.parametrize(("logged", "passed"), [(1001.0, True), (1030.0, False), (None, None)])
def test_the_servers_own_log_counts_what_the_client_counts(logged, passed):
    values = numbers(lambda_total=1000.0, lambda_log=logged)
    check = of(check_flow_balance(CLIENT, values), "flow balance between client and server")
    assert check.result == RESULTS[passed]
    assert check.dependents == ("lambda_total", "lambda_log")


@pytest.mark.parametrize(("response_s", "passed"), [(1.0, True), (0.9, False), (None, None)])
def test_threads_are_throughput_times_response_time(response_s, passed):
    check = check_littles_law(CLOSED, None, numbers(X_client=16.0, R_client=response_s))
    assert check.result == RESULTS[passed]
    if passed is not None:
        assert (check.value, check.expected, check.blocking) == (16.0 * response_s, 16.0, True)


def test_think_time_is_part_of_littles_law():
    thinking = replace(CLOSED, workload=Workload("closed", population=16, think_time_s=1.0))
    assert check_littles_law(thinking, None, numbers(X_client=8.0, R_client=1.0)).result == PASSED
    assert check_littles_law(CLOSED, None, numbers(X_client=8.0, R_client=1.0)).result == FAILED


@pytest.mark.parametrize(("lifetime_s", "passed"), [(0.0088, True), (0.0120, False), (None, None)])
def test_connections_last_as_long_as_their_parts(lifetime_s, passed):
    client = {**CLIENT, "connection_time_mean_s": lifetime_s}
    assert (
        check_littles_law(OPEN, client, numbers(X_client=80.0, R_client=0.0087)).result
        == RESULTS[passed]
    )


class Tables:
    """Stored tables of a run with one guest, as ``RunTables`` gives them."""

    def __init__(self, run, **frames: pl.DataFrame):
        self.run, self.frames = run, frames

    def sampled(self, table: str, role: str) -> pl.DataFrame:
        if table not in self.frames:
            raise MissingData(f"{role} has no rows of {table}")
        return self.frames[table]


def stat(loaded: int, idle: int) -> pl.DataFrame:
    """/proc/stat of a CPU that works ``loaded`` ticks of 100 a second from second 100 on, ``idle`` before."""
    seconds = list(range(40, 170))
    busy = np.cumsum([loaded if second > 100 else idle for second in seconds])
    return pl.DataFrame(
        {
            "snapshot": range(len(seconds)),
            "client_ns": [second * NS_PER_S for second in seconds],
            "cpu": ["cpu"] * len(seconds),
            "user_ticks": busy,
            "idle_ticks": [100 * (n + 1) - b for n, b in enumerate(busy)],
            **{f"{s}_ticks": [0] * len(seconds) for s in ("nice", "system", "iowait", "irq", "softirq", "steal")},
        }
    )  # fmt: skip


def law(at: str, loaded: int = 55, **changed: float | None) -> Check:
    values = {
        "R_cpu__off": 0.005, "X_req": 80.0,
        "U_vdisk_total__kept": 0.22, "U_vdisk_total__off": 0.215,
        "U_vdisk_req__as_printed_off": 0.21,
        "U_disk_total__kept": 0.2, "U_disk_total__off": 0.2,
        "U_disk_req__as_printed_off": 0.2, **changed,
    }  # fmt: skip
    checks = check_utilization_law(
        Tables(SampleRun(), cpus=stat(loaded, 10)), OPEN, WINDOW, numbers(**values)
    )
    return of(checks, f"U = X D at the {at}")


@pytest.mark.parametrize(("loaded", "passed"), [(50, True), (54, True), (70, False), (40, False)])
def test_utilization_of_a_cpu_is_demands_and_background(loaded, passed):
    check = law("guest's CPU", loaded)  # 80 × 5 ms = 40 %, and 10 % background
    assert check.result == RESULTS[passed]
    assert check.value == pytest.approx(loaded / 100)
    assert check.expected == pytest.approx(0.5)
    assert check.dependents == ("R_cpu",)


def test_without_a_demand_or_counters_the_law_is_not_evaluated():
    assert law("guest's CPU", R_cpu__off=None).result == NOT_EVALUATED
    bare = check_utilization_law(
        Tables(SampleRun()), OPEN, WINDOW, numbers(R_cpu__off=0.005, X_req=80.0)
    )
    assert of(bare, "U = X D at the guest's CPU").result == NOT_EVALUATED


@pytest.mark.parametrize("at", ["guest's disk", "host's disk"])
def test_utilization_of_a_disk_is_the_servers_share(at):
    disk = "vdisk" if at.startswith("guest") else "disk"
    assert law(at).result == PASSED
    assert law(at, **{f"U_{disk}_req__as_printed_off": 0.1}).result == FAILED
    assert law(at, **{f"U_{disk}_req__as_printed_off": None}).result == NOT_EVALUATED


def bound_results(quantity: str, value: float | None, cpus: float = 1.0) -> dict[str, str]:
    values = {
        "T": 60.0, "U_vcpu__kept": 0.4, "U_vdisk_total__kept": 0.2,
        "U_disk_total__kept": 0.1, "U_qemu__kept": 0.5, quantity: value,
    }  # fmt: skip
    frame = ledger(**values)
    checks = check_utilization_bound(
        Tables(SampleRun()), OPEN, frame, LedgerView(frame, "web"), CpuLimit(cpus)
    )
    return {
        check.check.removeprefix("U ≤ 1 at the ").removeprefix("U ≤ 1 of the "): check.result
        for check in checks
    }


@pytest.mark.parametrize(
    ("quantity", "station"),
    [
        ("U_vcpu__kept", "server's processes"),
        ("U_vdisk_total__kept", "guest's disk"),
        ("U_disk_total__kept", "host's disk"),
        ("U_qemu__kept", "host's CPU limit"),
    ],
)
def test_no_utilization_is_above_1(quantity, station):
    assert bound_results(quantity, 0.99)[station] == PASSED
    assert (
        bound_results(quantity, 1.03)[station] == PASSED
    )  # two sampling steps more than the window
    failed = bound_results(quantity, 1.2)
    assert failed.pop(station) == FAILED
    assert set(failed.values()) == {PASSED}
    assert bound_results(quantity, None)[station] == NOT_EVALUATED


def test_all_qemu_processes_count_against_the_cpu_limit():
    assert bound_results("U_qemu__kept", 0.5, cpus=0.5)["host's CPU limit"] == PASSED
    assert bound_results("U_qemu__kept", 0.6, cpus=0.5)["host's CPU limit"] == FAILED
