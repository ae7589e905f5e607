"""Fields at fixed columns of many lines of ASCII at once, by NumPy on eight bytes of each line as one number.

The first of the eight bytes is the lowest one of the number. A field stands at its right end and is filled with
blanks. Each function gives the values, and whether a field has exactly the form that is read: the value of any other
field has no meaning.

Example:
    >>> import numpy as np
    >>> packed = np.frombuffer(b"    1520   12 34", dtype="<u8")
    >>> read_unsigned(packed)
    (array([1520, 1234]), array([ True, False]))
"""

from __future__ import annotations

import numpy as np

BLANK, POINT, COLON = 0x20, 0x2E, 0x3A


def _every(byte: int) -> np.uint64:
    """A number of eight times that byte."""
    return np.uint64(byte * 0x0101010101010101)


_ONES, _BLANKS, _HIGH = _every(1), _every(BLANK), _every(0x80)
_U8, _U16, _U32, _U56 = np.uint64(8), np.uint64(16), np.uint64(32), np.uint64(56)
_BYTE = np.uint64(0xFF)


def packed_at(block: np.ndarray, end: int) -> np.ndarray:
    """The eight bytes in front of column ``end`` of each row of ``block`` (bytes) as one number."""
    return np.ascontiguousarray(block[:, end - 8 : end]).view("<u8")[:, 0]


def with_width(packed: np.ndarray, width: int) -> np.ndarray:
    """The numbers in which only the last ``width`` bytes count, the others are blanks."""
    if width >= 8:
        return packed
    low = np.uint64((1 << 8 * (8 - width)) - 1)
    return (packed & ~low) | (_BLANKS & low)


def digits_of(packed: np.ndarray) -> np.ndarray:
    """1 in each byte that is a digit."""
    return (~((packed ^ _every(0x30)) + _every(0x76)) & _HIGH) >> np.uint64(7)


def blanks_of(packed: np.ndarray) -> np.ndarray:
    """1 in each byte that is a blank."""
    return (~((packed ^ _BLANKS) + _every(0x7F)) & _HIGH) >> np.uint64(7)


def begin_with_number(packed: np.ndarray) -> np.ndarray:
    """Whether the bytes begin with blanks or none, digits, and a blank."""
    digits = digits_of(packed)
    other = blanks_of(packed) ^ _ONES
    first = other & (~other + np.uint64(1))
    # the addition carries through the digits into the byte behind them
    behind = (digits * _BYTE + first) & ~(digits * _BYTE)
    return ((first & digits) != 0) & ((behind & ~other & _ONES) != 0)


def first_numbers(packed: np.ndarray) -> np.ndarray:
    """The numbers that the bytes begin with (``begin_with_number``)."""
    digits = digits_of(packed)
    other = blanks_of(packed) ^ _ONES
    first = other & (~other + np.uint64(1))
    behind = (digits * _BYTE + first) & ~(digits * _BYTE) & ~other & _ONES
    number = (packed ^ _every(0x30)) & (behind - first)
    # bits in front of the byte behind the number: they are shifted to the right end
    return _whole_number(
        number << (np.uint64(64) - np.bitwise_count(behind - np.uint64(1)).astype(np.uint64))
    )


def _whole_number(digits: np.ndarray) -> np.ndarray:
    """The number of eight digits (0 to 9), the first in the lowest byte."""
    pairs = (digits * np.uint64(2561)) >> _U8
    fours = ((pairs & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> _U16
    eight = ((fours & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> _U32
    return eight.astype(np.int64)


def _parts(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Value of the digits, 1 in each byte that is one, the other bytes, and whether digits end the field, unbroken."""
    digits = digits_of(packed)
    mask = digits * _BYTE
    value = _whole_number((packed ^ _every(0x30)) & mask)
    others = (packed ^ _BLANKS) & ~mask
    is_unbroken = (((digits << _U8) & ~digits) == 0) & ((digits >> _U56) == 1)
    return value, digits, others, is_unbroken


def read_unsigned(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers."""
    value, _, others, is_unbroken = _parts(packed)
    return value, is_unbroken & (others == 0)


def read_signed(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers, or such ones with a minus."""
    value, digits, others, is_unbroken = _parts(packed)
    first = digits & ~(digits << _U8)
    is_negative = others != 0
    minus = (first >> _U8) * np.uint64(BLANK ^ 0x2D)
    return np.where(is_negative, -value, value), is_unbroken & (~is_negative | (others == minus))


def read_tenths(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with one decimal (``12.5``), as tenths."""
    whole, is_whole = read_unsigned((packed << _U16) | (_BLANKS & np.uint64(0xFFFF)))
    last = (packed >> _U56).astype(np.int64) - 0x30
    has_point = ((packed >> np.uint64(48)) & _BYTE) == POINT
    return whole * 10 + last, is_whole & has_point & (last >= 0) & (last <= 9)


def read_minutes(front: np.ndarray, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minutes, seconds and hundredths (``2:36.63``), in hundredths of a second.

    Parameters
    ----------
    front : numpy.ndarray
        The eight bytes in front of the colon.
    packed : numpy.ndarray
        The last eight bytes.
    """
    minutes, is_number = read_unsigned(front)
    digits = digits_of(packed) >> np.uint64(24)
    has_marks = ((packed >> np.uint64(16)) & np.uint64(0xFF0000FF)) == np.uint64(
        POINT << 24 | COLON
    )
    is_time = has_marks & ((digits & np.uint64(0x0101000101)) == np.uint64(0x0101000101))
    places = [(packed >> np.uint64(shift)).astype(np.uint8) - 0x30 for shift in (24, 32, 48, 56)]
    tens, ones, tenths, hundredths = (place.astype(np.int64) for place in places)
    value = minutes * 6000 + tens * 1000 + ones * 100 + tenths * 10 + hundredths
    return value, is_number & is_time & (tens <= 5)


def is_text_from_left(packed: np.ndarray) -> np.ndarray:
    """Whether the bytes are one or more printed characters, then blanks only."""
    other = blanks_of(packed) ^ _ONES
    is_unbroken = (((other >> _U8) & ~other) == 0) & ((other & np.uint64(1)) == 1)
    return is_unbroken & ((((packed | _HIGH) - _BLANKS) & _HIGH) == _HIGH)


def factorized(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct keys, the place of each key among them, and whether that is right.

    It takes one pass, and misses keys only where two of them have the same hash value.
    """
    slots = ((keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(50)).astype(np.int64)
    table = np.zeros(1 << 14, dtype=np.uint64)
    is_used = np.zeros(1 << 14, dtype=bool)
    table[slots] = keys
    is_used[slots] = True
    used = np.flatnonzero(is_used)
    places = np.zeros(1 << 14, dtype=np.int64)
    places[used] = np.arange(used.size)
    return table[used], places[slots], table[slots] == keys


def texts_of(packed: np.ndarray) -> list[str]:
    """The bytes as text, without the blanks around them."""
    return [word.tobytes().decode("ascii").strip(" ") for word in packed.astype("<u8")]
