"""Service demands of a study's runs by regression over its runs, and by a Kalman filter over the time of one run."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.api.holdout import HoldoutData
from pipeline.demands.kalman import Track, track
from pipeline.demands.regression import Regression, regress
from pipeline.measure.time_series import load_series
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.model.fit import DeploymentRuns


def regress_demand(group: DeploymentRuns, station: str) -> Regression:
    """A station's demand by non-negative least squares over the fitted runs of one virtual server.

    Raises ``MissingData`` where a run has no demand, ``ValueError`` where there are too few runs.
    """
    runs, name = group.fitted_runs, group.virtual_server
    demands = [observation.run_demands.demand(station) for observation in runs]
    busy = [
        d.busy_s / observation.run_demands.length_s
        for d, observation in zip(demands, runs, strict=True)
    ]
    return regress({name: [observation.run_demands.throughput_per_s for observation in runs]}, busy)


def track_demand(
    data: HoldoutData, server: str, run: str, station: str = "host_cpu", window_s: float = 2.0
) -> tuple[pl.DataFrame, Track]:
    """A demand over the time of one run, by a random-walk filter over windows.

    Columns: ``start_s``, ``window`` (the window's own demand), ``value``, ``low``, ``high`` (ms).
    """
    observation = next(o for o in data.observations if (o.server, o.run) == (server, run))
    recorded = data.study.runs(server, run)[0]
    counters = RunCounters(
        recorded, recorded.virtual_servers[observation.virtual_server], data.processed
    )
    frame = load_series(counters, window_s).frame
    rate = value_or_reason(lambda: counters.idle_increase_per_s(station))
    rate = 0.0 if isinstance(rate, str) else rate
    busy = (frame[station] - rate * frame["length_s"]).to_numpy()
    done = frame["completions"].to_numpy()
    tracked = track(busy, done, frame["length_s"].to_numpy())
    columns = pl.DataFrame(
        {
            "start_s": frame["start_s"],
            "window": np.where(done > 0, busy / np.maximum(done, 1e-9) * 1e3, np.nan),
            "value": tracked.demand_s * 1e3,
            "low": tracked.low_s * 1e3,
            "high": tracked.high_s * 1e3,
        }
    )
    return columns.with_columns(pl.col("window").fill_nan(None)), tracked
