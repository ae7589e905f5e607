"""The live figures of the lessons in a real browser without a kernel: each control changes the picture."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from teaching_figures import FIGURES

from pipeline import charts
from pipeline.charts.theme import SPEC_MIME
from pipeline.report import page as pages

pytestmark = [pytest.mark.browser, pytest.mark.report, pytest.mark.xdist_group("teaching-figures")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """One page with every live figure, as a report holds it; the pictures are left out, since they are replaced."""
    cells = [new_markdown_cell("# Live figures")]
    for make in FIGURES.values():
        spec = charts.with_theme(make())
        data = {SPEC_MIME: spec, "image/svg+xml": EMPTY, "text/plain": charts.alt_text_of(spec)}
        metadata = {"queuevisor": {"alt": charts.alt_text_of(spec), "caption": ""}}
        output = new_output("display_data", data, metadata=metadata)
        cells.append(new_code_cell("chart", outputs=[output]))
    notebook = new_notebook(cells=cells)
    made = pages.render_page(
        notebook, parameters={}, subject="a study", home="index.html", assets="assets"
    )
    home = tmp_path_factory.mktemp("figures")
    (home / "assets").mkdir()
    for name, text in pages.scripts().items():
        (home / "assets" / name).write_text(text, encoding="utf-8")
    path = home / "figures.html"
    path.write_text(made.text, encoding="utf-8")
    return path


EMPTY = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10" viewBox="0 0 10 10"></svg>'

MOVE = """async ([figure, control]) => {
  const shown = () => [...figure.querySelectorAll(".picture :is(path, text)")]
    .map((mark) => mark.getAttribute("d") + mark.getAttribute("opacity") + mark.textContent).sort().join();
  const before = shown();
  if (control.options) control.selectedIndex = control.options.length - 1;
  else control.value = control.value === control.max ? control.min : control.max;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  control.dispatchEvent(new Event("change", { bubbles: true }));
  for (let wait = 0; wait < 100 && shown() === before; wait += 1) await new Promise((r) => setTimeout(r, 30));
  const moved = shown() !== before;
  figure.querySelector("button.reset").click();
  for (let wait = 0; wait < 100 && shown() !== before; wait += 1) await new Promise((r) => setTimeout(r, 30));
  return [moved, shown() === before];
}"""
"""Move a control to its other end and reset it: whether the picture changed, and whether it changed back."""


def test_each_control_changes_the_picture_and_reset_undoes_it(browser, page):
    opened = browser.open(page)
    assert opened.requests == []
    assert opened.count("figure.chart[data-interactive=yes]") == len(FIGURES), opened.console
    assert "Uncaught" not in opened.console, opened.console
    for name, figure in zip(FIGURES, opened.tab.query_selector_all("figure.chart"), strict=True):
        controls = figure.query_selector_all("form.controls input, form.controls select")
        assert controls, name
        for control in controls:
            moved = opened.tab.evaluate(MOVE, [figure, control])
            assert moved == [True, True], f"{name}: {control.get_attribute('name')}"


def test_no_text_of_a_figure_is_cut_on_a_phone(browser, page):
    opened = browser.open(page, width=390)
    cut = opened.tab.evaluate(OUTSIDE)
    assert cut == []


OUTSIDE = """() => [...document.querySelectorAll("figure.chart .picture svg")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((text) => {
    const own = text.getBoundingClientRect();
    const isSeen = text.textContent && own.width > 1 && own.height > 2;
    return isSeen && (own.left < box.left - 1 || own.right > box.right + 1);
  }).map((text) => text.textContent);
})"""
"""Texts that reach beyond the picture, as a page that is 390 pixels wide draws it."""
