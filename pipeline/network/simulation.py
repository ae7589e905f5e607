"""A witness: the same model file run by Ciw, customer by customer, with replications and intervals.

It needs no product form, so it tells how far an approximation is off, and it gives percentiles of response times.
What a model file leaves open is decided here, and said: a customer visits the stations in the file's order, once a
round, as often as its visits say (a fraction by chance); times with a c² between 0 and 1 are gamma-distributed,
with c² = 0 constant, above 1 a mixture of two exponentials with balanced means.

Ciw: Palmer, Knight, Harper and Hawa, Journal of Simulation 13 (2019) 68.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ciw
import numpy as np
from scipy.stats import t as student

from pipeline.network.arrays import Array, quotient
from pipeline.network.dispatch import analyse
from pipeline.network.gg1 import balanced_phase
from pipeline.network.model import ModelError, Network, Station
from pipeline.network.result import Solution

CONFIDENCE = 0.95
PERCENTILES = (50, 90, 95, 99)
WARM_UP = 0.2
"""Part of a run that is thrown away."""
MOST_STEPS = 5_000_000_000
"""Events times customers that Ciw looks at for each: about ten million a second."""
MOST_CUSTOMERS = 20_000
MOST_SERVERS = 10_000
MOST_VISITS = 10_000


@dataclass
class Tally:
    """What one replication saw after its warm-up."""

    warm: float
    area: Array
    """Customer seconds at each station, (K, C)."""
    work: Array
    """Seconds of service completed, (K, C)."""
    visits: Array
    busy: Array
    """Seconds with someone there, (K,)."""
    responses: list[list[float]] = field(default_factory=list)
    """Response times of each class."""


def simulate(
    network: Network,
    replications: int = 10,
    length: int = 5_000,
    seed: int = 1,
    step: Callable[[str], None] | None = None,
) -> Solution:
    """Run ``network`` ``replications`` times for about ``length`` measured customers each.

    Replication i uses the seed ``seed`` + i, so that the same call gives the same figures. ``step`` is called with
    a text after each. The half-widths are Student's, over replications, at 95 %. Raises
    :class:`~pipeline.network.model.ModelError` where the model is too large to be run one customer at a time.
    """
    if replications < 2 or length < 10:
        raise ModelError("simulation: at least 2 replications of at least 10 customers are needed")
    horizon = _horizon(network, length)
    _guard(network, replications, length)
    state, generator = random.getstate(), getattr(ciw, "rng", None)
    seeds, tallies = [], []
    try:
        for i in range(replications):
            seeds.append(seed + i)
            ciw.seed(seed + i)
            tallies.append(_run(network, horizon))
            if step is not None:
                step(f"seed {seed + i}")
    finally:
        random.setstate(state)
        ciw.rng = generator
    return _summary(network, tallies, horizon, seeds, length)


def _horizon(network: Network, length: int) -> float:
    expected = analyse(network, "schweitzer")
    assert expected.throughput is not None
    flow = float(expected.throughput.sum())
    if flow <= 0:
        raise ModelError("simulation: no customer ever comes")
    return length / flow / (1 - WARM_UP)


def _guard(network: Network, replications: int, length: int) -> None:
    inside = int(network.populations.sum())
    if inside > MOST_CUSTOMERS:
        raise ModelError(f"simulation: {inside} customers are more than {MOST_CUSTOMERS}")
    per = network.demands > 0 if network.visits is None else network.visits
    visits = float(per.sum(axis=0).max()) + 1
    if visits > MOST_VISITS:
        raise ModelError(f"simulation: {visits:.4g} visits a customer are more than {MOST_VISITS}")
    loads = network.demands @ network.rates
    present = inside + float(
        sum(
            a if s.is_delay else a / max(1 - a / s.capacity, 1e-3)
            for a, s in zip(loads, network.services, strict=True)
        )
    )
    servers = sum(
        s.servers for s in network.stations if s.kind == "queue" and s.servers <= MOST_SERVERS
    )
    steps = replications * length * visits * (present + servers + 10 * len(network.stations))
    if steps > MOST_STEPS:
        raise ModelError(
            f"simulation: about {steps:.2g} steps are more than {MOST_STEPS:.2g}; "
            "fewer customers or replications would do"
        )
    for i, s in enumerate(network.stations):
        crowded = inside if not network.is_open.any() else math.inf
        if s.kind == "queue" and MOST_SERVERS < s.servers < crowded:
            raise ModelError(
                f"stations[{i}].servers: simulation takes at most {MOST_SERVERS} servers"
            )


class _Times(ciw.dists.Distribution):
    """Times with a mean and a c²."""

    def __init__(self, mean: float, scv: float):
        self.mean_time, self.scv = mean, scv
        if scv > 1:
            self.phase = balanced_phase(scv)

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        if self.mean_time == 0 or self.scv == 0:
            return self.mean_time
        if self.scv == 1:
            return random.expovariate(1 / self.mean_time)
        if self.scv < 1:
            return random.gammavariate(1 / self.scv, self.mean_time * self.scv)
        quick = random.random() < self.phase
        p = self.phase if quick else 1 - self.phase
        return random.expovariate(2 * p / self.mean_time)


class _Once(ciw.dists.Distribution):
    """The whole population at the beginning, and nobody afterwards."""

    def __init__(self) -> None:
        self.given = False

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        if self.given:
            return float("inf")
        self.given = True
        return 0.0


class _Forgetful:
    """Keeps no records of visits: the tally has what is needed, whatever the length of a run."""

    def write_individual_record(self, individual: Any) -> None:
        """Nothing is kept."""

    def accept(self, next_individual: Any, completed: bool = False) -> None:
        """Somebody comes."""
        if self.number_of_individuals == 0:  # type: ignore[has-type]
            self.busy_since = self.now  # type: ignore[attr-defined]
        super().accept(next_individual, completed)  # type: ignore[misc]

    def release(self, next_individual: Any, next_node: Any, reroute: bool = False) -> None:
        """Somebody goes."""
        if self.number_of_individuals == 1:  # type: ignore[attr-defined]
            self.simulation.tally_busy(self)  # type: ignore[attr-defined]
        super().release(next_individual, next_node, reroute)  # type: ignore[misc]


class _Queue(_Forgetful, ciw.Node):
    """FCFS with its servers, or a delay."""


class _Sharing(_Forgetful, ciw.PSNode):
    """Customers whose paces depend on how many there are: PS, LCFS-PR, load-dependent stations."""

    paces: Callable[[int], list[float]]

    def update_all_service_end_dates(self) -> None:
        """Take off what was done since the last change, and foresee the ends at the new paces."""
        now = self.simulation.current_time
        people = self.all_individuals
        paces = type(self).paces(len(people))
        for ind, pace in zip(people, paces, strict=True):
            ind.time_left = max(
                ind.time_left - getattr(ind, "pace", 0.0) * (now - ind.date_last_update), 0.0
            )
            ind.date_last_update, ind.pace = now, pace
            ind.service_end_date = now + ind.time_left / pace if pace > 0 else float("inf")

    def begin_service_if_possible_accept(self, next_individual: Any) -> None:
        """A newcomer brings its work and changes everybody's pace."""
        next_individual.pace = 0.0
        super().begin_service_if_possible_accept(next_individual)


