"""Figure 1 with effects: each number is in its cell, grey where nothing is beyond noise, and nothing overlaps."""

from xml.etree import ElementTree

import pytest

from pipeline.charts.influence_diagram import Cell, Leaf, effect_text, influence_diagram
from pipeline.charts.theme import GREY, INK
from pipeline.factors.texts import BEYOND_NOISE, INCONCLUSIVE, WITHIN_NOISE

from .examples import HOSTILE
from .svg_layout import SVG, text_widths

METRICS = [
    ("R", "resp. time"),
    ("X", "throughput"),
    ("D_cpu", "host CPU"),
    ("D_vdisk", "guest's disk"),
    ("D_disk", "host's disk"),
]
CERTAIN = Cell(1.418, 1.302, 1.551, True, BEYOND_NOISE)
SMALL = Cell(0.9873, 0.9423, 1.032, True, WITHIN_NOISE)
UNCLEAR = Cell(1.1049, 1.0112, 1.2103, True, INCONCLUSIVE)
NONE = Cell(None, None, None, True, None)
LEAVES = [
    Leaf("workload", "Load", "low → high", (CERTAIN, SMALL, UNCLEAR, NONE, SMALL)),
    Leaf("virtualization type", "Disk device", "virtio-blk → ide", note="not varied"),
    Leaf("resource management", "Cache mode of the disk", "none → writeback", (SMALL,) * 5),
    Leaf(None, "Moon phase", "new → full", (SMALL,) * 5),
]


def draw(leaves=LEAVES, title="Influence factors"):
    drawing = influence_diagram(leaves, METRICS, title=title)
    return drawing, ElementTree.fromstring(drawing.svg())


def texts_of(root):
    return {element.text: element for element in root.iter(f"{SVG}text")}


def test_effects_with_their_intervals_are_drawn_by_verdict():
    _, root = draw()
    texts = texts_of(root)
    for text, weight, colour in (
        ("×1.42", "600", INK),
        ("×0.987", "400", GREY),
        ("×1.10", "400", INK),
        ("–", "400", GREY),
    ):
        assert (texts[text].get("font-weight"), texts[text].get("fill")) == (weight, colour)
    assert {"1.30–1.55", "0.942–1.03", "1.01–1.21"} <= set(texts)
    assert texts["Disk device: virtio-blk → ide"].get("fill") == GREY
    assert texts["not varied"].get("fill") == GREY
    assert len([r for r in root.iter(f"{SVG}rect") if r.get("stroke-dasharray")]) == 1


def test_branches_stand_in_the_paper_s_order_and_others_last():
    _, root = draw()
    y = {name: float(element.get("y")) for name, element in texts_of(root).items()}
    names = ["virtualization type", "resource management", "workload", "other"]
    assert sorted(names, key=y.get) == names
    assert y["workload"] < y["Load: low → high"] < y["other"] < y["Moon phase: new → full"]


def test_it_says_in_words_what_it_shows():
    drawing, root = draw()
    description = root.findtext(f"{SVG}desc")
    assert description == drawing.description
    assert "Load (low → high): R ×1.42 (1.30–1.55, beyond noise), X ×0.987" in description
    assert "Disk device (virtio-blk → ide): not varied" in description


def test_texts_stay_inside_the_drawing_and_inside_their_cells():
    drawing, root = draw()
    elements = list(root.iter(f"{SVG}text"))
    widths = text_widths(
        [(e.text, float(e.get("font-size")), e.get("font-weight")) for e in elements]
    )
    cell = (drawing.width - 34) / 5
    for element, width in zip(elements, widths, strict=True):
        assert float(element.get("font-size")) >= 12
        x = float(element.get("x"))
        if element.get("text-anchor") == "middle":
            assert width <= cell, element.text
        else:
            assert x + width <= drawing.width, element.text
        assert 0 < float(element.get("y")) < drawing.height
    assert drawing.width <= 480  # a phone shows it at three quarters of its size or more


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (CERTAIN, "×1.42"),
        (NONE, "–"),
        (Cell(3.1, 2.0, 4.2, False, BEYOND_NOISE), "+3.10"),
        (Cell(-3.1, -4.2, -2.0, False, BEYOND_NOISE), "−3.10"),
    ],
)
def test_an_effect_as_text(cell, text):
    assert effect_text(cell) == text


def test_hostile_text_stays_text_and_a_long_one_is_cut():
    leaves = [Leaf("workload", HOSTILE, "a → b", (SMALL,) * 5), Leaf("workload", "x" * 300, "")]
    drawing, root = draw(leaves, title=HOSTILE)
    assert "<script" not in drawing.svg()
    assert "x" * 61 + "…" in texts_of(root)


def test_without_factors_there_is_a_drawing_of_the_metrics():
    _, root = draw([])
    assert {"R", "X", "D_cpu"} <= set(texts_of(root))
