"""Queueing model of one virtual server on a virtualized host.

It adds five corrections to the paper's equations. Each has a switch, so that its effect can be measured:

- *the host's CPU is a queue*: requests wait for the CPU time of the whole QEMU process (task counters), not only for
  that of the server's own processes in the guest;
- *work after the reply*: closing, logging and interrupts take CPU time but do not delay the reply. Work before the
  reply is the CPU time of the server's own processes;
- *load-dependent demand* (:mod:`pipeline.demands.load_curve`);
- *measured variability of arrivals* (G/G/1 by Krämer and Langenbach-Belz);
- *arrival trace* where the client's sequence of arrivals is known before a run (Lindley's recursion).

Open loads: R = b s + D_vdisk + W_cpu + W_vdisk, with b the demand before the reply. The kernel shares a CPU between
QEMU processes, so CPU times grow by the slowdown s = 1 + p, with p the share of the CPU that the neighbours use. The
guest's disk time is the host's disk time plus the virtualization layer; each counts once. Closed loads: mean value
analysis with the host's CPU and the host's disk; the virtualization layer is part of QEMU's CPU time. A CPU quota below
one CPU is a budget, not a slower CPU: it refills while requests wait for the disk, and bounds X.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.load_curve import DemandCurve
from pipeline.equations import ratio, virtualization_share
from pipeline.measure.load import Load
from pipeline.model.closed_response import LoadRows, Rows, column, fixed_points, respond_closed
from pipeline.model.prediction import (
    CPU,
    CPU_WAIT,
    DISK,
    DISK_WAIT,
    LAYER,
    Prediction,
    mean_wait_s,
)
from pipeline.network.gg1 import mean_wait

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HostResources:
    """CPU and disk that the host gives a virtual server, as measured or in a scenario.

    The fields are numbers; of several scenarios at once, columns of shape (rows, 1) (:meth:`stack`).
    """

    capacity_cpus: float
    """CPUs that the guests may use together; below 1 a share of one CPU."""
    background_cpus_at_fit: float = 0.0
    """CPUs that this guest uses without requests, at the CPU speed of the fit."""
    neighbour_cpus_at_fit: float = 0.0
    """CPUs that the other guests use, at the CPU speed of the fit."""
    cpu_speed: float = 1.0
    """Relative to the hardware of the fit."""
    disk_speed: float = 1.0
    guaranteed_cpus: float | None = None
    """CPUs that this guest gets whenever it wants them; None: half of the capacity, as with one neighbour."""

    @classmethod
    def stack(cls, resources: Sequence[HostResources]) -> HostResources:
        """Several resources as columns."""
        return cls(
            **{
                field.name: column([getattr(each, field.name) for each in resources])
                for field in fields(cls)
                if field.name != "guaranteed_cpus"
            },
            guaranteed_cpus=column([each.guaranteed for each in resources]),
        )

    def at(self, rows: Rows) -> HostResources:
        """Some of the rows; the same where the fields are numbers."""
        if not isinstance(self.capacity_cpus, np.ndarray):
            return self
        return HostResources(*(getattr(self, field.name)[rows] for field in fields(self)))

    def unstack(self) -> list[HostResources]:
        """Each row, with numbers."""
        columns = [getattr(self, field.name)[:, 0].tolist() for field in fields(self)]
        return [HostResources(*row) for row in zip(*columns, strict=True)]

    @property
    def guaranteed(self) -> float:
        """CPUs that this guest gets whenever it wants them."""
        return self.capacity_cpus / 2 if self.guaranteed_cpus is None else self.guaranteed_cpus

    @property
    def background_cpus(self) -> float:
        """CPUs that this guest uses without requests, at this CPU speed."""
        return self.background_cpus_at_fit / self.cpu_speed

    @property
    def neighbour_cpus(self) -> float:
        """CPUs that the other guests use, at this CPU speed."""
        return self.neighbour_cpus_at_fit / self.cpu_speed

    def utilization(self, cpus_used: Array) -> Array:
        """Utilization of the CPUs where requests use ``cpus_used`` of them; at most 1."""
        return np.minimum(
            (cpus_used + self.background_cpus + self.neighbour_cpus) / self.capacity_cpus, 1.0
        )

    @property
    def available_cpus(self) -> float:
        """Most CPUs that this guest can get, background included."""
        return self.available_given(self.neighbour_cpus_at_fit)

    def available_given(self, neighbour_cpus: Array | float) -> Array | float:
        """The same for a given CPU use of the neighbours, which never takes the guaranteed CPUs."""
        return np.maximum(self.capacity_cpus - neighbour_cpus / self.cpu_speed, self.guaranteed)

    @property
    def residual_cpus(self) -> float:
        """Most CPUs that requests can get on average."""
        return np.maximum(self.available_cpus - self.background_cpus, 1e-9)

    @property
    def unthrottled_cpus(self) -> float:
        """CPUs for requests while no quota is exhausted."""
        quota = np.maximum(1 - self.capacity_cpus, 0.0)
        return np.maximum(quota + self.available_cpus - self.background_cpus, 1e-9)

    @property
    def slowdown(self) -> float:
        """Factor on CPU times from sharing the CPU with the neighbours."""
        return 1 + np.minimum(self.neighbour_cpus / self.capacity_cpus, 1.0)


@dataclass(frozen=True)
class Calibration:
    """Parameters that the logs do not give: fitted to the client's response times, or textbook assumptions."""

    pre_reply_factor: float = 1.0
    """Factor on the demand before the reply."""
    service_scv: float = 1.0
    """c_s² of the CPU times; exponential unless calibrated."""
    arrival_scv_gain: float = 0.0
    """Variability g that arrivals gain on their way to the CPU: c_a² becomes g + (1 − g) c_a²."""


