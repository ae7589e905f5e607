"""Consolidation: several virtual servers of the same software under equal open loads on one host.

The throughput and R of a virtual server, its CPU time per request and the utilization of the host's CPU, over the
number of loaded virtual servers; beside it what the host model predicts, fitted to the runs with one loaded. The model
shares the host's CPU (:mod:`pipeline.model.colocation`); it takes each virtual server to be like the one that it was
fitted to, and the CPU time of a request not to depend on the neighbours.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.evaluate import scalability_texts as texts
from pipeline.evaluate.acceptance import finite, relative_error
from pipeline.evaluate.replication import geometric_mean
from pipeline.evaluate.scalability import pooled_intervals
from pipeline.evaluate.scalability_law import MIN_LEVELS, UslFit, fit_usl
from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.model.colocation import solve_cpu_sharing
from pipeline.model.fit import fit_host
from pipeline.model.host import HostModel
from pipeline.model.observation import Observation
from pipeline.model.prediction import Prediction, band

NUMBERED = re.compile(r"(.+?)[-_]?\d+")
"""Virtual servers of the same software are numbered: web1, web2."""

CONSOLIDATION = pl.Schema(
    {
        "server": pl.String,
        "virtual_servers": pl.String,
        "load": pl.String,
        "loaded": pl.Int64,
        "runs": pl.Int64,
        "saturated": pl.Int64,
        **{
            f"{name}{end}": pl.Float64
            for name in ("X_measured", "R_measured", "cpu_measured")
            for end in ("", "_low", "_high")
        },
        "busy_measured": pl.Float64,
        **{
            f"{name}{end}": pl.Float64
            for name in ("X_model", "R_model")
            for end in ("", "_low", "_high")
        },
        "cpu_model": pl.Float64,
        "busy_model": pl.Float64,
        "error_X": pl.Float64,
        "error_R": pl.Float64,
        "error_cpu": pl.Float64,
        "reason": pl.String,
    }
)
"""One row per series and number of ``loaded`` virtual servers. X (1/s), R (ms) and CPU time per request on the host
(ms) of a virtual server: geometric means over virtual servers and runs, with 95 % confidence intervals from the
variation between runs, pooled over the series. ``busy``: utilization of the guests' CPUs, 0 to 1. Of the model: 95 %
prediction intervals of a new run; null, with the ``reason``, where it predicts no steady state. ``saturated``: runs in
which a virtual server was saturated."""


@dataclass(frozen=True)
class Series:
    """Runs of one server in which 1, 2, … virtual servers of the same software have the same open load."""

    server: str
    virtual_servers: str
    """The name that they share, without the number."""
    load: Load
    runs: Mapping[int, tuple[tuple[Observation, ...], ...]]
    """Number of loaded virtual servers → the observations of each run; ascending."""

    @property
    def guests(self) -> int:
        """Virtual servers of the series, loaded or not."""
        return max(self.runs)

    @property
    def alone(self) -> list[Observation]:
        """Runs with one loaded virtual server."""
        return [run[0] for run in self.runs.get(1, ())]


def software_of(virtual_server: str) -> str:
    """The name of a virtual server without its number.

    Examples
    --------
    >>> software_of("web3"), software_of("db")
    ('web', 'db')
    """
    matched = NUMBERED.fullmatch(virtual_server)
    return matched[1] if matched else virtual_server


def list_series(observations: Sequence[Observation]) -> list[Series]:
    """The consolidation series of a study's runs.

    A run belongs to one if each of its loads is open, with the same rate and spacing, on virtual servers that differ in
    their number only. A series has two different numbers of loaded virtual servers or more.
    """
    by_run = defaultdict(list)
    for run in observations:
        by_run[run.path].append(run)
    series: dict[tuple, dict[int, list]] = defaultdict(lambda: defaultdict(list))
    for _, loaded in sorted(by_run.items()):
        kinds = {
            (o.server, software_of(o.virtual_server), o.load.kind, o.load.level, o.load.arrivals)
            for o in loaded
        }
        if len(kinds) == 1 and loaded[0].load.kind == "open":
            series[min(kinds)][len(loaded)].append(tuple(loaded))
    return [
        Series(
            server,
            name,
            next(iter(runs.values()))[0][0].load,
            {count: tuple(runs[count]) for count in sorted(runs)},
        )
        for (server, name, *_), runs in sorted(series.items(), key=lambda item: str(item[0]))
        if len(runs) > 1
    ]


def compare_consolidation(observations: Sequence[Observation]) -> pl.DataFrame:
    """Every consolidation series, measured and by the host model. Schema: ``CONSOLIDATION``."""
    rows = [row for series in list_series(observations) for row in _series_rows(series)]
    return pl.DataFrame(rows, schema=CONSOLIDATION, orient="row")


def total_throughput_law(series: Series) -> UslFit | None:
    """The Universal Scalability Law of the total throughput over the number of loaded virtual servers.

    None with fewer than three numbers. Below saturation an open load gets the throughput that it asks for, so the
    total is proportional to the number, whatever a request costs.
    """
    if len(series.runs) < MIN_LEVELS:
        return None
    points = [
        (count, sum(each.throughput_per_s for each in run))
        for count, runs in series.runs.items()
        for run in runs
    ]
    return fit_usl(*zip(*points, strict=True), relative=True)


def _cpu_s(run: Observation) -> float:
    return run.run_demands.demand("host_cpu").value_s


def _busy(run: Sequence[Observation]) -> float:
    """Utilization of the guests' CPUs in a run: of each virtual server, and of the idle ones."""
    used = [r.run_demands.demand("host_cpu").busy_s / r.run_demands.length_s for r in run]
    # what the others of a virtual server use has the loaded ones in it
    idle = max(run[0].neighbour_cpu - sum(used[1:]), 0.0)
    return (sum(used) + idle) / run[0].capacity_cpus


