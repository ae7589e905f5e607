"""Open networks: sweeps, saturation, invalid arrays."""

import numpy as np
import pytest

from network.models import delay, load_dependent, network, opened, queue
from pipeline.network.open import solve_open
from pipeline.network.service import Service
from pipeline.network.solve import solve


def test_a_sweep_is_one_call():
    rates = np.linspace(0, 0.5, 1001)
    services = [
        Service.queue(),
        Service.queue(2),
        Service.delay(),
        Service.load_dependent([1, 1.5]),
    ]
    demands = np.array([[1.0], [2.5], [3.0], [0.7]])
    solution = solve_open(rates[:, None], demands, services)
    assert solution.response_times.shape == (1001, 1)
    assert solution.residence_times[:, 0, 0] == pytest.approx(1 / (1 - rates))
    assert solution.is_stable.all()
    model = network(
        [queue("a"), queue("b", servers=2), delay("c"), load_dependent("d", 1, 1.5)],
        [opened("x", 0.4)],
        demands.tolist(),
    )
    at = int(np.argmin(np.abs(rates - 0.4)))
    assert solution.response_times[at, 0] == pytest.approx(solve(model).response_times[0], rel=1e-3)
    # demands may vary too
    varied = solve_open([0.4], demands * np.array([1.0, 1.1])[:, None, None], services)
    assert varied.response_times.shape == (2, 1)


def test_sweep_past_saturation():
    solution = solve_open([[0.9], [1.0], [1.1]], [[1.0]], [Service.queue()])
    assert solution.is_stable.tolist() == [True, False, False]
    assert np.isinf(solution.response_times[1:]).all()


def test_rate_zero():
    answer = solve(
        network([queue("a"), load_dependent("l", 2.0, 3.0)], [opened("x", 0.0)], [[1.0], [1.0]])
    )
    assert answer.throughput[0] == 0
    assert answer.residence_times[:, 0] == pytest.approx([1.0, 0.5])


def test_bad_arrays_are_refused():
    for rates, demands in (([1.0, 1.0], [[1.0]]), ([-1.0], [[1.0]]), ([float("nan")], [[1.0]])):
        with pytest.raises(ValueError, match=r"\w"):
            solve_open(rates, demands, [Service.queue()])
