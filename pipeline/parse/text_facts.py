"""What the text of a log says before its lines are read: sentinels, what makes it one piece, a sample of its lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.parse import limits
from pipeline.parse.decompress import UTF16_MARKS, is_wide
from pipeline.parse.prefixes import SAMPLE_LINES
from pipeline.parse.sentinels import TICK

TICK_LINE = re.compile(TICK.encode().replace(rb"\s*$", rb"[ \t\r\f\v]*$"), re.MULTILINE)
MAX_INT64 = (1 << 63) - 1
HEAD_BYTES = 4096
SHORT_BYTES = 1 << 16

Parts = Callable[[int], Iterator[bytes]]
"""The text from a position on, in parts of any size."""


@dataclass(frozen=True)
class TextFacts:
    """What a log's text says before its lines are read."""

    text: bytes | None
    """All of it, if it is one piece or shorter."""
    has_ticks: bool | None
    """Whether a valid ``#T`` is anywhere in it; None with ``text``."""
    is_whole: bool
    """Whether it has to be read as one piece."""
    sample: list[str]
    """Lines of the beginning and of the middle; none if it has to be one piece."""


def find_facts(parts: Parts, piece_bytes: int) -> TextFacts:
    """What the text says; of a text of one piece, without searching it for sentinels."""
    held: list[bytes] | None = []
    size = lines = 0
    has_ticks = False
    head, rest = bytearray(), b""
    is_whole = False
    for part in parts(0):
        if held is not None:
            held.append(part)
            size += len(part)
            if size <= piece_bytes:
                continue
            part, held = b"".join(held), None
        if len(head) < HEAD_BYTES:
            head += part[:HEAD_BYTES]
        lines += limits.line_feeds(part)
        is_whole = is_whole or b"\x1b" in part
        if not has_ticks:
            rest += part
            end = rest.rfind(b"\n") + 1
            if b"#" in rest and b"#T " in rest:  # faster than the expression
                has_ticks = any(map(_is_tick, TICK_LINE.finditer(rest, 0, end)))
            rest = rest[max(end, len(rest) - limits.MAX_LINE_BYTES) :]
    whole = None if held is None else b"".join(held)
    if whole is not None:
        head, is_whole = bytearray(whole[:HEAD_BYTES]), b"\x1b" in whole
    is_whole = is_whole or head.startswith(UTF16_MARKS) or is_wide(bytes(head))
    if whole is not None:
        bare = re.sub(rb"\r+\n|\r", b"\n", whole) if b"\r" in whole else whole
        sample = [] if is_whole else _sample(lambda _: iter([bare]), limits.line_feeds(bare))
        return TextFacts(whole, None, is_whole, sample)
    sample = [] if is_whole else _sample(parts, lines)
    return TextFacts(None, has_ticks, is_whole, sample)


def find_grown_facts(parts: Parts, places: list[tuple[int, int]]) -> TextFacts:
    """As ``find_facts``, of a text with sentinels whose beginning has been read; only the rest is searched.

    ``places``: positions up to the end of the beginning, and the number of lines before each.
    """
    position, lines = places[-1]
    is_whole = False
    for part in parts(position):
        lines += limits.line_feeds(part)
        is_whole = is_whole or b"\x1b" in part
    sample = [] if is_whole else _sample(parts, lines, places)
    return TextFacts(None, has_ticks=True, is_whole=is_whole, sample=sample)


def _is_tick(match: re.Match[bytes]) -> bool:
    return all(int(number) <= MAX_INT64 for number in match.groups()[:3])


def _short(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in short parts, so that few lines are split."""
    for part in parts:
        for begin in range(0, len(part), SHORT_BYTES):
            yield part[begin : begin + SHORT_BYTES]


def _sample(parts: Parts, lines: int, places: list[tuple[int, int]] | None = None) -> list[str]:
    """The first lines of a text of so many lines, and as many from its middle on."""
    wanted = 2 * SAMPLE_LINES if lines <= 2 * SAMPLE_LINES else SAMPLE_LINES
    ranges = [(0, wanted)] if lines <= wanted else [(0, wanted), (lines // 2, lines // 2 + wanted)]
    sample: list[bytes] = []
    for first, stop in ranges:
        place = max((each for each in places or () if each[1] <= first), default=(0, 0))
        sample += _lines_of(parts(place[0]), place[1], first, stop)
    text = b"\n".join(sample).decode(errors="replace")
    lines_of_text = text.split("\n") if sample else []
    return [line.removesuffix("\r").removeprefix("\ufeff") for line in lines_of_text]


def _lines_of(parts: Iterator[bytes], number: int, first: int, stop: int) -> list[bytes]:
    """Lines ``first`` to ``stop`` of a text, whose ``parts`` begin with line ``number``; all from 0."""
    lines: list[bytes] = []
    rest = b""
    for part in _short(parts):
        rest += part
        end = rest.rfind(b"\n") + 1
        count = limits.line_feeds(rest)
        if number < stop and number + count > first:
            split = rest[:end].split(b"\n")[:-1]
            lines += split[max(0, first - number) : max(0, stop - number)]
        number += count
        rest = rest[end:]
        if number >= stop or len(rest) > limits.MAX_LINE_BYTES:
            break
    else:
        if rest and first <= number < stop:
            lines.append(rest)
    return lines
