"""Frames that are made row by row, with the same columns when there are no rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

Form = dict[str, type[pl.DataType]]


def texts(*names: str) -> Form:
    """Columns of text."""
    return dict.fromkeys(names, pl.String)


def floats(*names: str) -> Form:
    """Columns of numbers."""
    return dict.fromkeys(names, pl.Float64)


def of_rows(
    rows: Iterable[Sequence[Any] | Mapping[str, Any]],
    form: Mapping[str, pl.DataType | type[pl.DataType]],
) -> pl.DataFrame:
    """Rows, tuples or mappings, as a frame whose columns are ``form``."""
    return pl.DataFrame(list(rows), schema=form, orient="row")
