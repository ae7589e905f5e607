"""Mixed networks against a sum over all states."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from network.states import small_networks, sum_over_states
from pipeline.network.mixed import solve_exactly


@settings(max_examples=30, deadline=None)
@given(small_networks(), st.floats(0.02, 0.5))
def test_mixed_is_product_form(example, fill):
    demands, populations, think, stations = example
    capacity = np.array([min(s.capacity, 2.0) for s in stations])
    loads = fill * capacity
    rate = 0.5
    solution = solve_exactly(demands, populations, think, [rate], (loads / rate)[:, None], stations)
    throughput, queues, opened = sum_over_states(demands, populations, think, stations, loads, 80)
    np.testing.assert_allclose(solution.throughput, throughput, rtol=1e-8)
    np.testing.assert_allclose(solution.queue_lengths, queues, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(solution.open_residence[:, 0] * rate, opened, rtol=1e-8)
