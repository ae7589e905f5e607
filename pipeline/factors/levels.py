"""The two levels of a factor, and which of them is the low one (coded −1; the high one is +1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.errors import Error
from pipeline.factors import texts

Array = NDArray[np.float64]


class FactorError(Error, ValueError):
    """A design or a table of observations that cannot be used; the text says why, and what to do."""


LOW_WORDS = frozenset(
    (
        "- −1 – — −" + " -1 none no off without false low lo l min minimum minus small slow short"
        " light cold old idle absent disabled half single"
    ).split()
)
"""Texts that are the low level whatever the other level is."""
HIGH_WORDS = frozenset(
    ["+", "+1", "1", "on", "yes", "with", "true", "high", "hi", "h", "max", "maximum", "plus"]
)
"""Texts that are the high level unless the other one is, too."""

PREFIX_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
WITH_UNIT = re.compile(
    r"([+\-−]?[0-9]+(?:\.[0-9]+)?)\s*(?:([kmgt]?)i?(b|bytes?|)|([a-zµ%/°].*)|)", re.IGNORECASE
)
"""A number and a unit: ``16``, ``4 MB``, ``2k``, ``10 ms``."""


def level_order(a: Any, b: Any) -> tuple[Any, Any]:
    """Two levels, the low one first.

    The larger number is the high level, also of numbers with the same unit or with prefixes of bytes. Of texts, one
    such as ``none``, ``off``, ``-`` or ``low`` is the low level; else the alphabetically later text is the high one.

    Examples
    --------
    >>> level_order(16, 4)
    (4, 16)
    >>> level_order("16 MB", "4 MB")
    ('4 MB', '16 MB')
    >>> level_order("none", "full"), level_order("+", "-")
    (('none', 'full'), ('-', '+'))
    """
    key_a, key_b = _number(a), _number(b)
    if key_a is not None and key_b is not None and key_a[1] == key_b[1] and key_a[0] != key_b[0]:
        return (a, b) if key_a[0] < key_b[0] else (b, a)
    ranks = [_rank(value) for value in (a, b)]
    if ranks[0] != ranks[1]:
        return (a, b) if ranks[0] < ranks[1] else (b, a)
    texts_of = [(str(value).casefold(), str(value)) for value in (a, b)]
    return (a, b) if texts_of[0] < texts_of[1] else (b, a)


def _number(value: Any) -> tuple[float, str] | None:
    """A number and its unit; with prefixes of bytes the number of bytes."""
    if isinstance(value, bool | int | float):
        return float(value), ""
    match = WITH_UNIT.fullmatch(str(value).strip())
    if match is None:
        return None
    number = float(match[1].replace("−", "-"))
    if match[4] is not None:
        return number, match[4].casefold()
    return number * 1024 ** PREFIX_POWERS[(match[2] or "").lower()], ""


def _rank(value: Any) -> int:
    """−1 of a text that is the low level, 1 of one that is the high level, 0 of any other."""
    text = str(value).strip().casefold()
    return -1 if text in LOW_WORDS else 1 if text in HIGH_WORDS else 0


def two_levels(values: pl.Series, low: Any = None) -> tuple[Any, Any]:
    """The low and the high level of a factor's column.

    Parameters
    ----------
    values
        The levels of all rows; nulls are left out.
    low
        The low level, if not the one of :func:`level_order`; compared as a value, else as text.

    Raises
    ------
    FactorError
        Not exactly two levels, or ``low`` is none of them.
    """
    distinct = values.drop_nulls().unique().to_list()
    if len(distinct) != 2:
        raise FactorError(texts.not_two_levels(values.name, distinct))
    ordered = level_order(*distinct)
    if low is None:
        return ordered
    for level, other in (ordered, ordered[::-1]):
        if level == low or str(level).strip() == str(low).strip() or _is_same_number(level, low):
            return level, other
    raise FactorError(texts.no_such_level(values.name, low, ordered))


def _is_same_number(level: Any, text: Any) -> bool:
    pair = _number(level), _number(text)
    return pair[0] is not None and pair[0] == pair[1]


def code(
    frame: pl.DataFrame, factors: Sequence[str], low: Mapping[str, Any]
) -> tuple[pl.DataFrame, dict[str, tuple[Any, Any]]]:
    """Columns of −1 and +1 for ``factors``, and their levels, the low one first."""
    levels = {name: two_levels(frame[name], low.get(name)) for name in factors}
    signs = frame.select(
        pl.when(pl.col(name) == pl.lit(high, dtype=frame.schema[name]))
        .then(1.0)
        .otherwise(-1.0)
        .alias(name)
        for name, (_, high) in levels.items()
    )
    return signs, levels
