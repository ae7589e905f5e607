"""What if: one virtual server's curves under other loads and hardware, for its page; nothing shown yet.

``open_what_if`` fits the model of the host to the study's runs (those alone on the host, kept up with, and not held
out) and gives a ``WhatIf``; the other functions take it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline import bundle, ingest
from pipeline.bundle import Study
from pipeline.charts import Asked, short
from pipeline.measure.window import Unmeasured
from pipeline.places import project_path
from pipeline.report.frames.run import TITLES
from pipeline.validate.envelope import envelope_of
from pipeline.validate.host_fit import fit_host, steady
from pipeline.validate.host_model import HostModel
from pipeline.validate.observation import Load, Observation, observe_study
from pipeline.validate.what_if import (
    Band,
    Break,
    Changes,
    Curve,
    Neighbour,
    Scene,
    breaks,
    response_at,
    sweep,
)

DRAWS = 200
CPU_SPEEDS = (0.5, 1.0, 1.5, 2.0)
CPU_COUNTS = (1, 2, 4)
DISK_SPEEDS = (0.5, 1.0, 2.0)
"""What the sliders offer, in multiples of what there is."""
AS_IT_IS = Changes()
FEW_LOADS = 3
"""With fewer different loads nothing is known of how demand depends on the load."""
LEAST_PART = 0.01
"""The lightest open load of a curve, as a part of today's saturation."""


@dataclass(frozen=True)
class Place:
    """Where a virtual server is, and with whom."""

    title: str
    brief: str
    server: str
    neighbours: tuple[Neighbour, ...] = ()


@dataclass(frozen=True)
class WhatIf:
    """A virtual server whose model was fitted, and what may be asked."""

    study: Study
    server: str
    virtual_server: str
    observations: list[Observation]
    """Every run of the study, of this virtual server and of others."""
    models: dict[tuple[str, str], HostModel]
    """(Server, virtual server) → its model, with the scatter of new runs."""
    places: list[Place]
    """The first is today's: alone on this server."""
    load: Load
    """Today's: the case study's."""
    target_s: float
    missing: list[str]
    """What could not be asked, a sentence each."""

    @property
    def title(self) -> str:
        """The virtual server in words."""
        return TITLES.get(self.virtual_server, self.virtual_server)

    @property
    def is_open(self) -> bool:
        """Whether the load is open."""
        return self.load.kind == "open"

    @property
    def unit(self) -> str:
        """What the size of a load counts."""
        return "requests a second" if self.is_open else "threads"

    @property
    def measured(self) -> list[Observation]:
        """The runs of this virtual server on this server."""
        return _of(self.observations, self.server, self.virtual_server)

    @property
    def fitted(self) -> list[Observation]:
        """Of those, the runs that the model was fitted to."""
        return _usable(self.measured)

    @property
    def doubtful(self) -> bool:
        """Whether the fit is thin, or something that could be asked is missing."""
        return len({one.load.size for one in self.fitted}) < FEW_LOADS or bool(self.missing)

    @property
    def spacings(self) -> list[str]:
        """How the arrivals of an open load are spaced, today's way first; of a closed one nothing."""
        if not self.is_open:
            return [""]
        found = [one.load.arrivals or "" for one in self.measured]
        return list(dict.fromkeys([self.load.arrivals or "", *sorted(found)]))

    def scene(
        self, place: int = 0, changes: Changes = AS_IT_IS, spacing: str | None = None
    ) -> Scene:
        """The scene of a place (its number), a change of hardware, and a spacing of the arrivals."""
        where = self.places[place]
        load = self.load if spacing is None else replace(self.load, arrivals=spacing or None)
        model = self.models[where.server, self.virtual_server]
        return Scene(model, load, changes, where.neighbours)


