"""Approximate Mean Value Analysis, for closed and mixed networks that are too large, or not of product form.

Schweitzer's and Linearizer's question is the same: what does a customer of class c find on arrival, in the network
with one customer of its class less? Schweitzer 1979 (Lazowska et al. 1984, page 399) says: its own class's queue
less 1/N_c of it. Linearizer (Chandy and Neuse, Comm. ACM 25 (1982) 126) corrects that by how the fractions change
when a customer leaves, found from the approximate solutions at N and at each N − 1_c.

The residence time that answers a number found, h(Q) = R / D, is 1 + Q at one server. Elsewhere it is read from the
open station that holds Q customers on average (:class:`Stretch`): exact at one server and at a delay, and exact for
any station as the populations grow. It is ours, and marked as approximate like all else here.

At a FCFS server whose classes differ in service time, or whose service times are not exponential, a customer waits
for the work that it finds: W = Σ_j S_j Q_j − φ Σ_j U_j S_j (1 − c_s²)/2, where the second term makes the service in
progress a mean residual one (Reiser, IFIP WG 7.3 1979; Lazowska et al. 1984, page 255 onwards, for the idea). Ours:
φ is the part of the other closed customers that are elsewhere, since who comes while all others queue here comes
just when a service begins.

Linearizer and the work found can keep a bottleneck busy for slightly more than all the time. Where that happens
what is found there is stretched until the utilization is 1 (ours too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.network.arrays import Array, Flags, quotient
from pipeline.network.service import Service, mean_number

MOST_ITERATIONS = 20_000
MOST_WORK = 1_000_000_000
"""Numbers touched in all iterations."""
CALM = 300, 3000
"""Iterations after which steps are halved, and cut to a tenth."""


class Stretch:
    """h(Q) = R/D of closed customers at a station that also carries an open load a, (K,) or scalars."""

    def __init__(self, service: Service, open_load: float):
        self.service, self.load = service, open_load
        self.left = service.capacity - open_load
        if service.is_delay or service.is_single:
            return
        points = int(np.clip(200_000_000 // (service.turn + 1), 100, 3000))
        near = np.logspace(-9, -1e-3, points)[::-1]  # 1 − t/β from just below 1 down
        t = np.concatenate((self.left * np.logspace(-12, -3, 200), self.left * (1 - near)))
        t = np.unique(t[t > 0])
        number, _ = mean_number(service, t + open_load)
        stretch = number / (t + open_load)
        closed = stretch * t
        grows = np.concatenate(([True], np.diff(np.maximum.accumulate(closed)) > 0))
        self.log_q = np.log1p(closed[grows])
        self.log_h = np.log(stretch[grows])

    def __call__(self, queue: Array) -> Array:
        """``queue``: closed customers found, any shape."""
        if self.service.is_delay:
            return np.ones_like(queue)
        if self.service.is_single:
            return (1 + queue) / self.left
        x = np.log1p(np.maximum(queue, 0))
        beyond = np.maximum(x - self.log_q[-1], 0)
        return np.exp(np.interp(x, self.log_q, self.log_h) + beyond)


@dataclass(frozen=True)
class Approximation:
    """Closed classes C, open classes O, stations K."""

    throughput: Array
    """X_c, customers a second, (C,)."""
    queue_lengths: Array
    """Q_kc, customers, (K, C)."""
    open_residence: Array
    """R_ko, seconds a customer, (K, O)."""
    iterations: int
    change: float
    """Largest change of a queue in the last iteration, as a part of its class's population."""


