"""What a network is: stations, classes, demands; checked once, here, so that no method has to doubt them.

Symbols as in Lazowska et al., Quantitative System Performance (1984), chapter 3: stations k, classes c, demand
D = V S (visits times service time a visit), population N, think time Z, rate λ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

import numpy as np

from pipeline.network.arrays import Array, Counts, Flags, quotient
from pipeline.network.service import Service

FORMAT = "queuevisor-network/1"
SMALLEST, LARGEST = 1e-150, 1e150
"""A number that is not 0 lies between these, so that no product of a few of them leaves the double's range."""
MOST_CUSTOMERS = 2**53
"""Beyond it a population, or a number of servers, is no longer a whole number as a double."""
MOST_CELLS = 1_000_000
"""Stations times classes."""


class ModelError(ValueError):
    """A model that cannot be solved as it stands; the text says where and why, in one line."""


@dataclass(frozen=True)
class Station:
    """A service centre."""

    name: str
    kind: str = "queue"
    """``queue``, ``delay`` (a server for everybody: IS) or ``load_dependent``."""
    servers: int = 1
    """m, of a queue."""
    rate_multipliers: tuple[float, ...] = ()
    """α(n), n = 1, 2, …, of a load-dependent station; the last one continues."""
    scheduling: str = "ps"
    """``ps``, ``fcfs`` or ``lcfs-pr``."""
    service_scv: float = 1.0
    """Squared coefficient of variation of a service time; felt under FCFS only."""

    @property
    def service(self) -> Service:
        """How fast the station serves n customers."""
        if self.kind == "delay":
            return Service.delay()
        if self.kind == "load_dependent":
            return Service.load_dependent(self.rate_multipliers)
        return Service.queue(self.servers)


