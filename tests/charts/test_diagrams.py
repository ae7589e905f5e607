"""The queueing network: every number it has is in the drawing, and a missing one is named."""

from xml.etree import ElementTree

from pipeline.charts.diagrams import MISSING, NetworkNumbers, queueing_network

from .examples import HOSTILE

NUMBERS = NetworkNumbers(
    load="5/s even",
    cpu_ms=7.21,
    cpu_wait_ms=0.5,
    cpu_utilization=0.206,
    layer_ms=1.84,
    disk_ms=1.95,
    disk_wait_ms=0.25,
    disk_utilization=0.0106,
    operations=3.5,
    response_ms=11.02,
    client_ms=10.7,
)
SVG = "{http://www.w3.org/2000/svg}"


def texts_of(numbers: NetworkNumbers) -> list[str]:
    root = ElementTree.fromstring(queueing_network(numbers, title="Network").svg())
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_numbers_and_their_units_are_drawn():
    drawn = " | ".join(texts_of(NUMBERS))
    for text in ("5/s even", "7.21 ms", "0.5 ms", "21 %", "1.84 ms", "1.95 ms", "0.25 ms", "1 %"):
        assert text in drawn
    assert "11 ms" in drawn and "10.7 ms" in drawn and "3.5 disk operations" in drawn
    assert MISSING not in drawn


def test_a_missing_number_is_named():
    drawn = texts_of(NetworkNumbers(load="16 threads"))
    assert sum(text.count(MISSING) for text in drawn) == 7
    assert not any("disk operations" in text for text in drawn)
    assert [text for text in drawn if text == "?"] == ["?", "?"]  # both utilizations


def test_it_scales_and_says_in_words_what_it_shows():
    drawing = queueing_network(NUMBERS, title="Network")
    root = ElementTree.fromstring(drawing.svg())
    assert root.get("viewBox") == f"0 0 {drawing.width} {drawing.height}"
    assert drawing.width <= 600  # text of 13 px is readable on a phone
    for number in ("7.21 ms", "1.84 ms", "1.95 ms", "10.7 ms"):
        assert number in root.findtext(f"{SVG}desc")


def test_hostile_text_stays_text():
    svg = queueing_network(NetworkNumbers(load=HOSTILE), title=HOSTILE).svg()
    assert "<script" not in svg
    assert texts_of(NetworkNumbers(load=HOSTILE)).count(HOSTILE) == 1
