"""One page: nothing from outside, no script from a log, equations as MathML, links into the documentation."""

import datetime as dt
import json
import re
from html.parser import HTMLParser

import nbformat
import pytest
from notebook_files import CHART, HOSTILE, notebook, outside_addresses, write

from pipeline.report import page, show
from pipeline.report.execute import execute

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
        f"../assets/{name}.js"
        for name in ("downloads", "controls", "charts", "steps", "pages", "page")
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
    assert charted.thumbnail.startswith("<svg")
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
    assert re.findall(r'href="([^"]*)"', text) == ["#content", "index.html", "#demand"]
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
    assert text.count("<details") == text.count("</details>") == 3  # and the contents list
    outline = Outline(text.partition("<main")[2].partition("</main>")[0])
    headings = {name: (tag, depth) for tag, name, depth in outline.texts if tag.endswith("h2")}
    assert headings["More"] == ("summary h2", 1) and headings["First"] == ("h2", 0)
    places = {name: depth for _, name, depth in outline.texts}
    assert (places["First"], places["inside"], places["Part"], places["More"]) == (0, 1, 1, 1)
    assert places.get("Last", 0) == 0
    assert "#more" in Outline(text).links


# -- tables, colours and the parts around the content ------------------------------------------------------


def test_tables_without_a_caption_are_named_by_their_section():
    book = notebook("## Clocks\n\n| a | b |\n|---|--:|\n| 1 | 2 |", "### Logs")
    for text in ("<table></table><table></table>", "<table><caption>own</caption></table>"):
        output = nbformat.v4.new_output("display_data", {"text/html": text, "text/plain": ""})
        book.cells.append(nbformat.v4.new_code_cell("x", outputs=[output]))
    text = page.render_page(book, parameters={}, subject="s", home="h", assets="a").text
    captions = re.findall(r"<table><caption>(?:<span class=\"unseen\">)?([^<]*)<", text)
    assert captions == ["Clocks", "Logs", "Logs, table 2", "own"]
    assert re.findall(r"<th\b([^>]*)>", text) == [
        ' scope="col"',
        ' scope="col" style="text-align:right"',
    ]


def test_the_style_of_jupyterlab_is_not_in_a_page(charted):
    assert "jp-RenderedHTMLCommon" not in charted.text


def test_a_page_names_itself_for_the_list_of_pages():
    parameters = {"study": HOSTILE, "server": "first", "virtual_server": "web"}
    text = page.render_page(
        notebook(), parameters=parameters, subject="s", home="h", assets="a", page_id="what_if/<x>"
    ).text
    body = re.search(r"<body([^>]*)>", text)[1]
    assert re.findall(r'([\w-]+)="([^"]*)"', body) == [
        ("data-page", "what_if/&lt;x&gt;"),
        ("data-study", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("data-server", "first"),
        ("data-virtual-server", "web"),
    ]


def test_a_page_has_landmarks_and_a_link_to_its_content(charted):
    body = charted.text.partition("<body")[2]
    assert body.index('href="#content"') < body.index("<header") < body.index('<main id="content"')
    navigation = dict(re.findall(r'<nav class="(\w+)" aria-label="[^"]+"( hidden)?>', body))
    assert navigation == {"contents": "", "neighbours": " hidden"}
    assert '<button type="button" class="code-switch" aria-pressed="false" hidden>' in body
    assert body.count('<div class="code">') == 3 and "<summary>Code" not in body


def relative_luminance(colour: str) -> float:
    """Of a colour #rgb or #rrggbb, as in WCAG 2."""
    digits = colour.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(relative_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_texts_have_enough_contrast_in_light_and_dark():
    style = page.style_sheet()
    light, dark = (
        dict(re.findall(r"--(\w+):(#\w+)", block))
        for block in re.findall(r":root\{(color-scheme:[^}]*)\}", style)
    )
    assert light.keys() == dark.keys() and light["paper"] == "#fff"
    assert contrast("#777", "#fff") == pytest.approx(4.48, abs=0.005)
    for scheme in (light, dark):
        for text in ("ink", "soft", "blue", "red", "green", "amber"):
            assert contrast(scheme[text], scheme["paper"]) >= 4.5, text
            assert contrast(scheme[text], scheme["wash"]) >= 4.5, text
        for box in ("good", "warning", "error"):
            for text in ("ink", "red", "blue"):
                assert contrast(scheme[text], scheme[box]) >= 4.5, (text, box)
    code = [
        style[style.index(f"@media {media}{{.highlight") :] for media in page.CODE_STYLES.values()
    ]
    blocks = [code[0][: len(code[0]) - len(code[1])], code[1]]
    for scheme, block in zip((light, dark), blocks, strict=True):
        rules = re.findall(r"\.highlight \.(\w+) \{([^}]*)\}", block)
        used = [(name, re.search(r"(?<!-)color: (#\w+)", rule)) for name, rule in rules]
        colours = [(n, c[1]) for n, c in used if c and n[0] != "g" and n != "err"]
        assert len(colours) > 20
        assert min(contrast(c, scheme["wash"]) for _, c in colours) >= 4.5
