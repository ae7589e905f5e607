"""What notebooks display: figures, tables, key figures, callouts and Markdown.

Every function displays its argument at once, in JupyterLab as in a report page, and returns nothing. Text from logs is
escaped: a process may be named ``<script>``.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from IPython import get_ipython
from IPython.display import display

from pipeline import charts
from pipeline.charts.theme import SPEC_MIME, title_of
from pipeline.report.html_table import table_html
from pipeline.report.parameters import check_injected
from pipeline.units import format_number

if TYPE_CHECKING:
    import altair as alt

KEY_FIGURES_MIME = "application/vnd.queuevisor.key-figures+json"
TEMPLATES = Path(__file__).parent / "templates"
SUMMARY_MIME = "application/vnd.queuevisor.summary+json"


def setup() -> None:
    """Enable the chart theme and renderer, and the style of tables in JupyterLab; refuse an unknown parameter."""
    shell = get_ipython()
    if shell is not None:
        check_injected(shell.user_ns.get("In", []))
    charts.enable()
    style = (TEMPLATES / "lab.css").read_text(encoding="utf-8")
    _only_lab("html", f"<style>{style}</style>", "")


def _only_lab(kind: str, text: str, plain: str | None = None) -> None:
    """Show HTML or Markdown in JupyterLab that no page has."""
    display(
        {f"text/{kind}": text, "text/plain": text if plain is None else plain},
        metadata={"queuevisor": {"only_lab": True}},
        raw=True,
    )


# -- figures -----------------------------------------------------------------------------------------------


def figure(
    chart: alt.TopLevelMixin,
    caption: str = "",
    numbers: pl.DataFrame | None = None,
    *,
    headings: Mapping[str, str] | None = None,
    thumbnail: bool = False,
    folded: str = "",
) -> None:
    """Show ``chart`` with its caption and, folded below it, its data ``numbers``.

    ``thumbnail``: whether it is the page's picture on the index page. ``folded``: on a page, the line that the chart
    is folded under.
    """
    data, metadata = charts.mime_bundle(chart)
    metadata["queuevisor"] |= {"caption": caption, "thumbnail": thumbnail, "folded": folded}
    display(data, metadata=metadata, raw=True)
    if numbers is not None:
        rows = "1 row" if numbers.height == 1 else f"{numbers.height:,} rows"
        title = title_of(data[SPEC_MIME])
        inner = table_html(
            numbers, caption=title and f"Data: {title}", is_caption_shown=False, headings=headings
        )
        _display("html", _fold(f"Data ({rows})", inner), str(numbers))


def drawing(svg: str, alt: str, caption: str = "", *, steps: Sequence[str] = ()) -> None:
    """Show a drawing, an SVG that is not a chart, with its alternative text and caption.

    ``steps``: texts of its numbered steps, as Markdown, one each. On a page a slider lights a step and shows its text;
    in JupyterLab, which runs no script of ours, they are a list below the drawing.
    """
    display(
        {"image/svg+xml": svg, "text/plain": alt},
        metadata={"queuevisor": {"alt": alt, "caption": caption, "steps": list(steps)}},
        raw=True,
    )
    text = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
    if steps:
        _only_lab("markdown", text)


def paper_figure(number: int) -> None:
    """Show the paper's Figure 1, 2, 3, 4 or 5, drawn anew; Figure 4 with its steps."""
    figure_drawn = charts.PAPER_FIGURES[number]()
    steps = charts.VIRTIO_STEPS if number == charts.VIRTIO_FIGURE else ()
    drawing(figure_drawn.svg(), figure_drawn.description, charts.paper_caption(number), steps=steps)


# -- tables ------------------------------------------------------------------------------------------------


def table(
    frame: pl.DataFrame,
    caption: str = "",
    *,
    headings: Mapping[str, str] | None = None,
    digits: int = 4,
    folded: str = "",
) -> None:
    """Show ``frame`` as a table; with ``folded``, folded under that line.

    A table without a caption has that line, or the heading of its section, as a caption that is not shown.
    """
    inner = table_html(
        frame,
        caption=caption or folded,
        is_caption_shown=bool(caption),
        headings=headings,
        digits=digits,
    )
    _display("html", _fold(folded, inner), f"{caption}\n{frame}".strip())


def _fold(summary: str, inner: str) -> str:
    """HTML folded under a line; as it is without one."""
    if not summary:
        return inner
    return f'<details class="numbers"><summary>{html.escape(summary)}</summary>{inner}</details>'


def _display(kind: str, text: str, plain: str, **more: Any) -> None:
    """Show ``text``, HTML or Markdown; ``plain`` is for front ends that show neither."""
    display({f"text/{kind}": text, "text/plain": plain, **more}, raw=True)


