"""Glossary terms in the text of a page: the first use of each is a link to the glossary, with its definition.

``docs/glossary.md`` is the source. Only exact terms and their plurals count, as whole words: not parts of symbols
(``R`` in ``R_client``), and not in headings, links, code, tables or equations.
"""

from __future__ import annotations

import functools
import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from pipeline.files import ROOT

SOURCE = ROOT / "docs" / "glossary.md"
PAGE = "glossary.html"
"""File name of the report's glossary page, next to the index page."""

_ENTRY = re.compile(r'^- <a id="(?P<anchor>[^"]+)"></a>\*\*(?P<term>.+?)\*\*: (?P<text>.+)$', re.M)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")
_SOURCES = re.compile(r" \((?:\[[^\]]*\]\([^)]*\)(?:, )?)+\)")
_REFERENCE = re.compile(r"(?:see |short for )?\[[^\]]*\]\(#(?P<anchor>[\w-]+)\)[^.;:]*\.")
_KEY = "key of "
"""Begins the definition of a key of a file, which is no word of a text: ``before``."""

_CLOSED = frozenset(["a", "button", "code", "math", "pre", "script", "style", "summary", "table"])
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))


@dataclass(frozen=True)
class Term:
    """One entry of the glossary; ``definition`` is plain text."""

    name: str
    anchor: str
    definition: str


def read_terms(text: str) -> list[Term]:
    """The terms of a glossary in Markdown; one that only refers to another has the definition of that one."""
    entries = {match["anchor"]: match for match in _ENTRY.finditer(text)}

    def definition(anchor: str) -> str:
        own = entries[anchor]["text"]
        reference = _REFERENCE.fullmatch(own)
        if reference is not None and reference["anchor"] in entries:
            return definition(reference["anchor"])
        plain = _LINK.sub(r"\1", _SOURCES.sub("", own))
        return plain.replace("`", "").replace("*", "")

    return [Term(match["term"], anchor, definition(anchor)) for anchor, match in entries.items()]


@functools.lru_cache(maxsize=1)
def terms() -> dict[str, Term]:
    """The terms to link, by their names in lower case where the case of the first letter is free."""
    listed = read_terms(SOURCE.read_text(encoding="utf-8"))
    return {_key(term.name): term for term in listed if not term.definition.startswith(_KEY)}


def _key(name: str) -> str:
    """The name with its first letter in lower case, unless it is a symbol or an abbreviation."""
    return name if len(name) < 2 or name[1].isupper() else name[0].lower() + name[1:]


@functools.lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Every term as a whole word, longer ones first, with an optional plural."""
    names = "|".join(map(_either_case, sorted(terms(), key=len, reverse=True)))
    return re.compile(rf"(?<![\w-])({names})(?:e?s)?(?![\w-])")


def _either_case(name: str) -> str:
    if len(name) == 1 or name != name.lower():
        return re.escape(name)
    return f"[{name[0]}{name[0].upper()}]{re.escape(name[1:])}"


@dataclass
class TermLinks:
    """Links of one page; what was linked in one of its texts is not linked in the next.

    Parameters
    ----------
    page
        Address of the glossary page.
    """

    page: str
    linked: set[str] = field(default_factory=set)
    """Anchors of the terms that the page links already."""

    def link(self, text: str) -> str:
        """HTML with the first use of each term as a link; the HTML must be well formed."""
        return _Linker(self).rewritten(text)

    def link_terms(self, text: str) -> str:
        """Text, not HTML, with the first use of each term as a link."""
        return _pattern().sub(self._anchor, text)

    def _anchor(self, match: re.Match[str]) -> str:
        term = terms()[_key(match[1])]
        if term.anchor in self.linked:
            return match[0]
        self.linked.add(term.anchor)
        title = html.escape(term.definition, quote=True)
        return f'<a class="term" href="{self.page}#{term.anchor}" title="{title}">{match[0]}</a>'


class _Linker(HTMLParser):
    """Rewrites HTML; only text outside of links, code, tables, headings and equations changes."""

    def __init__(self, links: TermLinks):
        super().__init__(convert_charrefs=False)
        self.links, self.parts, self.closed = links, [], 0

    def rewritten(self, text: str) -> str:
        self.feed(text)
        self.close()
        return "".join(self.parts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.closed += tag in _CLOSED or tag in _HEADINGS
        address = dict(attrs).get("href") or ""
        if tag == "a" and address.startswith(f"{self.links.page}#"):
            self.links.linked.add(address.partition("#")[2])
        self.parts.append(self.get_starttag_text() or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self.closed -= tag in _CLOSED or tag in _HEADINGS
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.parts.append(data if self.closed else self.links.link_terms(data))

    def handle_entityref(self, name: str) -> None:
        self.parts.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.parts.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.parts.append(f"<!--{data}-->")
