"""Convolution against a sum over all states and against the Markov chain."""

import numpy as np
import pytest
from hypothesis import given, settings

from network.states import alpha, small_networks, splits, sum_over_states
from pipeline.network.closed import multiclass_mean_value_analysis
from pipeline.network.convolution import convolve
from pipeline.network.convolution.convolve import solve_with
from pipeline.network.convolution.multiclass import Multiclass
from pipeline.network.convolution.problem import ConvolutionProblem
from pipeline.network.convolution.scaling import scaling_rates
from pipeline.network.convolution.single_class import SingleClass, filter_geometric
from pipeline.network.service import Service


@settings(max_examples=60, deadline=None)
@given(small_networks())
def test_convolution_is_product_form(example):
    demands, populations, think, stations = example
    throughput, queues, _ = sum_over_states(demands, populations, think, stations)
    solution = convolve(demands, populations, think, stations)
    np.testing.assert_allclose(solution.throughput, throughput, rtol=1e-10)
    np.testing.assert_allclose(solution.queue_lengths, queues, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(small_networks(max_classes=3))
def test_log_space_agrees_with_linear(example):
    demands, populations, think, stations = example
    scale = np.maximum(demands.max(axis=0), think)
    problem = ConvolutionProblem.from_network(
        demands / scale, populations, think / scale, stations, np.zeros(len(stations)), set()
    )
    space = (SingleClass if len(populations) == 1 else Multiclass)(problem)
    x = scaling_rates(problem)
    linear, logs = (
        solve_with(problem, backend, x) for backend in (space.linear(x), space.log_space(x))
    )
    np.testing.assert_allclose(logs[0], linear[0], rtol=1e-10)
    np.testing.assert_allclose(logs[1], linear[1], rtol=1e-9, atol=1e-13)


@settings(max_examples=40, deadline=None)
@given(small_networks(2, 3))
def test_recursion_and_convolution_agree(example):
    demands, populations, think, _ = example
    stations = [Service.queue()] * len(demands)
    solution = convolve(demands, populations, think, stations)
    throughput, residence = multiclass_mean_value_analysis(demands, populations, think)
    np.testing.assert_allclose(solution.throughput, throughput, rtol=1e-11)
    np.testing.assert_allclose(
        solution.queue_lengths, throughput * residence, rtol=1e-9, atol=1e-13
    )


def test_convolution_solves_the_markov_chain():
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
                    rate = here / think[c]
                else:
                    n = state[0][place] + state[1][place]
                    rate = alpha(stations[place], n) * here / n / demands[place, c]
                to = list(state[c])
                to[place] -= 1
                to[(place + 1) % 3] += 1
                new = (tuple(to), state[1]) if c == 0 else (state[0], tuple(to))
                generator[i, index[new]] += rate
                generator[i, i] -= rate
                if place == 2:
                    done[i, c] += rate
    system = np.vstack((generator.T, np.ones(len(states))))
    steady = np.linalg.lstsq(system, np.append(np.zeros(len(states)), 1), rcond=None)[0]
    solution = convolve(demands, populations, think, stations)
    np.testing.assert_allclose(solution.throughput, steady @ done, rtol=1e-9)
    for k in (0, 1):
        queue = [sum(p * s[c][k] for p, s in zip(steady, states, strict=True)) for c in (0, 1)]
        np.testing.assert_allclose(solution.queue_lengths[k], queue, rtol=1e-9)


def test_collapsing_service_rate_needs_log_space():
    """α falls from 1 to 1e-9 after 150 customers: the terms span more than doubles can."""
    stations = [Service.load_dependent([1.0] * 150 + [1e-9]), Service.queue(), Service.delay()]
    demands, population = [[1.0], [0.999], [1.0]], 320
    solution = convolve(demands, [population], [0.0], stations)
    assert solution.queue_lengths.sum() == pytest.approx(population, rel=1e-9)
    # by exact fractions of logarithms: the constant of one fewer
    logs = [s.log_coefficients(population) for s in stations]
    g = np.full(population + 1, -np.inf)
    g[0] = 0
    for log_c, (d,) in zip(logs, demands, strict=True):
        terms = log_c + np.arange(population + 1) * np.log(d)
        g = np.array(
            [np.logaddexp.reduce(g[: n + 1] + terms[n::-1]) for n in range(population + 1)]
        )
    assert solution.throughput[0] == pytest.approx(np.exp(g[-2] - g[-1]), rel=1e-9)


@pytest.mark.parametrize("ratio", [0.0, 0.7, 1.0, 1.3])
def test_the_geometric_filter_is_scipys(ratio):
    from scipy.signal import lfilter

    values = np.random.default_rng(1).exponential(size=300)
    assert (
        filter_geometric(values, ratio).tolist() == lfilter([1.0], [1.0, -ratio], values).tolist()
    )
