"""What-if analysis: the answers of a virtual server's page, as tables, key figures and sentences."""

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
from pipeline.report import texts as page_texts
from pipeline.report.tables.what_if_curves import fitted_range, listed, min_load, rounded
from pipeline.units import format_percent, format_short

MIN_LOADS = 3
"""With fewer different loads the dependence of the demand on the load is unknown."""


@dataclass(frozen=True)
class ScenarioResult:
    """One scenario and its prediction."""

    title: str
    curve: ResponseCurve
    response_s: Band
    """At the baseline load."""
    crossing: TargetCrossing
    """Where R exceeds the target."""


def scenarios(data: WhatIf) -> list[ScenarioResult]:
    """The baseline, then one change at a time, then every other place."""
    titled_scenarios: list[tuple[str, Scenario]] = [(page_texts.BASELINE, data.scenario())]
    for spacing in data.spacings[1:]:
        scenario = data.scenario(spacing=spacing)
        titled_scenarios.append((f"arrivals: {scenario.load.arrival_text}", scenario))
    for name, title in page_texts.HARDWARE_CHANGES.items():
        titled_scenarios.append((title, data.scenario(hardware=HardwareChange(**{name: 2}))))
    for number, place in enumerate(data.places[1:], start=1):
        titled_scenarios.append((place.title, data.scenario(number)))
    return [_result(data, title, scenario) for title, scenario in titled_scenarios]


def _result(data: WhatIf, title: str, scenario: Scenario) -> ScenarioResult:
    curve = sweep(scenario, min_level=min_load(data), extra_levels=[data.load.level])
    # the load as it is stated: with its client's arrival trace, if there is one
    response = scenario.predict(scenario.load).response_time
    return ScenarioResult(title, curve, response, capacity_for_target(curve, data.target_s))


def df_scenarios(data: WhatIf, results: Sequence[ScenarioResult]) -> pl.DataFrame:
    """One row per scenario, as texts with 95 % prediction intervals.

    Columns: ``scenario``, ``R`` at the baseline load (ms), ``capacity`` (the load up to which the target is met),
    ``knee``, ``most`` (saturation, or the greatest X).
    """
    return pl.DataFrame(
        [
            {
                "scenario": result.title,
                "R": _milliseconds(result.response_s),
                "capacity": crossing_text(result),
                "knee": format_short(result.curve.knee),
                "most": format_short(result.curve.max_throughput_per_s),
            }
            for result in results
        ]
    )


def _milliseconds(response_s: Band) -> str:
    value, low, high = (1e3 * x for x in (response_s.value, response_s.low, response_s.high))
    return with_interval(value, low, high) if math.isfinite(value) else page_texts.SATURATED


def with_interval(value: float, low: float, high: float) -> str:
    """``12.3 (10 to 15)``, or ``12.3 (10 or more)`` for an infinite upper limit."""
    return page_texts.value_with_interval(value, low, high, is_bounded=math.isfinite(high))


def crossing_text(result: ScenarioResult) -> str:
    """The load up to which a scenario meets the target, with its interval."""
    if result.crossing.level == 0:
        return page_texts.MISSED_EVERYWHERE
    if not math.isfinite(result.crossing.level):
        return page_texts.met_up_to(float(result.curve.levels[-1]))
    return with_interval(result.crossing.level, result.crossing.low, result.crossing.high)


def headline(data: WhatIf, baseline: ScenarioResult) -> tuple[list[str], str]:
    """The answer of the page: the capacity for the target and R at the baseline load; and the kind of the answer."""
    response_s = float(baseline.response_s.value)
    is_met = response_s <= data.target_s
    name = f"{data.title} on the {data.server} server"
    crossing, last = baseline.crossing, float(baseline.curve.levels[-1])
    low, high = fitted_range(data)
    sentences = [page_texts.todays_load(data.today, response_s, is_met)]
    is_extrapolated = False
    if crossing.level == 0:
        answer = page_texts.target_missed_everywhere(name, data.target_s)
    elif not math.isfinite(crossing.level):
        answer = page_texts.target_met_everywhere(name, data.target_s, last, data.unit)
    else:
        answer = page_texts.capacity(name, data.target_s, crossing_text(baseline), data.unit)
        is_extrapolated = not low <= crossing.level <= high
    if is_extrapolated:
        sentences.insert(0, page_texts.extrapolated(low, high, data.unit))
    kind = "warning" if is_extrapolated or has_warnings(data) else "good"
    return [answer[:1].upper() + answer[1:], *sentences], kind if is_met else "error"


