"""Clocks and boot ids of the machines, and the times of the snapshots in their logs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.event_history import Floats

NS_PER_S = 1_000_000_000
FIRST_SNAPSHOT_S = 0.2
"""Least delay of the first snapshot after the start of the recording."""
MEAN_STAMP_DELAY_S = 0.0005
"""Mean delay between reading the counters and the timestamp of the text."""
PERIOD_FACTOR = {"top": 1.003, "iotop": 1.005}
"""Period of a tool as a multiple of its interval: top and iotop sleep for the interval after their work, and drift."""
CLOCK_UNCERTAINTY_S = 0.0004
END_MARK = "#END SIGTERM\n"


@dataclass(frozen=True)
class Machine:
    """One recorded machine and its clock."""

    role: str
    boot_id: str
    started_ns: int
    """Start of the recording, true UTC."""
    offset_ns: int
    """This machine's clock minus true time."""
    measured_offset_ns: int
    """The offset as the client measured it."""
    uptime_s: float
    """At the start of the recording."""
    tick_phase_s: float
    jiffy_phase_s: float

    def epoch_ns(self, time_s: float) -> int:
        """CLOCK_REALTIME of this machine at a time of the recording."""
        return self.started_ns + round(time_s * NS_PER_S) + self.offset_ns

    def monotonic_ns(self, time_s: float) -> int:
        """CLOCK_MONOTONIC of this machine at a time of the recording."""
        return round((self.uptime_s + time_s) * NS_PER_S)


def draw_machine(
    role: str, started_ns: int, rng: np.random.Generator, clock_offset_s: float
) -> Machine:
    """A machine with random boot id, clock offset and tick phase; ``clock_offset_s`` is 0 on the client's own host."""
    boot_id = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    offset_s = rng.uniform(-clock_offset_s, clock_offset_s)
    error_s = rng.uniform(-1, 1) * CLOCK_UNCERTAINTY_S * (clock_offset_s > 0)
    return Machine(
        role,
        boot_id,
        started_ns,
        round(offset_s * NS_PER_S),
        round((offset_s + error_s) * NS_PER_S),
        uptime_s=float(rng.uniform(600, 5000)),
        tick_phase_s=float(rng.uniform(0, 0.01)),
        jiffy_phase_s=float(rng.uniform(0, 0.004)),
    )


@dataclass(frozen=True)
class Snapshots:
    """Times at which a log's snapshots were read and stamped (s since the start of the recording)."""

    machine: Machine
    times_s: Floats
    stamps_s: Floats

    def sentinels(self) -> list[str]:
        """The ``#T`` line of each snapshot."""
        machine = self.machine
        return [
            f"#T {machine.epoch_ns(at)} {machine.monotonic_ns(at)} {number} {machine.boot_id}"
            for number, at in enumerate(self.stamps_s.tolist())
        ]

    def format_log(self, lines_at: Callable[[int], Iterable[str]]) -> str:
        """The log: after each sentinel the lines ``lines_at`` that snapshot, then the end mark."""
        lines: list[str] = []
        for number, sentinel in enumerate(self.sentinels()):
            lines += [sentinel, *lines_at(number)]
        return "\n".join(lines) + "\n" + END_MARK


def draw_snapshots(
    machine: Machine,
    tool: str,
    end_s: float,
    rng: np.random.Generator,
    interval_s: float,
    jitter_s: float,
) -> Snapshots:
    """Snapshots of a tool: at absolute deadlines, or (top, iotop) one interval and its run time after the last."""
    step = interval_s * PERIOD_FACTOR.get(tool, 1.0)
    first = FIRST_SNAPSHOT_S + rng.uniform(0, interval_s)
    number = int((end_s - first) / step)
    delay = (
        np.minimum(rng.exponential(jitter_s, number), step / 2) if jitter_s else np.zeros(number)
    )
    times = first + step * np.arange(number) + delay
    return Snapshots(machine, times, times + rng.exponential(MEAN_STAMP_DELAY_S, number))
