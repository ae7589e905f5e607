"""The paper's Figures 1 to 5 as drawings, drawn anew from its sections III and IV.

Each function returns a :class:`Drawing`; :func:`pipeline.charts.paper_texts.caption` has its caption.
"""

from __future__ import annotations

from pipeline.charts import paper_texts as texts
from pipeline.charts.diagrams import network_of_symbols
from pipeline.charts.drawing import Drawing
from pipeline.charts.theme import BLUE, GREEN, GREY, ORANGE, VERMILION
from pipeline.charts.titles import alt_text

GROUP_COLOURS = {texts.VIRTUALIZATION: ORANGE, texts.RESOURCES: GREEN, texts.WORKLOAD: VERMILION}


def _drawing(number: int, width: int, height: int, description: str = "") -> Drawing:
    title = f"Figure {number}: {texts.TITLES[number]}"
    return Drawing(width, height, title, description or texts.DESCRIPTIONS[number])


def figure1() -> Drawing:
    """Performance metrics and their factors; a filled circle at each that the recorded study varies.

    Examples
    --------
    >>> figure1().title
    'Figure 1: Performance metrics and what influences them'
    """
    drawing = _drawing(1, 600, 312, texts.metrics_description())
    drawing.box(140, 12, 140, 36, "response time R", colour=BLUE, tinted=True)
    drawing.box(320, 12, 140, 36, "throughput X", colour=BLUE, tinted=True)
    for column, (group, factors) in enumerate(texts.FACTORS.items()):
        x, colour = 6 + 199 * column, GROUP_COLOURS[group]
        drawing.box(x, 100, 190, 162, colour=colour, heading=group, tinted=True)
        for row, (factor, is_varied) in enumerate(factors):
            drawing.dot(x + 13, 142.5 + 32 * row, is_filled=is_varied)
            drawing.text(x + 23, 147 + 32 * row, factor, size=12, anchor="start")
        drawing.arrow((x + 95, 100), (x + 95, 74), colour=GREY)
    drawing.rect(6, 64, 588, 8, stroke=GREY, fill=GREY)
    drawing.arrow((210, 64), (210, 48), colour=GREY)
    drawing.arrow((390, 64), (390, 48), colour=GREY)
    drawing.dot(19, 289.5, is_filled=True)
    drawing.text(30, 294, texts.VARIED, size=13, anchor="start")
    drawing.dot(290, 289.5, is_filled=False)
    drawing.text(301, 294, texts.CONSTANT, size=13, anchor="start")
    return drawing


def figure2() -> Drawing:
    """KVM's architecture: guest mode, user mode and kernel mode, with the four ways between them."""
    drawing = _drawing(2, 600, 336)
    drawing.box(6, 8, 340, 172, colour=ORANGE, heading="guest mode", tinted=True)
    drawing.box(20, 40, 312, 54, "user mode of the guest:", "Apache, MariaDB", colour=ORANGE)
    drawing.box(
        20, 110, 312, 56, "kernel of the guest: scheduler,", "page cache, virtio front-end driver",
        colour=ORANGE,
    )  # fmt: skip
    drawing.box(368, 8, 226, 172, colour=GREEN, heading="user mode", tinted=True)
    drawing.box(
        382, 40, 198, 126, "QEMU, one process", "per virtual server:", "vCPU threads", "I/O threads",
        "virtio back-end driver", colour=GREEN,
    )  # fmt: skip
    drawing.box(
        6, 242, 588, 46, "kernel mode: Linux with its module KVM,", "scheduler, page cache, block layer",
        colour=BLUE, tinted=True,
    )  # fmt: skip
    drawing.box(
        6, 300, 588, 30, "hardware: processor with VT-x or AMD-V, memory, disk", colour=GREY
    )
    drawing.arrow((90, 180), (90, 242), colour=VERMILION)
    drawing.text(98, 216, "VM exit", size=13, anchor="start")
    drawing.arrow((210, 242), (210, 180), colour=BLUE)
    drawing.text(218, 216, "VM entry", size=13, anchor="start")
    drawing.arrow((456, 242), (456, 180), colour=VERMILION)
    drawing.text(448, 216, "exit to user", size=13, anchor="end")
    drawing.arrow((472, 180), (472, 242), colour=BLUE)
    drawing.text(480, 216, "ioctl(KVM_RUN)", size=13, anchor="start")
    return drawing


