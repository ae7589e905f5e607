"""What notebooks display: text is escaped, long tables are cut, key figures are grouped by subject."""

import json
import math
import re
from html.parser import HTMLParser

import polars as pl
import pytest
from notebook_files import HOSTILE

from pipeline import charts
from pipeline.report import show
from pipeline.report.html_table import cell_text, table_html
from pipeline.report.show import group_by_subject, key_figures_html


def test_tables_escape_every_text_and_show_what_is_missing():
    frame = pl.DataFrame({HOSTILE: [HOSTILE, None], "n": [1.5, None]})
    text = table_html(frame, caption=HOSTILE, headings={"n": "<n>"})
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3
    assert "–" in text and "&lt;n&gt;" in text


def test_a_list_of_texts_is_one_cell():
    text = table_html(pl.DataFrame({"flags": [["a", HOSTILE], None, []]}))
    assert "a; &lt;script&gt;" in text and text.count("<td") == 3


def test_a_long_table_says_how_many_rows_it_left_out():
    text = table_html(pl.DataFrame({"n": range(1000)}), limit=10)
    assert text.count("<tr>") == 11  # with the heading's
    assert "990 more rows" in text


def test_a_table_that_would_not_fit_is_set_smaller():
    """By what its cells hold: a dozen of short columns fit, a few long ones do not."""
    short = pl.DataFrame({str(k): [k] for k in range(12)})
    long = pl.DataFrame({f"aheadingofsomelength{k}": [k] for k in range(6)})
    broken = long.rename(lambda name: name.replace("of", " of "))
    assert ["small" in table_html(frame) for frame in (short, long, broken)] == [False, True, False]
    assert "small" not in table_html(long, headings=dict.fromkeys(long.columns, ""))


class Grid(HTMLParser):
    """Rows of a table: (tag, attributes, text) of each cell, and the texts of captions."""

    def __init__(self, text: str):
        super().__init__()
        self.rows, self.row_classes, self.captions, self.tag = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
            self.row_classes.append(dict(attrs).get("class"))
        elif tag in ("td", "th"):
            self.rows[-1].append([tag, dict(attrs), ""])
        elif tag == "caption":
            self.captions.append("")
        else:
            return
        self.tag = tag

    def handle_data(self, data):
        if self.tag in ("td", "th"):
            self.rows[-1][-1][2] += data
        elif self.tag == "caption":
            self.captions[-1] += data

    def texts(self, k: int) -> list[str]:
        return [cell[2] for cell in self.rows[k]]


REMARK = f"a remark of many words, with {HOSTILE}, that is longer than a line. " * 4


def test_long_texts_go_under_their_row_where_the_table_would_not_fit():
    """The longest first, and no more of them than are needed; a row without a remark has none under it."""
    frame = pl.DataFrame(
        {
            "quantity": ["U", "X"],
            **{f"column_{k}": [k / 7, 1.0] for k in range(8)},
            "short_remark": ["of some thirty letters, at most", "b"],
            "remark": [REMARK, None],
        }
    )
    text = table_html(frame, headings={"remark": "why"})
    grid = Grid(text)
    assert grid.row_classes == [None, None, "under", None]
    assert grid.texts(0)[-1] == "short remark" and "why" not in grid.texts(0)
    assert grid.rows[2][0][1]["colspan"] == "9" and grid.rows[1][0][1]["rowspan"] == "2"
    assert grid.texts(2) == [f"why {REMARK}"]
    assert "rowspan" not in grid.rows[3][0][1]
    assert "<script" not in text and "small" not in text

    fitting = Grid(table_html(frame.select("quantity", "remark")))
    assert fitting.row_classes == [None, None, None] and fitting.texts(1) == ["U", REMARK]


def test_header_cells_name_their_column_or_row():
    grid = Grid(table_html(pl.DataFrame({"name": ["a"], "x": [1.5], "y": ["b"]})))
    scopes = [[(tag, attrs.get("scope")) for tag, attrs, _ in row] for row in grid.rows]
    assert scopes == [[("th", "col")] * 3, [("th", "row"), ("td", None), ("td", None)]]
    numbers = Grid(table_html(pl.DataFrame({"x": [1.5], "y": [2]}), headings={"x": ""}))
    assert [cell[0] for cell in numbers.rows[0]] == ["td", "th"]
    assert [cell[0] for cell in numbers.rows[1]] == ["td", "td"]


