"""Tables as HTML: texts escaped, long texts under their row, and the exact value of each rounded number.

A table is as wide as the page at most: where it would be wider, its long texts move from a column to a second row
under their own (class ``under``), which spans the columns. ``page.js`` makes CSV files of tables: a rounded number has
its exact value in ``data-v``, and ``under`` rows become columns again.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.report.headings import column_headings
from pipeline.tables import flat
from pipeline.units import format_short

MAX_TABLE_ROWS = 400
"""Rows that a table shows; below a longer one is the number of rows that are not shown."""

MAX_UNBROKEN_CHARACTERS = 26
"""Texts up to this length are not broken over lines."""
MAX_LINE_CHARACTERS = 28
"""Length of the lines over which longer texts are broken."""
PAGE_WIDTH_PX = 940
"""Width of a page's text column in a window of 1,280 pixels."""
PADDING_PX, CHARACTER_PX = 16, 7.2
"""Width of a table column's padding, and of a character in it."""


@dataclass(frozen=True)
class _Column:
    heading: str
    values: list[Any]
    texts: list[str]
    is_number: bool

    @property
    def longest(self) -> int:
        return max(map(len, self.texts), default=0)

    @property
    def is_long(self) -> bool:
        return not self.is_number and self.longest > MAX_UNBROKEN_CHARACTERS

    @property
    def class_(self) -> str:
        """``n`` numbers, ``s`` short texts, neither for long texts."""
        return "" if self.is_long else ' class="n"' if self.is_number else ' class="s"'

    @property
    def width_px(self) -> float:
        unbreakable = map(len, self.heading.split())
        characters = max([min(self.longest, MAX_LINE_CHARACTERS), *unbreakable])
        return CHARACTER_PX * characters + PADDING_PX


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
    is_caption_shown: bool = True,
    headings: Mapping[str, str] | None = None,
    digits: int = 4,
    limit: int = MAX_TABLE_ROWS,
) -> str:
    """``frame`` as an HTML table, every text escaped.

    Parameters
    ----------
    caption
        Of the table; without one, a page gives it the heading of its section.
    is_caption_shown
        Whether the caption is visible, or only there for screen readers and as the name of a downloaded file.
    headings
        By column name; they take precedence over ``headings.DEFAULT``.
    digits
        Significant digits of numbers.
    limit
        Rows shown at most.
    """
    shown = flat(frame.head(limit))
    heads = column_headings(shown.columns, headings)
    columns = [
        _Column(
            head,
            series.to_list(),
            [cell_text(value, digits) for value in series],
            series.dtype.is_numeric(),
        )
        for head, series in zip(heads, shown, strict=True)
    ]
    columns, under = _arrange(columns)
    head = "".join(
        f'<th scope="col"{column.class_}>{html.escape(column.heading)}</th>'
        if column.heading
        else "<td></td>"
        for column in columns
    )
    body = "".join(_row_html(columns, under, k) for k in range(shown.height))
    hidden = frame.height - limit
    more = f'<p class="more">{hidden:,} more rows (see Parquet).</p>' if hidden > 0 else ""
    size = " small" if _width_px(columns) > PAGE_WIDTH_PX else ""
    return (
        f'<div class="table{size}"><table>{caption_html(caption, is_shown=is_caption_shown)}'
        + (f"<thead><tr>{head}</tr></thead>" if any(c.heading for c in columns) else "")
        + f"<tbody>{body}</tbody></table></div>{more}"
    )


def caption_html(caption: str, *, is_shown: bool = True) -> str:
    """The ``<caption>`` of a table, empty without a text; one that is not shown is read by screen readers."""
    if not caption:
        return ""
    text = html.escape(caption)
    return f"<caption>{text}</caption>" if is_shown else UNSEEN_CAPTION.format(text)


UNSEEN_CAPTION = '<caption><span class="unseen">{}</span></caption>'


def _width_px(columns: Sequence[_Column]) -> float:
    return sum(column.width_px for column in columns)


def _arrange(columns: list[_Column]) -> tuple[list[_Column], list[_Column]]:
    """The columns that stay, and those whose texts go under their row because the table would not fit otherwise."""
    stay = list(columns)
    long = sorted((c for c in columns[1:] if c.is_long), key=lambda column: -column.longest)
    while long and _width_px(stay) > PAGE_WIDTH_PX:
        stay.remove(long.pop(0))
    return stay, [column for column in columns if column not in stay]


def _row_html(columns: Sequence[_Column], under: Sequence[_Column], k: int) -> str:
    remarks = "".join(
        f"<p><b>{html.escape(column.heading)}</b> {html.escape(column.texts[k])}</p>"
        for column in under
        if column.values[k] not in (None, "")
    )
    has_header = len(columns) > 1 and not columns[0].is_number
    cells = [
        _cell_html(column, k, is_header=has_header and not j, rows=2 if remarks else 1)
        for j, column in enumerate(columns)
    ]
    row = f"<tr>{''.join(cells)}</tr>"
    if remarks:
        row += f'<tr class="under"><td colspan="{len(columns) - has_header}">{remarks}</td></tr>'
    return row


def _cell_html(column: _Column, k: int, *, is_header: bool, rows: int) -> str:
    value, text = column.values[k], column.texts[k]
    if is_header:
        span = f' rowspan="{rows}"' if rows > 1 else ""
        return f'<th scope="row"{column.class_}{span}>{html.escape(text)}</th>'
    exact = f' data-v="{value!r}"' if isinstance(value, float) and _is_rounded(value, text) else ""
    return f"<td{column.class_}{exact}>{html.escape(text)}</td>"


def _is_rounded(value: float, text: str) -> bool:
    if math.isnan(value):
        return False
    try:
        return float(text.replace(",", "")) != value
    except ValueError:
        return True
