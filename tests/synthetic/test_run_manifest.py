"""run.json has the plan and the windows."""

import numpy as np
import pytest

from pipeline.raw import RUN_FORMAT
from pipeline.synthetic.clocks import NS_PER_S
from pipeline.synthetic.study import FIRST_RUN_NS


def test_the_manifest_is_the_plan(simulated):
    run, history = simulated.run, simulated.history
    assert run.window.duration_s == pytest.approx(np.diff(history.window_s)[0], abs=1e-6)
    assert run.idle_before.duration_s == pytest.approx(30, abs=1e-6)
    for name, guest in history.guests.items():
        recorded = run.virtual_servers[name]
        assert (recorded.workload is None) == (guest.load is None)
        if recorded.workload is not None:
            assert recorded.workload.population == guest.load.threads
            assert recorded.workload.rate_per_s == guest.load.rate_per_s
            load_window = recorded.workload.window
            assert (
                run.window.start_ns
                <= load_window.start_ns
                < load_window.end_ns
                <= run.window.end_ns
            )
            sent_s = guest.arrival_s.min()
            began_s = (load_window.start_ns - FIRST_RUN_NS) / NS_PER_S
            assert 0 < sent_s - began_s < 0.01 + guest.load.think_time_s * 5
    assert set(run.roles) == {"client", "host", "web", "db"}
    assert run.manifest["format"] == RUN_FORMAT
    assert run.manifest["recorded_by"] == "queuevisor simulate"
    assert run.manifest["notes"][0].startswith("Simulated")
