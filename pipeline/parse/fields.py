"""Small expressions that several parsers share: flags, moments, numbers with a point or a comma.

Example:
    >>> pl.DataFrame({"x": ["1,5", "2.25", "nan"]}).select(decimal(pl.col("x"))).rows()
    [(1.5,), (2.25,), (None,)]
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

NUMBER = r"[-+]?(?:[0-9]+(?:[.,][0-9]+)?(?:[eE][-+]?[0-9]+)?|nan|inf)"
"""A number as C's printf writes it, in a locale with a point or a comma before the decimals."""


def joined_flags(flags: Iterable[tuple[pl.Expr, str]]) -> pl.Expr:
    """The names whose condition holds, separated by blanks; null if there is none."""
    names = pl.concat_str(
        *(pl.when(holds.fill_null(False)).then(pl.lit(name)) for holds, name in flags),
        separator=" ",
        ignore_nulls=True,
    )
    return pl.when(names != "").then(names)


def utc_ns(moment: pl.Expr) -> pl.Expr:
    """Naive UTC microseconds as UTC nanoseconds; null where nanoseconds cannot hold them."""
    fits = moment.dt.year().is_between(1678, 2261)
    return pl.when(fits).then(moment).dt.cast_time_unit("ns").dt.replace_time_zone("UTC")


def offset_minutes(sign: pl.Expr, hours: pl.Expr, minutes: pl.Expr) -> pl.Expr:
    """An offset from UTC in minutes, of the texts ``-``, ``03``, ``30``; null for one of a day or more."""
    hours, minutes = hours.cast(pl.Int64, strict=False), minutes.cast(pl.Int64, strict=False)
    size = pl.when((hours <= 23) & (minutes <= 59)).then(hours * 60 + minutes)
    return pl.when(sign == "-").then(-size).otherwise(size)


def decimal(text: pl.Expr, shift: int = 0) -> pl.Expr:
    """``NUMBER`` as Float64; null for nan and infinity, which measure nothing.

    ``shift`` moves the point before the number is made, so that 76.3 ms are 0.0763 s to the last bit.
    """
    text = text.str.replace(",", ".", literal=True)
    if shift:
        text = text + pl.lit(f"e{shift}")
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)
