"""Service demands of one run: D = (busy time − background) / requests, with their intervals.

The Service Demand Law, D = U / X (Denning and Buzen, Computing Surveys 10, 1978, page 236). The demand itself is the
ledger's, corrected variant (docs/decisions/0008-one-demand.md); windows give its interval. Three things make it: the
windows' own scatter (moving blocks), the before-state's scatter where the background is taken off, and the steps of
the instruments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pipeline.demands.bootstrap import DRAWS, interval, moving_blocks, small_sample_factor
from pipeline.ledger.catalogue import CORRECTED, KEPT, VARIANTS
from pipeline.ledger.evaluation import Evaluation
from pipeline.measure.time_series import TimeSeries, idle_series, load_series
from pipeline.measure.virtual_server import STATIONS, RunCounters, value_or_reason
from pipeline.measure.window import MissingData

Array = NDArray[np.float64]


QUANTITIES = {
    "guest_cpu": "R_cpu",
    "host_cpu": "D_qemu",
    "vdisk": "D_vdisk_req",
    "disk": "D_disk_req",
}
"""Station → the quantity of the ledger that is its demand."""
NO_BACKGROUND = "no idle before-state: the background is not taken off"


@dataclass(frozen=True)
class PointEstimate:
    """A demand without its interval."""

    value_s: float
    busy_s: float
    background_per_s: float
    share: float = 1.0
    """The part of the station's busy time that is this virtual server's (equation 8)."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Demand:
    """Service demand at one station, seconds per request."""

    station: str
    value_s: float
    low_s: float
    high_s: float
    draws_s: Array = field(repr=False)
    """Bootstrap draws, shape (draws,); draw i of every station of a run comes from the same windows."""
    busy_s: float
    """Busy (or CPU) time over the load, background included."""
    background_per_s: float
    """Busy seconds per second without load; 0 where there is no before-state."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunDemands:
    """All demands of one virtual server in one run."""

    server: str
    run: str
    virtual_server: str
    length_s: float
    completions: float
    demands: dict[str, Demand]
    missing: dict[str, str]
    """Station → why it has no demand."""
    throughput_draws_per_s: Array = field(repr=False)
    flags: tuple[str, ...] = ()

    @property
    def throughput_per_s(self) -> float:
        """X, requests a second."""
        return self.completions / self.length_s

    def demand(self, station: str) -> Demand:
        """One station's; raises ``MissingData`` with the reason."""
        if station not in self.demands:
            raise MissingData(self.missing.get(station, f"no demand of {station}"))
        return self.demands[station]


def estimate_demands(
    counters: RunCounters, *, draws: int = DRAWS, stations: tuple[str, ...] = STATIONS
) -> RunDemands:
    """The demands of a virtual server in a run. Raises ``MissingData`` if it had no load.

    The same run gives the same draws, whatever else is computed.
    """
    evaluation = Evaluation(counters)
    points = {
        station: value_or_reason(lambda s=station: _point(evaluation, s)) for station in stations
    }
    load, idle, flags = load_and_idle(counters)
    return estimate_with_intervals(load, idle, points, counters, flags=flags, draws=draws)


def load_and_idle(counters: RunCounters) -> tuple[TimeSeries, TimeSeries | None, tuple[str, ...]]:
    """The windows of the load and of the before-state, None if there is none, and doubts."""
    load, idle = load_series(counters), value_or_reason(lambda: idle_series(counters))
    if not isinstance(idle, str):
        return load, idle, load.flags
    if counters.run.idle_before is None:
        return load, None, (*load.flags, NO_BACKGROUND)
    return load, None, (*load.flags, f"{idle}: the background's scatter is not in the intervals")


def _point(evaluation: Evaluation, station: str) -> PointEstimate:
    counters, choice = evaluation.counters, VARIANTS[CORRECTED]
    background_per_s = 0.0
    if counters.run.idle_before is None:
        choice = {**choice, "background": KEPT}
    else:
        background_per_s = counters.idle_increase_per_s(station)
    found = evaluation.get(QUANTITIES[station], choice)
    if found.value is None:
        raise MissingData("; ".join(found.flags))
    share = 1.0
    if station in ("vdisk", "disk"):
        share = min(evaluation.get(f"share_{station}", choice).value or 0.0, 1.0)
    busy_s = counters.increase(station).value
    return PointEstimate(found.value, share * busy_s, share * background_per_s, share, found.flags)


def estimate_with_intervals(
    load: TimeSeries,
    idle: TimeSeries | None,
    points: Mapping[str, PointEstimate | str],
    counters: RunCounters,
    *,
    flags: tuple[str, ...] = (),
    draws: int = DRAWS,
) -> RunDemands:
    """``points`` (station → demand, or why there is none) with their intervals.

    ``load``, ``idle``: windows of the load (its margins included) and of the before-state.
    """
    run, server, length_s = counters.run, counters.server, counters.window.duration_s
    seed = crc32(f"{run.id}/{server.name}".encode())
    random = np.random.default_rng(seed)
    windows = moving_blocks(load.frame.height, draws, random)
    done = load.column("completions")
    span_s = float(load.frame["length_s"].sum())
    total = round(float(done.sum()), 6)  # a count that was spread over windows
    wide = small_sample_factor(load.frame.height)
    done_draws = total + wide * (done[windows].sum(axis=1) - total)
    idle_windows = None if idle is None else moving_blocks(idle.frame.height, draws, random)
    found: dict[str, Demand] = {}
    missing = {name: point for name, point in points.items() if isinstance(point, str)}
    for station, point in points.items():
        if isinstance(point, str):
            continue
        try:
            busy = load.column(station)
            scattered = np.zeros(draws)
            if idle is not None and idle_windows is not None:
                scattered = _rate_errors(idle, station, idle_windows)
        except MissingData as reason:
            missing[station] = str(reason)
            continue
        # the ratio's error is that of what is left over: busy − D × completed (Cochran 1977, page 153)
        left = busy - busy.sum() / total * done
        scatter = wide * left[windows].sum(axis=1)
        read = np.random.default_rng([seed, crc32(station.encode())]).uniform(size=(2, draws))
        steps = load.steps[station] * (read[0] - read[1])
        error = point.share * (scatter + steps - scattered * span_s)
        spread = np.maximum(point.value_s + error / total, 0.0)
        low, high = interval(spread)
        found[station] = Demand(
            station, point.value_s, low, high, spread, point.busy_s, point.background_per_s, point.flags
        )  # fmt: skip
    return RunDemands(
        run.server, run.run, server.name, length_s, total, found, missing,
        np.maximum(done_draws, 0) / length_s, flags,
    )  # fmt: skip


def _rate_errors(idle: TimeSeries, station: str, windows: NDArray[np.int64]) -> Array:
    """Draws of the busy seconds per second without load, less their estimate."""
    busy = idle.column(station)
    span = float(idle.frame["length_s"].sum())
    rate = float(busy.sum()) / span
    draws = rate + small_sample_factor(idle.frame.height) * (
        busy[windows].sum(axis=1) / span - rate
    )
    return np.maximum(draws, 0.0) - rate
