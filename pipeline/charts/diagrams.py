"""The queueing network of a virtual server, the paper's Figure 5: with the numbers of a run, or with symbols."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.charts.drawing import Drawing
from pipeline.charts.residence_time import CPU_WAIT, DISK_WAIT, PARTS
from pipeline.charts.theme import GREY
from pipeline.charts.titles import alt_text
from pipeline.units import format_short

MISSING = "missing"


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
    drawing = _network(
        Drawing(592, 262, title, description),
        arrivals=numbers.load,
        cpu=(cpu_use, f"CPU time {cpu}", f"waiting {cpu_wait}"),
        layer=(layer, not numbers.is_layer_in_cpu_time),
        disk=(disk_use, f"disk time {disk}", f"waiting {disk_wait}"),
        visits=f"back to the CPU{visits}",
        reply=reply,
    )
    # the colours of waiting times in the bars of residence times
    for x, y, width, part in ((92, 182, 136, CPU_WAIT), (420, 190, 140, DISK_WAIT)):
        drawing.rect(x, y, width, 5, fill=PARTS[part], stroke=PARTS[part], radius=1)
    return drawing


def network_of_symbols(*, title: str, description: str) -> Drawing:
    """The queueing network with the paper's symbols in place of a run's numbers."""
    return _network(
        Drawing(592, 262, title, description),
        arrivals="rate λ",
        cpu=("CPU", "guest: R_vcpu", "KVM: R_kvm"),
        layer=("R_vdisk − R_disk", False),
        disk=("disk", "R_disk", ""),
        visits="back to the CPU, V disk operations per request",
        reply="reply after R",
    )


def _network(
    drawing: Drawing, *, arrivals: str, cpu: tuple[str, str, str], layer: tuple[str, bool],
    disk: tuple[str, str, str], visits: str, reply: str,
) -> Drawing:  # fmt: skip
    """The network with its texts: of a station in its circle and the two below; of the layer, and whether bold."""
    blue, green = PARTS["R_cpu"], PARTS["R_disk"]
    drawing.rect(80, 34, 160, 178, stroke=blue, dash="4 3")
    drawing.text(161, 52, "host's CPU", anchor="end", size=12, bold=True)
    drawing.text(4, 82, arrivals, anchor="start", size=13)
    drawing.arrow((4, 92), (94, 92))
    drawing.queue(96, 98, cpu[0], blue)
    drawing.text(160, 156, cpu[1], colour=blue, bold=True)
    drawing.text(160, 176, cpu[2], bold=True)
    drawing.arrow((192, 98), (274, 98))
    drawing.rect(258, 34, 328, 178, stroke=GREY, dash="4 3")
    drawing.text(422, 52, "guest's disk", size=13, bold=True)
    drawing.rect(276, 72, 104, 52, stroke=PARTS["R_vdisk"], fill="white")
    drawing.text(328, 94, "virtualization", size=13)
    drawing.text(328, 112, "layer", size=13)
    drawing.text(328, 156, layer[0], bold=layer[1])
    drawing.arrow((380, 98), (418, 98))
    drawing.queue(420, 98, disk[0], green)
    drawing.text(490, 144, "host's disk", size=13, colour=GREY)
    drawing.text(490, 164, disk[1], colour=green, bold=True)
    drawing.text(490, 184, disk[2], bold=True)
    drawing.arrow((516, 98), (572, 98), (572, 234), (52, 234), (52, 106), (94, 106), colour=GREY)
    drawing.text(312, 253, visits, size=13, colour=GREY)
    drawing.arrow((166, 72), (166, 16), (258, 16))
    drawing.text(264, 21, reply, anchor="start", bold=True)
    return drawing


def _time(ms: float | None) -> str:
    return MISSING if ms is None else f"{format_short(round(ms, 4))} ms"


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f} %"
