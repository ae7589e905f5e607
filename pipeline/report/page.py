"""An executed notebook as one HTML page that opens without the network.

Figures are SVG images inside the page; ``charts.js`` next to it, if present, makes them interactive. Equations are
MathML. The page's Content-Security-Policy forbids every request except for that script, so that text from a log could
load or run nothing even if it were not escaped.

Links of a notebook into ``docs/`` work in JupyterLab; on a page, ``docs/glossary.md#term`` becomes a link to the
report's own glossary page, and any other file of ``docs/`` is named by its path.
"""

from __future__ import annotations

import base64
import functools
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import jsonschema_import  # noqa: F401 - before nbformat  # isort: skip
import vl_convert
from jinja2 import Environment, FileSystemLoader, select_autoescape
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter, TemplateExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from pipeline.charts.theme import SPEC_MIME
from pipeline.escape import escape_page
from pipeline.report import glossary
from pipeline.report.html_table import UNSEEN_CAPTION
from pipeline.report.question_html import judge_policy, with_questions
from pipeline.report.show import KEY_FIGURES_MIME, SUMMARY_MIME, TEMPLATES, json_for_script

GLOSSARY = glossary.PAGE


@dataclass(frozen=True)
class RenderedPage:
    """One page, and what the index page shows of it."""

    text: str
    title: str
    key_figures: dict[str, str] = field(default_factory=dict)
    thumbnail: str | None = None
    """The SVG of the chart that the index page shows."""
    summary: list[dict[str, Any]] = field(default_factory=list)
    """The page's rows in the table of the index page."""


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

    def table(self, text: str) -> str:
        return f'<div class="table"><table>{text}</table></div>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        style = f' style="text-align:{align}"' if align else ""
        return f'<th scope="col"{style}>{text}</th>' if head else f"<td{style}>{text}</td>"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        document = _DOCUMENT.fullmatch(url)
        if document is None:
            return super().link(text, url, title)
        if document["path"] == "glossary.md":
            address = html.escape(f"../{GLOSSARY}{document['anchor'] or ''}", quote=True)
            return f'<a class="term" href="{address}">{text}</a>'
        return f"{text}, <code>docs/{html.escape(document['path'])}</code>"


_DOCUMENT = re.compile(r"(?:\.\./)+docs/(?P<path>[\w./-]+\.md)(?P<anchor>#[\w-]+)?")
"""The address of a page of the documentation, from a notebook."""


_NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'

_SUBSCRIPT = re.compile(r"_\{((?:[^{}\\]|_\{[^{}]*\})*)\}")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")


def _upright(subscript: re.Match[str]) -> str:
    """Words in a subscript are set upright: R_{cpu} does not have the indices c, p and u."""
    return "_{" + _WORD.sub(lambda word: rf"\text{{{word[0]}}}", subscript[1]) + "}"


def _mathml(latex: str, display: str) -> str:
    latex = _SUBSCRIPT.sub(_upright, latex.strip())
    try:
        return to_mathml(latex, display=display).replace(_NAMESPACE, "", 1)
    except Exception:  # latex2mathml raises many kinds; the page then shows the LaTeX
        return f"<code>{html.escape(latex)}</code>"


def markdown_html(text: str, *, trusted: bool) -> str:
    """Markdown to HTML; HTML inside it is kept only if ``trusted``, that is, written by this project."""
    return MarkdownWithMath(renderer=_Renderer(escape=not trusted)).render(text)


def _inline_html(text: str) -> str:
    """Markdown of one line, without its paragraph."""
    return markdown_html(text, trusted=True).strip().removeprefix("<p>").removesuffix("</p>")


@dataclass
class _Texts:
    """The texts of one page in their order: terms are linked once, and tables named by their section."""

    links: glossary.TermLinks = field(
        default_factory=lambda: glossary.TermLinks(f"../{glossary.PAGE}")
    )
    section: str = ""
    unnamed: int = 0
    """Tables without a caption in this section."""

    def prose(self, text: str, *, trusted: bool) -> str:
        return self.with_captions(self.links.link(markdown_html(text, trusted=trusted)))

    def with_captions(self, text: str) -> str:
        """HTML in which a table without a caption has the heading of its section as one, for screen readers."""
        return _HEADING_OR_TABLE.sub(self._caption, text)

    def _caption(self, match: re.Match[str]) -> str:
        if match["heading"] is not None:
            self.section, self.unnamed = re.sub(r"<[^>]*>", "", match["heading"]).strip(), 0
            return match[0]
        self.unnamed += 1
        number = f", table {self.unnamed}" if self.unnamed > 1 else ""
        return match[0] + UNSEEN_CAPTION.format((self.section or "Table") + number)


