"""Reader of CSV files of others: comma, semicolon or tab, decimal point or comma, with or without byte order mark.

Tables from spreadsheets and papers, not the logs of a run (:mod:`pipeline.parse`). A field that cannot be read for
certain is an error with its line, as a guess could be wrong by a factor of 1,000.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.files import read_regular_file
from pipeline.tables.schema import TableError

DELIMITERS = ",;\t"
MISSING = ("", "na", "n/a", "nan", "null", "none", "-", "–")
"""Fields, in lower case, that have no value."""
MAX_FIELD_CHARACTERS = 100_000
BLOCK_ROWS = 20_000
"""Rows that are held as Python objects at a time."""

_EXPONENT = r"(?:[eE][+-]?[0-9]{1,3})?"
_PLAIN = rf"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}"
_GROUPS = "[ '\u00a0\u2009\u202f]"
"""Separators of thousands that are never a decimal mark."""
_IS_DECIMAL = {
    mark: rf"^[+-]?(?:[0-9]*{mark}(?:[0-9]{{1,2}}|[0-9]{{4,}})?{_EXPONENT}|0{mark}[0-9]+|[0-9]{{4,}}{mark}[0-9]*"
    rf"|[0-9]{{1,3}}(?:{other}[0-9]{{3}})+{mark}[0-9]*)$"
    for mark, other in ((r"\.", ","), (",", r"\."))
}
"""Numbers whose only or last mark cannot be a separator of thousands, by that mark."""
_IS_EITHER = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"


@dataclass(frozen=True)
class CsvTexts:
    """The fields of a CSV file as they are printed.

    ``frame`` has one text column per column of the file, null where the field is missing; ``lines`` has the line of
    the file on which each row begins; ``decimal`` is the file's decimal mark.
    """

    path: str
    frame: pl.DataFrame
    lines: pl.Series
    decimal: str

    def numerals(self, name: str) -> pl.Series:
        """A column's numbers as texts with decimal point and without separators of thousands; null if not a number."""
        column = self.frame[name].str.replace("−", "-", literal=True)
        point, comma = self.decimal, "," if self.decimal == "." else "."
        groups = rf"(?:{re.escape(comma)}|{_GROUPS})"
        grouped = rf"^([+-]?[0-9]{{1,3}})(?:{groups}[0-9]{{3}})+(?:{re.escape(point)}[0-9]*)?$"
        return (
            pl.select(
                pl.when(column.str.contains(grouped))
                .then(column.str.replace_all(groups, ""))
                .otherwise(column)
            )
            .to_series()
            .str.replace(point, ".", literal=True)
            .to_frame("text")
            .select(pl.when(pl.col("text").str.contains(rf"^{_PLAIN}$")).then("text").alias(name))
            .to_series()
        )  # fmt: skip


def read_csv(path: Path | str) -> pl.DataFrame:
    """Read a CSV file with a header; a column of numbers only is Int64 or Float64, any other is text.

    Parameters
    ----------
    path : path
        UTF-8, with or without byte order mark. The delimiter is the one that splits the header into most fields.

    Returns
    -------
    polars.DataFrame
        Missing values (``MISSING``) are null.

    Raises
    ------
    TableError
        If the file cannot be read: its text begins with the path, and the line where there is one.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("threads;R_ms\\n16;2,5\\n32;n/a\\n")
    >>> read_csv(path).to_dict(as_series=False)
    {'threads': [16, 32], 'R_ms': [2.5, None]}
    """
    table = read_csv_texts(path)
    return pl.DataFrame([_with_type(table, name) for name in table.frame.columns])


def _with_type(table: CsvTexts, name: str) -> pl.Series:
    texts, numerals = table.frame[name], table.numerals(name)
    if numerals.null_count() > texts.null_count() or texts.null_count() == texts.len():
        return texts
    whole = numerals.cast(pl.Int64, strict=False)
    if whole.null_count() == texts.null_count():
        return whole
    return numerals.cast(pl.Float64, strict=False)


