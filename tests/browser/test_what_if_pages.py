"""The sliders of a chart, moved in a real browser that has no kernel and no network."""

import nbformat
import polars as pl
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import expect

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
        "X": rate, "X_low": rate, "X_high": rate,
        "fitted_low": 2.0, "fitted_high": 8.0, "knee": 2.0, "most": 100.0, "least": 20.0,
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


def expect_texts(opened, *texts: str) -> None:
    for text in texts:
        expect(opened.tab.locator("figure.chart .picture")).to_contain_text(text)


def test_the_chart_is_alive_offline_under_the_page_s_policy(browser, page):
    opened = browser.open(page)
    assert opened.requests == []
    assert opened.count("[data-interactive=yes]") == 1
    for name in ("load", "target", "cpu_speed"):
        assert opened.count(f"input[type=range][name={name}]") == 1
    assert "Content Security Policy" not in opened.console, opened.console
    assert "Uncaught" not in opened.console, opened.console
    expect_texts(opened, "At 4 threads: R 50 ms")


def test_the_sliders_change_the_chart(browser, page):
    opened = browser.open(page)
    for name, value in {"load": 8, "target": 110, "cpu_speed": 2}.items():
        opened.tab.locator(f"input[name={name}]").fill(str(value))
    expect_texts(opened, "At 8 threads: R 45 ms", "R stays below 110 ms on the whole curve")


def test_the_place_changes_the_chart(browser, page):
    opened = browser.open(page)
    opened.tab.locator("select[name=place]").select_option("beside the web server")
    expect_texts(opened, "At 4 threads: R 100 ms", "R passes 55 ms at 1.75")


def test_positions_survive_a_reload(browser, page):
    opened = browser.open(page)
    for name, value in {"load": 8, "cpu_speed": 2}.items():
        opened.tab.locator(f"input[name={name}]").fill(str(value))
    opened.tab.wait_for_url("**#load=8&cpu_speed=2")
    opened.tab.reload()
    opened.wait()
    expect(opened.tab.locator("input[name=load]")).to_have_value("8")
    expect(opened.tab.locator("input[name=cpu_speed]")).to_have_value("2")
    expect_texts(opened, "At 8 threads: R 45 ms")
    assert opened.requests == []


def test_an_address_gives_the_positions_and_reset_the_first_ones(browser, page):
    opened = browser.open(page, query="#load=8&place=1")
    expect_texts(opened, "At 8 threads: R 180 ms")
    opened.tab.get_by_role("button", name="Reset").click()
    expect_texts(opened, "At 4 threads: R 50 ms")
    expect(opened.tab.locator("input[name=load]")).to_have_value("4")
    assert "#" not in opened.tab.url
    expect(opened.tab.get_by_role("button", name="Reset")).to_be_disabled()


@pytest.mark.parametrize(
    "query", ["#load=1e9", "#load=", "#place=7", "#load=%3Cscript%3E&x=1", "#%"]
)
def test_an_address_that_no_slider_can_have_changes_nothing(browser, page, query):
    opened = browser.open(page, query=query)
    expect_texts(opened, "At 4 threads: R 50 ms")
    assert "Uncaught" not in opened.console, opened.console
    assert opened.count("[data-interactive=yes]") == 1


def test_a_slider_moves_by_the_keyboard_and_says_its_value(browser, page):
    opened = browser.open(page)
    slider = opened.tab.locator("input[name=load]")
    slider.press("End")
    expect_texts(opened, "At 16 threads: R 170 ms", "Outside the measured range")
    assert "16" in slider.get_attribute("aria-valuetext")


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_controls_and_curves_fit_the_window(browser, page, width):
    opened = browser.open(page, width=width)
    assert opened.cut() == []
    boxes = [opened.tab.locator(part).bounding_box() for part in ("form.controls", ".picture")]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
