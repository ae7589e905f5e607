"""Static scaling: the open network with the rates x holds about N customers."""

import numpy as np
import pytest

from pipeline.network.convolution.problem import ConvolutionProblem
from pipeline.network.convolution.scaling import scaling_rates
from pipeline.network.service import Service, mean_number


@pytest.mark.parametrize("populations", [(4,), (300,), (20, 50), (2000, 3)])
def test_open_network_holds_the_population_on_average(populations):
    classes = len(populations)
    demands = np.array([[1.0, 0.3], [0.4, 0.9]])[:, :classes]
    services = [Service.queue(), Service.queue()]
    problem = ConvolutionProblem.from_network(
        demands, np.array(populations), np.full(classes, 0.5), services, np.zeros(2), set()
    )
    x = scaling_rates(problem)
    load = demands * x
    number = np.array([mean_number(s, load[k].sum())[0] for k, s in enumerate(services)])
    customers = (load / load.sum(axis=1, keepdims=True) * number[:, None]).sum(axis=0) + 0.5 * x
    tolerance = 0.05 * np.sqrt(min(populations))
    assert customers == pytest.approx(np.array(populations, float), abs=tolerance * (1 + 1e-9))
