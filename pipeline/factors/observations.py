"""Observations of an experiment from a table: which columns are factors, and responses in several columns.

Published tables have one row per observation, or one per cell with the replications in columns ``y1``, ``y2``, ``y3``
or in one field (``15 18 12``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.factors import texts
from pipeline.factors.levels import FactorError, code
from pipeline.tables.read_csv import MISSING, CsvTexts, read_csv_texts

BLOCK_NAMES = frozenset(("block", "blocks", "blk"))
NO_FACTORS = BLOCK_NAMES | {
    *("replicate", "replicates", "rep", "reps", "repl", "repetition", "iteration", "run", "runs"),
    *("runorder", "order", "stdorder", "standardorder", "std", "trial", "measurement", "sample"),
    *("no", "nr", "index", "id", "obs", "observation", "experiment", "test", "row", "cell", "seed"),
    *("date", "timestamp", "center", "centre", "centerpt", "centrepoint", "pttype"),
}
"""Names of columns, lower case without punctuation, that are no factors whatever they hold; ``run no`` is ``run``."""
NO_LEVEL = frozenset(("", "na", "n/a", "nan", "null"))
"""Texts that are no level; ``none`` and ``-`` are levels unless the column has two others."""
NUMBERED = r"[\s_.(\[-]*[0-9]+[)\]]?"
"""What follows a response's name in the names of the columns of its replications."""
MAX_PRODUCT = 5
"""Factors of a product column."""
SEVERAL_NUMBERS = r"[0-9]\s*[\s,;/]\s*[+\-−.0-9]"
"""Within a field with several numbers."""


@dataclass(frozen=True)
class Observations:
    """One row per observation, and the roles of the columns."""

    frame: pl.DataFrame
    response: str
    factors: tuple[str, ...]
    block: str | None
    covariates: tuple[str, ...]
    low: dict[str, Any]
    """Factor → its low level, as given."""
    notes: tuple[str, ...]
    """How the columns were read."""


def read_observations(
    path: Path | str,
    responses: Sequence[str],
    *,
    factors: Sequence[str] = (),
    block: str | None = None,
    covariates: Sequence[str] = (),
    low: Mapping[str, Any] | None = None,
) -> Observations:
    """Read the observations of an experiment from a CSV file.

    Parameters
    ----------
    path
        CSV with a header (:func:`pipeline.tables.read_csv.read_csv_texts`).
    responses
        The column of the response, or several columns that hold its replications; ``y`` also stands for ``y1``, ``y2``,
        ….
    factors
        By default every other column with two distinct values, unless its name is that of a replication, block or run,
        or it is the product of other columns and named so (``AB``, as in a table of signs).
    block
        Column of the blocks; by default a column of that name; ``""`` is none.
    covariates
        Columns of numbers.
    low
        Factor → its low level.

    Raises
    ------
    FactorError, TableError
        The file cannot be read, has no such column, a field that is no number, or no column that can be a factor.
    """
    table = read_csv_texts(path, missing=("",))
    names = table.frame.columns
    notes: list[str] = []
    response_columns = list(
        dict.fromkeys(each for name in responses for each in _response_columns(name, names, path))
    )
    covariates = [_column(name, names, path) for name in covariates]
    chosen = [_column(name, names, path) for name in factors]
    if block is None:
        block = _block_by_name(table, {*chosen, *response_columns, *covariates})
        if block is not None:
            notes.append(texts.block_by_name(block))
    block = _column(block, names, path) if block else None
    used = {*response_columns, *covariates, block}
    levels = {name: _levels(table, name) for name in names if name not in used or name in chosen}
    if not chosen:
        chosen = _find_factors(levels, notes)
    if not chosen:
        counts = {name: column.drop_nulls().n_unique() for name, column in levels.items()}
        raise FactorError(texts.no_factor_columns(path, counts))
    response = _common_name(responses, response_columns)
    values = [_response(table, name).alias(name) for name in response_columns]
    frame = pl.DataFrame(
        [
            *(levels[name] for name in chosen),
            *(_numbers(table, name) for name in covariates),
            *([table.frame[block]] if block else []),
        ]
    ).with_columns(
        pl.DataFrame(values).select(pl.concat_list(pl.all())).to_series().alias(response)
    )
    if len(response_columns) > 1:
        notes.append(texts.replication_columns(response_columns))
    is_centre = _centre_points(frame, chosen)
    frame = frame.with_columns(is_centre=is_centre).explode(response)
    if is_centre.any():
        centre, corners = (
            frame.filter(pl.col("is_centre") == flag)[response] for flag in (True, False)
        )
        notes.append(texts.centre_points(centre.len(), centre.mean(), corners.mean()))
    frame = frame.filter(~pl.col("is_centre")).drop("is_centre")
    if any(_is_label(name) and _plain(name) not in BLOCK_NAMES for name in names):
        duplicates = table.frame.height - table.frame.unique().height
        if duplicates:
            notes.append(texts.equal_rows(duplicates))
    low_levels = {_column(name, names, path): level for name, level in (low or {}).items()}
    return Observations(
        frame, response, tuple(chosen), block, tuple(covariates), low_levels, tuple(notes)
    )