def figure3() -> Drawing:
    """Intel VT-x: rings 0 and 3 of non-root mode and of root mode, VM exit, VM entry and the VMCS."""
    drawing = _drawing(3, 600, 284)
    modes = (
        (6, ORANGE, "VMX non-root mode", "ring 3: programs of the guest", "ring 0: kernel of the guest"),
        (364, BLUE, "VMX root mode", "ring 3: QEMU", "ring 0: Linux with KVM"),
    )  # fmt: skip
    for x, colour, heading, programs, kernel in modes:
        drawing.box(x, 8, 230, 200, colour=colour, heading=heading, tinted=True)
        drawing.box(x + 8, 42, 214, 44, programs, colour=colour)
        drawing.box(x + 8, 144, 214, 52, kernel, colour=colour)
        drawing.arrow((x + 50, 86), (x + 50, 144), colour=GREY)
        drawing.arrow((x + 66, 144), (x + 66, 86), colour=GREY)
        drawing.text(x + 76, 120, "system call", size=13, anchor="start")
    drawing.text(300, 108, "I/O, HLT,", size=13, colour=GREY)
    drawing.text(300, 125, "interrupt …", size=13, colour=GREY)
    drawing.arrow((228, 158), (372, 158), colour=VERMILION)
    drawing.text(300, 151, "VM exit", size=13, bold=True)
    drawing.arrow((372, 182), (228, 182), colour=BLUE)
    drawing.text(300, 200, "VM entry", size=13, bold=True)
    drawing.box(262, 238, 76, 36, "VMCS", colour=GREY)
    drawing.arrow((300, 238), (300, 208), colour=GREY)
    drawing.text(121, 236, "R_vcpu: time of the", size=13)
    drawing.text(121, 253, "vCPU thread here", size=13)
    drawing.text(479, 236, "R_kvm: time of the", size=13)
    drawing.text(479, 253, "vCPU thread here", size=13)
    return drawing


def figure4(step: int | None = None) -> Drawing:
    """virtio: a read in eight numbered steps.

    Parameters
    ----------
    step
        The step that is lit, 1 to 8; None: none.

    Raises
    ------
    ValueError
        If there is no such step.
    """
    if step is not None and not 1 <= step <= len(texts.STEPS):
        raise ValueError(f"step must be 1 to {len(texts.STEPS)}, not {step}")
    numbered = [f"{n}. {texts.step_text(n)}" for n in range(1, len(texts.STEPS) + 1)]
    shown = numbered if step is None else [numbered[step - 1]]
    drawing = _drawing(
        4, 600, 364, alt_text(texts.DESCRIPTIONS[4].rstrip("."), [" ".join(shown).rstrip(".")])
    )
    drawing.box(6, 8, 214, 222, colour=ORANGE, heading="guest", tinted=True)
    drawing.box(20, 40, 186, 36, "application", colour=ORANGE)
    drawing.box(20, 152, 186, 62, "front-end driver", "virtio_blk", colour=ORANGE)
    drawing.box(380, 8, 214, 222, colour=GREEN, heading="QEMU", tinted=True)
    drawing.box(394, 40, 186, 36, "vCPU thread", colour=GREEN)
    drawing.box(
        394, 110, 186, 104, "back-end driver", "virtio-blk", colour=GREEN, heading="I/O thread"
    )
    drawing.box(
        252, 96, 96, 118, "descriptors", "available", "used", colour=GREY, heading="the ring"
    )
    drawing.text(300, 66, "shared", size=13)
    drawing.text(300, 83, "memory", size=13)
    drawing.box(6, 272, 428, 34, "KVM in kernel mode: why did the guest exit?", colour=BLUE)
    drawing.box(460, 272, 134, 34, "block layer", colour=BLUE)
    drawing.box(460, 326, 134, 32, "host's disk", colour=GREY)
    drawing.text(6, 332, "io_ticks of the guest's disk: steps 2 to 8", size=13, anchor="start")
    drawing.text(6, 351, "io_ticks of the host's disk: step 6", size=13, anchor="start")
    _steps(drawing, step)
    return drawing


def _steps(drawing: Drawing, lit: int | None) -> None:
    """The arrows of Figure 4: step, badge, colour, and the way of each arrow; the texts beside them."""
    ways = (
        (1, (80, 114), GREY, [(60, 76), (60, 152)]),
        (2, (236, 150), GREY, [(206, 168), (252, 168)]),
        (3, (58, 252), VERMILION, [(40, 214), (40, 272)]),
        (4, (400, 252), BLUE, [(418, 272), (418, 214)]),
        (5, (364, 150), GREY, [(348, 168), (394, 168)]),
        (
            6, (576, 252), GREY, [(558, 214), (558, 272)], [(558, 306), (558, 326)],
            [(530, 326), (530, 306)], [(530, 272), (530, 214)],
        ),
        (7, (364, 216), GREY, [(394, 198), (348, 198)]),
        (8, (178, 252), BLUE, [(160, 272), (160, 214)], [(252, 198), (206, 198)], [(160, 152), (160, 76)]),
    )  # fmt: skip
    for number, badge, colour, *paths in ways:
        with drawing.step(number, badge, *paths, is_lit=number == lit):
            for path in paths:
                drawing.arrow(*path, colour=colour)
    for x, y, text in (
        (76, 257, "VM exit"),
        (196, 257, "interrupt at VM entry"),
        (426, 257, "eventfd"),
    ):
        drawing.text(x, y, text, size=13, anchor="start")


def figure5() -> Drawing:
    """The queueing network with the paper's symbols; :func:`queueing_network` has a run's numbers."""
    title, description = f"Figure 5: {texts.TITLES[5]}", texts.DESCRIPTIONS[5]
    return network_of_symbols(title=title, description=description)


FIGURES = {1: figure1, 2: figure2, 3: figure3, 4: figure4, 5: figure5}
"""By their number in the paper."""
