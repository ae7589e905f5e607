"""Columns of a table as quantities with intervals: the printed digits, or NAME_low and NAME_high where they exist."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.audit import texts
from pipeline.audit.vocabulary import Key, Meaning, NotUnderstood, parse_name
from pipeline.errors import Error
from pipeline.tables import TableError
from pipeline.tables.read_csv import CsvTexts
from pipeline.units import count_decimals

Array = NDArray[np.float64]

COUNTS = ("N", "m", "time_factor")
"""Quantities that are exact if they are printed as whole numbers."""
SCALED = ("R", "E_w")
"""Times that a column ``time_factor`` divides."""
MAX_LABELS, MAX_LABEL_CHARACTERS = 3, 80


class AuditError(Error):
    """A table, or an option, that cannot be used."""


@dataclass(frozen=True)
class Values:
    """A quantity in its base unit.

    ``bounds``: value, low, high in rows, one column per row of the table; NaN where missing. ``scale``: the factor
    from the printed number to the base unit, one per row.
    """

    name: str
    unit: str
    bounds: Array
    scale: Array
    is_assumed: bool = False


@dataclass
class Columns:
    """All quantities of a table, and how each of its columns was read."""

    height: int
    lines: list[int]
    values: dict[Key, Values] = field(default_factory=dict)
    models: list[str | None] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    notes: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Column → (quantity or empty, reason why it is not checked or empty)."""

    def constant(self, name: str, unit: str, value: float) -> Values:
        """The same exact value in every row, which the table does not have."""
        return Values(name, unit, np.full((3, self.height), value), np.ones(self.height), True)


def read_columns(
    table: CsvTexts,
    names: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
) -> Columns:
    """Read the columns of a table.

    Parameters
    ----------
    table : CsvTexts
        Fields as they are printed.
    names : mapping, optional
        Own name of a column → name of the vocabulary.
    constants : mapping, optional
        Name of the vocabulary → value of every row.

    Raises
    ------
    AuditError
        If ``names`` or ``constants`` cannot be used.
    TableError
        If a field of a checked column is not a number: with file, line and column.
    """  # fmt: skip
    names, constants = names or {}, constants or {}
    frame = table.frame
    for name in names:
        if name not in frame.columns:
            raise AuditError(texts.no_such_column(name, frame.columns))
    columns = Columns(frame.height, table.lines.to_list())
    columns.models = [None] * frame.height
    bounds: dict[tuple[Key, int], tuple[str, Array, Array]] = {}
    label_columns: list[list[str | None]] = []
    for name in frame.columns:
        meaning = parse_name(names.get(name, name))
        if isinstance(meaning, NotUnderstood):
            if name in names:
                raise AuditError(texts.bad_name("--column", names[name], meaning.reason))
            columns.notes[name] = "", meaning.reason
            if len(label_columns) < MAX_LABELS and _is_label(table, name):
                label_columns.append(frame[name].to_list())
        elif meaning.key.symbol == "model":
            columns.models = frame[name].to_list()
            columns.notes[name] = "model", ""
        else:
            _add_column(columns, bounds, table, name, meaning)
    for name, text in constants.items():
        _add_constant(columns, name, text)
    _apply_bounds(columns, bounds)
    _apply_time_factor(columns)
    columns.labels = [
        " ".join(text for text in row if text)[:MAX_LABEL_CHARACTERS]
        for row in zip(*label_columns, strict=True)
    ] or [""] * frame.height
    return columns


def _is_label(table: CsvTexts, name: str) -> bool:
    """Whether a column without a quantity is of texts: it says which row it is."""
    texts_, numbers = table.frame[name], table.numerals(name)
    return texts_.null_count() < texts_.len() and numbers.null_count() == numbers.len()


def _add_column(
    columns: Columns,
    bounds: dict[tuple[Key, int], tuple[str, Array, Array]],
    table: CsvTexts,
    name: str,
    meaning: Meaning,
) -> None:
    value, half = read_numbers(table, name, meaning.key.symbol in COUNTS)
    value, half = value * meaning.factor, half * meaning.factor
    if meaning.bound:
        bounds[meaning.key, meaning.bound] = name, value, half
        return
    if meaning.key in columns.values:
        columns.notes[name] = "", texts.same_quantity(columns.values[meaning.key].name)
        return
    low = np.where(value >= 0, np.maximum(value - half, 0.0), value - half)
    array = np.stack([value, low, value + half])
    scale = np.full(columns.height, meaning.factor)
    columns.values[meaning.key] = Values(name, meaning.unit, array, scale)
    columns.notes[name] = str(meaning.key), ""


