"""Decompress and decode a file: gzip and Zstandard, byte order marks, bytes that are not UTF-8."""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from pipeline.parse import texts
from pipeline.parse.errors import UnreadableError

CHUNK_BYTES = 1 << 10
"""Decompressed at once; of Zstandard up to 32,000 times as much comes out."""
PLAIN_BYTES = 1 << 20
"""Read at once of a file that is not compressed."""
SAMPLE_BYTES = 4096
"""Beginning of a file whose NUL bytes are counted."""
STREAMS = {
    b"\x1f\x8b": ("gzip", lambda: zlib.decompressobj(wbits=31)),
    b"\x28\xb5\x2f\xfd": ("Zstandard", lambda: zstandard.ZstdDecompressor().decompressobj()),
}
"""First bytes of a stream → its name and a constructor of its decompressor."""
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UNSUPPORTED_MAGIC = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}


class Expander:
    """The text of a file that may be compressed, in parts; the readable part of a truncated or damaged one.

    Parameters
    ----------
    file : BinaryIO
        At its beginning.
    name : str
        Its name in messages.

    Attributes
    ----------
    warnings : list of str
        Complete after the last part.

    Raises
    ------
    UnreadableError
        If it is compressed in another way than with gzip or Zstandard.
    """

    def __init__(self, file: BinaryIO, name: str):
        self.warnings: list[str] = []
        self._file, self._name = file, name
        self._head = file.read(max(map(len, (*STREAMS, *UNSUPPORTED_MAGIC))))
        for magic, format_name in UNSUPPORTED_MAGIC.items():
            if self._head.startswith(magic):
                raise UnreadableError(name, texts.unsupported_compression(format_name))
        self.is_compressed = self._head.startswith(tuple(STREAMS))
        if self._head and not self.is_compressed and name.endswith((".gz", ".zst")):
            self._warn(texts.NOT_COMPRESSED)

    def parts(self) -> Iterator[bytes]:
        """The text in parts of any size."""
        if self.is_compressed:
            magic = next(magic for magic in STREAMS if self._head.startswith(magic))
            yield from self._inflated(magic)
            return
        part = self._head + self._file.read(PLAIN_BYTES)
        while part:
            yield part
            part = self._file.read(PLAIN_BYTES)

    def _inflated(self, magic: bytes) -> Iterator[bytes]:
        """All members of a compressed file: damage loses only what follows it."""
        format_name, new_stream = STREAMS[magic]
        rest = self._head
        while rest := self._filled(rest, len(magic)):
            if not rest.startswith(magic):
                trailing, is_padding = self._trailing(rest)
                if not is_padding:  # tapes and some writers pad with zeros
                    self._warn(texts.trailing_bytes(trailing, format_name))
                return
            stream = new_stream()
            try:
                while rest and not stream.eof:
                    if part := stream.decompress(rest):
                        yield part
                    rest = stream.unused_data if stream.eof else self._file.read(CHUNK_BYTES)
            except (zlib.error, zstandard.ZstdError) as error:
                self._warn(texts.damaged_stream(format_name, error))
                return
            if not stream.eof:
                self._warn(texts.truncated_stream(format_name))
                return

    def _filled(self, rest: bytes, count: int) -> bytes:
        """``rest``, with more of the file if it has fewer bytes than a stream's first ones."""
        return rest if len(rest) >= count else rest + self._file.read(CHUNK_BYTES)

    def _trailing(self, rest: bytes) -> tuple[int, bool]:
        """Number of bytes from ``rest`` to the end of the file, and whether they are zeros."""
        count, is_padding = 0, True
        while rest:
            count += len(rest)
            is_padding = is_padding and not rest.strip(b"\0")
            rest = self._file.read(PLAIN_BYTES)
        return count, is_padding

    def _warn(self, text: str) -> None:
        self.warnings.append(f"{self._name}: {text}")


def decode(data: bytes, name: str, first_line: int = 1) -> tuple[str, list[str]]:
    """The text and warnings. Byte order marks are honoured; undecodable bytes become U+FFFD.

    ``first_line``: number of the line that ``data`` begins with.

    Raises
    ------
    UnreadableError
        For UTF-32, and for UTF-16 without a byte order mark.
    """
    text, codec = data, "utf-8"
    if first_line == 1:
        has_utf32_mark = data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))
        if has_utf32_mark or (is_wide(data) and not data.startswith(UTF16_MARKS)):
            raise UnreadableError(name, texts.WIDE_CHARACTERS)
        if data.startswith(UTF16_MARKS):
            codec = "utf-16"
        else:
            text = data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode(codec), []
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r+\n|\r|\n", text[: error.start])) + first_line
        message = f"{name}:{line}: {texts.invalid_encoding(codec)}"
        return text.decode(codec, errors="replace"), [message]


def is_wide(data: bytes) -> bool:
    """Whether characters of the beginning have NUL bytes between them: UTF-16 or UTF-32 without a mark."""
    head = data[:SAMPLE_BYTES]
    head = head[: len(head) // 4 * 4]
    if len(head) < 4:
        return False
    zeros = [head[at::4].count(0) for at in range(4)]
    min_wide, max_narrow = 0.1 * len(head), 0.0125 * len(head)
    patterns = ((1, 3), (0, 2), (1, 2, 3), (0, 1, 2))
    return any(
        all(
            (zeros[at] > min_wide) == (at in wide) and (at in wide or zeros[at] <= max_narrow)
            for at in range(4)
        )
        for wide in patterns
    )
