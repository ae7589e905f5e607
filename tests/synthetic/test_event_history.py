"""Cumulative CPU time at a given time."""

import numpy as np

from pipeline.synthetic.event_history import CpuServices, identity


def test_cpu_time_during_services():
    services = CpuServices(
        np.array([0, 1, 0]), np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 4.0]), identity
    )
    cpu_time = services.cpu_time_by_owner(np.array([0.5, 1.0, 2.5, 3.5, 9.0]), owners=2)
    assert cpu_time[0].tolist() == [0.5, 1.0, 1.0, 1.5, 2.0]
    assert cpu_time[1].tolist() == [0.0, 0.0, 1.5, 2.0, 2.0]
