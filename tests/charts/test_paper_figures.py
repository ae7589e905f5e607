"""Figures 1 to 5 of the paper: readable, described, true to the recorded study, and one step lit at a time."""

import json
from xml.etree import ElementTree

import pytest

from pipeline.charts import paper_figures, paper_texts
from pipeline.charts.diagrams import NetworkNumbers, queueing_network
from pipeline.charts.drawing import Drawing

from .svg_layout import SVG, Layout
from .test_diagrams import NUMBERS

DRAWINGS = {str(number): draw for number, draw in paper_figures.FIGURES.items()} | {
    "4, step 6": lambda: paper_figures.figure4(6),
    "5 of a run": lambda: queueing_network(NUMBERS, title="Network"),
    "5 of a run without numbers": lambda: queueing_network(
        NetworkNumbers(load="16 threads"), title="Network"
    ),
}


@pytest.fixture(scope="module")
def layouts():
    return {name: Layout(draw().svg()) for name, draw in DRAWINGS.items()}


def test_layout_faults_are_noticed():
    drawing = Drawing(200, 60, "title", "description")
    drawing.box(10, 10, 40, 20, "wider than its box")
    drawing.text(190, 55, "out", anchor="start")
    drawing.text(100, 20, "one on")
    drawing.text(100, 22, "another")
    drawing.arrow((80, 40), (120, 40))
    drawing.text(100, 44, "crossed")
    faults = " | ".join(Layout(drawing.svg()).faults())
    for fault in (
        "'wider than its box' crosses the edge of the box at 10, 10",
        "'out' leaves the canvas",
        "'one on' overlaps 'another'",
        "'crossed' overlaps 'line",
    ):
        assert fault in faults


@pytest.mark.parametrize("name", DRAWINGS)
def test_texts_stay_in_their_boxes_and_nothing_overlaps(layouts, name):
    assert len(layouts[name].texts) >= 10
    assert layouts[name].faults() == []


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_readable_on_a_phone(layouts, name):
    root = layouts[name].root
    assert float(root.get("width")) <= 600
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"
    assert min(float(e.get("font-size")) for e in root.iter(f"{SVG}text")) >= 12


@pytest.mark.parametrize("number", paper_figures.FIGURES)
def test_a_figure_has_a_title_a_description_and_a_caption_that_names_its_source(number):
    drawing = paper_figures.FIGURES[number]()
    root = ElementTree.fromstring(drawing.svg())
    assert [e.tag for e in root][:2] == [f"{SVG}title", f"{SVG}desc"]  # before what they describe
    assert root.findtext(f"{SVG}title").startswith(f"Figure {number}: ")
    assert len(root.findtext(f"{SVG}desc")) > 80
    assert f"after Yang and Lan, Figure {number}" in paper_texts.caption(number)


def test_a_factor_is_marked_if_the_recorded_study_varies_it(root):
    study = json.loads((root / "data/raw/kvm-case-study/study.json").read_text())
    servers = study["servers"].values()
    envelopes = [server["envelope"] for server in servers]
    loads = [run["load"] for runs in study["runs"].values() for run in runs.values()]
    each = [load for run in loads for load in run.values()]

    def varies(values) -> bool:
        return len({json.dumps(value, sort_keys=True) for value in values if value is not None}) > 1

    recorded = {
        "CPU: VT-x, AMD-V or none": varies(s["accelerator"] for s in servers),
        "loaded virtual servers": varies(sorted(run) for run in loads),
        "CPU limit": varies(e["cpu_quota"] for e in envelopes),
        "memory of a guest": varies(e["memory_bytes"] for e in envelopes),
        "speed of the disk": varies(e["disk"] for e in envelopes),
        "web server or database": varies(name for run in loads for name in run),
        "open: arrival rate": varies(load.get("rate_per_s") for load in each),
        "arrivals: even, Poisson": varies(load.get("arrivals") for load in each),
        "closed: threads": varies(load.get("population") for load in each),
    }
    marked = {text: mark for group in paper_texts.FACTORS.values() for text, mark in group}
    assert {text: marked[text] for text in recorded} == recorded
    filled = [
        e for e in ElementTree.fromstring(paper_figures.figure1().svg()).iter(f"{SVG}circle")
        if e.get("fill") != "white"
    ]  # fmt: skip
    assert len(filled) == sum(marked.values()) + 1  # and the legend's


def lit_steps(svg: str) -> list[str]:
    groups = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return [
        step.get("data-step")
        for step in groups
        if step.get("data-step")
        and step.find(f"{SVG}g[@class='halo']").get("visibility") != "hidden"
    ]


def test_a_step_of_virtio_is_lit_alone():
    assert lit_steps(paper_figures.figure4().svg()) == []
    for step in range(1, 9):
        assert lit_steps(paper_figures.figure4(step).svg()) == [str(step)]
        assert paper_texts.step_text(step) in paper_figures.figure4(step).description


@pytest.mark.parametrize("step", [0, 9])
def test_a_step_that_does_not_exist_is_refused(step):
    with pytest.raises(ValueError, match="1 to 8"):
        paper_figures.figure4(step)
