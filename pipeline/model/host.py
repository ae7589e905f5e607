"""Our model of a virtualized host: what a request does before its reply, and what it waits for.

What the paper leaves out, a switch each, so that each can be shown to earn its place:

- *the host's CPU is a queue*: all of a virtual server's work passes through its QEMU, so requests wait for the CPU
  time that QEMU takes (task counters), not only for what the server's own processes take in the guest;
- *work after the reply*: closing, logging and interrupts are in that CPU time but not in the reply's way. What is
  in the way is told by the CPU time of the server's own processes;
- *demand that depends on the load* (:mod:`pipeline.demands.load_curve`);
- *the arrivals' measured variability* (G/G/1 by Krämer and Langenbach-Belz), and
- *the client's own sequence of arrivals* where it is known before a run (Lindley's recursion).

Open loads: R = b s + D_vdisk + W_cpu + W_vdisk, b the demand before the reply. While another QEMU wants the same
CPU the kernel shares it, so CPU times stretch by s = 1 + p, p how much of the CPU the others use. The guest's disk
time holds the host's disk and the virtualization layer, each of them once. Closed loads: mean value analysis with
the host's CPU and the host's disk; the layer is QEMU's CPU time, and already there. A quota of less than a CPU is a
budget and no slower CPU: it fills again while requests wait for the disk, and limits X to what it can pay for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.load_curve import DemandCurve
from pipeline.equations import ratio, virtualization_share
from pipeline.measure.load import Load
from pipeline.model.prediction import Prediction, closed_network, wait
from pipeline.network.gg1 import mean_wait

Array = NDArray[np.float64]

MAX_ROUNDS = 100
AGREED = 1e-12
"""Relative gap at which a fixed point is reached."""


def fixed_point(step: Callable[[Array], Array], start: Array) -> Array:
    """x with step(x) = x, each entry above 0: repeated substitution, from ``start``.

    An entry that overshoots moves by half as much from then on, so that a step that falls with x converges, too.
    """
    at, part, before = start, np.ones_like(start), np.zeros_like(start)
    for _ in range(MAX_ROUNDS):
        gap = step(at) - at
        if (np.abs(gap) <= AGREED * np.abs(at)).all():
            break
        overshoots = (gap * before < 0) & (np.abs(gap) > np.abs(before) / 4)
        part = np.where(overshoots, part / 2, part)
        at, before = at + part * gap, gap
    return at


@dataclass(frozen=True)
class Surroundings:
    """What the host gives apart from the load: today's, or what one asks about."""

    capacity_cpus: float
    """CPUs that the guests may use together; below 1 it is a share of one."""
    idle_cpus: float = 0.0
    """CPUs that this guest uses without requests."""
    others_cpus: float = 0.0
    """CPUs that the other guests use, at the speed of the fit."""
    cpu_speed: float = 1.0
    """How many times as fast as when the model was fitted."""
    disk_speed: float = 1.0
    assured_cpus: float | None = None
    """CPUs that this guest gets whenever it wants them; None: half of the capacity, as beside one other."""

    @property
    def idle(self) -> float:
        """CPUs that this guest uses without requests, at this speed."""
        return self.idle_cpus / self.cpu_speed

    @property
    def others(self) -> float:
        """CPUs that the other guests use, at this speed."""
        return self.others_cpus / self.cpu_speed

    def busy(self, used: Array) -> Array:
        """How busy the CPUs are where this guest's requests use so many of them."""
        return np.minimum((used + self.idle + self.others) / self.capacity_cpus, 1.0)

    @property
    def left(self) -> float:
        """CPUs that this guest gets if it wants all it can get."""
        return float(self.left_beside(self.others_cpus))

    def left_beside(self, others_cpus: Array | float) -> Array | float:
        """The same beside others that use so many CPUs; the kernel gives them no more than is not assured to this."""
        assured = self.capacity_cpus / 2 if self.assured_cpus is None else self.assured_cpus
        return np.maximum(self.capacity_cpus - others_cpus / self.cpu_speed, assured)

    @property
    def spare(self) -> float:
        """CPUs left for requests under a load that takes all there is."""
        return max(self.left - self.idle, 1e-9)

    @property
    def awake(self) -> float:
        """CPUs for requests at a moment in which no quota is used up."""
        return max(max(1 - self.capacity_cpus, 0.0) + self.left - self.idle, 1e-9)

    @property
    def stretch(self) -> float:
        """How much longer CPU work takes beside the others: the kernel shares the CPU where two want it."""
        return 1 + min(self.others / self.capacity_cpus, 1.0)


