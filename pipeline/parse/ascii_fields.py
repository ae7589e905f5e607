"""Fields of many lines of ASCII at once, by NumPy on eight bytes of each line as one number, and texts without copies.

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
import polars as pl
import pyarrow as pa

BLANK, MINUS, POINT, COLON = 0x20, 0x2D, 0x2E, 0x3A
BLOCK = 1 << 13
"""Rows that are read at once: intermediate results stay in the processor's cache."""
INLINE_BYTES = 12
"""Longest text that is in its Arrow view itself."""


def _every(byte: int) -> np.uint64:
    """A number of eight times that byte."""
    return np.uint64(byte * 0x0101010101010101)


_ONES, _BLANKS, _ZEROS, _HIGH = _every(1), _every(BLANK), _every(0x30), _every(0x80)
_TO_HIGH_BIT = _every(0x76)
"""Added to a byte above 9, it sets its highest bit."""
_U7, _U8, _U16, _U32 = (np.uint64(bits) for bits in (7, 8, 16, 32))
_BYTE = np.uint64(0xFF)
_FIRST_MASKS = np.array(
    [((1 << 8 * min(size, 4)) - 1) << 32 for size in range(INLINE_BYTES + 1)], dtype=np.uint64
)
_LAST_MASKS = np.array(
    [(1 << 8 * max(size - 4, 0)) - 1 for size in range(INLINE_BYTES + 1)], dtype=np.uint64
)


def eight_bytes(text: bytes) -> np.ndarray:
    """The eight bytes from each place of a text on as a number."""
    return np.ndarray((len(text) - 7,), dtype="<u8", buffer=text, strides=(1,))


def packed_at(block: np.ndarray, end: int, width: int = 8) -> np.ndarray:
    """The bytes in front of column ``end`` of each row of ``block`` (contiguous bytes) as one number.

    Only the last ``width`` of eight bytes count, the others are blanks.
    """
    packed = np.ndarray(
        block.shape[:1], dtype="<u8", buffer=block, offset=end - 8, strides=block.strides[:1]
    ).copy()
    if width < 8:
        low = np.uint64((1 << 8 * (8 - width)) - 1)
        packed &= ~low
        packed |= _BLANKS & low
    return packed


def digits_of(packed: np.ndarray) -> np.ndarray:
    """1 in each byte that is a digit."""
    return (~((packed ^ _ZEROS) + _TO_HIGH_BIT) & _HIGH) >> _U7


def blanks_of(packed: np.ndarray) -> np.ndarray:
    """1 in each byte that is a blank."""
    return (~((packed ^ _BLANKS) + _every(0x7F)) & _HIGH) >> _U7


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
    number = (packed ^ _ZEROS) & (behind - first)
    # bits in front of the byte behind the number: they are shifted to the right end
    return whole_number(
        number << (np.uint64(64) - np.bitwise_count(behind - np.uint64(1)).astype(np.uint64))
    )


def whole_number(digits: np.ndarray) -> np.ndarray:
    """The number of eight digits (0 to 9), the first in the lowest byte; ``digits`` is overwritten."""
    digits *= np.uint64(2561)
    digits >>= _U8
    digits &= np.uint64(0x00FF00FF00FF00FF)
    digits *= np.uint64(6553601)
    digits >>= _U16
    digits &= np.uint64(0x0000FFFF0000FFFF)
    digits *= np.uint64(42949672960001)
    digits >>= _U32
    return digits.view(np.int64)


def _other_bytes(digits: np.ndarray) -> np.ndarray:
    """All bits of each byte that is not 0 to 9; the others are 0."""
    marks = digits + _TO_HIGH_BIT
    marks &= _HIGH
    marks >>= _U7
    marks *= _BYTE
    return marks


def read_unsigned(packed: np.ndarray, least_digits: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers of at least that number of digits."""
    digits = packed ^ _ZEROS
    others = _other_bytes(digits)
    # other bytes are blanks, and there is none behind a digit: they are the lowest ones
    wrong = digits ^ (_ZEROS ^ _BLANKS)
    wrong &= others
    behind = others + np.uint64(1)
    behind |= np.uint64((1 << 64) - (1 << 8 * (8 - least_digits)))
    behind &= others
    wrong |= behind
    digits &= _every(0x0F)  # 0 of a blank
    return whole_number(digits), wrong == 0


def read_signed(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers, or such ones with a minus."""
    value, is_number = read_unsigned(packed)
    rows = np.flatnonzero(~is_number)
    if rows.size:
        text = packed[rows]
        others = _other_bytes(text ^ _ZEROS)
        last = others ^ (others >> _U8)
        has_minus = ((text ^ _every(MINUS)) & last) == 0
        text ^= last & _every(MINUS ^ BLANK)
        negative, is_negative = read_unsigned(text)
        value[rows] = -negative
        is_number[rows] = is_negative & has_minus & (last != 0)
    return value, is_number


def read_tenths(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with one decimal (``12.5``), as tenths."""
    has_point = (packed & np.uint64(0xFF << 48)) == np.uint64(POINT << 48)
    whole = packed & np.uint64((1 << 48) - 1)
    whole <<= _U8
    whole |= packed & np.uint64(0xFF << 56)
    whole |= np.uint64(BLANK)
    value, is_number = read_unsigned(whole, 2)
    return value, is_number & has_point


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
    has_marks = (packed & np.uint64(0xFF0000FF0000)) == np.uint64(POINT << 40 | COLON << 16)
    four = packed << _U8
    four &= np.uint64(0xFFFF << 32)
    four |= packed & np.uint64(0xFFFF << 48)
    four |= _BLANKS >> _U32
    seconds, is_time = read_unsigned(four, 4)
    minutes *= 6000
    minutes += seconds
    return minutes, is_number & is_time & has_marks & (seconds < 6000)


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


def string_views(text: bytes, starts: np.ndarray, ends: np.ndarray) -> pl.Series:
    """Parts of a text as Arrow's string views, without copies: they keep the whole text in memory.

    Parameters
    ----------
    text : bytes
        ASCII, with at least four bytes in front of the parts and twelve behind the start of each.
    starts, ends : numpy.ndarray
        Places of the first character of each part, and behind its last one.
    """
    eight = eight_bytes(text)
    views = np.empty((starts.size, 2), dtype=np.uint64)
    for at in range(0, starts.size, BLOCK):
        begins, view = starts[at : at + BLOCK], views[at : at + BLOCK]
        lengths = ends[at : at + BLOCK] - begins
        size = np.minimum(lengths, INLINE_BYTES)
        # a view has the length, then the text, or its first four bytes, its buffer and its offset
        first = eight[begins - 4]
        first &= _FIRST_MASKS[size]
        first |= lengths.view(np.uint64)
        view[:, 0] = first
        rest = eight[begins + 4]
        rest &= _LAST_MASKS[size]
        view[:, 1] = np.where(lengths > INLINE_BYTES, begins.view(np.uint64) << _U32, rest)
    buffers = [None, pa.py_buffer(views), pa.py_buffer(text)]
    return pl.Series(_ArrowArray(pa.Array.from_buffers(pa.string_view(), starts.size, buffers)))


class _ArrowArray:
    """An array of Arrow by its C interface: ``polars.from_arrow`` imports all of ``pyarrow.compute``."""

    def __init__(self, array: pa.Array):
        self._array = array

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._array.__arrow_c_array__(requested_schema)
