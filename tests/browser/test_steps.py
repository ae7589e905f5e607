"""The paper's figures on a page: a slider lights one step of Figure 4; without scripts its texts are a list."""

import nbformat
import pytest

from pipeline.charts import PAPER_FIGURES, VIRTIO_STEPS
from pipeline.report import page, show

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("report")]

LIT = """() => [...document.querySelectorAll("[data-step]")].filter(
  (step) => step.querySelector(".halo").getAttribute("visibility") === "visible").map((step) => step.dataset.step)"""


@pytest.fixture(scope="module")
def figures_page(tmp_path_factory):
    """A page with the five figures, as a notebook shows them, beside the scripts of a report."""
    outputs = []

    def display(data, *, metadata=None, raw):
        outputs.append(nbformat.v4.new_output("display_data", data, metadata=metadata or {}))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show, "display", display)
        for number in PAPER_FIGURES:
            show.paper_figure(number)
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_markdown_cell("# Figures")]
    notebook.cells += [nbformat.v4.new_code_cell("", outputs=[output]) for output in outputs]
    made = page.render_page(
        notebook, parameters={}, subject="a study", home="index.html", assets="assets"
    )
    folder = tmp_path_factory.mktemp("figures")
    (folder / "assets").mkdir()
    for name in ("downloads.js", "steps.js", "page.js"):
        (folder / "assets" / name).write_text((show.TEMPLATES / name).read_text())
    (folder / "assets" / "charts.js").write_text(
        'for (const f of document.querySelectorAll("figure.chart")) f.dataset.interactive = "no";'
    )
    (folder / "page.html").write_text(made.text)
    return folder / "page.html"


def test_the_slider_lights_one_step_and_shows_its_text(browser, figures_page):
    opened = browser.open(figures_page)
    slider, texts = (
        opened.tab.get_by_role("slider", name="Step"),
        opened.tab.locator("ol.steps li:visible"),
    )
    assert opened.count("input[type=range]") == 1  # of five figures
    for step in (1, 8, 5):
        slider.fill(str(step))
        assert opened.tab.evaluate(LIT) == [str(step)]
        assert texts.count() == 1
        assert texts.inner_text().strip() == VIRTIO_STEPS[step - 1].replace("`", "")
        assert opened.tab.locator("output").inner_text() == f"{step} of 8"
    slider.press("ArrowRight")
    assert opened.tab.evaluate(LIT) == ["6"]
    figure = opened.tab.locator("figure.chart:has(ol.steps)")
    with opened.tab.expect_download() as download:
        figure.get_by_role("button", name="SVG").click()
    assert "data-step" in download.value.path().read_text()
    assert opened.requests == []
    assert "Content Security Policy" not in opened.console and "Uncaught" not in opened.console


def test_without_scripts_and_on_paper_every_step_is_there(browser, figures_page):
    texts = "ol.steps li:visible"
    picture = browser.open(figures_page, java_script_enabled=False)
    assert picture.tab.locator(texts).count() == 8
    assert picture.count("figure.chart .picture img") == len(PAPER_FIGURES)
    opened = browser.open(figures_page)
    opened.tab.emulate_media(media="print")
    assert opened.tab.locator(texts).count() == 8


@pytest.mark.parametrize("width", [1280, 390])
def test_the_figures_fit_every_screen(browser, figures_page, width):
    assert browser.open(figures_page, width=width).cut() == []


def test_screen_readers_get_the_figures(browser, figures_page):
    opened = browser.open(figures_page, bypass_csp=True)
    assert opened.violations() == []
    named = opened.tab.locator('figure.chart :is(img[alt], svg[role="img"][aria-label]):visible')
    assert named.count() == len(PAPER_FIGURES)
