"""What if: the answers of a virtual server's page, as tables, headlines and sentences; nothing shown yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.api import (
    Band,
    HardwareChange,
    ResponseCurve,
    Scenario,
    TargetCrossing,
    WhatIf,
    capacity_for_target,
    sweep,
)
from pipeline.evaluate.acceptance import ACCEPT_REL_ERROR_R
from pipeline.report.tables.what_if_curves import least_size, listed, rounded
from pipeline.units import format_percent, format_short

FEW_LOADS = 3
"""With fewer different loads nothing is known of how demand depends on the load."""


@dataclass(frozen=True)
class ScenarioResult:
    """One change, and what it does."""

    words: str
    curve: ResponseCurve
    response_s: Band
    """At today's load."""
    broken: TargetCrossing


def scenarios(data: WhatIf) -> list[ScenarioResult]:
    """Today, then one change at a time, then every place."""
    asked: list[tuple[str, Scenario]] = [("as it is", data.scenario())]
    for spacing in data.spacings[1:]:
        scenario = data.scenario(spacing=spacing)
        asked.append((f"arrivals: {scenario.load.arrival_text}", scenario))
    for words, hardware in (
        ("a CPU twice as fast", HardwareChange(cpu_speed=2)),
        ("twice as many CPUs", HardwareChange(cpus=2)),
        ("a disk twice as fast", HardwareChange(disk_speed=2)),
    ):
        asked.append((words, data.scenario(hardware=hardware)))
    for number, place in enumerate(data.places[1:], start=1):
        asked.append((place.title, data.scenario(number)))
    return [_scenario(data, words, scenario) for words, scenario in asked]


def _scenario(data: WhatIf, words: str, scenario: Scenario) -> ScenarioResult:
    curve = sweep(scenario, min_level=least_size(data), extra_levels=[data.load.level])
    # a load as it is stated: the sequence of its client, if it has one
    response = scenario.predict(scenario.load).response_time
    return ScenarioResult(words, curve, response, capacity_for_target(curve, data.target_s))


def df_scenarios(data: WhatIf, asked: Sequence[ScenarioResult]) -> pl.DataFrame:
    """A row a scenario. Columns, as texts with intervals: ``what``, ``R`` at today's load (ms), ``breaks`` (the load at
    which the target is missed), ``knee``, ``most`` (saturation, or the most X)."""
    return pl.DataFrame(
        [
            {
                "what": one.words,
                "R": _milliseconds(one.response_s),
                "breaks": crossing_text(one),
                "knee": format_short(one.curve.knee),
                "most": format_short(one.curve.max_throughput_per_s),
            }
            for one in asked
        ]
    )


def _milliseconds(response_s: Band) -> str:
    value, low, high = (1e3 * x for x in (response_s.value, response_s.low, response_s.high))
    return with_interval(value, low, high) if math.isfinite(value) else "saturated"


def with_interval(value: float, low: float, high: float) -> str:
    """``12.3 (10 to 15)``, or ``12.3 (10 or more)`` where the upper limit is out of sight."""
    upper = f"to {format_short(high)}" if math.isfinite(high) else "or more"
    return f"{format_short(value)} ({format_short(low)} {upper})"


def crossing_text(one: ScenarioResult) -> str:
    """The load at which a scenario misses the target, with its interval."""
    if one.broken.level == 0:
        return "missed at every load"
    if not math.isfinite(one.broken.level):
        return f"met up to {format_short(float(one.curve.levels[-1]))}"
    return with_interval(one.broken.level, one.broken.low, one.broken.high)


def crossing_sentence(data: WhatIf, today: ScenarioResult) -> str:
    """The answer in a sentence: where the target is missed, how sure that is, and where today's load stands."""
    target = f"{format_short(data.target_s * 1e3)} ms"
    now = f"Today's load is {data.today}"
    response = float(today.response_s.value)
    met = math.isfinite(response) and response <= data.target_s
    now += ", which meets it." if met else ", which misses it."
    if today.broken.level == 0:
        return f"A mean response time of {target} is missed at every load. {now}"
    if not math.isfinite(today.broken.level):
        most = format_short(float(today.curve.levels[-1]))
        return f"A mean response time of {target} is met up to {most} {data.unit}. {now}"
    low, high = today.broken.low, today.broken.high
    upper = f"and {format_short(high)}" if math.isfinite(high) else "and more than the curve holds"
    return (
        f"The mean response time passes {target} at {format_short(today.broken.level)} {data.unit}; in 95 % of runs "
        f"not seen yet it does so between {format_short(low)} {upper}. {now}"
    )


