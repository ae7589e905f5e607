"""Drawings as SVG text: boxes, arrows, queues and numbered steps on a white ground that scales with the page."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.charts.theme import FONT, GREY, INK, ORANGE

LINE_HEIGHT = 1.25
"""Of texts below one another, in their font size."""

TINT = 0.09
"""Opacity of a box's fill."""

Point = tuple[float, float]


@dataclass
class Drawing:
    """Shapes and texts; ``svg`` has a view box. At most 600 px wide and of 13 px text, it is readable on a phone."""

    width: int
    height: int
    title: str
    description: str
    parts: list[str] = field(default_factory=list)

    def rect(
        self, x: float, y: float, width: float, height: float, *, stroke: str = INK,
        fill: str = "none", opacity: float = 1, dash: str = "", radius: int = 5,
    ) -> None:  # fmt: skip
        """A rectangle with round corners; ``opacity`` is that of its fill."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        tinted = f' fill-opacity="{opacity}"' if opacity != 1 else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
            f'fill="{fill}"{tinted} stroke="{stroke}" stroke-width="1.4"{dashed}/>'
        )

    def text(
        self, x: float, y: float, text: str, *, size: int = 14, colour: str = INK,
        anchor: str = "middle", bold: bool = False,
    ) -> None:  # fmt: skip
        """One line of text with its base line at ``y``."""
        self.parts.append(
            f'<text x="{x}" y="{y:g}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{600 if bold else 400}">{html.escape(text)}</text>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, *texts: str, colour: str = INK,
        heading: str = "", tinted: bool = False, size: int = 13,
    ) -> None:  # fmt: skip
        """A rectangle with ``texts`` in its middle, one line each, and a bold ``heading`` at its top."""
        fill = colour if tinted else "white"
        self.rect(x, y, width, height, stroke=colour, fill=fill, opacity=TINT if tinted else 1)
        middle, top = x + width / 2, y
        if heading:
            self.text(middle, y + size + 6, heading, size=size, bold=True)
            top = y + size + 10
        first = (top + y + height) / 2 - (len(texts) - 1) * size * LINE_HEIGHT / 2 + 0.36 * size
        for number, text in enumerate(texts):
            self.text(middle, first + number * size * LINE_HEIGHT, text, size=size)

    def line(self, *points: Point, colour: str = INK) -> None:
        """A line through ``points``."""
        self.parts.append(
            f'<polyline points="{_polyline(points)}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
        )

    def arrow(self, *points: Point, colour: str = INK) -> None:
        """A line through ``points`` of right angles, with a head at its end."""
        (x1, y1), (x2, y2) = points[-2:]
        dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        self.line(*points[:-1], (x2 - 6 * dx, y2 - 6 * dy), colour=colour)
        head = " ".join(
            f"{x2 - 9 * dx + side * 4.5 * dy},{y2 - 9 * dy + side * 4.5 * dx}" for side in (-1, 1)
        )
        self.parts.append(f'<polygon points="{x2},{y2} {head}" fill="{colour}"/>')

    def queue(self, x: float, y: float, text: str, colour: str) -> None:
        """A waiting line from ``x`` on and its server, with a text in it."""
        for place in range(4):
            self.rect(x + 11 * place, y - 14, 11, 28, fill="white", radius=0)
        self.parts.append(
            f'<circle cx="{x + 70}" cy="{y}" r="26" fill="{colour}" fill-opacity=".15" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
        self.text(x + 70, y + 5, text, bold=True)

    def dot(self, x: float, y: float, *, is_filled: bool) -> None:
        """A small circle, filled or empty."""
        fill = INK if is_filled else "white"
        self.parts.append(
            f'<circle cx="{x}" cy="{y}" r="4.5" fill="{fill}" stroke="{INK}" stroke-width="1.4"/>'
        )

    @contextmanager
    def step(
        self, number: int, badge: Point, *paths: Sequence[Point], is_lit: bool = False
    ) -> Iterator[None]:
        """A numbered step: what is drawn inside, on a band along ``paths`` that is seen while the step is lit.

        In the SVG a step is ``<g data-step="3">`` and what shows that it is lit has the class ``halo``, so that a
        script can light another one.
        """
        (x, y), seen = badge, "visible" if is_lit else "hidden"
        self.parts.append(f'<g data-step="{number}"><g class="halo" visibility="{seen}">')
        for path in paths:
            self.parts.append(
                f'<polyline points="{_polyline(path)}" fill="none" stroke="{ORANGE}" stroke-opacity=".55" '
                'stroke-width="11" stroke-linecap="round" stroke-linejoin="round"/>'
            )
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="14" fill="{ORANGE}"/></g>')
        yield
        self.parts.append(
            f'<circle cx="{x}" cy="{y}" r="9.5" fill="white" stroke="{GREY}" stroke-width="1.2"/>'
        )
        self.text(x, y + 4.7, str(number), size=13, bold=True)
        self.parts.append("</g>")

    def svg(self) -> str:
        """The drawing as SVG text."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img" font-family="{FONT}">'
            f"<title>{html.escape(self.title)}</title><desc>{html.escape(self.description)}</desc>"
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>'
            f"{''.join(self.parts)}</svg>"
        )


def _polyline(points: Sequence[Point]) -> str:
    return " ".join(f"{x},{y}" for x, y in points)
