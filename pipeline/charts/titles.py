"""Texts of charts: titles, alternative text, and the chart that replaces an empty one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from pipeline.charts.theme import GREY, WIDTH


def alt_text(subject: str, numbers: Sequence[str]) -> str:
    """Alternative text: what is drawn, then its numbers."""
    stop = "" if subject.endswith(("?", ".", "!")) else "."
    return f"{subject}{stop} " + "; ".join(part for part in numbers if part) + "."


def chart_title(text: str, *subtitles: str) -> alt.TitleParams:
    """A chart's title, with the subtitles that are not empty."""
    lines = [line for line in subtitles if line]
    return alt.TitleParams(text, subtitle=lines) if lines else alt.TitleParams(text)


def with_title(
    chart: alt.TopLevelMixin, title: str, numbers: Sequence[str], axis: str = "", **size: Any
) -> Any:
    """``chart`` with its title, and an alternative text of title, axis and numbers. ``size``: width, height."""
    text = alt_text(f"{title} ({axis})" if axis else title, numbers)
    return chart.properties(title=chart_title(title), description=text, **size)  # type: ignore[attr-defined]


def empty_chart(title: str) -> alt.Chart:
    """A chart that consists of the sentence that there is no data."""
    message = "There is nothing to draw: no row has a value."
    return (
        alt.Chart(
            alt.Data(values=[{"text": message}]), title=chart_title(title), width=WIDTH, height=60
        )
        .mark_text(align="left", fontStyle="italic", color=GREY)
        .encode(text="text:N", x=alt.value(0))
        .properties(description=f"{title}: {message}")
    )
