"""A small demands document, and what several tests compute from a simulated run."""

import json
from dataclasses import fields

import numpy as np
import polars as pl

from pipeline.synthetic.clocks import NS_PER_S
from pipeline.synthetic.event_history import CpuServices, Operations
from pipeline.synthetic.study import FIRST_RUN_NS


def received_between(services: CpuServices, owner: int, first: float, last: float) -> float:
    """CPU time of one owner between two times: the sum of its services clipped to them."""
    is_owned = services.owner == owner
    start = np.clip(services.start_s[is_owned], first, last)
    end = np.clip(services.end_s[is_owned], first, last)
    return float((services.cumulative_work(end) - services.cumulative_work(start)).sum())


def select(operations: Operations, chosen: np.ndarray) -> Operations:
    return Operations(*(getattr(operations, column.name)[chosen] for column in fields(operations)))


def seconds_of(simulated, role: str, frame: pl.DataFrame) -> np.ndarray:
    """Snapshot times of a table on the simulation's clock (s), by the offset in run.json."""
    offset_ns = json.loads(simulated.files["run.json"])["roles"][role]["clock_offset_ns"]
    uncertainty_s = simulated.run.roles[role].clock_uncertainty_ns / NS_PER_S
    stamp_ns = frame["time"].dt.epoch("ns").to_numpy()
    assert uncertainty_s < 0.001
    return (stamp_ns - offset_ns - FIRST_RUN_NS) / NS_PER_S


SMALL = {
    "format": "queuevisor-demands/1",
    "seconds": 10,
    "before_seconds": 5,
    "virtual_servers": {
        "web": {"kind": "open", "cpu_s": 0.01, "background": {"server_cpu": 0.005}},
        "db": {"kind": "closed", "cpu_s": 0.02, "disk_operations": 2},
    },
    "runs": {"one": {"web": {"rate_per_s": 20, "arrivals": 0.5}}, "two": {"db": {"threads": 2}}},
}
