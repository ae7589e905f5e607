"""Polars expressions of several parsers: flags, times, numbers with a decimal point or comma.

Example:
    >>> pl.DataFrame({"x": ["1,5", "2.25", "nan"]}).select(to_float64(pl.col("x"))).rows()
    [(1.5,), (2.25,), (None,)]
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

NUMBER = r"[-+]?(?:[0-9]+(?:[.,][0-9]+)?(?:[eE][-+]?[0-9]+)?|nan|inf)"
"""A number as printed by C's printf, with a decimal point or comma."""


def join_flags(flags: Iterable[tuple[pl.Expr, str]]) -> pl.Expr:
    """Names whose condition is true, separated by blanks; null if there is none."""
    names = pl.concat_str(
        *(pl.when(holds.fill_null(False)).then(pl.lit(name)) for holds, name in flags),
        separator=" ",
        ignore_nulls=True,
    )
    return pl.when(names != "").then(names)


def first_of(
    *cases: tuple[pl.Expr, pl.Expr | str], otherwise: pl.Expr | str | None = None
) -> pl.Expr:
    """Value (or text) of the first case whose condition is true and value not null, else ``otherwise``.

    Example:
        >>> reason = first_of((pl.col("n") < 0, "negative"), (pl.col("n") > 9, "too large"))
        >>> pl.DataFrame({"n": [-1, 5, 10]}).select(reason.alias("reason")).to_series().to_list()
        ['negative', None, 'too large']
    """
    return pl.coalesce(
        pl.when(holds).then(pl.lit(value) if isinstance(value, str) else value)
        for holds, value in (*cases, (pl.lit(True), otherwise))
    )


def to_int64(text: str | pl.Expr) -> pl.Expr:
    """Text as Int64; null if it is not a whole number of 64 bits."""
    return (pl.col(text) if isinstance(text, str) else text).cast(pl.Int64, strict=False)


def add_flag(holds: pl.Expr, flag: str) -> pl.Expr:
    """The column ``flags`` with a flag added where the condition is true."""
    more = pl.concat_str("flags", pl.lit(flag), separator=" ", ignore_nulls=True)
    return pl.when(holds).then(more).otherwise("flags").alias("flags")


def parse_version(text: str | None) -> tuple[int, int, int] | None:
    """Version numbers in ``procps-ng 4.0.2``; the third is 0 where there are two."""
    parts = re.search(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?", text or "")
    return tuple(int(part or 0) for part in parts.groups()) if parts else None


def to_utc_ns(moment: pl.Expr) -> pl.Expr:
    """Naive UTC microseconds as UTC nanoseconds; null outside their range."""
    fits = moment.dt.year().is_between(1678, 2261)
    return pl.when(fits).then(moment).dt.cast_time_unit("ns").dt.replace_time_zone("UTC")


def offset_minutes(sign: pl.Expr, hours: pl.Expr, minutes: pl.Expr) -> pl.Expr:
    """Offset from UTC in minutes from the texts ``-``, ``03``, ``30``; null for a day or more."""
    hours, minutes = to_int64(hours), to_int64(minutes)
    size = pl.when((hours <= 23) & (minutes <= 59)).then(hours * 60 + minutes)
    return pl.when(sign == "-").then(-size).otherwise(size)


def to_float64(text: str | pl.Expr, shift: int = 0) -> pl.Expr:
    """Text with a ``NUMBER`` as Float64; null for nan and infinity.

    ``shift`` is a power of ten that is applied to the text, so that 76.3 ms are 0.0763 s to the last bit.
    """
    text = pl.col(text) if isinstance(text, str) else text
    text = text.str.replace(",", ".", literal=True)
    if shift:
        text = text + pl.lit(f"e{shift}")
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)