def open_what_if(
    study: str,
    server: str,
    virtual_server: str,
    *,
    target_ms: float = 0.0,
    raw: str | Path = "data/raw",
    processed: str | Path = "data/processed",
) -> WhatIf:
    """Observe, fit, and find the places. A target of 0 is twice the response time under today's load.

    Raises ``bundle.BundleError`` for an unknown study, server or virtual server, ``Unmeasured`` where no run can be
    fitted to.
    """
    raw, processed = project_path(raw), project_path(processed)
    known = {one.name: one for one in bundle.studies(raw)}
    if study not in known:
        raise bundle.BundleError(
            f"no study is called {study!r}; there are {', '.join(known) or 'none'}", raw
        )
    found = known[study]
    if server not in found.servers:
        raise bundle.BundleError(
            f"no server of {study} is called {server!r}; there are {', '.join(found.servers)}", raw
        )
    runs = found.runs()
    ingest.ensure(runs, processed)
    observations, lost = observe_study(found, processed, draws=DRAWS, runs=runs)
    names = sorted({one.virtual_server for one in observations})
    if virtual_server not in names:
        raise bundle.BundleError(
            f"no virtual server under load is called {virtual_server!r}; there are {', '.join(names)}",
            raw,
        )
    missing = [f"{run} could not be observed: {why}" for run, why in lost.items()]
    random = np.random.default_rng(0)
    models: dict[tuple[str, str], HostModel] = {}
    for key in sorted({(one.server, one.virtual_server) for one in observations}):
        try:
            fit = fit_host(_usable(_of(observations, *key)), calibrated=True)
        except Unmeasured as reason:
            if key == (server, virtual_server):
                raise
            missing.append(f"no model of {key[1]} on {key[0]}: {reason}")
            continue
        models[key] = fit.with_run_scatter(random)
    load = _today(found, observations, server, virtual_server)
    places, more = _places(found, observations, models, server, virtual_server)
    data = WhatIf(
        found,
        server,
        virtual_server,
        observations,
        models,
        places,
        load,
        target_ms / 1e3,
        missing + more,
    )
    return data if target_ms > 0 else replace(data, target_s=_default_target(data))


def _of(observations: Sequence[Observation], server: str, virtual_server: str) -> list[Observation]:
    return [
        one for one in observations if (one.server, one.virtual_server) == (server, virtual_server)
    ]


def _usable(observations: Sequence[Observation]) -> list[Observation]:
    """The runs to fit to. Raises ``Unmeasured`` without any."""
    chosen = [one for one in observations if one.alone and not one.held_out]
    if not chosen:
        raise Unmeasured("every run is held out, or had another virtual server under load")
    return steady(chosen)


def _today(
    study: Study, observations: Sequence[Observation], server: str, virtual_server: str
) -> Load:
    """The load of the case study's run; without one, of the first run that can be fitted to."""
    mine = _of(observations, server, virtual_server)
    named = [one for one in mine if one.run == study.case_study.get(virtual_server)]
    return (named or _usable(mine))[0].load


def _places(
    study: Study,
    observations: Sequence[Observation],
    models: Mapping[tuple[str, str], HostModel],
    server: str,
    virtual_server: str,
) -> tuple[list[Place], list[str]]:
    """Alone here; with the others here; with the others on the weaker server. And what cannot be asked."""
    places = [Place(f"alone on the {server} server", "alone", server)]
    missing = []
    weaker = weakest(study)
    if weaker is None:
        missing.append(
            "no server of the study gives fewer CPUs than the others: none is the weaker"
        )
    for where in dict.fromkeys([server, weaker or server]):
        others = sorted(
            {vs for at, vs in models if at == where and vs != virtual_server},
            key=lambda vs: list(TITLES).index(vs) if vs in TITLES else len(TITLES),
        )
        if (where, virtual_server) not in models or not others:
            missing.append(f"on the {where} server there is no model of two virtual servers")
            continue
        neighbours = tuple(
            Neighbour(models[where, vs], _together(study, observations, where, vs)) for vs in others
        )
        words = " and ".join(
            f"the {TITLES.get(vs, vs)} ({one.load.words})"
            for vs, one in zip(others, neighbours, strict=True)
        )
        which = f"the {where} server" + (", the weaker" if where == weaker else "")
        brief = "the weaker server" if where == weaker else f"the {where} server"
        places.append(Place(f"with {words} on {which}", f"both on {brief}", where, neighbours))
    return places, missing


