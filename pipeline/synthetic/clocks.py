"""The machines' clocks and identities, and when their logs' snapshots are taken."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.event_history import Floats

NS_PER_S = 1_000_000_000
FIRST_S = 0.2
"""The first snapshot comes so long after the recording began."""
STAMP_S = 0.0005
"""Mean delay between the moment a tool looks and the moment its text is stamped."""
OWN_TIME = {"top": 1.003, "iotop": 1.005}
"""top and iotop sleep for their interval and then work: their snapshots drift."""
CLOCK_UNCERTAINTY_S = 0.0004
END = "#END SIGTERM\n"


@dataclass(frozen=True)
class Machine:
    """One recorded machine and its clock."""

    role: str
    boot_id: str
    began_ns: int
    """When the recording began, by a clock that is right."""
    offset_ns: int
    """This machine's clock minus the right one."""
    told_offset_ns: int
    """What was measured of it."""
    uptime_s: float
    """Of the machine when the recording began."""
    tick_phase_s: float
    jiffy_phase_s: float

    def epoch_ns(self, time_s: float) -> int:
        """What this machine's clock says at that moment of the recording."""
        return self.began_ns + round(time_s * NS_PER_S) + self.offset_ns

    def monotonic_ns(self, time_s: float) -> int:
        """Its CLOCK_MONOTONIC."""
        return round((self.uptime_s + time_s) * NS_PER_S)


def machine(role: str, began_ns: int, rng: np.random.Generator, clock_offset_s: float) -> Machine:
    """A machine with its own boot, clock and phase of ticks; ``clock_offset_s`` 0 for the client's own host."""
    boot_id = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    offset_s = rng.uniform(-clock_offset_s, clock_offset_s)
    error_s = rng.uniform(-1, 1) * CLOCK_UNCERTAINTY_S * (clock_offset_s > 0)
    return Machine(
        role,
        boot_id,
        began_ns,
        round(offset_s * NS_PER_S),
        round((offset_s + error_s) * NS_PER_S),
        uptime_s=float(rng.uniform(600, 5000)),
        tick_phase_s=float(rng.uniform(0, 0.01)),
        jiffy_phase_s=float(rng.uniform(0, 0.004)),
    )


@dataclass(frozen=True)
class Snapshots:
    """When a log's snapshots were taken and stamped (s since the recording began)."""

    machine: Machine
    moments_s: Floats
    stamps_s: Floats

    def lines(self) -> list[str]:
        """The sentinels."""
        machine = self.machine
        return [
            f"#T {machine.epoch_ns(at)} {machine.monotonic_ns(at)} {number} {machine.boot_id}"
            for number, at in enumerate(self.stamps_s.tolist())
        ]

    def log(self, printed: Callable[[int], Iterable[str]]) -> str:
        """A log: after each sentinel the lines ``printed`` at that snapshot, and the end mark."""
        lines: list[str] = []
        for number, sentinel in enumerate(self.lines()):
            lines += [sentinel, *printed(number)]
        return "\n".join(lines) + "\n" + END


def snapshots(
    machine: Machine,
    tool: str,
    end_s: float,
    rng: np.random.Generator,
    interval_s: float,
    jitter_s: float,
) -> Snapshots:
    """Snapshots of a tool: at absolute deadlines, or (top, iotop) one interval and its own time after the last."""
    step = interval_s * OWN_TIME.get(tool, 1.0)
    first = FIRST_S + rng.uniform(0, interval_s)
    number = int((end_s - first) / step)
    late = np.minimum(rng.exponential(jitter_s, number), step / 2) if jitter_s else np.zeros(number)
    moments = first + step * np.arange(number) + late
    return Snapshots(machine, moments, moments + rng.exponential(STAMP_S, number))
