"""What if: one virtual server's curves under other loads and hardware, for its page; nothing shown yet.

``open_what_if`` fits the model of the host to the study's runs (those alone on the host, kept up with, and not held
out) and gives a ``WhatIf``; the other functions take it. Curves are of any stream of arrivals of their kind; a recorded
load is answered as it was: its length, and its client's fixed sequence where it has one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

from pipeline.api import Band, HardwareChange, WhatIf, sweep
from pipeline.charts import WhatIfSpec

CPU_SPEEDS = (0.5, 1.0, 1.5, 2.0)
CPU_COUNTS = (1, 2, 4)
DISK_SPEEDS = (0.5, 1.0, 2.0)
"""What the sliders offer, in multiples of what there is."""
LEAST_PART = 0.01
"""The lightest open load of a curve, as a part of today's saturation."""


# -- what is drawn --------------------------------------------------------------------------------------


def grid(data: WhatIf) -> Iterator[dict[str, Any]]:
    """The curves of every position of the sliders, a row each, as ``charts.what_if`` takes them."""
    least = least_size(data)
    for place, speed, cpus, disk, spacing in product(
        range(len(data.places)), CPU_SPEEDS, CPU_COUNTS, DISK_SPEEDS, data.spacings
    ):
        scenario = data.scenario(place, HardwareChange(speed, cpus, disk), spacing)
        curve = sweep(scenario, min_level=least, extra_levels=[data.load.level])
        row: dict[str, Any] = {
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


def least_size(data: WhatIf) -> float:
    """The lightest load of the curves: one thread, or 1 % of today's saturation as a round number."""
    if not data.is_open:
        return 1.0
    return float(f"{data.scenario().saturation_per_s() * LEAST_PART:.1g}")


def listed(name: str, band: Band, factor: float) -> dict[str, list[float | None]]:
    """A band as three lists for JSON: the name, with ``_low`` and with ``_high``."""
    lines = {name: band.value, f"{name}_low": band.low, f"{name}_high": band.high}
    return {title: [rounded(x * factor) for x in line] for title, line in lines.items()}


def rounded(value: float) -> float | None:
    """Four digits draw a curve; what is not finite is missing."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def what_is_asked(data: WhatIf) -> WhatIfSpec:
    """What the chart says around the curves, and where its sliders begin."""
    return WhatIfSpec(
        title=f"The {data.title}: R and X over the load",
        unit=data.unit,
        is_open=data.is_open,
        places=[place.title for place in data.places],
        spacings={s: data.scenario(spacing=s).at_level(1.0).arrival_text for s in data.spacings},
        size=data.load.level,
        least=least_size(data),
        target_ms=data.target_s * 1e3,
        think_time_s=data.load.think_time_s,
    )
