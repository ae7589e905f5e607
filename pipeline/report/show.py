"""What notebooks display: figures, tables, key figures, callouts and Markdown.

Every function displays its argument at once, in JupyterLab as in a report page, and returns nothing. Text from logs is
escaped: a process may be named ``<script>``.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl
from IPython import get_ipython
from IPython.display import display

from pipeline import charts
from pipeline.report.headings import column_headings
from pipeline.report.parameters import check_injected
from pipeline.tables import flat
from pipeline.units import format_number, format_short

KEY_FIGURES_MIME = "application/vnd.queuevisor.key-figures+json"
SUMMARY_MIME = "application/vnd.queuevisor.summary+json"

MAX_TABLE_ROWS = 400
"""Rows that a table shows; below a longer one is the number of rows left out."""


def setup() -> None:
    """Enable the chart theme and renderer in this notebook, and refuse a parameter that it does not have."""
    shell = get_ipython()
    if shell is not None:
        check_injected(shell.user_ns.get("In", []))
    charts.enable()


# -- figures -----------------------------------------------------------------------------------------------


def figure(
    chart: alt.TopLevelMixin,
    caption: str = "",
    numbers: pl.DataFrame | None = None,
    *,
    headings: Mapping[str, str] | None = None,
    thumbnail: bool = False,
) -> None:
    """Show ``chart`` with its caption and, folded below it, its data ``numbers``.

    ``thumbnail``: whether it is the page's picture on the index page.
    """
    data, metadata = charts.mime_bundle(chart)
    metadata["queuevisor"] |= {"caption": caption, "thumbnail": thumbnail}
    display(data, metadata=metadata, raw=True)
    if numbers is not None:
        rows = "1 row" if numbers.height == 1 else f"{numbers.height:,} rows"
        table(numbers, headings=headings, folded=f"Data ({rows})")


def drawing(svg: str, alt: str, caption: str = "") -> None:
    """Show a drawing, an SVG that is not a chart, with its alternative text and caption."""
    display(
        {"image/svg+xml": svg, "text/plain": alt},
        metadata={"queuevisor": {"alt": alt, "caption": caption}},
        raw=True,
    )


# -- tables ------------------------------------------------------------------------------------------------


def cell_text(value: Any, digits: int = 4) -> str:
    """One value as a table shows it: numbers to ``digits`` significant digits, – for null."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return format_short(value, digits)
    return str(value)


def table_html(
    frame: pl.DataFrame,
    *,
    caption: str = "",
    headings: Mapping[str, str] | None = None,
    digits: int = 4,
    limit: int = MAX_TABLE_ROWS,
) -> str:
    """``frame`` as an HTML table, every text escaped; ``headings`` take precedence over ``headings.DEFAULT``."""
    shown = flat(frame.head(limit))
    classes = [_column_class(shown[name]) for name in shown.columns]
    heads = column_headings(shown.columns, headings)
    head = "".join(
        f'<th scope="col"{class_}>{html.escape(text)}</th>'
        for text, class_ in zip(heads, classes, strict=True)
    )
    texts = [[cell_text(value, digits) for value in row] for row in shown.iter_rows()]
    cells = [
        "".join(
            f"<td{class_}>{html.escape(text)}</td>"
            for text, class_ in zip(row, classes, strict=True)
        )
        for row in texts
    ]
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    hidden = frame.height - limit
    more = f'<p class="more">{hidden:,} more rows (see Parquet).</p>' if hidden > 0 else ""
    caption_html = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    size = " small" if _is_wide(heads, texts) else ""
    return (
        f'<div class="table{size}"><table>{caption_html}'
        + (f"<thead><tr>{head}</tr></thead>" if any(heads) else "")
        + f"<tbody>{body}</tbody></table></div>{more}"
    )


MAX_UNBROKEN_CHARACTERS = 26
"""Texts up to this length are not broken over lines."""
PAGE_WIDTH_PX = 940
"""Width of a page's text column in a window of 1,280 pixels."""
PADDING_PX, CHARACTER_PX = 16, 7.2
"""Width of a table column's padding, and of a character in it."""


def _is_wide(heads: Sequence[str], texts: Sequence[Sequence[str]]) -> bool:
    """Whether a table is wider than the page at the usual font size; it is then set smaller."""
    widths = [
        max([len(head), *(min(len(row[k]), MAX_UNBROKEN_CHARACTERS) for row in texts)])
        for k, head in enumerate(heads)
    ]
    return CHARACTER_PX * sum(widths) + PADDING_PX * len(widths) > PAGE_WIDTH_PX


def _column_class(column: pl.Series) -> str:
    """The HTML class of a column: ``n`` numbers, ``s`` short texts."""
    if column.dtype.is_numeric():
        return ' class="n"'
    longest = column.cast(pl.String).str.len_chars().max()
    return ' class="s"' if (longest or 0) <= MAX_UNBROKEN_CHARACTERS else ""


def table(
    frame: pl.DataFrame,
    caption: str = "",
    *,
    headings: Mapping[str, str] | None = None,
    digits: int = 4,
    folded: str = "",
) -> None:
    """Show ``frame`` as a table; with ``folded``, folded under that line."""
    inner = table_html(frame, caption=caption, headings=headings, digits=digits)
    if folded:
        inner = (
            f'<details class="numbers"><summary>{html.escape(folded)}</summary>{inner}</details>'
        )
    _display("html", inner, f"{caption}\n{frame}".strip())


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
    """Show the answer of the page: sentences in one paragraph, large; ``kind`` is good, warning or error."""
    text = html.escape(" ".join(sentences))
    _display("html", f'<p class="headline {html.escape(kind)}">{text}</p>', " ".join(sentences))


def summary(frame: pl.DataFrame) -> None:
    """Hand the rows of this page to the index page (``tables.SUMMARY``); nothing is shown here."""
    display({SUMMARY_MIME: {"rows": frame.to_dicts()}, "text/plain": ""}, raw=True)


# -- text --------------------------------------------------------------------------------------------------


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&:/@\"'=^])")


def escape_markdown(text: object) -> str:
    """``text`` on one line, as Markdown that shows every character as it is."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def markdown(text: str, **values: Any) -> None:
    """Show a paragraph of Markdown; ``{name}`` in it is replaced by the value of that name, escaped.

    Floats are shown to three significant digits; hand over text for anything else.
    """
    filled = {
        name: format_number(value) if isinstance(value, float) else escape_markdown(value)
        for name, value in values.items()
    }
    shown = text.format_map(filled) if values else text
    _display("markdown", shown, shown)


def equations(lines: Sequence[tuple[str, str]]) -> None:
    """Show (variant, LaTeX) lines: equations with their numbers, as ``worked_equations.worked`` makes them."""
    rows = [f"| {escape_markdown(variant)} | ${latex}$ |" for variant, latex in lines]
    text = "\n".join(["| variant | with this run's numbers |", "|---|---|", *rows])
    _display("markdown", text, text)


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
