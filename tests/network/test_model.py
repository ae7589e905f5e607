"""Validation of a model file's content."""

import copy
import math

import pytest

from network.models import (
    closed,
    delay,
    document,
    load_dependent,
    opened,
    queue,
)
from pipeline.network.files import format_model, parse_model
from pipeline.network.model import ModelError, Network

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
    ([], "model: "),
    (None, "model: "),
    ({}, "'classes' is missing"),
    (altered(["format"], "queuevisor-network/2"), "format: "),
    (altered(["stations"], []), "stations: "),
    (altered(["stations"], "cpu"), "stations: "),
    (altered(["classes"], {}), "classes: "),
    (without(["demands"]), "'demands' is missing"),
    (without(["demands", "net"]), "demands: station 'net' is missing"),
    (without(["demands", "cpu", "db"]), "demands.cpu: class 'db' is missing"),
    (altered(["demands", "gpu"], {}), "demands: unknown station 'gpu'"),
    (altered(["demands", "cpu", "other"], 1), "demands.cpu: unknown class 'other'"),
    (altered(["demands", "cpu", "db"], -1), "demands.cpu.db: must be a number ≥ 0 (got -1)"),
    (altered(["demands", "cpu", "db"], math.nan), "demands.cpu.db: "),
    (altered(["demands", "cpu", "db"], math.inf), "demands.cpu.db: "),
    (altered(["demands", "cpu", "db"], "1"), "demands.cpu.db: must be a number"),
    (altered(["demands", "cpu", "db"], None), "demands.cpu.db: must be a number"),
    (altered(["demands", "cpu", "db"], True), "demands.cpu.db: must be a number"),
    (
        altered(["demands", "cpu", "db"], 1e300),
        "demands.cpu.db: must be 0 or between 1e-150 and 1e+150",
    ),
    (altered(["demands", "cpu", "db"], 10**5000), "demands.cpu.db: "),
    (
        altered(["stations", 1, "name"], "cpu"),
        "stations[1].name: 'cpu' is already the name of stations[0]",
    ),
    (
        altered(["classes", 1, "name"], "web"),
        "classes[1].name: 'web' is already the name of classes[0]",
    ),
    (altered(["stations", 0, "name"], ""), "stations[0].name: "),
    (altered(["stations", 0, "name"], 7), "stations[0].name: "),
    (
        altered(["stations", 0, "kind"], "fifo"),
        "stations[0].kind: must be queue, delay or load_dependent (got 'fifo')",
    ),
    (without(["stations", 0, "kind"]), "stations[0]: field 'kind' is missing"),
    (altered(["stations", 0, "servers"], 0), "stations[0].servers: must be a whole number from 1"),
    (
        altered(["stations", 0, "servers"], 1.5),
        "stations[0].servers: must be a whole number (got 1.5)",
    ),
    (
        altered(["stations", 0, "servers"], 10**400),
        "stations[0].servers: must be a whole number from 1",
    ),
    (altered(["stations", 1, "servers"], 4), "stations[1].servers: "),
    (altered(["stations", 0, "server"], 4), "stations[0]: unknown field 'server'"),
    (altered(["stations", 0, "rate_multipliers"], [1]), "stations[0].rate_multipliers: "),
    (altered(["stations", 2, "rate_multipliers"], []), "stations[2].rate_multipliers: "),
    (
        altered(["stations", 2, "rate_multipliers"], [1, 0]),
        "rate_multipliers[1]: must be a number above 0 (got 0)",
    ),
    (without(["stations", 2, "rate_multipliers"]), "stations[2].rate_multipliers: "),
    (altered(["stations", 0, "scheduling"], "lifo"), "stations[0].scheduling: "),
    (altered(["stations", 0, "scheduling"], ["ps"]), "stations[0].scheduling: "),
    (altered(["stations", 0, "service_scv"], -1), "stations[0].service_scv: "),
    (altered(["classes", 0, "kind"], "shut"), "classes[0].kind: "),
    (altered(["classes", 0, "rate"], -5), "classes[0].rate: "),
    (without(["classes", 0, "rate"]), "classes[0]: field 'rate' is missing"),
    (altered(["classes", 0, "population"], 5), "classes[0]: unknown field 'population'"),
    (
        altered(["classes", 1, "population"], -1),
        "classes[1].population: must be a whole number from 0",
    ),
    (altered(["classes", 1, "population"], 2.5), "classes[1].population: must be a whole number"),
    (
        altered(["classes", 1, "population"], math.nan),
        "classes[1].population: must be a whole number",
    ),
    (
        altered(["classes", 1, "population"], 10**30),
        "classes[1].population: must be a whole number from 0",
    ),
    (altered(["classes", 1, "think_time"], -0.1), "classes[1].think_time: "),
    (altered(["visits", "cpu", "db"], 0), "visits.cpu.db: "),
    (altered(["visits", "cpu", "db"], -1), "visits.cpu.db: "),
    (altered(["description"], 3), "description: "),
]


def test_round_trip_through_dict():
    network = Network.from_dict(GOOD)
    assert network.to_dict() == GOOD
    assert parse_model(format_model(network)) == network


@pytest.mark.parametrize(("model", "message"), BROKEN, ids=range(len(BROKEN)))
def test_invalid_model_is_refused_with_its_place(model, message):
    with pytest.raises(ModelError) as error:
        Network.from_dict(model)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
