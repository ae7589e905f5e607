"""Ciw nodes, distributions and routes of a model file, and the totals of one replication."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ciw

from pipeline.network.arrays import Array
from pipeline.network.gg1 import balanced_phase
from pipeline.network.model import Network, Station


@dataclass
class Tally:
    """Totals of one replication after its warm-up."""

    warm_up: float
    area: Array
    """Integral of the number of customers over time at each station, (K, C)."""
    work: Array
    """Seconds of service completed, (K, C)."""
    visits: Array
    busy: Array
    """Busy time, seconds, (K,)."""
    responses: list[list[float]] = field(default_factory=list)
    """Response times of each class."""


class TwoMomentDistribution(ciw.dists.Distribution):
    """Random times of a given mean and c²."""

    def __init__(self, mean: float, scv: float):
        self.mean_time, self.scv = mean, scv
        if scv > 1:
            self.phase = balanced_phase(scv)

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        """Draw one time."""
        if self.mean_time == 0 or self.scv == 0:
            return self.mean_time
        if self.scv == 1:
            return random.expovariate(1 / self.mean_time)
        if self.scv < 1:
            return random.gammavariate(1 / self.scv, self.mean_time * self.scv)
        is_fast = random.random() < self.phase
        p = self.phase if is_fast else 1 - self.phase
        return random.expovariate(2 * p / self.mean_time)


class InitialPopulation(ciw.dists.Distribution):
    """All customers of a closed class arrive at time 0."""

    def __init__(self) -> None:
        self.has_arrived = False

    def sample(self, t: float | None = None, ind: Any = None) -> float:
        """Give 0 once, then infinity."""
        if self.has_arrived:
            return float("inf")
        self.has_arrived = True
        return 0.0


class NoRecords:
    """A node without records of visits, so that memory does not grow with the run; tallies busy time."""

    def write_individual_record(self, individual: Any) -> None:
        """Keep nothing."""

    def accept(self, next_individual: Any, completed: bool = False) -> None:
        """Start a busy period if the node was empty."""
        if self.number_of_individuals == 0:  # type: ignore[has-type]
            self.busy_since = self.now  # type: ignore[attr-defined]
        super().accept(next_individual, completed)  # type: ignore[misc]

    def release(self, next_individual: Any, next_node: Any, reroute: bool = False) -> None:
        """End the busy period if the node becomes empty."""
        if self.number_of_individuals == 1:  # type: ignore[attr-defined]
            self.simulation.tally_busy(self)  # type: ignore[attr-defined]
        super().release(next_individual, next_node, reroute)  # type: ignore[misc]


class FcfsNode(NoRecords, ciw.Node):
    """FCFS with a number of servers, or a delay."""


class ProcessorSharing(NoRecords, ciw.PSNode):
    """Customers whose service rates depend on their number: PS, LCFS-PR, load-dependent stations."""

    service_shares: Callable[[int], list[float]]

    def update_all_service_end_dates(self) -> None:
        """Subtract the work done since the last change and recompute the ends at the new rates."""
        now = self.simulation.current_time
        individuals = self.all_individuals
        shares = type(self).service_shares(len(individuals))
        for ind, share in zip(individuals, shares, strict=True):
            ind.time_left = max(
                ind.time_left - getattr(ind, "service_share", 0.0) * (now - ind.date_last_update),
                0.0,
            )
            ind.date_last_update, ind.service_share = now, share
            ind.service_end_date = now + ind.time_left / share if share > 0 else float("inf")

    def begin_service_if_possible_accept(self, next_individual: Any) -> None:
        """Accept a customer, which changes the rates of all."""
        next_individual.service_share = 0.0
        super().begin_service_if_possible_accept(next_individual)


class CountingExit(ciw.ExitNode):
    """Counts departures and keeps no customers."""

    def accept(self, next_individual: Any, completed: bool = True) -> None:
        """Count a departure."""
        next_individual.node = -1
        self.number_of_individuals += 1
        self.number_of_completed_individuals += completed


def _service_shares(station: Station) -> Callable[[int], list[float]]:
    """Service rate of each of n customers in order of arrival, as a multiple of the rate when alone."""
    service = station.service

    def alpha(n: int) -> float:
        if service.kind == "queue":
            return float(min(n, service.servers))
        return service.multipliers[min(n, len(service.multipliers)) - 1]

    def equal(n: int) -> list[float]:
        return [alpha(n) / n] * n if n else []

    def newest_first(n: int) -> list[float]:
        if service.kind == "queue":
            served = min(n, service.servers)
            return [0.0] * (n - served) + [1.0] * served
        return [0.0] * (n - 1) + [alpha(n)] if n else []

    def oldest_first(n: int) -> list[float]:
        return newest_first(n)[::-1]

    return {"ps": equal, "lcfs-pr": newest_first, "fcfs": oldest_first}[station.scheduling]


def node_class(station: Station, max_present: float) -> tuple[type, float]:
    """Node class and number of servers."""
    if station.kind == "delay" or (station.kind == "queue" and station.servers >= max_present):
        return FcfsNode, float("inf")
    if station.kind == "queue" and station.scheduling == "fcfs":
        return FcfsNode, station.servers
    shares = staticmethod(_service_shares(station))
    node = type("_StationSharing", (ProcessorSharing,), {"service_shares": shares})
    return node, float("inf")


class VisitRoute(ciw.routing.NetworkRouting):
    """Cycles through the stations; node K + 1 is the reference node, where closed customers think."""

    def __init__(self, network: Network, c: int, tally: Tally):
        self.c, self.tally = c, tally
        self.reference_node = len(network.stations) + 1
        self.is_open = network.classes[c].is_open
        mean = (
            (network.demands > 0)[:, c].astype(float)
            if network.visits is None
            else network.visits[:, c]
        )
        self.stations = [(k + 1, int(v), float(v - int(v))) for k, v in enumerate(mean) if v > 0]

    def initialise(self, simulation: Any) -> None:
        """Keep the simulation that Ciw passes."""
        self.simulation = simulation

    def draw_path(self) -> list[int]:
        """Nodes of one customer, last first."""
        counts = [(k, whole + (random.random() < part)) for k, whole, part in self.stations]
        cycles = max((n for _, n in counts), default=0)
        path = [k for i in range(cycles) for k, n in counts if n > i]
        return path[::-1]

    def next_node(self, ind: Any, node_id: int) -> Any:
        """The node after a service at ``node_id``; tallies the service."""
        now, tally = self.simulation.current_time, self.tally
        if node_id == self.reference_node:
            ind.path, ind.cycle_start_date = self.draw_path(), now
        elif now > tally.warm_up:
            tally.area[node_id - 1, self.c] += now - max(ind.arrival_date, tally.warm_up)
            tally.work[node_id - 1, self.c] += ind.service_time
            tally.visits[node_id - 1, self.c] += 1
        if ind.path:
            return self.simulation.nodes[ind.path.pop()]
        if now > tally.warm_up:
            tally.responses[self.c].append(now - ind.cycle_start_date)
        return self.simulation.nodes[-1 if self.is_open else self.reference_node]


class Simulation(ciw.Simulation):
    """Ciw's simulation with the tally of a replication."""

    tally: Tally

    def tally_busy(self, node: Any) -> None:
        """Add a busy period that ends now."""
        if node.id_number <= len(self.tally.busy):
            since = max(node.busy_since, self.tally.warm_up)
            self.tally.busy[node.id_number - 1] += max(self.current_time - since, 0.0)
