"""A frame in a file format of other programs: CSV, JSON, NDJSON, Parquet, LaTeX, spreadsheet."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from pipeline import files
from pipeline.api.formats import FORMATS, ExportError, format_of, not_written, write_bytes
from pipeline.escape import escape_controls, escape_json
from pipeline.tables import flat
from pipeline.tables.table_writer import TableWriter
from pipeline.units import format_short

TEXT_PIECES = ("csv", "json", "ndjson")
"""Formats that :class:`TextWriter` writes."""
PIECEWISE = (*TEXT_PIECES, "parquet")
"""Formats that :class:`FrameWriter` writes."""

MAX_SHEET_ROWS = 2**20 - 1
"""Rows of a spreadsheet below its header."""

MAX_CELL_CHARACTERS = 24
"""Longer texts of a LaTeX table are set as a paragraph."""

LATEX_HEAD = r"""% Preamble: \usepackage{longtable,booktabs,array}
\begingroup\footnotesize\setlength{\tabcolsep}{3pt}"""
LATEX_TEXT = str.maketrans(
    {
        **{character: rf"\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
        "*": "{*}", "[": "{[}", "]": "{]}", "−": "$-$", "–": "--", "±": r"$\pm$", "×": r"$\times$",
        "→": r"$\to$", "≤": r"$\le$", "≥": r"$\ge$", "λ": r"$\lambda$", "…": r"\ldots{}",
    }
)  # fmt: skip
"""Characters with another meaning in LaTeX, or that pdfLaTeX has only under a name."""


def write_frame(frame: pl.DataFrame, path: Path | str, name: str | None = None) -> None:
    """Write a frame, whole or not at all; a link at ``path`` is replaced, not its target.

    Parameters
    ----------
    frame : polars.DataFrame
        Lists of texts are joined by ``; `` except in JSON, NDJSON and Parquet.
    path : path
        Its suffix is the format.
    name : str, optional
        Format, where the suffix names none (see :func:`format_of`).

    Raises
    ------
    ExportError
        If the file cannot be written; the message is one line.

    Examples
    --------
    >>> import tempfile, polars as pl
    >>> out = Path(tempfile.mkdtemp()) / "a.csv"
    >>> write_frame(pl.DataFrame({"R_ms": [1.5]}), out)
    >>> out.read_text()
    'R_ms\\n1.5\\n'
    """
    write_bytes(path, to_bytes(frame, format_of(path, name)))


class TextWriter:
    """Writes a frame that comes in pieces to an open file, as CSV, JSON or NDJSON.

    Parameters
    ----------
    file : file of bytes
    name : str
        A format of ``TEXT_PIECES``.
    schema : polars.Schema
        Of every piece.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> writer = TextWriter(file, "json", pl.Schema({"R_ms": pl.Float64}))
    >>> writer.write(pl.DataFrame({"R_ms": [1.5]}))
    >>> writer.write(pl.DataFrame({"R_ms": [2.5]}))
    >>> writer.close()
    >>> file.getvalue()
    b'[\\n{"R_ms": 1.5},\\n{"R_ms": 2.5}\\n]\\n'
    """

    def __init__(self, file: BinaryIO, name: str, schema: pl.Schema):
        self._file, self._name = file, name
        self._before = "[\n"
        if name == "csv":
            file.write((to_csv(pl.DataFrame(schema=schema)) + "\n").encode())

    def write(self, frame: pl.DataFrame) -> None:
        """Add a piece."""
        if self._name == "ndjson":
            frame.write_ndjson(self._file)
        elif frame.is_empty():
            pass
        elif self._name == "csv":
            _, _, rows = to_csv(frame).partition("\n")
            self._file.write((rows + "\n").encode())
        else:
            rows = to_json(frame).removeprefix("[\n").removesuffix("\n]")
            self._file.write((self._before + rows).encode())
            self._before = ",\n"

    def close(self) -> None:
        """Write the end; the file stays open."""
        if self._name == "json":
            self._file.write(b"\n]\n" if self._before == ",\n" else b"[\n\n]\n")


class FrameWriter:
    """Writes a frame that comes in pieces, whole or not at all: CSV, JSON, NDJSON or Parquet.

    Parameters
    ----------
    path : path
        Its suffix is the format.
    schema : polars.Schema
        Of every piece.
    name : str, optional
        Format, where the suffix names none (see :func:`format_of`).

    Raises
    ------
    ExportError
        If the file cannot be written, or its suffix names another format.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "a.csv"
    >>> with FrameWriter(out, pl.Schema({"R_ms": pl.Float64})) as writer:
    ...     writer.write(pl.DataFrame({"R_ms": [1.5]}))
    ...     writer.write(pl.DataFrame({"R_ms": [2.5]}))
    >>> out.read_text()
    'R_ms\\n1.5\\n2.5\\n'
    """

    def __init__(self, path: Path | str, schema: pl.Schema, name: str | None = None):
        self._path, self._schema = Path(path), schema
        self._format = format_of(path, name)
        if self._format not in PIECEWISE:
            raise ExportError(f"{path}: {self._format} is not written in pieces")
        self._files = contextlib.ExitStack()

    def __enter__(self) -> FrameWriter:
        try:
            files.check_writable(self._path)
            part = self._files.enter_context(files.write_atomically(self._path))
            if self._format == "parquet":
                self._table = self._files.enter_context(TableWriter(part, self._schema))
            else:
                text = self._files.enter_context(part.open("wb"))
                self._table = TextWriter(text, self._format, self._schema)
                self._files.push(lambda kind, *_: None if kind else self._table.close())
        except OSError as error:
            self._files.close()
            raise not_written(self._path, error) from None
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Add a piece."""
        try:
            self._table.write(frame)
        except OSError as error:
            raise not_written(self._path, error) from None

    def close(self) -> None:
        """Write the rest, and give the file its name."""
        self.__exit__(None, None, None)

    def __exit__(self, *error: Any) -> None:
        try:
            self._files.__exit__(*error)
        except OSError as problem:
            if not error[0]:  # else what was raised first says why
                raise not_written(self._path, problem) from None