@dataclass(frozen=True)
class Shape:
    """What the logs do not tell: from the client's times at the fitted loads, or the textbook's assumptions."""

    before_factor: float = 1.0
    """How much of ``before`` is in the reply's way."""
    cpu_scv: float = 1.0
    """c_s² of the CPU times; exponential unless calibrated."""
    gained_scv: float = 0.0
    """Variability that even arrivals gain on their way to the CPU: c_a² becomes g + (1 − g) c_a²."""


@dataclass(frozen=True)
class HostModel:
    """One virtual server on one server. Arrays have an entry a draw, the estimate first."""

    cpu: DemandCurve
    """Demand at the host's CPU: QEMU's time."""
    before: DemandCurve
    """Of that, what the server's own processes take in the guest: work before the reply."""
    vdisk: DemandCurve
    disk: DemandCurve
    surroundings: Surroundings
    arrival_scv: Callable[[Load], float]
    """c_a² of a load's arrivals."""
    shape: Shape = Shape()
    scatter: float = 0.0
    """Standard deviation of the logarithm of a run's CPU demand about the curve, from run to run."""
    after_reply: bool = True
    """Whether work after the reply is told from work before it."""
    variability: bool = True
    """Whether the arrivals' variability is what was measured; Poisson's if not."""
    sequence: bool = True
    """Whether a load's known sequence of arrivals is looked at; only its variability if not."""
    quota: bool = True
    """Whether a quota of less than a CPU is a budget that fills again while requests wait; a slower CPU if not."""

    def predict(self, load: Load, surroundings: Surroundings | None = None) -> Prediction:
        """X and R of a load; R is infinite where the CPU cannot take it."""
        around = self.surroundings if surroundings is None else surroundings
        return self._closed(load, around) if load.kind == "closed" else self._open(load, around)

    def throughput(self, load: Load, surroundings: Surroundings | None = None) -> Array:
        """X of a load."""
        if load.kind == "open":
            return self._rate(load)
        return self._closed(load, surroundings or self.surroundings).throughput_per_s

    def utilization(self, load: Load, surroundings: Surroundings | None = None) -> Array:
        """How much of what it can get this guest uses; from 1 on the server is saturated."""
        around = surroundings or self.surroundings
        used = self.cpu_used(load, around)
        if load.kind == "open":
            return used / around.left
        return used / (used + np.maximum(around.spare + around.idle - used, 0))

    def bottleneck(self, load: Load, surroundings: Surroundings) -> Array:
        """How busy the busier of CPU and disk is under an open load; from 1 on R has no bound."""
        rate, busy = self._rate(load), self.utilization(load, surroundings)
        return np.maximum(busy, rate * self._disk_time(rate * load.duration_s, busy, surroundings))

    def most_open_per_s(self, around: Surroundings) -> float:
        """No more of an open load than this, by the estimate: the demands of a warm and busy server."""
        full = np.array(np.inf), np.array(1.0)
        demand = self.cpu.at(*full)[0] / around.cpu_speed / around.capacity_cpus
        return float(ratio(1.0, max(demand, self._disk_time(*full, around)[0])))

    def cpu_used(self, load: Load, surroundings: Surroundings | None = None) -> Array:
        """CPUs that this guest uses under a load, its idle share included; more than there are where it is too much."""
        around = surroundings or self.surroundings
        rate = self.throughput(load, around)
        return rate * self._demand(rate, load, around) + around.idle

    def demands_at(self, load: Load, rate: Array) -> dict[str, Array]:
        """What a request takes at a throughput under a load, by the curves' names.

        The demands agree with the utilization that they cause; ``rate``: requests a second, an entry a draw.
        """
        around = self.surroundings
        requests = rate * load.duration_s
        cpu = self._demand(rate, load, around)
        busy = around.busy(rate * cpu)
        rest = {
            name: getattr(self, name).at(requests, busy) for name in ("before", "vdisk", "disk")
        }
        return {"cpu": cpu, **rest}

    def with_run_scatter(self, seed: int = 0) -> HostModel:
        """The same model for a run not seen yet: its CPU demand is off the curve as those of other runs are."""
        random = np.random.default_rng(seed)
        factor = np.exp(random.normal(0, self.scatter, size=self.cpu.saturated_s.shape))
        factor[0] = 1.0
        return replace(self, cpu=self.cpu.scaled(factor), before=self.before.scaled(factor))

    def point_estimate(self) -> HostModel:
        """The same model without its draws, for speed."""
        curves = {
            name: getattr(self, name).point_estimate()
            for name in ("cpu", "before", "vdisk", "disk")
        }
        return replace(self, **curves)

    def _rate(self, load: Load) -> Array:
        return np.full_like(self.cpu.saturated_s, load.mean_rate_per_s)

    def _demand(self, rate: Array, load: Load, around: Surroundings) -> Array:
        """CPU demand at a rate (requests a second), agreeing with the utilization that it causes."""

        def demand(busy: Array) -> Array:
            return self.cpu.at(rate * load.duration_s, busy) / around.cpu_speed

        return demand(
            fixed_point(lambda busy: around.busy(rate * demand(busy)), np.full_like(rate, 0.5))
        )

    def _open(self, load: Load, around: Surroundings) -> Prediction:
        rate = self._rate(load)
        demand = self._demand(rate, load, around)
        busy = (rate * demand + around.idle) / around.left
        requests = rate * load.duration_s
        # a share of one CPU makes each request slower; several CPUs make none faster
        whole = demand * around.stretch / min(around.capacity_cpus, 1.0)
        service = demand / around.left
        before = self.before.at(requests, busy) * around.stretch / around.cpu_speed
        before = np.minimum(before, whole) * self.shape.before_factor if self.after_reply else whole
        virtual = self._disk_time(requests, busy, around)
        given = self.arrival_scv(load) if self.variability else 1.0
        scv = self.shape.gained_scv + (1 - self.shape.gained_scv) * given
        gaps = load.interarrival_s if self.variability and self.sequence else None
        waited = (
            wait(service, busy, scv, self.shape.cpu_scv)
            if gaps is None
            else self._waited(gaps, service, around)
        )
        # exponential: the queue's counter cannot tell, since a single request's overlapping operations are in it
        queued = wait(virtual, rate * virtual, scv)
        return Prediction(rate, before + virtual + waited + queued)

    def _disk_time(self, requests: Array, busy: Array, around: Surroundings) -> Array:
        """Demand at the guest's disk: the host's disk, and the virtualization layer's work on the CPU."""
        vdisk = self.vdisk.at(requests, busy)
        layer = virtualization_share(vdisk, self.disk.at(requests, busy))
        return (vdisk - layer) / around.disk_speed + layer * around.stretch / around.cpu_speed

    def _waited(self, gaps: Array, service: Array, around: Surroundings) -> Array:
        """Mean wait for the CPU of requests that come one by one as is known.

        What the guest does without requests makes the CPU slower, and is found at work: with Poisson arrivals the
        two together are what the formula for M/G/1 says of the sum of the loads.
        """
        idle = around.idle / around.left
        slowed = service / max(1 - idle, 1e-9)
        found = idle * slowed * (1 + self.shape.cpu_scv) / 2
        return found + [mean_wait(gaps, mean, self.shape.cpu_scv) for mean in slowed]

    def wait_in_course(self, load: Load, others_cpus: Array) -> float:
        """Mean wait for the CPU (s, by the estimate) where the neighbours do not use the same all the time.

        ``load`` has a known sequence; ``others_cpus``: CPUs that they use as each request comes, shape (requests,).
        """
        gaps = load.interarrival_s
        assert gaps is not None
        around = self.surroundings
        spare = np.maximum(
            around.left_beside(others_cpus) - around.idle, 0.05 * around.capacity_cpus
        )
        demand = self._demand(self._rate(load), load, around)[0]
        return mean_wait(gaps, demand / spare, self.shape.cpu_scv)

    def _closed(self, load: Load, around: Surroundings) -> Prediction:
        cpus = around.awake if self.quota else around.spare
        stretch, servers = 1 / min(cpus, 1.0), max(cpus, 1.0)

        def answer(state: Array) -> tuple[Array, Array]:
            """X, and the CPUs that requests use, with demands of a server so busy and so many requests."""
            busy, requests = state
            demand = self.cpu.at(requests, busy) / around.cpu_speed
            disk = self.disk.at(requests, busy) / around.disk_speed
            # m CPUs as one m times as fast, and the rest of a request's CPU time as a delay (Seidmann 1987)
            stations = np.stack((demand * stretch / servers, disk), axis=-1)
            solved = closed_network(stations, load, demand * stretch * (1 - 1 / servers))
            throughput = np.minimum(solved.throughput_per_s, around.spare / demand)
            return throughput, throughput * demand

        def caused(state: Array) -> Array:
            throughput, used = answer(state)
            return np.stack((around.busy(used), throughput * load.duration_s))

        start = np.stack(
            (np.full_like(self.cpu.saturated_s, 0.9), np.full_like(self.cpu.saturated_s, 1e3))
        )
        throughput, _ = answer(fixed_point(caused, start))
        return Prediction(throughput, (load.population or 0) / throughput - load.think_time_s)
