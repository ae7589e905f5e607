"""Small networks against every state: product form summed up, and the Markov chain itself."""

import itertools
from math import comb, factorial, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.network.closed import multiclass_mean_value_analysis
from pipeline.network.convolution import convolve
from pipeline.network.convolution.convolve import measure
from pipeline.network.convolution.multiclass import Layers
from pipeline.network.convolution.problem import Problem
from pipeline.network.convolution.scaling import tilt
from pipeline.network.convolution.single_class import Line
from pipeline.network.mixed import solve_exactly
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


def by_states(demands, populations, think, services, open_loads=None, most_open=0):
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
def small_networks(draw, least=1, most=2):
    count = draw(st.integers(least, most))
    stations = draw(st.lists(services, min_size=1, max_size=3))
    demand = st.one_of(st.floats(0.01, 3), st.just(0.0))
    demands = np.array([[draw(demand) for _ in range(count)] for _ in stations])
    think = np.array([draw(st.one_of(st.just(0.0), st.floats(0.1, 5))) for _ in range(count)])
    think[(demands.sum(axis=0) + think) == 0] = 1.0
    populations = np.array([draw(st.integers(1, 4)) for _ in range(count)])
    return demands, populations, think, stations


@settings(max_examples=60, deadline=None)
@given(small_networks())
def test_convolution_is_product_form(example):
    demands, populations, think, stations = example
    throughput, queues, _ = by_states(demands, populations, think, stations)
    found = convolve(demands, populations, think, stations)
    np.testing.assert_allclose(found.throughput, throughput, rtol=1e-10)
    np.testing.assert_allclose(found.queue_lengths, queues, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(small_networks(most=3))
def test_logarithms_say_the_same(example):
    demands, populations, think, stations = example
    scale = np.maximum(demands.max(axis=0), think)
    problem = Problem.of(
        demands / scale, populations, think / scale, stations, np.zeros(len(stations)), set()
    )
    space = (Line if len(populations) == 1 else Layers)(problem)
    x = tilt(problem)
    plain, logs = (measure(problem, way, x) for way in (space.plain(x), space.logarithmic(x)))
    np.testing.assert_allclose(logs[0], plain[0], rtol=1e-10)
    np.testing.assert_allclose(logs[1], plain[1], rtol=1e-9, atol=1e-13)


@settings(max_examples=40, deadline=None)
@given(small_networks(2, 3))
def test_recursion_and_convolution_agree(example):
    demands, populations, think, _ = example
    stations = [Service.queue()] * len(demands)
    found = convolve(demands, populations, think, stations)
    throughput, residence = multiclass_mean_value_analysis(demands, populations, think)
    np.testing.assert_allclose(found.throughput, throughput, rtol=1e-11)
    np.testing.assert_allclose(found.queue_lengths, throughput * residence, rtol=1e-9, atol=1e-13)


@settings(max_examples=30, deadline=None)
@given(small_networks(), st.floats(0.02, 0.5))
def test_mixed_is_product_form(example, fill):
    demands, populations, think, stations = example
    capacity = np.array([min(s.capacity, 2.0) for s in stations])
    loads = fill * capacity
    rate = 0.5
    found = solve_exactly(demands, populations, think, [rate], (loads / rate)[:, None], stations)
    throughput, queues, opened = by_states(demands, populations, think, stations, loads, 80)
    np.testing.assert_allclose(found.throughput, throughput, rtol=1e-8)
    np.testing.assert_allclose(found.queue_lengths, queues, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.open_residence[:, 0] * rate, opened, rtol=1e-8)


def test_the_markov_chain_itself():
    """Two classes share two servers (PS) and a load-dependent station: global balance, no product form assumed."""
    demands = np.array([[0.7, 0.3], [0.4, 0.9]])
    populations, think = (3, 2), np.array([1.5, 0.8])
    stations = [Service.queue(2), Service.load_dependent([1, 1.6, 0.9])]
    states = [
        (a, b) for a in splits(populations[0], 3) for b in splits(populations[1], 3)
    ]  # for each class: at station 0, at station 1, thinking
    index = {s: i for i, s in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    done = np.zeros((len(states), 2))
    for state, i in index.items():
        for c in (0, 1):
            for place in (0, 1, 2):
                here = state[c][place]
                if here == 0:
                    continue
                if place == 2:
                    pace = here / think[c]
                else:
                    n = state[0][place] + state[1][place]
                    pace = alpha(stations[place], n) * here / n / demands[place, c]
                to = list(state[c])
                to[place] -= 1
                to[(place + 1) % 3] += 1
                new = (tuple(to), state[1]) if c == 0 else (state[0], tuple(to))
                generator[i, index[new]] += pace
                generator[i, i] -= pace
                if place == 2:
                    done[i, c] += pace
    system = np.vstack((generator.T, np.ones(len(states))))
    steady = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1), rcond=None)[0]
    found = convolve(demands, populations, think, stations)
    np.testing.assert_allclose(found.throughput, steady @ done, rtol=1e-9)
    for k in (0, 1):
        queue = [sum(p * s[c][k] for p, s in zip(steady, states, strict=True)) for c in (0, 1)]
        np.testing.assert_allclose(found.queue_lengths[k], queue, rtol=1e-9)


def test_a_station_that_collapses_under_load_needs_logarithms():
    """α falls from 1 to 1e-9 after 150 customers: the terms span more than doubles can."""
    stations = [Service.load_dependent([1.0] * 150 + [1e-9]), Service.queue(), Service.delay()]
    demands, population = [[1.0], [0.999], [1.0]], 320
    found = convolve(demands, [population], [0.0], stations)
    assert found.queue_lengths.sum() == pytest.approx(population, rel=1e-9)
    # by exact fractions of logarithms: the constant of one fewer
    logs = [s.log_coefficients(population) for s in stations]
    g = np.full(population + 1, -np.inf)
    g[0] = 0
    for log_c, (d,) in zip(logs, demands, strict=True):
        terms = log_c + np.arange(population + 1) * np.log(d)
        g = np.array(
            [np.logaddexp.reduce(g[: n + 1] + terms[n::-1]) for n in range(population + 1)]
        )
    assert found.throughput[0] == pytest.approx(np.exp(g[-2] - g[-1]), rel=1e-9)
