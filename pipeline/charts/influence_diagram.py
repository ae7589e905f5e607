"""The paper's Figure 1 with numbers: performance metrics on top, influence factors in branches, the effect of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.charts.drawing import TINT, Drawing
from pipeline.charts.paper_figures import GROUP_COLOURS
from pipeline.charts.theme import BLUE, GREY, INK
from pipeline.charts.titles import alt_text
from pipeline.factors.texts import BEYOND_NOISE, INCONCLUSIVE
from pipeline.units import format_number

WIDTH = 460
"""Pixels: a phone shows the text of 12 px and more at nearly its size."""
LEFT, RIGHT = 30, 4
"""Margins of the columns."""
HEAD_HEIGHT, BRANCH_HEIGHT, LEAF_HEIGHT, LINE_HEIGHT = 46, 34, 66, 18
MAX_TITLE_CHARACTERS = 62
OTHER_BRANCH = "other"
"""Branch of a factor for which study.json names none."""


@dataclass(frozen=True)
class Cell:
    """An effect of a factor on a metric: a ratio, high level over low level, or a difference; None without one."""

    value: float | None
    low: float | None
    high: float | None
    is_ratio: bool
    verdict: str | None
    """One of the verdicts of :mod:`pipeline.factors.texts`."""


@dataclass(frozen=True)
class Leaf:
    """An influence factor."""

    branch: str | None
    title: str
    levels: str
    """``1 CPU → 0.5 CPU``."""
    cells: tuple[Cell, ...] = ()
    """One per metric; none if the experiment does not vary the factor."""
    note: str = ""
    """Why there are no effects; with effects, which other factor they may belong to."""


def influence_diagram(
    leaves: Sequence[Leaf], metrics: Sequence[tuple[str, str]], *, title: str
) -> Drawing:
    """The hierarchy of Figure 1 with the effect of each factor on each metric.

    Tinted and bold: beyond noise. Dashed frame: inconclusive. Grey: within noise, or not varied.

    Parameters
    ----------
    leaves
        The factors; those of a branch stand together, branches in the order of the paper.
    metrics
        Symbol and short title of each metric, at most five.
    title
        Of the drawing.

    Returns
    -------
    Drawing
    """
    branches = [name for name in GROUP_COLOURS if any(leaf.branch == name for leaf in leaves)]
    grouped = [(name, [leaf for leaf in leaves if leaf.branch == name]) for name in branches]
    others = [leaf for leaf in leaves if leaf.branch not in GROUP_COLOURS]
    if others:
        grouped.append((OTHER_BRANCH, others))
    height = HEAD_HEIGHT + 30 + 34
    for _, members in grouped:
        height += BRANCH_HEIGHT + 8 + sum(_height(leaf) for leaf in members)
    drawing = Drawing(WIDTH, height, title, _description(title, leaves, metrics))
    width = (WIDTH - LEFT - RIGHT) / len(metrics)
    _draw_metrics(drawing, metrics, width)
    y = HEAD_HEIGHT + 30.0
    trunk = y - 12
    for name, members in grouped:
        colour = GROUP_COLOURS.get(name, GREY)
        drawing.rect(
            LEFT - 8, y, WIDTH - LEFT + 8 - RIGHT, 24, stroke=colour, fill=colour, opacity=TINT
        )
        drawing.text(LEFT, y + 17, name, size=14, anchor="start", bold=True)
        drawing.line((12, trunk), (12, y + 12), (LEFT - 8, y + 12), colour=GREY)
        trunk = y + 12
        y += BRANCH_HEIGHT
        for leaf in members:
            _draw_leaf(drawing, leaf, y, width)
            y += _height(leaf)
        y += 8
    for number, text in enumerate(LEGEND):
        drawing.text(6, y + 10 + 15 * number, text, size=12, anchor="start", colour=GREY)
    return drawing


LEGEND = (
    "×: at the high level over at the low level (arrow), 95 % interval below.",
    "tinted: beyond noise; dashed: inconclusive; grey: within noise",
)


def _height(leaf: Leaf) -> int:
    return (LEAF_HEIGHT if leaf.cells else LINE_HEIGHT + 6) + LINE_HEIGHT * bool(leaf.note)


def _draw_metrics(drawing: Drawing, metrics: Sequence[tuple[str, str]], width: float) -> None:
    """The metrics' boxes, and the bar from which arrows lead to them."""
    for column, (symbol, name) in enumerate(metrics):
        x = LEFT + column * width
        drawing.rect(x + 2, 2, width - 4, HEAD_HEIGHT - 4, stroke=BLUE, fill=BLUE, opacity=TINT)
        drawing.text(x + width / 2, 20, symbol, size=14, bold=True)
        drawing.text(x + width / 2, 37, name, size=12)
        drawing.arrow((x + width / 2, HEAD_HEIGHT + 14), (x + width / 2, HEAD_HEIGHT), colour=GREY)
    drawing.rect(9, HEAD_HEIGHT + 14, WIDTH - RIGHT - 11, 4, stroke=GREY, fill=GREY, radius=1)


