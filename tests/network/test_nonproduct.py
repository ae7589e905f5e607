"""Open stations beyond product form."""

import pytest

from network.models import delay, load_dependent, network, opened, queue
from pipeline.network.gg1 import (
    allen_cunneen,
    gi_m_1,
    interarrival_transform,
    kramer_langenbach_belz,
)
from pipeline.network.service import erlang_c
from pipeline.network.solve import solve


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
        assert "no effect" in answer.warnings[0]


def test_fcfs_with_unequal_service_times():
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


def test_fcfs_with_unequal_service_times_at_a_load_dependent_station():
    rows = [load_dependent("l", 1, 2, scheduling="fcfs")]
    answer = solve(network(rows, [opened("x", 0.2), opened("y", 0.5)], [[2.0, 0.4]]))
    assert not answer.exact
    assert "taken as PS" in answer.warnings[0]
