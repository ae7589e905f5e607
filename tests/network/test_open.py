"""Open stations: many servers, uneven arrivals, sweeps, overload."""

import math

import numpy as np
import pytest
from make import delay, load_dependent, network, opened, queue

from pipeline.network.gg1 import (
    allen_cunneen,
    gi_m_1,
    interarrival_transform,
    kingman_bound,
    kramer_langenbach_belz,
    pollaczek_khinchine,
)
from pipeline.network.model import ModelError
from pipeline.network.open import solve_open
from pipeline.network.service import Service, erlang_c, log_poisson, mean_number
from pipeline.network.solve import solve


def erlang_by_recursion(servers, load):
    blocked = 1.0
    for m in range(1, servers + 1):
        blocked = load * blocked / (m + load * blocked)
    rho = load / servers
    return blocked / (1 - rho * (1 - blocked))


@pytest.mark.parametrize("servers", [1, 2, 4, 31, 300, 5000])
@pytest.mark.parametrize("rho", [1e-6, 0.01, 0.5, 0.9, 0.999, 1 - 1e-9])
def test_erlang_c(servers, rho):
    expected = erlang_by_recursion(servers, servers * rho)
    assert float(erlang_c(servers, servers * rho)) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_erlang_c_with_a_million_servers():
    """Halfin and Whitt 1981: m = a + β √m waits with probability 1 / (1 + β Φ(β)/φ(β))."""
    m, beta = 1e6, 1.0
    density = math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
    expected = 1 / (1 + beta * (0.5 * math.erfc(-beta / math.sqrt(2))) / density)
    assert float(erlang_c(m, m - beta * math.sqrt(m))) == pytest.approx(expected, rel=2e-3)


def test_poisson_probabilities():
    for mean in (0.3, 5.0, 99.0, 3000.0):
        n = np.arange(0, 400)
        expected = n * math.log(mean) - mean - np.array([math.lgamma(k + 1) for k in n])
        assert log_poisson(n, mean) == pytest.approx(expected, rel=1e-12, abs=1e-10)


def test_load_dependent_like_many_servers():
    load = np.linspace(0, 2.9, 30)
    number, busy = mean_number(Service.load_dependent([1, 2, 3]), load)
    other, also_busy = mean_number(Service.queue(3), load)
    assert number == pytest.approx(other)
    assert busy == pytest.approx(also_busy, abs=1e-12)


def test_a_sweep_is_one_call():
    rates = np.linspace(0, 0.5, 1001)
    services = [
        Service.queue(),
        Service.queue(2),
        Service.delay(),
        Service.load_dependent([1, 1.5]),
    ]
    demands = np.array([[1.0], [2.5], [3.0], [0.7]])
    found = solve_open(rates[:, None], demands, services)
    assert found.response_times.shape == (1001, 1)
    assert found.residence_times[:, 0, 0] == pytest.approx(1 / (1 - rates))
    assert found.is_stable.all()
    model = network(
        [queue("a"), queue("b", servers=2), delay("c"), load_dependent("d", 1, 1.5)],
        [opened("x", 0.4)],
        demands.tolist(),
    )
    at = int(np.argmin(np.abs(rates - 0.4)))
    assert found.response_times[at, 0] == pytest.approx(solve(model).response_times[0], rel=1e-3)
    # demands may vary too
    varied = solve_open([0.4], demands * np.array([1.0, 1.1])[:, None, None], services)
    assert varied.response_times.shape == (2, 1)


def test_a_sweep_past_saturation_is_told():
    found = solve_open([[0.9], [1.0], [1.1]], [[1.0]], [Service.queue()])
    assert found.is_stable.tolist() == [True, False, False]
    assert np.isinf(found.response_times[1:]).all()


def test_overload_names_the_station_and_the_largest_rate():
    model = network(
        [queue("cpu", servers=2), queue("disk")],
        [opened("web", 5.0), opened("batch", 1.0)],
        [[0.3, 0.2], [0.25, 0.5]],
    )
    with pytest.raises(ModelError, match=r"'disk'.*'web' must stay below 2, not 5") as error:
        solve(model)
    assert "\n" not in str(error.value)
    lower = network(
        [queue("cpu", servers=2), queue("disk")], [opened("web", 1.999)], [[0.3], [0.5]]
    )
    assert solve(lower).response_times[0] > 100
    with pytest.raises(ModelError, match=r"'disk'.*below 2, not 2"):
        solve(network([queue("disk")], [opened("web", 2.0)], [[0.5]]))


def test_evenly_spaced_arrivals():
    """D/M/1 at ρ = 0.5 waits 0.2550 S; Krämer and Langenbach-Belz say 0.2567, Allen and Cunneen 0.5."""
    assert gi_m_1(interarrival_transform(0.5, 0), 0.5, 1.0) == pytest.approx(0.2550, abs=1e-4)
    assert float(kramer_langenbach_belz(0.5, 1, 1, 0, 1)) == pytest.approx(0.2567, abs=1e-4)
    assert float(allen_cunneen(0.5, 1, 1, 0, 1)) == pytest.approx(0.5)
    answer = solve(network([queue("a")], [opened("x", 0.5, arrival_scv=0)], [[1.0]]))
    assert not answer.exact
    assert answer.residence_times[0, 0] == pytest.approx(1.2550, abs=1e-4)
    assert "GI/M/1" in answer.warnings[0]
    row = answer.to_dict()["stations"]["a"]["x"]
    assert row["waiting_time"] == pytest.approx(0.2550, abs=1e-4)
    assert row["waiting_time"] < row["waiting_time_bound"]


