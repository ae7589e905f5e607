"""The ledger in 80 columns: one table per run, flags as numbered notes below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import polars as pl
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline import api
from pipeline.api import export
from pipeline.escape import escape_controls
from pipeline.tables import RUN_KEYS, of_rows, texts
from pipeline.units import display_unit, format_interval, format_short

SERVER = "virtual server"
COLUMNS = (SERVER, "quantity", "value", "unit", "variant", "notes")
CHOICES = ("demand", "denominator", "background", "sum")
PLACE = (*RUN_KEYS, "virtual_server", "quantity")

MIN_WIDTH = 60
"""Columns of a terminal from which no word of a table is broken."""

RESOLUTION = "± x: limits of the measurement resolution"
CONFIDENCE = "(a to b): 95 % confidence interval"


@dataclass(frozen=True)
class RunTable:
    """The ledger of one run as texts."""

    run: str
    """``study/server/run``"""
    rows: pl.DataFrame
    """Columns: ``COLUMNS``."""
    notes: list[str]
    """Flags; the first has number 1 in the column ``notes``."""


def select_main_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Ledger rows without those of single processes and tasks, and of combinations of choices without a name.

    The rows of a quantity that has no named variant are kept.
    """
    is_unnamed = pl.col("variant").is_null() & pl.any_horizontal(pl.col(CHOICES).is_not_null())
    has_named = pl.col("variant").is_not_null().any().over(PLACE)
    return frame.filter(pl.col("subject").is_null(), ~(is_unnamed & has_named))


def run_tables(frame: pl.DataFrame) -> Iterator[RunTable]:
    """One table per run of a ledger frame, its rows in their order."""
    for run_keys, rows in frame.group_by(RUN_KEYS, maintain_order=True):
        notes: dict[str, int] = {}
        lines = []
        for row in rows.iter_rows(named=True):
            numbers = sorted(notes.setdefault(flag, len(notes) + 1) for flag in row["flags"] or ())
            unit, factor = display_unit(row["quantity"], row["unit"])
            ends = (None if row[k] is None else row[k] * factor for k in ("value", "low", "high"))
            lines.append(
                (
                    row["virtual_server"],
                    " ".join(filter(None, (row["quantity"], row["subject"]))),
                    format_interval(*ends, row["interval"]),
                    unit,
                    api.choice_text(row).replace(" / ", ", "),
                    " ".join(map(str, numbers)),
                )
            )
        yield RunTable("/".join(run_keys), of_rows(lines, texts(*COLUMNS)), list(notes))


class TablePrinter:
    """Prints the ledgers of runs for people, within a console's width, run by run.

    Parameters
    ----------
    console : rich.console.Console
        Its width and colours.
    file : file of bytes
        Where the text goes.
    """

    def __init__(self, console: Console, file: BinaryIO):
        self._console, self._file = console, file
        self._intervals: set[str] = set()

    def write(self, frame: pl.DataFrame, run: api.Run) -> None:
        """Print the rows of one run."""
        for table in run_tables(frame):
            parts = [Text(_heading(table.run, run_title(run)), style="bold")]
            parts += [_grid(table.rows, self._console.width), ""]
            if table.notes:
                parts += [_numbered(table.notes), ""]
            self._print(*parts)
        self._intervals |= set(frame.filter(pl.col("low").is_not_null())["interval"])

    def close(self) -> None:
        """Explain the intervals that were printed; the file stays open."""
        for kind, legend in (("resolution", RESOLUTION), ("95 %", CONFIDENCE)):
            if kind in self._intervals:
                self._print(Text(legend))

    def _print(self, *parts: RenderableType) -> None:
        with self._console.capture() as capture:
            for part in parts:
                self._console.print(part)
        for line in capture.get().splitlines():
            # rich fills lines with blanks
            self._file.write(f"{line.rstrip()}\n".encode())


def run_title(run: api.Run) -> str:
    """What the run is: its loads and its length."""
    run = replace(run)  # without what it caches
    parts = [api.load_text(run) or "no load"]
    if run.window is not None:
        parts.append(f"{format_short(run.window.duration_s, 4)} s")
    return ", ".join(parts)


def _heading(run: str, title: str | None) -> str:
    return f"{run}: {escape_controls(title)}" if title else run


def _grid(rows: pl.DataFrame, width: int) -> Table:
    """The rows of one run, with a line before each virtual server where there are several."""
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="underline")
    for name in COLUMNS[1:]:
        longest = max(len(word) for cell in rows[name] for word in (*cell.split(), ""))
        # only a word that is wider than its share of a narrow terminal is broken
        grid.add_column(name, overflow="fold", min_width=longest if width >= MIN_WIDTH else None)
    has_servers = rows[SERVER].n_unique() > 1
    previous = None
    for server, *cells in rows.iter_rows():
        if has_servers and server != previous:
            grid.add_row(Text(server, style="bold"))
            previous = server
        grid.add_row(*(Text(escape_controls(cell)) for cell in cells))
    return grid


def _numbered(notes: list[str]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for number, note in enumerate(notes, 1):
        grid.add_row(str(number), Text(escape_controls(note)))
    return grid


def as_latex(frame: pl.DataFrame, titles: Mapping[str, str]) -> str:
    """A ledger frame as one LaTeX table per run, at most the six ``COLUMNS`` wide."""
    return "\n\n".join(
        export.to_latex(
            table.rows if table.rows[SERVER].n_unique() > 1 else table.rows.drop(SERVER),
            notes=table.notes,
            title=_heading(table.run, titles.get(table.run)),
        )
        for table in run_tables(frame)
    )
