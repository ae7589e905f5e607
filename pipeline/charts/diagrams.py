"""Drawings as SVG: the queueing network of a virtual server with the numbers of a run (the paper's Figure 5)."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

from pipeline.charts.residence_time import CPU_WAIT, DISK_WAIT, PARTS
from pipeline.charts.theme import FONT, GREY, INK
from pipeline.charts.titles import alt_text
from pipeline.units import format_short

MISSING = "missing"


@dataclass
class Drawing:
    """Shapes and texts on a white ground that scales with the page: ``svg`` has a view box and no fixed size."""

    width: int
    height: int
    title: str
    description: str
    parts: list[str] = field(default_factory=list)

    def rect(
        self, x: float, y: float, width: float, height: float, *, stroke: str = INK,
        fill: str = "none", dash: str = "", radius: int = 5,
    ) -> None:  # fmt: skip
        """A rectangle with round corners."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="1.4"{dashed}/>'
        )

    def text(
        self, x: float, y: float, text: str, *, size: int = 14, colour: str = INK,
        anchor: str = "middle", bold: bool = False,
    ) -> None:  # fmt: skip
        """One line of text with its base line at ``y``."""
        self.parts.append(
            f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{600 if bold else 400}">{html.escape(text)}</text>'
        )

    def arrow(self, *points: tuple[float, float], colour: str = INK) -> None:
        """A line through ``points`` of right angles, with a head at its end."""
        (x1, y1), (x2, y2) = points[-2:]
        dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        line = " ".join(f"{x},{y}" for x, y in (*points[:-1], (x2 - 6 * dx, y2 - 6 * dy)))
        head = " ".join(
            f"{x2 - 9 * dx + side * 4.5 * dy},{y2 - 9 * dy + side * 4.5 * dx}" for side in (-1, 1)
        )
        self.parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>'
            f'<polygon points="{x2},{y2} {head}" fill="{colour}"/>'
        )

    def queue(self, x: float, y: float, text: str, colour: str) -> None:
        """A waiting line from ``x`` on and its server, with a text in it."""
        for place in range(4):
            self.rect(x + 11 * place, y - 14, 11, 28, fill="white", radius=0)
        self.parts.append(
            f'<circle cx="{x + 70}" cy="{y}" r="26" fill="{colour}" fill-opacity=".15" '
            f'stroke="{colour}" stroke-width="2"/>'
        )
        self.text(x + 70, y + 5, text, bold=True)

    def svg(self) -> str:
        """The drawing as SVG text."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img" font-family="{FONT}">'
            f"<title>{html.escape(self.title)}</title><desc>{html.escape(self.description)}</desc>"
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>'
            f"{''.join(self.parts)}</svg>"
        )


@dataclass(frozen=True)
class NetworkNumbers:
    """Numbers of :func:`queueing_network`; times in ms, None where one is missing."""

    load: str
    """``16 threads``, ``5/s``."""
    cpu_ms: float | None = None
    cpu_wait_ms: float | None = None
    cpu_utilization: float | None = None
    layer_ms: float | None = None
    is_layer_in_cpu_time: bool = False
    """Whether the virtualization layer's time is part of ``cpu_ms``, as in a closed model."""
    disk_ms: float | None = None
    disk_wait_ms: float | None = None
    disk_utilization: float | None = None
    operations: float | None = None
    """Disk operations per request."""
    response_ms: float | None = None
    client_ms: float | None = None


def queueing_network(numbers: NetworkNumbers, *, title: str) -> Drawing:
    """The queueing network of a virtual server: the host's CPU, the virtualization layer, the host's disk.

    A request enters at the CPU, visits the disk and the CPU in turn, and is replied to from the CPU.
    """
    cpu, cpu_wait = _time(numbers.cpu_ms), _time(numbers.cpu_wait_ms)
    disk, disk_wait = _time(numbers.disk_ms), _time(numbers.disk_wait_ms)
    layer = "in the CPU time" if numbers.is_layer_in_cpu_time else _time(numbers.layer_ms)
    cpu_use, disk_use = _percent(numbers.cpu_utilization), _percent(numbers.disk_utilization)
    reply = f"reply: model {_time(numbers.response_ms)}, client {_time(numbers.client_ms)}"
    visits = ""
    if numbers.operations is not None:
        visits = f", {format_short(numbers.operations)} disk operations per request"
    description = alt_text(
        f"{title}: {numbers.load}",
        [
            f"host's CPU: utilization {cpu_use}, CPU time {cpu}, waiting {cpu_wait}",
            f"virtualization layer: {layer}",
            f"host's disk: utilization {disk_use}, disk time {disk}, waiting {disk_wait}",
            reply + visits,
        ],
    )
    drawing = Drawing(592, 262, title, description)
    blue, sky, green = PARTS["R_cpu"], PARTS[CPU_WAIT], PARTS["R_disk"]
    drawing.rect(80, 34, 160, 178, stroke=blue, dash="4 3")
    drawing.text(161, 52, "host's CPU", anchor="end", size=12, bold=True)
    drawing.text(4, 82, numbers.load, anchor="start", size=13)
    drawing.arrow((4, 92), (94, 92))
    drawing.queue(96, 98, cpu_use, blue)
    drawing.text(160, 156, f"CPU time {cpu}", colour=blue, bold=True)
    drawing.text(160, 176, f"waiting {cpu_wait}", bold=True)
    drawing.rect(92, 182, 136, 5, fill=sky, stroke=sky, radius=1)
    drawing.arrow((192, 98), (274, 98))
    drawing.rect(258, 34, 328, 178, stroke=GREY, dash="4 3")
    drawing.text(422, 52, "guest's disk", size=13, bold=True)
    drawing.rect(276, 72, 104, 52, stroke=PARTS["R_vdisk"], fill="white")
    drawing.text(328, 94, "virtualization", size=13)
    drawing.text(328, 112, "layer", size=13)
    drawing.text(328, 156, layer, bold=not numbers.is_layer_in_cpu_time)
    drawing.arrow((380, 98), (418, 98))
    drawing.queue(420, 98, disk_use, green)
    drawing.text(490, 144, "host's disk", size=13, colour=GREY)
    drawing.text(490, 164, f"disk time {disk}", colour=green, bold=True)
    drawing.text(490, 184, f"waiting {disk_wait}", bold=True)
    drawing.rect(420, 190, 140, 5, fill=PARTS[DISK_WAIT], stroke=PARTS[DISK_WAIT], radius=1)
    drawing.arrow((516, 98), (572, 98), (572, 234), (52, 234), (52, 106), (94, 106), colour=GREY)
    drawing.text(312, 253, f"back to the CPU{visits}", size=13, colour=GREY)
    drawing.arrow((166, 72), (166, 16), (258, 16))
    drawing.text(264, 21, reply, anchor="start", bold=True)
    return drawing


def _time(ms: float | None) -> str:
    return MISSING if ms is None else f"{format_short(round(ms, 4))} ms"


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f} %"
