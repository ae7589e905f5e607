"""Random damage to logs: bytes lost, changed and added, lines dropped, repeated and moved."""

import gzip
import random

import zstandard

SPRINKLES = b"0123456789 .,:%/|-+KMGTBx'\"\n\r\0\t\xff"
LINES = (
    b"#T 1795383360000000000 51000000000 0 b\n",
    b"#T 99999999999999999999 1 1 b\n",
    b"#GAP x\n",
    b"#END\n",
    b"#T\n",
    b"\n\n",
    b"\r\r\n",
    b"\xef\xbb\xbf",
    b"b'",
    "é€漢".encode(),
    b"\xff\xfe",
)
NUMBERS = (
    b"0", b"-1", b"1", b"100.0", b"0,5", b"1e9", b"nan", b"inf", b"?", b"4294967296",
    b"9223372036854775808", b"18446744073709551616", b"9" * 40, b"0." + b"3" * 30,
)  # fmt: skip
SAMPLED = ("top", "iotop", "block", "tasks")
"""Kinds whose logs have sentinels between snapshots."""


def damaged_log(log: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """The log with one to five kinds of damage."""
    text = bytearray(log)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(text) + 1)
        end = at + rng.randrange(1, 60)
        kind_of_damage = rng.randrange(10)
        if kind_of_damage == 0:
            del text[at:end]
        elif kind_of_damage == 1:
            text[at : at + 1] = bytes([rng.randrange(256)])
        elif kind_of_damage == 2:
            text[at:at] = bytes(rng.choices(SPRINKLES, k=rng.randrange(1, 6)))
        elif kind_of_damage == 3:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            text[at:at] = other[start : start + rng.randrange(400)]
        elif kind_of_damage == 4:
            text[at:at] = text[at:end]
        elif kind_of_damage == 5:
            text = _lines_changed(text, rng)
        elif kind_of_damage == 6:
            text[at:at] = rng.choice(LINES)
        elif kind_of_damage == 7:
            text = _words_changed(text, at, rng)
        elif kind_of_damage == 8:
            text = text.replace(*rng.choice(((b"\n", b"\r\n"), (b".", b","), (b" ", b"  "))))
        else:
            del text[at:]
    return bytes(text)


def _lines_changed(text: bytearray, rng: random.Random) -> bytearray:
    """One line dropped, doubled, joined to the next, put elsewhere, or its half put before another."""
    lines = bytes(text).split(b"\n")
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    line = lines[at]
    change = rng.randrange(5)
    if change == 0:
        del lines[at]
    elif change == 1:
        lines.insert(at, line)
    elif change == 2:
        lines[at : at + 2] = [b"".join(lines[at : at + 2])]
    elif change == 3:
        lines.insert(to, lines.pop(at))
    else:
        lines[to] = line[: len(line) // 2] + lines[to]
    return bytearray(b"\n".join(lines))


def _words_changed(text: bytearray, at: int, rng: random.Random) -> bytearray:
    """The word behind a place becomes a number that should not be there."""
    start = text.find(b" ", at) + 1
    end = text.find(b" ", start)
    if start and end > start:
        text[start:end] = rng.choice(NUMBERS)
    return text


def excerpt(log: bytes, rng: random.Random) -> bytes:
    """Some lines of a log, below its head or not."""
    lines = log.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    head = lines[: min(at, 8)] if rng.random() < 0.6 else []
    return b"".join(head + lines[at : at + rng.randrange(1, 9)])


def join_parts(kind: str, parts: list[bytes], rng: random.Random) -> bytes:
    """Pieces one behind another; in logs of samples mostly with a sentinel before each."""
    tick = kind in SAMPLED and rng.random() < 0.75
    second = 1_000_000_000
    return b"".join(
        (b"#T %d %d %d b\n" % (1_795_383_360 * second + n * second, n * second, n) if tick else b"")
        + (one if one.endswith(b"\n") else one + b"\n")
        for n, one in enumerate(parts)
    )


def compressed(log: bytes, rng: random.Random) -> bytes:
    """The log compressed, and now and then the stream hurt."""
    data = bytearray(rng.choice((gzip.compress, zstandard.compress))(log))
    at = rng.randrange(4, len(data))
    hurt = rng.randrange(4)
    if hurt == 0:
        del data[at:]
    elif hurt == 1:
        data[at] ^= 1 << rng.randrange(8)
    elif hurt == 2:
        data += rng.choice((b"\0\0\0", b"junk", bytes(data)))
    return bytes(data)
