"""An executed notebook as one HTML page that opens without the network.

Figures are SVG pictures inside the page; ``charts.js`` beside it, if it is there, makes them interactive.
Equations are MathML. The page's Content-Security-Policy forbids every request but for that one script, so a
text from a log that got through all else could still not load or run anything.
"""

from __future__ import annotations

import base64
import functools
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, select_autoescape
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from pipeline.charts.theme import SPEC_MIME
from pipeline.report.show import KEY_FIGURES_MIME, json_for_script

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class RenderedPage:
    """One page and what the index page needs of it."""

    text: str
    title: str
    key_figures: dict[str, str] = field(default_factory=dict)
    thumbnail: str | None = None
    """An SVG picture as a data address."""


# -- Markdown with MathML --------------------------------------------------------------------------------


class _Renderer(IPythonRenderer):
    """Markdown to HTML, with equations as MathML."""

    def __init__(self, escape: bool):
        super().__init__(escape=escape, allow_harmful_protocols=False, exclude_anchor_links=True)

    def block_math(self, body: str) -> str:
        return f'<div class="equation">{_mathml(body, "block")}</div>'

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        plain = re.sub(r"<[^>]*>", "", text)
        anchor = re.sub(r"[^\w]+", "-", html.unescape(plain).lower()).strip("-")
        return f'<h{level} id="{html.escape(anchor, quote=True)}">{text}</h{level}>\n'


_NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'

_BELOW = re.compile(r"_\{((?:[^{}\\]|_\{[^{}]*\})*)\}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


def _upright(below: re.Match[str]) -> str:
    """A word as an index stands upright: R_{cpu} has not the indices c, p and u."""
    return "_{" + _WORD.sub(lambda word: rf"\text{{{word[0]}}}", below[1]) + "}"


def _mathml(latex: str, display: str) -> str:
    latex = _BELOW.sub(_upright, latex.strip())
    try:
        return to_mathml(latex, display=display).replace(_NAMESPACE, "", 1)
    except Exception:  # latex2mathml raises many kinds; the reader then sees the LaTeX itself
        return f"<code>{html.escape(latex)}</code>"


def markdown_html(text: str, *, trusted: bool) -> str:
    """Markdown to HTML; HTML inside it is kept only where the text is ours (``trusted``)."""
    return MarkdownWithMath(renderer=_Renderer(escape=not trusted)).render(text)


# -- figures ---------------------------------------------------------------------------------------------


def svg_data_url(svg: str) -> str:
    """An SVG as a data address: as a picture it can run nothing, and its ids stay its own."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def _size(svg: str) -> tuple[int, int]:
    found = re.search(r'<svg[^>]*\swidth="([\d.]+)"[^>]*\sheight="([\d.]+)"', svg)
    return (round(float(found[1])), round(float(found[2]))) if found else (700, 300)


def figure_html(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """One chart's output as a ``<figure>``: picture, alternative text, caption, and its specification."""
    ours = metadata.get("queuevisor", {})
    svg = data["image/svg+xml"]
    width, height = _size(svg)
    alt = html.escape(ours.get("alt") or data.get("text/plain", "A chart"), quote=True)
    caption = markdown_html(ours.get("caption", ""), trusted=False)
    spec = data.get(SPEC_MIME)
    script = (
        f'<script type="application/json" class="spec">{json_for_script(spec)}</script>'
        if spec
        else ""
    )
    return (
        f'<figure class="chart"><div class="picture">'
        f'<img alt="{alt}" width="{width}" height="{height}" src="{svg_data_url(svg)}"></div>'
        + (f"<figcaption>{caption}</figcaption>" if ours.get("caption") else "")
        + script
        + "</figure>"
    )


# -- the page --------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["j2"]))


@functools.lru_cache(maxsize=1)
def style_sheet() -> str:
    """The style sheet of every page, with the colours of code."""
    ours = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return ours + HtmlFormatter(style="friendly").get_style_defs(".highlight")


def charts_script() -> str:
    """``charts.js``: Vega with all it needs, and the few lines that use it."""
    ours = (TEMPLATES / "charts.js").read_text(encoding="utf-8")
    return vl_convert.javascript_bundle() + "\n" + ours


def _exporter() -> HTMLExporter:
    return HTMLExporter(
        template_file="page.html.j2",
        extra_template_basedirs=[],
        extra_template_paths=[str(TEMPLATES)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        filters={
            "markdown2html": functools.partial(markdown_html, trusted=True),
            "markdown2html_untrusted": functools.partial(markdown_html, trusted=False),
            "figure_html": figure_html,
        },
    )


def render_page(
    notebook: NotebookNode,
    *,
    parameters: Mapping[str, Any],
    subject: str,
    home: str,
    assets: str,
    student: str | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> RenderedPage:
    """The page of an executed notebook.

    ``subject`` is what it is about, in a line above the title; ``home`` and ``assets`` are the relative
    addresses of the index page and of the folder with ``charts.js``; ``student`` is that of a lesson's copy
    with blanks.
    """
    title = _title(notebook)
    key_figures: dict[str, str] = {}
    thumbnails: list[tuple[bool, str]] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            key_figures |= dict(data.get(KEY_FIGURES_MIME, {}).get("lines", []))
            if "image/svg+xml" in data:
                chosen = output.metadata.get("queuevisor", {}).get("thumbnail", False)
                thumbnails.append((chosen, data["image/svg+xml"]))
    resources = {
        "queuevisor": {
            "title": title,
            "subject": subject,
            "style": style_sheet(),
            "home": home,
            "assets": assets,
            "student": student,
            "parameters": {name: str(value) for name, value in parameters.items()},
            "error": error,
            "traceback": traceback and re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", traceback),
            "code_open": bool(notebook.metadata.get("queuevisor", {}).get("code_open")),
        }
    }
    text, _ = _exporter().from_notebook_node(notebook, resources=resources)
    pictures = [svg for chosen, svg in thumbnails if chosen] or [svg for _, svg in thumbnails]
    thumbnail = svg_data_url(pictures[0]) if pictures else None
    return RenderedPage(_with_contents(text), title, key_figures, thumbnail)


def _title(notebook: NotebookNode) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found = re.search(r"^# +(.+)$", cell.source, flags=re.MULTILINE)
            if found:
                return found[1].strip()
    return "A notebook"


def _with_contents(text: str) -> str:
    """The page with the list of its sections where the template left room for it."""
    sections = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', text)
    items = "".join(
        f'<li><a href="#{anchor}">{re.sub(r"<[^>]*>", "", name)}</a></li>'
        for anchor, name in sections
    )
    nav = f'<nav class="contents" aria-label="On this page"><ol>{items}</ol></nav>' if items else ""
    return text.replace("<!--contents-->", nav, 1)


def render_template(name: str, **values: Any) -> str:
    """A template of ours that is no notebook: the index page."""
    return _environment().get_template(name).render(style=style_sheet(), **values)
