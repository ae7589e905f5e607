"""Each check of the gate passes where its law holds and fails where it does not; failures mark what rests on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from pipeline import ingest, tables
from pipeline.evaluate.single_run import model_usable
from pipeline.ledger import run_ledger
from pipeline.ledger.catalogue import ORDER, dependents_of
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.time_series import TimeSeries
from pipeline.measure.window import NS_PER_S, MissingData
from pipeline.quality.assess import (
    check_clocks,
    check_run,
    check_source_agreement,
    flag_failed_checks,
)
from pipeline.quality.check import (
    CHECKS,
    FAILED,
    INCONCLUSIVE,
    NOT_EVALUATED,
    PASSED,
    Check,
    bounds_result,
    checks_frame,
    equivalence_result,
    exact_result,
    not_evaluated,
    result_counts_text,
)
from pipeline.quality.cross_check import CROSS_CHECKS
from pipeline.quality.operational_laws import (
    check_flow_balance,
    check_littles_law,
    check_utilization_bound,
    check_utilization_law,
)
from pipeline.quality.stationarity import check_stationarity, compare_halves, window_count
from pipeline.quality.workload import (
    check_arrival_rate,
    check_arrival_variability,
    check_client_errors,
)
from pipeline.raw import Role, VirtualServer, Window, Workload, find_studies

WINDOW = Window(100 * NS_PER_S, 160 * NS_PER_S)
OPEN = VirtualServer("web", "web", Workload("open", rate_per_s=80.0, arrivals="even"))
CLOSED = VirtualServer("db", "db", Workload("closed", population=16, think_time_s=0.0))
MARKED = "gate: a disk is odd"


def ledger(**values: float | None) -> pl.DataFrame:
    """Rows of one virtual server: ``quantity`` or ``quantity__background`` or ``…__demand_background`` → value."""
    if not values:
        return tables.empty(tables.LEDGER)
    rows = []
    for name, value in values.items():
        quantity, _, choices = name.partition("__")
        demand, _, background = choices.rpartition("_")
        variant = choices if choices == "corrected" else None
        rows.append(
            {
                "study": "s", "server": "first", "run": "r", "virtual_server": "web",
                "quantity": quantity, "variant": variant, "demand": demand.replace("_", "-") or None,
                "background": None if variant else background or None,
                "value": value, "unit": "1", "source": "a test",
                "flags": ["it is not there"] if value is None else None,
            }
        )  # fmt: skip
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return tables.conform(frame, tables.LEDGER)


def numbers(**values: float | None) -> LedgerView:
    return LedgerView(ledger(**values), "web")


CLIENT = {
    "completions": 4800, "connections": 4800, "errors": 0, "errors_timeout": 0, "errors_other": 0,
    "connection_time_mean_s": 0.0088, "connect_time_mean_s": 0.0001,
}  # fmt: skip


RESULTS = {True: PASSED, False: FAILED, None: NOT_EVALUATED}


def of(checks, name: str) -> Check:
    return next(check for check in checks if check.check == name)


# -- laws -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "passed"), [(4800, True), (4760, True), (4700, False), (5000, False)]
)
def test_what_arrives_at_the_client_is_completed(done, passed):
    found = of(
        check_flow_balance({**CLIENT, "completions": done}, numbers()), "flow balance at the client"
    )
    assert (found.result, found.blocking) == (RESULTS[passed], True)
    assert (found.value, found.expected) == (done, 4800)


def test_a_client_without_connections_counts_its_errors_as_arrivals():
    balanced = {**CLIENT, "connections": None, "errors": 5}
    found = of(check_flow_balance(balanced, numbers()), "flow balance at the client")
    assert (found.expected, found.result) == (4805, PASSED)
    blind = {**CLIENT, "connections": None, "errors": None}
    assert (
        of(check_flow_balance(blind, numbers()), "flow balance at the client").result
        == NOT_EVALUATED
    )
    assert (
        of(check_flow_balance(None, numbers()), "flow balance at the client").result
        == NOT_EVALUATED
    )


@pytest.mark.parametrize(("logged", "passed"), [(1001.0, True), (1030.0, False), (None, None)])
def test_the_servers_own_log_counts_what_the_client_counts(logged, passed):
    told = numbers(lambda_total=1000.0, lambda_log=logged)
    found = of(check_flow_balance(CLIENT, told), "flow balance between client and server")
    assert found.result == RESULTS[passed]
    assert found.dependents == ("lambda_total",)


@pytest.mark.parametrize(("response_s", "passed"), [(1.0, True), (0.9, False), (None, None)])
def test_threads_are_throughput_times_response_time(response_s, passed):
    found = check_littles_law(CLOSED, None, numbers(X_client=16.0, R_client=response_s))
    assert found.result == RESULTS[passed]
    if passed is not None:
        assert (found.value, found.expected, found.blocking) == (16.0 * response_s, 16.0, True)


def test_think_time_is_part_of_littles_law():
    thinking = replace(CLOSED, workload=Workload("closed", population=16, think_time_s=1.0))
    assert check_littles_law(thinking, None, numbers(X_client=8.0, R_client=1.0)).result == PASSED
    assert check_littles_law(CLOSED, None, numbers(X_client=8.0, R_client=1.0)).result == FAILED


@pytest.mark.parametrize(("life_s", "passed"), [(0.0088, True), (0.0120, False), (None, None)])
def test_connections_live_as_long_as_their_parts(life_s, passed):
    client = {**CLIENT, "connection_time_mean_s": life_s}
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


class Run:
    """What the checks ask a run for."""

    idle_before = Window(50 * NS_PER_S, 90 * NS_PER_S)
    manifest: dict = {}  # noqa: RUF012
    roles: dict = {}  # noqa: RUF012

    def facts(self, role: str) -> dict:
        return {"cpus": 1, "interval_s": 1.0}


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
    told = {
        "R_cpu__off": 0.005, "X_req": 80.0,
        "U_vdisk_total__kept": 0.22, "U_vdisk_total__off": 0.215,
        "U_vdisk_req__as_printed_off": 0.21,
        "U_disk_total__kept": 0.2, "U_disk_total__off": 0.2,
        "U_disk_req__as_printed_off": 0.2, **changed,
    }  # fmt: skip
    found = check_utilization_law(
        Tables(Run(), cpus=stat(loaded, 10)), OPEN, WINDOW, numbers(**told)
    )
    return of(found, f"U = X D at the {at}")


@pytest.mark.parametrize(("loaded", "passed"), [(50, True), (54, True), (70, False), (40, False)])
def test_a_busy_cpu_is_explained_by_demands_and_background(loaded, passed):
    found = law("guest's CPU", loaded)  # 80 × 5 ms = 40 %, and 10 % background
    assert found.result == RESULTS[passed]
    assert found.value == pytest.approx(loaded / 100)
    assert found.expected == pytest.approx(0.5)
    assert found.dependents == ("R_cpu",)


def test_without_a_demand_or_counters_the_law_cannot_be_told():
    assert law("guest's CPU", R_cpu__off=None).result == NOT_EVALUATED
    bare = check_utilization_law(Tables(Run()), OPEN, WINDOW, numbers(R_cpu__off=0.005, X_req=80.0))
    assert of(bare, "U = X D at the guest's CPU").result == NOT_EVALUATED


@pytest.mark.parametrize("at", ["guest's disk", "host's disk"])
def test_a_busy_disk_is_explained_by_the_servers_share(at):
    disk = "vdisk" if at.startswith("guest") else "disk"
    assert law(at).result == PASSED
    assert law(at, **{f"U_{disk}_req__as_printed_off": 0.1}).result == FAILED
    assert law(at, **{f"U_{disk}_req__as_printed_off": None}).result == NOT_EVALUATED


def most(quantity: str, value: float | None, envelope: float = 1.0) -> dict[str, str]:
    told = {
        "T": 60.0, "U_vcpu__kept": 0.4, "U_vdisk_total__kept": 0.2,
        "U_disk_total__kept": 0.1, "U_qemu__kept": 0.5, quantity: value,
    }  # fmt: skip
    frame = ledger(**told)
    found = check_utilization_bound(
        Tables(Run()), OPEN, frame, LedgerView(frame, "web"), CpuLimit(envelope)
    )
    return {
        check.check.removeprefix("U ≤ 1 at the ").removeprefix("U ≤ 1 of the "): check.result
        for check in found
    }


@pytest.mark.parametrize(
    ("quantity", "station"),
    [
        ("U_vcpu__kept", "server's processes"),
        ("U_vdisk_total__kept", "guest's disk"),
        ("U_disk_total__kept", "host's disk"),
        ("U_qemu__kept", "CPU that the host gives"),
    ],
)
def test_no_station_is_busy_for_longer_than_the_time_there_was(quantity, station):
    assert most(quantity, 0.99)[station] == PASSED
    assert most(quantity, 1.03)[station] == PASSED  # two sampling steps more than the window
    failed = most(quantity, 1.2)
    assert failed.pop(station) == FAILED
    assert set(failed.values()) == {PASSED}
    assert most(quantity, None)[station] == NOT_EVALUATED


def test_every_qemu_counts_against_what_the_host_gives():
    assert most("U_qemu__kept", 0.5, envelope=0.5)["CPU that the host gives"] == PASSED
    assert most("U_qemu__kept", 0.6, envelope=0.5)["CPU that the host gives"] == FAILED


# -- the load -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("achieved", "passed"), [(79.0, True), (78.0, False), (None, None)])
def test_arrivals_are_those_that_were_offered(achieved, passed):
    found = [*check_arrival_rate(OPEN, numbers(X_client=achieved, lambda_total=4800.0))]
    assert [check.result for check in found] == [RESULTS[passed]]


def test_the_mark_says_how_many_arrivals_there_were():
    server = replace(OPEN, workload=replace(OPEN.workload, rate_per_s=240.0))
    (found,) = check_arrival_rate(server, numbers(X_client=87.4))
    assert found.flag == "arrivals 87.4 of 240 a second offered"


@pytest.mark.parametrize(
    ("achieved", "requests", "result"),
    [
        (80.0, 480_000.0, PASSED),  # ± 0.23: within the 1.6 that are allowed
        (80.0, 4800.0, INCONCLUSIVE),  # ± 2.3: 2 % cannot be told from nothing
        (77.0, 1200.0, INCONCLUSIVE),  # beyond 2 %, but chance does as much in 17 of 100
        (75.0, 4800.0, FAILED),
    ],
)
def test_a_poisson_stream_may_miss_its_rate_by_chance(achieved, requests, result):
    poisson = replace(OPEN, workload=replace(OPEN.workload, arrivals="poisson"))
    given = numbers(X_client=achieved, lambda_total=requests)
    assert [c.result for c in check_arrival_rate(poisson, given)] == [result]
    assert [c.result for c in check_arrival_rate(OPEN, given)] == [
        exact_result(achieved, 80.0, 1.6)
    ]
    assert [*check_arrival_rate(CLOSED, given)] == []


def test_a_known_sequence_of_arrivals_is_not_random():
    poisson = replace(OPEN, workload=replace(OPEN.workload, arrivals="poisson"))
    given = numbers(X_client=87.0, lambda_total=4800.0)
    (found,) = check_arrival_rate(poisson, given, sequence_rate_per_s=87.1)
    assert (found.result, found.expected, found.p) == (PASSED, 87.1, None)


def arrivals(kind: str) -> np.ndarray:
    draw = np.random.default_rng(1)
    gaps = {
        "even": np.full(4800, 1 / 80),
        "poisson": draw.exponential(1 / 80, 4800),
        "bursts": np.repeat(draw.exponential(20 / 80, 240), 20) * (np.arange(4800) % 20 == 0),
    }[kind]
    return WINDOW.start_ns + (np.cumsum(gaps) * NS_PER_S).astype(np.int64)


@pytest.mark.parametrize(
    ("asked", "stream", "passed"),
    [
        ("even", "even", True),
        ("even", "poisson", False),
        ("poisson", "poisson", True),
        ("poisson", "even", False),
        ("poisson", "bursts", False),
    ],
)
def test_the_arrivals_are_spaced_as_the_plan_says(asked, stream, passed):
    server = replace(OPEN, workload=replace(OPEN.workload, arrivals=asked))
    (found,) = check_arrival_variability(server, arrivals(stream), WINDOW)
    assert found.result == RESULTS[passed]


@pytest.mark.parametrize(("swing", "result"), [(8, PASSED), (11, INCONCLUSIVE), (16, FAILED)])
def test_spacing_that_noise_may_have_made_is_inconclusive(swing, result):
    """Counts of 80 ± ``swing`` in turn: an index of dispersion of 0.8, 1.5 and 3.3 over a minute."""
    poisson = replace(OPEN, workload=replace(OPEN.workload, arrivals="poisson"))
    counts = [80 + swing * (-1) ** second for second in range(60)]
    at = [
        WINDOW.start_ns + second * NS_PER_S + n * NS_PER_S // count
        for second, count in enumerate(counts)
        for n in range(count)
    ]
    (found,) = check_arrival_variability(poisson, np.array(at), WINDOW)
    assert found.value == pytest.approx(swing**2 / 80, rel=0.05)
    assert found.low < found.value < found.high
    assert found.result == result


def test_spacing_cannot_be_told_from_a_few_seconds_or_without_a_log():
    short = Window(WINDOW.start_ns, WINDOW.start_ns + 10 * NS_PER_S)
    blind = [NOT_EVALUATED]
    assert [c.result for c in check_arrival_variability(OPEN, arrivals("even"), short)] == blind
    assert [c.result for c in check_arrival_variability(OPEN, "no access log", WINDOW)] == blind
    assert [*check_arrival_variability(CLOSED, arrivals("even"), WINDOW)] == []


@pytest.mark.parametrize(("count", "passed"), [(0, True), (4, True), (5, False), (None, None)])
def test_errors_at_the_client(count, passed):
    found = check_client_errors({**CLIENT, "errors": count, "errors_timeout": count})
    assert found.result == RESULTS[passed]
    assert count != 5 or "timeout: 5" in found.message


# -- steady state -------------------------------------------------------------------------------------------


def series(
    second_half: float = 1.0, noise: float = 0.02, flags=(), seconds: int = 120
) -> TimeSeries:
    """A load of 80 requests a second; every column is ``second_half`` times as much in the second half."""
    draw = np.random.default_rng(7)
    grows = np.where(np.arange(seconds) < seconds / 2, 1.0, second_half)

    def noisy(mean):
        return mean * grows * (1 + noise * draw.standard_normal(seconds))

    frame = pl.DataFrame(
        {
            "start_s": np.arange(float(seconds)),
            "length_s": np.ones(seconds),
            "completions": 80 * (1 + noise * draw.standard_normal(seconds)),
            "guest_cpu": noisy(0.4),
            "vdisk": noisy(0.2),
            "disk": noisy(0.1),
        }
    )
    return TimeSeries(frame, {}, {"host_cpu": "no task counters"}, flags)


def judged(given: TimeSeries | str, responses=None, length_s=120.0) -> dict[str, str]:
    found = check_stationarity(given, pl.DataFrame() if responses is None else responses, length_s)
    return {check.check.removeprefix("steady "): check.result for check in found}


def test_a_steady_load_is_steady_and_one_that_grows_is_not():
    assert judged(series()) == {
        "throughput": PASSED,
        "CPU time a request in the guest": PASSED,
        "CPU time a request on the host": NOT_EVALUATED,
        "time a request at the guest's disk": PASSED,
        "time a request at the host's disk": PASSED,
        "response time": NOT_EVALUATED,
    }
    grown = judged(series(second_half=1.2))
    assert grown["throughput"] == PASSED
    assert grown["CPU time a request in the guest"] == FAILED
    assert grown["time a request at the guest's disk"] == FAILED
    assert grown["time a request at the host's disk"] == FAILED


def test_throughput_that_falls_is_not_steady():
    falling = series()
    half = pl.when(pl.col("start_s") < 60).then(1.0).otherwise(0.8)
    falling = replace(falling, frame=falling.frame.with_columns(pl.col("completions") * half))
    assert judged(falling)["throughput"] == FAILED


def test_a_difference_within_the_noise_is_inconclusive_and_one_of_no_consequence_passes():
    assert judged(series(1.2, noise=1.0))["CPU time a request in the guest"] == INCONCLUSIVE
    exact = compare_halves(np.array([1.0, 1.001, 1.0, 1.02, 1.021, 1.02]))
    assert exact.p < 0.01 and exact.result == PASSED
    assert compare_halves(np.array([1.0, 1.001, 1.0, 1.2, 1.201, 1.2])).result == FAILED


def test_a_half_that_is_36_percent_more_with_p_0_02_does_not_pass():
    """16.9 requests per second after 12.4 ± 0.62 in windows that scatter: neither steady nor surely not."""
    first = 12.4 + np.array([-3.0, 2.0, -1.0, 3.0, -2.0, 1.0])
    second = 16.9 + np.array([3.2, -2.6, 3.8, -3.4, -2.0, 1.0])
    both = compare_halves(np.concatenate([first, second]))
    assert both.change == pytest.approx(0.363, abs=0.001)
    assert 0.01 < both.p < 0.05
    welch = stats.ttest_ind(second, first, equal_var=False)
    assert both.p == pytest.approx(welch.pvalue)
    assert (both.low, both.high) == pytest.approx(tuple(welch.confidence_interval(0.95)))
    assert both.tolerance == pytest.approx(0.62)
    assert both.result == INCONCLUSIVE


def test_halves_without_scatter_are_told_apart():
    assert compare_halves(np.ones(6)).result == PASSED
    assert compare_halves(np.repeat([1.0, 2.0], 3)).result == FAILED
    assert compare_halves(np.zeros(6)).result == PASSED
    assert compare_halves(np.repeat([0.0, 2.0], 3)).result == FAILED


@pytest.mark.parametrize(
    ("value", "half", "p", "result"),
    [
        (0.01, 0.03, 0.5, PASSED),
        (0.03, 0.01, 0.001, PASSED),  # significant, and of no consequence
        (0.03, 0.03, 0.05, INCONCLUSIVE),
        (0.03, 0.03, 0.001, INCONCLUSIVE),
        (0.36, 0.31, 0.021, INCONCLUSIVE),
        (0.36, 0.20, 0.002, FAILED),
        (-0.36, 0.20, 0.002, FAILED),
        (float("nan"), 0.1, 0.5, INCONCLUSIVE),
    ],
)
def test_three_results_of_a_tested_difference(value, half, p, result):
    assert equivalence_result(value, value - half, value + half, p, 0.0, 0.05) == result


@pytest.mark.parametrize(
    ("low", "high", "result"),
    [(-0.04, 0.05, PASSED), (0.04, 0.06, INCONCLUSIVE), (0.06, 0.2, FAILED), (-1, 1, INCONCLUSIVE)],
)
def test_three_results_of_a_bounded_value(low, high, result):
    assert bounds_result(low, high, 0.0, 0.05) == result


def test_a_page_counts_all_results_and_what_was_not_evaluated():
    checks = [
        GOOD,
        GOOD,
        failed(),
        failed(result=INCONCLUSIVE),
        not_evaluated("b", "why", ("R_cpu",)),
    ]
    said = "2 passed, 1 failed, 1 inconclusive, 1 not evaluated"
    assert result_counts_text(checks_frame("web", checks)) == said


def test_steady_runs_fail_no_more_often_than_the_level_says():
    draw = np.random.default_rng(3)
    wrong = sum(
        compare_halves(10 + 3 * draw.standard_normal(12)).result == FAILED for _ in range(2000)
    )
    assert wrong <= 40  # 1 in 100, twice that allowed for chance


def test_a_load_that_is_short_or_spread_evenly_cannot_be_told():
    assert window_count(60) == window_count(600) == 12 and window_count(20) == 4
    assert set(judged(series(seconds=20), length_s=20.0).values()) == {NOT_EVALUATED}
    spread = judged(series(flags=("nothing says when requests were completed: spread evenly",)))
    assert set(spread.values()) == {NOT_EVALUATED}
    assert set(judged("no log").values()) == {NOT_EVALUATED}


@pytest.mark.parametrize(("later", "passed"), [(1.0, True), (1.5, False)])
def test_response_times_of_interval_lines(later, passed):
    draw = np.random.default_rng(5)
    seconds = np.arange(1.0, 121.0)
    lines = pl.DataFrame(
        {
            "elapsed_s": seconds,
            "response_time_percentile_s": np.where(seconds <= 60, 1.0, later)
            * (1 + 0.1 * draw.standard_normal(120)),
        }
    )
    assert judged(series(), lines)["response time"] == RESULTS[passed]


# -- clocks and instruments -----------------------------------------------------------------------------------


def clocked(unsure_ns: int | None, drift_ns: int | None) -> dict[str, str]:
    run = Run()
    run.roles = {
        role: Role(role, clock_offset_ns=None if unsure_ns is None else 5, clock_uncertainty_ns=unsure_ns)
        for role in ("host", "web")
    }  # fmt: skip
    if drift_ns is not None:
        ends = {
            when: {"offset_ns": offset, "uncertainty_ns": 1000}
            for when, offset in (("before", 0), ("after", drift_ns))
        }
        run.manifest = {"roles": {role: {"clock": ends} for role in ("host", "web")}}
    return {check.check: check.result for check in check_clocks(run, OPEN, WINDOW)}


def test_clocks_that_are_known_well_enough_and_clocks_that_are_not():
    names = [
        f"clock of the {whose}{what}" for whose in ("guest", "host") for what in ("", ", drift")
    ]
    assert clocked(350_000, 700_000) == dict.fromkeys(names, PASSED)
    assert clocked(150_000_000, -300_000_000) == dict.fromkeys(names, FAILED)
    assert clocked(None, None) == dict.fromkeys(names, NOT_EVALUATED)
    assert clocked(350_000, 100_001_500)["clock of the guest, drift"] == INCONCLUSIVE


def comparison(**changed) -> dict:
    row = {
        "role": "web", "virtual_server": "web", "quantity": "CPU time", "subject": None,
        "source_a": "top", "source_b": "counters",
        "outcome": "agree", "message": "0.1 % apart", "dependents": "T_cpu_process",
    }  # fmt: skip
    return {**row, **changed}


def agreed(*rows: dict) -> str:
    frame = pl.DataFrame([*rows], schema={name: CROSS_CHECKS[name] for name in comparison()})
    return of(
        check_source_agreement(OPEN, frame), "instruments agree: CPU time in the guest"
    ).result


def test_instruments_of_a_virtual_server_agree_or_one_of_them_does_not():
    apart = comparison(outcome="disagree")
    assert agreed(comparison(), comparison()) == PASSED
    assert agreed(comparison(), comparison(outcome="within resolution")) == INCONCLUSIVE
    assert agreed(comparison(outcome="within resolution"), apart) == FAILED
    assert agreed(comparison(role="host", virtual_server=None, outcome="disagree")) == FAILED
    assert agreed(comparison(outcome="missing")) == NOT_EVALUATED
    assert agreed(comparison(), {**apart, "virtual_server": "db"}) == PASSED  # not its own
    assert agreed(comparison(), {**apart, "subject": "pid 7"}) == PASSED  # one process of a sum


# -- what rests on what ---------------------------------------------------------------------------------------


def test_what_rests_on_the_hosts_disk():
    assert dependents_of(["T_disk"]) == {
        "T_disk", "U_disk_total", "U_disk_req", "D_disk_req", "R_disk", "R_req", "error_R", "X_mva",
    }  # fmt: skip
    assert dependents_of(["R_client"]) == {"R_client", "N_client", "error_R"}
    assert dependents_of(["all"]) == set(ORDER)


def failed(dependents: tuple[str, ...] = ("R_disk",), **changed) -> Check:
    return replace(
        Check("a check", FAILED, "it failed", dependents, flag="a disk is odd"),
        **changed,
    )


def test_a_failed_check_marks_what_rests_on_it_and_nothing_else():
    frame = ledger(R_disk=1.0, R_req=2.0, R_cpu=0.5, R_vdisk=None)
    checks = checks_frame(
        "web",
        [failed(), failed(("R_vdisk",), result=PASSED), not_evaluated("b", "why", ("R_cpu",))],
    )
    marked = flag_failed_checks(frame, checks)
    assert marked["flags"].to_list() == [[MARKED], [MARKED], None, ["it is not there"]]
    assert marked.drop("flags").equals(frame.drop("flags"))
    assert flag_failed_checks(marked, checks).equals(marked)
    assert flag_failed_checks(frame, checks_frame("db", [failed()])).equals(frame)


def test_everything_of_a_virtual_server_is_marked_but_what_is_missing():
    marked = flag_failed_checks(
        ledger(R_disk=1.0, T=60.0, R_cpu=None), checks_frame("web", [failed(("all",))])
    )
    assert marked["flags"].to_list() == [[MARKED], [MARKED], ["it is not there"]]


def test_a_modelled_throughput_rests_on_residence_times_a_measured_one_does_not():
    frame = ledger(X_req=1.0, X_req__corrected=1.0).with_columns(
        equation=pl.Series(["10", "MVA"], dtype=pl.String)
    )
    assert flag_failed_checks(frame, checks_frame("web", [failed()]))["flags"].to_list() == [
        None,
        [MARKED],
    ]


GOOD = Check("one", PASSED, "fine", ("R_req",))


@pytest.mark.parametrize(
    ("checks", "error", "answer"),
    [
        ([GOOD], None, "yes"),
        ([GOOD], 0.14, "yes"),
        ([GOOD], -0.16, "with caveats"),
        ([GOOD], 0.6, "no"),
        ([GOOD], float("inf"), "no"),
        ([GOOD, failed()], None, "with caveats"),
        ([GOOD, failed(result=INCONCLUSIVE, blocking=True)], None, "yes"),
        ([GOOD, failed(blocking=True)], 0.01, "no"),
        ([GOOD, not_evaluated("two", "why", ("R_req",))], None, "yes"),
        ([GOOD, not_evaluated("two", "why", ("R_req",), blocking=True)], None, "with caveats"),
        ([], None, "with caveats"),
    ],
)
def test_whether_the_model_may_be_believed(checks, error, answer):
    found = model_usable(checks_frame("web", checks), "web", error)
    assert found.answer == answer
    assert bool(found.reasons) is (answer != "yes")


def test_the_gravest_reasons_come_first_and_other_servers_do_not_count():
    checks = pl.concat([
        checks_frame("web", [failed(flag="small"), failed(flag="large", blocking=True)]),
        checks_frame("db", [failed(flag="of others")]),
    ])  # fmt: skip
    assert model_usable(checks, "web").reasons == ("large", "small")


# -- a recorded run -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(root: Path, tmp_path_factory):
    """The shortest recorded run: its ledger and its checks."""
    study = next(s for s in find_studies(root / "data" / "raw") if s.name == "kvm-case-study")
    runs = [run for run in study.runs() if run.window is not None and run.idle_before is not None]
    run = min(runs, key=lambda r: (sum(log.path.stat().st_size for log in r.logs()), r.id))
    processed = tmp_path_factory.mktemp("processed")
    ingest.ingest([run], processed)
    frame = run_ledger(run, processed)
    return frame, check_run(run, study, processed, frame)


def test_every_check_of_a_recorded_run_can_be_told_and_its_root_is_known(recorded):
    frame, checks = recorded
    assert checks.schema == CHECKS
    untold_ = checks.filter(pl.col("result") == NOT_EVALUATED)
    assert set(untold_["check"]) <= {"steady response time", "arrivals' variability"}
    for dependents in checks["dependents"]:
        assert dependents_of(dependents.split(" "))
    told = checks.filter(pl.col("result") != NOT_EVALUATED)
    for name in ("value", "expected", "tolerance"):
        assert told[name].null_count() == 0, name
    assert set(frame["quantity"]) <= set(ORDER)


def test_a_failure_in_a_recorded_run_marks_its_ledger(recorded):
    frame, checks = recorded
    spoiled = checks.with_columns(
        result=pl.when(pl.col("check") == "U ≤ 1 at the host's disk")
        .then(pl.lit(FAILED))
        .otherwise(pl.lit(PASSED)),
        flag=pl.lit("host's disk 130 % busy"),
    )
    marked = flag_failed_checks(frame, spoiled)
    rows = marked.filter(pl.col("flags").list.contains("gate: host's disk 130 % busy"))
    assert set(rows["quantity"]) >= {"T_disk", "U_disk_total", "R_disk", "R_req"}
    assert not set(rows["quantity"]) & {"T_cpu", "R_vdisk", "lambda_total"}
    assert model_usable(spoiled).answer == "no"
