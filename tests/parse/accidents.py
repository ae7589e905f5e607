"""What happens to logs: bytes lost, changed and added, lines dropped, doubled and put elsewhere."""

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


def spoiled(log: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """The log after one to five accidents."""
    text = bytearray(log)
    for _ in range(dice.randrange(1, 6)):
        at = dice.randrange(len(text) + 1)
        upto = at + dice.randrange(1, 60)
        accident = dice.randrange(10)
        if accident == 0:
            del text[at:upto]
        elif accident == 1:
            text[at : at + 1] = bytes([dice.randrange(256)])
        elif accident == 2:
            text[at:at] = bytes(dice.choices(SPRINKLES, k=dice.randrange(1, 6)))
        elif accident == 3:
            other = dice.choice(others)
            start = dice.randrange(len(other) + 1)
            text[at:at] = other[start : start + dice.randrange(400)]
        elif accident == 4:
            text[at:at] = text[at:upto]
        elif accident == 5:
            text = _lines_changed(text, dice)
        elif accident == 6:
            text[at:at] = dice.choice(LINES)
        elif accident == 7:
            text = _words_changed(text, at, dice)
        elif accident == 8:
            text = text.replace(*dice.choice(((b"\n", b"\r\n"), (b".", b","), (b" ", b"  "))))
        else:
            del text[at:]
    return bytes(text)


def _lines_changed(text: bytearray, dice: random.Random) -> bytearray:
    """One line dropped, doubled, joined to the next, put elsewhere, or its half put before another."""
    lines = bytes(text).split(b"\n")
    at, to = dice.randrange(len(lines)), dice.randrange(len(lines))
    line = lines[at]
    change = dice.randrange(5)
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


def _words_changed(text: bytearray, at: int, dice: random.Random) -> bytearray:
    """The word behind a place becomes a number that should not be there."""
    start = text.find(b" ", at) + 1
    end = text.find(b" ", start)
    if start and end > start:
        text[start:end] = dice.choice(NUMBERS)
    return text


def piece(log: bytes, dice: random.Random) -> bytes:
    """Some lines of a log, below its head or not."""
    lines = log.splitlines(keepends=True)
    at = dice.randrange(len(lines))
    head = lines[: min(at, 8)] if dice.random() < 0.6 else []
    return b"".join(head + lines[at : at + dice.randrange(1, 9)])


def joined(kind: str, pieces: list[bytes], dice: random.Random) -> bytes:
    """Pieces one behind another; in logs of samples mostly with a sentinel before each."""
    tick = kind in SAMPLED and dice.random() < 0.75
    second = 1_000_000_000
    return b"".join(
        (b"#T %d %d %d b\n" % (1_795_383_360 * second + n * second, n * second, n) if tick else b"")
        + (one if one.endswith(b"\n") else one + b"\n")
        for n, one in enumerate(pieces)
    )


def packed(log: bytes, dice: random.Random) -> bytes:
    """The log compressed, and now and then the stream hurt."""
    data = bytearray(dice.choice((gzip.compress, zstandard.compress))(log))
    at = dice.randrange(4, len(data))
    hurt = dice.randrange(4)
    if hurt == 0:
        del data[at:]
    elif hurt == 1:
        data[at] ^= 1 << dice.randrange(8)
    elif hurt == 2:
        data += dice.choice((b"\0\0\0", b"junk", bytes(data)))
    return bytes(data)
