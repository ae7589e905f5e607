"""The model of a network: stations, classes, demands; validated when it is read.

Symbols as in Lazowska et al., Quantitative System Performance (1984), chapter 3: stations k, classes c, demand
D = V S (visits times service time per visit), population N, think time Z, rate λ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

import numpy as np

from pipeline.errors import Error
from pipeline.network.arrays import Array, Counts, Flags, quotient
from pipeline.network.service import Service

FORMAT = "queuevisor-network/1"
MIN_VALUE, MAX_VALUE = 1e-150, 1e150
"""Range of all numbers but 0, so that a product of a few of them stays within the range of a double."""
MAX_CUSTOMERS = 2**53
"""Largest population or number of servers that a double represents exactly."""
MAX_CELLS = 1_000_000
"""Stations times classes."""


class ModelError(Error, ValueError):
    """A model that is invalid or cannot be solved; the text gives the place and the reason in one line."""


@dataclass(frozen=True)
class Station:
    """A service centre."""

    name: str
    kind: str = "queue"
    """``queue``, ``delay`` (infinite server, IS) or ``load_dependent``."""
    servers: int = 1
    """m, of a queue."""
    rate_multipliers: tuple[float, ...] = ()
    """α(n), n = 1, 2, …, of a load-dependent station; the last one holds for all larger n."""
    scheduling: str = "ps"
    """``ps``, ``fcfs`` or ``lcfs-pr``."""
    service_scv: float = 1.0
    """Squared coefficient of variation of the service time; it has an effect under FCFS only."""

    @property
    def service(self) -> Service:
        """The station's service rates."""
        if self.kind == "delay":
            return Service.delay()
        if self.kind == "load_dependent":
            return Service.load_dependent(self.rate_multipliers)
        return Service.queue(self.servers)


@dataclass(frozen=True)
class CustomerClass:
    """A customer class: open (``rate`` in customers per second) or closed (``population``)."""

    name: str
    kind: str
    rate: float = 0.0
    arrival_scv: float = 1.0
    """Squared coefficient of variation of the interarrival times: 1 is Poisson, 0 evenly spaced."""
    population: int = 0
    think_time: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether customers arrive from outside."""
        return self.kind == "open"


@dataclass(frozen=True)
class Network:
    """A valid network. ``demands`` (seconds) and ``visits`` have shape (stations, classes)."""

    stations: tuple[Station, ...]
    classes: tuple[CustomerClass, ...]
    demands: Array
    visits: Array | None = None
    description: str = ""
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """What was not imported or was assumed when the model was read."""

    @property
    def is_open(self) -> Flags:
        """Which classes are open, shape (classes,)."""
        return np.array([c.is_open for c in self.classes], bool)

    @property
    def rates(self) -> Array:
        """λ, customers per second, 0 for closed classes, shape (classes,)."""
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
        """S = D / V, seconds per visit, shape (stations, classes); V = 1 if the model has no visits."""
        if self.visits is None:
            return self.demands
        return quotient(self.demands, self.visits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The content of a model file."""
        document: dict[str, Any] = {"format": FORMAT}
        if self.description:
            document["description"] = self.description
        document["stations"] = [_to_row(station) for station in self.stations]
        document["classes"] = [_to_row(c) for c in self.classes]
        document["demands"] = _to_table(self, self.demands)
        if self.visits is not None:
            document["visits"] = _to_table(self, self.visits)
        return document

    @classmethod
    def from_dict(cls, document: object) -> Network:
        """The network of a model file's content; raises :class:`ModelError` with the place of the first error."""
        return _parse_network(document)


ALWAYS_WRITTEN = {
    "queue": ("kind", "servers"),
    "delay": ("kind",),
    "load_dependent": ("kind", "rate_multipliers"),
    "open": ("rate",),
    "closed": ("population", "think_time"),
}
"""Fields that are written even if they have their default."""