_HEADING_OR_TABLE = re.compile(
    r"<h(?P<level>[1-6])[^>]*>(?P<heading>.*?)</h(?P=level)>|<table[^>]*>(?!\s*<caption)", re.S
)


# -- figures ---------------------------------------------------------------------------------------------


def svg_data_url(svg: str) -> str:
    """An SVG as a data URL: an image runs no script, and its ids are its own."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode("ascii")


def _size(svg: str) -> tuple[int, int]:
    size = re.search(r'<svg[^>]*\swidth="([\d.]+)"[^>]*\sheight="([\d.]+)"', svg)
    return (round(float(size[1])), round(float(size[2]))) if size else (700, 300)


def figure_html(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """One chart's output as a ``<figure>``: image, alternative text, caption, and its specification."""
    own = metadata.get("queuevisor", {})
    svg = data["image/svg+xml"]
    width, height = _size(svg)
    alt = html.escape(own.get("alt") or data.get("text/plain", "A chart"), quote=True)
    caption = markdown_html(own.get("caption", ""), trusted=False)
    spec = data.get(SPEC_MIME)
    script = (
        f'<script type="application/json" class="spec">{json_for_script(spec)}</script>'
        if spec
        else ""
    )
    return (
        f'<figure class="chart"><div class="picture">'
        f'<img alt="{alt}" width="{width}" height="{height}" src="{svg_data_url(svg)}"></div>'
        + (f"<figcaption>{caption}</figcaption>" if own.get("caption") else "")
        + _steps_html(own.get("steps", []))
        + script
        + "</figure>"
    )


def _steps_html(steps: Sequence[str]) -> str:
    """Texts of a drawing's numbered steps as a list; ``steps.js`` shows one of them."""
    items = "".join(
        f'<li value="{number}">{markdown_html(step, trusted=False)}</li>'
        for number, step in enumerate(steps, start=1)
    )
    return f'<ol class="steps">{items}</ol>' if items else ""


# -- the page --------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["j2"]))


@functools.lru_cache(maxsize=1)
def style_sheet() -> str:
    """The style sheet of every page, with the colours of code."""
    own = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    colours = [
        f"@media {media}{{{''.join(HtmlFormatter(style=style).get_token_style_defs('.highlight'))}}}"
        for style, media in CODE_STYLES.items()
    ]
    return re.sub(r" */\*.*?\*/", "", own + "".join(colours))


CODE_STYLES = {
    "xcode": "print,(prefers-color-scheme:light)",
    "zenburn": "screen and (prefers-color-scheme:dark)",
}
"""Pygments style → where it applies: those of most contrast."""


def scripts() -> dict[str, str]:
    """The script files of a report by name; ``charts.js`` begins with Vega and its dependencies."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.glob("*.js"))}
    return texts | {"charts.js": vl_convert.javascript_bundle() + "\n" + texts["charts.js"]}


FOLDED = "folded"
"""Tag of a Markdown cell whose heading starts a section that is shown folded, up to the next section."""
_SECTION = re.compile(r"## +(?P<title>[^\n]+)\n*")


def _with_folds(cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells; those that start or end a folded section say so in their metadata, for the template.

    The heading of a folded section is its summary: it is moved from the cell's text to ``fold_title``.
    """
    marked = []
    is_open = False
    for cell in cells:
        section = _SECTION.match(cell.source) if cell.cell_type == "markdown" else None
        if section is not None:
            starts = FOLDED in cell.metadata.get("tags", [])
            folds = {"fold_end": is_open}
            if starts:
                folds["fold_title"] = section[0].strip()
            text = cell.source[section.end() :] if starts else cell.source
            cell = NotebookNode(cell, source=text, metadata=NotebookNode(cell.metadata, **folds))
            is_open = starts
        marked.append(cell)
    return marked


