"""Approximate Mean Value Analysis of closed and mixed networks that are too large, or not of product form.

Schweitzer and Linearizer estimate the queue that a customer of class c finds on arrival, that is in the network with
one customer of its class less. Schweitzer 1979 (Lazowska et al. 1984, page 399): its own class's queue is less by
1/N_c of it. Linearizer (Chandy and Neuse, Comm. ACM 25 (1982) 126) corrects this by the change of the queues'
fractions when a customer leaves, from the approximate solutions at N and at each N − 1_c.

The residence time as a function of the queue found, h(Q) = R / D, is 1 + Q at one server. At other stations it is that
of the open station with Q customers on average (:class:`ResidenceRatio`): exact at one server and at a delay, and
exact at any station as the populations grow. It is our own approximation and is marked as one.

At an FCFS server whose classes differ in service time, or whose service times are not exponential, a customer waits
for the work found on arrival: W = Σ_j S_j Q_j − φ Σ_j U_j S_j (1 − c_s²)/2, where the second term replaces the service
in progress by its mean residual (Reiser, IFIP WG 7.3 1979; Lazowska et al. 1984, page 255 onwards, for the method).
φ, our own, is the fraction of the other closed customers that are elsewhere: a customer who arrives while all others
queue here arrives at the start of a service.

Linearizer and the work found can give a bottleneck a utilization slightly above 1. The queue found there is then
scaled until the utilization is 1 (our own, too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.network.arrays import Array, Flags, quotient
from pipeline.network.service import Service, mean_number

MAX_ITERATIONS = 20_000
MAX_WORK = 200_000_000
"""Numbers touched in all iterations; they take about 20 s."""
DAMPING_STEPS = 300, 3000
"""Iterations after which steps are multiplied by 0.5 and by 0.1."""


class ResidenceRatio:
    """h(Q) = R/D of closed customers at a station that also carries an open load a."""

    def __init__(self, service: Service, open_load: float):
        self.service, self.load = service, open_load
        self.residual_capacity = service.capacity - open_load
        if service.is_delay or service.is_single_server:
            return
        points = int(np.clip(200_000_000 // (service.limiting_index + 1), 100, 3000))
        near = np.logspace(-9, -1e-3, points)[::-1]  # 1 − t/β from just below 1 down
        t = np.concatenate(
            (
                self.residual_capacity * np.logspace(-12, -3, 200),
                self.residual_capacity * (1 - near),
            )
        )
        t = np.unique(t[t > 0])
        number, _ = mean_number(service, t + open_load)
        ratio = number / (t + open_load)
        closed = ratio * t
        increases = np.concatenate(([True], np.diff(np.maximum.accumulate(closed)) > 0))
        self.log_q = np.log1p(closed[increases])
        self.log_h = np.log(ratio[increases])

    def __call__(self, queue: Array) -> Array:
        """h(Q) for ``queue``, the closed customers found on arrival, of any shape."""
        if self.service.is_delay:
            return np.ones_like(queue)
        if self.service.is_single_server:
            return (1 + queue) / self.residual_capacity
        x = np.log1p(np.maximum(queue, 0))
        beyond = np.maximum(x - self.log_q[-1], 0)
        return np.exp(np.interp(x, self.log_q, self.log_h) + beyond)


@dataclass(frozen=True)
class Approximation:
    """Closed classes C, open classes O, stations K."""

    throughput: Array
    """X_c, customers per second, (C,)."""
    queue_lengths: Array
    """Q_kc, customers, (K, C)."""
    open_residence: Array
    """R_ko, seconds per customer, (K, O)."""
    iterations: int
    residual: float
    """Largest change of a queue in the last iteration, as a fraction of its class's population."""


