"""Structs of Thrift's compact protocol, in which a Parquet file describes itself.

What is read is written again with the same bytes. The protocol:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md

Example:
    >>> fields = {3: (6, -70), 4: (8, b"n"), 40: (9, (5, [1, 2]))}
    >>> Compact(encode_struct(fields)).struct() == fields
    True
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_BOOLS, _BYTE, _INTS, _DOUBLE, _BINARY, _LISTS, _STRUCT = (1, 2), 3, (4, 5, 6), 7, 8, (9, 10), 12
MAX_DEPTH = 16

Fields = dict[int, tuple[int, Any]]
"""Number of a field → its type, and its value; a list is the type of its elements, and these."""


@dataclass
class Compact:
    """Reads structs of Thrift's compact protocol."""

    data: bytes
    position: int = 0
    depth: int = 0

    def struct(self) -> Fields:
        """The fields of the struct at ``position``, which is then behind it.

        Raises
        ------
        ValueError, IndexError
            If there is none.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        fields: Fields = {}
        number = 0
        while header := self._byte():
            delta, kind = header >> 4, header & 15
            number = number + delta if delta else self._integer()
            fields[number] = kind, self._value(kind)
        self.depth -= 1
        return fields

    def _value(self, kind: int, *, in_list: bool = False) -> Any:
        if kind in _BOOLS:
            return self._byte() if in_list else None
        if kind == _BYTE:
            return self._byte()
        if kind in _INTS:
            return self._integer()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in _LISTS:
            header = self._byte()
            count = header >> 4 if header >> 4 < 15 else self._varint()
            return header & 15, [self._value(header & 15, in_list=True) for _ in range(count)]
        if kind == _STRUCT:
            return self.struct()
        raise ValueError(f"type {kind}")

    def _byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def _bytes(self, count: int) -> bytes:
        self.position += count
        return self.data[self.position - count : self.position]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def encode_struct(fields: Fields) -> bytes:
    """A struct in the compact protocol."""
    data = bytearray()
    before = 0
    for number, (kind, value) in fields.items():
        delta = number - before
        data += bytes([delta << 4 | kind]) if 0 < delta < 16 else bytes([kind]) + _integer(number)
        before = number
        data += _value(kind, value) if kind not in _BOOLS else b""
    return bytes(data) + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind in _BOOLS or kind == _BYTE:
        return bytes([value])
    if kind in _INTS:
        return _integer(value)
    if kind == _DOUBLE:
        return value
    if kind == _BINARY:
        return _varint(len(value)) + value
    if kind in _LISTS:
        of, values = value
        count = len(values)
        head = bytes([count << 4 | of]) if count < 15 else bytes([0xF0 | of]) + _varint(count)
        return head + b"".join(_value(of, each) for each in values)
    return encode_struct(value)


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def _integer(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else (-value << 1) - 1)
