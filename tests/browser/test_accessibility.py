"""What axe reports of the pages: nothing serious, and a contrast of 4.5 in the dark too."""

import pytest
from rendering import LESSON

pytestmark = [
    pytest.mark.browser,
    pytest.mark.report,
    pytest.mark.xdist_group("report"),
]

KINDS = [
    "index",
    "run_report/first/web-005-a",
    "what_if/second/db",
    "compare_servers",
    "validate_model",
    "published",
    "course",
    LESSON,
    "glossary",
]
"""One page of each kind."""


def opened_for_axe(browser, page, scheme):
    """A page without its policy, which would keep axe out; other tests open pages under it."""
    return browser.open(page, bypass_csp=True, color_scheme=scheme)


def test_violations_are_noticed(browser, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><html lang=en><title>t</title><meta name=color-scheme content='light dark'>"
        "<main><h1>t</h1><p style='color:#777'>grey</p><img src='data:,'></main>"
    )
    light = opened_for_axe(browser, page, "light").violations()
    assert [line.split(":")[0] for line in light] == ["color-contrast", "image-alt"]


@pytest.mark.parametrize("name", KINDS)
def test_nothing_serious_in_the_light_and_enough_contrast_in_the_dark(browser, rendered, name):
    opened = opened_for_axe(browser, rendered.page(name), "light")
    opened.unfold()
    assert opened.violations() == []
    opened.tab.emulate_media(color_scheme="dark")
    paper = opened.tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in paper[4:-1].split(",")) < 3 * 60, "the page is not dark"
    assert opened.violations("color-contrast") == []
