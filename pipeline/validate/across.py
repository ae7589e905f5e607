"""From one server to another, and from one load to two: what a model fitted elsewhere says of this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from pipeline.bundle import Study
from pipeline.measure.window import Unmeasured
from pipeline.validate.company import in_company
from pipeline.validate.host_fit import fit_host
from pipeline.validate.host_model import HostModel, Surroundings
from pipeline.validate.observation import Observation
from pipeline.validate.prediction import groups
from pipeline.validate.replicates import typical

ACROSS = pl.Schema(
    {
        "from_server": pl.String,
        "to_server": pl.String,
        "virtual_server": pl.String,
        "load": pl.String,
        "runs": pl.Int64,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "R_ms": pl.Float64,
        "error_R": pl.Float64,
        "R_ratio_measured": pl.Float64,
    }
)
TOGETHER = pl.Schema(
    {
        "server": pl.String,
        "run": pl.String,
        "held_out": pl.Boolean,
        "virtual_server": pl.String,
        "kind": pl.String,
        "load": pl.String,
        "X_measured_per_s": pl.Float64,
        "X_per_s": pl.Float64,
        "error_X": pl.Float64,
        "R_measured_ms": pl.Float64,
        "R_ms": pl.Float64,
        "error_R": pl.Float64,
        "R_alone_ms": pl.Float64,
        "error_R_alone": pl.Float64,
        "demand_moved": pl.Float64,
    }
)
"""One row a virtual server of a run with several loads. ``R_alone_ms`` is predicted from runs with one load only,
without what a neighbour's company does (:mod:`pipeline.validate.company`); ``demand_moved`` is the CPU demand in this
run by the one that was predicted so."""

TYPICAL_BYTES = 16384
"""A request of the size that InnoDB and the documents of the case study have."""
ROUNDS = 20


def service_ms(disk: Mapping[str, Any]) -> float:
    """Mean service time of an envelope's disk: the arm's mean way, half a revolution, and the transfer.

    A seek grows with the root of the distance, whose mean over two random places is 8/15 of the longest's.

    Raises ``Unmeasured`` for an envelope without a mechanism.
    """
    try:
        least, most = float(disk["seek_min_ms"]), float(disk["seek_max_ms"])
        seek = least + (most - least) * 8 / 15
        return (
            seek
            + float(disk["revolution_ms"]) / 2
            + TYPICAL_BYTES / float(disk["bytes_per_s"]) * 1e3
        )
    except (KeyError, TypeError, ValueError):
        raise Unmeasured("the envelope does not say how its disk works") from None


def across(
    observations: Sequence[Observation], study: Study, source: str, target: str
) -> pl.DataFrame:
    """The target server's loads, predicted by models fitted to the source and the ratio of the envelopes.

    Nothing measured on the target is used. Schema: ``ACROSS``. Raises ``Unmeasured`` without both envelopes.
    """
    disk_speed = service_ms(_envelope(study, source)["disk"]) / service_ms(
        _envelope(study, target)["disk"]
    )
    capacity = _envelope(study, target).get("cpu_quota")
    if not capacity:
        raise Unmeasured(f"study.json does not say how much CPU {target} has")
    rows = []
    found = {(g.server, g.virtual_server): g for g in groups(observations)}
    for (server, name), group in found.items():
        there = found.get((target, name))
        if server != source or there is None:
            continue
        model = fit_host(group.fitted, calibrated=True).estimate_only()
        around = replace(model.surroundings, capacity_cpus=float(capacity), disk_speed=disk_speed)
        near = {
            load.words: typical(o.response_time_s for o in runs) for load, _, runs in group.loads()
        }
        for load, _, runs in there.loads():
            x, r = (
                typical(getattr(o, what) for o in runs)
                for what in ("throughput_per_s", "response_time_s")
            )
            guess = model.predict(load, around)
            rows.append(
                {
                    "from_server": source,
                    "to_server": target,
                    "virtual_server": name,
                    "load": load.words,
                    "runs": len(runs),
                    **_compared(guess.throughput_per_s[0], guess.response_time_s[0], x, r),
                    "R_ratio_measured": r / near[load.words] if load.words in near else None,
                }
            )
    return pl.DataFrame(rows, schema=ACROSS, orient="row")


def together(observations: Sequence[Observation]) -> pl.DataFrame:
    """Runs in which several virtual servers were loaded, predicted with and without company. Schema: ``TOGETHER``."""
    return pl.DataFrame(list(_together_rows(observations)), schema=TOGETHER, orient="row")


Pairs = list[tuple[HostModel, Observation]]
"""A run's loaded virtual servers, each with its model."""
Models = dict[tuple[str, str], HostModel]
"""Server and virtual server → its model."""


