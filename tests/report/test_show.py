"""What notebooks display: text is escaped, long tables are cut, key figures are grouped by subject."""

import json
import re

import polars as pl
import pytest

from pipeline.report import show
from pipeline.report.show import group_by_subject, key_figures_html

from .notebook_files import HOSTILE


def test_tables_escape_every_text_and_show_what_is_missing():
    frame = pl.DataFrame({HOSTILE: [HOSTILE, None], "n": [1.5, None]})
    text = show.table_html(frame, caption=HOSTILE, headings={"n": "<n>"})
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3
    assert "–" in text and "&lt;n&gt;" in text


def test_a_list_of_texts_is_one_cell():
    text = show.table_html(pl.DataFrame({"flags": [["a", HOSTILE], None, []]}))
    assert "a; &lt;script&gt;" in text and text.count("<td") == 3


def test_a_long_table_says_how_many_rows_it_left_out():
    text = show.table_html(pl.DataFrame({"n": range(1000)}), limit=10)
    assert text.count("<tr>") == 11
    assert "990 more rows" in text


def test_a_table_that_would_not_fit_is_set_smaller():
    """By what its cells hold: a dozen of short columns fit, a few long ones do not."""
    short = pl.DataFrame({str(k): [k] for k in range(12)})
    long = pl.DataFrame({f"a heading of some length {k}": [k] for k in range(6)})
    texts = pl.DataFrame({str(k): ["forty letters that are broken over lines"] for k in range(4)})
    assert ["small" in show.table_html(frame) for frame in (short, long, texts)] == [
        False,
        True,
        False,
    ]
    assert "small" not in show.table_html(long, headings=dict.fromkeys(long.columns, ""))


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
    assert show.cell_text(value) == text


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
        r"<th scope[^>]*>(.*?)</th>", show.table_html(frame, headings={"R_cpu": "R"})
    )
    assert heads == ["virtual server", "longest step (s)", "R"]


def test_footnotes_are_shown_once_each(monkeypatch):
    shown = []
    monkeypatch.setattr(show, "_display", lambda kind, text, plain: shown.append(text))
    frame = pl.DataFrame({"n": [1, 2, 3], "why": ["a; b", "b", None]})
    show.table_with_footnotes(frame, "why")
    show.table_with_footnotes(frame, "why", separator=None)
    marks = [re.findall(r'<td class="s">(.*?)</td>', text) for text in shown]
    notes = [re.findall(r"<li>(.*?)</li>", text) for text in shown]
    assert marks == [["1, 2", "2", ""], ["1", "2", ""]]
    assert notes == [["a", "b"], ["a; b", "b"]]
