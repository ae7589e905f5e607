"""Models as files: what is no network gets one clear line, whoever wrote it."""

import copy
import json
import math
import resource

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make import closed, delay, document, load_dependent, network, opened, queue

from pipeline.network.files import format_model, parse_model, read_model, write_model
from pipeline.network.model import ModelError, Network
from pipeline.network.solve import solve

GOOD = document(
    [queue("cpu", servers=2), delay("net"), load_dependent("raid", 1, 1.8)],
    [opened("web", 5.0, arrival_scv=0.5), closed("db", 16, 0.1)],
    [[0.01, 0.004], [0.1, 0.0], [0.001, 0.02]],
    [[1, 1], [1, 0], [0.5, 2]],
)


def without(path):
    broken = copy.deepcopy(GOOD)
    *way, last = path
    place = broken
    for step in way:
        place = place[step]
    del place[last]
    return broken


def altered(path, value):
    broken = copy.deepcopy(GOOD)
    *way, last = path
    place = broken
    for step in way:
        place = place[step]
    place[last] = value
    return broken


BROKEN = [
    ([], "model: an object"),
    (None, "model: an object"),
    ({}, "'classes' is missing"),
    (altered(["format"], "queuevisor-network/2"), "format: "),
    (altered(["stations"], []), "stations: a list with at least one"),
    (altered(["stations"], "cpu"), "stations: "),
    (altered(["classes"], {}), "classes: "),
    (without(["demands"]), "'demands' is missing"),
    (without(["demands", "net"]), "demands: station 'net' is missing"),
    (without(["demands", "cpu", "db"]), "demands.cpu: class 'db' is missing"),
    (altered(["demands", "gpu"], {}), "demands: unknown station 'gpu'"),
    (altered(["demands", "cpu", "other"], 1), "demands.cpu: unknown class 'other'"),
    (altered(["demands", "cpu", "db"], -1), "demands.cpu.db: a number that is not negative"),
    (altered(["demands", "cpu", "db"], math.nan), "demands.cpu.db: a finite number"),
    (altered(["demands", "cpu", "db"], math.inf), "demands.cpu.db: a finite number"),
    (altered(["demands", "cpu", "db"], "1"), "demands.cpu.db: a number is expected"),
    (altered(["demands", "cpu", "db"], None), "demands.cpu.db: a number is expected"),
    (altered(["demands", "cpu", "db"], True), "demands.cpu.db: a number is expected"),
    (altered(["demands", "cpu", "db"], 1e300), "demands.cpu.db: 1e"),
    (altered(["demands", "cpu", "db"], 10**5000), "demands.cpu.db: a number of"),
    (
        altered(["stations", 1, "name"], "cpu"),
        "stations[1].name: 'cpu' is the name of stations[0] too",
    ),
    (
        altered(["classes", 1, "name"], "web"),
        "classes[1].name: 'web' is the name of classes[0] too",
    ),
    (altered(["stations", 0, "name"], ""), "stations[0].name: "),
    (altered(["stations", 0, "name"], 7), "stations[0].name: "),
    (altered(["stations", 0, "kind"], "fifo"), "stations[0].kind: "),
    (without(["stations", 0, "kind"]), "stations[0]: field 'kind' is missing"),
    (altered(["stations", 0, "servers"], 0), "stations[0].servers: a whole number from 1"),
    (altered(["stations", 0, "servers"], 1.5), "stations[0].servers: a whole number"),
    (altered(["stations", 0, "servers"], 10**400), "stations[0].servers: a whole number from 1"),
    (altered(["stations", 1, "servers"], 4), "stations[1].servers: only a queue"),
    (altered(["stations", 0, "server"], 4), "stations[0]: unknown field 'server'"),
    (altered(["stations", 0, "rate_multipliers"], [1]), "stations[0].rate_multipliers: only"),
    (altered(["stations", 2, "rate_multipliers"], []), "stations[2].rate_multipliers: "),
    (altered(["stations", 2, "rate_multipliers"], [1, 0]), "rate_multipliers[1]: a number above 0"),
    (without(["stations", 2, "rate_multipliers"]), "stations[2].rate_multipliers: "),
    (altered(["stations", 0, "scheduling"], "lifo"), "stations[0].scheduling: "),
    (altered(["stations", 0, "scheduling"], ["ps"]), "stations[0].scheduling: "),
    (altered(["stations", 0, "service_scv"], -1), "stations[0].service_scv: "),
    (altered(["classes", 0, "kind"], "shut"), "classes[0].kind: "),
    (altered(["classes", 0, "rate"], -5), "classes[0].rate: "),
    (without(["classes", 0, "rate"]), "classes[0]: field 'rate' is missing"),
    (altered(["classes", 0, "population"], 5), "classes[0]: unknown field 'population'"),
    (altered(["classes", 1, "population"], -1), "classes[1].population: a whole number from 0"),
    (altered(["classes", 1, "population"], 2.5), "classes[1].population: a whole number"),
    (altered(["classes", 1, "population"], math.nan), "classes[1].population: a whole number"),
    (altered(["classes", 1, "population"], 10**30), "classes[1].population: a whole number from 0"),
    (altered(["classes", 1, "think_time"], -0.1), "classes[1].think_time: "),
    (altered(["visits", "cpu", "db"], 0), "visits.cpu.db: 0 visits"),
    (altered(["visits", "cpu", "db"], -1), "visits.cpu.db: "),
    (altered(["description"], 3), "description: "),
]