def _to_row(item: Station | CustomerClass) -> dict[str, Any]:
    row = {}
    for entry in fields(item):
        value = getattr(item, entry.name)
        if value != entry.default or entry.name in ALWAYS_WRITTEN[item.kind]:
            row[entry.name] = list(value) if isinstance(value, tuple) else value
    if item.kind == "delay":
        row.pop("scheduling", None)
    return row


def _to_table(network: Network, table: Array) -> dict[str, dict[str, float]]:
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


def _parse_network(document: object) -> Network:
    top = _require_fields(document, "model", TOP_FIELDS, {"stations", "classes", "demands"})
    if top.get("format", FORMAT) != FORMAT:
        fail("format", f"must be {FORMAT!r} (got {abbreviate(top['format'])})")
    description = top.get("description", "")
    if not isinstance(description, str):
        fail_expected("description", "a string", description)
    _check_text(description, "description")
    stations = _parse_rows(top["stations"], "stations", _parse_station)
    classes = _parse_rows(top["classes"], "classes", _parse_class)
    if len(stations) * len(classes) > MAX_CELLS:
        cells = len(stations) * len(classes)
        fail("stations", f"stations times classes is {cells} (limit {MAX_CELLS})")
    names = [s.name for s in stations], [c.name for c in classes]
    demands = _parse_table(top["demands"], "demands", *names)
    visits = _parse_table(top["visits"], "visits", *names) if "visits" in top else None
    network = Network(tuple(stations), tuple(classes), demands, visits, description)
    _check_consistency(network)
    return network


def _check_consistency(network: Network) -> None:
    """Check what concerns several parts of the model."""
    if network.visits is not None:
        for k, c in np.argwhere((network.visits == 0) & (network.demands > 0)):
            path = f"visits.{network.stations[k].name}.{network.classes[c].name}"
            fail(path, f"must be above 0 where the demand is {network.demands[k, c]:g} s")
    for i, c in enumerate(network.classes):
        has_no_time = c.think_time == 0 and not np.any(network.demands[:, i] > 0)
        if not c.is_open and c.population > 0 and has_no_time:
            fail(
                f"classes[{i}]",
                f"closed class {c.name!r} needs a demand or a think time: "
                "its throughput would be infinite",
            )


def _require_list(rows: object, path: str, entries: str) -> Sequence[Any]:
    """``rows``, a list of ``entries`` that is not empty."""
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        fail_expected(path, f"a non-empty list of {entries}", rows)
    if len(rows) > MAX_CELLS:
        fail(path, f"{len(rows)} entries (limit {MAX_CELLS})")
    return rows


def _parse_rows(rows: object, path: str, parse: Callable[[object, str], Any]) -> list[Any]:
    index_of: dict[str, int] = {}
    items = []
    for i, row in enumerate(_require_list(rows, path, "objects")):
        item = parse(row, f"{path}[{i}]")
        first = index_of.setdefault(item.name, i)
        if first != i:
            fail(
                f"{path}[{i}].name",
                f"{abbreviate(item.name)} is already the name of {path}[{first}]",
            )
        items.append(item)
    return items


def _parse_station(row: object, path: str) -> Station:
    row = _require_fields(row, path, STATION_FIELDS, {"name", "kind"})
    name, kind = _parse_name(row, path), row["kind"]
    if kind not in ("queue", "delay", "load_dependent"):
        fail_expected(f"{path}.kind", "queue, delay or load_dependent", kind)
    servers = _parse_whole(row.get("servers", 1), f"{path}.servers", minimum=1)
    if servers != 1 and kind != "queue":
        fail(f"{path}.servers", f"not allowed at a {kind} station")
    multipliers: tuple[float, ...] = ()
    where = f"{path}.rate_multipliers"
    if kind == "load_dependent":
        values = _require_list(row.get("rate_multipliers"), where, "numbers")
        multipliers = tuple(
            _parse_number(x, f"{where}[{i}]", positive=True) for i, x in enumerate(values)
        )
    elif "rate_multipliers" in row:
        fail(where, f"not allowed at a {kind} station")
    scheduling = row.get("scheduling", "ps")
    if scheduling not in SCHEDULING:
        fail_expected(f"{path}.scheduling", "ps, fcfs or lcfs-pr", scheduling)
    scv = _parse_number(row.get("service_scv", 1.0), f"{path}.service_scv")
    return Station(name, kind, servers, multipliers, scheduling, scv)


