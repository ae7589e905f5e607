"""Sums over all states of small closed networks: product form written out."""

import itertools
from math import comb, factorial, prod

import numpy as np
from hypothesis import strategies as st

from pipeline.network.service import Service


def alpha(service, n):
    if service.kind == "delay":
        return float(n)
    if service.kind == "queue":
        return float(min(n, service.servers))
    return service.multipliers[min(n, len(service.multipliers)) - 1]


def splits(customers, places):
    """All ways to put ``customers`` into ``places``."""
    if places == 1:
        yield (customers,)
        return
    for first in range(customers + 1):
        for rest in splits(customers - first, places - 1):
            yield (first, *rest)


def factor(service, demands, numbers, open_load=0.0, most_open=0):
    """A station's weight with ``numbers`` closed customers, and the mean number of open ones."""
    n = sum(numbers)
    weight = factorial(n) * prod(
        float(d) ** k / factorial(k) for d, k in zip(demands, numbers, strict=True)
    )
    terms = np.array(
        [
            comb(n + j, j) * open_load**j / prod(alpha(service, i) for i in range(1, n + j + 1))
            for j in range(most_open + 1)
        ]
    )
    return weight * terms.sum(), terms @ np.arange(most_open + 1) / terms.sum()


def sum_over_states(demands, populations, think, services, open_loads=None, most_open=0):
    """X, Q of the closed classes, mean open customers at each station, by summing over all states."""
    demands = np.asarray(demands, float)
    loads = np.zeros(len(services)) if open_loads is None else open_loads
    rows = [*services, Service.delay()]
    every = np.vstack((demands, think))

    def total(populations):
        constant, queues, opened = 0.0, np.zeros(demands.shape), np.zeros(len(services))
        ways = [list(splits(n, len(rows))) for n in populations]
        for state in itertools.product(*ways):
            parts = [
                factor(
                    s,
                    every[k],
                    [w[k] for w in state],
                    *((loads[k], most_open) if k < len(services) else ()),
                )
                for k, s in enumerate(rows)
            ]
            weight = prod(w for w, _ in parts)
            constant += weight
            for k in range(len(services)):
                queues[k] += weight * np.array([w[k] for w in state])
                opened[k] += weight * parts[k][1]
        return constant, queues / constant, opened / constant

    constant, queues, opened = total(populations)
    throughput = []
    for c in range(len(populations)):
        less = list(populations)
        less[c] -= 1
        throughput.append(total(less)[0] / constant)
    return np.array(throughput), queues, opened


services = st.one_of(
    st.just(Service.queue(1)),
    st.builds(Service.queue, st.integers(2, 5)),
    st.just(Service.delay()),
    st.builds(Service.load_dependent, st.lists(st.floats(0.2, 3), min_size=1, max_size=4)),
)


@st.composite
def small_networks(draw, min_classes=1, max_classes=2):
    count = draw(st.integers(min_classes, max_classes))
    stations = draw(st.lists(services, min_size=1, max_size=3))
    demand = st.one_of(st.floats(0.01, 3), st.just(0.0))
    demands = np.array([[draw(demand) for _ in range(count)] for _ in stations])
    think = np.array([draw(st.one_of(st.just(0.0), st.floats(0.1, 5))) for _ in range(count)])
    think[(demands.sum(axis=0) + think) == 0] = 1.0
    populations = np.array([draw(st.integers(1, 4)) for _ in range(count)])
    return demands, populations, think, stations
