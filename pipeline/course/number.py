"""Answers as people write them: ``1.218 ms``, ``52.9 %``, ``14,6``, ``7 350 µs``.

``templates/lesson.js`` reads the same forms on the course's pages; a test compares the two.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

SCALES: dict[str, dict[str, float]] = {
    "s": {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0},
    "1": {"": 1.0, "%": 1e-2},
    "1/s": {"": 1.0, "/s": 1.0, "1/s": 1.0, "per s": 1.0, "/min": 1 / 60},
    "B": {
        "": 1.0, "b": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9,
        "kib": 1024.0, "mib": 1024.0**2, "gib": 1024.0**3,
    },
}  # fmt: skip
"""Unit of a question → what may stand after the number, and its factor."""

_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d[\d., '\u00a0\u202f]*|[.,]\d+)(?:[eE][+-]?\d{1,4})?)\s*(?P<unit>.*)"
)
_SPACES = re.compile(r"[ '\u00a0\u202f]")


@dataclass(frozen=True)
class Number:
    """A number and how exactly it was written."""

    value: float
    resolution: float
    """Half a unit of its last digit."""


def parse_number(text: str, unit: str) -> tuple[Number, ...]:
    """Read an answer to a question in ``unit``.

    Parameters
    ----------
    text : str
        A number with or without a unit.
    unit : str
        Of the question; a unit in ``text`` must be of its kind.

    Returns
    -------
    tuple of Number
        In ``unit``. Two where a comma may separate decimals or thousands (``1,765``), decimals first; none where the
        text is no such number.

    Examples
    --------
    >>> [number.value for number in parse_number("1.218 ms", "s")]
    [0.001218]
    >>> [number.value for number in parse_number("1,765", "1")]
    [1.765, 1765.0]
    >>> parse_number("fast", "s")
    ()
    """
    match = _NUMBER.fullmatch(text.strip().replace("−", "-"))
    if match is None:
        return ()
    suffix = match["unit"].strip().lower().replace("μ", "µ")
    scales = SCALES.get(unit, {"": 1.0, unit.lower(): 1.0})
    if suffix not in scales:
        return ()
    scale = scales[suffix]
    return tuple(
        Number(_scaled(float(digits), scale), _half_unit(digits) * scale)
        for digits in _decimals(match["number"])
        if math.isfinite(float(digits))
    )


def number_of(value: float) -> Number:
    """A number that a program computed, with the resolution of its shortest decimal text."""
    text = repr(float(value))
    return Number(float(value), _half_unit(text) if math.isfinite(value) else 0.0)


def _scaled(value: float, scale: float) -> float:
    # division by a whole number is exact where multiplication by its reciprocal is not: 1.218 ms
    inverse = 1 / scale
    return value / round(inverse) if scale < 1 and inverse == round(inverse) else value * scale


def _decimals(text: str) -> list[str]:
    """The ways to read a number, with a decimal point and without separators of thousands."""
    mantissa, exponent = re.fullmatch(r"([^eE]*)([eE].*)?", _SPACES.sub("", text)).groups()
    readings = [mantissa]
    if "," in mantissa:
        as_point = mantissa.replace(",", ".")
        is_grouped = re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", mantissa)
        readings = [as_point, *([mantissa.replace(",", "")] if is_grouped else [])]
    return [
        reading + (exponent or "")
        for reading in readings
        if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", reading)
    ]


def _half_unit(text: str) -> float:
    """Half a unit of the last digit of a decimal number; of a whole number without a point, of its last digit."""
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    if mantissa.endswith(".0") and decimals == 1:
        decimals = 0
    return float(f"5e{int(exponent or 0) - decimals - 1}")
