"""What if: one virtual server under other loads and hardware, by the model fitted to the runs of a study."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import ingest
from pipeline.evaluate.acceptance import finite, relative_error
from pipeline.files import project_path
from pipeline.measure.cpu_limit import cpu_limit
from pipeline.measure.load import Load
from pipeline.measure.window import MissingData
from pipeline.model.colocation import HostModels, fit_deployments
from pipeline.model.fit import fit_host, steady_state_runs
from pipeline.model.observation import Deployment, Observation, observe_study
from pipeline.model.scenario import (
    HardwareChange,
    Neighbour,
    ResponseCurve,
    Scenario,
    sweep_scenarios,
)
from pipeline.raw import RawRunError, Study, find_study
from pipeline.tables import floats, of_rows, texts

AS_IT_IS = HardwareChange()

RECORDED = (
    {"place": pl.Int64}
    | texts("spacing", "run", "role_in_fit", "load", "process")
    | floats("size", "R", "R_model", "error", "X", "X_model")
)
"""One row per run: the number of its place, its load, its role in the fit, R (ms) and X (1/s)
measured and modelled at that load, and the relative error of R. Null where R has no bound."""


@dataclass(frozen=True)
class Setting:
    """A physical server and the neighbours with a load on it."""

    title: str
    brief: str
    server: str
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class WhatIf:
    """A virtual server with its fitted models, its settings and its load."""

    study: Study
    server: str
    virtual_server: str
    observations: list[Observation]
    """All runs of the study, of this and the other virtual servers."""
    models: dict[Deployment, HostModels]
    """(Server, virtual server) → its models, with the variation of new runs."""
    places: list[Setting]
    """The first one is the current one: alone on this server."""
    load: Load
    """The current load: that of the case study."""
    target_s: float
    missing: list[str]
    """What the model cannot answer, with the reason."""

    @property
    def title(self) -> str:
        """The display name of the virtual server."""
        return self.study.title_of(self.virtual_server)

    @property
    def today(self) -> str:
        """The current load as text, with its arrival trace if it has one."""
        process = f", {self.load.arrival_text}" if self.load.interarrival_s is not None else ""
        return self.load.label + process

    @property
    def is_open(self) -> bool:
        """Whether the load is open."""
        return self.load.kind == "open"

    @property
    def unit(self) -> str:
        """The unit of a load's level."""
        return "requests/s" if self.is_open else "threads"

    @property
    def measured(self) -> list[Observation]:
        """The runs of this virtual server on this server."""
        return runs_of(self.observations, (self.server, self.virtual_server))

    @property
    def fitted(self) -> list[Observation]:
        """Of those, the runs that the model was fitted to."""
        return self.fitted_at(0)

    def fitted_at(self, place: int) -> list[Observation]:
        """The runs that the model of a place (its number) was fitted to."""
        return usable(runs_of(self.observations, (self.places[place].server, self.virtual_server)))

    @property
    def spacings(self) -> list[str]:
        """Arrival processes of the measured open loads, the current one first; one empty text for a closed load."""
        if not self.is_open:
            return [""]
        measured = [observation.load.arrivals or "" for observation in self.measured]
        return list(dict.fromkeys([self.load.arrivals or "", *sorted(measured)]))

    def scenario(
        self, place: int = 0, hardware: HardwareChange = AS_IT_IS, spacing: str | None = None
    ) -> Scenario:
        """The scenario of a place (its number), a change of hardware, and an arrival process."""
        where = self.places[place]
        load = self.load
        if spacing is not None and spacing != (load.arrivals or ""):
            load = replace(load, arrivals=spacing, trace=None, requests=None)
        models = self.models[where.server, self.virtual_server]
        return Scenario(models, load, hardware, where.neighbours)

    def scenario_of(self, observation: Observation) -> Scenario:
        """A recorded run with its loaded neighbours, by the point estimates. Raises ``MissingData``."""
        run = [
            neighbour
            for neighbour in self.observations
            if neighbour.path == observation.path
            and neighbour.virtual_server != observation.virtual_server
        ]
        for each in (observation, *run):
            if each.deployment not in self.models:
                raise MissingData(f"no model of {each.virtual_server} on {each.server}")
        models = self.models[observation.deployment].point_estimate()
        others = [Neighbour(self.models[o.deployment].point_estimate(), o.load) for o in run]
        return Scenario(models, observation.load, neighbours=tuple(others))

    @cached_property
    def recorded(self) -> pl.DataFrame:
        """Each measured run and the model's prediction for its load and place. Schema: ``RECORDED``."""
        return of_rows(_recorded(self), RECORDED)


