"""Dispatch: overload, networks too large for the exact solution, empty classes."""

import resource

import pytest

from network.models import closed, delay, load_dependent, network, opened, queue
from pipeline.network.model import ModelError
from pipeline.network.solve import solve


def huge(stations, classes, population, **more):
    rows = [queue(f"s{k}", **more) for k in range(stations)]
    columns = [closed(f"c{c}", population, 1.0) for c in range(classes)]
    table = [[0.1 + (7 * k + 3 * c) % 11 / 10 for c in range(classes)] for k in range(stations)]
    return network(rows, columns, table)


@pytest.mark.parametrize(
    "model",
    [
        huge(2, 1, 10**9),
        huge(2, 1, 2**53),
        huge(2, 3, 10**9),
        huge(3, 2, 10**9, servers=300),
        huge(10_000, 1, 10**9),
        huge(10_000, 5, 50),
        huge(20, 40, 1),
        huge(1, 1500, 10**9),
        network([load_dependent("l", *([1.0] * 500 + [0.5]))], [closed("a", 10**9)], [[1.0]]),
        network([queue("q", servers=10**9)], [closed("a", 9), opened("b", 9e8)], [[1.0, 1.0]]),
    ],
)
def test_too_large_is_approximated_within_memory(model):
    answer = solve(model)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000  # kB
    assert not answer.exact
    assert "too large" in answer.warnings[0]
    x, z = answer.throughput, model.think_times
    inside = ~model.is_open
    balance = (x * (answer.response_times + z))[inside]
    assert balance == pytest.approx(model.populations[inside], rel=1e-6)
    assert (answer.utilizations.sum(axis=1) <= 1 + 1e-6).all()


def test_large_and_exact_all_the_same():
    answer = solve(huge(10_000, 1, 100))
    assert answer.exact
    waiting = network([delay("d"), queue("q")], [closed("a", 10**9, 5.0), closed("b", 3)],
                      [[2.0, 0.0], [0.0, 1.0]])  # fmt: skip
    answer = solve(waiting)  # class a never queues
    assert answer.exact
    assert answer.throughput == pytest.approx([10**9 / 7, 1.0])


def test_empty_classes():
    answer = solve(network([queue("a")], [closed("x", 0), opened("y", 0.5)], [[1.0, 1.0]]))
    assert answer.throughput.tolist() == [0, 0.5]
    assert answer.residence_times[0].tolist() == [0, 2.0]
    assert "no customers" in answer.warnings[0]
    answer = solve(network([queue("a")], [closed("x", 0)], [[0.0]]))
    assert answer.throughput.tolist() == [0]


def test_no_demand():
    answer = solve(network([queue("a"), queue("b")], [closed("x", 5, 2.0)], [[0.0], [0.0]]))
    assert answer.throughput[0] == pytest.approx(2.5)
    assert answer.response_times[0] == 0
    with pytest.raises(ModelError, match="infinite"):
        network([queue("a")], [closed("x", 5)], [[0.0]])
    answer = solve(network([queue("a"), queue("b")], [closed("x", 5)], [[0.0], [0.5]]))
    assert answer.throughput[0] == pytest.approx(2)


def test_overload_names_the_station_and_the_largest_rate():
    model = network(
        [queue("cpu", servers=2), queue("disk")],
        [opened("web", 5.0), opened("batch", 1.0)],
        [[0.3, 0.2], [0.25, 0.5]],
    )
    with pytest.raises(ModelError, match=r"'disk'.*'web' below 2 \(rate is 5\)") as error:
        solve(model)
    assert "\n" not in str(error.value)
    lower = network(
        [queue("cpu", servers=2), queue("disk")], [opened("web", 1.999)], [[0.3], [0.5]]
    )
    assert solve(lower).response_times[0] > 100
    with pytest.raises(ModelError, match=r"'disk'.*below 2 \(rate is 2\)"):
        solve(network([queue("disk")], [opened("web", 2.0)], [[0.5]]))
