"""One page: nothing from outside, no script from a log, equations as MathML, links into the documentation."""

import base64
import datetime as dt
import json
import re
from html.parser import HTMLParser

import pytest

from pipeline.report import page, show
from pipeline.report.execute import execute

from .notebook_files import CHART, HOSTILE, notebook, outside_addresses, write

pytestmark = pytest.mark.xdist_group("report")


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "[x](javascript:alert(1))",
        "![x](http://example.org/a.png)",
        "**bold** $x$ `code`",
        "a\n# heading",
        "<img src=x onerror=alert(1)>",
        "http://example.org/",
    ],
)
def test_text_from_logs_stays_text_in_markdown(text):
    shown = page.markdown_html(show.escape_markdown(text), trusted=False)
    assert not re.search(r"<(script|img|a|strong|code|math|h1)\b", shown)
    words = re.sub(r"<[^>]*>", "", shown)
    assert "alert" not in text or "alert" in words


def test_markdown_of_outputs_cannot_hold_html_and_that_of_cells_can():
    assert "<b>" not in page.markdown_html("<b>x</b>", trusted=False)
    assert "<b>x</b>" in page.markdown_html("<b>x</b>", trusted=True)
    assert "javascript:" not in page.markdown_html("[x](javascript:alert(1))", trusted=True)


def test_equations_become_mathml():
    text = page.markdown_html("$$T_{cpu} = \\sum_i T_{cpu,pid_i}$$ and $R_{vdisk}$", trusted=True)
    assert text.count("<math") == 2 and "$" not in text
    assert "<mtext>cpu</mtext>" in text
    assert "http" not in text


def test_an_equation_that_cannot_be_read_is_shown_as_it_is():
    assert "<code>" in page.markdown_html("$\\frac{$", trusted=True)


@pytest.fixture(scope="module")
def charted(tmp_path_factory) -> page.RenderedPage:
    folder = tmp_path_factory.mktemp("charted")
    path = write(
        folder / "a.ipynb", notebook(CHART, "## A section", f'print("{HOSTILE}")', "frame")
    )
    executed = execute(path, {"study": "x"}, cwd=folder)
    assert executed.error is None, executed.traceback
    return page.render_page(
        executed.notebook,
        parameters={"study": HOSTILE},
        subject=HOSTILE,
        home="../index.html",
        assets="../assets",
    )


def test_a_page_asks_for_nothing_outside(charted):
    assert outside_addresses(charted.text) == []
    assert "default-src 'none'" in charted.text
    assert not re.search(r"mathjax|require\.min|cdn|unpkg", charted.text, re.I)


def test_hostile_text_cannot_run_in_a_page(charted):
    assert "<script>alert" not in charted.text
    scripts = re.findall(r"<script([^>]*)>", charted.text)
    running = [s for s in scripts if 'type="application/json"' not in s]
    assert len(scripts) == len(running) + 1
    assert [re.search(r'src="([^"]*)"', s)[1] for s in running] == [
        "../assets/charts.js",
        "../assets/page.js",
    ]


def test_a_figure_has_alternative_text_a_caption_and_its_numbers(charted):
    figure = re.search(r'<figure class="chart">.*?</figure>', charted.text, re.S)[0]
    alt = re.search(r'alt="([^"]*)"', figure)[1]
    assert alt.startswith("A chart (ms).") and "b: 2" in alt
    assert "<em>caption</em>" in figure
    assert "data:image/svg+xml;base64," in figure
    spec = json.loads(re.search(r"<script[^>]*>(.*?)</script>", figure, re.S)[1])
    assert "vega-lite/v6" in spec["$schema"]
    assert "Data (2 rows)" in charted.text
    assert "No description" not in charted.text


def test_a_page_knows_its_headlines_thumbnail_and_sections(charted):
    assert charted.key_figures == {"one": "1", "<b>two</b>": "2"}
    assert list(charted.key_figures) == ["one", "<b>two</b>"]
    picture = base64.b64decode(charted.thumbnail.split(",", 1)[1]).decode()
    assert picture.startswith("<svg")
    assert charted.title == "A title"
    assert '<a href="#a-section">A section</a>' in charted.text
    assert "<b>two</b>" not in charted.text


