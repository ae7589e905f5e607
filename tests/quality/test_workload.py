"""The load against the plan: arrival rate, variability of arrivals, errors at the client."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.measure.window import NS_PER_S
from pipeline.quality.check import FAILED, INCONCLUSIVE, NOT_EVALUATED, PASSED, exact_result
from pipeline.quality.workload import (
    check_arrival_rate,
    check_arrival_variability,
    check_client_errors,
)
from pipeline.raw import Window
from quality.samples import CLIENT, CLOSED, OPEN, RESULTS, WINDOW, numbers


@pytest.mark.parametrize(("achieved", "passed"), [(79.0, True), (78.0, False), (None, None)])
def test_arrivals_are_those_that_were_offered(achieved, passed):
    checks = [*check_arrival_rate(OPEN, numbers(X_client=achieved, lambda_total=4800.0))]
    assert [check.result for check in checks] == [RESULTS[passed]]


def test_the_flag_has_both_rates():
    server = replace(OPEN, workload=replace(OPEN.workload, rate_per_s=240.0))
    (check,) = check_arrival_rate(server, numbers(X_client=87.4))
    assert (check.value, check.expected) == (87.4, 240.0)
    assert "87.4" in check.flag and "240" in check.flag


@pytest.mark.parametrize(
    ("achieved", "requests", "result"),
    [
        (80.0, 480_000.0, PASSED),  # ± 0.23: within the 1.6 that are allowed
        (80.0, 4800.0, INCONCLUSIVE),  # ± 2.3: more than the tolerance
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


def test_an_arrival_trace_is_not_random():
    poisson = replace(OPEN, workload=replace(OPEN.workload, arrivals="poisson"))
    given = numbers(X_client=87.0, lambda_total=4800.0)
    (check,) = check_arrival_rate(poisson, given, trace_rate_per_s=87.1)
    assert (check.result, check.expected, check.p) == (PASSED, 87.1, None)


def arrivals(kind: str) -> np.ndarray:
    draw = np.random.default_rng(1)
    gaps = {
        "even": np.full(4800, 1 / 80),
        "poisson": draw.exponential(1 / 80, 4800),
        "bursts": np.repeat(draw.exponential(20 / 80, 240), 20) * (np.arange(4800) % 20 == 0),
    }[kind]
    return WINDOW.start_ns + (np.cumsum(gaps) * NS_PER_S).astype(np.int64)


@pytest.mark.parametrize(
    ("requested", "stream", "passed"),
    [
        ("even", "even", True),
        ("even", "poisson", False),
        ("poisson", "poisson", True),
        ("poisson", "even", False),
        ("poisson", "bursts", False),
    ],
)
def test_the_arrivals_are_spaced_as_the_plan_says(requested, stream, passed):
    server = replace(OPEN, workload=replace(OPEN.workload, arrivals=requested))
    (check,) = check_arrival_variability(server, arrivals(stream), WINDOW)
    assert check.result == RESULTS[passed]


@pytest.mark.parametrize(("swing", "result"), [(8, PASSED), (11, INCONCLUSIVE), (16, FAILED)])
def test_spacing_within_the_noise_is_inconclusive(swing, result):
    """Counts of 80 ± ``swing`` in turn: an index of dispersion of 0.8, 1.5 and 3.3 over a minute."""
    poisson = replace(OPEN, workload=replace(OPEN.workload, arrivals="poisson"))
    counts = [80 + swing * (-1) ** second for second in range(60)]
    at = [
        WINDOW.start_ns + second * NS_PER_S + n * NS_PER_S // count
        for second, count in enumerate(counts)
        for n in range(count)
    ]
    (check,) = check_arrival_variability(poisson, np.array(at), WINDOW)
    assert check.value == pytest.approx(swing**2 / 80, rel=0.05)
    assert check.low < check.value < check.high
    assert check.result == result


def test_spacing_is_not_evaluated_in_a_few_seconds_or_without_a_log():
    short = Window(WINDOW.start_ns, WINDOW.start_ns + 10 * NS_PER_S)
    expected = [NOT_EVALUATED]
    assert [c.result for c in check_arrival_variability(OPEN, arrivals("even"), short)] == expected
    assert [c.result for c in check_arrival_variability(OPEN, "no access log", WINDOW)] == expected
    assert [*check_arrival_variability(CLOSED, arrivals("even"), WINDOW)] == []


@pytest.mark.parametrize(("count", "passed"), [(0, True), (4, True), (5, False), (None, None)])
def test_errors_at_the_client(count, passed):
    check = check_client_errors({**CLIENT, "errors": count, "errors_timeout": count})
    assert check.result == RESULTS[passed]
    assert count != 5 or "timeout: 5" in check.message
