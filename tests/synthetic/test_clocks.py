"""Sentinel lines of a snapshot."""

import numpy as np

from pipeline.synthetic.clocks import Machine, Snapshots


def test_sentinels():
    machine = Machine("host", "0-1", 10**18, 5_000_000, 5_000_000, 100.0, 0.0, 0.0)
    shots = Snapshots(machine, np.array([0.5]), np.array([0.501]))
    assert shots.sentinels() == ["#T 1000000000506000000 100501000000 0 0-1"]
