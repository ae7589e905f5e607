"""Solve: published cases, operational laws and invariances on random networks."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.models import (
    EXAMPLES,
    closed,
    delay,
    load_dependent,
    network,
    networks,
    opened,
    queue,
    think_times,
)
from network.test_model import altered
from pipeline.network.closed import mean_value_analysis, sweep_populations
from pipeline.network.model import ModelError, Network
from pipeline.network.solve import solve

CASES = json.loads((Path(__file__).parent / "queueing-cases.json").read_text())["cases"]


def compare(path, expected, result, tolerance):
    if isinstance(expected, dict):
        for key, value in expected.items():
            compare(f"{path}.{key}", value, result[key], tolerance)
    elif isinstance(expected, list):
        for row in expected:
            (match,) = (r for r in result if r["population"] == row["population"])
            compare(f"{path}[{row['population']}]", row, match, tolerance)
    else:
        rel, tiny = tolerance.get("rel", 0), tolerance.get("abs", 0)
        assert abs(result - expected) <= tiny + rel * abs(expected), path


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case(case):
    answer = solve(Network.from_dict(case["model"]), case["method"]).to_dict()
    compare(case["id"], case["expected"], answer, case["tolerance"])
    assert answer["exact"] is (case["method"] == "exact")
    assert answer["method"] == case["method"]


def test_300_servers_400_customers():
    """All servers are busy all the time: X = 300 / 0.444 s."""
    (case,) = (c for c in CASES if c["id"] == "closed_pdq_aws_300_servers")
    answer = solve(Network.from_dict(case["model"]))
    assert answer.throughput[0] == pytest.approx(300 / 0.444, rel=1e-12)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


PATHS = [
    ["stations"], ["classes"], ["demands"], ["visits"], ["stations", 0], ["stations", 2, "rate_multipliers"],
    ["stations", 0, "servers"], ["classes", 0], ["classes", 1, "population"], ["classes", 1, "think_time"],
    ["demands", "cpu"], ["demands", "cpu", "db"], ["visits", "raid", "web"],
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PATHS), json_values)
def test_any_json_anywhere_is_solved_or_refused(path, value):
    try:
        answer = solve(Network.from_dict(altered(path, value)))
    except ModelError as error:
        assert "\n" not in str(error)
    else:
        json.dumps(answer.to_dict(), allow_nan=False)


def test_bounds_are_refused_for_several_classes():
    for classes in ([closed("x", 5), closed("y", 5)], [opened("x", 0.1)]):
        with pytest.raises(ModelError, match="one closed class"):
            solve(network([queue("a")], classes, [[1.0] * len(classes)]), "bounds")
    with pytest.raises(ModelError, match="1 to 100000"):
        solve(network([queue("a")], [closed("x", 10**9)], [[1.0]]), "bounds")
    with pytest.raises(ModelError, match="method"):
        solve(network([queue("a")], [closed("x", 5)], [[1.0]]), "magic")


def test_knee():
    answer = solve(
        network([queue("a"), queue("b")], [closed("x", 5, 4.0)], [[2.0], [1.0]]), "bounds"
    )
    assert answer.to_dict()["knee"] == pytest.approx(3.5)


@EXAMPLES
@given(networks())
def test_operational_laws(model):
    answer = solve(model)
    assert answer.exact
    x, r, q = answer.throughput, answer.response_times, answer.queue_lengths
    assert r == pytest.approx(answer.residence_times.sum(axis=0))
    assert q == pytest.approx(x * answer.residence_times, rel=1e-9, abs=1e-12)  # Little
    assert np.all(answer.residence_times >= 0)
    for c, customers in enumerate(model.classes):
        if customers.is_open:
            assert x[c] == customers.rate  # flow balance
        else:
            assert x[c] * (r[c] + customers.think_time) == pytest.approx(
                customers.population, rel=1e-9
            )
    for k, station in enumerate(model.stations):
        load = x * model.demands[k]
        used = answer.utilizations[k]
        if station.kind == "queue":
            assert used == pytest.approx(load / station.servers)  # U = X D
        if station.kind == "delay":
            assert used == pytest.approx(load)
            assert q[k] == pytest.approx(load)
        else:
            assert used.sum() <= 1 + 1e-9


@EXAMPLES
@given(networks(), st.randoms(use_true_random=False))
def test_order_changes_nothing(model, chance):
    rows, columns = list(range(len(model.stations))), list(range(len(model.classes)))
    chance.shuffle(rows)
    chance.shuffle(columns)
    other = Network(
        tuple(model.stations[k] for k in rows),
        tuple(model.classes[c] for c in columns),
        model.demands[np.ix_(rows, columns)],
    )
    customers, two = solve(model), solve(other)
    assert two.throughput == pytest.approx(customers.throughput[columns], rel=1e-9)
    assert two.queue_lengths == pytest.approx(
        customers.queue_lengths[np.ix_(rows, columns)], rel=1e-8, abs=1e-11
    )
    assert two.utilizations == pytest.approx(
        customers.utilizations[np.ix_(rows, columns)], rel=1e-8, abs=1e-11
    )


@EXAMPLES
@given(networks(opens=0, closeds=1, max_population=1, kinds=("queue", "many", "delay")))
def test_one_customer_never_waits(model):
    answer = solve(model)
    assert answer.response_times[0] == pytest.approx(model.demands.sum(), rel=1e-10)


@EXAMPLES
@given(networks(opens=0, closeds=1, kinds=("queue", "many", "delay")))
def test_one_more_customer_never_lowers_throughput(model):
    (customers,) = model.classes
    more = closed("c0", customers.population + 1, customers.think_time)
    larger = network(model.to_dict()["stations"], [more], model.demands.tolist())
    assert solve(larger).throughput[0] >= solve(model).throughput[0] * (1 - 1e-12)


@pytest.mark.parametrize("servers", [1, 3])
def test_closed_approaches_open(servers):
    """Many customers who think long come like a Poisson stream of the same rate."""
    rows, rate = [queue("a", servers=servers), queue("b")], 0.7
    demands = [[1.1 if servers > 1 else 0.9], [0.5]]
    limit = solve(network(rows, [opened("x", rate)], demands)).response_times[0]
    gaps = []
    for population in (100, 1000, 10_000):
        think = population / rate - limit
        answer = solve(network(rows, [closed("x", population, think)], demands))
        gaps.append(abs(answer.response_times[0] / limit - 1))
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2]
    assert gaps[2] < 1e-3


@EXAMPLES
@given(st.integers(1, 300), st.integers(1, 400), st.floats(0.01, 10), think_times)
def test_one_multiserver_station_is_a_birth_death_process(servers, population, demand, think):
    """N customers, m servers, think time: the chain's own steady state, by logarithms."""
    answer = solve(
        network([queue("a", servers=servers)], [closed("x", population, think)], [[demand]])
    )
    n = np.arange(population + 1)
    if think == 0:
        expected = min(servers, population) / demand
    else:
        up = np.log((population - n[:-1]) / think)
        down = np.log(np.minimum(n[1:], servers) / demand)
        logs = np.concatenate(([0.0], np.cumsum(up - down)))
        p = np.exp(logs - logs.max())
        expected = (p @ np.minimum(n, servers)) / p.sum() / demand
    assert answer.throughput[0] == pytest.approx(expected, rel=1e-9)