@dataclass
class ApproximateProblem:
    """A network to be solved approximately; times in seconds, rates in customers per second."""

    demands: Array
    """(K, C)"""
    populations: Array
    """(C,), each ≥ 1"""
    think: Array
    """(C,)"""
    rates: Array
    """(O,)"""
    open_demands: Array
    """(K, O)"""
    services: Sequence[Service]
    waits_for_work: Flags
    """Stations, (K,), where a customer waits for the work found: single FCFS servers."""
    scv: Array
    """c_s², (K,)"""
    service_times: Array
    """S, (K, C)"""
    open_service_times: Array
    """S, (K, O)"""
    residence_ratios: list[ResidenceRatio] = field(init=False)

    def __post_init__(self) -> None:
        self.loads = self.open_demands @ self.rates
        self.residence_ratios = [
            ResidenceRatio(s, a) for s, a in zip(self.services, self.loads, strict=True)
        ]
        self.is_linear, self.is_delay, self.is_queue = np.array(
            [
                (s.is_delay or s.is_single_server, s.is_delay, s.kind == "queue")
                for s in self.services
            ]
        ).T
        with np.errstate(invalid="ignore"):
            residual = np.array([ratio.residual_capacity for ratio in self.residence_ratios])
        self.residual_capacity = np.where(self.is_delay, 1.0, residual)
        self.visits = quotient(self.demands, self.service_times)[self.waits_for_work]
        self.queue_scale = np.ones(len(self.services))
        self.open_work = (self.open_demands * self.rates * self.open_service_times).sum(axis=1)

    def residence(
        self,
        queue: Array,
        work: Array,
        in_service: Array,
        other_customers: Array | float,
    ) -> Array:
        """R, (…, K, C), from what class c finds on arrival at station k.

        ``queue``: customers, ``work``: Σ S, ``in_service``: Σ U S, all (…, K, C); ``other_customers``: closed
        customers less one, (…).
        """
        queue = queue * self.queue_scale[:, None]
        is_delay, residual = self.is_delay[:, None], self.residual_capacity[:, None]
        result = self.demands * np.where(is_delay, 1.0, (1 + queue) / residual)
        for k in np.flatnonzero(~self.is_linear):
            result[..., k, :] = self.demands[k] * self.residence_ratios[k](queue[..., k, :])
        w = self.waits_for_work
        if w.any():
            others = np.maximum(np.asarray(other_customers, float), 1e-9)[..., None, None]
            scale = self.queue_scale[w][:, None]
            elsewhere = np.clip(1 - queue[..., w, :] / scale / others, 0, 1)
            wait = self.waiting(work[..., w, :], in_service[..., w, :], elsewhere)
            result[..., w, :] = self.visits * (self.service_times[w] + wait * scale)
        return result

    def rescale(self, throughput: Array) -> float:
        """Scale the queues found where a utilization would exceed 1; the largest relative change of a scale."""
        load = self.demands @ throughput
        utilization = np.where(self.is_queue, load / self.residual_capacity, 0.0)
        before = self.queue_scale
        self.queue_scale = np.clip(before * np.clip(utilization, 0.25, 4.0) ** 0.7, 1.0, 1e12)
        return float(np.abs(self.queue_scale / before - 1).max())

    def waiting(self, work: Array, in_service: Array, elsewhere: Array | float = 1.0) -> Array:
        """W at the ``waits_for_work`` stations: work found, less the completed part of the service in progress.

        With the open customers' own queue: w = (closed work − Σ U S (1 − c²)/2 + Σ_open U S) / (1 − ρ_open).
        """
        w = self.waits_for_work
        residual, scv = self.residual_capacity[w][:, None], self.scv[w][:, None]
        open_work = self.open_work[w][:, None]
        wait = work - elsewhere * (in_service + open_work) * (1 - scv) / 2 + open_work
        return np.maximum(wait, 0) / residual

    def open_residence(self, queues: Array, throughput: Array) -> Array:
        """R of the open classes, (K, O), given the closed customers' queues."""
        closed = queues.sum(axis=1)
        result = np.zeros_like(self.open_demands)
        for k, service in enumerate(self.services):
            if self.is_linear[k]:
                factor = 1.0 if service.is_delay else (1 + closed[k]) / self.residual_capacity[k]
            else:
                t = closed[k] / self.residence_ratios[k](closed[k : k + 1])[0]
                number, _ = mean_number(
                    service, min(t + self.loads[k], service.capacity * (1 - 1e-12))
                )
                total = t + self.loads[k]
                factor = number / total if total > 0 else mean_number(service, 1e-12)[0] / 1e-12
            result[k] = self.open_demands[k] * factor
        w = self.waits_for_work
        if w.any() and self.open_demands.shape[1]:
            in_service = (self.demands * throughput * self.service_times).sum(axis=1)
            work = (self.service_times * queues).sum(axis=1)
            wait = self.waiting(work[w][:, None], in_service[w][:, None])
            times = self.open_service_times[w]
            result[w] = quotient(self.open_demands[w], times) * (times + wait)
        return result

    def initial_queues(self) -> Array:
        """Queues of the first iteration, in proportion to the demands, (K, C)."""
        share = self.demands / np.maximum(self.demands.sum(axis=0) + self.think, 1e-300)
        return self.populations * share

    def max_iterations(self) -> int:
        """Iterations within ``MAX_WORK``."""
        return int(np.clip(MAX_WORK // (self.demands.size + 1), 50, MAX_ITERATIONS))


def damping(iteration: int) -> float:
    """Fraction of a step that is taken: 1, less if the iteration is slow to converge."""
    return 1.0 if iteration < DAMPING_STEPS[0] else 0.5 if iteration < DAMPING_STEPS[1] else 0.1


def schweitzer(problem: ApproximateProblem, tolerance: float = 1e-11) -> Approximation:
    """Bard and Schweitzer's approximation, by fixed-point iteration.

    Parameters
    ----------
    problem : ApproximateProblem
    tolerance : float
        Residual at which the iteration stops; it also stops after ``problem.max_iterations()``.

    Returns
    -------
    Approximation
        Its ``residual`` shows whether the iteration converged.

    References
    ----------
    Lazowska et al., Quantitative System Performance (1984), algorithm 6.3, page 118, and page 399.
    """
    p = problem
    queues = p.initial_queues()
    own = 1 / p.populations
    residual, throughput = np.inf, np.zeros(len(p.populations))
    iteration, max_iterations = 0, p.max_iterations()
    while iteration < max_iterations and residual > tolerance:
        iteration += 1
        arrival_queue = queues.sum(axis=1, keepdims=True) - queues * own
        class_work = p.service_times * queues
        arrival_work = class_work.sum(axis=1, keepdims=True) - class_work * own
        class_in_service = p.demands * throughput * p.service_times
        in_service = class_in_service.sum(axis=1, keepdims=True) - class_in_service * own
        residence = p.residence(arrival_queue, arrival_work, in_service, p.populations.sum() - 1)
        throughput = p.populations / (p.think + residence.sum(axis=0))
        rescaling = p.rescale(throughput)
        new = throughput * residence
        residual = max(float((np.abs(new - queues) * own).max(initial=0)), rescaling)
        queues = queues + damping(iteration) * (new - queues)
    open_residence = p.open_residence(queues, throughput)
    return Approximation(throughput, queues, open_residence, iteration, residual)


def linearizer(problem: ApproximateProblem, tolerance: float = 1e-9) -> Approximation:
    """Chandy and Neuse's Linearizer, iterated to convergence instead of three times.

    Parameters
    ----------
    problem : ApproximateProblem
    tolerance : float
        Residual at which the iteration stops.

    Returns
    -------
    Approximation
        Its ``residual`` shows whether the iteration converged.

    References
    ----------
    Chandy and Neuse, Comm. ACM 25 (1982) 126.
    """
    p = problem
    stations, classes = p.demands.shape
    # row 0 of the leading axis is the population N, row d + 1 is N − 1_d
    less = np.vstack((np.zeros(classes), np.eye(classes)))
    populations = np.maximum(p.populations - less, 0)
    base = p.initial_queues() / p.populations
    fractions = np.repeat(base[None], classes + 1, axis=0)
    delta = np.zeros((stations, classes, classes))  # of class j's fraction when class c loses one
    throughput = np.zeros((classes + 1, classes))
    iteration, residual = 0, np.inf
    numbers = (classes + 1) ** 2 * stations
    max_outer = max(3, min(60, MAX_WORK // (50 * numbers + 1)))
    max_inner = max(50, min(2000, MAX_WORK // (10 * numbers * max_outer + 1)))
    for _ in range(max_outer):
        before = fractions[0].copy()
        for _ in range(max_inner):
            iteration += 1
            # the queue that class c finds: Σ_j (N_j − δ_jc) (F_j + Δ_jc)
            own = np.einsum("kcc->kc", delta)
            arrival_queue = (
                np.einsum("dj,dkj->dk", populations, fractions)[:, :, None]
                + np.einsum("dj,kjc->dkc", populations, delta)
                - fractions - own
            )  # fmt: skip
            arrival_work = in_service = arrival_queue
            if p.waits_for_work.any():
                class_work = p.service_times * fractions
                arrival_work = (
                    np.einsum("dj,dkj->dk", populations, class_work)[:, :, None]
                    + np.einsum("dj,kj,kjc->dkc", populations, p.service_times, delta)
                    - class_work - p.service_times * own
                )  # fmt: skip
                class_in_service = p.demands * throughput[:, None, :] * p.service_times
                part = quotient(1, populations)
                total = class_in_service.sum(axis=2, keepdims=True)
                in_service = total - class_in_service * part[:, None, :]
            others = populations.sum(axis=1) - 1
            residence = p.residence(
                np.maximum(arrival_queue, 0), np.maximum(arrival_work, 0), in_service, others
            )
            cycle = p.think + residence.sum(axis=1)
            throughput = populations / cycle
            rescaling = p.rescale(throughput[0])
            new = residence / cycle[:, None, :]
            step = max(float(np.abs(new - fractions).max()), rescaling)
            fractions = fractions + damping(iteration) * (new - fractions)
            if step < tolerance / 10 or iteration >= MAX_ITERATIONS:
                break
        delta = np.moveaxis(fractions[1:], 0, 2) - fractions[0][:, :, None]
        residual = float(np.abs(fractions[0] - before).max())
        if residual < tolerance or iteration >= MAX_ITERATIONS:
            break
    queues = p.populations * fractions[0]
    open_residence = p.open_residence(queues, throughput[0])
    return Approximation(throughput[0], queues, open_residence, iteration, max(residual, step))
