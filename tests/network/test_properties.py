"""Laws that any answer has to obey, on random networks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make import closed, delay, load_dependent, network, opened, queue

from pipeline.network import bounds
from pipeline.network.approximate import Stretch
from pipeline.network.closed import mean_value_analysis, sweep_populations
from pipeline.network.model import Network
from pipeline.network.service import Service
from pipeline.network.solve import solve

demand = st.one_of(st.floats(1e-4, 5), st.just(0.0))
thinking = st.one_of(st.just(0.0), st.floats(1e-6, 100))
EVERY = settings(max_examples=30, deadline=None)


@st.composite
def stations(draw, kinds=("queue", "many", "delay", "load_dependent")):
    made = []
    for i in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds))
        if kind == "queue":
            made.append(queue(f"s{i}", scheduling=draw(st.sampled_from(["ps", "lcfs-pr"]))))
        elif kind == "many":
            made.append(queue(f"s{i}", servers=draw(st.integers(2, 40))))
        elif kind == "delay":
            made.append(delay(f"s{i}"))
        else:
            alphas = draw(st.lists(st.floats(0.5, 4), min_size=1, max_size=5))
            made.append(load_dependent(f"s{i}", *alphas))
    return made


@st.composite
def networks(draw, opens=2, closeds=2, most=12, **kinds):
    rows = draw(stations(**kinds))
    classes = []
    for c in range(draw(st.integers(0 if closeds else 1, opens))):
        classes.append(opened(f"o{c}", draw(st.floats(0.01, 1))))
    for c in range(draw(st.integers(0 if classes else 1, closeds))):
        classes.append(closed(f"c{c}", draw(st.integers(1, most)), draw(st.floats(0.01, 20))))
    table = np.array([[draw(demand) for _ in classes] for _ in rows])
    capacity = np.array([s.capacity for s in network(rows, classes, table).services])
    rates = np.array([c.get("rate", 0.0) for c in classes])
    full = ((table @ rates) / capacity).max(initial=0)
    if full > 0.9:  # open classes leave a tenth
        table[:, rates > 0] *= 0.9 / full
    table[table < 1e-90] = 0
    return network(rows, classes, table.tolist())


@EVERY
@given(networks())
def test_operational_laws(model):
    answer = solve(model)
    assert answer.exact
    x, r, q = answer.throughput, answer.response_times, answer.queue_lengths
    assert r == pytest.approx(answer.residence_times.sum(axis=0))
    assert q == pytest.approx(x * answer.residence_times, rel=1e-9, abs=1e-12)  # Little
    assert np.all(answer.residence_times >= 0)
    for c, one in enumerate(model.classes):
        if one.is_open:
            assert x[c] == one.rate  # flow balance
        else:
            assert x[c] * (r[c] + one.think_time) == pytest.approx(one.population, rel=1e-9)
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


@EVERY
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
    one, two = solve(model), solve(other)
    assert two.throughput == pytest.approx(one.throughput[columns], rel=1e-9)
    assert two.queue_lengths == pytest.approx(
        one.queue_lengths[np.ix_(rows, columns)], rel=1e-8, abs=1e-11
    )
    assert two.utilizations == pytest.approx(
        one.utilizations[np.ix_(rows, columns)], rel=1e-8, abs=1e-11
    )


@EVERY
@given(networks(opens=0, closeds=1, most=1, kinds=("queue", "many", "delay")))
def test_one_customer_never_waits(model):
    answer = solve(model)
    assert answer.response_times[0] == pytest.approx(model.demands.sum(), rel=1e-10)


@EVERY
@given(networks(opens=0, closeds=1, kinds=("queue", "many", "delay")))
def test_one_more_customer_never_lowers_throughput(model):
    (one,) = model.classes
    more = closed("c0", one.population + 1, one.think_time)
    larger = network(model.to_dict()["stations"], [more], model.demands.tolist())
    assert solve(larger).throughput[0] >= solve(model).throughput[0] * (1 - 1e-12)


@EVERY
@given(networks(opens=0, closeds=1, most=40, kinds=("queue", "delay")))
def test_exact_lies_inside_all_bounds(model):
    waits = np.array([s.kind == "queue" for s in model.stations])
    if not model.demands[waits].any():
        return
    x, r = solve(model).throughput[0], solve(model).response_times[0]
    answer = solve(model, "bounds").to_dict()["bounds"]
    assert set(answer) == set(bounds.FAMILIES)
    for rows in answer.values():
        assert len(rows) == model.classes[0].population
        last = rows[-1]
        assert last["X_lower"] * (1 - 1e-9) <= x <= last["X_upper"] * (1 + 1e-9)
        slack = 1e-9 * (r + model.classes[0].think_time)
        assert last["R_lower"] - slack <= r <= last["R_upper"] + slack


@EVERY
@given(networks(opens=0, closeds=1, most=40))
def test_exact_lies_inside_the_asymptotes_whatever_serves(model):
    waits = np.array([s.kind != "delay" for s in model.stations])
    if not model.demands[waits].any():
        return
    x = solve(model).throughput[0]
    last = solve(model, "bounds").to_dict()["bounds"]["aba"][-1]
    assert last["X_lower"] * (1 - 1e-9) <= x <= last["X_upper"] * (1 + 1e-9)


@EVERY
@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=6), st.floats(0, 50), st.integers(1, 80))
def test_bounds_of_every_population(demands, think, most):
    exact = sweep_populations(demands, most, think).throughput[1:]
    n = np.arange(1, most + 1)
    for family in (bounds.asymptotic, bounds.balanced, bounds.proportional, bounds.geometric):
        found = family(demands, n, think)
        assert np.all(found.x_lower <= exact * (1 + 1e-9))
        assert np.all(exact <= found.x_upper * (1 + 1e-9))
        assert np.all(found.r_lower <= found.r_upper * (1 + 1e-9))


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


@EVERY
@given(st.integers(1, 300), st.integers(1, 400), st.floats(0.01, 10), thinking)
def test_one_station_with_many_servers_against_its_birth_and_death(
    servers, population, demand, think
):
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


@EVERY
@given(st.lists(st.floats(1e-3, 10), min_size=1, max_size=5), st.integers(1, 200), thinking)
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


@pytest.mark.parametrize(
    "service", [Service.queue(1), Service.queue(7), Service.load_dependent([1, 1.5, 3])]
)
@pytest.mark.parametrize("load", [0.0, 0.4])
def test_stretch_grows_with_the_queue(service, load):
    stretch = Stretch(service, load)
    queues = np.logspace(-3, 9, 50)
    found = stretch(queues)
    assert np.all(np.diff(found) > -1e-9)
    assert found[-1] == pytest.approx(queues[-1] / (service.capacity - load), rel=1e-3)
