"""From one server to another, and from one load to two: what a model fitted elsewhere says of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

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
"""One row a virtual server of a run with several loads. ``R_alone_ms`` is predicted from runs with one load only,
without interference (``colocation.with_interference``); ``demand_inflation`` is the CPU demand in this run over
the one predicted so."""

REQUEST_BYTES = 16384
"""A request of the size that InnoDB and the documents of the case study have."""


def mean_disk_service_ms(study: Study, server: str) -> float:
    """Mean service time of a server's disk by its envelope: the arm's mean way, half a revolution, and the transfer.

    A seek grows with the root of the distance, whose mean over two random places is 8/15 of the longest's.

    Raises ``MissingData`` for an envelope without a mechanism.
    """
    disk = server_resources(study, server).get("disk")
    if not isinstance(disk, Mapping):
        raise MissingData(f"study.json has no envelope of {server}")
    try:
        least, most = float(disk["seek_min_ms"]), float(disk["seek_max_ms"])
        seek = least + (most - least) * 8 / 15
        return (
            seek
            + float(disk["revolution_ms"]) / 2
            + REQUEST_BYTES / float(disk["bytes_per_s"]) * 1e3
        )
    except (KeyError, TypeError, ValueError):
        raise MissingData("the envelope does not say how its disk works") from None


def transfer(
    observations: Sequence[Observation],
    models: Mapping[Deployment, HostModels],
    study: Study,
    source: str,
    target: str,
) -> pl.DataFrame:
    """The target server's loads, predicted by models fitted to the source and the ratio of the envelopes.

    Nothing measured on the target is used. Schema: ``TRANSFER``. Raises ``MissingData`` without both envelopes.
    """
    disk_speed = mean_disk_service_ms(study, source) / mean_disk_service_ms(study, target)
    capacity = server_resources(study, target).get("cpu_quota")
    if not capacity:
        raise MissingData(f"study.json does not say how much CPU {target} has")
    rows = []
    found = {group.deployment: group for group in group_by_deployment(observations)}
    for (server, name), group in found.items():
        there = found.get((target, name))
        if server != source or there is None or (server, name) not in models:
            continue
        model = models[server, name].alone.point_estimate()
        resources = replace(model.resources, capacity_cpus=float(capacity), disk_speed=disk_speed)
        near = {load.label: geometric_mean_run(runs)[1] for load, _, runs in group.by_load()}
        for load, _, runs in there.by_load():
            x, r = geometric_mean_run(runs)
            guess = model.predict(load, resources)
            rows.append(
                {
                    "from_server": source,
                    "to_server": target,
                    "virtual_server": name,
                    "load": load.label,
                    "runs": len(runs),
                    **compare_prediction(guess, x, r),
                    "R_ratio_measured": r / near[load.label] if load.label in near else None,
                }
            )
    return pl.DataFrame(rows, schema=TRANSFER, orient="row")


def colocated_runs(
    observations: Sequence[Observation], models: Mapping[Deployment, HostModels]
) -> pl.DataFrame:
    """Runs in which several virtual servers were loaded, with and without interference. Schema: ``COLOCATED_RUNS``."""
    rows = []
    for guests in models_when_colocated(observations, models).values():
        for found, one in guests:
            guess, bare = (
                m.point_estimate().predict(one.load) for m in (found.colocated, found.alone)
            )
            asked = found.alone.cpus_used(one.load)[0] - found.alone.resources.background_cpus
            r_alone = bare.response_time_s[0]
            rows.append(
                {
                    "server": one.server,
                    "run": one.run,
                    "held_out": one.held_out,
                    "virtual_server": one.virtual_server,
                    "kind": one.load.kind,
                    "load": one.load.label,
                    **compare_prediction(guess, one.throughput_per_s, one.response_time_s),
                    "R_alone_ms": finite(r_alone * 1e3),
                    "error_R_alone": relative_error(r_alone, one.response_time_s),
                    "demand_inflation": one.run_demands.demand("host_cpu").value_s
                    / float(asked / bare.throughput_per_s[0]),
                }
            )
    return pl.DataFrame(rows, schema=COLOCATED_RUNS, orient="row")