def _parse_class(row: object, path: str) -> CustomerClass:
    kind = _require_object(row, path).get("kind")
    if kind not in ("open", "closed"):
        fail_expected(f"{path}.kind", "open or closed", kind)
    need = {"name", "kind", "rate" if kind == "open" else "population"}
    row = _require_fields(row, path, CLASS_FIELDS[kind], need)
    name = _parse_name(row, path)
    if kind == "open":
        rate = _parse_number(row["rate"], f"{path}.rate")
        scv = _parse_number(row.get("arrival_scv", 1.0), f"{path}.arrival_scv")
        return CustomerClass(name, kind, rate=rate, arrival_scv=scv)
    population = _parse_whole(row["population"], f"{path}.population")
    think = _parse_number(row.get("think_time", 0.0), f"{path}.think_time")
    return CustomerClass(name, kind, population=population, think_time=think)


def _parse_table(rows: object, path: str, stations: list[str], classes: list[str]) -> Array:
    rows = _require_fields(rows, path, set(stations), set(stations), what="station")
    allowed = set(classes)
    values = np.zeros((len(stations), len(classes)))
    for k, station in enumerate(stations):
        row = _require_fields(rows[station], f"{path}.{station}", allowed, allowed, what="class")
        for c, name in enumerate(classes):
            values[k, c] = _parse_number(row[name], f"{path}.{station}.{name}")
    return values


def _require_object(row: object, path: str) -> Mapping[str, Any]:
    return row if isinstance(row, Mapping) else fail_expected(path, "an object", row)


def _require_fields(
    row: object, path: str, allowed: set[str], required: set[str], what: str = "field"
) -> Mapping[str, Any]:
    row = _require_object(row, path)
    for key in row:
        if key not in allowed:
            fail(path, f"unknown {what} {abbreviate(key)}")
    for key in sorted(required - set(row)):
        hint = " (0 where a class does not visit the station)" if what == "class" else ""
        fail(path, f"{what} {abbreviate(key)} is missing{hint}")
    return row


def _parse_name(row: Mapping[str, Any], path: str) -> str:
    name = row["name"]
    if not isinstance(name, str) or not name.strip():
        fail_expected(f"{path}.name", "a non-empty string", name)
    _check_text(name, f"{path}.name")
    return name


def _check_text(text: str, path: str) -> None:
    """Raise :class:`ModelError` for half of a surrogate pair, which can be written nowhere."""
    try:
        text.encode()
    except UnicodeEncodeError:
        fail_expected(path, "text of whole characters", text)


def _parse_number(value: object, path: str, positive: bool = False) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail_expected(path, "a number", value)
    if isinstance(value, float) and not math.isfinite(value):
        fail_expected(path, "a finite number", value)
    if value < 0 or (positive and value == 0):
        fail_expected(path, "a number above 0" if positive else "a number ≥ 0", value)
    if value != 0 and not MIN_VALUE <= value <= MAX_VALUE:
        fail_expected(path, f"0 or between {MIN_VALUE:g} and {MAX_VALUE:g}", value)
    return float(value)


def _parse_whole(value: object, path: str, minimum: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        fail_expected(path, "a whole number", value)
    if not minimum <= value <= MAX_CUSTOMERS:
        fail_expected(path, f"a whole number from {minimum} to {MAX_CUSTOMERS}", value)
    if value != int(value):
        fail_expected(path, "a whole number", value)
    return int(value)


def fail(path: str, why: str) -> NoReturn:
    """Raise :class:`ModelError` with the place ``path`` of a model and the reason."""
    raise ModelError(f"{path}: {why}")


def fail_expected(path: str, what: str, value: object) -> NoReturn:
    """Raise :class:`ModelError`: the value at ``path`` must be ``what``."""
    fail(path, f"must be {what} (got {abbreviate(value)})")


def abbreviate(value: object) -> str:
    """``value`` for a message: one short line."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