def table_with_footnotes(
    frame: pl.DataFrame, notes: str, *, separator: str | None = "; ", **options: Any
) -> None:
    """Show ``frame`` with the texts of its column ``notes`` as numbered footnotes, each once.

    A text may hold several notes with ``separator`` between them. ``options`` are those of ``table``.
    """
    if notes not in frame.columns:
        table(frame, **options)
        return
    numbers: dict[str, int] = {}
    marks = []
    for text in frame[notes].to_list():
        parts = [part for part in ((text or "").split(separator) if separator else [text]) if part]
        marks.append(", ".join(str(numbers.setdefault(part, len(numbers) + 1)) for part in parts))
    marked = frame.drop(notes).with_columns(pl.Series("note", marks, dtype=pl.String))
    footnotes = "".join(f"<li>{html.escape(part)}</li>" for part in numbers)
    inner = table_html(marked, **options) + f'<ol class="notes">{footnotes}</ol>'
    _display("html", inner, str(frame))


# -- key figures -----------------------------------------------------------------------------------------------

Lines = list[tuple[str, str]]

MAX_NARROW_CHARACTERS, MAX_WIDE_CHARACTERS = 18, 28
"""A longer value spans two columns, or three."""


def group_by_subject(figures: Mapping[str, str]) -> list[tuple[str, Lines]]:
    """Key figures by subject: ``web server: throughput`` is ``throughput`` of the subject ``web server``.

    Subjects stand in the order of their first figure; figures without a subject, those of the whole page, come last
    under an empty text.
    """
    groups: dict[str, Lines] = {}
    for name, value in figures.items():
        subject, colon, rest = name.partition(": ")
        groups.setdefault(subject if colon else "", []).append((rest if colon else name, value))
    of_page = groups.pop("", None)
    return [*groups.items(), *([("", of_page)] if of_page else [])]


def key_figures_html(figures: Mapping[str, str]) -> str:
    """A page's key figures as HTML."""
    parts = []
    for subject, lines in group_by_subject(figures):
        items = "".join(
            f"<div{_width_class(value)}><dt>{html.escape(name)}</dt>"
            f"<dd>{html.escape(value)}</dd></div>"
            for name, value in lines
        )
        heading = f"<p>{html.escape(subject)}</p>" if subject else ""
        parts.append(f"{heading}<dl>{items}</dl>")
    return f'<div class="key-figures">{"".join(parts)}</div>'


def _width_class(value: str) -> str:
    if len(value) <= MAX_NARROW_CHARACTERS:
        return ""
    return ' class="longest"' if len(value) > MAX_WIDE_CHARACTERS else ' class="long"'


def key_figures(figures: Mapping[str, str]) -> None:
    """Show the page's most important numbers, here and on the index page."""
    plain = "\n".join(f"{name}: {value}" for name, value in figures.items())
    lines = [list(line) for line in figures.items()]
    _display("html", key_figures_html(figures), plain, **{KEY_FIGURES_MIME: {"lines": lines}})


def headline(sentences: Sequence[str], kind: str) -> None:
    """Show the answer of the page, large, each of ``sentences`` on a line; ``kind`` is good, warning or error."""
    lines = "".join(f"<span>{html.escape(sentence)}</span> " for sentence in sentences)
    _display("html", f'<p class="headline {html.escape(kind)}">{lines}</p>', "\n".join(sentences))


def summary(frame: pl.DataFrame) -> None:
    """Hand the rows of this page to the index page (``tables.SUMMARY``); nothing is shown here."""
    display({SUMMARY_MIME: {"rows": frame.to_dicts()}, "text/plain": ""}, raw=True)


# -- text --------------------------------------------------------------------------------------------------


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&:/@\"'=^])")


def escape_markdown(text: object) -> str:
    """``text`` on one line, as Markdown that shows every character as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def markdown(text: str, *, folded: str = "", **values: Any) -> None:
    """Show a paragraph of Markdown; ``{name}`` in it is replaced by the value of that name, escaped.

    Floats are shown to three significant digits; hand over text for anything else. ``folded``: on a page, the line
    that the paragraph is folded under.
    """
    filled = {
        name: format_number(value) if isinstance(value, float) else escape_markdown(value)
        for name, value in values.items()
    }
    shown = text.format_map(filled) if values else text
    display(
        {"text/markdown": shown, "text/plain": shown},
        metadata={"queuevisor": {"folded": folded}},
        raw=True,
    )


def callout(kind: str, lines: Sequence[str], *, title: str) -> None:
    """Show a box of sentences under a title; ``kind``, which is its colour, is good, warning or error."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    head = f"<p><strong>{html.escape(title)}</strong></p>"
    inner = head + (f"<ul>{items}</ul>" if items else "")
    plain = "\n".join([title, *(f"- {line}" for line in lines)])
    _display("html", f'<div class="callout {html.escape(kind)}">{inner}</div>', plain)


def json_for_script(value: Any) -> str:
    """JSON for the inside of ``<script>``: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
