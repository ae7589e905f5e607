"""Open and closed classes together, exactly, where the network is of product form.

Open customers use part of each station's capacity; the residual capacity serves the closed ones (Bolch et al. 2006,
section 8.1.6; Lazowska et al. 1984, page 143). At one server the demand becomes D / (1 − ρ_open); at a station with
coefficients c(n) they become :meth:`~pipeline.network.service.Service.log_coefficients_given_load`. The open classes
then queue with the closed customers: given n closed customers there are E(n) = a (n + 1) b(n + 1) / b(n) open ones on
average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array, Counts
from pipeline.network.closed import multiclass_mean_value_analysis
from pipeline.network.convolution import convolve
from pipeline.network.convolution.problem import check_lattice, check_resources, lattice_cells
from pipeline.network.lattice import max_layer_size
from pipeline.network.service import Service, mean_number


@dataclass(frozen=True)
class MixedSolution:
    """Closed classes C, open classes O, stations K."""

    throughput: Array
    """X_c of the closed classes, customers per second, (C,)."""
    queue_lengths: Array
    """Q_kc of the closed classes, customers, (K, C)."""
    open_residence: Array
    """R_ko of the open classes, seconds per customer, (K, O)."""
    busy: Array
    """P(busy), (K,); NaN where it is not computed: several servers, and delays."""


def solve_exactly(
    demands: ArrayLike,
    populations: ArrayLike,
    think_times: ArrayLike,
    rates: ArrayLike,
    open_demands: ArrayLike,
    services: Sequence[Service],
) -> MixedSolution:
    """Solve a product-form network of closed and open classes exactly.

    Several closed classes at single servers are solved by Mean Value Analysis, all else by convolution. The caller
    checks that the open classes overload no station.

    Parameters
    ----------
    demands : array_like, shape (K, C)
        D of the closed classes, seconds.
    populations : array_like of int, shape (C,)
        N ≥ 1, customers.
    think_times : array_like, shape (C,)
        Z, seconds.
    rates : array_like, shape (O,)
        λ of the open classes, customers per second; O may be 0.
    open_demands : array_like, shape (K, O)
        D of the open classes, seconds.
    services : sequence of Service, length K

    Returns
    -------
    MixedSolution

    Raises
    ------
    TooLargeError
        Beyond the limits of :mod:`pipeline.network.convolution.problem`.

    References
    ----------
    Bolch, Greiner, de Meer and Trivedi, Queueing Networks and Markov Chains, 2nd ed. 2006, section 8.1.6.

    Examples
    --------
    >>> solution = solve_exactly([[0.1]], [1], [0.0], [5.0], [[0.1]], [Service.queue()])
    >>> solution.throughput.round(3).tolist()
    [5.0]
    """
    demands, open_demands = np.asarray(demands, float), np.asarray(open_demands, float)
    populations, think = np.asarray(populations, np.int64), np.asarray(think_times, float)
    open_loads = open_demands @ np.asarray(rates, float)
    is_queueing = np.array([not s.is_delay for s in services], bool)
    delay_only = ~demands[is_queueing].any(axis=0)  # these classes never queue
    throughput = populations / (think + demands.sum(axis=0))
    queues = throughput * demands
    if delay_only.any() and not delay_only.all():
        rest = ~delay_only  # solved without the others
        solution = solve_exactly(
            demands[:, rest], populations[rest], think[rest], rates, open_demands, services
        )
        throughput[rest], queues[:, rest] = solution.throughput, solution.queue_lengths
        return replace(solution, throughput=throughput, queue_lengths=queues)
    is_single_server_network = all(s.is_delay or s.is_single_server for s in services)
    customers = int(populations.sum())
    marginals_for = [
        k
        for k, s in enumerate(services)
        if not (s.is_delay or s.is_single_server)
        and demands[k].any()
        and (open_loads[k] > 0 or s.kind == "load_dependent")
    ]
    marginals: tuple[Array | None, ...] = (None,) * len(services)
    if is_single_server_network and len(populations) > 1 and not delay_only.all():
        throughput, queues = _solve_by_mva(demands, populations, think, open_loads, services)
    elif not delay_only.all():
        throughput, queues, marginals = convolve(
            demands, populations, think, services, open_loads, marginals_for
        )
    residence = np.zeros_like(open_demands)
    busy = np.full(len(services), np.nan)
    for k, service in enumerate(services):
        load, closed = open_loads[k], queues[k].sum()
        if service.is_delay:
            residence[k] = open_demands[k]
        elif service.is_single_server:
            residence[k] = open_demands[k] * (1 + closed) / (service.capacity - load)
            busy[k] = (load + throughput @ demands[k]) / service.capacity
        elif marginals[k] is None:
            number, p_busy = mean_number(service, load)
            empty = 1.0 if service.kind == "queue" else 1 / service.multipliers[0]
            if load == 0:
                # the marginal is requested only with a load: at rate 0 the ratio is that of an empty station
                number, load = empty, 1.0
            residence[k] = open_demands[k] * number / load
            busy[k] = p_busy if service.kind == "load_dependent" else np.nan
        else:
            p = np.maximum(marginals[k], 0)
            log_b = service.log_coefficients_given_load(load, customers + 1)
            open_per_load = (np.arange(customers + 1) + 1) * np.exp(np.diff(log_b))
            residence[k] = open_demands[k] * (p @ open_per_load)
            busy[k] = p[1:].sum() - p[0] * np.expm1(-log_b[0])
    return MixedSolution(throughput, queues, residence, busy)


def _solve_by_mva(
    demands: Array,
    populations: Counts,
    think: Array,
    loads: Array,
    services: Sequence[Service],
) -> tuple[Array, Array]:
    check_lattice(populations)
    work = 8 * len(services) * lattice_cells(populations)
    check_resources(work, len(services) * max_layer_size(populations))
    residual = np.array(
        [1.0 if s.is_delay else s.capacity - a for s, a in zip(services, loads, strict=True)]
    )
    is_delay = np.array([s.is_delay for s in services])
    scaled = demands / residual[:, None]
    scale = np.maximum(scaled.max(axis=0, initial=0), think)
    scaled, scaled_think = scaled / scale, think / scale
    scaled_think = scaled_think + scaled[is_delay].sum(axis=0)
    throughput, residence = multiclass_mean_value_analysis(
        scaled[~is_delay], populations, scaled_think
    )
    queues = np.empty_like(demands)
    queues[~is_delay] = throughput * residence
    queues[is_delay] = throughput * scaled[is_delay]
    return throughput / scale, queues
