"""How much of the CPU the guests take in a run's before-state, where nobody asks them for anything.

They do the same little work in every second, of which the collectors are most, so that this is the pace at which the
machine emulates just now. It is known before the load begins: a run can be put off by it without a look at its outcome.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

LEAST_S = 15.0
"""Shorter than that, the steps of 10 ms of /proc and single chores of the guests tell too little."""


def cpu_s(pids: Iterable[int]) -> float:
    """CPU seconds that processes have used, user and system. ``OSError`` if one has ended."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class BeforeState:
    """Listens to the recorder; says that it is to be ended where the guests take ``most_cpus`` or more."""

    def __init__(self, pids: Iterable[int], most_cpus: float) -> None:
        self.pids = list(pids)
        self.most_cpus = most_cpus
        self.begun: tuple[float, float] | None = None
        self.found_cpus: float | None = None
        """CPUs used over the before-state so far; None until ``LEAST_S`` have gone by."""

    @property
    def too_slow(self) -> bool:
        """Was it more than may be?"""
        return self.found_cpus is not None and self.found_cpus >= self.most_cpus

    def heard(self, line: str) -> bool:
        """Take one line of the recorder's; True if it is to be ended."""
        if not line.startswith("before-state"):
            return False
        try:
            at, used = time.monotonic(), cpu_s(self.pids)
        except OSError:  # a guest has ended: the recorder will say so
            return False
        if self.begun is None:
            self.begun = at, used
        elif at - self.begun[0] >= LEAST_S:
            self.found_cpus = (used - self.begun[1]) / (at - self.begun[0])
        return self.too_slow
