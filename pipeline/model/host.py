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
from pipeline.model.prediction import Prediction, mean_wait_s, solve_closed
from pipeline.network.gg1 import mean_wait

Array = NDArray[np.float64]

MAX_ITERATIONS = 100
RELATIVE_TOLERANCE = 1e-12
"""Relative gap at which a fixed point is reached."""


def fixed_point(step: Callable[[Array], Array], start: Array) -> Array:
    """x with step(x) = x, each entry above 0: repeated substitution, from ``start``.

    An entry that overshoots moves by half as much from then on, so that a step that falls with x converges, too.
    """
    at, part, before = start, np.ones_like(start), np.zeros_like(start)
    for _ in range(MAX_ITERATIONS):
        gap = step(at) - at
        if (np.abs(gap) <= RELATIVE_TOLERANCE * np.abs(at)).all():
            break
        overshoots = (gap * before < 0) & (np.abs(gap) > np.abs(before) / 4)
        part = np.where(overshoots, part / 2, part)
        at, before = at + part * gap, gap
    return at


@dataclass(frozen=True)
class HostResources:
    """What the host gives apart from the load: today's, or what one asks about."""

    capacity_cpus: float
    """CPUs that the guests may use together; below 1 it is a share of one."""
    background_cpus_at_fit: float = 0.0
    """CPUs that this guest uses without requests."""
    neighbour_cpus_at_fit: float = 0.0
    """CPUs that the other guests use, at the speed of the fit."""
    cpu_speed: float = 1.0
    """How many times as fast as when the model was fitted."""
    disk_speed: float = 1.0
    guaranteed_cpus: float | None = None
    """CPUs that this guest gets whenever it wants them; None: half of the capacity, as beside one other."""

    @property
    def background_cpus(self) -> float:
        """CPUs that this guest uses without requests, at this speed."""
        return self.background_cpus_at_fit / self.cpu_speed

    @property
    def neighbour_cpus(self) -> float:
        """CPUs that the other guests use, at this speed."""
        return self.neighbour_cpus_at_fit / self.cpu_speed

    def utilization(self, cpus_used: Array) -> Array:
        """How busy the CPUs are where this guest's requests use so many of them."""
        return np.minimum(
            (cpus_used + self.background_cpus + self.neighbour_cpus) / self.capacity_cpus, 1.0
        )

    @property
    def available_cpus(self) -> float:
        """CPUs that this guest gets if it wants all it can get."""
        return float(self.available_given(self.neighbour_cpus_at_fit))

    def available_given(self, neighbour_cpus: Array | float) -> Array | float:
        """The same beside others that use so many CPUs; the kernel gives them no more than is not assured to this."""
        assured = self.capacity_cpus / 2 if self.guaranteed_cpus is None else self.guaranteed_cpus
        return np.maximum(self.capacity_cpus - neighbour_cpus / self.cpu_speed, assured)

    @property
    def residual_cpus(self) -> float:
        """CPUs left for requests under a load that takes all there is."""
        return max(self.available_cpus - self.background_cpus, 1e-9)

    @property
    def unthrottled_cpus(self) -> float:
        """CPUs for requests at a moment in which no quota is used up."""
        return max(
            max(1 - self.capacity_cpus, 0.0) + self.available_cpus - self.background_cpus, 1e-9
        )

    @property
    def slowdown(self) -> float:
        """How much longer CPU work takes beside the others: the kernel shares the CPU where two want it."""
        return 1 + min(self.neighbour_cpus / self.capacity_cpus, 1.0)


@dataclass(frozen=True)
class Calibration:
    """What the logs do not tell: from the client's times at the fitted loads, or the textbook's assumptions."""

    pre_reply_factor: float = 1.0
    """How much of ``pre_reply`` is in the reply's way."""
    service_scv: float = 1.0
    """c_s² of the CPU times; exponential unless calibrated."""
    arrival_scv_gain: float = 0.0
    """Variability that even arrivals gain on their way to the CPU: c_a² becomes g + (1 − g) c_a²."""


