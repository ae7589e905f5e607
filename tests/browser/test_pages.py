"""Every page, opened in a real browser that has no network."""

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.report,
    pytest.mark.xdist_group("report"),
]

PAGES = {
    "compare_servers": 4,
    "validate_model": 6,
    "published": 3,
    "course/01_equations_on_real_logs": 1,
    "what_if/first/web": 1,
    "what_if/second/db": 1,
    "run_report/first/web-005-a": 6,
    "run_report/second/db-16-a": 6,
}
"""Pages and how many figures each has at least."""


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
    assert opened.dom.count('<figure class="chart"') >= PAGES[name]
    assert "Content Security Policy" not in opened.console, opened.console
    assert "Uncaught" not in opened.console, opened.console


def test_figures_become_interactive_without_eval_or_network(browser, rendered):
    opened = browser.open(rendered.page("compare_servers"), height=12000)
    figures = opened.dom.count('<figure class="chart"')
    assert opened.dom.count('data-interactive="yes"') == figures
    assert "stays a picture" not in opened.console
    assert opened.requests == []


def test_without_the_script_the_pictures_stay(browser, rendered, tmp_path):
    alone = tmp_path / "alone.html"
    alone.write_bytes(rendered.page("compare_servers").read_bytes())
    opened = browser.open(alone, height=12000)
    assert opened.dom.count("data:image/svg+xml") >= PAGES["compare_servers"]
    assert 'data-interactive="yes"' not in opened.dom


def test_the_slider_of_the_lesson_is_there(browser, rendered):
    opened = browser.open(rendered.page("course/01_equations_on_real_logs"), height=20000)
    assert '<input type="range"' in opened.dom or 'type="range"' in opened.dom


def test_the_index_page_opens_offline_and_shows_a_picture_of_each_page(browser, rendered):
    opened = browser.open(rendered.manifest["index"])
    assert opened.requests == []
    assert opened.dom.count('<li class="card') == len(rendered.manifest["pages"])
    assert opened.dom.count("data:image/svg+xml") == len(rendered.manifest["pages"])
    assert "Content Security Policy" not in opened.console


@pytest.mark.parametrize("name", ["index", "published", "run_report/first/web-005-a"])
def test_a_page_fits_a_telephone(browser, rendered, name):
    page = rendered.manifest["index"] if name == "index" else rendered.page(name)
    # Headless Chromium has windows of 500 pixels and more; what is wider scrolls inside its own box.
    assert browser.width_of(page, 500) <= 500


def test_a_hostile_process_name_never_runs(browser, rendered):
    opened = browser.open(rendered.page("run_report/first/web-005-a"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in opened.dom
    assert "<script>alert(1)" not in opened.dom
