"""Units: quantities as tools print them, to bytes, seconds and numbers; and numbers formatted as text.

The parsing functions take a Polars expression of text and return an expression; text in another format becomes
null, never 0. Decimal commas are read like points. Sizes are binary: ``10.6g`` is 10.6 × 2³⁰ bytes.

Example:
    >>> frame = pl.DataFrame({"RES": ["9796", "10.6g", "?"]})
    >>> frame.select(parse_memory_bytes(pl.col("RES"))).to_series().to_list()
    [10031104, 11381663334, None]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from string import ascii_letters

import polars as pl

PREFIXES = "kmgtpe"
"""Binary prefixes by increasing power of 1024, as in top (in capitals in iotop)."""

MINUTE_S, HOUR_S, DAY_S, WEEK_S = 60, 3600, 86_400, 604_800

MAX_KIB = 2**52
"""Largest number of KiB that is read: larger ones times 1024 exceed 64 bits."""

NUMBER = r"[0-9]{1,15}(?:[.,][0-9]*)?"
"""An unsigned decimal number with point or comma."""


def parse_number(text: pl.Expr) -> pl.Expr:
    """A decimal number, with point or comma: ``0.3``, ``0,3``, ``100``."""
    return text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def parse_percent(text: pl.Expr) -> pl.Expr:
    """A percentage with or without its sign: ``99.37 %``, ``2%``, ``0,5``."""
    return parse_number(text.str.strip_chars(" %"))


def count_decimals(text: pl.Expr) -> pl.Expr:
    """Number of digits after the decimal mark: 2 for ``365.81``, 0 for ``12``."""
    return text.str.extract(r"[.,]([0-9]+)").str.len_bytes().fill_null(0)


def prefix_bytes(prefix: pl.Expr, *, bare: int) -> pl.Expr:
    """Bytes of a prefix letter; ``bare`` without one, null if it is unknown."""
    powers = {letter: 1024**power for power, letter in enumerate(PREFIXES, 1)}
    return prefix.str.to_lowercase().replace_strict(
        {"": bare, "b": 1, **powers}, default=None, return_dtype=pl.Float64
    )


def parse_memory_bytes(text: pl.Expr, *, bare: int = 1024) -> pl.Expr:
    """Memory as top prints it, in bytes: numbers without a letter are KiB, ``125.1m``, ``10.6g``; ``?`` is null."""

    def parse_plain(values: pl.Series) -> pl.Series:
        integers = values.cast(pl.Int64, strict=False)
        integers = integers.set(integers > MAX_KIB, None) * bare
        unparsed = integers.is_null() & values.is_not_null()
        if not unparsed.any():
            return integers
        scaled = _evaluate(values.filter(unparsed), lambda text: _parse_scaled(text, bare))
        return integers.scatter(unparsed.arg_true(), scaled)

    return text.map_batches(parse_plain, return_dtype=pl.Int64, is_elementwise=True)


def _evaluate(values: pl.Series, make: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """Evaluate an expression of ``make`` on a series."""
    return values.alias("text").to_frame().select(make(pl.col("text"))).to_series()


def _parse_scaled(text: pl.Expr, bare: int) -> pl.Expr:
    is_size = text.str.contains(rf"^{NUMBER}[A-Za-z]?$")
    letter = text.str.strip_chars_start("0123456789.,")
    value = parse_number(text.str.strip_chars_end(ascii_letters)) * prefix_bytes(letter, bare=bare)
    return pl.when(is_size).then(value.round()).cast(pl.Int64, strict=False)


def divide(value: pl.Expr, divisor: int) -> pl.Expr:
    """``value / divisor``, correctly rounded: 55105 / 100 is 551.05.

    Polars multiplies by the reciprocal of a scalar, which gives 551.0500000000001; it divides by a column.
    """
    return value / (value * 0 + divisor)


def to_bytes(value: pl.Expr, prefix: pl.Expr) -> pl.Expr:
    """A size in bytes from number and prefix letter: ``365.81`` and ``K``; ``B`` is bytes."""
    return parse_number(value) * prefix_bytes(prefix, bare=1)


def size_resolution_bytes(value: pl.Expr, prefix: pl.Expr) -> pl.Expr:
    """Resolution of a printed size in bytes: 10.24 for ``365.81 K``."""
    return prefix_bytes(prefix, bare=1) / pl.lit(10.0).pow(count_decimals(value))


def parse_cpu_time(text: pl.Expr) -> pl.Expr:
    """top's TIME+ (or TIME) as a struct of ``seconds`` and ``resolution``, both in seconds.

    | printed     | meaning                  | one step |
    |-------------|--------------------------|----------|
    | ``2:36.63`` | minutes, seconds         | 0.01 s   |
    | ``1241:00`` | minutes, seconds         | 1 s      |
    | ``206,45``  | hours, minutes           | 60 s     |
    | ``4d+3h``   | days, hours (procps 4)   | 3600 s   |
    | ``2w+1d``   | weeks, days (procps 4)   | 86400 s  |
    | ``5h``      | hours                    | 3600 s   |
    | ``3d``      | days                     | 86400 s  |
    | ``2w``      | weeks                    | 604800 s |
    """
    return text.map_batches(_cpu_time, return_dtype=CPU_TIME, is_elementwise=True)


CPU_TIME = pl.Struct({"seconds": pl.Float64, "resolution": pl.Float64})


def _cpu_time(values: pl.Series) -> pl.Series:
    """The common format for all values, then the rare coarse formats."""
    fine = _evaluate(_evaluate(values, _time_digits), _minutes_seconds).struct.unnest()
    unparsed = fine["seconds"].is_null() & values.is_not_null()
    if unparsed.any():
        coarse = _evaluate(values.filter(unparsed), _parse_coarse).struct.unnest()
        positions = unparsed.arg_true()
        fine = pl.DataFrame([fine[name].scatter(positions, coarse[name]) for name in fine.columns])
    return fine.to_struct(values.name)


def _time_digits(text: pl.Expr) -> pl.Expr:
    """``579:03.91`` as the whole number 5790391, which is faster than three groups."""
    is_fine = text.str.contains(r"^[0-9]{1,9}:[0-5][0-9][.,][0-9][0-9]$")
    digits = text
    for sign in ":.,":
        digits = digits.str.replace(sign, "", literal=True)
    return pl.when(is_fine).then(digits).cast(pl.Int64, strict=False)


def _minutes_seconds(digits: pl.Expr) -> pl.Expr:
    """Seconds and resolution from the digits MMMSSCC."""
    hundredths = digits // 10_000 * 6000 + digits % 10_000
    return pl.struct(
        divide(hundredths, 100).alias("seconds"),
        pl.when(digits.is_not_null()).then(0.01).alias("resolution"),
    )


def _parse_coarse(text: pl.Expr) -> pl.Expr:
    """Seconds and resolution of times in whole seconds or coarser."""

    def numbers(form: str, count: int) -> list[pl.Expr]:
        groups = text.str.extract_groups(form).struct
        return [groups.field(str(i)).cast(pl.Int64, strict=False) for i in range(1, count + 1)]

    hour, minute = numbers(r"^([0-9]{1,9}),([0-5][0-9])$", 2)
    long_minute, second = numbers(r"^([0-9]{1,9}):([0-5][0-9])$", 2)
    week, day, hours = numbers(r"^(?:([0-9]{1,6})w)?\+?(?:([0-9]{1,6})d)?\+?(?:([0-9]{1,6})h)?$", 3)
    days_s = week.fill_null(0) * WEEK_S + day.fill_null(0) * DAY_S + hours.fill_null(0) * HOUR_S
    forms = (
        # last number of the format, value in seconds, resolution
        (minute, hour * HOUR_S + minute * MINUTE_S, MINUTE_S),
        (second, long_minute * MINUTE_S + second, 1),
        (hours, days_s, HOUR_S),
        (day, days_s, DAY_S),
        (week, days_s, WEEK_S),
    )
    seconds = pl.coalesce(pl.when(last.is_not_null()).then(value) for last, value, _ in forms)
    step = pl.coalesce(pl.when(last.is_not_null()).then(pl.lit(step)) for last, _, step in forms)
    return pl.struct(
        seconds.cast(pl.Float64).alias("seconds"), step.cast(pl.Float64).alias("resolution")
    )


def format_number(value: float | None, digits: int = 3) -> str:
    """``value`` to ``digits`` significant digits, without exponent for 1e-5 to 1e9; – if missing."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if -5 < magnitude < 9:
        return f"{value:,.{max(0, digits - 1 - magnitude)}f}"
    return f"{value:.{digits - 1}e}"


