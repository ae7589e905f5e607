"""Dispatch of a network to the analytic methods, and assembly of the solution for all of its classes.

Open classes only: product form, or the formulas of :mod:`nonproduct` at stations beyond it. With closed classes: exact
where the network is of product form and within the limits of :mod:`convolution.problem` (12 million numbers in memory,
4 000 million multiplications); otherwise Linearizer, or Schweitzer beyond 500 000 numbers, marked ``exact: false``
and named in ``warnings``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.network import approximate, mixed, nonproduct, texts
from pipeline.network.arrays import Array, Flags
from pipeline.network.convolution import TooLargeError
from pipeline.network.model import ModelError, Network, Station
from pipeline.network.open import max_rates, solve_open
from pipeline.network.result import Solution
from pipeline.network.service import Service, mean_number

MAX_LINEARIZER_NUMBERS = 500_000
"""Stations times classes times (classes + 1) up to which Linearizer is chosen."""
MAX_RESIDUAL, MAX_SILENT_RESIDUAL = 1e-3, 1e-6
"""Residual of an approximation above which it is an error, and above which it is a warning."""
MAX_REMEDIES = 5
"""Classes that an overload error names."""


def solve_analytically(network: Network, method: str = "exact") -> Solution:
    """Solve by ``exact``, ``schweitzer`` or ``linearizer``; raises :class:`~pipeline.network.model.ModelError`."""
    check_loads(network)
    builder = SolutionBuilder(network)
    with np.errstate(all="ignore"):  # build() checks that all results are finite
        if network.is_open.all():
            builder.solve_open_classes()
            if method != "exact":
                builder.add_warning(texts.all_classes_open(method))
        else:
            builder.solve_closed_classes(method)
        return builder.build()


def check_loads(network: Network) -> None:
    """Raise :class:`ModelError` where open classes overload a station."""
    rates = network.rates
    loads = network.demands @ rates
    capacity = np.array([s.capacity for s in network.services])
    overloaded = np.flatnonzero(loads >= capacity * (1 - 1e-14))
    if not len(overloaded):
        return
    k = int(overloaded[np.argmax(loads[overloaded] / capacity[overloaded])])
    limits = max_rates(rates, network.demands, network.services)
    remedies = []
    for c in np.flatnonzero(network.is_open & (rates > 0)):
        if network.demands[k, c] > 0:
            max_rate = float(limits[:, c].min())
            remedies.append(
                f"class {network.classes[c].name!r} below {max_rate:.10g} (rate is {rates[c]:.10g})"
            )
    if len(remedies) > MAX_REMEDIES:
        remedies[MAX_REMEDIES:] = [f"and {len(remedies) - MAX_REMEDIES} more"]
    if np.count_nonzero(network.is_open & (rates > 0)) > 1:
        factor = float((capacity / loads)[overloaded].min())
        remedies.append(f"or all open rates multiplied by less than {factor:.10g}")
    name = network.stations[k].name
    raise ModelError(texts.overloaded(name, loads[k] / capacity[k], remedies))


@dataclass
class SolutionBuilder:
    """A solution while it is assembled; arrays have the model's stations and classes."""

    network: Network
    method: str = "exact"
    exact: bool = True
    warnings: list[str] = field(default_factory=list)
    extra_by_station: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.network.demands.shape
        self.residence, self.queues = np.zeros(shape), np.zeros(shape)
        self.busy = np.full(shape[0], np.nan)
        self.throughput = self.network.rates.copy()

    def add_warning(self, text: str) -> None:
        """Add a warning to the solution."""
        self.warnings.append(text)

    def solve_open_classes(self) -> None:
        """Solve a network whose classes are all open."""
        n = self.network
        solution = solve_open(n.rates, n.demands, n.services)
        self.residence = solution.residence_times.copy()
        self.queues = solution.queue_lengths.copy()
        self.busy = solution.utilizations.sum(axis=1)
        self.warn_ignored_scv()
        methods = []
        for k, station in enumerate(n.stations):
            if station.kind == "load_dependent":
                if nonproduct.has_non_poisson_arrivals(n, k):
                    self._mark_approximate(texts.ARRIVALS_AS_POISSON_LOAD_DEPENDENT, station)
                if station.scheduling == "fcfs" and nonproduct.has_unequal_service_times(n, k):
                    self._mark_approximate(texts.FCFS_UNEQUAL_AS_PS, station)
            if not nonproduct.is_non_product_form(n, k):
                continue
            wait = nonproduct.station_wait(n, k)
            self.residence[k] = n.demands[k] + wait.waiting_times
            self.queues[k] = n.rates * self.residence[k]
            self.exact &= wait.is_exact
            if wait.method not in methods:
                methods.append(wait.method)
            if not wait.is_exact:
                self.add_warning(wait.note)
            self._extra_table("waiting_time")[k] = wait.waiting_times
            self._extra_table("waiting_time_bound")[k] = wait.bound
        if methods and not self.exact:
            self.method = ", ".join(methods)
        if not self.exact and any(c.arrival_scv != 1 for c in n.classes) and len(n.stations) > 1:
            self.add_warning(texts.NO_ROUTING)

    def _mark_approximate(self, text: str, station: Station) -> None:
        self.exact = False
        self.add_warning(texts.station_text(station.name, text))

    def _extra_table(self, name: str) -> Array:
        return self.extra_by_station.setdefault(name, np.full(self.network.demands.shape, np.nan))

    def warn_ignored_scv(self) -> None:
        """Warn of every service_scv that has no effect."""
        for s in self.network.stations:
            if s.service_scv == 1:
                continue
            if s.kind == "load_dependent" and s.scheduling == "fcfs":
                self._mark_approximate(texts.FCFS_SCV_IGNORED, s)
            elif s.kind == "delay" or s.scheduling != "fcfs":
                discipline = "a delay" if s.kind == "delay" else s.scheduling.upper()
                self.add_warning(texts.station_text(s.name, texts.scv_insensitive(discipline)))

    def solve_closed_classes(self, method: str) -> None:
        """Solve a network with closed classes, exactly if requested and possible."""
        n = self.network
        populated = n.populations > 0
        for c in np.flatnonzero(~n.is_open & ~populated):
            self.add_warning(texts.empty_class(n.classes[c].name))
        waits_for_work = self._fcfs_by_work()
        self.method = method
        if not populated.any():
            self.method = "exact"
            self._solve_open_part()
            return
        if method == "exact":
            if waits_for_work.any():
                self.method = self._choose_approximation(texts.NOT_PRODUCT_FORM)
            else:
                try:
                    self._solve_exactly(populated)
                    return
                except TooLargeError as error:
                    self.method = self._choose_approximation(texts.too_large(error))
        self.exact = False
        self._solve_approximately(populated, waits_for_work)

    def _solve_open_part(self) -> None:
        n = self.network
        is_open = n.is_open
        if is_open.any():
            open_classes = tuple(c for c in n.classes if c.is_open)
            part = replace(
                n, classes=open_classes, demands=n.demands[:, is_open],
                visits=None if n.visits is None else n.visits[:, is_open],
            )  # fmt: skip
            builder = SolutionBuilder(part)
            builder.solve_open_classes()
            self.residence[:, is_open] = builder.residence
            self.queues[:, is_open] = builder.queues
            self.busy, self.exact, self.method = builder.busy, builder.exact, builder.method
            for name, table in builder.extra_by_station.items():
                self._extra_table(name)[:, is_open] = table
            self.warnings += [w for w in builder.warnings if w not in self.warnings]

    def _choose_approximation(self, reason: str) -> str:
        is_small = _linearizer_numbers(*self.network.demands.shape) <= MAX_LINEARIZER_NUMBERS
        method = "linearizer" if is_small else "schweitzer"
        self.add_warning(texts.solved_approximately(reason, method))
        return method

    def _fcfs_by_work(self) -> Flags:
        """FCFS servers to be approximated by the work found on arrival; warns of all approximations."""
        n = self.network
        self.warn_ignored_scv()
        waits_for_work = np.zeros(len(n.stations), bool)
        for k, s in enumerate(n.stations):
            if nonproduct.has_non_poisson_arrivals(n, k) and s.kind != "delay":
                self._mark_approximate(texts.ARRIVALS_AS_POISSON_CLOSED, s)
            if s.kind == "delay" or s.scheduling != "fcfs":
                continue
            is_unequal = nonproduct.has_unequal_service_times(n, k)
            is_general = s.service_scv != 1 and s.kind == "queue" and n.demands[k].any()
            if not (is_unequal or is_general):
                continue
            waits_for_work[k] = s.kind == "queue" and s.servers == 1
            self._mark_approximate(texts.fcfs_approximation(is_unequal, waits_for_work[k]), s)
        return waits_for_work

    def _solve_exactly(self, populated: Flags) -> None:
        n = self.network
        is_open = n.is_open
        solution = mixed.solve_exactly(
            n.demands[:, populated], n.populations[populated], n.think_times[populated],
            n.rates[is_open], n.demands[:, is_open], n.services,
        )  # fmt: skip
        self._store(populated, solution)
        self.busy = solution.busy

    def _solve_approximately(self, populated: Flags, waits_for_work: Flags) -> None:
        n = self.network
        is_open = n.is_open
        numbers = _linearizer_numbers(len(n.stations), int(populated.sum()))
        if self.method == "linearizer" and numbers > 4 * MAX_LINEARIZER_NUMBERS:
            raise ModelError(
                f"linearizer: too large ({len(n.stations)} stations, {int(populated.sum())} classes); "
                "use schweitzer"
            )
        problem = approximate.ApproximateProblem(
            n.demands[:, populated], n.populations[populated].astype(float),
            n.think_times[populated], n.rates[is_open], n.demands[:, is_open], n.services,
            waits_for_work, np.array([s.service_scv for s in n.stations]),
            n.service_times[:, populated], n.service_times[:, is_open],
        )  # fmt: skip
        solve = approximate.linearizer if self.method == "linearizer" else approximate.schweitzer
        solution = solve(problem)
        results = (solution.queue_lengths, solution.throughput)
        if not all(np.all(np.isfinite(table)) for table in results):
            raise ModelError(f"{self.method} did not find a solution")
        if solution.residual > MAX_RESIDUAL:
            raise ModelError(
                texts.not_converged(self.method, solution.iterations, solution.residual)
            )
        if solution.residual > MAX_SILENT_RESIDUAL:
            self.add_warning(
                texts.slow_convergence(self.method, solution.iterations, solution.residual)
            )
        self._store(populated, solution)
        for k, s in enumerate(n.stations):
            if s.kind == "load_dependent":
                load = float(self.throughput @ n.demands[k])
                load = min(load, s.service.capacity * (1 - 1e-12))
                self.busy[k] = 1 - _idle_probability(s.service, load)

    def _store(
        self, populated: Flags, solution: mixed.MixedSolution | approximate.Approximation
    ) -> None:
        n, is_open = self.network, self.network.is_open
        self.throughput[populated] = solution.throughput
        self.queues[:, populated] = solution.queue_lengths
        self.residence[:, populated] = solution.queue_lengths / solution.throughput
        self.residence[:, is_open] = solution.open_residence
        self.queues[:, is_open] = n.rates[is_open] * solution.open_residence

    def build(self) -> Solution:
        """The complete solution; raises :class:`ModelError` where a result is not finite."""
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
            self.extra_by_station["throughput"] = self.throughput * n.visits
            self.extra_by_station["service_time"] = n.service_times
        for table in (self.throughput, response, utilizations, self.queues, self.residence):
            if not np.all(np.isfinite(table)):
                raise ModelError("a result exceeds the range of a double")
        warnings = (*n.warnings, *dict.fromkeys(self.warnings))
        return Solution(
            n, self.method, self.exact, self.throughput, response, utilizations, self.queues,
            self.residence, self.extra_by_station, warnings=warnings, knee=knee(n),
        )  # fmt: skip


def _linearizer_numbers(stations: int, classes: int) -> int:
    return stations * classes * (classes + 1)


def _idle_probability(service: Service, load: float) -> float:
    return 1 - float(mean_number(service, load)[1])


def knee(network: Network) -> float | None:
    """N* = (ΣD + Z) / D_max of one closed class at single servers and delays; None elsewhere."""
    if len(network.classes) != 1 or network.classes[0].is_open:
        return None
    demands = network.demands[:, 0]
    capacity = np.array([s.capacity for s in network.services])  # infinite at a delay
    max_demand = float((demands / capacity).max())
    if max_demand == 0:
        return None
    return (float(demands.sum()) + network.classes[0].think_time) / max_demand