@dataclass(frozen=True)
class OpenDemands:
    """Demands and utilization of an open load before calibration; arrays of shape (1 + draws,)."""

    rate: Array
    busy: Array
    """CPU use of this guest over what it can get."""
    total_s: Array
    """CPU time of a request, with the slowdown by the neighbours."""
    pre_reply_s: Array | None
    """The part of it before the reply; None where all of it delays the reply."""
    service_s: Array
    """Service time at the CPUs that this guest can get."""
    disk_s: Array
    layer_s: Array
    arrival_scv: Array | float
    traces: Array | tuple[Array | None, ...] | None
    """The interarrival times of the arrival trace, where it is used; those of each run where runs are stacked."""
    idle_utilization: Array | float
    """Background of this guest over what it can get."""

    @classmethod
    def stack(cls, runs: Sequence[OpenDemands]) -> OpenDemands:
        """Point estimates of several runs, whose models have the same switches, as arrays of shape (runs,)."""
        arrays = {
            field.name: np.array([np.ravel(getattr(run, field.name))[0] for run in runs])
            for field in fields(cls)
            if field.name != "traces" and getattr(runs[0], field.name) is not None
        }
        return cls(**{"pre_reply_s": None} | arrays, traces=tuple(run.traces for run in runs))


def respond_open(demands: OpenDemands, calibration: Calibration) -> Prediction:
    """X and R of an open load by its demands and the calibration."""
    pre_reply = (
        demands.total_s
        if demands.pre_reply_s is None
        else demands.pre_reply_s * calibration.pre_reply_factor
    )
    disk = demands.disk_s + demands.layer_s
    gain = calibration.arrival_scv_gain
    scv = gain + (1 - gain) * demands.arrival_scv
    cpu_wait = _cpu_wait(demands, scv, calibration.service_scv)
    # exponential service: the queue's counter also counts overlapping operations of one request
    disk_wait = mean_wait_s(disk, demands.rate * disk, scv)
    parts = {
        CPU: pre_reply,
        CPU_WAIT: cpu_wait,
        LAYER: demands.layer_s,
        DISK: demands.disk_s,
        DISK_WAIT: disk_wait,
    }
    return Prediction(demands.rate, pre_reply + disk + cpu_wait + disk_wait, parts)


def _cpu_wait(demands: OpenDemands, arrival_scv: Array | float, service_scv: float) -> Array:
    traces, idle = demands.traces, demands.idle_utilization
    if isinstance(traces, np.ndarray):
        return _trace_wait(demands.service_s, traces, idle, service_scv)
    wait_s = mean_wait_s(demands.service_s, demands.busy, arrival_scv, service_scv)
    for i, trace in enumerate(traces or ()):
        if trace is not None:
            wait_s[i] = _trace_wait(demands.service_s[i : i + 1], trace, idle[i], service_scv)[0]
    return wait_s


def _trace_wait(service_s: Array, interarrival_s: Array, idle: float, service_scv: float) -> Array:
    """Mean wait for the CPU over an arrival trace.

    Background work slows the CPU, and an arriving request may find it in service: with Poisson arrivals the two terms
    give the M/G/1 wait of the combined load.
    """
    slowed = service_s / max(1 - idle, 1e-9)
    residual_wait = idle * slowed * (1 + service_scv) / 2
    return residual_wait + [mean_wait(interarrival_s, mean, service_scv) for mean in slowed]


