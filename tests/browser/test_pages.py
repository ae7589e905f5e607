"""Every page, opened in a real browser that has no network."""

import pytest
from rendering import LESSON

pytestmark = [
    pytest.mark.browser,
    pytest.mark.report,
    pytest.mark.xdist_group("report"),
]

PAGES = {
    "compare_servers": 4,
    "validate_model": 6,
    "published": 3,
    "learned_predictor": 2,
    "published_studies": 5,
    LESSON: 1,
    "what_if/first/web": 1,
    "what_if/second/db": 1,
    "run_report/first/web-005-a": 4,
    "run_report/second/db-16-a": 4,
}
"""Pages and how many figures each has at least."""
EVERY = [*PAGES, "index", "course", "glossary"]
SCREENS = {"desk": 1280, "tablet": 768, "telephone": 390}
A4 = {"width": 718, "height": 1047}
"""Paper without its margins, in CSS pixels."""


def test_a_page_that_does_ask_for_something_is_noticed(browser, tmp_path):
    page = tmp_path / "asks.html"
    page.write_text(
        "<img src='http://example.org/a.png'><script src='https://example.org/a.js'></script>"
    )
    assert {url.split("/a.")[1] for url in browser.open(page).requests} == {"png", "js"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_offline_with_its_figures(browser, rendered, name):
    opened = browser.open(rendered.page(name))
    assert opened.requests == []
    assert opened.count("figure.chart") >= PAGES[name]
    assert "Content Security Policy" not in opened.console, opened.console
    assert "Uncaught" not in opened.console, opened.console


def test_figures_become_interactive_without_eval_or_network(browser, rendered):
    opened = browser.open(rendered.page("compare_servers"))
    opened.unfold()
    assert opened.count("figure.chart[data-interactive=yes]") == opened.count("figure.chart")
    assert "stays a picture" not in opened.console
    assert opened.requests == []


def test_without_the_script_the_pictures_stay(browser, rendered):
    opened = browser.open(rendered.page("compare_servers"), java_script_enabled=False)
    assert opened.count('img[src^="data:image/svg+xml"]') >= PAGES["compare_servers"]
    assert opened.count("figure.chart[data-interactive]") == 0


def test_the_slider_of_the_lesson_is_there(browser, rendered):
    opened = browser.open(rendered.page(LESSON))
    opened.unfold()
    assert opened.count("input[type=range]") >= 1


def test_the_index_page_opens_offline_with_a_row_of_each_run_and_a_card_of_each_other_kind(
    browser, rendered
):
    opened = browser.open(rendered.page("index"))
    assert opened.requests == []
    runs = sum(row["page"].startswith("run_report/") for row in rendered.manifest["pages"])
    assert opened.count("#runs-table tbody tr") == runs
    lessons = sum(row["page"].startswith("course/") for row in rendered.manifest["pages"])
    assert opened.count("li.card") == len(rendered.manifest["pages"]) - runs - lessons + 1
    assert opened.count('.card img[loading=lazy][src$=".svg"]') == opened.count("li.card")
    assert "Content Security Policy" not in opened.console


def test_what_is_too_wide_is_noticed(browser, tmp_path):
    page = tmp_path / "wide.html"
    box = "<div style='width:100px;overflow-x:{}'><p style='width:900px'>{}</p></div>"
    page.write_text(
        "<!doctype html><p style='width:900px'>out</p>"
        + box.format("hidden", "clipped")
        + box.format("auto", "scrolls")
    )
    opened = browser.open(page, width=390)
    assert [line.split(": ")[1] for line in opened.cut()] == ["out", "clipped", "clipped"]
    opened.tab.emulate_media(media="print")
    assert "scrolls" in " ".join(opened.cut())


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_on_a_screen(browser, rendered, name, screen):
    opened = browser.open(rendered.page(name), width=SCREENS[screen])
    assert opened.cut() == []
    opened.unfold()
    assert opened.cut() == []


@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_on_paper(browser, rendered, name):
    opened = browser.open(rendered.page(name))
    opened.tab.emulate_media(media="print")
    opened.tab.set_viewport_size(A4)
    assert opened.cut() == []


def test_a_hostile_process_name_never_runs(browser, rendered):
    opened = browser.open(rendered.page("run_report/first/web-005-a"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in opened.dom
    assert "<script>alert(1)" not in opened.dom
