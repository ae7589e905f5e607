"""Transfer of fitted models: to another server's loads, and from runs with one load to co-located runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from pipeline.evaluate import texts
from pipeline.evaluate.acceptance import COMPARISON, compare_prediction, finite, relative_error
from pipeline.evaluate.holdout import geometric_mean_run
from pipeline.measure.cpu_limit import server_resources
from pipeline.measure.window import MissingData
from pipeline.model.colocation import HostModels, models_when_colocated
from pipeline.model.fit import group_by_deployment
from pipeline.model.observation import Deployment, Observation
from pipeline.raw import Study

TRANSFER = pl.Schema(
    {
        "from_server": pl.String,
        "to_server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "runs": pl.Int64,
        **COMPARISON,
        "R_ratio_measured": pl.Float64,
    }
)
"""One row per virtual server and load of the target; ``R_ratio_measured``: target over source at the same load."""
COLOCATED_RUNS = pl.Schema(
    {
        "server": pl.String,
        "run": pl.String,
        "held_out": pl.Boolean,
        "virtual_server": pl.String,
        "kind": pl.String,
        "load": pl.String,
        **COMPARISON,
        "R_alone_ms": pl.Float64,
        "error_R_alone": pl.Float64,
        "demand_inflation": pl.Float64,
    }
)
"""One row per virtual server of a co-located run. ``R_alone_ms`` is predicted without interference
(:func:`pipeline.model.colocation.with_interference`); ``demand_inflation`` is the CPU demand in this run over the one
predicted without it."""

REQUEST_BYTES = 16384
"""Typical size of a disk request: a page of InnoDB, a document of the web server."""


def mean_disk_service_ms(study: Study, server: str) -> float:
    """Mean service time of a server's disk from its resources: mean seek, half a revolution, and transfer.

    The time of a seek grows with the square root of the distance; its mean over two random positions is 8/15 of the way
    from the shortest to the longest. Raises ``MissingData`` where study.json does not describe the mechanism.
    """
    disk = server_resources(study, server).get("disk")
    if not isinstance(disk, Mapping):
        raise MissingData(texts.no_resources(server))
    try:
        seek_min_ms, seek_max_ms = float(disk["seek_min_ms"]), float(disk["seek_max_ms"])
        mean_seek_ms = seek_min_ms + (seek_max_ms - seek_min_ms) * 8 / 15
        return (
            mean_seek_ms
            + float(disk["revolution_ms"]) / 2
            + REQUEST_BYTES / float(disk["bytes_per_s"]) * 1e3
        )
    except (KeyError, TypeError, ValueError):
        raise MissingData(texts.NO_DISK_MECHANISM) from None


def transfer(
    observations: Sequence[Observation],
    models: Mapping[Deployment, HostModels],
    study: Study,
    source: str,
    target: str,
) -> pl.DataFrame:
    """Predict the loads of the target server by models fitted to the source server and the ratio of their resources.

    Nothing measured on the target is used. Schema: ``TRANSFER``. Raises ``MissingData`` where study.json lacks the
    resources of a server.
    """
    disk_speed = mean_disk_service_ms(study, source) / mean_disk_service_ms(study, target)
    capacity = server_resources(study, target).get("cpu_quota")
    if not capacity:
        raise MissingData(texts.no_cpu_quota(target))
    rows = []
    by_deployment = {group.deployment: group for group in group_by_deployment(observations)}
    for (server, name), group in by_deployment.items():
        target_runs = by_deployment.get((target, name))
        if server != source or target_runs is None or (server, name) not in models:
            continue
        model = models[server, name].alone.point_estimate()
        resources = replace(model.resources, capacity_cpus=float(capacity), disk_speed=disk_speed)
        source_r = {load.label: geometric_mean_run(runs)[1] for load, _, runs in group.by_load()}
        for load, _, runs in target_runs.by_load():
            x, r = geometric_mean_run(runs)
            prediction = model.predict(load, resources)
            rows.append(
                {
                    "from_server": source,
                    "to_server": target,
                    "virtual_server": name,
                    "load": load.label,
                    "runs": len(runs),
                    **compare_prediction(prediction, x, r),
                    "R_ratio_measured": r / source_r[load.label]
                    if load.label in source_r
                    else None,
                }
            )
    return pl.DataFrame(rows, schema=TRANSFER, orient="row")


def colocated_runs(
    observations: Sequence[Observation], models: Mapping[Deployment, HostModels]
) -> pl.DataFrame:
    """Predict co-located runs with and without interference. Schema: ``COLOCATED_RUNS``."""
    rows = []
    for guests in models_when_colocated(observations, models).values():
        for guest_models, run in guests:
            prediction, without_interference = (
                m.point_estimate().predict(run.load)
                for m in (guest_models.colocated, guest_models.alone)
            )
            request_cpus = (
                guest_models.alone.cpus_used(run.load)[0]
                - guest_models.alone.resources.background_cpus
            )
            r_alone = without_interference.response_time_s[0]
            rows.append(
                {
                    "server": run.server,
                    "run": run.run,
                    "held_out": run.held_out,
                    "virtual_server": run.virtual_server,
                    "kind": run.load.kind,
                    "load": run.load.label,
                    **compare_prediction(prediction, run.throughput_per_s, run.response_time_s),
                    "R_alone_ms": finite(r_alone * 1e3),
                    "error_R_alone": relative_error(r_alone, run.response_time_s),
                    "demand_inflation": run.run_demands.demand("host_cpu").value_s
                    / float(request_cpus / without_interference.throughput_per_s[0]),
                }
            )
    return pl.DataFrame(rows, schema=COLOCATED_RUNS, orient="row")
