"""Frame of a live figure: sliders and menus that need no kernel, lines of text that follow them, panels below.

A page shows the controls above the chart, with label and unit, and the lines as a paragraph; JupyterLab shows the
inputs below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from pipeline.charts.theme import INK, WIDTH

PANEL = WIDTH - 60
"""Width of a panel in pixels; a page fits it to its column."""
LINE_HEIGHT = 22
DECIMALS = ",.3~r"
"""Vega's format of a number with three significant digits."""
ONCE = alt.InlineData(values=[{}])
"""A single empty row: for a mark that only depends on the controls."""


@dataclass(frozen=True)
class Control:
    """A parameter of the chart with its input, label and unit."""

    parameter: alt.Parameter
    label: str
    unit: str = ""

    @property
    def name(self) -> str:
        """Name of the parameter."""
        return str(self.parameter.name)


def slider(
    name: str, label: str, value: float, limits: tuple[float, float], step: float, unit: str = ""
) -> Control:
    """A slider from ``limits[0]`` to ``limits[1]`` that begins at ``value``; ``unit`` of the values."""
    shown = f"{label} ({unit}): " if unit else f"{label}: "
    bind = alt.binding_range(min=limits[0], max=limits[1], step=step, name=shown)
    return Control(alt.param(name=name, value=value, bind=bind), label, unit)


def menu(
    name: str, label: str, values: Sequence[Any], labels: Sequence[str] | None = None
) -> Control:
    """A choice among ``values``, shown as ``labels``; it begins at the first."""
    texts = [str(value) for value in labels or values]
    bind = alt.binding_select(options=list(values), labels=texts, name=f"{label}: ")
    return Control(alt.param(name=name, value=values[0], bind=bind), label)


def number(expression: str, unit: str = "", digits: int = 3) -> str:
    """A Vega expression as text with ``digits`` significant digits and ``unit``."""
    return f"format({expression}, ',.{digits}~r')" + (f" + ' {unit}'" if unit else "")


def text_line(data: alt.Chart, expression: str, colour: str = INK) -> alt.Chart:
    """A line of text that follows the controls: a Vega expression over the single row of ``data``."""
    mark = data.transform_calculate(text=expression).transform_filter("datum.text != ''")
    return mark.mark_text(align="left", baseline="middle", fontSize=13, color=colour).encode(
        text="text:N"
    )


def live_figure(
    lines: Sequence[alt.Chart],
    panels: Sequence[Any],
    controls: Sequence[Control],
    *,
    title: str,
    description: str,
    **options: Any,
) -> alt.VConcatChart:
    """Lines of text over panels, with controls.

    Parameters
    ----------
    lines : sequence of Chart
        Made by :func:`text_line`, from the top.
    panels : sequence of Chart
        Each with a width of ``PANEL``, and with names of data in ``options["datasets"]`` where they share rows.
    controls : sequence of Control
        In the order in which a page shows them.
    title, description : str
        Title and alternative text of the chart.

    Returns
    -------
    VConcatChart
    """
    placed = [
        line.encode(x=alt.value(0), y=alt.value(10 + LINE_HEIGHT * row))
        for row, line in enumerate(lines)
    ]
    # a page looks for a panel of this name
    texts = alt.layer(*placed).properties(
        width=PANEL, height=LINE_HEIGHT * len(lines), name="answers"
    )
    shown = [
        {"name": control.name, "label": control.label, "unit": control.unit} for control in controls
    ]
    return (
        alt.vconcat(texts, *panels, spacing=16, **options)
        .add_params(*(control.parameter for control in controls))
        .properties(
            title=title,
            description=description,
            usermeta={"controls": [{"title": "", "controls": shown}]},
        )
    )