class _Exit(ciw.ExitNode):
    """Counts who leaves and keeps nobody."""

    def accept(self, next_individual: Any, completed: bool = True) -> None:
        """Somebody leaves."""
        next_individual.node = -1
        self.number_of_individuals += 1
        self.number_of_completed_individuals += completed


def _paces(station: Station) -> Callable[[int], list[float]]:
    """Pace of each of n customers, the longest here first."""
    service = station.service

    def alpha(n: int) -> float:
        if service.kind == "queue":
            return float(min(n, service.servers))
        return service.multipliers[min(n, len(service.multipliers)) - 1]

    def shared(n: int) -> list[float]:
        return [alpha(n) / n] * n if n else []

    def newest(n: int) -> list[float]:
        if service.kind == "queue":
            front = min(n, service.servers)
            return [0.0] * (n - front) + [1.0] * front
        return [0.0] * (n - 1) + [alpha(n)] if n else []

    def oldest(n: int) -> list[float]:
        return newest(n)[::-1]

    return {"ps": shared, "lcfs-pr": newest, "fcfs": oldest}[station.scheduling]


def _node_class(station: Station, crowded: float) -> tuple[type, float]:
    """Node class and number of servers."""
    if station.kind == "delay" or (station.kind == "queue" and station.servers >= crowded):
        return _Queue, float("inf")
    if station.kind == "queue" and station.scheduling == "fcfs":
        return _Queue, station.servers
    return type("_SharingHere", (_Sharing,), {"paces": staticmethod(_paces(station))}), float("inf")