def weakest(study: Study) -> str | None:
    """The server whose envelope gives the fewest CPUs; None where two give as few."""
    cpus = {run.server: envelope_of(study, run).cpus for run in study.runs()}
    least = [name for name, count in cpus.items() if count == min(cpus.values())]
    return least[0] if len(least) == 1 and len(cpus) > 1 else None


def _together(
    study: Study, observations: Sequence[Observation], server: str, virtual_server: str
) -> Load:
    """The load that a virtual server had when others had one too; else its load of the case study."""
    both = [one for one in _of(observations, server, virtual_server) if not one.alone]
    return both[0].load if both else _today(study, observations, server, virtual_server)


def _default_target(data: WhatIf) -> float:
    response = data.scene().predict(data.load.size).response_time_s[0]
    if not math.isfinite(response):
        raise Unmeasured("the model has no response time at today's load: state a target")
    return float(f"{2 * response:.2g}")


# -- what is drawn --------------------------------------------------------------------------------------


def grid(data: WhatIf) -> Iterator[dict[str, Any]]:
    """The curves of every position of the sliders, a row each, as ``charts.what_if`` takes them."""
    least = least_size(data)
    for place, spacing, speed, cpus, disk in product(
        range(len(data.places)), data.spacings, CPU_SPEEDS, CPU_COUNTS, DISK_SPEEDS
    ):
        scene = data.scene(place, Changes(speed, cpus, disk), spacing)
        curve = sweep(scene, least=least, also=[data.load.size])
        row: dict[str, Any] = {
            "place": place,
            "spacing": spacing,
            "cpu_speed": speed,
            "cpus": cpus,
            "disk_speed": disk,
            "size": [_rounded(x) for x in curve.sizes],
            **_listed("R", curve.response_s, 1e3),
            "knee": _rounded(curve.knee),
            "most": _rounded(curve.most_per_s),
        }
        if data.is_open:
            row["end"] = _rounded(curve.end)
        else:
            row |= _listed("X", curve.throughput_per_s, 1.0)
            row["least"] = _rounded(curve.least_s * 1e3)
        yield row


def least_size(data: WhatIf) -> float:
    """The lightest load of the curves: one thread, or 1 % of today's saturation as a round number."""
    if not data.is_open:
        return 1.0
    return float(f"{data.scene().saturation_per_s() * LEAST_PART:.1g}")


def _listed(name: str, band: Band, factor: float) -> dict[str, list[float | None]]:
    return {
        name: [_rounded(x * factor) for x in band.value],
        f"{name}_low": [_rounded(x * factor) for x in band.low],
        f"{name}_high": [_rounded(x * factor) for x in band.high],
    }


def _rounded(value: float) -> float | None:
    """Four digits draw a curve; what is not finite is missing."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def df_points(data: WhatIf) -> pl.DataFrame:
    """What was measured, a row a run, for the place that it belongs to.

    Columns: ``place``, ``spacing``, ``size``, ``R`` (ms), ``X`` (a second), ``what`` (fitted, held out, did not keep
    up, with others), ``run``.
    """
    rows = []
    for number, place in enumerate(data.places):
        for one in _of(data.observations, place.server, data.virtual_server):
            if one.alone != (not place.neighbours):
                continue
            rows.append(
                {
                    "place": number,
                    "spacing": (one.load.arrivals or "") if data.is_open else "",
                    "size": one.load.size,
                    "R": one.response_time_s * 1e3,
                    "X": one.throughput_per_s,
                    "what": _what(one),
                    "run": one.path,
                }
            )
    return pl.DataFrame(
        rows,
        schema={
            "place": pl.Int64,
            "spacing": pl.String,
            "size": pl.Float64,
            "R": pl.Float64,
            "X": pl.Float64,
            "what": pl.String,
            "run": pl.String,
        },
    )


def _what(one: Observation) -> str:
    if not one.alone:
        return "with others"
    if one.saturated:
        return "did not keep up"
    return "held out" if one.held_out else "fitted"


# -- tables and words -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """One change, and what it does."""

    words: str
    curve: Curve
    response_s: Band
    """At today's load."""
    broken: Break