def test_the_good_one_is_good():
    network = Network.from_dict(GOOD)
    assert network.to_dict() == GOOD
    assert parse_model(format_model(network)) == network


@pytest.mark.parametrize(("model", "said"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_network_is_told_where(model, said):
    with pytest.raises(ModelError) as error:
        Network.from_dict(model)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


TEXTS = [
    (b"", "not JSON: line 1"),
    (b"{", "not JSON: line 1"),
    (b"\xff\xfe{}", "not UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a": 1, "a": 2}', 'the key "a" occurs twice'),
    (b'{"stations": NaN}', "NaN is not a number"),
    (b'{"stations": -Infinity}', "-Infinity is not a number"),
    (b'{"stations": ' + b"9" * 10_000 + b"}", "not JSON"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS, ids=range(len(TEXTS)))
def test_what_is_no_json_is_told_where(text, said):
    with pytest.raises(ModelError) as error:
        parse_model(text)
    assert said in str(error.value)


def test_files(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(tmp_path / "none.json")
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(tmp_path)
    path = tmp_path / "model.json"
    network = Network.from_dict(GOOD)
    assert write_model(network, path) == []
    assert read_model(path) == network
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_model(path) == network
    with pytest.raises(ModelError, match="suffix"):
        write_model(network, tmp_path / "model.txt")
    with pytest.raises(ModelError, match="cannot be written"):
        write_model(network, tmp_path / "no" / "model.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json"]


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
        network([load_dependent("l", *([1.0] * 500 + [0.5]))], [closed("a", 10**9)], [[1.0]]),
        network([queue("q", servers=10**9)], [closed("a", 9), opened("b", 9e8)], [[1.0, 1.0]]),
    ],
)
def test_too_large_is_announced_and_bounded(model):
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
    answer = solve(waiting)  # the many meet nobody
    assert answer.exact
    assert answer.throughput == pytest.approx([10**9 / 7, 1.0])


def test_nobody_inside():
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


def test_bounds_are_refused_for_several_classes():
    for classes in ([closed("x", 5), closed("y", 5)], [opened("x", 0.1)]):
        with pytest.raises(ModelError, match="one closed class"):
            solve(network([queue("a")], classes, [[1.0] * len(classes)]), "bounds")
    with pytest.raises(ModelError, match="at most 100000"):
        solve(network([queue("a")], [closed("x", 10**9)], [[1.0]]), "bounds")
    with pytest.raises(ModelError, match="method"):
        solve(network([queue("a")], [closed("x", 5)], [[1.0]]), "magic")


def test_knee():
    answer = solve(
        network([queue("a"), queue("b")], [closed("x", 5, 4.0)], [[2.0], [1.0]]), "bounds"
    )
    assert answer.to_dict()["knee"] == pytest.approx(3.5)
