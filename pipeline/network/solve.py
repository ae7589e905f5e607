"""Solve a network: choose the method, say which it was, and put the answer together.

``exact`` is the best that can be done (:mod:`dispatch` has the rule), ``simulation`` runs the network customer by
customer, ``bounds`` lists what no network can escape. What cannot be answered at all is a
:class:`~pipeline.network.model.ModelError`.
"""

from __future__ import annotations

import numpy as np

from pipeline.network import bounds
from pipeline.network.dispatch import analyse, check_loads, knee
from pipeline.network.model import ModelError, Network
from pipeline.network.result import Solution

METHODS = ("exact", "schweitzer", "linearizer", "bounds", "simulation")
MOST_BOUNDS = 100_000
"""Populations for which bounds are listed."""


def solve(network: Network, method: str = "exact", **simulation: object) -> Solution:
    """Solve ``network`` by ``method``, one of :data:`METHODS`.

    ``simulation``: arguments of :func:`pipeline.network.simulation.simulate`. Raises
    :class:`~pipeline.network.model.ModelError` where the model cannot be answered: a station that open classes
    overload, bounds of several classes, too large.
    """
    if method not in METHODS:
        raise ModelError(f"method: {', '.join(METHODS)} are known, not {method!r}")
    if method == "bounds":
        return bound(network)
    if method == "simulation":
        # the simulator takes seconds to load, which no other method needs
        from pipeline.network.simulation import simulate

        check_loads(network)
        return simulate(network, **simulation)  # type: ignore[arg-type]
    return analyse(network, method)


def bound(network: Network) -> Solution:
    """Bounds for populations 1 … N of one closed class."""
    if len(network.classes) != 1 or network.classes[0].is_open:
        raise ModelError(
            "bounds are for exactly one closed class; this model has "
            f"{len(network.classes)} class(es), {int(network.is_open.sum())} of them open"
        )
    one = network.classes[0]
    if one.population < 1:
        raise ModelError(
            f"classes[0].population: bounds need at least one customer of {one.name!r}"
        )
    if one.population > MOST_BOUNDS:
        raise ModelError(
            f"classes[0].population: bounds are listed for at most {MOST_BOUNDS} customers, not {one.population}"
        )
    services = network.services
    waits = np.array([not s.is_delay for s in services])
    demands = network.demands[:, 0]
    delay = float(demands[~waits].sum())
    think = one.think_time + delay
    demands = demands[waits]
    if not demands.any():
        raise ModelError("bounds need a demand at a station where customers can wait")
    queues = [s for s in services if not s.is_delay]
    population = np.arange(1.0, one.population + 1)
    warnings = list(network.warnings)
    if any(
        s.scheduling == "fcfs" and s.service_scv != 1 and s.kind == "queue"
        for s in network.stations
    ):
        warnings.append(
            "service_scv is left out: the bounds are those of exponential service times"
        )
    if all(s.is_single for s in queues):
        demands = demands / np.array([s.capacity for s in queues])
        found = {name: of(demands, population, think) for name, of in bounds.FAMILIES.items()}
    else:
        warnings.append(
            "balanced, geometric and proportional bounds hold for single servers only: asymptotic bounds are given"
        )
        alphas = [
            np.exp(-np.diff(s.log_coefficients(min(s.turn + 1, one.population)))) for s in queues
        ]
        found = {
            "aba": bounds.asymptotic(
                demands, population, think,
                [a.max() for a in alphas], [a.min() for a in alphas],
                [(a / np.arange(1, len(a) + 1)).max() for a in alphas],
            )
        }  # fmt: skip
    listed = {
        family: [
            {"population": int(n), "X_lower": float(a), "X_upper": float(b),
             "R_lower": float(c) + delay, "R_upper": float(d) + delay}
            for n, a, b, c, d in zip(
                f.population, f.x_lower, f.x_upper, f.r_lower, f.r_upper, strict=True
            )
        ]
        for family, f in found.items()
    }  # fmt: skip
    return Solution(
        network, "bounds", False, bounds=listed, knee=knee(network), warnings=tuple(warnings)
    )
