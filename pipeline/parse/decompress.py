"""Decompress and decode a file: gzip and Zstandard, byte order marks, bytes that are not UTF-8."""

from __future__ import annotations

import codecs
import zlib

import zstandard

from pipeline.parse import limits, texts
from pipeline.parse.errors import UnreadableError

CHUNK_BYTES = 1 << 10
"""Decompressed at once; of Zstandard up to 32,000 times as much comes out."""
SAMPLE_BYTES = 4096
"""Beginning of a file whose NUL bytes are counted."""
STREAMS = {
    b"\x1f\x8b": ("gzip", lambda: zlib.decompressobj(wbits=31)),
    b"\x28\xb5\x2f\xfd": ("Zstandard", lambda: zstandard.ZstdDecompressor().decompressobj()),
}
"""First bytes of a stream → its name and a constructor of its decompressor."""
UNSUPPORTED_MAGIC = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}


def decompress(raw: bytes, name: str, max_bytes: int) -> tuple[bytes, list[str]]:
    """The decompressed bytes and warnings. The readable part of a truncated or damaged stream is kept.

    Not more than ``max_bytes`` is decompressed, nor much more than a line may have: the bytes are then of no use
    (``limits.check_text``).
    """
    for magic, format_name in UNSUPPORTED_MAGIC.items():
        if raw.startswith(magic):
            raise UnreadableError(name, texts.unsupported_compression(format_name))
    for magic in STREAMS:
        if raw.startswith(magic):
            return _inflate(raw, name, magic, max_bytes)
    if raw and name.endswith((".gz", ".zst")):
        return raw, [f"{name}: {texts.NOT_COMPRESSED}"]
    return raw, []


def _inflate(raw: bytes, name: str, magic: bytes, max_bytes: int) -> tuple[bytes, list[str]]:
    """All members of a compressed file, in chunks: damage loses only what follows it."""
    format_name, new_stream = STREAMS[magic]
    parts: list[bytes] = []
    count = unterminated = 0
    rest = raw
    while rest:
        if not rest.startswith(magic):
            if not rest.strip(b"\0"):
                break  # tapes and some writers pad with zeros
            return b"".join(parts), [f"{name}: {texts.trailing_bytes(len(rest), format_name)}"]
        stream = new_stream()
        view = memoryview(rest)
        position = 0
        try:
            while position < len(view) and not stream.eof:
                parts.append(stream.decompress(view[position : position + CHUNK_BYTES]))
                position += CHUNK_BYTES
                part = parts[-1]
                end = limits.last_line_end(part, 0, len(part))
                unterminated = unterminated + len(part) if end < 0 else len(part) - end - 1
                count += len(part)
                if count > max_bytes or unterminated > limits.MAX_LINE_BYTES:
                    return b"".join(parts), []
        except (zlib.error, zstandard.ZstdError) as error:
            return b"".join(parts), [f"{name}: {texts.damaged_stream(format_name, error)}"]
        if not stream.eof:
            return b"".join(parts), [f"{name}: {texts.truncated_stream(format_name)}"]
        rest = stream.unused_data + bytes(view[position:])
    return b"".join(parts), []


def decode(data: bytes, name: str) -> tuple[str, list[str]]:
    """The text and warnings. Byte order marks are honoured; undecodable bytes become U+FFFD.

    Raises
    ------
    UnreadableError
        For UTF-32, and for UTF-16 without a byte order mark.
    """
    has_utf16_mark = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    has_utf32_mark = data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE))
    if has_utf32_mark or (_is_wide(data) and not has_utf16_mark):
        raise UnreadableError(name, texts.WIDE_CHARACTERS)
    if has_utf16_mark:
        text, bom, codec = data, b"", "utf-16"
    else:
        bom, codec = codecs.BOM_UTF8, "utf-8"
        text = data[len(bom) :] if data.startswith(bom) else data
    try:
        return text.decode(codec), []
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        message = f"{name}:{line}: {texts.invalid_encoding(codec)}"
        return text.decode(codec, errors="replace"), [message]


def _is_wide(data: bytes) -> bool:
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
