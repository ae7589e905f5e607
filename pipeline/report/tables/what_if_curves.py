"""What-if analysis: curves of one virtual server under other loads and hardware, for its page.

The functions take a :class:`pipeline.api.WhatIf`: the host model fitted to the study's runs. A curve holds for any
arrivals of its kind; a recorded load is predicted as it was, with its length and, where known, its arrival trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.api import Band, HardwareChange, ResponseCurve, WhatIf
from pipeline.api.what_if import sweep_all
from pipeline.charts import WhatIfSpec

Array = NDArray[np.float64]

CPU_SPEEDS = (0.5, 1.0, 1.5, 2.0)
CPU_COUNTS = (1, 2, 4)
DISK_SPEEDS = (0.5, 1.0, 2.0)
"""Positions of the sliders, relative to the recorded hardware."""
MIN_LOAD_SHARE = 0.01
"""The lightest open load of a curve, as a share of the saturation of the baseline."""


# -- curves --------------------------------------------------------------------------------------------


def grid(data: WhatIf) -> Iterator[dict[str, Any]]:
    """One row per position of the sliders with its curves, as ``charts.what_if`` takes them."""
    positions = list(
        product(range(len(data.places)), CPU_SPEEDS, CPU_COUNTS, DISK_SPEEDS, data.spacings)
    )
    scenarios = [
        data.scenario(place, HardwareChange(speed, cpus, disk), spacing)
        for place, speed, cpus, disk, spacing in positions
    ]
    curves = sweep_all(data, scenarios, min_level=min_load(data))
    for (place, speed, cpus, disk, spacing), curve in zip(positions, curves, strict=True):
        fitted = fitted_range(data, place)
        curve = with_levels(curve, fitted)
        row: dict[str, Any] = {
            "fitted_low": rounded(fitted[0]),
            "fitted_high": rounded(fitted[1]),
            "place": place,
            "spacing": spacing,
            "cpu_speed": speed,
            "cpus": cpus,
            "disk_speed": disk,
            "size": [rounded(x) for x in curve.levels],
            **listed("R", curve.response_s, 1e3),
            "knee": rounded(curve.knee),
            "most": rounded(curve.max_throughput_per_s),
        }
        if data.is_open:
            row["end"] = rounded(curve.saturation_level)
        else:
            row |= listed("X", curve.throughput_per_s, 1.0)
            row["least"] = rounded(curve.min_response_s * 1e3)
        yield row


def min_load(data: WhatIf) -> float:
    """The lightest load of the curves: one thread, or a round number near ``MIN_LOAD_SHARE`` of saturation."""
    if not data.is_open:
        return 1.0
    return float(f"{data.scenario().saturation_per_s() * MIN_LOAD_SHARE:.1g}")


def fitted_range(data: WhatIf, place: int = 0) -> tuple[float, float]:
    """The lightest and the heaviest load that the model of a place was fitted to; beyond them it extrapolates."""
    levels = [observation.load.level for observation in data.fitted_at(place)]
    return min(levels), max(levels)


def with_levels(curve: ResponseCurve, levels: Sequence[float]) -> ResponseCurve:
    """The same lines with points at ``levels`` too, where R has a lower limit on both sides."""
    finite = curve.levels[np.isfinite(curve.response_s.low)]
    inside = [level for level in levels if finite.size and finite[0] <= level <= finite[-1]]
    merged = np.unique(np.concatenate((curve.levels, inside)))

    def line(values: Array) -> Array:
        with np.errstate(invalid="ignore"):  # between a finite and an infinite value: not finite
            return np.interp(merged, curve.levels, values)

    def interpolated(band: Band) -> Band:
        return Band(line(band.value), line(band.low), line(band.high))

    return replace(
        curve,
        levels=merged,
        response_s=interpolated(curve.response_s),
        throughput_per_s=interpolated(curve.throughput_per_s),
    )


def listed(name: str, band: Band, factor: float) -> dict[str, list[float | None]]:
    """A band as three lists for JSON: under its name, with ``_low`` and with ``_high``."""
    lines = {name: band.value, f"{name}_low": band.low, f"{name}_high": band.high}
    return {title: [rounded(x * factor) for x in line] for title, line in lines.items()}


def rounded(value: float) -> float | None:
    """Four significant digits, enough for a curve; None for what is not finite."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def chart_spec(data: WhatIf) -> WhatIfSpec:
    """Titles of the chart and the initial positions of its sliders."""
    return WhatIfSpec(
        title=f"The {data.title}: R and X over the load",
        unit=data.unit,
        is_open=data.is_open,
        places=[place.title for place in data.places],
        spacings={s: data.scenario(spacing=s).at_level(1.0).arrival_text for s in data.spacings},
        size=data.load.level,
        min_load=min_load(data),
        target_ms=data.target_s * 1e3,
        think_time_s=data.load.think_time_s,
    )