def loaded_together(
    observations: Sequence[Observation], *, company: bool = True
) -> dict[str, Pairs]:
    """Runs with several loads: ``server/run`` → each loaded virtual server, with its model in what it finds there.

    The models are fitted to runs with one load; with ``company``, open loads' to those runs with several that are not
    held out as well. What each leaves the others is computed without company in either case.
    """
    alone = _fitted_alone(observations)
    return _beside(observations, alone, _in_company(observations, alone) if company else alone)


def _fitted_alone(observations: Sequence[Observation]) -> Models:
    models = {}
    for group in groups(observations):
        with suppress(Unmeasured):
            fitted = fit_host(group.fitted, calibrated=True).estimate_only()
            models[group.server, group.virtual_server] = fitted
    return models


def _in_company(observations: Sequence[Observation], alone: Models) -> Models:
    def beside(place: tuple[str, str]) -> list[Observation]:
        return [
            one
            for one in observations
            if not one.alone and (one.server, one.virtual_server) == place
        ]

    return {place: in_company(model, beside(place)) for place, model in alone.items()}


def _beside(observations: Sequence[Observation], alone: Models, models: Models) -> dict[str, Pairs]:
    """Each run with several loads, by ``models``, in what the servers leave each other by the models ``alone``."""
    runs: dict[str, list[Observation]] = {}
    for one in observations:
        if not one.alone:
            runs.setdefault(one.path, []).append(one)
    found = {}
    for path, mine in sorted(runs.items()):
        places = [(one.server, one.virtual_server) for one in mine]
        if not all(place in alone for place in places):
            continue
        shares = shared([(alone[place], one) for place, one in zip(places, mine, strict=True)])
        found[path] = [
            (replace(models[place], surroundings=share), one)
            for place, share, one in zip(places, shares, mine, strict=True)
        ]
    return found


def _together_rows(observations: Sequence[Observation]) -> Iterator[dict]:
    alone = _fitted_alone(observations)
    lonely = _beside(observations, alone, alone)
    accompanied = _beside(observations, alone, _in_company(observations, alone))
    for path, pairs in accompanied.items():
        for (model, one), (plain, _) in zip(pairs, lonely[path], strict=True):
            guess, bare = model.predict(one.load), plain.predict(one.load)
            asked = plain.cpu_used(one.load) - plain.surroundings.idle
            demand = float((asked / bare.throughput_per_s)[0])
            r_alone = float(bare.response_time_s[0])
            known = bool(np.isfinite(r_alone))
            yield {
                "server": one.server,
                "run": one.run,
                "held_out": one.held_out,
                "virtual_server": one.virtual_server,
                "kind": one.load.kind,
                "load": one.load.words,
                **_compared(
                    guess.throughput_per_s[0],
                    guess.response_time_s[0],
                    one.throughput_per_s,
                    one.response_time_s,
                ),
                "R_alone_ms": r_alone * 1e3 if known else None,
                "error_R_alone": r_alone / one.response_time_s - 1 if known else None,
                "demand_moved": one.estimate.demand("host_cpu").value_s / demand,
            }


def shared(pairs: Iterable[tuple[HostModel, Observation]]) -> list[Surroundings]:
    """What each of several loaded virtual servers finds, when each takes what the others leave it.

    Each one's use of the CPU is computed under the others' and theirs under its, until they agree.
    """
    some = list(pairs)
    used = [model.surroundings.idle for model, _ in some]
    around = [model.surroundings for model, _ in some]
    for _ in range(ROUNDS):
        for i, (model, one) in enumerate(some):
            others = sum(used) - used[i]
            around[i] = replace(
                model.surroundings, others_cpus=min(others, model.surroundings.capacity_cpus)
            )
            taken = float(model.cpu_used(one.load, around[i])[0])
            used[i] = (used[i] + min(taken, model.surroundings.capacity_cpus)) / 2
    return around


def _envelope(study: Study, server: str) -> Mapping[str, Any]:
    here: Any = study.manifest.get("servers")
    for key in (server, "envelope"):
        here = here.get(key) if isinstance(here, Mapping) else None
    if not isinstance(here, Mapping) or "disk" not in here:
        raise Unmeasured(f"study.json has no envelope of {server}")
    return here


def _compared(x: float, r: float, measured_x: float, measured_r: float) -> dict[str, float | None]:
    known = bool(np.isfinite(r))
    return {
        "X_measured_per_s": measured_x,
        "X_per_s": float(x),
        "error_X": float(x / measured_x - 1),
        "R_measured_ms": measured_r * 1e3,
        "R_ms": float(r) * 1e3 if known else None,
        "error_R": float(r / measured_r - 1) if known else None,
    }
