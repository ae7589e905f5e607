"""Tables as CSV, charts as SVG and PNG, saved from a page in a browser that has no network."""

import csv
import io
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import polars as pl
import pytest
import small_study
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pipeline import api, charts
from pipeline.report import page as pages
from pipeline.report.html_table import table_html

pytestmark = [pytest.mark.browser, pytest.mark.report]

LONG = "a remark that is longer than a column of a table can be, which moves under its row "
FRAME = pl.DataFrame(
    {
        "process": ["=1+2", "a, b", 'say "hi"', "two\nlines", "<script>alert(1)</script>", None],
        "arguments": ["@SUM(A1)", "-rf", "+x", "-1.5", "–", "µs"],
        "seconds": [1 / 3, -2.5e-9, 1.7976931348623157e308, 0.1 + 0.2, None, 0.0],
        "operations": [1_234_567, -1, 0, 10**15, None, 5],
        "note": [LONG + str(k) if k % 2 else None for k in range(6)],
        "reason": [f"{LONG}, {k}, and another" * 2 for k in range(6)],
    }
)
TEXTS = {
    "process": ["'=1+2", "a, b", 'say "hi"', "two\nlines", "<script>alert(1)</script>", ""],
    "arguments": ["'@SUM(A1)", "'-rf", "'+x", "-1.5", "", "µs"],
}
"""What a spreadsheet reads: no text is a formula."""


def display(data, metadata=None):
    output = new_output("display_data", data, metadata=metadata or {})
    return new_code_cell("show", outputs=[output])


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """A page with a table and a chart."""
    points = alt.Chart(alt.InlineData([{"x": k, "y": k * k} for k in range(4)]), title="A chart")
    chart = points.mark_line().encode(x="x:Q", y="y:Q").properties(width=480, height=120)
    html = table_html(FRAME, caption="Numbers & texts")
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Downloads"),
            display({"text/html": html, "text/plain": ""}),
            display(*charts.mime_bundle(chart)),
        ]
    )
    made = pages.render_page(notebook, parameters={}, subject="s", home="i.html", assets="assets")
    home = tmp_path_factory.mktemp("downloads")
    (home / "assets").mkdir()
    for name, text in pages.scripts().items():
        (home / "assets" / name).write_text(text, encoding="utf-8")
    (home / "a page.html").write_text(made.text, encoding="utf-8")
    return home / "a page.html"


def saved(opened, button) -> tuple[str, bytes]:
    """Name and bytes of the file that a button saves."""
    with opened.tab.expect_download() as download:
        button.click()
    assert opened.requests == []
    assert "Content Security Policy" not in opened.console, opened.console
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def read_csv(content: bytes) -> dict[str, list[str]]:
    """Columns by heading."""
    heads, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert {len(row) for row in rows} == {len(heads)} and len(set(heads)) == len(heads)
    return dict(zip(heads, map(list, zip(*rows, strict=True)), strict=True))


def numbers(cells: list[str]) -> list[float | None]:
    return [float(cell) if cell else None for cell in cells]


def test_a_csv_file_has_the_numbers_of_the_table_in_full(browser, page):
    opened = browser.open(page)
    assert opened.count("table tr.under") == FRAME.height
    name, content = saved(opened, opened.tab.get_by_role("button", name="CSV"))
    assert re.fullmatch(r"a.page-numbers-texts\.csv", name)
    columns = read_csv(content)
    assert list(columns) == FRAME.columns
    for key in ("seconds", "operations"):
        assert numbers(columns[key]) == FRAME[key].to_list()
    assert columns["note"] == FRAME["note"].fill_null("").to_list()
    assert columns["reason"] == FRAME["reason"].to_list()


def test_no_text_of_a_csv_file_is_a_formula(browser, page):
    opened = browser.open(page)
    columns = read_csv(saved(opened, opened.tab.get_by_role("button", name="CSV"))[1])
    assert {key: columns[key] for key in TEXTS} == TEXTS


@pytest.mark.parametrize(("width", "interactive"), [(1280, "yes"), (390, "no")])
def test_a_chart_is_saved_as_svg_and_png(browser, page, width, interactive):
    opened = browser.open(page, width=width)
    assert opened.count(f"figure.chart[data-interactive={interactive}]") == 1
    name, svg = saved(opened, opened.tab.get_by_role("button", name="SVG"))
    assert name.endswith("a-chart.svg")
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "A chart" in "".join(root.itertext())
    name, png = saved(opened, opened.tab.get_by_role("button", name="PNG"))
    assert name.endswith("a-chart.png")
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    size = struct.unpack(">II", png[16:24])
    assert size == tuple(2 * round(float(root.get(side))) for side in ("width", "height"))
    assert len(png) > 2000


@pytest.mark.xdist_group("report")
def test_every_table_and_chart_of_a_run_page_can_be_saved(browser, rendered):
    opened = browser.open(rendered.page("run_report/first/db-16-a"))
    opened.unfold()
    tables = opened.count("main table:not(:has(math))")
    buttons = opened.tab.get_by_role("button", name="Download as CSV")
    assert tables > 10 and buttons.count() == tables
    figures = opened.count("figure.chart")
    for kind in ("SVG", "PNG"):
        assert opened.tab.get_by_role("button", name=f"Download as {kind}").count() == figures
    each = buttons.all()
    # Chromium drops the eleventh of many downloads in a row
    names = [saved(opened, button)[0] for button in [*each[:5], *each[-5:]]]
    assert all(name.endswith(".csv") for name in names)


@pytest.mark.xdist_group("report")
def test_the_csv_file_of_the_ledger_has_its_numbers_in_full(browser, rendered):
    places = {"raw": rendered.raw, "processed": rendered.processed}
    ledger = api.open_run(small_study.STUDY, "first", "db-16-a", **places).ledger
    opened = browser.open(rendered.page("run_report/first/db-16-a"))
    opened.unfold()
    button = opened.tab.get_by_role("button", name="Download as CSV: Ledger")
    columns = read_csv(saved(opened, button)[1])
    assert columns["quantity"] == ledger["quantity"].to_list()
    for key in ("value", "low", "high"):
        assert numbers(columns[key]) == ledger[key].to_list()
