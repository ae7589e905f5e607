"""Discrete-event simulation of a model file by Ciw, with replications and confidence intervals.

It does not need product form, so it measures the error of an approximation, and it gives percentiles of response times.
Assumptions beyond the model file: a customer visits the stations in cycles, in the order of the file, as often as its
visits say (a fraction by chance); times are constant (c² = 0), gamma (below 1), exponential, or hyperexponential with
two phases and balanced means (above 1).

Ciw: Palmer, Knight, Harper and Hawa, Journal of Simulation 13 (2019) 68.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import ciw
import numpy as np

from pipeline.distributions import t_quantile
from pipeline.network import texts
from pipeline.network.arrays import Array, quotient
from pipeline.network.ciw_nodes import (
    CountingExit,
    FcfsNode,
    InitialPopulation,
    Simulation,
    Tally,
    TwoMomentDistribution,
    VisitRoute,
    node_class,
)
from pipeline.network.dispatch import solve_analytically
from pipeline.network.model import ModelError, Network
from pipeline.network.result import Solution

CONFIDENCE = 0.95
SATURATED_UTILIZATION = 0.95
PERCENTILES = (50, 90, 95, 99)
WARM_UP = 0.2
"""Fraction of a run that is discarded."""
MAX_STEPS = 5_000_000_000
"""Events times customers that Ciw inspects at each: about ten million per second."""
MAX_CUSTOMERS = 20_000
MAX_SERVERS = 10_000
MAX_VISITS = 10_000


def simulate(
    network: Network,
    replications: int = 10,
    length: int = 5_000,
    seed: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Solution:
    """Simulate a network and estimate its measures with 95 % confidence intervals.

    Parameters
    ----------
    network : Network
    replications : int
        Independent runs, at least 2.
    length : int
        Measured customers per run, approximately; at least 10.
    seed : int
        Replication i uses ``seed`` + i: the same call gives the same results.
    progress : callable, optional
        Called with a text after each replication.

    Returns
    -------
    Solution
        Means over replications, with ``…_low`` and ``…_high`` (Student's t) and percentiles of response times.

    Raises
    ------
    ModelError
        If the model is too large to be simulated, or no customer ever arrives.

    References
    ----------
    Palmer, Knight, Harper and Hawa, Journal of Simulation 13 (2019) 68 (Ciw).

    Examples
    --------
    >>> solution = simulate(network, replications=5, length=2000)  # doctest: +SKIP
    """
    if replications < 2 or length < 10:
        raise ModelError("simulation needs at least 2 replications of at least 10 customers")
    run_length = _run_length(network, length)
    _check_size(network, replications, length)
    state, generator = random.getstate(), getattr(ciw, "rng", None)
    seeds, tallies = [], []
    try:
        for i in range(replications):
            seeds.append(seed + i)
            ciw.seed(seed + i)
            tallies.append(_run_replication(network, run_length))
            if progress is not None:
                progress(f"seed {seed + i}")
    finally:
        random.setstate(state)
        ciw.rng = generator
    return _summarize(network, tallies, run_length, seeds, length)


def _run_length(network: Network, length: int) -> float:
    expected = solve_analytically(network, "schweitzer")
    assert expected.throughput is not None
    throughput = float(expected.throughput.sum())
    if throughput <= 0:
        raise ModelError("simulation: no customer ever arrives")
    return length / throughput / (1 - WARM_UP)


def _check_size(network: Network, replications: int, length: int) -> None:
    closed_customers = int(network.populations.sum())
    if closed_customers > MAX_CUSTOMERS:
        raise ModelError(f"simulation: {closed_customers} customers (limit {MAX_CUSTOMERS})")
    visits_per_customer = network.demands > 0 if network.visits is None else network.visits
    visits = float(visits_per_customer.sum(axis=0).max()) + 1
    if visits > MAX_VISITS:
        raise ModelError(f"simulation: {visits:.4g} visits per customer (limit {MAX_VISITS})")
    loads = network.demands @ network.rates
    present = closed_customers + float(
        sum(
            a if s.is_delay else a / max(1 - a / s.capacity, 1e-3)
            for a, s in zip(loads, network.services, strict=True)
        )
    )
    servers = sum(
        s.servers for s in network.stations if s.kind == "queue" and s.servers <= MAX_SERVERS
    )
    steps = replications * length * visits * (present + servers + 10 * len(network.stations))
    if steps > MAX_STEPS:
        raise ModelError(
            f"simulation: about {steps:.2g} steps (limit {MAX_STEPS:.2g}); "
            "use fewer customers or replications"
        )
    for i, s in enumerate(network.stations):
        max_present = closed_customers if not network.is_open.any() else math.inf
        if s.kind == "queue" and MAX_SERVERS < s.servers < max_present:
            raise ModelError(
                f"stations[{i}].servers: {s.servers} servers (limit of simulation {MAX_SERVERS})"
            )


def _run_replication(network: Network, run_length: float) -> Tally:
    stations, classes = network.demands.shape
    shape = (stations, classes)
    tally = Tally(
        run_length * WARM_UP, np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(stations),
        [[] for _ in range(classes)],
    )  # fmt: skip
    max_present = float(network.populations.sum()) if not network.is_open.any() else math.inf
    kinds = [node_class(s, max_present) for s in network.stations]
    names = [str(c) for c in range(classes)]
    arrivals, services, batches = ({name: [] for name in names} for _ in range(3))
    times = network.service_times
    for c, (name, customers) in enumerate(zip(names, network.classes, strict=True)):
        external: Any = None
        if customers.is_open and customers.rate > 0:
            external = TwoMomentDistribution(1 / customers.rate, customers.arrival_scv)
        elif customers.population > 0:
            external = InitialPopulation()
        arrivals[name] = [None] * stations + [external]
        for k, s in enumerate(network.stations):
            services[name].append(TwoMomentDistribution(float(times[k, c]), s.service_scv))
        services[name].append(TwoMomentDistribution(customers.think_time, 1.0))
        size = ciw.dists.Deterministic(max(customers.population, 1))
        batches[name] = [ciw.dists.Deterministic(1)] * stations + [size]
    ciw_network = ciw.create_network(
        arrival_distributions=arrivals,
        service_distributions=services,
        batching_distributions=batches,
        routing={names[c]: VisitRoute(network, c, tally) for c in range(classes)},
        number_of_servers=[servers for _, servers in kinds] + [float("inf")],
    )
    Simulation.tally = tally
    simulation = Simulation(
        ciw_network,
        node_class=[kind for kind, _ in kinds] + [FcfsNode],
        exit_node_class=CountingExit,
    )
    simulation.simulate_until_max_time(run_length)
    for node in simulation.transitive_nodes[:stations]:
        if node.number_of_individuals:
            simulation.tally_busy(node)
        for ind in node.all_individuals:
            tally.area[node.id_number - 1, int(ind.customer_class)] += run_length - max(
                ind.arrival_date, tally.warm_up
            )
    return tally


def _summarize(
    network: Network, tallies: list[Tally], run_length: float, seeds: list[int], length: int
) -> Solution:
    window = run_length * (1 - WARM_UP)
    classes = len(network.classes)
    warnings = list(network.warnings)
    counts = np.array([[len(r) for r in t.responses] for t in tallies], float)
    throughput = counts / window
    with np.errstate(invalid="ignore", divide="ignore"):
        response = np.array([[np.mean(r) if r else np.nan for r in t.responses] for t in tallies])
        queue = np.array([t.area for t in tallies]) / window
        residence = queue / throughput[:, None, :]
    utilization = np.array([t.work for t in tallies]) / window
    for k, s in enumerate(network.stations):
        if s.kind == "queue":
            utilization[:, k] /= s.servers
        elif s.kind == "delay":
            utilization[:, k] = queue[:, k]
        else:
            busy = np.array([t.busy[k] for t in tallies]) / window
            total = utilization[:, k].sum(axis=1)
            utilization[:, k] *= quotient(busy, total)[:, None]
        is_saturated = utilization[:, k].sum(axis=1).mean() > SATURATED_UTILIZATION
        if s.kind == "queue" and is_saturated and network.is_open.any():
            warnings.append(texts.nearly_saturated(s.name))
    extra_by_class: dict[str, Array] = {}
    extra_by_station: dict[str, Array] = {}
    means = []
    for name, sample in {
        "throughput": throughput,
        "response_time": response,
        "utilization": utilization,
        "queue_length": queue,
        "residence_time": residence,
    }.items():
        tables = extra_by_class if sample.ndim == 2 else extra_by_station
        mean, tables[f"{name}_low"], tables[f"{name}_high"] = _confidence_interval(sample)
        means.append(np.nan_to_num(mean))
    pooled = [np.concatenate([t.responses[c] for t in tallies]) for c in range(classes)]
    for p in PERCENTILES:
        extra_by_class[f"response_time_p{p}"] = np.array(
            [np.percentile(r, p) if len(r) else np.nan for r in pooled]
        )
    for c, customers in enumerate(network.classes):
        if not len(pooled[c]):
            warnings.append(texts.no_completions(customers.name))
        elif np.any(counts[:, c] == 0):
            warnings.append(texts.too_few_completions(customers.name))
    record = {
        "engine": f"ciw {ciw.__version__}",
        "replications": len(tallies),
        "seeds": seeds,
        "confidence": CONFIDENCE,
        "horizon_s": run_length,
        "warm_up_s": run_length * WARM_UP,
        "customers": int(counts.sum()),
        "length": length,
    }
    return Solution(
        network, "simulation", False, *means, extra_by_station, extra_by_class,
        simulation=record, warnings=tuple(dict.fromkeys(warnings)),
    )  # fmt: skip


def _confidence_interval(sample: Array) -> tuple[Array, Array, Array]:
    """Mean over replications (the first axis) and its 95 % confidence interval."""
    with np.errstate(invalid="ignore"):
        count = np.isfinite(sample).sum(axis=0)
        mean = np.nansum(sample, axis=0) / np.maximum(count, 1)
        standard_error = sample.std(axis=0, ddof=1) / math.sqrt(len(sample))
    half = t_quantile(0.5 + CONFIDENCE / 2, len(sample) - 1) * standard_error
    return np.where(count > 0, mean, np.nan), np.maximum(mean - half, 0), mean + half