def what_if_key_figures(data: WhatIf, asked: Sequence[ScenarioResult]) -> dict[str, str]:
    """The page's headline: where the target is missed today and in the last place, the knee, the most."""
    today, last = asked[0], asked[-1]
    per = "/s" if data.is_open else "threads"
    lines = {
        f"{format_short(data.target_s * 1e3)} ms is passed at": f"{crossing_text(today)} {per}",
        "knee": f"{format_short(today.curve.knee)} {per}",
        "saturated from"
        if data.is_open
        else "most throughput": f"{format_short(today.curve.max_throughput_per_s)} /s",
    }
    if len(data.places) > 1:
        lines[f"passed, {data.places[-1].brief}"] = f"{crossing_text(last)} {per}"
    lines = {name: text.replace(f"load {per}", "load") for name, text in lines.items()}
    return {name: "1 thread" if text == "1 threads" else text for name, text in lines.items()}


def fit_text(data: WhatIf) -> list[str]:
    """What the curves rest on, a sentence each."""
    sizes = sorted({one.load.level for one in data.fitted})
    loads = (
        f"{format_short(sizes[0])} to {format_short(sizes[-1])}"
        if len(sizes) > 1
        else format_short(sizes[0])
    )
    runs = "1 run" if len(data.fitted) == 1 else f"{len(data.fitted)} runs"
    told = [
        f"fitted to {runs} of {loads} {data.unit}, held-out ones left out; each load asked about"
        f" lasts {format_short(data.load.duration_s)} s, as today's does"
    ]
    if len(sizes) < FEW_LOADS:
        told.append("so few loads do not tell how the demand depends on the load")
    return told + error_text(data) + data.missing


def has_warnings(data: WhatIf) -> bool:
    """Whether the fit is thin, something that could be asked is missing, or a run not fitted to was missed."""
    thin = len({one.load.level for one in data.fitted}) < FEW_LOADS
    measured = data.recorded.filter(pl.col("what").is_in(["held out", "co-located"]))
    missed = (measured["error"].abs() > ACCEPT_REL_ERROR_R).any()
    return thin or bool(data.missing) or bool(missed)


def error_text(data: WhatIf) -> list[str]:
    """How far the model's R was off in runs that it was not fitted to, a sentence a kind."""
    table = data.recorded.filter(pl.col("error").is_not_null())
    told = []
    for what, words in (("held out", "held-out runs"), ("co-located", "co-located runs")):
        off = table.filter(pl.col("what") == what)["error"]
        if not off.is_empty():
            told.append(
                f"{words} ({off.len()}): the modelled R was off by {format_percent(off.median())} in the median,"
                f" {format_percent(off.min())} to {format_percent(off.max())}"
            )
    return told


def df_measured(data: WhatIf) -> pl.DataFrame:
    """The page's table of the recorded runs: ``WhatIf.recorded`` with the error as text."""
    table = data.recorded.with_columns(pl.col("error").map_elements(format_percent, pl.String))
    columns = ["run", "what", "load", *(["process"] if data.is_open else [])]
    return table.select(*columns, "R", "R_model", "error", "X", "X_model")


def df_curve(data: WhatIf, curve: ResponseCurve) -> pl.DataFrame:
    """A curve as a table: ``size``, ``R``, ``R_low``, ``R_high`` (ms), ``X``, ``X_low``, ``X_high`` (a second)."""
    columns: dict[str, list[float | None]] = {"size": [rounded(x) for x in curve.levels]}
    columns |= listed("R", curve.response_s, 1e3)
    if not data.is_open:
        columns |= listed("X", curve.throughput_per_s, 1.0)
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))
