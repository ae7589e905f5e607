"""Service demands of one run: D = (busy time − background) / requests, with their intervals.

The Service Demand Law, D = U / X (Denning and Buzen, Computing Surveys 10, 1978, page 236), over the load's
windows. Three things make the interval: the windows' own scatter (moving blocks), the before-state's scatter
where the background is taken off, and the steps of the instruments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pipeline.bundle import Run, VirtualServer
from pipeline.demands.bootstrap import DRAWS, interval, moving_blocks, widening
from pipeline.demands.series import STATIONS, Counters, Series, idle_series, load_series
from pipeline.measure.window import Unmeasured

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Demand:
    """Service demand at one station, seconds a request."""

    station: str
    value_s: float
    low_s: float
    high_s: float
    draws_s: Array = field(repr=False)
    """Bootstrap draws, shape (draws,); draw i of every station of a run comes from the same windows."""
    busy_s: float
    """Busy (or CPU) time in the load's window, background included."""
    background_per_s: float
    """Busy seconds a second without load; 0 where there is no before-state."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate:
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
        """One station's; raises ``Unmeasured`` with the reason."""
        if station not in self.demands:
            raise Unmeasured(self.missing.get(station, f"no demand of {station}"))
        return self.demands[station]


def estimate(
    counters: Counters, *, draws: int = DRAWS, stations: tuple[str, ...] = STATIONS
) -> Estimate:
    """The demands of a virtual server in a run. Raises ``Unmeasured`` if it had no load.

    The same run gives the same draws, whatever else is computed.
    """
    run, server = counters.run, counters.server
    load = load_series(counters)
    flags = list(load.flags)
    try:
        idle: Series | None = idle_series(counters)
    except Unmeasured as reason:
        idle = None
        flags.append(f"{reason}: the background is not taken off")
    return estimate_series(
        load, idle, run, server, counters.window.duration_s, flags=tuple(flags), draws=draws,
        stations=stations,
    )  # fmt: skip


def estimate_series(
    load: Series,
    idle: Series | None,
    run: Run,
    server: VirtualServer,
    length_s: float,
    *,
    flags: tuple[str, ...] = (),
    draws: int = DRAWS,
    stations: tuple[str, ...] = STATIONS,
) -> Estimate:
    """The demands from windows of the load (its margins included) and of the before-state.

    ``length_s``: the load's own length, for the throughput.
    """
    seed = crc32(f"{run.id}/{server.name}".encode())
    random = np.random.default_rng(seed)
    windows = moving_blocks(load.frame.height, draws, random)
    done = load.column("completions")
    span_s = float(load.frame["length_s"].sum())
    total = float(done.sum())
    wide = widening(load.frame.height)
    done_draws = total + wide * (done[windows].sum(axis=1) - total)
    idle_windows = None if idle is None else moving_blocks(idle.frame.height, draws, random)
    found: dict[str, Demand] = {}
    missing: dict[str, str] = {}
    for station in stations:
        try:
            busy = load.column(station)
            doubts = load.doubts.get(station, ())
            background, background_draws = 0.0, np.zeros(draws)
            if idle is not None and idle_windows is not None:
                background, background_draws = _rate(idle, station, idle_windows)
        except Unmeasured as reason:
            missing[station] = str(reason)
            continue
        value = (float(busy.sum()) - background * span_s) / total
        if value < 0:
            doubts = (*doubts, "no busier than without load")
        # the ratio's error is that of what is left over: busy − D × completed (Cochran 1977, page 153)
        left = busy - busy.sum() / total * done
        scatter = wide * left[windows].sum(axis=1)
        read = np.random.default_rng([seed, crc32(station.encode())]).uniform(size=(2, draws))
        steps = load.steps[station] * (read[0] - read[1])
        error = scatter + steps - (background_draws - background) * span_s
        spread = np.maximum(value + error / total, 0.0)
        low, high = interval(spread)
        found[station] = Demand(
            station, max(value, 0.0), low, high, spread, float(busy.sum()), background, doubts
        )
    return Estimate(
        run.server, run.run, server.name, length_s, total, found, missing,
        np.maximum(done_draws, 0) / length_s, flags,
    )  # fmt: skip


def _rate(idle: Series, station: str, windows: NDArray[np.int64]) -> tuple[float, Array]:
    """Busy seconds a second without load, and its draws."""
    busy = idle.column(station)
    span = float(idle.frame["length_s"].sum())
    rate = float(busy.sum()) / span
    wide = widening(idle.frame.height)
    draws = rate + wide * (busy[windows].sum(axis=1) / span - rate)
    return rate, np.maximum(draws, 0.0)