def read_numbers(table: CsvTexts, name: str, is_count: bool) -> tuple[Array, Array]:
    """Values and half of the last printed digit; a count that is printed without decimals is exact."""
    printed, numerals = table.frame[name], table.numerals(name)
    wrong = numerals.is_null() & printed.is_not_null()
    if wrong.any():
        row = wrong.arg_max() or 0
        raise TableError(
            texts.not_a_number(table.path, table.lines[row], name, printed[row])
        )  # fmt: skip
    parts = numerals.str.to_lowercase().to_frame("text").select(
        value=pl.col("text").cast(pl.Float64),
        decimals=count_decimals(pl.col("text")).cast(pl.Int64),
        exponent=pl.col("text").str.extract(r"e([+-]?[0-9]+)$").cast(pl.Int64).fill_null(0),
        is_whole=~pl.col("text").str.contains(r"[.e]"),
    )  # fmt: skip
    value = parts["value"].to_numpy().astype(float)
    digits = (parts["exponent"] - parts["decimals"]).to_numpy().astype(float)
    half = 0.5 * np.power(10.0, digits)
    if is_count:
        half = np.where(parts["is_whole"].fill_null(False).to_numpy(), 0.0, half)
    return value, half


def _add_constant(columns: Columns, name: str, text: str) -> None:
    meaning = parse_name(name)
    if isinstance(meaning, NotUnderstood):
        raise AuditError(texts.bad_name("--set", name, meaning.reason))
    if meaning.key.symbol == "model":
        columns.models = [text] * columns.height
        return
    try:
        number = float(text)
    except ValueError:
        raise AuditError(texts.bad_number("--set", name, text)) from None
    value = np.full((3, columns.height), number * meaning.factor)
    columns.values[meaning.key] = Values(
        name, meaning.unit, value, np.full(columns.height, meaning.factor)
    )


def _apply_bounds(
    columns: Columns, bounds: Mapping[tuple[Key, int], tuple[str, Array, Array]]
) -> None:
    for (key, bound), (name, value, half) in bounds.items():
        if key not in columns.values:
            columns.notes[name] = "", texts.NO_CHECK
            continue
        columns.notes[name] = f"{key} ({'low' if bound == 1 else 'high'})", ""
        array = columns.values[key].bounds
        if bound == 1:
            array[1] = np.fmin(array[1], value - half)
        else:
            array[2] = np.fmax(array[2], value + half)


def _apply_time_factor(columns: Columns) -> None:
    factor = columns.values.pop(Key("time_factor"), None)
    if factor is None:
        return
    for symbol in SCALED:
        values = columns.values.get(Key(symbol))
        if values is not None:
            columns.values[Key(symbol)] = Values(
                values.name,
                values.unit,
                values.bounds / factor.bounds[0],
                values.scale / factor.bounds[0],
            )


def join(table: CsvTexts, other: CsvTexts) -> CsvTexts:
    """``table`` with the columns of ``other`` that it lacks, for the rows that agree in the columns of both.

    Raises
    ------
    AuditError
        If there is no common column, or several rows of ``other`` for one of ``table``.
    """
    common = [name for name in table.frame.columns if name in other.frame.columns]
    if not common:
        raise AuditError(texts.no_common_column(table.path, other.path))
    if other.frame.select(pl.struct(common).is_duplicated().any()).item():
        raise AuditError(texts.not_unique(other.path, ", ".join(common)))
    frame = table.frame.join(other.frame, on=common, how="left", maintain_order="left")
    return CsvTexts(table.path, frame, table.lines, table.decimal)


def parse_assignments(option: str, pairs: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts of an option as a dictionary; raises :class:`AuditError`."""
    chosen = {}
    for pair in pairs:
        name, sign, value = pair.rpartition("=")
        if not sign or not name.strip() or not value.strip():
            raise AuditError(texts.bad_assignment(option, pair))
        chosen[name.strip()] = value.strip()
    return chosen


def text_models(columns: Columns) -> list[str]:
    """The models' names in lower case without spaces, one per row; empty if none is given."""
    return ["" if text is None else "".join(str(text).lower().split()) for text in columns.models]