@dataclass
class Problem:
    """A network to be solved approximately; times in seconds, rates in customers a second."""

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
    by_work: Flags
    """Stations, (K,), where a customer waits for the work found: single FCFS servers."""
    scv: Array
    """c_s², (K,)"""
    service_times: Array
    """S, (K, C)"""
    open_service_times: Array
    """S, (K, O)"""
    stretches: list[Stretch] = field(init=False)

    def __post_init__(self) -> None:
        self.loads = self.open_demands @ self.rates
        self.stretches = [Stretch(s, a) for s, a in zip(self.services, self.loads, strict=True)]
        self.plain, self.delay, self.queue = np.array(
            [(s.is_delay or s.is_single, s.is_delay, s.kind == "queue") for s in self.services]
        ).T
        with np.errstate(invalid="ignore"):
            left = np.array([s.left for s in self.stretches])
        self.left = np.where(self.delay, 1.0, left)
        self.visits = quotient(self.demands, self.service_times)[self.by_work]
        self.gain = np.ones(len(self.services))
        self.open_work = (self.open_demands * self.rates * self.open_service_times).sum(axis=1)

    def residence(self, found: Array, work: Array, used: Array, others: Array | float) -> Array:
        """R, (…, K, C), from what class c finds at station k.

        ``found``: customers, ``work``: Σ S, ``used``: Σ U S, all (…, K, C); ``others``: closed customers less
        one, (…).
        """
        found = found * self.gain[:, None]
        result = self.demands * np.where(self.delay[:, None], 1.0, (1 + found) / self.left[:, None])
        for k in np.flatnonzero(~self.plain):
            result[..., k, :] = self.demands[k] * self.stretches[k](found[..., k, :])
        w = self.by_work
        if w.any():
            most = np.maximum(np.asarray(others, float), 1e-9)[..., None, None]
            elsewhere = np.clip(1 - found[..., w, :] / self.gain[w][:, None] / most, 0, 1)
            wait = self.waiting(work[..., w, :], used[..., w, :], elsewhere)
            result[..., w, :] = self.visits * (self.service_times[w] + wait * self.gain[w][:, None])
        return result

    def hold(self, throughput: Array) -> float:
        """Stretch the waits where a station would be busy for more than all the time; by how much they changed."""
        busy = np.where(self.queue, self.demands @ throughput / self.left, 0.0)
        before = self.gain
        self.gain = np.clip(before * np.clip(busy, 0.25, 4.0) ** 0.7, 1.0, 1e12)
        return float(np.abs(self.gain / before - 1).max())

    def waiting(self, work: Array, used: Array, elsewhere: Array | float = 1.0) -> Array:
        """W at the ``by_work`` stations: work found, less the part of the service in progress already done.

        The open customers' own queue follows: w = (closed work − Σ U S (1 − c²)/2 + Σ_open U S) / (1 − ρ_open).
        """
        w = self.by_work
        left, scv = self.left[w][:, None], self.scv[w][:, None]
        open_work = self.open_work[w][:, None]
        wait = work - elsewhere * (used + open_work) * (1 - scv) / 2 + open_work
        return np.maximum(wait, 0) / left

    def open_residence(self, queues: Array, throughput: Array) -> Array:
        """R of the open classes, (K, O), beside the closed customers' queues."""
        closed = queues.sum(axis=1)
        result = np.zeros_like(self.open_demands)
        for k, service in enumerate(self.services):
            if self.plain[k]:
                factor = 1.0 if service.is_delay else (1 + closed[k]) / self.left[k]
            else:
                t = closed[k] / self.stretches[k](closed[k : k + 1])[0]
                number, _ = mean_number(
                    service, min(t + self.loads[k], service.capacity * (1 - 1e-12))
                )
                total = t + self.loads[k]
                factor = number / total if total > 0 else mean_number(service, 1e-12)[0] / 1e-12
            result[k] = self.open_demands[k] * factor
        w = self.by_work
        if w.any() and self.open_demands.shape[1]:
            used = (self.demands * throughput * self.service_times).sum(axis=1)
            work = (self.service_times * queues).sum(axis=1)
            wait = self.waiting(work[w][:, None], used[w][:, None])
            here = self.open_service_times[w]
            result[w] = quotient(self.open_demands[w], here) * (here + wait)
        return result

    def start(self) -> Array:
        """Queues to begin with: in proportion to the demands, (K, C)."""
        share = self.demands / np.maximum(self.demands.sum(axis=0) + self.think, 1e-300)
        return self.populations * share

    def rounds(self) -> int:
        """Iterations that are affordable."""
        return int(np.clip(MOST_WORK // (self.demands.size + 1), 50, MOST_ITERATIONS))


def pace(count: int) -> float:
    """Part of a step that is taken: all of it, unless the iteration has not come to rest for long."""
    return 1.0 if count < CALM[0] else 0.5 if count < CALM[1] else 0.1


def schweitzer(problem: Problem, tolerance: float = 1e-11) -> Approximation:
    """Bard and Schweitzer's fixed point (Lazowska et al. 1984, algorithm 6.3, page 118, and page 399)."""
    p = problem
    queues = p.start()
    own = 1 / p.populations
    change, throughput = np.inf, np.zeros(len(p.populations))
    count, most = 0, p.rounds()
    while count < most and change > tolerance:
        count += 1
        found = queues.sum(axis=1, keepdims=True) - queues * own
        carried = p.service_times * queues
        work = carried.sum(axis=1, keepdims=True) - carried * own
        spent = p.demands * throughput * p.service_times
        used = spent.sum(axis=1, keepdims=True) - spent * own
        residence = p.residence(found, work, used, p.populations.sum() - 1)
        throughput = p.populations / (p.think + residence.sum(axis=0))
        held = p.hold(throughput)
        new = throughput * residence
        change = max(float((np.abs(new - queues) * own).max(initial=0)), held)
        queues = queues + pace(count) * (new - queues)
    return Approximation(throughput, queues, p.open_residence(queues, throughput), count, change)


def linearizer(problem: Problem, tolerance: float = 1e-9) -> Approximation:
    """Chandy and Neuse's Linearizer; its three rounds are continued until nothing changes.

    Row 0 of the leading axis is the population N, row d + 1 is N − 1_d.
    """
    p = problem
    stations, classes = p.demands.shape
    less = np.vstack((np.zeros(classes), np.eye(classes)))
    populations = np.maximum(p.populations - less, 0)
    base = p.start() / p.populations
    fractions = np.repeat(base[None], classes + 1, axis=0)
    delta = np.zeros((stations, classes, classes))  # of class j's fraction when class c loses one
    throughput = np.zeros((classes + 1, classes))
    count, change = 0, np.inf
    most = max(3, min(60, MOST_WORK // (50 * (classes + 1) ** 2 * stations + 1)))
    inner_most = max(50, min(2000, MOST_WORK // (10 * (classes + 1) ** 2 * stations * most + 1)))
    for _ in range(most):
        before = fractions[0].copy()
        for _ in range(inner_most):
            count += 1
            # what class c finds: Σ_j (N_j − δ_jc) (F_j + Δ_jc)
            own = np.einsum("kcc->kc", delta)
            found = (
                np.einsum("dj,dkj->dk", populations, fractions)[:, :, None]
                + np.einsum("dj,kjc->dkc", populations, delta)
                - fractions - own
            )  # fmt: skip
            work = used = found
            if p.by_work.any():
                carried = p.service_times * fractions
                work = (
                    np.einsum("dj,dkj->dk", populations, carried)[:, :, None]
                    + np.einsum("dj,kj,kjc->dkc", populations, p.service_times, delta)
                    - carried - p.service_times * own
                )  # fmt: skip
                spent = p.demands * throughput[:, None, :] * p.service_times
                part = quotient(1, populations)
                used = spent.sum(axis=2, keepdims=True) - spent * part[:, None, :]
            others = populations.sum(axis=1) - 1
            residence = p.residence(np.maximum(found, 0), np.maximum(work, 0), used, others)
            cycle = p.think + residence.sum(axis=1)
            throughput = populations / cycle
            held = p.hold(throughput[0])
            new = residence / cycle[:, None, :]
            step = max(float(np.abs(new - fractions).max()), held)
            fractions = fractions + pace(count) * (new - fractions)
            if step < tolerance / 10 or count >= MOST_ITERATIONS:
                break
        delta = np.moveaxis(fractions[1:], 0, 2) - fractions[0][:, :, None]
        change = float(np.abs(fractions[0] - before).max())
        if change < tolerance or count >= MOST_ITERATIONS:
            break
    queues = p.populations * fractions[0]
    return Approximation(
        throughput[0], queues, p.open_residence(queues, throughput[0]), count, max(change, step)
    )