def open_what_if(
    study: str,
    server: str,
    virtual_server: str,
    *,
    target_ms: float = 0.0,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
) -> WhatIf:
    """Observe the runs, fit the models and list the settings.

    A target of 0 is twice the response time at the current load. Raises ``RawRunError`` for an unknown study,
    server or virtual server, ``MissingData`` where no run can be fitted to.
    """
    raw, processed = project_path(raw), project_path(processed)
    manifest = find_study(raw, study)
    if server not in manifest.servers:
        raise RawRunError(
            f"no server {server!r} in {study}; choose from {', '.join(manifest.servers)}", raw
        )
    runs, reasons = ingest.ingest_readable(manifest.runs(), processed)
    observations, not_observed = observe_study(manifest, processed, runs=runs)
    missing = [f"{run} cannot be read: {reason}" for run, reason in reasons.items()]
    missing += [f"{run} could not be observed: {why}" for run, why in not_observed.items()]
    names = sorted({observation.virtual_server for observation in observations})
    if virtual_server not in names:
        raise RawRunError(
            f"no virtual server {virtual_server!r} with a load in {study}; choose from {', '.join(names)}",
            raw,
        )
    return what_if_of(
        manifest, observations, server, virtual_server, target_s=target_ms / 1e3, missing=missing
    )


def what_if_of(
    study: Study,
    observations: list[Observation],
    server: str,
    virtual_server: str,
    *,
    target_s: float = 0.0,
    missing: Sequence[str] = (),
) -> WhatIf:
    """The what-if data of a virtual server whose study was observed; ``missing``: reasons of runs not observed.

    Raises ``MissingData`` where no run can be fitted to.
    """
    missing = list(missing)
    models = {
        place: fit.with_run_variation() for place, fit in fit_deployments(observations).items()
    }
    for key in sorted({observation.deployment for observation in observations} - set(models)):
        try:
            fit_host(usable(runs_of(observations, key)))
        except MissingData as reason:
            if key == (server, virtual_server):
                raise
            missing.append(f"no model of {key[1]} on {key[0]}: {reason}")
    load = current_load(study, observations, (server, virtual_server))
    places, more = _places(study, observations, models, server, virtual_server)
    missing += more
    data = WhatIf(
        study, server, virtual_server, observations, models, places, load, target_s, missing
    )
    return data if target_s > 0 else replace(data, target_s=_default_target(data))


def sweep_all(
    data: WhatIf, scenarios: Sequence[Scenario], *, min_level: float
) -> list[ResponseCurve]:
    """The curve of each scenario, with a point at the level of the current load."""
    return sweep_scenarios(scenarios, min_level=min_level, extra_levels=[data.load.level])


def runs_of(observations: Sequence[Observation], place: Deployment) -> list[Observation]:
    """The runs of a virtual server on a server."""
    return [observation for observation in observations if observation.deployment == place]


def usable(observations: Sequence[Observation]) -> list[Observation]:
    """The runs to fit to. Raises ``MissingData`` if there are none."""
    chosen = [
        observation
        for observation in observations
        if observation.is_alone and not observation.held_out
    ]
    if not chosen:
        raise MissingData("every run is held out, or had another virtual server under load")
    return steady_state_runs(chosen)


