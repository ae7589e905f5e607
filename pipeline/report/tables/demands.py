"""Model evaluation: service demands of a study's runs, over runs, by regression and over time, as a page shows them."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.api import (
    Deployment,
    DeploymentRuns,
    HoldoutData,
    MissingData,
    Observation,
    Track,
    regress_demand,
)
from pipeline.evaluate.texts import NOT_REFUTED, REFUTED
from pipeline.report import texts as page_texts
from pipeline.report.tables.holdout import deployment_text
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_number, format_percent, format_short

RELATIVE_DEMANDS = (
    texts("deployment", "run")
    | floats("neighbour_cpu_percent", "relative_demand")
    | texts("role_in_fit")
)


def df_demands(data: HoldoutData, place: Deployment, station: str) -> pl.DataFrame:
    """A station's demand (ms) in every run in which the server was loaded alone, for ``charts.demand_runs``."""
    runs = [
        o for o in data.observations if o.deployment == place and o.is_alone and not o.is_saturated
    ]
    rows = []
    for observation in sorted(runs, key=lambda o: (o.load.level, o.run)):
        demand = observation.run_demands.demands.get(station)
        values = (demand.value_s, demand.low_s, demand.high_s) if demand else ()
        milliseconds = [1e3 * value for value in values] or [None] * 3
        rows.append((observation.run, *milliseconds, role_in_fit(observation.held_out)))
    return of_rows(rows, texts("run") | floats("value", "low", "high") | texts("role_in_fit"))


def role_in_fit(held_out: bool) -> str:
    """The role of a run in the fit."""
    return page_texts.HELD_OUT if held_out else page_texts.FITTED


def df_demand_vs_neighbours(data: HoldoutData) -> pl.DataFrame:
    """CPU demand and the CPU time of neighbours without load, for ``charts.demand_vs_neighbour_cpu``.

    Runs of loads with replications; each demand relative to the geometric mean over its load's runs.
    """
    rows = []
    for group in data.deployment_runs:
        for _, held_out, runs in group.by_load():
            steady_runs = [observation for observation in runs if not observation.is_saturated]
            demands = np.array([o.run_demands.demand("host_cpu").value_s for o in steady_runs])
            if len(steady_runs) < 2 or (demands <= 0).any():
                continue
            mean = np.exp(np.log(demands).mean())
            name = deployment_text(data, group.deployment)
            rows += [
                (
                    name,
                    f"{observation.server}/{observation.run}",
                    100 * observation.neighbour_cpu,
                    demand / mean,
                    role_in_fit(held_out),
                )
                for observation, demand in zip(steady_runs, demands, strict=True)
            ]
    return of_rows(rows, RELATIVE_DEMANDS)


def df_demand_and_rate(data: HoldoutData) -> pl.DataFrame:
    """Whether demands depend on the load, one row per sweep and station, for ``charts.demand_changes``.

    Columns: ``sweep``, ``station``, ``verdict``, ``ratio`` with ``low`` and ``high`` (demand at the highest load over
    that at the lowest), ``largest_change``, ``loads``, ``runs``, ``batches``, ``p`` (after Holm's correction) and
    ``p_lack_of_fit`` (texts), ``notes`` (where there are any).
    """
    rows = []
    for row in data.demand_and_rate.iter_rows(named=True):
        place = f"{data.study.title_of(row['virtual_server'])}, {row['server']}"
        ends = (row["lowest_load"], row["highest_load"])
        rows.append(
            {
                "sweep": f"{place}, {page_texts.SWEEPS.get(row['load'], row['load'])}",
                "station": page_texts.DEMAND_STATIONS[row["station"]],
                "verdict": row["verdict"],
                **{name: row[name] for name in ("ratio", "low", "high")},
                "largest_change": format_percent(row["largest_change"]),
                "loads": None if None in ends else " to ".join(map(format_short, ends)),
                **{name: row[name] for name in ("runs", "batches")},
                "p": _p_text(row["p_family"]),
                "p_lack_of_fit": _p_text(row["p_lack_of_fit"]),
                "notes": row["reason"],
            }
        )
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.drop("notes") if rows and frame["notes"].is_null().all() else frame


def _p_text(p: float | None) -> str | None:
    return None if p is None else "< 0.001" if p < 0.001 else format_number(p, 2)


def demand_and_rate_text(data: HoldoutData) -> str:
    """In how many sweeps the demand depends on the load."""
    frame = data.demand_and_rate
    counts = (
        frame.filter(pl.col("station") == station, pl.col("verdict") == verdict).height
        for station in page_texts.DEMAND_STATIONS
        for verdict in (REFUTED, NOT_REFUTED)
    )
    return page_texts.demand_and_rate(*counts)


def df_regression(data: HoldoutData) -> pl.DataFrame:
    """Demands by non-negative least squares over the fitted runs, and the mean of the runs' own demands.

    Columns: ``server``, ``virtual_server``, ``station``, ``regression_ms``, ``interval`` (95 %), ``background``,
    ``mean_ms``, ``warnings``.
    """
    rows = []
    for group in data.deployment_runs:
        for station, title in page_texts.STATIONS.items():
            server, virtual_server = group.deployment
            keys = {"server": server, "virtual_server": virtual_server, "station": title}
            rows.append(keys | _regression(group, station))
    return pl.DataFrame(rows, infer_schema_length=None)


def _regression(group: DeploymentRuns, station: str) -> dict[str, float | str | None]:
    try:
        fit = regress_demand(group, station)
    except (MissingData, ValueError) as reason:
        return {"warnings": str(reason)}
    low, high = np.quantile(fit.draws[group.virtual_server], [0.025, 0.975]) * 1e3
    demands_s = [
        observation.run_demands.demand(station).value_s for observation in group.fitted_runs
    ]
    return {
        "regression_ms": fit.demands_s[group.virtual_server] * 1e3,
        "interval": f"{format_short(low)} to {format_short(high)}",
        "background": fit.background,
        "mean_ms": float(np.mean(demands_s)) * 1e3,
        "warnings": "; ".join(fit.warnings) or None,
    }


def drift_text(track: Track) -> str:
    """Whether a demand changes within a run, and how fast."""
    return page_texts.drift(track.drift_sd_s) if track.is_time_varying else page_texts.NO_DRIFT


def least_certain_run(data: HoldoutData) -> tuple[str, str]:
    """Server and run with the widest interval of the CPU demand on the host, relative to the demand."""

    def width(observation: Observation) -> float:
        demand = observation.run_demands.demands.get("host_cpu")
        if demand is None or demand.value_s <= 0:
            return 0.0
        return (demand.high_s - demand.low_s) / demand.value_s

    observation = max(
        (o for o in data.observations if o.is_alone and not o.is_saturated), key=width
    )
    return observation.server, observation.run


def calibration_text(data: HoldoutData) -> list[str]:
    """The load curve of each virtual server's CPU demand, and what was calibrated for open loads."""
    sentences = []
    for group in data.deployment_runs:
        if group.deployment not in data.models:
            continue
        model = data.models[group.deployment].alone
        curve = model.cpu
        name = deployment_text(data, group.deployment)
        text = page_texts.calibration(
            name[:1].upper() + name[1:],
            curve.saturated_s[0],
            curve.cold_start_s[0] if "cold start" in curve.terms else None,
            curve.wake_up_s[0] if "wake-up" in curve.terms else None,
            model.run_sd,
        )
        if group.fitted_runs[0].load.kind == "open":
            calibration = model.calibration
            text += page_texts.calibrated_scv(calibration.service_scv, calibration.arrival_scv_gain)
        sentences.append(text)
    return sentences