def test_a_rounded_number_has_its_exact_value_beside_it():
    values = [1 / 3, 0.5, -1234.5678, 1e-300, math.inf, math.nan, None, 1200.0]
    cells = [row[0] for row in Grid(table_html(pl.DataFrame({"x": values}))).rows[1:]]
    exact = [attrs.get("data-v") for _, attrs, _ in cells]
    assert [text and float(text) for text in exact] == [
        1 / 3, None, -1234.5678, None, math.inf, None, None, None
    ]  # fmt: skip
    assert [cells[k][2] for k in (1, 5, 6, 7)] == ["0.5", "–", "–", "1,200"]


@pytest.fixture
def displayed(monkeypatch) -> list[str]:
    shown: list[str] = []
    monkeypatch.setattr(show, "_display", lambda kind, text, plain, **more: shown.append(text))
    return shown


def test_every_table_that_is_folded_or_belongs_to_a_chart_has_a_caption(displayed):
    frame = pl.DataFrame({"n": [1]})
    show.table(frame, "Caption & more", folded="Fold")
    show.table(frame, folded="Fold")
    show.figure(charts.empty_chart("A <title>"), numbers=frame)
    captions = [Grid(text).captions for text in displayed]
    assert captions == [["Caption & more"], ["Fold"], ["Data: A <title>"]]
    assert ["unseen" in text for text in displayed] == [False, True, True]


def test_the_style_of_jupyterlab_is_one_output(monkeypatch):
    outputs = []
    monkeypatch.setattr(show, "display", lambda data, **options: outputs.append((data, options)))
    show.setup()
    ((data, options),) = outputs
    assert options["metadata"]["queuevisor"]["only_lab"] is True
    style = data["text/html"]
    assert style.startswith("<style>") and style.count("<") == 2
    for kind in ("good", "warning", "error"):
        assert f".callout.{kind}" in style


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (12345, "12,345"),
        (0.000751234, "0.0007512"),
        (5.0, "5"),
        ("a", "a"),
    ],
)
def test_cells(value, text):
    assert cell_text(value) == text


def test_json_in_a_page_cannot_end_its_script():
    text = show.json_for_script({"a": "</script><script>alert(1)</script>&"})
    assert "<" not in text and ">" not in text
    assert json.loads(text) == {"a": "</script><script>alert(1)</script>&"}


# -- key figures ------------------------------------------------------------------------------------------

FIGURES = {
    "web server: model check": "passed",
    "database server: model check": "passed with warnings",
    "web server: throughput": "5 /s",
    "web server: response time": "98.4 (83.8 to 118) ms",
    "busiest station": "host CPU limit (1 CPU, all guests), 98.4 %",
}


def test_key_figures_by_subject_and_those_of_the_page_last():
    assert group_by_subject(FIGURES) == [
        (
            "web server",
            [
                ("model check", "passed"),
                ("throughput", "5 /s"),
                ("response time", "98.4 (83.8 to 118) ms"),
            ],
        ),
        ("database server", [("model check", "passed with warnings")]),
        ("", [("busiest station", "host CPU limit (1 CPU, all guests), 98.4 %")]),
    ]
    assert group_by_subject({}) == []


def test_key_figures_are_shown_once_and_long_ones_wider():
    made = key_figures_html(FIGURES)
    assert re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", made) == [
        (name, value) for _, lines in group_by_subject(FIGURES) for name, value in lines
    ]
    assert re.findall(r'<div class="longest"><dt>(.*?)</dt>', made) == ["busiest station"]
    assert re.findall(r'<div class="long"><dt>(.*?)</dt>', made) == ["response time", "model check"]
    assert re.findall(r"<p>(.*?)</p>", made) == ["web server", "database server"]


def test_names_from_outside_cannot_become_markup():
    made = key_figures_html({"<script>: <b>": "<i>"})
    assert not re.search(r"<(script|b|i)>", made)


# -- headings of tables ------------------------------------------------------------------------------------


def test_headings_have_defaults_and_a_table_s_own_take_precedence():
    frame = pl.DataFrame({"virtual_server": ["web"], "longest_s": [1.5], "R_cpu": [2.0]})
    heads = re.findall(
        r'<th scope="col"[^>]*>(.*?)</th>', table_html(frame, headings={"R_cpu": "R"})
    )
    assert heads == ["virtual server", "longest step (s)", "R"]


def test_footnotes_are_shown_once_each(displayed):
    frame = pl.DataFrame({"n": [1, 2, 3], "why": ["a; b", "b", None]})
    show.table_with_footnotes(frame, "why")
    show.table_with_footnotes(frame, "why", separator=None)
    marks = [re.findall(r'<td class="s">(.*?)</td>', text) for text in displayed]
    notes = [re.findall(r"<li>(.*?)</li>", text) for text in displayed]
    assert marks == [["1, 2", "2", ""], ["1", "2", ""]]
    assert notes == [["a", "b"], ["a; b", "b"]]