def _draw_leaf(drawing: Drawing, leaf: Leaf, y: float, width: float) -> None:
    colour = INK if leaf.cells else GREY
    label = f"{leaf.title}: {leaf.levels}" if leaf.levels else leaf.title
    for text in filter(None, (label, leaf.note)):
        shown = text
        if len(text) > MAX_TITLE_CHARACTERS:
            shown = f"{text[: MAX_TITLE_CHARACTERS - 1]}…"
        drawing.text(LEFT, y + 14, shown, size=13, anchor="start", colour=colour)
        y += LINE_HEIGHT
    for column, cell in enumerate(leaf.cells):
        _draw_cell(drawing, cell, LEFT + column * width, y + 2, width)


def _draw_cell(drawing: Drawing, cell: Cell, x: float, y: float, width: float) -> None:
    middle, is_certain = x + width / 2, cell.verdict == BEYOND_NOISE
    if is_certain:
        drawing.rect(x + 2, y, width - 4, 38, stroke=BLUE, fill=BLUE, opacity=0.16, radius=3)
    elif cell.verdict == INCONCLUSIVE:
        drawing.rect(x + 2, y, width - 4, 38, stroke=GREY, dash="3 3", radius=3)
    colour = GREY if cell.verdict not in (BEYOND_NOISE, INCONCLUSIVE) else INK
    drawing.text(middle, y + 17, effect_text(cell), size=14, bold=is_certain, colour=colour)
    drawing.text(middle, y + 32, interval_text(cell), size=12, colour=colour)


def effect_text(cell: Cell) -> str:
    """``×1.42``, ``+3.1``, ``–`` without a value.

    Examples
    --------
    >>> effect_text(Cell(1.418, 1.3, 1.55, True, "beyond noise"))
    '×1.42'
    >>> effect_text(Cell(-3.1, -4.0, -2.2, False, "beyond noise"))
    '−3.1'
    """
    if cell.value is None:
        return "–"
    if cell.is_ratio:
        return f"×{format_number(cell.value)}"
    return f"{'−' if cell.value < 0 else '+'}{format_number(abs(cell.value))}"


def interval_text(cell: Cell) -> str:
    """``1.30–1.55``, of differences ``−4.0 to −2.2``; empty without an interval."""
    if cell.low is None or cell.high is None:
        return ""
    low, high = (
        format_number(bound, 2 if abs(bound) < 0.1 else 3) for bound in (cell.low, cell.high)
    )
    return f"{low}–{high}" if cell.is_ratio else f"{low} to {high}".replace("-", "−")


def _description(title: str, leaves: Sequence[Leaf], metrics: Sequence[tuple[str, str]]) -> str:
    parts = []
    for leaf in leaves:
        label = f"{leaf.title} ({leaf.levels})" if leaf.levels else leaf.title
        if leaf.note and leaf.cells:
            label = f"{label} {leaf.note}"
        effects = [
            f"{symbol} {effect_text(cell)} ({interval_text(cell)}, {cell.verdict or 'no verdict'})"
            for (symbol, _), cell in zip(metrics, leaf.cells, strict=False)
        ]
        parts.append(f"{label}: {', '.join(effects) or leaf.note}")
    return alt_text(title, parts)
