"""Chart of R and X over the load, with sliders that need no kernel.

The curves of all positions of the sliders are computed in advance, one row per position with its curve as lists;
the chart selects the row, interpolates on it, and computes the load at which R reaches the target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from pipeline.charts import theme
from pipeline.charts.theme import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, VERMILION, WIDTH
from pipeline.charts.what_if_controls import WhatIfSpec, control_groups, slider_params
from pipeline.units import format_short

HEIGHT, LOWER_HEIGHT, ANSWERS_HEIGHT = 300, 170, 82
ANSWERS = "answers"
"""Name of the panel of text lines, which a page shows as a paragraph instead."""
TOP = 3
"""Upper end of the axis of R, as a multiple of the target."""

ROLES_IN_FIT = {
    "fitted": ("circle", BLUE),
    "held out": ("diamond", GREEN),
    "saturated": ("cross", VERMILION),
    "co-located": ("square", PURPLE),
}
"""Role of a measured run → shape and colour of its point."""

DASHED = {"color": ORANGE, "strokeDash": [6, 3], "strokeWidth": 1.5}
"""Style of the asymptotic bounds."""

LISTS = ("size", "R", "R_low", "R_high", "X", "X_low", "X_high")


def what_if(
    rows: Sequence[Mapping[str, Any]], points: pl.DataFrame, spec: WhatIfSpec
) -> alt.VConcatChart:
    """R and X over the load for the chosen place and hardware.

    ``rows``: one per position of the sliders, with ``place`` (a number), ``spacing``, ``cpu_speed``, ``cpus``,
    ``disk_speed``; ``fitted_low`` and ``fitted_high``, the lightest and the heaviest load that the model was fitted
    to: points of the curve, which is dashed beyond them; lists ``size``, ``R``, ``R_low``, ``R_high`` (ms; null where
    the server cannot take the load), for a closed load ``X``, ``X_low``, ``X_high``; ``knee``, ``most`` (maximum of
    X, 1/s), and ``end`` (open: saturation) or ``least`` (closed: the minimum of R, ms). ``points``: ``place``,
    ``spacing``, ``size``, ``process`` (its arrivals as text), ``R``, ``R_model`` (ms, of the measured load), ``X``,
    ``role_in_fit`` (a key of ``ROLES_IN_FIT``), ``run``. Raises ``ValueError`` without a row for the initial position.
    """
    begin = _begin(rows, spec)
    lists = [name for name in LISTS if name in begin]
    # by name, since Altair copies inline data again and again
    chosen = alt.Chart(alt.NamedData("curves")).transform_filter(_CHOSEN)
    curve = chosen.transform_flatten(lists)
    runs = (
        alt.Chart(alt.InlineData(values=theme.json_ready(points).to_dicts()))
        .transform_filter("datum.place == place && datum.spacing == spacing")
        .transform_calculate(
            R_drawn=f"min(datum.R, {TOP} * target)", above=f"datum.R > {TOP} * target"
        )
    )
    return (
        alt.vconcat(
            _answers(chosen, curve, spec),
            _response(chosen, curve, runs, spec),
            _throughput(chosen, curve, runs, spec),
            spacing=14,
            datasets={"curves": [dict(row) for row in rows]},
        )
        .add_params(*slider_params(rows, points, spec))
        .resolve_scale(x="shared", color="shared", shape="shared")
        .properties(
            title=spec.title,
            description=_chart_description(begin, points, spec),
            usermeta={"controls": control_groups(spec)},
        )
    )


_CHOSEN = (
    "datum.place == place && datum.spacing == spacing && datum.cpu_speed == cpu_speed"
    " && datum.cpus == cpus && datum.disk_speed == disk_speed"
)


def _begin(rows: Sequence[Mapping[str, Any]], spec: WhatIfSpec) -> Mapping[str, Any]:
    start = {
        "place": 0,
        "spacing": next(iter(spec.spacings)),
        "cpu_speed": 1,
        "cpus": 1,
        "disk_speed": 1,
    }
    for row in rows:
        if all(row[name] == value for name, value in start.items()):
            return row
    raise ValueError(f"no curve for the initial position of the sliders: {start}")


# -- text that follows the sliders -------------------------------------------------------------------------------------


def _answers(chosen: alt.Chart, curve: alt.Chart, spec: WhatIfSpec) -> alt.LayerChart:
    """Three lines of text that follow the sliders."""
    rate = "datum.size" if spec.is_open else "datum.X"
    at = curve.transform_window(
        size_0="lag(size)", R_0="lag(R)", low_0="lag(R_low)", high_0="lag(R_high)", size_2="lead(size)",
        **({} if spec.is_open else {"X_0": "lag(X)"}),
        sort=[alt.SortField("size")],
    )  # fmt: skip
    answer = (
        at.transform_filter(
            "datum.size_0 != null && datum.size_0 <= load && isValid(datum.R)"
            " && (load < datum.size || load == datum.size && datum.size_2 == null)"
        )
        .transform_calculate(part="(load - datum.size_0) / (datum.size - datum.size_0)")
        .transform_calculate(
            high="isValid(datum.R_high) && isValid(datum.high_0)"
            " ? 'to ' + format(lerp([datum.high_0, datum.R_high], datum.part), ',.3~r') : 'or more'",
            X_here="load" if spec.is_open else f"lerp([datum.X_0, {rate}], datum.part)",
        )
        .transform_calculate(
            text="'At ' + format(load, ',.3~r') + "
            f"' {spec.unit}: R ' + format(lerp([datum.R_0, datum.R], datum.part), ',.3~r') + ' ms ('"
            " + format(lerp([datum.low_0, datum.R_low], datum.part), ',.3~r') + ' ' + datum.high"
            " + '), X ' + format(datum.X_here, ',.3~r') + '/s'"
        )
    )
    longest = "datum.size[length(datum.size) - 1]"
    is_beyond = "load >= 0.99 * datum.end" if spec.is_open else f"load > {longest}"
    beyond = chosen.transform_filter(is_beyond).transform_calculate(
        text="'At ' + format(load, ',.3~r') + '"
        f" {spec.unit} the model cannot say R: '"
        + (
            " + 'the server is saturated from ' + format(datum.end, ',.3~r') + '/s on'"
            if spec.is_open
            else f" + 'the curve ends at ' + format({longest}, 'd')"
        )
    )
    lines = [
        _line(answer, 8),
        _line(beyond, 8, VERMILION),
        _line(_target_crossing(at, spec), 30),
        _line(chosen.transform_calculate(text=_limits(spec)), 52, GREY),
        _line(_range_notes(chosen, spec), 74, VERMILION),
    ]
    return alt.layer(*lines).properties(width=WIDTH - 60, height=ANSWERS_HEIGHT, name=ANSWERS)


_IS_FITTED = "datum.size >= datum.fitted_low && datum.size <= datum.fitted_high"


def _range_notes(chosen: alt.Chart, spec: WhatIfSpec) -> alt.Chart:
    """What the prediction rests on where it was not measured: load outside the fitted ones, other hardware."""
    outside = (
        "load < datum.fitted_low || load > datum.fitted_high"
        " ? 'Outside the measured range (' + format(datum.fitted_low, ',.3~r')"
        " + (datum.fitted_high > datum.fitted_low ? ' to ' + format(datum.fitted_high, ',.3~r') : '')"
        f" + ' {spec.unit}): extrapolated. ' : ''"
    )
    hardware = (
        "cpu_speed != 1 || cpus != 1 || disk_speed != 1"
        " ? 'This hardware was not measured: predicted.' : ''"
    )
    return (
        chosen.transform_calculate(outside=outside, hardware=hardware)
        .transform_calculate(text="datum.outside + datum.hardware")
        .transform_filter("datum.text != ''")
    )


def _line(chart: alt.Chart, y: float, colour: str = INK) -> alt.Chart:
    mark = chart.mark_text(align="left", baseline="middle", fontSize=13, color=colour)
    return mark.encode(x=alt.value(0), y=alt.value(y), text="text:N")


def _limits(spec: WhatIfSpec) -> str:
    if spec.is_open:
        return (
            "'Knee (greatest X/R) at ' + format(datum.knee, ',.3~r') + '/s, saturated from '"
            " + format(datum.end, ',.3~r') + '/s on'"
        )
    return (
        "'Knee (N*) at ' + format(datum.knee, ',.3~r') + (datum.knee == 1 ? ' thread' : ' threads')"
        " + ', never more than '"
        " + format(datum.most, ',.3~r') + '/s'"
    )


def _target_crossing(at: alt.Chart, spec: WhatIfSpec) -> alt.Chart:
    """The load at which the curve reaches the target: one row with ``load``, ``low``, ``high`` and ``text``."""
    end = "datum.end" if spec.is_open else "null"

    def crossing(now: str, before: str, beyond: str) -> str:
        """The load between two points of the curve at which it reaches the target, else null."""
        part = f"(target - datum.{before}) / (datum.{now} - datum.{before})"
        return (
            f"isValid(datum.{before}) && datum.{before} <= target"
            f" && (!isValid(datum.{now}) || datum.{now} > target)"
            f" ? (isValid(datum.{now}) ? lerp([datum.size_0, datum.size], {part}) : {beyond}) : null"
        )

    what = (
        "!isValid(datum.load) ? (datum.least > target ? 'R is above ' + format(target, ',.3~r')"
        " + ' ms at every load' : 'R stays below ' + format(target, ',.3~r') + ' ms on the whole curve')"
        " : 'R passes ' + format(target, ',.3~r') + ' ms at ' + format(datum.load, ',.3~r') + ' ('"
        " + (isValid(datum.low) ? format(datum.low, ',.3~r') : 'less')"
        " + (isValid(datum.high) ? ' to ' + format(datum.high, ',.3~r') : ' or more') + ') "
        f"{spec.unit}'"
        " + (isValid(datum.load) && (datum.load < datum.fitted_low || datum.load > datum.fitted_high)"
        " ? ', extrapolated' : '')"
    )
    return (
        at.transform_calculate(
            c=crossing("R", "R_0", end),
            c_low=crossing("R_high", "high_0", "datum.size_0"),
            c_high=crossing("R_low", "low_0", "datum.size"),
        )
        .transform_aggregate(
            load="max(c)",
            low="max(c_low)",
            high="max(c_high)",
            least="min(R)",
            fitted_low="min(fitted_low)",
            fitted_high="max(fitted_high)",
        )
        .transform_calculate(text=what)
    )


# -- the two panels --------------------------------------------------------------------------------------------


def _x(spec: WhatIfSpec) -> alt.X:
    return alt.X("size:Q", title=spec.unit).scale(zero=True, nice=False).axis(grid=True)


def _response(
    chosen: alt.Chart, curve: alt.Chart, runs: alt.Chart, spec: WhatIfSpec
) -> alt.LayerChart:
    x = _x(spec)
    scale = alt.Scale(domainMin=0, domainMax=alt.ExprRef(f"{TOP} * target"), nice=False, zero=True)
    y = alt.Y("R:Q", title="mean response time R (ms)", scale=scale).axis(grid=True)
    drawn = curve.transform_filter("isValid(datum.R)")
    band = curve.transform_filter("isValid(datum.R_low)").transform_calculate(
        upper=f"isValid(datum.R_high) ? min(datum.R_high, {TOP + 1} * target) : {TOP + 1} * target"
    )
    layers = [
        band.mark_area(color=BLUE, opacity=0.16, clip=True).encode(
            x=x, y=alt.Y("R_low:Q", scale=scale), y2="upper:Q"
        ),
        *([] if spec.is_open else [_bound(curve, "R", _min_response(spec), x, y)]),
        *_model_lines(drawn, x, y),
        *_rules(chosen, spec),
        _target(),
        runs.mark_point(size=70, filled=True, opacity=0.9, clip=True).encode(
            x=x,
            y=alt.Y("R_drawn:Q", scale=scale),
            color=_kind("color"),
            shape=_kind("shape"),
            tooltip=_tips(spec),
        ),
        runs.transform_filter("isValid(datum.R_model)")
        .mark_tick(color=BLUE, orient="horizontal", thickness=2.5, width=18, clip=True)
        .encode(x=x, y=alt.Y("R_model:Q", scale=scale), tooltip=_tips(spec)),
        runs.transform_filter("datum.above")
        .transform_aggregate(low="min(R)", high="max(R)", groupby=["size"])
        .transform_calculate(
            text="'↑ ' + format(datum.low, ',.3~r') + (datum.high > datum.low ? ' to '"
            " + format(datum.high, ',.3~r') : '') + ' ms'"
        )
        .mark_text(dy=30, fontSize=10, color=GREY)
        .encode(x=x, y=alt.value(0), text="text:N"),
    ]
    return alt.layer(*layers).properties(width=WIDTH - 60, height=HEIGHT)


def _throughput(
    chosen: alt.Chart, curve: alt.Chart, runs: alt.Chart, spec: WhatIfSpec
) -> alt.LayerChart:
    x = _x(spec)
    y = alt.Y("X:Q", title="throughput X (1/s)").scale(zero=True).axis(grid=True)
    if spec.is_open:
        ends = chosen.transform_calculate(
            size="[0, min(datum.fitted_low, datum.end), min(datum.fitted_high, datum.end), datum.end]"
        ).transform_flatten(["size"])
        lines = [
            *_model_lines(ends.transform_calculate(X="datum.size"), x, y),
            chosen.mark_rule(**DASHED).encode(y="end:Q"),
        ]
    else:
        lines = [
            curve.mark_area(color=BLUE, opacity=0.16).encode(
                x=x, y=alt.Y("X_low:Q").scale(zero=True), y2="X_high:Q"
            ),
            _bound(curve, "X", _max_throughput(spec), x, y),
            *_model_lines(curve, x, y),
        ]
    points = runs.mark_point(size=70, filled=True, opacity=0.9).encode(
        x=x, y=y, color=_kind("color"), shape=_kind("shape"), tooltip=_tips(spec)
    )
    return alt.layer(*lines, *_rules(chosen, spec, named=False), points).properties(
        width=WIDTH - 60, height=LOWER_HEIGHT
    )


def _model_lines(curve: alt.Chart, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The model's curve: dashed, and solid over the loads that it was fitted to."""
    predicted = curve.mark_line(color=BLUE, strokeWidth=1.5, strokeDash=[3, 3], clip=True)
    fitted = curve.transform_filter(_IS_FITTED).mark_line(color=BLUE, strokeWidth=3, clip=True)
    return [predicted.encode(x=x, y=y), fitted.encode(x=x, y=y)]