def scenarios(data: WhatIf) -> list[Scenario]:
    """Today, then one change at a time, then every place."""
    asked: list[tuple[str, Scene]] = [("as it is", data.scene())]
    for spacing in data.spacings[1:]:
        asked.append((f"arrivals {spacing}", data.scene(spacing=spacing)))
    for words, changes in (
        ("a CPU twice as fast", Changes(cpu_speed=2)),
        ("twice as many CPUs", Changes(cpus=2)),
        ("a disk twice as fast", Changes(disk_speed=2)),
    ):
        asked.append((words, data.scene(changes=changes)))
    for number, place in enumerate(data.places[1:], start=1):
        asked.append((place.title, data.scene(number)))
    return [_scenario(data, words, scene) for words, scene in asked]


def _scenario(data: WhatIf, words: str, scene: Scene) -> Scenario:
    curve = sweep(scene, least=least_size(data), also=[data.load.size])
    return Scenario(words, curve, response_at(scene, data.load.size), breaks(curve, data.target_s))


def df_scenarios(data: WhatIf, asked: Sequence[Scenario]) -> pl.DataFrame:
    """A row a scenario. Columns, as texts with intervals: ``what``, ``R`` at today's load (ms), ``breaks`` (the load at
    which the target is missed), ``knee``, ``most`` (saturation, or the most X)."""
    return pl.DataFrame(
        [
            {
                "what": one.words,
                "R": _milliseconds(one.response_s),
                "breaks": break_text(one),
                "knee": short(one.curve.knee),
                "most": short(one.curve.most_per_s),
            }
            for one in asked
        ]
    )


def _milliseconds(response_s: Band) -> str:
    value, low, high = (
        float(part[0]) * 1e3 for part in (response_s.value, response_s.low, response_s.high)
    )
    return with_interval(value, low, high) if math.isfinite(value) else "saturated"


def with_interval(value: float, low: float, high: float) -> str:
    """``12.3 (10 to 15)``, or ``12.3 (10 or more)`` where the upper limit is out of sight."""
    upper = f"to {short(high)}" if math.isfinite(high) else "or more"
    return f"{short(value)} ({short(low)} {upper})"


def break_text(one: Scenario) -> str:
    """The load at which a scenario misses the target, with its interval."""
    if one.broken.load == 0:
        return "missed at every load"
    if not math.isfinite(one.broken.load):
        return f"met up to {short(float(one.curve.sizes[-1]))}"
    return with_interval(one.broken.load, one.broken.low, one.broken.high)


def break_words(data: WhatIf, today: Scenario) -> str:
    """The answer in a sentence: where the target is missed, how sure that is, and where today's load stands."""
    target = f"{short(data.target_s * 1e3)} ms"
    now = f"Today's load is {data.load.words}"
    response = today.response_s.value[0]
    met = math.isfinite(response) and response <= data.target_s
    now += ", which meets it." if met else ", which misses it."
    if today.broken.load == 0:
        return f"A mean response time of {target} is missed at every load. {now}"
    if not math.isfinite(today.broken.load):
        most = short(float(today.curve.sizes[-1]))
        return f"A mean response time of {target} is met up to {most} {data.unit}. {now}"
    low, high = today.broken.low, today.broken.high
    upper = f"and {short(high)}" if math.isfinite(high) else "and more than the curve holds"
    return (
        f"The mean response time passes {target} at {short(today.broken.load)} {data.unit}; in 95 % of runs not seen"
        f" yet it does so between {short(low)} {upper}. {now}"
    )


