"""A frame as a table for people."""

from __future__ import annotations

import io
import math

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.escape import escape_controls
from pipeline.tables import flat

UNFOLDED = 10_000
"""Columns of a console that folds no line."""


def as_table(frame: pl.DataFrame, title: str | None = None) -> Table:
    """``frame`` as a rich table; numbers right-aligned, text from logs not read as markup."""
    table = Table(title=title, header_style="bold", show_lines=False)
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in flat(frame).iter_rows():
        table.add_row(*(Text(_cell(value)) for value in row))
    return table


def _cell(value: object) -> str:
    """A number with six significant digits; empty if missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else escape_controls(str(value))


def show(frame: pl.DataFrame, title: str | None = None) -> None:
    """Print ``frame`` as a table; outside a terminal no line is folded."""
    is_terminal = Console().is_terminal
    console = Console(width=None if is_terminal else UNFOLDED)
    console.print(as_table(frame, title), crop=is_terminal)


def as_wide_text(frame: pl.DataFrame) -> str:
    """``frame`` as a table of one line per row, however wide."""
    console = Console(file=io.StringIO(), width=UNFOLDED, highlight=False)
    console.print(as_table(frame), crop=False)
    return console.file.getvalue()