@EXAMPLES
@given(st.lists(st.floats(1e-3, 10), min_size=1, max_size=5), st.integers(1, 200), think_times)
def test_recursion_and_convolution_agree_for_one_class(demands, population, think):
    rows = [queue(f"s{k}") for k in range(len(demands))]
    answer = solve(network(rows, [closed("x", population, think)], [[d] for d in demands]))
    classic = mean_value_analysis(demands, population, think)
    assert answer.throughput[0] == pytest.approx(classic.throughput, rel=1e-11)
    assert answer.queue_lengths[:, 0] == pytest.approx(classic.queue_lengths, rel=1e-9)
    swept = sweep_populations(demands, population, think)
    assert swept.throughput[-1] == pytest.approx(classic.throughput, rel=1e-14)
    assert swept.queue_lengths[-1] == pytest.approx(classic.queue_lengths, rel=1e-14)


def test_demands_of_any_size():
    """Seconds, nanoseconds or centuries: the same network."""
    for unit in (1e-90, 1e-9, 1.0, 1e9, 1e90):
        model = network(
            [queue("a", servers=3), queue("b"), load_dependent("l", 1, 1.5)],
            [closed("x", 30, 5 * unit), opened("y", 0.1 / unit)],
            [[1 * unit, 2 * unit], [0.5 * unit, 1 * unit], [0.2 * unit, 0.3 * unit]],
        )
        answer = solve(model)
        if unit == 1e-90:
            first = answer
        assert answer.throughput * unit == pytest.approx(first.throughput * 1e-90, rel=1e-12)
        assert answer.queue_lengths == pytest.approx(first.queue_lengths, rel=1e-12)


def test_demands_of_very_different_sizes():
    rows = [queue("a"), queue("b", servers=4), delay("c")]
    answer = solve(network(rows, [closed("x", 50, 0)], [[1e-80], [1.0], [1e-40]]))
    assert answer.throughput[0] == pytest.approx(4, rel=1e-12)
    assert answer.queue_lengths[:, 0] == pytest.approx([4e-80, 50, 4e-40], rel=1e-9)
