"""Analysis of a network: the methods that compute an answer from the model, put together for all of its classes.

The rule of :mod:`solve` in detail. Open classes only: product form, or the formulas of :mod:`nonproduct` where a
station is beyond it. With closed classes: exact where the network is of product form and the exact solution stays
below the limits in :mod:`convolution.problem` (12 million numbers in memory, 4 000 million multiplications);
otherwise Linearizer, or Schweitzer beyond 2 million numbers, marked ``exact: false`` and announced in ``warnings``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.network import approximate, mixed, nonproduct
from pipeline.network.arrays import Array, Flags
from pipeline.network.convolution import TooLargeError
from pipeline.network.model import ModelError, Network, Station
from pipeline.network.open import largest_rates, solve_open
from pipeline.network.result import Solution
from pipeline.network.service import Service, mean_number

LINEARIZER_NUMBERS = 2_000_000
"""Stations times classes times (classes + 1) up to which Linearizer is chosen."""


def analyse(network: Network, method: str = "exact") -> Solution:
    """The answer of ``exact``, ``schweitzer`` or ``linearizer``. Raises :class:`~pipeline.network.model.ModelError`."""
    check_loads(network)
    draft = Draft(network)
    with np.errstate(all="ignore"):  # what comes of it is looked at in the end
        if network.is_open.all():
            draft.open()
            if method != "exact":
                draft.say(
                    f"no class is closed: {method} has nothing to approximate, see the open network"
                )
        else:
            draft.closed(method)
        return draft.solution()


def check_loads(network: Network) -> None:
    """Raise :class:`ModelError` where open classes bring more work than a station can do."""
    rates = network.rates
    loads = network.demands @ rates
    capacity = np.array([s.capacity for s in network.services])
    full = np.flatnonzero(loads >= capacity * (1 - 1e-14))
    if not len(full):
        return
    k = int(full[np.argmax(loads[full] / capacity[full])])
    largest = largest_rates(rates, network.demands, network.services)
    told = []
    for c in np.flatnonzero(network.is_open & (rates > 0)):
        if network.demands[k, c] > 0:
            most = float(largest[:, c].min())
            told.append(
                f"class {network.classes[c].name!r} must stay below {most:.10g}, not {rates[c]:.10g}"
            )
    if len(told) > 5:
        told[5:] = [f"and {len(told) - 5} more"]
    if np.count_nonzero(network.is_open & (rates > 0)) > 1:
        told.append(
            f"or all open rates below {float((capacity / loads)[full].min()):.10g} times what they are"
        )
    raise ModelError(
        f"station {network.stations[k].name!r} is overloaded (utilization {loads[k] / capacity[k]:.6g}); "
        f"largest sustainable rate: {'; '.join(told)}"
    )


@dataclass
class Draft:
    """An answer while it is put together; arrays have the model's stations and classes."""

    network: Network
    method: str = "exact"
    exact: bool = True
    warnings: list[str] = field(default_factory=list)
    figures: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.network.demands.shape
        self.residence, self.queues = np.zeros(shape), np.zeros(shape)
        self.busy = np.full(shape[0], np.nan)
        self.throughput = self.network.rates.copy()

    def say(self, text: str) -> None:
        """Add a warning."""
        self.warnings.append(text)

    def open(self) -> None:
        """All classes are open."""
        n = self.network
        found = solve_open(n.rates, n.demands, n.services)
        self.residence, self.queues = found.residence_times.copy(), found.queue_lengths.copy()
        self.busy = found.utilizations.sum(axis=1)
        self.ignored_scv()
        methods = []
        for k, station in enumerate(n.stations):
            if station.kind == "load_dependent":
                if nonproduct.is_bursty(n, k):
                    self._approximate(
                        "arrivals taken as Poisson at a load-dependent station", station
                    )
                if station.scheduling == "fcfs" and nonproduct.unlike_classes(n, k):
                    why = "different service times is taken as PS, an approximation"
                    self._approximate(f"FCFS with {why}", station)
            if not nonproduct.is_general(n, k):
                continue
            one = nonproduct.answer(n, k)
            self.residence[k] = n.demands[k] + one.waiting_times
            self.queues[k] = n.rates * self.residence[k]
            self.exact &= one.is_exact
            if one.method not in methods:
                methods.append(one.method)
            if not one.is_exact:
                self.say(one.note)
            self._figure("waiting_time")[k] = one.waiting_times
            self._figure("waiting_time_bound")[k] = one.bound
        if methods and not self.exact:
            self.method = ", ".join(methods)
        if not self.exact and any(c.arrival_scv != 1 for c in n.classes) and len(n.stations) > 1:
            self.say(
                "every station is taken to see each class's own arrival_scv: routing is not known"
            )

    def _approximate(self, text: str, station: Station) -> None:
        self.exact = False
        self.say(f"station {station.name!r}: {text}")

    def _figure(self, name: str) -> Array:
        return self.figures.setdefault(name, np.full(self.network.demands.shape, np.nan))

    def ignored_scv(self) -> None:
        """Say where a service_scv changes nothing."""
        for s in self.network.stations:
            if s.service_scv == 1:
                continue
            if s.kind == "load_dependent" and s.scheduling == "fcfs":
                self._approximate("service_scv is left out at a load-dependent FCFS station", s)
            elif s.kind == "delay" or s.scheduling != "fcfs":
                rule = "a delay" if s.kind == "delay" else s.scheduling.upper()
                self.say(
                    f"station {s.name!r}: service_scv changes nothing under {rule}, which is insensitive to it"
                )

    def closed(self, method: str) -> None:
        """Some classes are closed."""
        n = self.network
        inside = n.populations > 0
        for c in np.flatnonzero(~n.is_open & ~inside):
            self.say(f"class {n.classes[c].name!r} has no customers: its times are given as 0")
        by_work = self._beyond_product_form()
        self.method = method
        if not inside.any():
            self.method = "exact"
            self._only_open()
            return
        if method == "exact":
            if by_work.any():
                self.method = self._fallback("the network is not of product form (FCFS)")
            else:
                try:
                    self._exactly(inside)
                    return
                except TooLargeError as error:
                    self.method = self._fallback(f"too large for the exact solution: {error}")
        self.exact = False
        self._approximately(inside, by_work)

    def _only_open(self) -> None:
        n = self.network
        opened = n.is_open
        if opened.any():
            kept = tuple(c for c in n.classes if c.is_open)
            part = replace(
                n, classes=kept, demands=n.demands[:, opened],
                visits=None if n.visits is None else n.visits[:, opened],
            )  # fmt: skip
            draft = Draft(part)
            draft.open()
            self.residence[:, opened], self.queues[:, opened] = draft.residence, draft.queues
            self.busy, self.exact, self.method = draft.busy, draft.exact, draft.method
            for name, table in draft.figures.items():
                self._figure(name)[:, opened] = table
            self.warnings += [w for w in draft.warnings if w not in self.warnings]

    def _fallback(self, why: str) -> str:
        fits = _numbers(*self.network.demands.shape) <= LINEARIZER_NUMBERS
        method = "linearizer" if fits else "schweitzer"
        self.say(f"{why}; solved approximately by {method}")
        return method

    def _beyond_product_form(self) -> Flags:
        """FCFS servers to be approximated by the work found; says what else is left out."""
        n = self.network
        self.ignored_scv()
        by_work = np.zeros(len(n.stations), bool)
        for k, s in enumerate(n.stations):
            if nonproduct.is_bursty(n, k) and s.kind != "delay":
                self._approximate("open arrivals taken as Poisson beside closed classes", s)
            if s.kind == "delay" or s.scheduling != "fcfs":
                continue
            unlike = nonproduct.unlike_classes(n, k)
            general_service = s.service_scv != 1 and s.kind == "queue" and n.demands[k].any()
            if not (unlike or general_service):
                continue
            why = "different service times" if unlike else "service times that are not exponential"
            by_work[k] = s.kind == "queue" and s.servers == 1
            what = "; customers wait for the work they find"
            if not by_work[k]:
                what = " at several servers is taken as PS"
            self._approximate(f"FCFS with {why}{what}, an approximation", s)
        return by_work

    def _exactly(self, inside: Flags) -> None:
        n = self.network
        opened = n.is_open
        found = mixed.solve_exactly(
            n.demands[:, inside], n.populations[inside], n.think_times[inside],
            n.rates[opened], n.demands[:, opened], n.services,
        )  # fmt: skip
        self._take(inside, found)
        self.busy = found.busy

    def _approximately(self, inside: Flags, by_work: Flags) -> None:
        n = self.network
        opened = n.is_open
        stations, classes = len(n.stations), int(inside.sum())
        if self.method == "linearizer" and _numbers(stations, classes) > 10 * LINEARIZER_NUMBERS:
            raise ModelError(
                f"linearizer: {stations} stations and {classes} classes are too many; schweitzer can take them"
            )
        problem = approximate.Problem(
            n.demands[:, inside], n.populations[inside].astype(float), n.think_times[inside],
            n.rates[opened], n.demands[:, opened], n.services, by_work,
            np.array([s.service_scv for s in n.stations]),
            n.service_times[:, inside], n.service_times[:, opened],
        )  # fmt: skip
        run = approximate.linearizer if self.method == "linearizer" else approximate.schweitzer
        found = run(problem)
        if not (np.all(np.isfinite(found.queue_lengths)) and np.all(np.isfinite(found.throughput))):
            raise ModelError(f"{self.method} did not find a solution")
        if found.change > 1e-3:
            raise ModelError(
                f"{self.method} does not come to rest on this model (still moving by {found.change:.1e} "
                f"after {found.iterations} iterations), and an answer would be a guess"
            )
        if found.change > 1e-6:
            self.say(
                f"{self.method} was stopped after {found.iterations} iterations, still moving by {found.change:.1e}"
            )
        self._take(inside, found)
        for k, s in enumerate(n.stations):
            if s.kind == "load_dependent":
                load = float(self.throughput @ n.demands[k])
                self.busy[k] = 1 - _idle(s.service, min(load, s.service.capacity * (1 - 1e-12)))

    def _take(self, inside: Flags, found: mixed.MixedSolution | approximate.Approximation) -> None:
        n, opened = self.network, self.network.is_open
        self.throughput[inside] = found.throughput
        self.queues[:, inside] = found.queue_lengths
        self.residence[:, inside] = found.queue_lengths / found.throughput
        self.residence[:, opened] = found.open_residence
        self.queues[:, opened] = n.rates[opened] * found.open_residence

    def solution(self) -> Solution:
        """The whole answer."""
        n = self.network
        loads = self.throughput * n.demands
        utilizations = loads.copy()
        for k, station in enumerate(n.stations):
            if station.kind == "queue":
                utilizations[k] /= station.servers
            elif station.kind == "load_dependent":
                total = loads[k].sum()
                utilizations[k] *= self.busy[k] / total if total > 0 else 0.0
        response = self.residence.sum(axis=0)
        if n.visits is not None:
            self.figures["throughput"] = self.throughput * n.visits
            self.figures["service_time"] = n.service_times
        for table in (self.throughput, response, utilizations, self.queues, self.residence):
            if not np.all(np.isfinite(table)):
                raise ModelError("the answer is beyond what a double can hold")
        warnings = (*n.warnings, *dict.fromkeys(self.warnings))
        return Solution(
            n, self.method, self.exact, self.throughput, response, utilizations, self.queues,
            self.residence, self.figures, warnings=warnings, knee=knee(n),
        )  # fmt: skip


def _numbers(stations: int, classes: int) -> int:
    return stations * classes * (classes + 1)


def _idle(service: Service, load: float) -> float:
    return 1 - float(mean_number(service, load)[1])


def knee(network: Network) -> float | None:
    """N* of one closed class at single servers and delays."""
    if len(network.classes) != 1 or network.classes[0].is_open:
        return None
    demands = network.demands[:, 0]
    capacity = np.array([s.capacity for s in network.services])  # infinite at a delay
    slowest = float((demands / capacity).max())
    if slowest == 0:
        return None
    return (float(demands.sum()) + network.classes[0].think_time) / slowest
