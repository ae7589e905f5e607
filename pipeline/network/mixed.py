"""Open and closed classes together, exactly, where the network is of product form.

Open customers take a part of each station; what is left serves the closed ones (Bolch et al. 2006, section 8.1.6;
Lazowska et al. 1984, page 143). At one server that is D / (1 − ρ_open); at a station with coefficients c(n) it is
:meth:`~pipeline.network.service.Service.log_coefficients_beside`. Then each open class finds the closed
customers there: beside n closed customers there are E(n) = a (n + 1) b(n + 1) / b(n) open ones on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array, Counts
from pipeline.network.closed import multiclass_mean_value_analysis
from pipeline.network.convolution import convolve
from pipeline.network.convolution.problem import guard, guard_lattice, lattice_cells
from pipeline.network.lattice import widest
from pipeline.network.service import Service, mean_number


@dataclass(frozen=True)
class MixedSolution:
    """Closed classes C, open classes O, stations K."""

    throughput: Array
    """X_c of the closed classes, customers a second, (C,)."""
    queue_lengths: Array
    """Q_kc of the closed classes, customers, (K, C)."""
    open_residence: Array
    """R_ko of the open classes, seconds a customer, (K, O)."""
    busy: Array
    """P(someone is there), (K,); NaN where it was not worked out: several servers, and delays."""


def solve_exactly(
    demands: ArrayLike,
    populations: ArrayLike,
    think_times: ArrayLike,
    rates: ArrayLike,
    open_demands: ArrayLike,
    services: Sequence[Service],
) -> MixedSolution:
    """Solve a product-form network of closed and open classes.

    ``demands`` (K, C), ``populations`` ≥ 1 (C,), ``think_times`` (C,): the closed classes; ``rates`` (O,) in
    customers a second and ``open_demands`` (K, O): the open ones, O may be 0; times in seconds. Several closed
    classes at single servers go by Mean Value Analysis, all else by convolution. Raises
    :class:`~pipeline.network.convolution.TooLargeError` beyond the limits stated there; the caller has made sure
    that no station is overloaded by the open classes.
    """
    demands, open_demands = np.asarray(demands, float), np.asarray(open_demands, float)
    populations, think = np.asarray(populations, np.int64), np.asarray(think_times, float)
    open_loads = open_demands @ np.asarray(rates, float)
    waits = np.array([not s.is_delay for s in services], bool)
    alone = ~demands[waits].any(axis=0)  # these classes meet nobody
    throughput = populations / (think + demands.sum(axis=0))
    queues = throughput * demands
    if alone.any() and not alone.all():
        rest = ~alone  # solve without those that only visit delays, and put them back
        found = solve_exactly(
            demands[:, rest], populations[rest], think[rest], rates, open_demands, services
        )
        throughput[rest], queues[:, rest] = found.throughput, found.queue_lengths
        return replace(found, throughput=throughput, queue_lengths=queues)
    plain = all(s.is_delay or s.is_single for s in services)
    most = int(populations.sum())
    ask = [
        k
        for k, s in enumerate(services)
        if not (s.is_delay or s.is_single)
        and demands[k].any()
        and (open_loads[k] > 0 or s.kind == "load_dependent")
    ]
    numbers: tuple[Array | None, ...] = (None,) * len(services)
    if plain and len(populations) > 1 and not alone.all():
        throughput, queues = _recursion(demands, populations, think, open_loads, services)
    elif not alone.all():
        found = convolve(demands, populations, think, services, open_loads, ask)
        throughput, queues, numbers = found
    residence = np.zeros_like(open_demands)
    busy = np.full(len(services), np.nan)
    for k, service in enumerate(services):
        load, closed = open_loads[k], queues[k].sum()
        if service.is_delay:
            residence[k] = open_demands[k]
        elif service.is_single:
            residence[k] = open_demands[k] * (1 + closed) / (service.capacity - load)
            busy[k] = (load + throughput @ demands[k]) / service.capacity
        elif numbers[k] is None:
            number, someone = mean_number(service, load)
            empty = 1.0 if service.kind == "queue" else 1 / service.multipliers[0]
            if load == 0:
                # an open customer at rate 0 finds the closed ones; asked for below only with a load
                number, load = empty, 1.0
            residence[k] = open_demands[k] * number / load
            busy[k] = someone if service.kind == "load_dependent" else np.nan
        else:
            p = np.maximum(numbers[k], 0)
            log_b = service.log_coefficients_beside(load, most + 1)
            beside = (np.arange(most + 1) + 1) * np.exp(np.diff(log_b))
            residence[k] = open_demands[k] * (p @ beside)
            busy[k] = p[1:].sum() - p[0] * np.expm1(-log_b[0])
    return MixedSolution(throughput, queues, residence, busy)


def _recursion(
    demands: Array,
    populations: Counts,
    think: Array,
    loads: Array,
    services: Sequence[Service],
) -> tuple[Array, Array]:
    guard_lattice(populations)
    guard(8 * len(services) * lattice_cells(populations), len(services) * widest(populations))
    left = np.array(
        [1.0 if s.is_delay else s.capacity - a for s, a in zip(services, loads, strict=True)]
    )
    delays = np.array([s.is_delay for s in services])
    scaled = demands / left[:, None]
    size = np.maximum(scaled.max(axis=0, initial=0), think)
    scaled, rest = scaled / size, think / size
    rest = rest + scaled[delays].sum(axis=0)
    throughput, residence = multiclass_mean_value_analysis(scaled[~delays], populations, rest)
    queues = np.empty_like(demands)
    queues[~delays] = throughput * residence
    queues[delays] = throughput * scaled[delays]
    return throughput / size, queues
