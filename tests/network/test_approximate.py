"""Approximate MVA: accuracy against the exact solution, and utilizations of at most 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.models import closed, load_dependent, network, networks, opened, queue
from pipeline.network.approximate import ResidenceRatio
from pipeline.network.model import ModelError
from pipeline.network.service import Service
from pipeline.network.solve import solve


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 2), st.floats(0.1, 2)), min_size=1, max_size=4),
    st.tuples(st.integers(1, 25), st.integers(1, 25)),
    st.floats(0, 10),
)
def test_linearizer_is_within_three_percent(demands, populations, think):
    """There is no proven bound; the largest error that a search among such networks gave is 2.02 %."""
    rows = [queue(f"s{k}") for k in range(len(demands))]
    think = think if think > 1e-3 else 0.0
    classes = [closed("a", populations[0], think), closed("b", populations[1])]
    model = network(rows, classes, [list(d) for d in demands])
    exact, near, far = (solve(model, m) for m in ("exact", "linearizer", "schweitzer"))
    assert exact.exact
    assert not near.exact
    assert not far.exact
    assert near.throughput == pytest.approx(exact.throughput, rel=0.03)
    assert far.throughput == pytest.approx(exact.throughput, rel=0.2)


def test_one_customer_is_exact_in_any_approximation():
    model = network([queue("a"), queue("b", servers=3)], [closed("x", 1, 2.0)], [[1.0], [3.0]])
    for method in ("schweitzer", "linearizer"):
        assert solve(model, method).throughput[0] == pytest.approx(1 / 6, rel=1e-6)


def test_many_servers_and_load_dependence():
    rows = [queue("a", servers=8), load_dependent("b", 1, 1.8, 2.4), queue("c")]
    classes = [closed("x", 20, 5.0), closed("y", 15), opened("z", 0.2)]
    model = network(rows, classes, [[3.0, 1.0, 2.0], [1.0, 0.5, 1.5], [0.1, 0.4, 0.6]])
    exact, near = solve(model), solve(model, "linearizer")
    assert near.throughput == pytest.approx(exact.throughput, rel=0.02)
    assert near.utilizations == pytest.approx(exact.utilizations, abs=0.02)
    assert near.queue_lengths.sum(axis=1) == pytest.approx(exact.queue_lengths.sum(axis=1), rel=0.1)


def test_asymptotically_exact_for_many_servers():
    for population, gap in ((400, 0.01), (4000, 1e-3), (40_000, 1e-4)):
        model = network([queue("a", servers=300)], [closed("x", population)], [[0.444]])
        assert solve(model, "schweitzer").throughput[0] == pytest.approx(300 / 0.444, rel=gap)


def test_fcfs_reduces_to_product_form():
    """For equal exponential service times the work found on arrival gives product form."""
    classes = [closed("x", 4, 3.0), opened("y", 0.2)]
    demands, visits = [[1.0, 2.0], [0.5, 0.7]], [[1.0, 2.0], [1.0, 1.0]]
    rows = [queue("a", scheduling="fcfs", service_scv=1 + 1e-9), queue("b")]
    near = solve(network(rows, classes, demands, visits))
    assert near.method == "linearizer"
    assert not near.exact
    rows[0].pop("service_scv")
    exact = solve(network(rows, classes, demands, visits))
    assert exact.exact
    assert near.throughput == pytest.approx(exact.throughput, rel=0.01)
    assert near.residence_times == pytest.approx(exact.residence_times, rel=0.03)


def test_fcfs_with_unequal_service_times_is_approximate():
    classes = [closed("x", 4, 3.0), closed("y", 4, 3.0)]
    model = network([queue("a", scheduling="fcfs"), queue("b")], classes, [[2.0, 0.2], [0.5, 0.6]])
    answer = solve(model)
    assert not answer.exact
    assert "different service times" in answer.warnings[0]
    # customers in the same queue wait about as long
    waits = answer.residence_times[0] - np.array([2.0, 0.2])
    assert waits[0] == pytest.approx(waits[1], rel=0.35)
    same_time = network([queue("a", scheduling="fcfs")], classes, [[2.0, 0.2]], [[10.0, 1.0]])
    assert solve(same_time).exact
    for rows in (
        [queue("a", scheduling="fcfs", servers=2)],
        [load_dependent("a", 1, 2, scheduling="fcfs")],
    ):
        answer = solve(network(rows, classes, [[2.0, 0.2]]))
        assert not answer.exact
        assert "taken as PS" in answer.warnings[0]


@settings(max_examples=30, deadline=None)
@given(networks(closeds=3, max_population=40), st.sampled_from(["schweitzer", "linearizer"]))
def test_utilization_is_at_most_one(model, method):
    try:
        answer = solve(model, method)
    except ModelError as error:  # the only other outcome allowed
        assert "did not converge" in str(error)
        return
    for k, station in enumerate(model.stations):
        if station.kind != "delay":
            assert answer.utilizations[k].sum() <= 1 + 1e-6
    inside = ~model.is_open
    cycle = answer.throughput * (answer.response_times + model.think_times)
    assert cycle[inside] == pytest.approx(model.populations[inside], rel=1e-6)


@pytest.mark.parametrize("scv", [0.0, 0.5, 4.0, 100.0])
def test_saturated_fcfs_server_has_utilization_one(scv):
    """For any variability of service times: without think time the server is never idle."""
    row = queue("a", scheduling="fcfs", service_scv=scv)
    answer = solve(network([row], [closed("x", 9)], [[2.0]]))
    assert answer.throughput[0] == pytest.approx(0.5, rel=1e-6)
    mostly = solve(network([row, queue("b")], [closed("x", 60, 1.0)], [[2.0], [0.1]]))
    assert 0.93 <= mostly.utilizations[0, 0] <= 1 + 1e-6


def test_non_poisson_arrivals_with_closed_classes_are_approximate():
    classes = [closed("x", 4, 3.0), opened("y", 0.2, arrival_scv=0.0)]
    answer = solve(network([queue("a")], classes, [[1.0, 1.0]]))
    assert not answer.exact
    assert "Poisson" in answer.warnings[0]


@pytest.mark.parametrize(
    "service", [Service.queue(1), Service.queue(7), Service.load_dependent([1, 1.5, 3])]
)
@pytest.mark.parametrize("load", [0.0, 0.4])
def test_residence_ratio_grows_with_the_queue(service, load):
    ratio = ResidenceRatio(service, load)
    queues = np.logspace(-3, 9, 50)
    ratios = ratio(queues)
    assert np.all(np.diff(ratios) > -1e-9)
    assert ratios[-1] == pytest.approx(queues[-1] / (service.capacity - load), rel=1e-3)
