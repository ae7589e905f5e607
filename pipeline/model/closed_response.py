"""X and R of closed loads on a host: mean value analysis, consistent with the utilization that it causes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.model.prediction import CPU, CPU_WAIT, DISK, DISK_WAIT, Prediction
from pipeline.network.closed import solve_populations

if TYPE_CHECKING:
    from pipeline.measure.load import Load
    from pipeline.model.host import HostModel, HostResources

Array = NDArray[np.float64]

MAX_ITERATIONS = 100
RELATIVE_TOLERANCE = 1e-12
"""Relative step below which a fixed point has converged."""


def fixed_point(step: Callable[[Array], Array], start: Array) -> Array:
    """Solve step(x) = x for x > 0 by repeated substitution.

    The step of an entry that overshoots is halved from then on, so that a decreasing ``step`` converges, too.
    """
    return fixed_points(lambda x, _: step(x[0])[None], start[None])[0]


def fixed_points(step: Callable[[Array, NDArray[np.int64]], Array], start: Array) -> Array:
    """:func:`fixed_point` of each row; ``step`` gets the rows that have not converged, and their numbers."""
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


def respond_closed(
    model: HostModel, loads: Sequence[Load], resources: Sequence[HostResources]
) -> list[Prediction]:
    """X and R of closed loads, each with the resources of the host under it."""

    def column(values: Sequence[float]) -> Array:
        return np.array(values, float)[:, None]

    cpus = [r.unthrottled_cpus if model.quota_as_budget else r.residual_cpus for r in resources]
    throttling = column([1 / min(count, 1.0) for count in cpus])
    servers = column([max(count, 1.0) for count in cpus])
    residual = column([r.residual_cpus for r in resources])
    capacity = column([r.capacity_cpus for r in resources])
    background = column([r.background_cpus for r in resources])
    neighbours = column([r.neighbour_cpus for r in resources])
    cpu_speed = column([r.cpu_speed for r in resources])
    disk_speed = column([r.disk_speed for r in resources])
    duration_s = column([load.duration_s for load in loads])
    think_s = column([load.think_time_s for load in loads])
    populations = np.array([load.population or 0 for load in loads])

    def solve(state: Array, rows: NDArray[np.int64]) -> tuple[Array, Array, dict[str, Array]]:
        """X, the CPUs that requests use, and the parts of R, at this utilization and number of requests."""
        busy, requests = state[:, 0], state[:, 1]
        demand = model.cpu.at(requests, busy) / cpu_speed[rows]
        disk = model.disk.at(requests, busy) / disk_speed[rows]
        # m CPUs as one m times as fast, the rest of the CPU time as a delay (Seidmann 1987)
        stations = np.stack((demand * throttling[rows] / servers[rows], disk))
        delay = demand * throttling[rows] * (1 - 1 / servers[rows])
        solved, queues = solve_populations(stations, populations[rows], think_s[rows] + delay)
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
        return np.stack((np.minimum(utilization, 1.0), throughput * duration_s[rows]), axis=1)

    start = np.empty((len(loads), 2, len(model.cpu.saturated_s)))
    start[:, 0], start[:, 1] = 0.9, 1e3
    throughput, _, parts = solve(fixed_points(state_from, start), np.arange(len(loads)))
    response = populations[:, None] / throughput - think_s
    # the rest: waiting for the CPU, and for its quota where that bounds X
    parts[CPU_WAIT] = response - sum(parts.values())
    return [
        Prediction(throughput[i], response[i], {name: part[i] for name, part in parts.items()})
        for i in range(len(loads))
    ]
