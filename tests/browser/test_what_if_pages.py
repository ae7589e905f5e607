"""The sliders of a chart, moved in a real browser that has no kernel and no network."""

import re

import nbformat
import polars as pl
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pipeline import charts
from pipeline.report import page as pages

pytestmark = [pytest.mark.browser, pytest.mark.report]

POINTS = pl.DataFrame(
    [(0, "", 4.0, 52.0, 50.0, 77.0, "fitted", "first/db-04", "")],
    schema=["place", "spacing", "size", "R", "R_model", "X", "role_in_fit", "run", "process"],
    orient="row",
)
ASKED = charts.WhatIfSpec(
    "The database", "threads", False, ["alone", "beside the web server"], {"": ""}, 4.0, 1.0, 55.0
)


def row(place: int, speed: float) -> dict:
    """R = 10 (N + 1) ms at speed 1 and alone, twice that beside another."""
    sizes = [1.0, 2.0, 4.0, 8.0, 16.0]
    response = [10.0 * (1 + place) * (size + 1) / speed for size in sizes]
    rate = [size / r * 1e3 for size, r in zip(sizes, response, strict=True)]
    return {
        "place": place, "spacing": "", "cpu_speed": speed, "cpus": 1, "disk_speed": 1.0,
        "size": sizes, "R": response, "R_low": response, "R_high": response,
        "X": rate, "X_low": rate, "X_high": rate, "knee": 2.0, "most": 100.0, "least": 20.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with the chart, as a report holds it."""
    rows = [row(place, speed) for place in (0, 1) for speed in (0.5, 1.0, 1.5, 2.0)]
    data, metadata = charts.mime_bundle(charts.what_if(rows, POINTS, ASKED))
    output = new_output("display_data", data, metadata=metadata)
    notebook = new_notebook(
        cells=[new_markdown_cell("# What if?"), new_code_cell("chart", outputs=[output])]
    )
    nbformat.validate(notebook)
    made = pages.render_page(
        notebook, parameters={}, subject="a study", home="index.html", assets="assets"
    )
    home = tmp_path_factory.mktemp("what-if")
    (home / "assets").mkdir()
    for name, text in pages.scripts().items():
        (home / "assets" / name).write_text(text, encoding="utf-8")
    path = home / "what_if.html"
    path.write_text(made.text, encoding="utf-8")
    return path


def texts(dom: str) -> str:
    return "\n".join(re.findall(r"<text[^>]*>([^<]+)</text>", dom))


def move_sliders(browser, page, **positions: object) -> str:
    """The chart's texts after its sliders were moved, as a reader moves them."""
    moves = "".join(
        f"const {name} = document.querySelector('[name={name}]');"
        f"{name}.value = {value!r}; {name}.dispatchEvent(new Event('input', {{bubbles: true}}));"
        f"{name}.dispatchEvent(new Event('change', {{bubbles: true}}));"
        for name, value in positions.items()
    )
    script = (
        "<script>const wait = setInterval(() => {"
        " if (!document.querySelector('figure[data-interactive=yes]')) return;"
        f" clearInterval(wait); {moves} }}, 50);</script>"
    )
    # the page's own policy forbids scripts inside it: the probe is a copy without it
    text = page.read_text(encoding="utf-8")
    text, count = re.subn(r"<meta[^>]*Content-Security-Policy[^>]*>", "", text)
    assert count == 1
    probe = page.with_name("probe.html")
    probe.write_text(text.replace("</body>", script + "</body>"), encoding="utf-8")
    return texts(browser.open(probe).dom)


def test_the_chart_is_alive_offline_under_the_page_s_policy(browser, page):
    opened = browser.open(page)
    assert opened.requests == []
    assert opened.dom.count('data-interactive="yes"') == 1
    for name in ("load", "target", "cpu_speed"):
        assert re.search(rf'<input[^>]*type="range"[^>]*name="{name}"', opened.dom) or re.search(
            rf'<input[^>]*name="{name}"[^>]*type="range"', opened.dom
        )
    assert "Content Security Policy" not in opened.console, opened.console
    assert "Uncaught" not in opened.console, opened.console
    assert "At 4 threads: R 50 ms" in texts(opened.dom)


def test_the_sliders_change_the_chart(browser, page):
    shown = move_sliders(browser, page, load=8, target=110, cpu_speed=2)
    assert "At 8 threads: R 45 ms" in shown
    assert "R stays below 110 ms on the whole curve" in shown


def test_the_place_changes_the_chart(browser, page):
    shown = move_sliders(browser, page, place=1)
    assert "At 4 threads: R 100 ms" in shown
    assert "R passes 55 ms at 1.75" in shown