def _plain(name: str) -> str:
    """A column's name in lower case, without punctuation."""
    return re.sub(r"[\W_]+", "", name).lower()


def _is_label(name: str) -> bool:
    """Whether a column numbers or names the rows."""
    plain = _plain(name)
    return plain in NO_FACTORS or re.sub(r"(no|nr|number|id|index)$", "", plain) in NO_FACTORS


def _column(name: str, names: Sequence[str], path: Path | str) -> str:
    """The column of that name, in any case."""
    if name in names:
        return name
    similar = [each for each in names if each.casefold() == name.strip().casefold()]
    if len(similar) == 1:
        return similar[0]
    raise FactorError(f"{path}: {texts.no_such_column(name, names)}")


def _response_columns(name: str, names: Sequence[str], path: Path | str) -> list[str]:
    """The columns of a response: itself, those whose names are it and a number, or a list of names."""
    if any(each.casefold() == name.strip().casefold() for each in names):
        return [_column(name, names, path)]
    pattern = re.compile(re.escape(name.strip()) + NUMBERED, re.IGNORECASE)
    if numbered := [each for each in names if pattern.fullmatch(each)]:
        return numbered
    if "," in name:
        return [each for part in name.split(",") for each in _response_columns(part, names, path)]
    return [_column(name, names, path)]


def _common_name(responses: Sequence[str], columns: Sequence[str]) -> str:
    """The name of the response: its column's, that of its replications without the number, or all of theirs."""
    if len(columns) == 1:
        return columns[0]
    if len(responses) == 1 and "," not in responses[0]:
        return responses[0]
    stems = {re.sub(NUMBERED + "$", "", name) for name in columns}
    return stems.pop() if len(stems) == 1 and "" not in stems else ", ".join(columns)


def _block_by_name(table: CsvTexts, used: set[str]) -> str | None:
    """A column named block, with more than one value."""
    for name, column in zip(table.frame.columns, table.frame, strict=True):
        if _plain(name) in BLOCK_NAMES and name not in used and column.drop_nulls().n_unique() > 1:
            return name
    return None


def _levels(table: CsvTexts, name: str) -> pl.Series:
    """A column as levels: numbers if all are, else texts; null without a level."""
    column = _without(table.frame[name], NO_LEVEL)
    if column.drop_nulls().n_unique() > 2:
        column = _without(column, frozenset(MISSING))
    numbers = _as_numbers(table, column)
    return column if numbers is None else numbers


def _without(column: pl.Series, missing: frozenset[str]) -> pl.Series:
    """The column with null for each of the texts."""
    is_missing = column.str.to_lowercase().is_in(list(missing)).fill_null(True)
    return column.to_frame().select(pl.when(~is_missing).then(pl.col(column.name))).to_series()


def _as_numbers(table: CsvTexts, column: pl.Series) -> pl.Series | None:
    """The numbers of a column, whole ones as Int64; None if a field is no number."""
    numerals = replace(table, frame=column.to_frame()).numerals(column.name)
    if numerals.null_count() > column.null_count():
        return None
    numbers = numerals.cast(pl.Float64)
    is_whole = ((numbers == numbers.round()) & (numbers.abs() < 2**53)).all()
    return numbers.cast(pl.Int64) if is_whole else numbers