@dataclass(frozen=True)
class HostModel:
    """Model of one virtual server on one server.

    Arrays have shape (1 + draws,), entry 0 the point estimate. Fit it with :func:`pipeline.model.fit.fit_host`.
    """

    cpu: DemandCurve
    """Demand at the host's CPU: CPU time of QEMU."""
    pre_reply: DemandCurve
    """CPU time of the server's own processes in the guest: work before the reply, a part of ``cpu``."""
    vdisk: DemandCurve
    disk: DemandCurve
    resources: HostResources
    arrival_scv: Callable[[Load], float]
    """c_a² of the arrivals of a load."""
    calibration: Calibration = Calibration()
    run_sd: float = 0.0
    """Standard deviation of the logarithm of a run's CPU demand about the curve."""
    split_reply_work: bool = True
    """Whether work after the reply does not delay it."""
    use_arrival_scv: bool = True
    """Whether the measured variability of arrivals is used; Poisson if not."""
    use_arrival_trace: bool = True
    """Whether a load's arrival trace is used; only its variability if not."""
    quota_as_budget: bool = True
    """Whether a CPU quota below one CPU is a budget that refills; a slower CPU if not."""

    def predict(self, load: Load, resources: HostResources | None = None) -> Prediction:
        """Predict X and R of a load.

        Parameters
        ----------
        load
            Open or closed.
        resources
            Those of a scenario; those of the fit if None.

        Returns
        -------
        Prediction
            R is infinite where the load saturates the CPU.
        """
        resources = self.resources if resources is None else resources
        return (
            self._closed(load, resources) if load.kind == "closed" else self._open(load, resources)
        )

    def predict_rows(self, load: LoadRows, resources: HostResources) -> Prediction:
        """Predict X and R of several loads, each with its resources: arrays of shape (rows, 1 + draws)."""
        if load.kind == "closed":
            return respond_closed(self, load, resources)
        return self._open(load, resources)

    def throughput(self, load: Load | LoadRows, resources: HostResources | None = None) -> Array:
        """X of a load, requests per second."""
        if load.kind == "open":
            return self._rate(load)
        resources = resources or self.resources
        if isinstance(load, LoadRows):
            return respond_closed(self, load, resources).throughput_per_s
        return self._closed(load, resources).throughput_per_s

    def utilization(self, load: Load | LoadRows, resources: HostResources | None = None) -> Array:
        """CPU use of this guest over what it can get; the server is saturated from 1 on."""
        resources = resources or self.resources
        used = self.cpus_used(load, resources)
        if load.kind == "open":
            return used / resources.available_cpus
        return used / (
            used + np.maximum(resources.residual_cpus + resources.background_cpus - used, 0)
        )

    def bottleneck_utilization(self, load: Load | LoadRows, resources: HostResources) -> Array:
        """Utilization of the busier of CPU and disk under an open load; R is unbounded from 1 on."""
        rate, busy = self._rate(load), self.utilization(load, resources)
        return np.maximum(busy, rate * self._disk_time(rate * load.duration_s, busy, resources))

    def max_open_rate_per_s(self, resources: HostResources) -> float:
        """Upper bound on the rate of an open load, by the point estimate with cold start and wake-up excluded."""
        full = np.array(np.inf), np.array(1.0)
        demand = self.cpu.at(*full)[0] / resources.cpu_speed / resources.capacity_cpus
        return float(ratio(1.0, max(demand, self._disk_time(*full, resources)[0])))

    def cpus_used(self, load: Load | LoadRows, resources: HostResources | None = None) -> Array:
        """CPUs that this guest uses under a load, background included; not capped at the available CPUs."""
        resources = resources or self.resources
        rate = self.throughput(load, resources)
        return rate * self._demand(rate, load, resources) + resources.background_cpus

    def demands_at(self, load: Load, rate: Array) -> dict[str, Array]:
        """Demands under a load at throughput ``rate`` (requests per second), by the names of the curves.

        They are consistent with the utilization that they cause.
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
        """The model for a new run: draws of the CPU demand vary about the curve as those of other runs do."""
        random = np.random.default_rng(seed)
        factor = np.exp(random.normal(0, self.run_sd, size=self.cpu.saturated_s.shape))
        factor[0] = 1.0
        return replace(self, cpu=self.cpu.scaled(factor), pre_reply=self.pre_reply.scaled(factor))

    def point_estimate(self) -> HostModel:
        """The model without its draws."""
        curves = {
            name: getattr(self, name).point_estimate()
            for name in ("cpu", "pre_reply", "vdisk", "disk")
        }
        return replace(self, **curves)

    def _rate(self, load: Load | LoadRows) -> Array:
        return load.mean_rate_per_s + np.zeros_like(self.cpu.saturated_s)

    def _demand(self, rate: Array, load: Load | LoadRows, resources: HostResources) -> Array:
        """CPU demand at a rate, consistent with the utilization that it causes."""
        rates, requests = np.atleast_2d(rate), np.atleast_2d(rate * load.duration_s)

        def demand(busy: Array, rows: Rows) -> Array:
            return self.cpu.at(requests[rows], busy) / resources.at(rows).cpu_speed

        def utilization(busy: Array, rows: Rows) -> Array:
            return resources.at(rows).utilization(rates[rows] * demand(busy, rows))

        busy = fixed_points(utilization, np.full_like(rates, 0.5))
        return demand(busy, slice(None)).reshape(rate.shape)

    def _open(self, load: Load | LoadRows, resources: HostResources) -> Prediction:
        return respond_open(self.open_demands(load, resources), self.calibration)

    def open_demands(self, load: Load | LoadRows, resources: HostResources) -> OpenDemands:
        """Demands under an open load: all of its prediction that does not depend on the calibration."""
        rate = self._rate(load)
        demand = self._demand(rate, load, resources)
        busy = (rate * demand + resources.background_cpus) / resources.available_cpus
        requests = rate * load.duration_s
        # a share of one CPU slows each request; more CPUs do not speed one up
        total = demand * resources.slowdown / np.minimum(resources.capacity_cpus, 1.0)
        service = demand / resources.available_cpus
        pre_reply = None
        if self.split_reply_work:
            own_s = self.pre_reply.at(requests, busy) * resources.slowdown / resources.cpu_speed
            pre_reply = np.minimum(own_s, total)
        disk, layer = self._disk_times(requests, busy, resources)
        has_trace = self.use_arrival_scv and self.use_arrival_trace
        return OpenDemands(
            rate=rate,
            busy=busy,
            total_s=total,
            pre_reply_s=pre_reply,
            service_s=service,
            disk_s=disk,
            layer_s=layer,
            arrival_scv=self.arrival_scv(load) if self.use_arrival_scv else 1.0,
            traces=load.interarrival_s if has_trace else None,
            idle_utilization=resources.background_cpus / resources.available_cpus,
        )

    def _disk_time(self, requests: Array, busy: Array, resources: HostResources) -> Array:
        """Demand at the guest's disk: the host's disk time, and the virtualization layer's CPU time."""
        device, layer = self._disk_times(requests, busy, resources)
        return device + layer

    def _disk_times(
        self, requests: Array, busy: Array, resources: HostResources
    ) -> tuple[Array, Array]:
        """The host's disk time and the virtualization layer's CPU time."""
        vdisk = self.vdisk.at(requests, busy)
        layer = virtualization_share(vdisk, self.disk.at(requests, busy))
        return (
            (vdisk - layer) / resources.disk_speed,
            layer * resources.slowdown / resources.cpu_speed,
        )

    def wait_with_varying_neighbours(self, load: Load, neighbour_cpus: Array) -> float:
        """Mean wait for the CPU where the neighbours' CPU use varies over the run, seconds, by the point estimate.

        ``load`` has an arrival trace; ``neighbour_cpus``: the neighbours' CPU use at each arrival, shape (requests,).
        """
        interarrival_s = load.interarrival_s
        assert interarrival_s is not None
        resources = self.resources
        residual_cpus = np.maximum(
            resources.available_given(neighbour_cpus) - resources.background_cpus,
            0.05 * resources.capacity_cpus,
        )
        demand = self._demand(self._rate(load), load, resources)[0]
        return mean_wait(interarrival_s, demand / residual_cpus, self.calibration.service_scv)

    def _closed(self, load: Load, resources: HostResources) -> Prediction:
        rows = respond_closed(self, LoadRows.of([load]), HostResources.stack([resources]))
        parts = {name: part[0] for name, part in rows.parts_s.items()}
        return Prediction(rows.throughput_per_s[0], rows.response_time_s[0], parts)