def _bound(curve: alt.Chart, name: str, formula: str, x: alt.X, y: alt.Y) -> alt.Chart:
    mark = curve.transform_calculate(**{name: formula}).mark_line(**DASHED, clip=True)
    return mark.encode(x=x, y=y)


def _min_response(spec: WhatIfSpec) -> str:
    """The lower asymptotic bound of R, in ms (``network.bounds.asymptotic``)."""
    return f"max(datum.least, 1000 * (datum.size / datum.most - {spec.think_time_s}))"


def _max_throughput(spec: WhatIfSpec) -> str:
    return f"min(datum.most, datum.size / (datum.least / 1000 + {spec.think_time_s}))"


def _rules(chosen: alt.Chart, spec: WhatIfSpec, *, named: bool = True) -> list[alt.Chart]:
    """Vertical lines: the knee, saturation, and the load of the slider."""
    marker = alt.Chart(alt.InlineData(values=[{}])).transform_calculate(size="load")
    knee = chosen.transform_calculate(size="datum.knee")
    rules = [
        knee.mark_rule(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(x="size:Q"),
        marker.mark_rule(color=INK, strokeWidth=1.5).encode(x="size:Q"),
    ]
    names = [(knee, "knee")]
    if spec.is_open:
        saturated = chosen.transform_calculate(size="datum.end")
        rules.append(saturated.mark_rule(**DASHED).encode(x="size:Q"))
        names.append((saturated, "saturated"))
    return rules + ([_name(chart, name) for chart, name in names] if named else [])


def _name(chart: alt.Chart, name: str) -> alt.Chart:
    mark = chart.mark_text(align="left", baseline="top", dx=4, dy=2, fontSize=11, text=name)
    return mark.encode(x="size:Q", y=alt.value(0))


def _target() -> alt.Chart:
    marker = alt.Chart(alt.InlineData(values=[{}])).transform_calculate(R="target")
    return marker.mark_rule(color=VERMILION, strokeDash=[8, 3, 2, 3], strokeWidth=1.5).encode(
        y="R:Q"
    )


def _kind(channel: str) -> alt.Color | alt.Shape:
    scale = alt.Scale(
        domain=list(ROLES_IN_FIT),
        range=[ROLES_IN_FIT[name][channel == "color"] for name in ROLES_IN_FIT],
    )
    encoding = alt.Color if channel == "color" else alt.Shape
    return encoding("role_in_fit:N", title="measured runs", scale=scale)


def _tips(spec: WhatIfSpec) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("run:N"),
        alt.Tooltip("role_in_fit:N", title="role in fit"),
        alt.Tooltip("size:Q", title=spec.unit),
        alt.Tooltip("process:N", title="arrival process"),
        alt.Tooltip("R:Q", title="R (ms)", format=",.3~r"),
        alt.Tooltip("R_model:Q", title="R, model of this load (ms)", format=",.3~r"),
        alt.Tooltip("X:Q", title="X (1/s)", format=",.3~r"),
    ]


def _chart_description(begin: Mapping[str, Any], points: pl.DataFrame, spec: WhatIfSpec) -> str:
    drawn = zip(begin["size"], begin["R"], strict=True)
    pairs = [(size, value) for size, value in drawn if value is not None]
    (first, low), (last, high) = pairs[0], pairs[-1]
    limit = f"saturated from {format_short(begin['end'])}/s" if spec.is_open else (
        f"never more than {format_short(begin['most'])}/s"
    )  # fmt: skip
    return (
        f"{spec.title}: modelled R rises from {format_short(low)} ms at {format_short(first)} {spec.unit} to"
        f" {format_short(high)} ms at {format_short(last)}, with its interval; the knee is at"
        f" {format_short(begin['knee'])}, {limit}. {points.height} measured runs are drawn as points."
        " Sliders change the place, the load, the target and the hardware."
    )
