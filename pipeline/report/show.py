"""What notebooks show: figures, tables, headline numbers and sentences, safe for any text that logs may hold.

Everything here displays at once, in JupyterLab as in a report page, and returns nothing. Text from logs is
escaped: a process may be called ``<script>``.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl
from IPython.display import display

from pipeline import charts
from pipeline.tables import flat
from pipeline.units import format_number, format_short

HEADLINE_MIME = "application/vnd.queuevisor.headline+json"

MAX_TABLE_ROWS = 400
"""Rows that a table shows; a longer one says how many it left out and where they are."""


def setup() -> None:
    """Use our chart theme and renderer in this notebook."""
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
    """Show ``chart`` with its caption, and under it, folded, the ``numbers`` that it draws.

    ``thumbnail`` makes it the page's picture on the index page.
    """
    data, metadata = charts.mime_bundle(chart)
    metadata["queuevisor"] |= {"caption": caption, "thumbnail": thumbnail}
    display(data, metadata=metadata, raw=True)
    if numbers is not None:
        rows = "1 row" if numbers.height == 1 else f"{numbers.height:,} rows"
        table(numbers, headings=headings, folded=f"The numbers of this figure ({rows})")


# -- tables ------------------------------------------------------------------------------------------------


def cell_text(value: Any, digits: int = 4) -> str:
    """One value for a table: numbers to ``digits`` significant digits, – for what is missing."""
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
    """``frame`` as an HTML table; every text in it is escaped."""
    shown = flat(frame.head(limit))
    kinds = [_kind(shown[name]) for name in shown.columns]
    heads = [(headings or {}).get(name, name) for name in shown.columns]
    head = "".join(
        f'<th scope="col"{kind}>{html.escape(text)}</th>'
        for text, kind in zip(heads, kinds, strict=True)
    )
    texts = [[cell_text(value, digits) for value in row] for row in shown.iter_rows()]
    cells = [
        "".join(
            f"<td{kind}>{html.escape(text)}</td>" for text, kind in zip(row, kinds, strict=True)
        )
        for row in texts
    ]
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    left = frame.height - limit
    more = (
        f'<p class="more">{left:,} more rows are not shown here; the pipeline\'s Parquet holds them all.</p>'
        if left > 0
        else ""
    )
    titled = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    narrow = " small" if _is_wide(heads, texts) else ""
    return (
        f'<div class="table{narrow}"><table>{titled}'
        + (f"<thead><tr>{head}</tr></thead>" if any(heads) else "")
        + f"<tbody>{body}</tbody></table></div>{more}"
    )


SHORT = 26
"""Texts up to this length are not broken over lines."""
ROOM_PX = 940
"""How wide a page's column is in a window of 1,280 pixels."""
BESIDE_PX, LETTER_PX = 16, 7.2
"""What stands beside each column of a table, and a letter in it."""


def _is_wide(heads: Sequence[str], texts: Sequence[Sequence[str]]) -> bool:
    """Whether a table would not fit at its usual size: it is set smaller, so that its last columns stay in sight."""
    letters = [
        max([len(head), *(min(len(row[k]), SHORT) for row in texts)])
        for k, head in enumerate(heads)
    ]
    return LETTER_PX * sum(letters) + BESIDE_PX * len(letters) > ROOM_PX


def _kind(column: pl.Series) -> str:
    """The class of a column: ``n`` numbers, ``s`` short texts."""
    if column.dtype.is_numeric():
        return ' class="n"'
    longest = column.cast(pl.String).str.len_chars().max()
    return ' class="s"' if (longest or 0) <= SHORT else ""


def table(
    frame: pl.DataFrame,
    caption: str = "",
    *,
    headings: Mapping[str, str] | None = None,
    digits: int = 4,
    folded: str = "",
) -> None:
    """Show ``frame`` as a table; ``folded`` is the line it hides behind, if it is to be folded."""
    inner = table_html(frame, caption=caption, headings=headings, digits=digits)
    if folded:
        inner = (
            f'<details class="numbers"><summary>{html.escape(folded)}</summary>{inner}</details>'
        )
    _display("html", inner, f"{caption}\n{frame}".strip())


