"""A sweep over populations is the network solved at each of them."""

import numpy as np
import pytest

from pipeline.network.convolution import convolve, sweep_closed
from pipeline.network.service import Service

NETWORKS = {
    "32 servers and a single one": ([0.0025, 0.00018], [Service.queue(32), Service.queue()]),
    "rate rises with the queue": (
        [0.001, 0.0004],
        [Service.queue(4), Service.load_dependent((1.0, 1.1, 1.15, 1.2))],
    ),
    "only a delay": ([0.002], [Service.delay()]),
    "rate collapses under load": (
        [0.001],
        [Service.load_dependent(tuple(2.0 ** -np.arange(40)))],
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_population_has_the_throughput_of_its_own_network(name):
    demands, services = NETWORKS[name]
    swept = sweep_closed(demands, 120, 0.004, services)
    assert swept.shape == (121,)
    assert swept[0] == 0
    for n in (1, 2, 31, 32, 33, 120):
        column = np.array(demands)[:, None]
        assert swept[n] == pytest.approx(
            convolve(column, [n], [0.004], services).throughput[0], rel=1e-9
        )


def test_a_network_without_customers_or_time_is_refused():
    with pytest.raises(ValueError, match="needs customers"):
        sweep_closed([0.001], 0, 0.0, [Service.queue()])
    with pytest.raises(ValueError, match="needs customers"):
        sweep_closed([0.0], 3, 0.0, [Service.queue()])
