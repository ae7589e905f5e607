"""Designed experiments: the design, the effects, their comparison, and the charts as files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.factors.design import design as factor_design
from pipeline.factors.document import to_document as effects_document
from pipeline.factors.effects import Effects
from pipeline.factors.effects import effects as factor_effects
from pipeline.factors.observations import read_observations
from pipeline.factors.plot_data import half_normal, interaction_means, variation
from pipeline.factors.scale import compare_scales

__all__ = [
    "compare_scales",
    "effects_document",
    "factor_charts",
    "factor_design",
    "factor_effects",
    "half_normal",
    "interaction_means",
    "read_observations",
    "variation",
    "write_factor_charts",
]

MAX_INTERACTION_PLOTS = 6


def factor_charts(fitted: Effects) -> Iterator[tuple[str, Any]]:
    """Names and charts: effects, allocation of variation, half-normal plot, largest interactions of two factors."""
    from pipeline import charts

    scale = f"ln {fitted.response}" if fitted.log else fitted.response
    rows = fitted.table.drop_nulls("estimate")
    columns = ("ratio", "ratio_low", "ratio_high") if fitted.log else ("estimate", "low", "high")
    table = rows.select(
        "effect", "verdict", **dict(zip(("value", "low", "high"), columns, strict=True))
    )
    axis = (
        f"ratio of {fitted.response}, high over low level"
        if fitted.log
        else (f"effect on {fitted.response} (half the difference)")
    )
    yield (
        "effects",
        charts.factor_effects(
            table, title=f"Effects on {fitted.response}", axis=axis, no_effect=float(fitted.log)
        ),
    )
    yield (
        "variation",
        charts.factor_variation(variation(fitted), title=f"Allocation of the variation of {scale}"),
    )
    yield (
        "half-normal",
        charts.factor_half_normal(
            half_normal(fitted),
            title=f"Half-normal plot of the effects on {scale}",
            axis="effect",
            error=fitted.standard_error,
        ),
    )
    pairs = [pair for pair in combinations(fitted.levels, 2) if ":".join(pair) in fitted.estimates]
    pairs.sort(key=lambda pair: -abs(fitted.estimates[":".join(pair)]))
    for pair in pairs[:MAX_INTERACTION_PLOTS]:
        yield (
            f"interaction-{'-'.join(pair)}",
            charts.factor_interaction(
                interaction_means(fitted, pair),
                title=f"{fitted.response} by {pair[0]} and {pair[1]}",
                axis=fitted.response,
                x_title=pair[0],
                line_title=pair[1],
            ),
        )


def write_factor_charts(fitted: Effects, folder: Path | str) -> list[Path]:
    """Write the charts as SVG files to ``folder``, which is made; returns their paths."""
    from pipeline.charts import theme

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, chart in factor_charts(fitted):
        path = folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}.svg"
        files.write_text(path, theme.svg_of_spec(theme.with_theme(chart)))
        paths.append(path)
    return paths
