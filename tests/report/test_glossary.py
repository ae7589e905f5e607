"""Glossary terms in the text of a page: each is linked once, outside of headings, links, code and equations."""

import re

import pytest

from pipeline.report import glossary, page

TEXT = """# Glossary
- <a id="service-demand"></a>**service demand**: time per request: D = B/C ([laws](background/laws.md)).
- <a id="demand"></a>**demand**: short for [service demand](#service-demand).
- <a id="before"></a>**before**: key of run.json: a window.
- <a id="mva"></a>**MVA**: the exact recursion over the `population`, see [demand](#demand).
"""


def links(text: str) -> list[tuple[str, str]]:
    return re.findall(r'href="\.\./glossary\.html#([^"]*)"[^>]*>([^<]*)</a>', text)


def test_terms_have_plain_definitions_and_references_are_followed():
    terms = {term.name: term.definition for term in glossary.read_terms(TEXT)}
    assert terms["service demand"] == terms["demand"] == "time per request: D = B/C."
    assert terms["MVA"] == "the exact recursion over the population, see demand."


def test_every_entry_of_the_glossary_is_read():
    text = glossary.SOURCE.read_text(encoding="utf-8")
    listed = glossary.read_terms(text)
    assert len(listed) == text.count('\n- <a id="') > 90
    assert all(not re.search(r"[\[\]`*]|\.md", term.definition) for term in listed)
    assert "before" not in glossary.terms() and "N" in glossary.terms()


def linked(text: str) -> list[tuple[str, str]]:
    return links(glossary.TermLinks("../glossary.html").link(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Service demands and the service demand.</p>", [("service-demand", "Service demands")]),
        ("<p>a demand, then a service demand</p>",
         [("demand", "demand"), ("service-demand", "service demand")]),
        ("<p>R_client, demanding, re-load, Loaded, before</p>", []),
        ("<p>R, r and MVA, mva; N's</p>", [("r", "R"), ("mva", "MVA"), ("n", "N")]),
        ("<h2>Throughput</h2><p><code>throughput</code> <math><mtext>throughput</mtext></math> "
         '<a href="x">throughput</a> <a href="../glossary.html#steal">stolen</a> steal</p>',
         [("steal", "stolen")]),
        ("<p>&lt;throughput&gt; &amp; Little's law</p>",
         [("throughput", "throughput"), ("little-s-law", "Little's law")]),
    ],
)  # fmt: skip
def test_terms_are_linked_in_text_only_and_once(text, expected):
    assert linked(text) == expected


def test_only_links_are_added():
    text = '<p class="a">x &lt; y &#183; <br/><b>throughput</b><!-- throughput --> R&amp;D</p>'
    made = glossary.TermLinks("../glossary.html").link(text)
    assert re.sub(r'<a class="term"[^>]*>([^<]*)</a>', r"\1", made) == text


def test_a_page_links_a_term_once_over_all_its_texts():
    texts = page._Texts()
    first = texts.prose("## Throughput\n\nThe throughput.", trusted=True)
    second = texts.prose("The throughput and the `steal` and steal.", trusted=False)
    assert links(first) == [("throughput", "throughput")]
    assert links(second) == [("steal", "steal")]
    assert 'title="X, requests completed per second."' in first