class _Route(ciw.routing.NetworkRouting):
    """Round by round through the stations; node K + 1 is the door, where closed customers think."""

    def __init__(self, network: Network, c: int, tally: Tally):
        self.c, self.tally = c, tally
        self.door = len(network.stations) + 1
        self.is_open = network.classes[c].is_open
        mean = (
            (network.demands > 0)[:, c].astype(float)
            if network.visits is None
            else network.visits[:, c]
        )
        self.stations = [(k + 1, int(v), float(v - int(v))) for k, v in enumerate(mean) if v > 0]

    def initialise(self, simulation: Any) -> None:
        """Ciw's hook."""
        self.simulation = simulation

    def itinerary(self) -> list[int]:
        """Nodes of one cycle, last first."""
        counts = [(k, whole + (random.random() < part)) for k, whole, part in self.stations]
        rounds = max((n for _, n in counts), default=0)
        path = [k for r in range(rounds) for k, n in counts if n > r]
        return path[::-1]

    def next_node(self, ind: Any, node_id: int) -> Any:
        """Where to, after a service at ``node_id``."""
        now, tally = self.simulation.current_time, self.tally
        if node_id == self.door:
            ind.path, ind.begun = self.itinerary(), now
        elif now > tally.warm:
            tally.area[node_id - 1, self.c] += now - max(ind.arrival_date, tally.warm)
            tally.work[node_id - 1, self.c] += ind.service_time
            tally.visits[node_id - 1, self.c] += 1
        if ind.path:
            return self.simulation.nodes[ind.path.pop()]
        if now > tally.warm:
            tally.responses[self.c].append(now - ind.begun)
        return self.simulation.nodes[-1 if self.is_open else self.door]


class _Simulation(ciw.Simulation):
    """Ciw's, with the tally at hand."""

    tally: Tally

    def tally_busy(self, node: Any) -> None:
        """A station's busy time ends, or the run does."""
        if node.id_number <= len(self.tally.busy):
            since = max(node.busy_since, self.tally.warm)
            self.tally.busy[node.id_number - 1] += max(self.current_time - since, 0.0)


def _run(network: Network, horizon: float) -> Tally:
    stations, classes = network.demands.shape
    shape = (stations, classes)
    tally = Tally(
        horizon * WARM_UP, np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(stations),
        [[] for _ in range(classes)],
    )  # fmt: skip
    crowded = float(network.populations.sum()) if not network.is_open.any() else math.inf
    kinds = [_node_class(s, crowded) for s in network.stations]
    names = [str(c) for c in range(classes)]
    arrivals, services, batches = ({name: [] for name in names} for _ in range(3))
    times = network.service_times
    for c, (name, one) in enumerate(zip(names, network.classes, strict=True)):
        first: Any = None
        if one.is_open and one.rate > 0:
            first = _Times(1 / one.rate, one.arrival_scv)
        elif one.population > 0:
            first = _Once()
        arrivals[name] = [None] * stations + [first]
        for k, s in enumerate(network.stations):
            services[name].append(_Times(float(times[k, c]), s.service_scv))
        services[name].append(_Times(one.think_time, 1.0))
        size = ciw.dists.Deterministic(max(one.population, 1))
        batches[name] = [ciw.dists.Deterministic(1)] * stations + [size]
    plan = ciw.create_network(
        arrival_distributions=arrivals,
        service_distributions=services,
        batching_distributions=batches,
        routing={names[c]: _Route(network, c, tally) for c in range(classes)},
        number_of_servers=[servers for _, servers in kinds] + [float("inf")],
    )
    _Simulation.tally = tally
    run = _Simulation(
        plan, node_class=[kind for kind, _ in kinds] + [_Queue], exit_node_class=_Exit
    )
    run.simulate_until_max_time(horizon)
    for node in run.transitive_nodes[:stations]:
        if node.number_of_individuals:
            run.tally_busy(node)
        for ind in node.all_individuals:
            tally.area[node.id_number - 1, int(ind.customer_class)] += horizon - max(
                ind.arrival_date, tally.warm
            )
    return tally