def _numbers(table: CsvTexts, name: str) -> pl.Series:
    """A column of numbers; null where there is none. Raises ``FactorError`` with the line of a field that is text."""
    column = _without(table.frame[name], frozenset(MISSING))
    numbers = _as_numbers(table, column)
    if numbers is not None:
        return numbers.cast(pl.Float64)
    numerals = replace(table, frame=column.to_frame()).numerals(name)
    row = (numerals.is_null() & column.is_not_null()).arg_max() or 0
    raise FactorError(texts.no_number_in(table.path, table.lines[row], name, column[row]))


def _response(table: CsvTexts, name: str) -> pl.Series:
    """A column of numbers as lists: of one number each, or of several as in ``15 18 12``."""
    column = table.frame[name]
    has_several = column.str.contains(SEVERAL_NUMBERS).fill_null(False)
    is_several = (
        _as_numbers(table, _without(column, frozenset(MISSING))) is None and has_several.any()
    )
    if not is_several:
        return _numbers(table, name).to_frame().select(pl.concat_list(name)).to_series()
    parts = column.str.strip_chars("()[]{} ").str.replace_all(r"[\s,;/]+", " ").str.split(" ")
    long = pl.DataFrame({"row": range(column.len()), name: parts}).explode(name)
    lines = table.lines.gather(long["row"])
    flat = replace(table, frame=long.select(name), lines=lines)
    numbers = long.select("row").with_columns(_numbers(flat, name))
    return numbers.group_by("row", maintain_order=True).agg(name)[name]


def _find_factors(columns: Mapping[str, pl.Series], notes: list[str]) -> list[str]:
    """The columns that are factors, and notes about the others."""
    candidates, others = [], []
    for name, column in columns.items():
        count = column.drop_nulls().n_unique()
        if _is_label(name) or (_plain(name) == "replication" and _is_index(column)):
            continue
        if count == 2 or _has_centre(column):
            candidates.append(name)
        elif count > 0 and not (count == 1 and column.null_count() == 0):
            others.append(f"{name} ({count} value{'s' * (count != 1)})")
        elif count == 1:
            notes.append(texts.constant_column(name, column[0]))
    products = _products(columns, candidates)
    if products:
        notes.append(texts.product_columns(products))
    if others:
        notes.append(texts.not_factors(others))
    return [name for name in candidates if name not in products]


def _is_index(column: pl.Series) -> bool:
    """Whether a column counts from 1, as numbers of replications do."""
    values = column.drop_nulls().unique().sort().to_list()
    return values == list(range(1, len(values) + 1))


def _products(columns: Mapping[str, pl.Series], candidates: Sequence[str]) -> list[str]:
    """Candidates that are the product of others and have their names: ``AB``, ``A*B``, ``A:B``, ``AxB``."""
    products = []
    names = [name for name in candidates if not _has_centre(columns[name])]
    signs, _ = (
        code(pl.DataFrame([columns[name] for name in names]).drop_nulls(), names, {})
        if names
        else ({}, {})
    )
    for order in range(2, min(len(names), MAX_PRODUCT) + 1):
        for group in combinations(names, order):
            spellings = {_plain(mark.join(group)) for mark in ("", "x", "by")}
            for name in names:
                if name in group or _plain(name) not in spellings or set(group) & set(products):
                    continue
                product = pl.select(pl.lit(signs.select(group).to_numpy().prod(axis=1))).to_series()
                if product.equals(signs[name].alias("")) or (-product).equals(
                    signs[name].alias("")
                ):
                    products.append(name)
    return products


def _has_centre(column: pl.Series) -> bool:
    """Whether a column has two levels and the number halfway between them."""
    values = column.drop_nulls().unique()
    if values.len() != 3 or not values.dtype.is_numeric():
        return False
    low, middle, high = values.sort().to_list()
    return math.isclose(2 * middle, low + high, rel_tol=1e-9, abs_tol=1e-9 * (high - low))


def _centre_points(frame: pl.DataFrame, factors: Sequence[str]) -> pl.Series:
    """Rows in which every factor of numbers is halfway between its levels."""
    names = [name for name in factors if _has_centre(frame[name])]
    nothing = pl.repeat(False, frame.height, eager=True)
    if not names:
        return nothing
    at_centre = [frame[name] == frame[name].drop_nulls().unique().sort()[1] for name in names]
    everywhere = frame.select(pl.all_horizontal(*at_centre)).to_series().fill_null(False)
    anywhere = frame.select(pl.any_horizontal(*at_centre)).to_series().fill_null(False)
    return everywhere if everywhere.equals(anywhere) else nothing
