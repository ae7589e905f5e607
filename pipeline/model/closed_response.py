"""X and R of closed loads on a host: mean value analysis, consistent with the utilization that it causes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.model.prediction import CPU, CPU_WAIT, DISK, DISK_WAIT, Prediction
from pipeline.network.closed import solve_populations

if TYPE_CHECKING:
    from pipeline.measure.load import Load
    from pipeline.model.host import HostModel, HostResources

Array = NDArray[np.float64]
Rows = NDArray[np.int64] | slice

MAX_ITERATIONS = 100
RELATIVE_TOLERANCE = 1e-12
"""Relative step below which a fixed point has converged."""


@dataclass(frozen=True)
class LoadRows:
    """Loads that differ in their level only, one per row; columns have the shape (rows, 1).

    It has the attributes of a :class:`~pipeline.measure.load.Load` that a model needs.
    """

    kind: str
    arrivals: str | None
    mean_rate_per_s: Array
    """Open: a column."""
    population: NDArray[np.int64]
    """Closed: customers, shape (rows,)."""
    think_time_s: Array
    duration_s: Array
    interarrival_s: None = None
    """Without an arrival trace."""

    @classmethod
    def of(cls, loads: Sequence[Load]) -> LoadRows:
        """The rows of loads of one kind and spacing. Of an arrival trace only its mean rate is used."""
        return cls(
            loads[0].kind,
            loads[0].arrivals,
            column([load.mean_rate_per_s for load in loads]),
            np.array([load.population or 0 for load in loads], np.int64),
            column([load.think_time_s for load in loads]),
            column([load.duration_s for load in loads]),
        )

    def at(self, rows: Rows) -> LoadRows:
        """Some of the rows."""
        names = ("mean_rate_per_s", "population", "think_time_s", "duration_s")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def column(values: Sequence[float] | Array) -> Array:
    """Numbers as a column of shape (rows, 1)."""
    return np.array(values, float)[:, None]


def fixed_points(step: Callable[[Array, NDArray[np.int64]], Array], start: Array) -> Array:
    """Solve step(x) = x for x > 0 by repeated substitution, each row of ``start`` on its own.

    The step of an entry that overshoots is halved from then on, so that a decreasing ``step`` converges, too.

    Parameters
    ----------
    step
        Gets the rows that have not converged, and their numbers.
    start
        Shape (rows, …).
    """
    solution, rows = start.copy(), np.arange(len(start))
    x, damping, previous_gap = start, np.ones_like(start), np.zeros_like(start)
    for _ in range(MAX_ITERATIONS):
        gap = step(x, rows) - x
        is_close = np.abs(gap) <= RELATIVE_TOLERANCE * np.abs(x)
        has_converged = is_close.reshape(len(rows), -1).all(axis=1)
        if has_converged.any():
            solution[rows] = x
            if has_converged.all():
                return solution
            rows, x, gap, damping, previous_gap = (
                values[~has_converged] for values in (rows, x, gap, damping, previous_gap)
            )
        overshoots = (gap * previous_gap < 0) & (np.abs(gap) > np.abs(previous_gap) / 4)
        damping = np.where(overshoots, damping / 2, damping)
        x, previous_gap = x + damping * gap, gap
    solution[rows] = x
    return solution


def respond_closed(model: HostModel, load: LoadRows, resources: HostResources) -> Prediction:
    """X and R of closed loads, each with the resources of the host under it: arrays of shape (rows, 1 + draws)."""
    cpus = resources.unthrottled_cpus if model.quota_as_budget else resources.residual_cpus
    throttling, servers = 1 / np.minimum(cpus, 1.0), np.maximum(cpus, 1.0)
    residual, capacity = resources.residual_cpus, resources.capacity_cpus
    background, neighbours = resources.background_cpus, resources.neighbour_cpus
    cpu_speed, disk_speed = resources.cpu_speed, resources.disk_speed
    populations = load.population

    def solve(state: Array, rows: NDArray[np.int64]) -> tuple[Array, Array, dict[str, Array]]:
        """X, the CPUs that requests use, and the parts of R, at this utilization and number of requests."""
        busy, requests = state[:, 0], state[:, 1]
        demand = model.cpu.at(requests, busy) / cpu_speed[rows]
        disk = model.disk.at(requests, busy) / disk_speed[rows]
        # m CPUs as one m times as fast, the rest of the CPU time as a delay (Seidmann 1987)
        stations = np.stack((demand * throttling[rows] / servers[rows], disk))
        delay = demand * throttling[rows] * (1 - 1 / servers[rows])
        solved, queues = solve_populations(
            stations, populations[rows], load.think_time_s[rows] + delay
        )
        throughput = np.minimum(solved, residual[rows] / demand)
        parts = {
            CPU: demand * throttling[rows],
            DISK: disk,
            DISK_WAIT: queues[1] / solved - disk,
        }
        return throughput, throughput * demand, parts

    def state_from(state: Array, rows: NDArray[np.int64]) -> Array:
        throughput, used, _ = solve(state, rows)
        utilization = (used + background[rows] + neighbours[rows]) / capacity[rows]
        requests = throughput * load.duration_s[rows]
        return np.stack((np.minimum(utilization, 1.0), requests), axis=1)

    start = np.empty((len(populations), 2, len(model.cpu.saturated_s)))
    start[:, 0], start[:, 1] = 0.9, 1e3
    throughput, _, parts = solve(fixed_points(state_from, start), np.arange(len(populations)))
    response = populations[:, None] / throughput - load.think_time_s
    # the rest: waiting for the CPU, and for its quota where that bounds X
    parts[CPU_WAIT] = response - sum(parts.values())
    return Prediction(throughput, response, parts)
