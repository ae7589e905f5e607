"""Convolution itself: fold the stations in, and read throughput and queues off what came out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pipeline.network.arrays import Array
from pipeline.network.convolution.multiclass import Layers
from pipeline.network.convolution.problem import Problem, TooLargeError, Way
from pipeline.network.convolution.scaling import tilt
from pipeline.network.convolution.single_class import Line
from pipeline.network.service import Service


class Convolved(NamedTuple):
    """A closed network, or the closed part of a mixed one; K stations, C classes."""

    throughput: Array
    """X_c, customers a second, (C,)."""
    queue_lengths: Array
    """Q_kc, customers, (K, C)."""
    numbers: tuple[Array | None, ...]
    """For each station, P(n closed customers there), n = 0 … |N|; None where it was not asked for."""


def convolve(
    demands: ArrayLike,
    populations: ArrayLike,
    think_times: ArrayLike,
    services: Sequence[Service],
    open_loads: ArrayLike | None = None,
    ask: Sequence[int] = (),
) -> Convolved:
    """Solve a closed network exactly, beside open customers if there are any.

    ``demands``: D ≥ 0 of the closed classes, seconds, (K, C). ``populations``: N ≥ 1, customers, (C,).
    ``think_times``: Z ≥ 0, seconds, (C,). ``services``: K of them. ``open_loads``: a = Σ λ D of the open
    customers at each station, below its capacity, (K,). ``ask``: stations whose distribution is wanted.
    Raises :class:`TooLargeError` when it would take more than ``MOST_WORK`` multiplications, ``ValueError`` where a
    class has neither demand nor think time.
    """
    demands = np.asarray(demands, float)
    populations = np.asarray(populations, np.int64)
    scale = np.maximum(demands.max(axis=0, initial=0), think_times)
    if np.any(scale <= 0) or np.any(populations < 1):
        raise ValueError("each closed class needs customers, and a demand or a think time")
    loads = np.zeros(len(services)) if open_loads is None else np.asarray(open_loads, float)
    problem = Problem.of(
        demands / scale, populations, think_times / scale, services, loads, set(ask)
    )
    space = Line(problem) if len(populations) == 1 else Layers(problem)
    x = tilt(problem)
    found = measure(problem, space.plain(x), x) or measure(problem, space.logarithmic(x), x)
    if found is None:
        raise TooLargeError("the normalizing constant is beyond even logarithms")
    throughput, queues, numbers = found
    throughput = throughput / scale
    at_delay = np.array([k in problem.delays for k in range(len(services))])
    queues[at_delay] = throughput * demands[at_delay]
    return Convolved(throughput, queues, numbers)


def measure(problem: Problem, way: Way, x: Array) -> Convolved | None:
    """X, Q and the distributions asked for, by one way, tilted by ``x``; None where too much has underflowed on it."""
    queues = np.zeros_like(problem.demands)
    numbers: list[Array | None] = [None] * len(problem.demands)
    whole = way.base()
    singles = [k for k in problem.factors if way.is_single(k) and k not in problem.asked]
    others = [k for k in problem.factors if k not in singles]
    whole = way.with_singles(whole, singles)
    split = list(_complements(way, whole, others))
    total = way.with_station(split[0][1], split[0][0]) if split else whole
    ratios = way.ratios(total)
    if ratios is None:
        return None
    for k in singles:
        queues[k] = way.queue_at_single(k, total)
    for k, without in split:
        queues[k], numbers[k] = way.queue_at(k, without, total)
    return Convolved(x * ratios, queues, tuple(numbers))


def _complements(way: Way, base: Array, stations: list[int]) -> Iterator[tuple[int, Array]]:
    """For each of ``stations``, ``base`` with all the others folded in: halves of halves, log K deep."""
    if len(stations) == 1:
        yield stations[0], base
        return
    middle = len(stations) // 2
    for some, rest in (
        (stations[:middle], stations[middle:]),
        (stations[middle:], stations[:middle]),
    ):
        if some:
            folded = base
            for k in rest:
                folded = way.with_station(folded, k)
            yield from _complements(way, folded, some)