def what_if_key_figures(data: WhatIf, results: Sequence[ScenarioResult]) -> dict[str, str]:
    """Capacity for the target in the baseline and in the last place, knee or N*, saturation or maximum throughput."""
    baseline, last = results[0], results[-1]
    unit = "/s" if data.is_open else "threads"
    figures = {
        page_texts.capacity_name(data.target_s): f"{crossing_text(baseline)} {unit}",
        "knee" if data.is_open else "N*": f"{format_short(baseline.curve.knee)} {unit}",
        "saturation" if data.is_open else "max throughput": (
            f"{format_short(baseline.curve.max_throughput_per_s)} /s"
        ),
    }
    if len(data.places) > 1:
        figures[f"capacity, {data.places[-1].brief}"] = f"{crossing_text(last)} {unit}"
    figures = {name: text.replace(f"load {unit}", "load") for name, text in figures.items()}
    return {name: "1 thread" if text == "1 threads" else text for name, text in figures.items()}


def fit_text(data: WhatIf) -> list[str]:
    """What the curves are fitted to, errors in runs that no fit used, and what is missing, a sentence each."""
    loads = sorted({observation.load.level for observation in data.fitted})
    fitted = page_texts.fitted_runs(len(data.fitted), loads, data.unit, data.load.duration_s)
    few = [page_texts.FEW_LOADS] if len(loads) < MIN_LOADS else []
    return [fitted, *few, *error_text(data), *data.missing]


def has_warnings(data: WhatIf) -> bool:
    """Whether few loads were fitted, something is missing, or R of a run that was not fitted is outside tolerance."""
    few = len({observation.load.level for observation in data.fitted}) < MIN_LOADS
    predicted = data.recorded.filter(pl.col("role_in_fit").is_in(["held out", "co-located"]))
    is_outside = (predicted["error"].abs() > ACCEPT_REL_ERROR_R).any()
    return few or bool(data.missing) or bool(is_outside)


def error_text(data: WhatIf) -> list[str]:
    """Errors of R in held-out and in co-located runs, a sentence each."""
    recorded = data.recorded.filter(pl.col("error").is_not_null())
    sentences = []
    for role in ("held out", "co-located"):
        errors = recorded.filter(pl.col("role_in_fit") == role)["error"]
        if not errors.is_empty():
            sentences.append(
                page_texts.error_range(
                    f"{role.replace(' ', '-')} runs",
                    errors.len(),
                    errors.median(),
                    errors.min(),
                    errors.max(),
                )
            )
    return sentences


def df_recorded_runs(data: WhatIf) -> pl.DataFrame:
    """The recorded runs, measured and predicted: ``WhatIf.recorded`` with the error as percentage."""
    frame = data.recorded.with_columns(pl.col("error").map_elements(format_percent, pl.String))
    columns = ["run", "role_in_fit", "load", *(["process"] if data.is_open else [])]
    return frame.select(*columns, "R", "R_model", "error", "X", "X_model")


def df_curve(data: WhatIf, curve: ResponseCurve) -> pl.DataFrame:
    """A curve as a table: ``size``, ``R``, ``R_low``, ``R_high`` (ms), ``X``, ``X_low``, ``X_high`` (1/s)."""
    columns: dict[str, list[float | None]] = {"size": [rounded(x) for x in curve.levels]}
    columns |= listed("R", curve.response_s, 1e3)
    if not data.is_open:
        columns |= listed("X", curve.throughput_per_s, 1.0)
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Float64))