def read_csv_texts(path: Path | str, missing: Collection[str] = MISSING) -> CsvTexts:
    """Read a CSV file with a header as texts; errors as of :func:`read_csv`.

    ``missing``: the fields, in lower case, that have no value.
    """
    text = _decode(path)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    names: list[str] | None = None
    blocks: list[pl.DataFrame] = []
    block: list[list[str | None]] = []
    lines: list[int] = []
    begin = 1
    try:
        for row in rows:
            fields = [field.strip() for field in row]
            if any(fields):
                if names is None:
                    names = _header(path, begin, fields)
                else:
                    block.append(_fields(path, begin, fields, len(names), missing))
                    lines.append(begin)
            if len(block) == BLOCK_ROWS:
                blocks.append(_as_frame(block, names))
                block = []
            begin = rows.line_num + 1
    except csv.Error as error:
        raise TableError(f"{path}:{begin}: {error}") from None
    if names is None:
        raise TableError(f"{path}: the file is empty; a header and rows are expected")
    if not lines:
        raise TableError(f"{path}: no row below the header")
    frame = pl.concat([*blocks, *([_as_frame(block, names)] if block else [])])
    return CsvTexts(str(path), frame, pl.Series("line", lines), _decimal_mark(path, frame, lines, text))  # fmt: skip


def _decode(path: Path | str) -> str:
    try:
        data = read_regular_file(path)
    except OSError as error:
        raise TableError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise TableError(f"{path!r}: {error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TableError(
            f"{path}:{line}: byte {data[error.start]:#04x} is not UTF-8; save the table as CSV UTF-8"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise TableError(f"{path}:{line}: a NUL character; this is not a text file")
    return text


def _delimiter(text: str) -> str:
    header = text.lstrip("\r\n").partition("\n")[0]

    def count(delimiter: str) -> int:
        return len(next(csv.reader([header], delimiter=delimiter), []))

    return max(DELIMITERS, key=count)  # the first of equals: a comma


def _header(path: Path | str, line: int, fields: list[str]) -> list[str]:
    numbers = [field for field in fields if re.fullmatch(_PLAIN, field.replace(",", "."))]
    if len(numbers) == len(fields):
        raise TableError(f"{path}:{line}: numbers only; the first line must name the columns")
    names = [field or f"column {number}" for number, field in enumerate(fields, 1)]
    for number, name in enumerate(names, 1):
        if name in names[: number - 1]:
            first = names.index(name) + 1
            raise TableError(
                f"{path}:{line}: columns {first} and {number} have the same name {name!r}"
            )
    return names


def _fields(
    path: Path | str, line: int, fields: list[str], width: int, missing: Collection[str]
) -> list[str | None]:
    if len(fields) != width:
        count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        raise TableError(
            f"{path}:{line}: {count}, but the header has {width}; text with the delimiter needs quotation marks"
        )
    return [None if field.lower() in missing else field for field in fields]


def _as_frame(rows: list[list[str | None]], names: list[str] | None) -> pl.DataFrame:
    schema = dict.fromkeys(names or (), pl.String)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _decimal_mark(path: Path | str, frame: pl.DataFrame, lines: list[int], text: str) -> str:
    """``,`` if numbers of the file have decimal commas, else a point.

    In a file with commas as delimiters it is a point. ``1,234`` alone is 1.234 in a file with semicolons; in one with
    tabs it is an error if nothing else tells.
    """
    delimiter = _delimiter(text)
    if delimiter == ",":
        return "."
    rows = {
        mark: _first_row(frame, pattern)
        for mark, pattern in ((".", _IS_DECIMAL[r"\."]), (",", _IS_DECIMAL[","]))
    }
    point, comma = rows["."], rows[","]
    if point is not None and comma is not None:
        raise TableError(
            f"{path}: decimal points (line {lines[point]}) and decimal commas (line {lines[comma]}); use one of them"
        )
    either = _first_row(frame, _IS_EITHER)
    if comma is not None or (either is not None and point is None and delimiter == ";"):
        return ","
    if either is not None and point is None:
        raise TableError(
            f"{path}:{lines[either]}: a comma before three digits can be a decimal comma or a separator of thousands; "
            "write the numbers of this file without separators"
        )
    return "."


def _first_row(frame: pl.DataFrame, pattern: str) -> int | None:
    """The first row with a field that matches."""
    matches = frame.select(pl.any_horizontal(pl.all().str.contains(pattern).fill_null(False)))
    return matches.to_series().arg_max() if matches.to_series().any() else None
