"""A frame as text or file: table, CSV, JSON, LaTeX, spreadsheet.

pandas is used here alone, for its LaTeX; everywhere else frames are Polars.
"""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import files
from pipeline.cli.console import escape_controls
from pipeline.tables import flat


class Format(StrEnum):
    """Output formats of a frame."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    LATEX = "latex"


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
    console = Console(width=None if is_terminal else 10_000)
    console.print(as_table(frame, title), crop=is_terminal)


def as_csv(frame: pl.DataFrame) -> str:
    """Lines with a header, without the last line's end."""
    return flat(frame).write_csv().rstrip("\n")


def as_json(frame: pl.DataFrame) -> str:
    """Rows as a JSON array, one row per line; NaN and infinity cannot occur in a ledger and are null."""
    rows = frame.with_columns(pl.selectors.float().replace([math.nan, math.inf, -math.inf], None))
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows.iter_rows(named=True))
    return f"[\n{lines}\n]"


def as_latex(frame: pl.DataFrame) -> str:
    """A ``longtable`` with every special character escaped."""
    styled = (
        flat(frame).to_pandas().style.format(_cell, escape="latex", na_rep="").hide(axis="index")
    )
    return styled.to_latex(environment="longtable", hrules=True)


def write_xlsx(frame: pl.DataFrame, path: Path) -> None:
    """Write a spreadsheet; text that begins with = stays text."""
    with files.write_atomically(path) as part:
        flat(frame).write_excel(
            part, worksheet="ledger", autofit=True, freeze_panes=(1, 0), float_precision=9,
            column_formats={pl.selectors.string(): "@"},
        )  # fmt: skip
