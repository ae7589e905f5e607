"""CPU use of the guests during a run's idle baseline, before any request is sent.

The idle guests do the same small amount of work in every second, most of it for the collectors. The CPU time that it
takes shows how fast the machine emulates at present. It is measured before the load begins, so that a run can be
postponed without regard to its outcome.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

BASELINE_LINE = "idle baseline"
"""How the recorder's progress lines during the idle baseline begin."""
MIN_INTERVAL_S = 15.0
"""Over a shorter interval, the 10 ms resolution of /proc and single tasks of the guests weigh too much."""


def read_cpu_s(pids: Iterable[int]) -> float:
    """Read the CPU time of processes, user and system, in seconds; OSError if one of them has ended."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class IdleCpuMonitor:
    """Measures the guests' CPU use over the idle baseline, triggered by the recorder's progress lines.

    Attributes
    ----------
    cpus : float or None
        CPUs used over the idle baseline so far; None until ``MIN_INTERVAL_S`` have passed.
    """

    def __init__(self, pids: Iterable[int], max_cpus: float) -> None:
        self.pids = list(pids)
        self.max_cpus = max_cpus
        self.first_sample: tuple[float, float] | None = None
        self.cpus: float | None = None

    @property
    def is_too_high(self) -> bool:
        """Whether the guests use ``max_cpus`` or more."""
        return self.cpus is not None and self.cpus >= self.max_cpus

    def process_line(self, line: str) -> bool:
        """Process one line of the recorder; return whether the recording must be ended."""
        if not line.startswith(BASELINE_LINE):
            return False
        try:
            time_s, cpu_s = time.monotonic(), read_cpu_s(self.pids)
        except OSError:  # a guest has ended; the recorder reports it
            return False
        if self.first_sample is None:
            self.first_sample = time_s, cpu_s
        elif time_s - self.first_sample[0] >= MIN_INTERVAL_S:
            self.cpus = (cpu_s - self.first_sample[1]) / (time_s - self.first_sample[0])
        return self.is_too_high