def _summary(
    network: Network, tallies: list[Tally], horizon: float, seeds: list[int], length: int
) -> Solution:
    window = horizon * (1 - WARM_UP)
    classes = len(network.classes)
    warnings = list(network.warnings)
    counts = np.array([[len(r) for r in t.responses] for t in tallies], float)
    throughput = counts / window
    with np.errstate(invalid="ignore", divide="ignore"):
        response = np.array([[np.mean(r) if r else np.nan for r in t.responses] for t in tallies])
        queue = np.array([t.area for t in tallies]) / window
        residence = queue / throughput[:, None, :]
    used = np.array([t.work for t in tallies]) / window
    for k, s in enumerate(network.stations):
        if s.kind == "queue":
            used[:, k] /= s.servers
        elif s.kind == "delay":
            used[:, k] = queue[:, k]
        else:
            busy = np.array([t.busy[k] for t in tallies]) / window
            total = used[:, k].sum(axis=1)
            used[:, k] *= quotient(busy, total)[:, None]
        if s.kind == "queue" and used[:, k].sum(axis=1).mean() > 0.95 and network.is_open.any():
            warnings.append(
                f"station {s.name!r} is nearly saturated: a run may be too short to settle"
            )
    class_figures: dict[str, Array] = {}
    station_figures: dict[str, Array] = {}
    middle = []
    for name, sample in {
        "throughput": throughput,
        "response_time": response,
        "utilization": used,
        "queue_length": queue,
        "residence_time": residence,
    }.items():
        figures = class_figures if sample.ndim == 2 else station_figures
        mean, figures[f"{name}_low"], figures[f"{name}_high"] = _interval(sample)
        middle.append(np.nan_to_num(mean))
    pooled = [np.concatenate([t.responses[c] for t in tallies]) for c in range(classes)]
    for p in PERCENTILES:
        class_figures[f"response_time_p{p}"] = np.array(
            [np.percentile(r, p) if len(r) else np.nan for r in pooled]
        )
    for c, one in enumerate(network.classes):
        if not len(pooled[c]):
            warnings.append(
                f"class {one.name!r}: nobody came or finished; its times are given as 0"
            )
        elif np.any(counts[:, c] == 0):
            warnings.append(f"class {one.name!r}: too few customers for an interval")
    record = {
        "engine": f"ciw {ciw.__version__}",
        "replications": len(tallies),
        "seeds": seeds,
        "confidence": CONFIDENCE,
        "horizon_s": horizon,
        "warm_up_s": horizon * WARM_UP,
        "customers": int(counts.sum()),
        "length": length,
    }
    return Solution(
        network, "simulation", False, *middle, station_figures, class_figures,
        simulation=record, warnings=tuple(dict.fromkeys(warnings)),
    )  # fmt: skip


def _interval(sample: Array) -> tuple[Array, Array, Array]:
    """Mean over replications (the first axis), and its 95 % interval."""
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(sample).sum(axis=0)
        mean = np.nansum(sample, axis=0) / np.maximum(seen, 1)
        spread = sample.std(axis=0, ddof=1) / math.sqrt(len(sample))
    half = float(student.ppf(0.5 + CONFIDENCE / 2, len(sample) - 1)) * spread
    return np.where(seen > 0, mean, np.nan), np.maximum(mean - half, 0), mean + half
