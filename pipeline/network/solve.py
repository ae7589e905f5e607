"""Solve a network by a method: analytic (:mod:`dispatch`), bounds, or simulation."""

from __future__ import annotations

import numpy as np

from pipeline.network import bounds, texts
from pipeline.network.dispatch import check_loads, knee, solve_analytically
from pipeline.network.model import ModelError, Network, fail_expected
from pipeline.network.result import Solution

METHODS = ("exact", "schweitzer", "linearizer", "bounds", "simulation")
MAX_BOUNDS = 100_000
"""Populations for which bounds are listed."""


def solve(network: Network, method: str = "exact", **simulation: object) -> Solution:
    """Solve a queueing network.

    Parameters
    ----------
    network : Network
    method : {"exact", "schweitzer", "linearizer", "bounds", "simulation"}
        ``exact`` falls back to an approximation where the network is too large or not of product form; the solution
        then has ``exact`` false and a warning. ``bounds`` gives bounds for one closed class.
    **simulation
        Arguments of :func:`pipeline.network.simulation.simulate`.

    Returns
    -------
    Solution

    Raises
    ------
    ModelError
        If open classes overload a station, the iteration does not converge, the model is too large for the method, or
        bounds are requested for anything but one closed class.

    References
    ----------
    docs/reference/solver.md gives the source of every formula.

    Examples
    --------
    >>> network = Network.from_dict({
    ...     "stations": [{"name": "cpu", "kind": "queue"}, {"name": "disk", "kind": "queue"}],
    ...     "classes": [{"name": "db", "kind": "closed", "population": 16}],
    ...     "demands": {"cpu": {"db": 0.02}, "disk": {"db": 0.005}}})
    >>> round(float(solve(network).throughput[0]), 6)
    50.0
    """
    if method not in METHODS:
        raise ModelError(f"method must be one of {', '.join(METHODS)} (got {method!r})")
    if method == "bounds":
        return solve_bounds(network)
    if method == "simulation":
        # imported here because it takes seconds and no other method needs it
        from pipeline.network.simulation import simulate

        check_loads(network)
        return simulate(network, **simulation)  # type: ignore[arg-type]
    return solve_analytically(network, method)


def solve_bounds(network: Network) -> Solution:
    """Bounds for populations 1 … N of one closed class."""
    if len(network.classes) != 1 or network.classes[0].is_open:
        raise ModelError(
            "bounds need exactly one closed class "
            f"(got {len(network.classes)} classes, {int(network.is_open.sum())} of them open)"
        )
    customers = network.classes[0]
    if not 1 <= customers.population <= MAX_BOUNDS:
        fail_expected(
            "classes[0].population", f"1 to {MAX_BOUNDS} for bounds", customers.population
        )
    services = network.services
    is_queueing = np.array([not s.is_delay for s in services])
    demands = network.demands[:, 0]
    delay = float(demands[~is_queueing].sum())
    think = customers.think_time + delay
    demands = demands[is_queueing]
    if not demands.any():
        raise ModelError("bounds need a demand at a queueing station")
    queues = [s for s in services if not s.is_delay]
    population = np.arange(1.0, customers.population + 1)
    warnings = list(network.warnings)
    if any(
        s.scheduling == "fcfs" and s.service_scv != 1 and s.kind == "queue"
        for s in network.stations
    ):
        warnings.append(texts.BOUNDS_SCV_IGNORED)
    if all(s.is_single_server for s in queues):
        demands = demands / np.array([s.capacity for s in queues])
        families = {
            name: bound(demands, population, think) for name, bound in bounds.FAMILIES.items()
        }
    else:
        warnings.append(texts.ONLY_ASYMPTOTIC)
        alphas = [
            np.exp(-np.diff(s.log_coefficients(min(s.limiting_index + 1, customers.population))))
            for s in queues
        ]
        families = {
            "aba": bounds.asymptotic(
                demands, population, think,
                [a.max() for a in alphas], [a.min() for a in alphas],
                [(a / np.arange(1, len(a) + 1)).max() for a in alphas],
            )
        }  # fmt: skip
    rows = {
        family: [
            {"population": int(n), "X_lower": float(a), "X_upper": float(b),
             "R_lower": float(c) + delay, "R_upper": float(d) + delay}
            for n, a, b, c, d in zip(
                f.population, f.x_lower, f.x_upper, f.r_lower, f.r_upper, strict=True
            )
        ]
        for family, f in families.items()
    }  # fmt: skip
    return Solution(
        network, "bounds", False, bounds=rows, knee=knee(network), warnings=tuple(warnings)
    )
