"""What a network is: stations, classes, demands; checked once, here, so that no method has to doubt them.

Symbols as in Lazowska et al., Quantitative System Performance (1984), chapter 3: stations k, classes c, demand
D = V S (visits times service time a visit), population N, think time Z, rate λ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.network.service import Service

FORMAT = "queuevisor-network/1"
SMALLEST, LARGEST = 1e-150, 1e150
"""A number that is not 0 lies between these, so that no product of a few of them leaves the double's range."""
MOST_CUSTOMERS = 2**53
"""Beyond it a population, or a number of servers, is no longer a whole number as a double."""
MOST_CELLS = 1_000_000
"""Stations times classes."""

Array = NDArray[np.float64]


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
    def is_open(self) -> NDArray[np.bool_]:
        """Which classes are open, shape (classes,)."""
        return np.array([c.is_open for c in self.classes], bool)

    @property
    def rates(self) -> Array:
        """λ, customers a second, 0 for closed classes, shape (classes,)."""
        return np.array([c.rate for c in self.classes], float)

    @property
    def populations(self) -> NDArray[np.int64]:
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
        return np.divide(
            self.demands, self.visits, out=np.zeros_like(self.demands), where=self.visits > 0
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The model file's form."""
        return _to_dict(self)

    @classmethod
    def from_dict(cls, document: object) -> Network:
        """Check a model file's content; raises :class:`ModelError` that names the place."""
        return _Reader(document).network()


def _to_dict(network: Network) -> dict[str, Any]:
    stations = []
    for s in network.stations:
        row: dict[str, Any] = {"name": s.name, "kind": s.kind}
        if s.kind == "queue":
            row["servers"] = s.servers
        if s.kind == "load_dependent":
            row["rate_multipliers"] = list(s.rate_multipliers)
        if s.kind != "delay" and s.scheduling != "ps":
            row["scheduling"] = s.scheduling
        if s.service_scv != 1:
            row["service_scv"] = s.service_scv
        stations.append(row)
    classes = []
    for c in network.classes:
        row = {"name": c.name, "kind": c.kind}
        if c.is_open:
            row["rate"] = c.rate
            if c.arrival_scv != 1:
                row["arrival_scv"] = c.arrival_scv
        else:
            row |= {"population": c.population, "think_time": c.think_time}
        classes.append(row)
    document: dict[str, Any] = {"format": FORMAT}
    if network.description:
        document["description"] = network.description
    document |= {"stations": stations, "classes": classes}
    document["demands"] = _named(network, network.demands)
    if network.visits is not None:
        document["visits"] = _named(network, network.visits)
    return document


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


class _Reader:
    """Walks a document and complains with the path of what is wrong."""

    def __init__(self, document: object):
        self.document = document

    def network(self) -> Network:
        top = self.fields(self.document, "model", TOP_FIELDS, {"stations", "classes", "demands"})
        said = top.get("format", FORMAT)
        if said != FORMAT:
            fail("format", f"{FORMAT!r} is what can be read, not {short(said)}")
        description = top.get("description", "")
        if not isinstance(description, str):
            fail("description", f"a text is expected, not {short(description)}")
        stations = self.each(top["stations"], "stations", self.station)
        classes = self.each(top["classes"], "classes", self.customer_class)
        if len(stations) * len(classes) > MOST_CELLS:
            fail(
                "stations",
                f"{len(stations)} stations times {len(classes)} classes exceed {MOST_CELLS}",
            )
        names = [s.name for s in stations], [c.name for c in classes]
        demands = self.table(top["demands"], "demands", *names)
        visits = self.table(top["visits"], "visits", *names) if "visits" in top else None
        network = Network(tuple(stations), tuple(classes), demands, visits, description)
        self.sense(network)
        return network

    def sense(self, network: Network) -> None:
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

    def each(self, rows: object, path: str, read: Any) -> list[Any]:
        if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
            fail(path, f"a list with at least one entry is expected, not {short(rows)}")
        if len(rows) > MOST_CELLS:
            fail(path, f"{len(rows)} entries exceed {MOST_CELLS}")
        found: dict[str, int] = {}
        result = []
        for i, row in enumerate(rows):
            one = read(row, f"{path}[{i}]")
            if one.name in found:
                fail(
                    f"{path}[{i}].name",
                    f"{short(one.name)} is the name of {path}[{found[one.name]}] too",
                )
            found[one.name] = i
            result.append(one)
        return result

    def station(self, row: object, path: str) -> Station:
        row = self.fields(row, path, STATION_FIELDS, {"name", "kind"})
        name, kind = self.name(row, path), row["kind"]
        if kind not in ("queue", "delay", "load_dependent"):
            fail(f"{path}.kind", f"queue, delay or load_dependent is expected, not {short(kind)}")
        servers = self.whole(row.get("servers", 1), f"{path}.servers", least=1)
        if servers != 1 and kind != "queue":
            fail(f"{path}.servers", f"only a queue has servers, not a {kind} station")
        multipliers: tuple[float, ...] = ()
        if kind == "load_dependent":
            given = row.get("rate_multipliers")
            if not isinstance(given, Sequence) or isinstance(given, str) or not given:
                fail(f"{path}.rate_multipliers", "a load_dependent station needs a list of numbers")
            if len(given) > MOST_CELLS:
                fail(f"{path}.rate_multipliers", f"{len(given)} entries exceed {MOST_CELLS}")
            multipliers = tuple(
                self.number(x, f"{path}.rate_multipliers[{i}]", positive=True)
                for i, x in enumerate(given)
            )
        elif "rate_multipliers" in row:
            fail(
                f"{path}.rate_multipliers", f"only a load_dependent station has them, not a {kind}"
            )
        scheduling = row.get("scheduling", "ps")
        if scheduling not in SCHEDULING:
            fail(
                f"{path}.scheduling", f"{', '.join(SCHEDULING)} are known, not {short(scheduling)}"
            )
        scv = self.number(row.get("service_scv", 1.0), f"{path}.service_scv")
        return Station(name, kind, servers, multipliers, scheduling, scv)

    def customer_class(self, row: object, path: str) -> CustomerClass:
        if not isinstance(row, Mapping):
            fail(path, f"an object is expected, not {short(row)}")
        kind = row.get("kind")
        if kind not in ("open", "closed"):
            fail(f"{path}.kind", f"open or closed is expected, not {short(kind)}")
        need = {"name", "kind", "rate" if kind == "open" else "population"}
        row = self.fields(row, path, CLASS_FIELDS[kind], need)
        name = self.name(row, path)
        if kind == "open":
            rate = self.number(row["rate"], f"{path}.rate")
            scv = self.number(row.get("arrival_scv", 1.0), f"{path}.arrival_scv")
            return CustomerClass(name, kind, rate=rate, arrival_scv=scv)
        population = self.whole(row["population"], f"{path}.population")
        think = self.number(row.get("think_time", 0.0), f"{path}.think_time")
        return CustomerClass(name, kind, population=population, think_time=think)

    def table(self, rows: object, path: str, stations: list[str], classes: list[str]) -> Array:
        rows = self.fields(rows, path, set(stations), set(stations), what="station")
        known = set(classes)
        values = np.zeros((len(stations), len(classes)))
        for k, station in enumerate(stations):
            row = self.fields(rows[station], f"{path}.{station}", known, known, what="class")
            for c, name in enumerate(classes):
                values[k, c] = self.number(row[name], f"{path}.{station}.{name}")
        return values

    def fields(
        self, row: object, path: str, known: set[str], needed: set[str], what: str = "field"
    ) -> Mapping[str, Any]:
        if not isinstance(row, Mapping):
            fail(path, f"an object is expected, not {short(row)}")
        for key in row:
            if key not in known:
                fail(path, f"unknown {what} {short(key)}")
        for key in sorted(needed - set(row)):
            hint = " (0 where a class does not come)" if what == "class" else ""
            fail(path, f"{what} {short(key)} is missing{hint}")
        return row

    def name(self, row: Mapping[str, Any], path: str) -> str:
        name = row["name"]
        if not isinstance(name, str) or not name.strip():
            fail(f"{path}.name", f"a text that is not empty is expected, not {short(name)}")
        return name

    def number(self, value: object, path: str, positive: bool = False) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            fail(path, f"a number is expected, not {short(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            fail(path, f"a finite number is expected, not {value}")
        if value < 0 or (positive and value == 0):
            fail(
                path,
                f"a number {'above 0' if positive else 'that is not negative'} is expected, not {short(value)}",
            )
        if value != 0 and not SMALLEST <= value <= LARGEST:
            fail(path, f"{short(value)} is outside {SMALLEST:g} to {LARGEST:g}")
        return float(value)

    def whole(self, value: object, path: str, least: int = 0) -> int:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            fail(path, f"a whole number is expected, not {short(value)}")
        if not least <= value <= MOST_CUSTOMERS:
            fail(
                path,
                f"a whole number from {least} to {MOST_CUSTOMERS} is expected, not {short(value)}",
            )
        if value != int(value):
            fail(path, f"a whole number is expected, not {short(value)}")
        return int(value)


def fail(path: str, why: str) -> NoReturn:
    """Complain about the place ``path`` of a model."""
    raise ModelError(f"{path}: {why}")


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
