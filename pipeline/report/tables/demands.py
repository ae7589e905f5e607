"""Is the model true? The demands that a study's runs show, as its page shows them; nothing shown yet.

The functions take what :func:`pipeline.report.tables.holdout.open_holdout` gives.
"""

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
from pipeline.report.tables.holdout import deployment_text
from pipeline.tables import floats, of_rows, texts
from pipeline.units import format_percent, format_short

STATION_TITLES = {
    "guest_cpu": "CPU, server's processes in the guest",
    "host_cpu": "CPU, whole QEMU on the host",
    "vdisk": "guest's disk",
    "disk": "host's disk",
}

PACE = texts("place", "run") | floats("others", "relative") | texts("used")


def df_demands(data: HoldoutData, place: Deployment, station: str) -> pl.DataFrame:
    """A station's demand in every run in which the server was loaded alone, for ``charts.demand_runs``."""
    mine = [
        o for o in data.observations if o.deployment == place and o.is_alone and not o.is_saturated
    ]
    rows = []
    for one in sorted(mine, key=lambda o: (o.load.level, o.run)):
        found = one.run_demands.demands.get(station)
        limits = (found.value_s, found.low_s, found.high_s) if found else ()
        rows.append((one.run, *([1e3 * x for x in limits] or [None] * 3), used(one.held_out)))
    return of_rows(rows, texts("run") | floats("value", "low", "high") | texts("used"))


def used(held_out: bool) -> str:
    """What a run is to the fit, in words."""
    return "held out" if held_out else "fitted to"


def df_demand_vs_neighbours(data: HoldoutData) -> pl.DataFrame:
    """How a demand goes with what neighbours without a load used, for ``charts.demand_vs_neighbour_cpu``.

    Runs of loads that were repeated, each relative to the geometric mean of its load's runs.
    """
    rows = []
    for group in data.deployment_runs:
        for _, out, runs in group.by_load():
            some = [one for one in runs if not one.is_saturated]
            demands = np.array([one.run_demands.demand("host_cpu").value_s for one in some])
            if len(some) < 2 or (demands <= 0).any():
                continue
            mean = np.exp(np.log(demands).mean())
            where = deployment_text(data, group.deployment)
            rows += [
                (
                    where,
                    f"{one.server}/{one.run}",
                    100 * one.neighbour_cpu,
                    demand / mean,
                    used(out),
                )
                for one, demand in zip(some, demands, strict=True)
            ]
    return of_rows(rows, PACE)


def df_regression(data: HoldoutData) -> pl.DataFrame:
    """Demands by non-negative least squares over the fitted runs, beside the mean of the runs' own."""
    rows = []
    for group in data.deployment_runs:
        for station, title in STATION_TITLES.items():
            server, virtual_server = group.deployment
            keys = {"server": server, "virtual_server": virtual_server, "station": title}
            rows.append(keys | _regressed(group, station))
    return pl.DataFrame(rows, infer_schema_length=None)


def _regressed(group: DeploymentRuns, station: str) -> dict[str, float | str | None]:
    try:
        found = regress_demand(group, station)
    except (MissingData, ValueError) as reason:
        return {"warnings": str(reason)}
    low, high = np.quantile(found.draws[group.virtual_server], [0.025, 0.975]) * 1e3
    own = [one.run_demands.demand(station).value_s for one in group.fitted_runs]
    return {
        "by regression (ms)": found.demands_s[group.virtual_server] * 1e3,
        "95 % interval": f"{format_short(low)} to {format_short(high)}",
        "background": found.background,
        "mean over runs (ms)": float(np.mean(own)) * 1e3,
        "warnings": "; ".join(found.warnings) or None,
    }


def drift_text(found: Track) -> str:
    """What the filter says of a demand over the time of a run."""
    if found.is_time_varying:
        drift = format_short(found.drift_sd_s * 1e3)
        return f"it wanders by {drift} ms a request in a second, more than scatter explains"
    return "it does not wander beyond its scatter"


def least_certain_run(data: HoldoutData) -> tuple[str, str]:
    """Server and run in which the CPU demand on the host is least certain for its size: the one worth a look."""

    def width(one: Observation) -> float:
        found = one.run_demands.demands.get("host_cpu")
        return (found.high_s - found.low_s) / found.value_s if found and found.value_s > 0 else 0.0

    one = max((o for o in data.observations if o.is_alone and not o.is_saturated), key=width)
    return one.server, one.run


def calibration_text(data: HoldoutData) -> list[str]:
    """What was fitted to the client's times, for each virtual server under open load; and the demand curves."""
    said = []
    for group in data.deployment_runs:
        if group.deployment not in data.models:
            continue
        model = data.models[group.deployment].alone
        curve = model.cpu
        text = (
            f"{deployment_text(data, group.deployment).capitalize()}: CPU demand on the host "
            f"{format_short(curve.saturated_s[0] * 1e3)} ms"
        )
        if "cold start" in curve.terms:
            text += f", and {format_short(curve.cold_start_s[0])} s of every run's cold start"
        if "wake-up" in curve.terms:
            text += f", and up to {format_short(curve.wake_up_s[0] * 1e3)} ms more for a request that finds it idle"
        text += f"; runs differ from that by {format_percent(model.run_sd, sign=False)}."
        if group.fitted_runs[0].load.kind == "open":
            calibration = model.calibration
            text += (
                f" Calibrated: c² of the CPU times is {format_short(calibration.service_scv)}, "
                f"even arrivals gain {format_short(calibration.arrival_scv_gain)}."
            )
        said.append(text)
    return said