def to_bytes(frame: pl.DataFrame, name: str) -> bytes:
    """Content of a file in the format ``name`` (a value of ``FORMATS``)."""
    if name in TEXT_FORMATS:
        return (TEXT_FORMATS[name](frame) + "\n").encode()
    if name == "xlsx":
        return to_xlsx(frame)
    buffer = io.BytesIO()
    if name == "parquet":
        frame.write_parquet(buffer)
    elif name == "ndjson":
        frame.write_ndjson(buffer)
    else:
        raise ExportError(f"no such format: {name}; use {', '.join(FORMATS.values())}")
    return buffer.getvalue()


FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
"""The beginning of a cell that a spreadsheet would compute."""
CONTROL = r"[\p{C}\p{Zl}\p{Zp}&&[^\n\t]]"
NUMBER = r"^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$"


def to_csv(frame: pl.DataFrame) -> str:
    """Lines with a header, without the last line's end.

    A text that a spreadsheet would compute, as ``=1+1``, has an apostrophe before it; control characters are
    written as escapes.

    Examples
    --------
    >>> print(to_csv(pl.DataFrame({"command": ["=1+1", "-5", "sh"], "value": [-1, 2, 3]})))
    command,value
    '=1+1,-1
    -5,2
    sh,3
    """
    frame = flat(frame)
    texts = [_as_text(column) for column in frame.select(pl.selectors.string()).iter_columns()]
    return frame.with_columns(texts).write_csv().removesuffix("\n")


def _as_text(column: pl.Series) -> pl.Series:
    """No text is a formula or moves a cursor."""
    is_special = column.str.contains(CONTROL) | (
        column.str.contains(FORMULA) & ~column.str.contains(NUMBER)
    )
    special = column.filter(is_special).unique()
    if special.is_empty():
        return column
    return column.replace(special, pl.Series(map(_escape, special), dtype=pl.String))