def test_parameters_and_errors_of_a_page_are_escaped():
    made = page.render_page(
        notebook(),
        parameters={"study": HOSTILE},
        subject=HOSTILE,
        home="../index.html",
        assets="../assets",
        error=f"ValueError: {HOSTILE}",
        traceback=f"\x1b[31m{HOSTILE}\x1b[0m",
    )
    assert "<script>alert" not in made.text and "\x1b" not in made.text
    assert "FAILED" in made.text


def test_times_of_day_do_not_enter_a_page(charted):
    today = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d")
    assert today not in re.sub(r"base64,[^\"]*", "", charted.text)


# -- titles and links ------------------------------------------------------------------------------------


def test_the_title_of_a_page_names_its_run():
    rendered = page.render_page(
        notebook(),
        parameters={},
        subject="a study",
        instance=f"first / {HOSTILE}",
        home="../index.html",
        assets="../assets",
    )
    assert rendered.title == f"A title: first / {HOSTILE}"
    assert re.findall(r"<h1[^>]*>(.*?)</h1>", rendered.text) == [
        "A title: first / &lt;script&gt;alert(1)&lt;/script&gt;"
    ]


def test_links_into_the_documentation():
    glossary = page.markdown_html("[term](../docs/glossary.md#service-demand)", trusted=True)
    assert re.findall(r'href="([^"]*)"', glossary) == ["../glossary.html#service-demand"]
    model = page.markdown_html("[model](../docs/background/model.md#fit)", trusted=True)
    assert "href" not in model and "<code>docs/background/model.md</code>" in model
    inside = page.markdown_html("[below](#section)", trusted=True)
    assert re.findall(r'href="([^"]*)"', inside) == ["#section"]


def test_the_glossary_page_links_its_own_terms_only():
    text = page.glossary_page('<a id="d"></a>**D**: [demand](#demand), see [x](reference/x.md#y).')
    assert re.findall(r'href="([^"]*)"', text) == ["index.html", "#demand"]
    assert '<a id="d"></a>' in text and "<code>docs/reference/x.md</code>" in text
    assert outside_addresses(text) == []


# -- folded sections -------------------------------------------------------------------------------------


class Outline(HTMLParser):
    """Headings, paragraphs and links of a page, each with the number of folded sections that it stands in."""

    def __init__(self, text: str):
        super().__init__()
        self.depth, self.texts, self.open, self.links = 0, [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "details" and dict(attrs).get("class") == "section":
            assert "open" not in dict(attrs)
            self.depth += 1
        if tag == "a":
            self.links.append(dict(attrs).get("href"))
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag == "details":
            self.depth -= 1
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2", "h3", "p") and "summary" in self.open:
            self.texts.append((f"summary {self.open[-1]}", data, self.depth))
        elif self.open and self.open[-1] in ("h1", "h2", "h3", "p"):
            self.texts.append((self.open[-1], data, self.depth))


@pytest.mark.parametrize("last", [(), ("## Last\n\nopen",)])
def test_sections_tagged_folded_are_folded_up_to_the_next_section(last):
    book = notebook(
        "## First\n\nopen", f"## Data & {HOSTILE}\n\ninside", "### Part", "## More", *last
    )
    for cell in book.cells:
        if cell.source.startswith(("## Data", "## More")):
            cell.metadata["tags"] = ["folded"]
    text = page.render_page(book, parameters={}, subject="s", home="h", assets="a").text
    assert text.count("<details") == text.count("</details>") == 2
    outline = Outline(text.partition("<main")[2].partition("</main>")[0])
    headings = {name: (tag, depth) for tag, name, depth in outline.texts if tag.endswith("h2")}
    assert headings["More"] == ("summary h2", 1) and headings["First"] == ("h2", 0)
    places = {name: depth for _, name, depth in outline.texts}
    assert (places["First"], places["inside"], places["Part"], places["More"]) == (0, 1, 1, 1)
    assert places.get("Last", 0) == 0
    assert "#more" in Outline(text).links
