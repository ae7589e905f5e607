"""Service demands of one run, D = (busy time − background) / requests, with confidence intervals.

The Service Demand Law, D = U / X (Denning and Buzen, Computing Surveys 10, 1978, page 236). The point estimate is the
ledger's, corrected variant (docs/decisions/0008-one-demand.md). Its interval has three sources: variation between
windows (moving blocks), variation of the background in the idle baseline, and the resolution of the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pipeline.demands import texts
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


@dataclass(frozen=True)
class PointEstimate:
    """A demand without its interval."""

    value_s: float
    busy_s: float
    background_per_s: float
    share: float = 1.0
    """Part of the station's busy time that belongs to this virtual server (equation 8)."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Demand:
    """Service demand at one station, seconds per request."""

    station: str
    value_s: float
    low_s: float
    high_s: float
    draws_s: Array = field(repr=False)
    """Bootstrap draws, shape (draws,); draw i at every station of a run uses the same windows."""
    busy_s: float
    """Busy (or CPU) time during the load, background included, seconds."""
    background_per_s: float
    """Busy seconds per second without load; 0 without an idle baseline."""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunDemands:
    """Service demands of one virtual server in one run."""

    server: str
    run: str
    virtual_server: str
    length_s: float
    """Duration of the load, seconds."""
    completions: float
    demands: dict[str, Demand]
    missing: dict[str, str]
    """Station → why it has no demand."""
    throughput_draws_per_s: Array = field(repr=False)
    flags: tuple[str, ...] = ()

    @property
    def throughput_per_s(self) -> float:
        """X, requests per second."""
        return self.completions / self.length_s

    def demand(self, station: str) -> Demand:
        """The demand at a station. Raises ``MissingData`` with the reason."""
        if station not in self.demands:
            raise MissingData(self.missing.get(station, texts.no_demand(station)))
        return self.demands[station]


def estimate_demands(
    counters: RunCounters, *, draws: int = DRAWS, stations: tuple[str, ...] = STATIONS
) -> RunDemands:
    """Estimate the service demands of a virtual server in a run.

    Parameters
    ----------
    counters
        Counters of the virtual server in the run.
    draws
        Bootstrap draws; the seed depends on the run and the virtual server only.
    stations
        Stations to estimate.

    Raises
    ------
    MissingData
        Without a load. A station without a demand is in ``missing``.
    """
    evaluation = Evaluation(counters)
    points = {
        station: value_or_reason(lambda s=station: _point(evaluation, s)) for station in stations
    }
    load, idle, flags = load_and_idle(counters)
    return estimate_with_intervals(load, idle, points, counters, flags=flags, draws=draws)


def load_and_idle(counters: RunCounters) -> tuple[TimeSeries, TimeSeries | None, tuple[str, ...]]:
    """Time series of the load and of the idle baseline (None without one), and flags."""
    load, idle = load_series(counters), value_or_reason(lambda: idle_series(counters))
    if not isinstance(idle, str):
        return load, idle, load.flags
    if counters.run.idle_before is None:
        return load, None, (*load.flags, texts.NO_BACKGROUND)
    return load, None, (*load.flags, texts.background_not_in_interval(idle))


def _point(evaluation: Evaluation, station: str) -> PointEstimate:
    counters, choice = evaluation.counters, VARIANTS[CORRECTED]
    background_per_s = 0.0
    if counters.run.idle_before is None:
        choice = {**choice, "background": KEPT}
    else:
        background_per_s = counters.idle_increase_per_s(station)
    demand = evaluation.get(QUANTITIES[station], choice)
    if demand.value is None:
        raise MissingData("; ".join(demand.flags))
    share = 1.0
    if station in ("vdisk", "disk"):
        share = min(evaluation.get(f"share_{station}", choice).value or 0.0, 1.0)
    busy_s = counters.increase(station).value
    return PointEstimate(
        demand.value, share * busy_s, share * background_per_s, share, demand.flags
    )


def estimate_with_intervals(
    load: TimeSeries,
    idle: TimeSeries | None,
    points: Mapping[str, PointEstimate | str],
    counters: RunCounters,
    *,
    flags: tuple[str, ...] = (),
    draws: int = DRAWS,
) -> RunDemands:
    """Add confidence intervals to point estimates.

    Parameters
    ----------
    load, idle
        Time series of the load (margins included) and of the idle baseline.
    points
        Station → its point estimate, or the reason why there is none.
    counters
        Counters of the virtual server in the run.
    """
    run, server, length_s = counters.run, counters.server, counters.window.duration_s
    seed = crc32(f"{run.id}/{server.name}".encode())
    random = np.random.default_rng(seed)
    windows = moving_blocks(load.frame.height, draws, random)
    completions = load.column("completions")
    span_s = float(load.frame["length_s"].sum())
    total = round(float(completions.sum()), 6)  # interpolation splits a count over windows
    factor = small_sample_factor(load.frame.height)
    completion_draws = total + factor * (completions[windows].sum(axis=1) - total)
    idle_windows = None if idle is None else moving_blocks(idle.frame.height, draws, random)
    demands: dict[str, Demand] = {}
    missing = {name: point for name, point in points.items() if isinstance(point, str)}
    for station, point in points.items():
        if isinstance(point, str):
            continue
        try:
            busy = load.column(station)
            background_errors = np.zeros(draws)
            if idle is not None and idle_windows is not None:
                background_errors = _rate_errors(idle, station, idle_windows)
        except MissingData as reason:
            missing[station] = str(reason)
            continue
        # the error of a ratio is that of its residuals, busy − D × completions (Cochran 1977, page 153)
        residuals = busy - busy.sum() / total * completions
        sampling_errors = factor * residuals[windows].sum(axis=1)
        uniform = np.random.default_rng([seed, crc32(station.encode())]).uniform(size=(2, draws))
        resolution_errors = load.resolution[station] * (uniform[0] - uniform[1])
        error = point.share * (sampling_errors + resolution_errors - background_errors * span_s)
        draws_s = np.maximum(point.value_s + error / total, 0.0)
        low, high = interval(draws_s)
        demands[station] = Demand(
            station, point.value_s, low, high, draws_s, point.busy_s, point.background_per_s, point.flags
        )  # fmt: skip
    return RunDemands(
        run.server, run.run, server.name, length_s, total, demands, missing,
        np.maximum(completion_draws, 0) / length_s, flags,
    )  # fmt: skip


def _rate_errors(idle: TimeSeries, station: str, windows: NDArray[np.int64]) -> Array:
    """Draws of the background rate minus its estimate, busy seconds per second."""
    busy = idle.column(station)
    span = float(idle.frame["length_s"].sum())
    rate = float(busy.sum()) / span
    draws = rate + small_sample_factor(idle.frame.height) * (
        busy[windows].sum(axis=1) / span - rate
    )
    return np.maximum(draws, 0.0) - rate