def _display(kind: str, text: str, plain: str, **more: Any) -> None:
    """Show ``text``, HTML or Markdown; ``plain`` is for those who show neither."""
    display({f"text/{kind}": text, "text/plain": plain, **more}, raw=True)


def noted(frame: pl.DataFrame, remarks: str, **options: Any) -> None:
    """Show ``frame`` with the texts of its column ``remarks`` as notes below it, each told once.

    A text may hold several remarks, separated by ``; ``.
    """
    if remarks not in frame.columns:
        table(frame, **options)
        return
    numbers: dict[str, int] = {}
    marks = []
    for text in frame[remarks].to_list():
        told = [part for part in (text or "").split("; ") if part]
        marks.append(", ".join(str(numbers.setdefault(part, len(numbers) + 1)) for part in told))
    marked = frame.drop(remarks).with_columns(pl.Series("note", marks, dtype=pl.String))
    notes = "".join(f"<li>{html.escape(part)}</li>" for part in numbers)
    inner = table_html(marked, **options) + f'<ol class="notes">{notes}</ol>'
    _display("html", inner, str(frame))


# -- headline numbers -----------------------------------------------------------------------------------------

Lines = list[tuple[str, str]]

LONG, LONGEST = 18, 28
"""A value of more letters than these takes the room of two, and of three."""


def by_subject(numbers: Mapping[str, str]) -> list[tuple[str, Lines]]:
    """``web server: throughput`` stands as ``throughput`` under ``web server``; what is of no one, under nothing.

    In the order in which subjects come first, the nameless one last: it is of the whole page.
    """
    found: dict[str, Lines] = {}
    for name, value in numbers.items():
        subject, colon, rest = name.partition(": ")
        found.setdefault(subject if colon else "", []).append((rest if colon else name, value))
    whole = found.pop("", None)
    return [*found.items(), *([("", whole)] if whole else [])]


def strip(numbers: Mapping[str, str]) -> str:
    """The strip of a page, as HTML."""
    parts = []
    for subject, lines in by_subject(numbers):
        items = "".join(
            f"<div{_room(value)}><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
            for name, value in lines
        )
        named = f"<p>{html.escape(subject)}</p>" if subject else ""
        parts.append(f"{named}<dl>{items}</dl>")
    return f'<div class="headlines">{"".join(parts)}</div>'


def _room(value: str) -> str:
    if len(value) <= LONG:
        return ""
    return ' class="longest"' if len(value) > LONGEST else ' class="long"'


def headlines(numbers: Mapping[str, str]) -> None:
    """The page's few most important numbers: a strip here, and a line on the index page."""
    plain = "\n".join(f"{name}: {value}" for name, value in numbers.items())
    lines = [list(line) for line in numbers.items()]
    _display("html", strip(numbers), plain, **{HEADLINE_MIME: {"lines": lines}})


# -- words -------------------------------------------------------------------------------------------------


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$&:/@\"'=^])")


def escaped(text: object) -> str:
    """``text`` as Markdown that shows it letter by letter, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def say(markdown: str, **values: Any) -> None:
    """Show a paragraph of Markdown whose ``{names}`` are filled with ``values``, which are escaped.

    Numbers are shown to three significant digits; hand over text for anything else.
    """
    filled = {
        name: format_number(value) if isinstance(value, float) else escaped(value)
        for name, value in values.items()
    }
    text = markdown.format_map(filled) if values else markdown
    _display("markdown", text, text)


def equations(lines: Sequence[tuple[str, str]]) -> None:
    """Show (what it is about, LaTeX) lines: equations with numbers in them, as ``worked`` makes them."""
    rows = [f"| {escaped(about)} | ${latex}$ |" for about, latex in lines]
    text = "\n".join(["| reading | with this run's numbers |", "|---|---|", *rows])
    _display("markdown", text, text)


def notice(kind: str, lines: Sequence[str], *, title: str) -> None:
    """A box of sentences; ``kind`` is good, doubt or bad, and the title says which in words."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    head = f"<p><strong>{html.escape(title)}</strong></p>"
    inner = head + (f"<ul>{items}</ul>" if items else "")
    plain = "\n".join([title, *(f"- {line}" for line in lines)])
    _display("html", f'<div class="notice {html.escape(kind)}">{inner}</div>', plain)


def json_for_script(value: Any) -> str:
    """JSON that may stand inside ``<script>``: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