@dataclass(frozen=True)
class CustomerClass:
    """Customers of one kind: open (``rate`` in customers a second) or closed (``population``)."""

    name: str
    kind: str
    rate: float = 0.0
    arrival_scv: float = 1.0
    """Squared coefficient of variation of the times between arrivals: 1 is Poisson, 0 evenly spaced."""
    population: int = 0
    think_time: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether customers come from outside."""
        return self.kind == "open"


@dataclass(frozen=True)
class Network:
    """A checked network. ``demands`` and ``visits`` have shape (stations, classes), seconds and counts."""

    stations: tuple[Station, ...]
    classes: tuple[CustomerClass, ...]
    demands: Array
    visits: Array | None = None
    description: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What was lost or assumed when the model was read."""

    @property
    def is_open(self) -> Flags:
        """Which classes are open, shape (classes,)."""
        return np.array([c.is_open for c in self.classes], bool)

    @property
    def rates(self) -> Array:
        """λ, customers a second, 0 for closed classes, shape (classes,)."""
        return np.array([c.rate for c in self.classes], float)

    @property
    def populations(self) -> Counts:
        """N, customers, 0 for open classes, shape (classes,)."""
        return np.array([c.population for c in self.classes], np.int64)

    @property
    def think_times(self) -> Array:
        """Z, seconds, shape (classes,)."""
        return np.array([c.think_time for c in self.classes], float)

    @property
    def services(self) -> tuple[Service, ...]:
        """One for each station."""
        return tuple(station.service for station in self.stations)

    @property
    def service_times(self) -> Array:
        """S = D / V, seconds a visit, shape (stations, classes); one visit where none are given."""
        if self.visits is None:
            return self.demands
        return quotient(self.demands, self.visits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The model file's form."""
        document: dict[str, Any] = {"format": FORMAT}
        if self.description:
            document["description"] = self.description
        document["stations"] = [_row(station) for station in self.stations]
        document["classes"] = [_row(one) for one in self.classes]
        document["demands"] = _named(self, self.demands)
        if self.visits is not None:
            document["visits"] = _named(self, self.visits)
        return document

    @classmethod
    def from_dict(cls, document: object) -> Network:
        """Check a model file's content; raises :class:`ModelError` that names the place."""
        return _network(document)


ALWAYS = {
    "queue": ("kind", "servers"),
    "delay": ("kind",),
    "load_dependent": ("kind", "rate_multipliers"),
    "open": ("rate",),
    "closed": ("population", "think_time"),
}
"""Fields that are written even where they have their default."""


def _row(one: Station | CustomerClass) -> dict[str, Any]:
    row = {}
    for entry in fields(one):
        value = getattr(one, entry.name)
        if value != entry.default or entry.name in ALWAYS[one.kind]:
            row[entry.name] = list(value) if isinstance(value, tuple) else value
    if one.kind == "delay":
        row.pop("scheduling", None)
    return row


def _named(network: Network, table: Array) -> dict[str, dict[str, float]]:
    return {
        s.name: {c.name: float(table[k, i]) for i, c in enumerate(network.classes)}
        for k, s in enumerate(network.stations)
    }


STATION_FIELDS = {"name", "kind", "servers", "rate_multipliers", "scheduling", "service_scv"}
CLASS_FIELDS = {
    "open": {"name", "kind", "rate", "arrival_scv"},
    "closed": {"name", "kind", "population", "think_time"},
}
TOP_FIELDS = {"format", "description", "stations", "classes", "demands", "visits"}
SCHEDULING = ("ps", "fcfs", "lcfs-pr")


def _network(document: object) -> Network:
    top = _fields(document, "model", TOP_FIELDS, {"stations", "classes", "demands"})
    if top.get("format", FORMAT) != FORMAT:
        fail("format", f"{FORMAT!r} is what can be read, not {short(top['format'])}")
    description = top.get("description", "")
    if not isinstance(description, str):
        expected("description", "a text", description)
    stations = _each(top["stations"], "stations", _station)
    classes = _each(top["classes"], "classes", _customer_class)
    if len(stations) * len(classes) > MOST_CELLS:
        count = f"{len(stations)} stations times {len(classes)} classes"
        fail("stations", f"{count} exceed {MOST_CELLS}")
    names = [s.name for s in stations], [c.name for c in classes]
    demands = _table(top["demands"], "demands", *names)
    visits = _table(top["visits"], "visits", *names) if "visits" in top else None
    network = Network(tuple(stations), tuple(classes), demands, visits, description)
    _check_sense(network)
    return network


def _check_sense(network: Network) -> None:
    """What each part allows and the whole does not."""
    if network.visits is not None:
        for k, c in np.argwhere((network.visits == 0) & (network.demands > 0)):
            path = f"visits.{network.stations[k].name}.{network.classes[c].name}"
            fail(path, f"0 visits cannot have a demand of {network.demands[k, c]:g} s")
    for c, one in enumerate(network.classes):
        idle = one.think_time == 0 and not np.any(network.demands[:, c] > 0)
        if not one.is_open and one.population > 0 and idle:
            fail(
                f"classes[{c}]",
                f"closed class {one.name!r} has neither a demand nor a think time: "
                "its throughput would be infinite",
            )


def _list(rows: object, path: str, wrong: str) -> Sequence[Any]:
    """``rows``, a list with at least one entry; ``wrong`` is said of anything else."""
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        fail(path, wrong)
    if len(rows) > MOST_CELLS:
        fail(path, f"{len(rows)} entries exceed {MOST_CELLS}")
    return rows


def _each(rows: object, path: str, read: Callable[[object, str], Any]) -> list[Any]:
    wrong = f"a list with at least one entry is expected, not {short(rows)}"
    found: dict[str, int] = {}
    result = []
    for i, row in enumerate(_list(rows, path, wrong)):
        one = read(row, f"{path}[{i}]")
        first = found.setdefault(one.name, i)
        if first != i:
            fail(f"{path}[{i}].name", f"{short(one.name)} is the name of {path}[{first}] too")
        result.append(one)
    return result


def _station(row: object, path: str) -> Station:
    row = _fields(row, path, STATION_FIELDS, {"name", "kind"})
    name, kind = _name(row, path), row["kind"]
    if kind not in ("queue", "delay", "load_dependent"):
        expected(f"{path}.kind", "queue, delay or load_dependent", kind)
    servers = _whole(row.get("servers", 1), f"{path}.servers", least=1)
    if servers != 1 and kind != "queue":
        fail(f"{path}.servers", f"only a queue has servers, not a {kind} station")
    multipliers: tuple[float, ...] = ()
    where = f"{path}.rate_multipliers"
    if kind == "load_dependent":
        wrong = "a load_dependent station needs a list of numbers"
        given = _list(row.get("rate_multipliers"), where, wrong)
        multipliers = tuple(_number(x, f"{where}[{i}]", positive=True) for i, x in enumerate(given))
    elif "rate_multipliers" in row:
        fail(where, f"only a load_dependent station has them, not a {kind}")
    scheduling = row.get("scheduling", "ps")
    if scheduling not in SCHEDULING:
        known = ", ".join(SCHEDULING)
        fail(f"{path}.scheduling", f"{known} are known, not {short(scheduling)}")
    scv = _number(row.get("service_scv", 1.0), f"{path}.service_scv")
    return Station(name, kind, servers, multipliers, scheduling, scv)


def _customer_class(row: object, path: str) -> CustomerClass:
    kind = _object(row, path).get("kind")
    if kind not in ("open", "closed"):
        expected(f"{path}.kind", "open or closed", kind)
    need = {"name", "kind", "rate" if kind == "open" else "population"}
    row = _fields(row, path, CLASS_FIELDS[kind], need)
    name = _name(row, path)
    if kind == "open":
        rate = _number(row["rate"], f"{path}.rate")
        scv = _number(row.get("arrival_scv", 1.0), f"{path}.arrival_scv")
        return CustomerClass(name, kind, rate=rate, arrival_scv=scv)
    population = _whole(row["population"], f"{path}.population")
    think = _number(row.get("think_time", 0.0), f"{path}.think_time")
    return CustomerClass(name, kind, population=population, think_time=think)


def _table(rows: object, path: str, stations: list[str], classes: list[str]) -> Array:
    rows = _fields(rows, path, set(stations), set(stations), what="station")
    known = set(classes)
    values = np.zeros((len(stations), len(classes)))
    for k, station in enumerate(stations):
        row = _fields(rows[station], f"{path}.{station}", known, known, what="class")
        for c, name in enumerate(classes):
            values[k, c] = _number(row[name], f"{path}.{station}.{name}")
    return values


def _object(row: object, path: str) -> Mapping[str, Any]:
    return row if isinstance(row, Mapping) else expected(path, "an object", row)


def _fields(
    row: object, path: str, known: set[str], needed: set[str], what: str = "field"
) -> Mapping[str, Any]:
    row = _object(row, path)
    for key in row:
        if key not in known:
            fail(path, f"unknown {what} {short(key)}")
    for key in sorted(needed - set(row)):
        hint = " (0 where a class does not come)" if what == "class" else ""
        fail(path, f"{what} {short(key)} is missing{hint}")
    return row


def _name(row: Mapping[str, Any], path: str) -> str:
    name = row["name"]
    if not isinstance(name, str) or not name.strip():
        expected(f"{path}.name", "a text that is not empty", name)
    return name


def _number(value: object, path: str, positive: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        expected(path, "a number", value)
    if isinstance(value, float) and not math.isfinite(value):
        expected(path, "a finite number", value)
    if value < 0 or (positive and value == 0):
        what = "above 0" if positive else "that is not negative"
        expected(path, f"a number {what}", value)
    if value != 0 and not SMALLEST <= value <= LARGEST:
        fail(path, f"{short(value)} is outside {SMALLEST:g} to {LARGEST:g}")
    return float(value)


def _whole(value: object, path: str, least: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        expected(path, "a whole number", value)
    if not least <= value <= MOST_CUSTOMERS:
        expected(path, f"a whole number from {least} to {MOST_CUSTOMERS}", value)
    if value != int(value):
        expected(path, "a whole number", value)
    return int(value)


def fail(path: str, why: str) -> NoReturn:
    """Complain about the place ``path`` of a model."""
    raise ModelError(f"{path}: {why}")


def expected(path: str, what: str, value: object) -> NoReturn:
    """Complain that ``what`` is expected at ``path``, and not ``value``."""
    fail(path, f"{what} is expected, not {short(value)}")


def short(value: object) -> str:
    """``value`` as it may stand in a message: one line, however long it is."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