def format_short(value: float | None, digits: int = 3) -> str:
    """``format_number`` without trailing zeros."""
    text = format_number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def format_percent(value: float | None, *, sign: bool = True) -> str | None:
    """A share or relative error in percent, with one decimal below 10 %; None if missing."""
    if value is None or not math.isfinite(value):
        return None
    digits = 0 if abs(value) >= 0.1 else 1
    rounded = round(100 * value, digits)
    return f"{rounded:{'+' if sign else ''}.{digits}f} %" if rounded else "0 %"  # neither +0 nor -0


def display_unit(quantity: str, unit: str) -> tuple[str, float]:
    """Unit in which tables for people show a quantity of the ledger, and the factor from the ledger's unit.

    Demands and residence times of one request (``D_``, ``R_``) are in milliseconds, bytes in MB.

    Examples
    --------
    >>> display_unit("R_cpu", "s"), display_unit("T_cpu", "s"), display_unit("IO_disk_total", "bytes")
    (('ms', 1000.0), ('s', 1.0), ('MB', 1e-06))
    """
    if unit == "s":
        return ("ms", 1e3) if quantity.startswith(("R_", "D_")) else ("s", 1.0)
    if unit == "bytes":
        return "MB", 1e-6
    return {"1": "", "operations/s": "ops/s", "requests/s": "req/s"}.get(unit, unit), 1.0


def format_interval(
    value: float | None, low: float | None, high: float | None, kind: str | None
) -> str:
    """A number to four significant digits with its interval; – if missing.

    ``95 %`` intervals are printed as ``1,085 (948 to 1,209)``, others, of the measurement resolution, as
    ``106.1 ± 0.01`` with the larger half.

    Examples
    --------
    >>> format_interval(1085.1, 948.2, 1209.4, "95 %"), format_interval(106.13, 106.12, 106.14, "resolution")
    ('1,085 (948.2 to 1,209)', '106.1 ± 0.01')
    """
    is_whole = value is not None and float(value).is_integer()
    text = format_short(value, 4) if is_whole else format_number(value, 4)
    if value is None or low is None or high is None:
        return text
    if kind == "95 %":
        return f"{text} ({format_short(low, 4)} to {format_short(high, 4)})"
    half = max(high - value, value - low)
    # sums of floating-point numbers differ by this much without any resolution
    if half <= abs(value) * 1e-9:
        return text
    decimals = max(0, -math.floor(math.log10(half)))
    return f"{text} ± {half:,.{decimals}f}" if decimals < 8 else f"{text} ± {half:.0e}"