def current_load(study: Study, observations: Sequence[Observation], place: Deployment) -> Load:
    """The load of the case study's run; without one, of the first run that can be fitted to."""
    runs = runs_of(observations, place)
    named = [
        observation for observation in runs if observation.run == study.case_study.get(place[1])
    ]
    return (named or usable(runs))[0].load


def _places(
    study: Study,
    observations: Sequence[Observation],
    models: Mapping[Deployment, HostModels],
    server: str,
    virtual_server: str,
) -> tuple[list[Setting], list[str]]:
    """Settings (alone, co-located, co-located on the weaker server), and the reasons of those without a model."""
    places = [Setting(f"alone on the {server} server", "alone", server)]
    missing = []
    weaker = weakest(study)
    if weaker is None:
        missing.append(
            "no server of the study gives fewer CPUs than the others, so none is the weaker"
        )
    for where in dict.fromkeys([server, weaker or server]):
        others = study.ordered(vs for at, vs in models if at == where and vs != virtual_server)
        if (where, virtual_server) not in models or not others:
            missing.append(f"on the {where} server there is no model of two virtual servers")
            continue
        neighbours = tuple(
            Neighbour(models[where, vs], _colocated_load(study, observations, (where, vs)))
            for vs in others
        )
        neighbour_text = " and ".join(
            f"the {study.title_of(vs)} ({neighbour.load.label})"
            for vs, neighbour in zip(others, neighbours, strict=True)
        )
        which = f"the {where} server" + (", the weaker" if where == weaker else "")
        brief = "the weaker server" if where == weaker else f"the {where} server"
        places.append(
            Setting(
                f"with {neighbour_text} on {which}", f"co-located on {brief}", where, neighbours
            )
        )
    return places, missing


def weakest(study: Study) -> str | None:
    """The server that gives its guests the fewest CPUs; None if two give the same."""
    cpus = {run.server: cpu_limit(study, run).cpus for run in study.runs()}
    weakest_servers = [name for name, count in cpus.items() if count == min(cpus.values())]
    return weakest_servers[0] if len(weakest_servers) == 1 and len(cpus) > 1 else None


def _colocated_load(study: Study, observations: Sequence[Observation], place: Deployment) -> Load:
    """The load of a virtual server in runs with several loads; else its load of the case study."""
    colocated = [
        observation for observation in runs_of(observations, place) if not observation.is_alone
    ]
    return colocated[0].load if colocated else current_load(study, observations, place)


def _default_target(data: WhatIf) -> float:
    response = data.scenario().predict(data.load).response_time_s[0]
    if not math.isfinite(response):
        raise MissingData(
            "the model has no response time at today's load; give a target (target_ms)"
        )
    return float(f"{2 * response:.2g}")


def _recorded(data: WhatIf) -> Iterator[dict[str, Any]]:
    for number, place in enumerate(data.places):
        for observation in runs_of(data.observations, (place.server, data.virtual_server)):
            if observation.is_alone != (not place.neighbours):
                continue
            answer = response = None
            with suppress(MissingData):
                answer = data.scenario_of(observation).predict(observation.load)
                response = finite(answer.response_time.value)
            yield {
                "place": number,
                "spacing": (observation.load.arrivals or "") if data.is_open else "",
                "size": observation.load.level,
                "run": observation.path,
                "role_in_fit": role_of(observation),
                "load": observation.load.label,
                "process": observation.load.arrival_text,
                "R": observation.response_time_s * 1e3,
                "R_model": None if response is None else response * 1e3,
                "error": relative_error(response, observation.response_time_s),
                "X": observation.throughput_per_s,
                "X_model": None if response is None else answer.throughput.value,
            }


def role_of(observation: Observation) -> str:
    """The role of a run in the fit: fitted, held out, saturated, co-located."""
    if not observation.is_alone:
        return "co-located"
    if observation.is_saturated:
        return "saturated"
    return "held out" if observation.held_out else "fitted"
