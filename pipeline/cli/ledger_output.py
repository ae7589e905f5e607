"""The output of ``queuevisor ledger``: the ledgers of many runs, printed or written one after the other.

What is printed goes to a temporary file first, as the progress is on the same terminal and a failure prints nothing.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl
import typer
from rich.console import Console

from pipeline import api
from pipeline.api import export, formats
from pipeline.cli.ledger_table import TablePrinter, as_latex, run_title, select_main_rows
from pipeline.cli.tabulate import as_wide_text

TABLE, LATEX = "table", "latex"
FILE_WIDTH = 80
MEMORY_BYTES = 1 << 20
"""Text that is kept in memory until it is printed; more is in a temporary file."""
PRINTED_BYTES = 1 << 20
"""Text that is printed at a time."""


class Output(Protocol):
    """What takes ledgers."""

    def write(self, frame: pl.DataFrame, run: api.Run) -> None:
        """Add rows of one run."""


class ForPeople:
    """Tables for people, as text or LaTeX: the rows that have a name, and counts of all rows."""

    def __init__(self, output: Output, *, all_rows: bool):
        self._output, self._all_rows = output, all_rows
        self._rows = self._noted = self._missing = self._hidden = 0

    def write(self, frame: pl.DataFrame, run: api.Run) -> None:
        """Add rows of one run."""
        rows = frame if self._all_rows else select_main_rows(frame)
        self._rows += rows.height
        self._noted += rows["flags"].list.len().gt(0).sum()
        self._missing += rows["value"].null_count()
        self._hidden += frame.height - rows.height
        self._output.write(rows, run)

    def counts(self) -> str:
        """How many numbers have notes, are missing, and are left out."""
        text = f"{self._noted} of {self._rows} numbers have notes"
        if self._missing:
            text += f", {self._missing} are missing"
        if self._hidden:
            text += f"; --wide has {self._hidden} more"
        return text


class _Columns:
    """Chosen columns of the ledgers, written by a writer of frames."""

    def __init__(self, writer: export.FrameWriter | export.TextWriter, names: Sequence[str]):
        self._writer, self._names = writer, list(names)

    def write(self, frame: pl.DataFrame, run: api.Run) -> None:
        self._writer.write(frame.select(self._names))


class _Whole:
    """The ledgers as one frame, for formats whose columns are as wide as all rows need."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self.titles: dict[str, str] = {}

    def write(self, frame: pl.DataFrame, run: api.Run) -> None:
        self._frames.append(frame)
        self.titles[run.id] = run_title(run)

    def frame(self) -> pl.DataFrame:
        return pl.concat(self._frames)


@contextmanager
def opened(
    output: str, out: Path | None, schema: pl.Schema, *, for_people: bool
) -> Iterator[Output]:
    """What takes the ledgers, and prints or writes them in the format ``output`` if no exception is raised.

    Parameters
    ----------
    output
        ``TABLE`` or a format of ``formats.FORMATS``.
    out
        File; None prints.
    schema
        Columns of the output, without ``for_people``.
    for_people
        The tables of ``ledger_table`` instead, for ``TABLE`` and ``LATEX``.

    Raises
    ------
    ExportError
        If the file cannot be written.
    """
    names = schema.names()
    if for_people and output == TABLE:
        console = Console(highlight=False)
        if out is not None:
            console = Console(file=io.StringIO(), width=FILE_WIDTH, highlight=False)
        with _text(out) as file:
            printer = TablePrinter(console, file)
            yield printer
            printer.close()
    elif output in export.PIECEWISE and out is not None:
        with export.FrameWriter(out, schema, output) as writer:
            yield _Columns(writer, names)
    elif output in export.TEXT_PIECES:
        with _text(out) as file:
            writer = export.TextWriter(file, output, schema)
            yield _Columns(writer, names)
            writer.close()
    else:
        whole = _Whole()
        yield whole
        if output not in export.TEXT_FORMATS and output != TABLE:
            export.write_frame(whole.frame().select(names), out, output)
            return
        if for_people:
            text = as_latex(whole.frame(), whole.titles) + "\n"
        elif output == TABLE:
            text = as_wide_text(whole.frame().select(names))
        else:
            text = export.TEXT_FORMATS[output](whole.frame().select(names)) + "\n"
        with _text(out) as file:
            file.write(text.encode())


@contextmanager
def _text(out: Path | None) -> Iterator[BinaryIO]:
    """A file for text, which is printed or becomes ``out`` if no exception is raised."""
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
        yield spool
        spool.seek(0)
        if out is not None:
            formats.write_bytes(out, spool.read())
            return
        while lines := spool.readlines(PRINTED_BYTES):
            typer.echo(b"".join(lines).decode(), nl=False)
