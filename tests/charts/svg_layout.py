"""Where the texts, boxes and lines of a drawing are, with the widths that Vega's font measure gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree

import vl_convert

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, and what it is called in a message."""

    name: str
    x1: float
    y1: float
    x2: float
    y2: float

    def overlaps(self, other: Box) -> bool:
        return (
            min(self.x2, other.x2) - max(self.x1, other.x1) > 0
            and min(self.y2, other.y2) - max(self.y1, other.y1) > 0
        )

    def is_inside(self, other: Box, margin: float = 0) -> bool:
        return (
            self.x1 >= other.x1 + margin
            and self.y1 >= other.y1 + margin
            and self.x2 <= other.x2 - margin
            and self.y2 <= other.y2 - margin
        )


def text_widths(texts: list[tuple[str, float, str]]) -> list[float]:
    """Widths in px of texts of a size and a weight, in the widest font of the theme's list."""
    values = [
        {"i": i, "text": text, "size": size, "weight": weight}
        for i, (text, size, weight) in enumerate(texts)
    ]
    encode = {
        "text": {"field": "text"},
        "fontSize": {"field": "size"},
        "fontWeight": {"field": "weight"},
        "font": {"value": "DejaVu Sans"},
    }
    width = "'width:' + datum.datum.i + ':' + (datum.bounds.x2 - datum.bounds.x1)"
    spec = {
        "$schema": "https://vega.github.io/schema/vega/v6.json",
        "data": [{"name": "texts", "values": values}],
        "marks": [
            {"type": "text", "name": "set", "from": {"data": "texts"}, "encode": {"enter": encode}},
            {
                "type": "text",
                "from": {"data": "set"},
                "encode": {"enter": {"text": {"signal": width}}},
            },
        ],
    }
    measured = dict(re.findall(r"width:(\d+):([\d.]+)", vl_convert.vega_to_svg(spec)))
    return [float(measured[str(i)]) for i in range(len(texts))]


class Layout:
    """The texts, rectangles and lines of an SVG."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)
        self.canvas = Box(
            "canvas", 0, 0, float(self.root.get("width")), float(self.root.get("height"))
        )
        elements = [e for e in self.root.iter(f"{SVG}text") if e.text]
        described = [(e.text, float(e.get("font-size")), e.get("font-weight")) for e in elements]
        self.texts = [
            self._text(e, width) for e, width in zip(elements, text_widths(described), strict=True)
        ]
        self.boxes = [self._rect(e) for e in self.root.iter(f"{SVG}rect") if e.get("x") is not None]
        self.segments = [
            segment
            for e in self.root.iter(f"{SVG}polyline")
            if e.get("stroke-linecap") is None  # the band of a lit step lies under its arrow
            for segment in self._segments(e)
        ]

    @staticmethod
    def _text(element: ElementTree.Element, width: float) -> Box:
        x, y, size = (float(element.get(name)) for name in ("x", "y", "font-size"))
        left = x - {"start": 0, "middle": width / 2, "end": width}[element.get("text-anchor")]
        return Box(element.text, left, y - 0.78 * size, left + width, y + 0.24 * size)

    @staticmethod
    def _rect(element: ElementTree.Element) -> Box:
        x, y, width, height = (float(element.get(n)) for n in ("x", "y", "width", "height"))
        return Box(f"box at {x:g}, {y:g}", x, y, x + width, y + height)

    @staticmethod
    def _segments(element: ElementTree.Element) -> list[Box]:
        points = [tuple(map(float, p.split(","))) for p in element.get("points").split()]
        return [
            Box(
                f"line {x1:g},{y1:g} to {x2:g},{y2:g}",
                min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) + 1, max(y1, y2) + 1,
            )
            for (x1, y1), (x2, y2) in pairwise(points)
        ]  # fmt: skip

    def faults(self) -> list[str]:
        """Texts that leave the canvas, cross the edge of a box, or overlap a text or a line."""
        faults = []
        for number, text in enumerate(self.texts):
            if not text.is_inside(self.canvas, 2):
                faults.append(f"{text.name!r} leaves the canvas")
            for other in self.texts[number + 1 :] + self.segments:
                if text.overlaps(other):
                    faults.append(f"{text.name!r} overlaps {other.name!r}")
            for box in self.boxes:
                if text.overlaps(box) and not text.is_inside(box, 2):
                    faults.append(f"{text.name!r} crosses the edge of the {box.name}")
        return faults