def _escape(text: str) -> str:
    is_formula = re.search(FORMULA, text) and not re.search(NUMBER, text)
    return ("'" if is_formula else "") + escape_controls(text)


def to_json(frame: pl.DataFrame) -> str:
    """Rows as a JSON array, one row per line; NaN and infinity, which JSON does not have, are null."""
    rows = frame.with_columns(pl.selectors.float().replace([math.nan, math.inf, -math.inf], None))
    lines = ",\n".join(
        escape_json(json.dumps(row, ensure_ascii=False, default=str))
        for row in rows.iter_rows(named=True)
    )
    return f"[\n{lines}\n]"


def to_latex(frame: pl.DataFrame, notes: Sequence[str] = (), title: str = "") -> str:
    """A ``longtable`` for a portrait page, every special character escaped.

    Parameters
    ----------
    frame : polars.DataFrame
        Numbers are right-aligned; columns with long texts share what is free of the line as paragraphs.
    notes : sequence of str, optional
        Numbered from 1 below the table.
    title : str
        Printed above the table.

    Returns
    -------
    str
        LaTeX for pdfLaTeX, XeLaTeX and LuaLaTeX; the first line names the packages that it needs.
    """
    rows = [[_latex_text(_cell(value)) for value in row] for row in flat(frame).iter_rows()]
    head = [_latex_text(name) for name in frame.columns]
    lines = [
        LATEX_HEAD,
        *([rf"\noindent\textbf{{{_latex_text(title)}}}\par"] if title else []),
        rf"\begin{{longtable}}{{{_column_format(frame)}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *(rf"{' & '.join(row)} \\" for row in rows),
        r"\end{longtable}",
        *(
            rf"\noindent\textsuperscript{{{number}}} {_latex_text(note)}\par"
            for number, note in enumerate(notes, 1)
        ),
        r"\endgroup",
    ]
    return "\n".join(lines)


def _column_format(frame: pl.DataFrame) -> str:
    widths = {
        column.name: max(len(text) for text in (column.name, *map(_cell, column)))
        for column in flat(frame)
    }
    long = [name for name, width in widths.items() if width > MAX_CELL_CHARACTERS]
    short = sum(width for name, width in widths.items() if name not in long)
    # a line of a portrait page holds about 90 characters of this size
    share = max(0.1, (0.96 - (short + 2 * len(widths)) / 90) / max(1, len(long)))
    return "".join(
        f">{{\\raggedright\\arraybackslash}}p{{{share:.2f}\\linewidth}}"
        if name in long
        else ("r" if dtype.is_numeric() else "l")
        for name, dtype in frame.schema.items()
    )


def _cell(value: object) -> str:
    """A number to six significant digits; empty if missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = format_short(value, 6) if isinstance(value, float) else escape_controls(str(value))
    return text.replace("-", "−") if isinstance(value, int | float) else text


def _latex_text(text: str) -> str:
    return " ".join(text.split()).translate(LATEX_TEXT)


TEXT_FORMATS: dict[str, Callable[[pl.DataFrame], str]] = {
    "csv": to_csv,
    "json": to_json,
    "latex": to_latex,
}
"""Formats that can be printed."""


def to_xlsx(frame: pl.DataFrame, sheet: str = "table") -> bytes:
    """A spreadsheet; text that begins with = stays text, and nothing is written to a temporary folder."""
    from xlsxwriter import Workbook

    if frame.height > MAX_SHEET_ROWS:
        raise ExportError(
            f"{frame.height:,} rows; a spreadsheet holds {MAX_SHEET_ROWS:,}: use csv or parquet"
        )
    buffer = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(buffer, {**options, "nan_inf_to_errors": True}) as book:
        flat(frame).write_excel(
            book, worksheet=sheet, autofit=True, freeze_panes=(1, 0), float_precision=9,
            column_formats={pl.selectors.string(): "@"},
        )  # fmt: skip
    return buffer.getvalue()