def _exporter() -> HTMLExporter:
    texts = _Texts()
    return HTMLExporter(
        template_file="page.html.j2",
        extra_template_basedirs=[],
        extra_template_paths=[str(TEMPLATES)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        filters={
            "prose": functools.partial(texts.prose, trusted=True),
            "prose_untrusted": functools.partial(texts.prose, trusted=False),
            "with_captions": texts.with_captions,
            "figure_html": figure_html,
            "highlight_code": Highlight2HTML(pygments_lexer="ipython3"),
        },
    )


def render_page(
    notebook: NotebookNode,
    *,
    parameters: Mapping[str, Any],
    subject: str,
    instance: str = "",
    home: str,
    assets: str,
    page_id: str = "",
    student: str | None = None,
    error: str | None = None,
    traceback: str | None = None,
) -> RenderedPage:
    """Make the page of an executed notebook.

    Parameters
    ----------
    notebook
        With its outputs.
    parameters
        Shown at the foot of the page.
    subject
        What the page is about, in the line above the title.
    instance
        Run or virtual server that the page is about; appended to the title.
    home, assets
        Relative addresses of the index page and of the folder with ``charts.js``.
    page_id
        By which ``pages.js``, the list of the report's pages, names this one.
    student
        Relative address of a lesson's copy with blanks.
    error, traceback
        Of the cell that failed, if one did.
    """
    heading = _title(notebook)
    title = f"{heading}: {instance}" if instance else heading
    key_figures: dict[str, str] = {}
    thumbnails: list[tuple[bool, str]] = []
    summary: list[dict[str, Any]] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            key_figures |= dict(data.get(KEY_FIGURES_MIME, {}).get("lines", []))
            summary += data.get(SUMMARY_MIME, {}).get("rows", [])
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
            "page_id": page_id,
            "parameters": {name: str(value) for name, value in parameters.items()},
            "error": error,
            "traceback": traceback and re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", traceback),
            "code_open": bool(notebook.metadata.get("queuevisor", {}).get("code_open")),
        }
    }
    cells = with_questions(_with_folds(notebook.cells), _inline_html)
    if any(cell.metadata.question for cell in cells):
        resources["queuevisor"]["judge_policy"] = json_for_script(judge_policy())
    resources["queuevisor"]["ends_folded"] = sum(
        ("fold_title" in cell.metadata) - cell.metadata.get("fold_end", False) for cell in cells
    )
    # not HTMLExporter's own method, which parses the whole page again to describe pictures without a description
    text, _ = TemplateExporter.from_notebook_node(
        _exporter(), NotebookNode(notebook, cells=cells), resources
    )
    pictures = [svg for chosen, svg in thumbnails if chosen] or [svg for _, svg in thumbnails]
    thumbnail = pictures[0] if pictures else None
    if instance:
        text = text.replace("</h1>", f": {html.escape(instance)}</h1>", 1)
    text = escape_page(_with_contents(text))
    return RenderedPage(text, title, key_figures, thumbnail, summary)


def _title(notebook: NotebookNode) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            title = re.search(r"^# +(.+)$", cell.source, flags=re.MULTILINE)
            if title:
                return title[1].strip()
    return "Notebook"


def _with_contents(text: str) -> str:
    """The page with the list of its sections in place of the template's marker."""
    sections = re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', text)
    items = "".join(
        f'<li><a href="#{anchor}">{re.sub(r"<[^>]*>", "", name)}</a></li>'
        for anchor, name in sections
    )
    nav = (
        '<nav class="contents" aria-label="On this page"><details open><summary>On this page</summary>'
        f"<ol>{items}</ol></details></nav>"
        if items
        else ""
    )
    return text.replace("<!--contents-->", nav, 1)


def render_template(name: str, **values: Any) -> str:
    """A page that is not made from a notebook: the index page, the glossary."""
    return _environment().get_template(name).render(style=style_sheet(), **values)


def glossary_page(text: str) -> str:
    """The glossary page of a report; ``text`` is ``docs/glossary.md``."""
    from_docs = re.sub(r"\]\((?=[\w./-]+\.md[#)])", "](../docs/", text)
    return render_template("glossary.html.j2", body=markdown_html(from_docs, trusted=True))
