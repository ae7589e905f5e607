"""Service rates: Erlang's C formula, Poisson probabilities, load-dependent stations."""

import math

import numpy as np
import pytest

from pipeline.network.service import Service, erlang_c, log_poisson, mean_number


def erlang_by_recursion(servers, load):
    blocked = 1.0
    for m in range(1, servers + 1):
        blocked = load * blocked / (m + load * blocked)
    rho = load / servers
    return blocked / (1 - rho * (1 - blocked))


@pytest.mark.parametrize("servers", [1, 2, 4, 31, 300, 5000])
@pytest.mark.parametrize("rho", [1e-6, 0.01, 0.5, 0.9, 0.999, 1 - 1e-9])
def test_erlang_c(servers, rho):
    expected = erlang_by_recursion(servers, servers * rho)
    assert float(erlang_c(servers, servers * rho)) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_erlang_c_with_a_million_servers():
    """Halfin and Whitt 1981: m = a + β √m waits with probability 1 / (1 + β Φ(β)/φ(β))."""
    m, beta = 1e6, 1.0
    density = math.exp(-beta * beta / 2) / math.sqrt(2 * math.pi)
    expected = 1 / (1 + beta * (0.5 * math.erfc(-beta / math.sqrt(2))) / density)
    assert float(erlang_c(m, m - beta * math.sqrt(m))) == pytest.approx(expected, rel=2e-3)


def test_poisson_probabilities():
    for mean in (0.3, 5.0, 99.0, 3000.0):
        n = np.arange(0, 400)
        expected = n * math.log(mean) - mean - np.array([math.lgamma(k + 1) for k in n])
        assert log_poisson(n, mean) == pytest.approx(expected, rel=1e-12, abs=1e-10)


def test_load_dependent_like_many_servers():
    load = np.linspace(0, 2.9, 30)
    number, busy = mean_number(Service.load_dependent([1, 2, 3]), load)
    other, also_busy = mean_number(Service.queue(3), load)
    assert number == pytest.approx(other)
    assert busy == pytest.approx(also_busy, abs=1e-12)