def _series_rows(series: Series) -> list[dict]:
    measured = {
        "X_measured": lambda r: r.throughput_per_s,
        "R_measured": lambda r: r.response_time_s * 1e3,
        "cpu_measured": lambda r: _cpu_s(r) * 1e3,
    }
    means = {
        name: [[geometric_mean(map(value, run)) for run in runs] for runs in series.runs.values()]
        for name, value in measured.items()
    }
    intervals = {name: pooled_intervals(values) for name, values in means.items()}
    try:
        model = fit_series_model(series)
        missing = None
    except MissingData as error:
        model, missing = None, texts.no_model(str(error))
    rows = []
    for index, (count, runs) in enumerate(series.runs.items()):
        row = {
            "server": series.server,
            "virtual_servers": series.virtual_servers,
            "load": series.load.label,
            "loaded": count,
            "runs": len(runs),
            "saturated": sum(any(each.is_saturated for each in run) for run in runs),
            "busy_measured": float(np.mean([_busy(run) for run in runs])),
            "reason": missing,
        }
        for name, values in means.items():
            low, high = intervals[name][index] or (None, None)
            row |= {name: geometric_mean(values[index]), f"{name}_low": low, f"{name}_high": high}
        if model is not None:
            row |= _predicted(model, series, count)
            for symbol, value in (("X", "X_model"), ("R", "R_model"), ("cpu", "cpu_model")):
                row[f"error_{symbol}"] = relative_error(
                    row[value], row[value.replace("model", "measured")]
                )
        rows.append(row)
    return rows


def fit_series_model(series: Series) -> HostModel:
    """The host model of one virtual server, fitted to the runs in which it alone was loaded. Raises ``MissingData``."""
    if not series.alone:
        raise MissingData(texts.NO_RUN_ALONE)
    return fit_host(series.alone, calibrated=True)


def predict_series(model: HostModel, series: Series, count: int) -> Prediction:
    """X (1/s) and R of a virtual server while ``count`` of those of the series are loaded.

    X is the rate of the load, or where that saturates the CPU what its share of the CPU serves.
    """
    idle = replace(model, cpu=model.cpu.scaled(0.0))
    guests = [(model, series.load)] * count + [(idle, series.load)] * (series.guests - count)
    resources = solve_cpu_sharing(guests)[0]
    shared = replace(model.with_run_variation(), resources=resources)
    prediction = shared.predict(series.load)
    rate = np.full_like(prediction.response_time_s, series.load.mean_rate_per_s)
    served = resources.residual_cpus / shared.demands_at(series.load, rate)["cpu"]
    return Prediction(np.minimum(rate, served), prediction.response_time_s)


def _predicted(model: HostModel, series: Series, count: int) -> dict[str, float | str | None]:
    prediction = predict_series(model, series, count)
    x, r = prediction.throughput, band(prediction.response_time_s * 1e3)
    is_saturated = not np.isfinite(r.value)
    estimate = model.point_estimate()
    demand_s = float(
        estimate.demands_at(series.load, np.array([series.load.mean_rate_per_s]))["cpu"][0]
    )
    background = float(model.resources.background_cpus)
    used = count * float(x.value) * demand_s + series.guests * background
    return {
        "X_model": finite(x.value),
        "X_model_low": finite(x.low),
        "X_model_high": finite(x.high),
        "R_model": finite(r.value),
        "R_model_low": finite(r.low),
        "R_model_high": finite(r.high),
        "cpu_model": demand_s * 1e3,
        "busy_model": min(used / float(model.resources.capacity_cpus), 1.0),
        "reason": texts.SATURATED if is_saturated else None,
    }


def demand_growth(frame: pl.DataFrame) -> pl.DataFrame:
    """CPU time per request with the most virtual servers loaded over that with one.

    Returns
    -------
    DataFrame
        ``server``, ``virtual_servers``, ``load``, ``loaded``, ``ratio``, ``low``, ``high`` (from the ends of both
        intervals: wider than 95 %).
    """
    keys = ["server", "virtual_servers", "load"]
    rows = []
    for key, levels in frame.sort("loaded").group_by(keys, maintain_order=True):
        first, last = levels.row(0, named=True), levels.row(-1, named=True)
        ends = [
            None if a is None or b is None else a / b
            for a, b in (
                (last["cpu_measured_low"], first["cpu_measured_high"]),
                (last["cpu_measured_high"], first["cpu_measured_low"]),
            )
        ]
        ratio = last["cpu_measured"] / first["cpu_measured"]
        rows.append((*key, last["loaded"], ratio, *ends))
    return pl.DataFrame(rows, [*keys, "loaded", "ratio", "low", "high"], orient="row")