def what_if_headlines(data: WhatIf, asked: Sequence[Scenario]) -> dict[str, str]:
    """The page's headline: where the target is missed today and in the last place, the knee, the most."""
    today, last = asked[0], asked[-1]
    per = "/s" if data.is_open else "threads"
    lines = {
        f"{short(data.target_s * 1e3)} ms is passed at": f"{break_text(today)} {per}",
        "knee": f"{short(today.curve.knee)} {per}",
        "saturated from"
        if data.is_open
        else "most throughput": f"{short(today.curve.most_per_s)} /s",
    }
    if len(data.places) > 1:
        lines[f"passed, {data.places[-1].brief}"] = f"{break_text(last)} {per}"
    return {name: text.replace(f"load {per}", "load") for name, text in lines.items()}


def fit_words(data: WhatIf) -> list[str]:
    """What the curves rest on, a sentence each."""
    sizes = sorted({one.load.size for one in data.fitted})
    loads = f"{short(sizes[0])} to {short(sizes[-1])}" if len(sizes) > 1 else short(sizes[0])
    runs = "1 run" if len(data.fitted) == 1 else f"{len(data.fitted)} runs"
    told = [
        f"fitted to {runs} of {loads} {data.unit}, held-out ones left out; each load asked about"
        f" lasts {short(data.load.seconds)} s, as today's does"
    ]
    if len(sizes) < FEW_LOADS:
        told.append("so few loads do not tell how the demand depends on the load")
    return told + data.missing


def df_measured(data: WhatIf) -> pl.DataFrame:
    """Each measured run beside the model's estimate for its load and place.

    Columns: ``run``, ``what`` (see ``df_points``), ``load``, ``R``, ``R_model`` (ms), ``error`` (model / client − 1,
    %), ``X``, ``X_model`` (a second). Where the model has no R the columns are null.
    """
    rows = []
    for number, place in enumerate(data.places):
        for one in _of(data.observations, place.server, data.virtual_server):
            if one.alone != (not place.neighbours):
                continue
            scene = replace(data.scene(number), load=one.load)
            found = scene.predict(one.load.size)
            response = float(found.response_time_s[0])
            known = math.isfinite(response)
            rows.append(
                {
                    "run": one.path,
                    "what": _what(one),
                    "load": one.load.words,
                    "R": one.response_time_s * 1e3,
                    "R_model": response * 1e3 if known else None,
                    "error": 100 * (response / one.response_time_s - 1) if known else None,
                    "X": one.throughput_per_s,
                    "X_model": float(found.throughput_per_s[0]) if known else None,
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def what_is_asked(data: WhatIf) -> Asked:
    """What the chart says around the curves, and where its sliders begin."""
    return Asked(
        title=f"The {data.title}: R and X over the load",
        unit=data.unit,
        is_open=data.is_open,
        places=[place.title for place in data.places],
        spacings=data.spacings,
        size=data.load.size,
        least=least_size(data),
        target_ms=data.target_s * 1e3,
        think_time_s=data.load.think_time_s,
    )


def df_curve(data: WhatIf, curve: Curve) -> pl.DataFrame:
    """A curve as a table: ``size``, ``R``, ``R_low``, ``R_high`` (ms), ``X``, ``X_low``, ``X_high`` (a second)."""
    columns: dict[str, list[float | None]] = {"size": [_rounded(x) for x in curve.sizes]}
    columns |= _listed("R", curve.response_s, 1e3)
    if not data.is_open:
        columns |= _listed("X", curve.throughput_per_s, 1.0)
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))