@dataclass(frozen=True)
class HostModel:
    """One virtual server on one server. Arrays have an entry a draw, the estimate first."""

    cpu: DemandCurve
    """Demand at the host's CPU: QEMU's time."""
    pre_reply: DemandCurve
    """Of that, what the server's own processes take in the guest: work before the reply."""
    vdisk: DemandCurve
    disk: DemandCurve
    resources: HostResources
    arrival_scv: Callable[[Load], float]
    """c_a² of a load's arrivals."""
    calibration: Calibration = Calibration()
    run_sd: float = 0.0
    """Standard deviation of the logarithm of a run's CPU demand about the curve, from run to run."""
    split_reply_work: bool = True
    """Whether work after the reply is told from work before it."""
    use_arrival_scv: bool = True
    """Whether the arrivals' variability is what was measured; Poisson's if not."""
    use_arrival_trace: bool = True
    """Whether a load's known sequence of arrivals is looked at; only its variability if not."""
    quota_as_budget: bool = True
    """Whether a quota of less than a CPU is a budget that fills again while requests wait; a slower CPU if not."""

    def predict(self, load: Load, resources: HostResources | None = None) -> Prediction:
        """X and R of a load; R is infinite where the CPU cannot take it."""
        resources = self.resources if resources is None else resources
        return (
            self._closed(load, resources) if load.kind == "closed" else self._open(load, resources)
        )

    def throughput(self, load: Load, resources: HostResources | None = None) -> Array:
        """X of a load."""
        if load.kind == "open":
            return self._rate(load)
        return self._closed(load, resources or self.resources).throughput_per_s

    def utilization(self, load: Load, resources: HostResources | None = None) -> Array:
        """How much of what it can get this guest uses; from 1 on the server is saturated."""
        resources = resources or self.resources
        used = self.cpus_used(load, resources)
        if load.kind == "open":
            return used / resources.available_cpus
        return used / (
            used + np.maximum(resources.residual_cpus + resources.background_cpus - used, 0)
        )

    def bottleneck_utilization(self, load: Load, resources: HostResources) -> Array:
        """How busy the busier of CPU and disk is under an open load; from 1 on R has no bound."""
        rate, busy = self._rate(load), self.utilization(load, resources)
        return np.maximum(busy, rate * self._disk_time(rate * load.duration_s, busy, resources))

    def max_open_rate_per_s(self, resources: HostResources) -> float:
        """No more of an open load than this, by the estimate: the demands of a warm and busy server."""
        full = np.array(np.inf), np.array(1.0)
        demand = self.cpu.at(*full)[0] / resources.cpu_speed / resources.capacity_cpus
        return float(ratio(1.0, max(demand, self._disk_time(*full, resources)[0])))

    def cpus_used(self, load: Load, resources: HostResources | None = None) -> Array:
        """CPUs that this guest uses under a load, its idle share included; more than there are where it is too much."""
        resources = resources or self.resources
        rate = self.throughput(load, resources)
        return rate * self._demand(rate, load, resources) + resources.background_cpus

    def demands_at(self, load: Load, rate: Array) -> dict[str, Array]:
        """What a request takes at a throughput under a load, by the curves' names.

        The demands agree with the utilization that they cause; ``rate``: requests a second, an entry a draw.
        """
        resources = self.resources
        requests = rate * load.duration_s
        cpu = self._demand(rate, load, resources)
        busy = resources.utilization(rate * cpu)
        rest = {
            name: getattr(self, name).at(requests, busy) for name in ("pre_reply", "vdisk", "disk")
        }
        return {"cpu": cpu, **rest}

    def with_run_variation(self, seed: int = 0) -> HostModel:
        """The same model for a run not seen yet: its CPU demand is off the curve as those of other runs are."""
        random = np.random.default_rng(seed)
        factor = np.exp(random.normal(0, self.run_sd, size=self.cpu.saturated_s.shape))
        factor[0] = 1.0
        return replace(self, cpu=self.cpu.scaled(factor), pre_reply=self.pre_reply.scaled(factor))

    def point_estimate(self) -> HostModel:
        """The same model without its draws, for speed."""
        curves = {
            name: getattr(self, name).point_estimate()
            for name in ("cpu", "pre_reply", "vdisk", "disk")
        }
        return replace(self, **curves)

    def _rate(self, load: Load) -> Array:
        return np.full_like(self.cpu.saturated_s, load.mean_rate_per_s)

    def _demand(self, rate: Array, load: Load, resources: HostResources) -> Array:
        """CPU demand at a rate (requests a second), agreeing with the utilization that it causes."""

        def demand(busy: Array) -> Array:
            return self.cpu.at(rate * load.duration_s, busy) / resources.cpu_speed

        return demand(
            fixed_point(
                lambda busy: resources.utilization(rate * demand(busy)), np.full_like(rate, 0.5)
            )
        )

    def _open(self, load: Load, resources: HostResources) -> Prediction:
        rate = self._rate(load)
        demand = self._demand(rate, load, resources)
        busy = (rate * demand + resources.background_cpus) / resources.available_cpus
        requests = rate * load.duration_s
        # a share of one CPU makes each request slower; several CPUs make none faster
        whole = demand * resources.slowdown / min(resources.capacity_cpus, 1.0)
        service = demand / resources.available_cpus
        before = self.pre_reply.at(requests, busy) * resources.slowdown / resources.cpu_speed
        before = (
            np.minimum(before, whole) * self.calibration.pre_reply_factor
            if self.split_reply_work
            else whole
        )
        virtual = self._disk_time(requests, busy, resources)
        given = self.arrival_scv(load) if self.use_arrival_scv else 1.0
        scv = self.calibration.arrival_scv_gain + (1 - self.calibration.arrival_scv_gain) * given
        gaps = load.interarrival_s if self.use_arrival_scv and self.use_arrival_trace else None
        waited = (
            mean_wait_s(service, busy, scv, self.calibration.service_scv)
            if gaps is None
            else self._trace_wait(gaps, service, resources)
        )
        # exponential: the queue's counter cannot tell, since a single request's overlapping operations are in it
        queued = mean_wait_s(virtual, rate * virtual, scv)
        return Prediction(rate, before + virtual + waited + queued)

    def _disk_time(self, requests: Array, busy: Array, resources: HostResources) -> Array:
        """Demand at the guest's disk: the host's disk, and the virtualization layer's work on the CPU."""
        vdisk = self.vdisk.at(requests, busy)
        layer = virtualization_share(vdisk, self.disk.at(requests, busy))
        return (
            vdisk - layer
        ) / resources.disk_speed + layer * resources.slowdown / resources.cpu_speed

    def _trace_wait(self, gaps: Array, service: Array, resources: HostResources) -> Array:
        """Mean wait for the CPU of requests that come one by one as is known.

        What the guest does without requests makes the CPU slower, and is found at work: with Poisson arrivals the
        two together are what the formula for M/G/1 says of the sum of the loads.
        """
        idle = resources.background_cpus / resources.available_cpus
        slowed = service / max(1 - idle, 1e-9)
        found = idle * slowed * (1 + self.calibration.service_scv) / 2
        return found + [mean_wait(gaps, mean, self.calibration.service_scv) for mean in slowed]

    def wait_with_varying_neighbours(self, load: Load, neighbour_cpus: Array) -> float:
        """Mean wait for the CPU (s, by the estimate) where the neighbours do not use the same all the time.

        ``load`` has a known sequence; ``neighbour_cpus``: CPUs that they use as each request comes, shape (requests,).
        """
        gaps = load.interarrival_s
        assert gaps is not None
        resources = self.resources
        spare = np.maximum(
            resources.available_given(neighbour_cpus) - resources.background_cpus,
            0.05 * resources.capacity_cpus,
        )
        demand = self._demand(self._rate(load), load, resources)[0]
        return mean_wait(gaps, demand / spare, self.calibration.service_scv)

    def _closed(self, load: Load, resources: HostResources) -> Prediction:
        cpus = resources.unthrottled_cpus if self.quota_as_budget else resources.residual_cpus
        stretch, servers = 1 / min(cpus, 1.0), max(cpus, 1.0)

        def answer(state: Array) -> tuple[Array, Array]:
            """X, and the CPUs that requests use, with demands of a server so busy and so many requests."""
            busy, requests = state
            demand = self.cpu.at(requests, busy) / resources.cpu_speed
            disk = self.disk.at(requests, busy) / resources.disk_speed
            # m CPUs as one m times as fast, and the rest of a request's CPU time as a delay (Seidmann 1987)
            stations = np.stack((demand * stretch / servers, disk), axis=-1)
            solved = solve_closed(stations, load, demand * stretch * (1 - 1 / servers))
            throughput = np.minimum(solved.throughput_per_s, resources.residual_cpus / demand)
            return throughput, throughput * demand

        def caused(state: Array) -> Array:
            throughput, used = answer(state)
            return np.stack((resources.utilization(used), throughput * load.duration_s))

        start = np.stack(
            (np.full_like(self.cpu.saturated_s, 0.9), np.full_like(self.cpu.saturated_s, 1e3))
        )
        throughput, _ = answer(fixed_point(caused, start))
        return Prediction(throughput, (load.population or 0) / throughput - load.think_time_s)