@pytest.mark.parametrize("scv", [0, 0.01, 0.5, 1, 2, 16])
@pytest.mark.parametrize("rho", [1e-3, 0.3, 0.9, 0.9999])
def test_gi_m_1(scv, rho):
    wait = gi_m_1(interarrival_transform(rho, scv), rho, 1.0)
    bound = float(kingman_bound(rho, 1, 1, scv, 1))
    assert 0 <= wait <= bound * (1 + 1e-9)
    if scv == 1:
        assert wait == pytest.approx(rho / (1 - rho), rel=1e-7)
    if scv == 0.5:  # Erlang-2: σ solves σ = (2ρ / (2ρ + 1 − σ))²
        sigma = wait / (1 + wait)
        assert sigma == pytest.approx((2 * rho / (2 * rho + 1 - sigma)) ** 2, rel=1e-6)


def test_formulas_agree_where_they_must():
    rate, s = 0.8, 1.0
    assert float(pollaczek_khinchine(rate, s, 0)) == pytest.approx(2.0)
    for scv in (0, 0.5, 4):
        exact = float(pollaczek_khinchine(rate, s, scv))
        assert float(allen_cunneen(rate, s, 1, 1, scv)) == pytest.approx(exact)
        assert float(kramer_langenbach_belz(rate, s, 1, 1, scv)) == pytest.approx(exact)
        assert exact <= float(kingman_bound(rate, s, 1, 1, scv))
    assert math.isinf(float(allen_cunneen(1.2, 1, 1, 1, 1)))


def test_bursty_arrivals_at_many_servers():
    answer = solve(network([queue("a", servers=3, service_scv=2, scheduling="fcfs")],
                           [opened("x", 2.4, arrival_scv=4)], [[1.0]]))  # fmt: skip
    expected = float(erlang_c(3, 2.4)) / (3 - 2.4) * (4 + 2) / 2
    assert answer.to_dict()["stations"]["a"]["x"]["waiting_time"] == pytest.approx(expected)
    assert answer.method == "Allen-Cunneen"
    assert not answer.exact


def test_m_g_1_is_exact_only_where_arrivals_are_surely_poisson():
    row = queue("a", scheduling="fcfs", service_scv=3)
    alone = solve(network([row, delay("z")], [opened("x", 0.5)], [[1.0], [4.0]]))
    assert alone.exact
    assert alone.residence_times[0, 0] == pytest.approx(1 + 0.5 * 2 / 0.5)
    behind = solve(network([row, queue("b")], [opened("x", 0.5)], [[1.0], [0.5]]))
    assert not behind.exact
    assert behind.residence_times[0, 0] == pytest.approx(alone.residence_times[0, 0])


def test_insensitive_disciplines_do_not_see_the_service_scv():
    for scheduling in ("ps", "lcfs-pr"):
        row = queue("a", scheduling=scheduling, service_scv=9)
        answer = solve(network([row], [opened("x", 0.5)], [[1.0]]))
        assert answer.exact
        assert answer.residence_times[0, 0] == pytest.approx(2)
        assert "insensitive" in answer.warnings[0]


def test_fcfs_with_unlike_classes():
    rows, classes = [queue("a", scheduling="fcfs")], [opened("x", 0.2), opened("y", 0.5)]
    answer = solve(network(rows, classes, [[2.0, 0.4]]))
    assert not answer.exact
    wait = (0.2 * 2 * 2.0**2 + 0.5 * 2 * 0.4**2) / 2 / (1 - 0.6)
    assert answer.residence_times[0] == pytest.approx([wait + 2.0, wait + 0.4])
    # the same service time a visit, on different numbers of visits: product form
    same = solve(network(rows, classes, [[2.0, 0.4]], [[5.0, 1.0]]))
    assert same.exact
    assert same.residence_times[0] == pytest.approx([2.0 / 0.4, 0.4 / 0.4])
    row = same.to_dict()["stations"]["a"]["x"]
    assert row["throughput"] == pytest.approx(1.0)  # X_m = λ V_m
    assert row["service_time"] == pytest.approx(0.4)


def test_fcfs_with_unlike_classes_at_a_load_dependent_station():
    rows = [load_dependent("l", 1, 2, scheduling="fcfs")]
    answer = solve(network(rows, [opened("x", 0.2), opened("y", 0.5)], [[2.0, 0.4]]))
    assert not answer.exact
    assert "taken as PS" in answer.warnings[0]


def test_nobody_comes():
    answer = solve(
        network([queue("a"), load_dependent("l", 2.0, 3.0)], [opened("x", 0.0)], [[1.0], [1.0]])
    )
    assert answer.throughput[0] == 0
    assert answer.residence_times[:, 0] == pytest.approx([1.0, 0.5])


def test_bad_arrays_are_refused():
    for rates, demands in (([1.0, 1.0], [[1.0]]), ([-1.0], [[1.0]]), ([float("nan")], [[1.0]])):
        with pytest.raises(ValueError, match=r"\w"):
            solve_open(rates, demands, [Service.queue()])
