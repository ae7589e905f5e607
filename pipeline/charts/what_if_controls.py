"""Sliders of the what-if chart: the parameters of its specification, and their groups and units for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt
import polars as pl

from pipeline.units import format_short


@dataclass(frozen=True)
class WhatIfSpec:
    """Title, units and initial values of the sliders."""

    title: str
    unit: str
    """Unit of the load: ``requests/s``, ``threads``."""
    is_open: bool
    places: Sequence[str]
    spacings: Mapping[str, str]
    """Arrival process → its label; a single one if there is no choice."""
    size: float
    """Today's load."""
    min_load: float
    """The lightest load of the curves."""
    target_ms: float
    think_time_s: float = 0.0


def slider_params(
    rows: Sequence[Mapping[str, Any]], points: pl.DataFrame, spec: WhatIfSpec
) -> list[alt.Parameter]:
    """Parameters of the chart, each bound to an input that JupyterLab shows below it."""
    measured = float(points["size"].max() or 0)
    if spec.is_open:
        today = [row["end"] for row in rows if row["cpu_speed"] == row["cpus"] == 1]
        max_load = max(measured * 1.25, spec.size * 2, *today)
    else:
        max_load = max(row["size"][-1] for row in rows)
    step = 1.0 if not spec.is_open else float(f"{max_load / 200:.1g}")
    target = spec.target_ms
    params = [
        _select("place", "where: ", range(len(spec.places)), spec.places),
        _range(
            "load", f"{spec.unit}: ", spec.size, spec.min_load, step * round(max_load / step), step
        ),
        _range("target", "target of R (ms): ", target, target / 4, target * 5, target / 20),
        _steps("cpu_speed", "CPU speed (×): ", rows),
        _steps("cpus", "CPUs (×): ", rows),
        _steps("disk_speed", "disk speed (×): ", rows),
    ]
    names, text = list(spec.spacings), list(spec.spacings.values())
    if len(names) > 1:
        params.insert(1, _select("spacing", "arrivals: ", names, text))
    else:
        params.append(alt.param(name="spacing", value=names[0]))
    return params


def control_groups(spec: WhatIfSpec) -> list[dict[str, Any]]:
    """For a page: the sliders in groups, with label and unit; ``charts`` binds the same ones for JupyterLab."""

    def control(name: str, label: str, unit: str = "") -> dict[str, str]:
        return {"name": name, "label": label, "unit": unit}

    return [
        {
            "title": "Load",
            "controls": [
                *([control("spacing", "Arrivals")] if len(spec.spacings) > 1 else []),
                control("load", "Load", spec.unit),
            ],
        },
        {"title": "Target", "controls": [control("target", "Mean R at most", "ms")]},
        {
            "title": "Hardware",
            "controls": [
                control("place", "Virtual server"),
                control("cpu_speed", "CPU speed", "×"),
                control("cpus", "CPUs", "×"),
                control("disk_speed", "Disk speed", "×"),
            ],
        },
    ]


def _range(
    name: str, label: str, value: float, minimum: float, maximum: float, step: float
) -> alt.Parameter:
    bind = alt.binding_range(min=minimum, max=maximum, step=step, name=label)
    return alt.param(name=name, value=value, bind=bind)


def _select(name: str, label: str, values: Sequence[Any], labels: Sequence[str]) -> alt.Parameter:
    bind = alt.binding_select(options=list(values), labels=list(labels), name=label)
    return alt.param(name=name, value=values[0], bind=bind)


def _steps(name: str, label: str, rows: Sequence[Mapping[str, Any]]) -> alt.Parameter:
    """A slider where the values are evenly spaced, else a choice among them; it begins at 1."""
    values = sorted({row[name] for row in rows})
    gaps = {later - earlier for earlier, later in pairwise(values)}
    if len(gaps) == 1:
        return _range(name, label, 1, values[0], values[-1], gaps.pop())
    bind = alt.binding_select(options=values, labels=[format_short(x) for x in values], name=label)
    return alt.param(name=name, value=1, bind=bind)
