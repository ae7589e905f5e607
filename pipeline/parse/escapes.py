"""Escape codes of terminals in a log: removed where they carry no text, refused where they place text."""

from __future__ import annotations

import re

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import UnreadableError

LINE_END = re.compile(r"\r+\n|\r|\n")
"""LF, CRLF, CR CR LF (of terminals) and CR."""
ESCAPE = re.compile(
    r"\x1b(?:"
    r"\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"  # CSI: colours, modes, cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # OSC: titles, links
    r"|[PX^_][^\x1b\n]*\x1b\\"  # DCS, SOS, PM, APC
    r"|[ -/]+[0-~]"  # character sets
    r"|[0-Z\\^-~]"  # keypad, saved cursor, reset
    r")[\x0e\x0f]?"
)
"""Control sequences of terminals (ECMA-48), and shifts to other character sets."""

CURSOR_FINALS = "ABCDEFGHIZ`adefPX@LMST"
"""Last letters of CSI sequences that put, move or remove text on the screen."""


def without_escapes(data: str, name: str) -> str:
    """``data`` without the sequences that carry no text; an error for those that place text within a line."""
    for match in ESCAPE.finditer(data):
        if (match["final"] or " ") not in CURSOR_FINALS:
            continue
        start = max(data.rfind("\n", 0, match.start()), data.rfind("\r", 0, match.start())) + 1
        end = data.find("\n", match.end())
        before = ESCAPE.sub("", data[start : match.start()]).strip()
        after = ESCAPE.sub("", data[match.end() : end if end >= 0 else None]).strip()
        if before and after:
            line = data.count("\n", 0, match.start()) + 1
            raise UnreadableError(name, texts.CURSOR_MOVEMENTS, line)
    return ESCAPE.sub("", data)


GREP_COLOR = re.compile(r"\x1b\[[0-9;]*m\x1b\[K")
MIN_COLORED_SHARE = 1 / 3
"""A log of which this share of the lines begins or ends with an escape code went through a terminal."""


def escaped_lines(data: str, bare: str) -> pl.DataFrame | None:
    """``Log.escaped`` of a log (``data``), of which ``bare`` is left."""
    if GREP_COLOR.search(data):
        return None
    lines, bare_lines = LINE_END.split(data), LINE_END.split(bare)
    if len(lines) != len(bare_lines):
        return None
    numbered = [(number, text) for number, text in enumerate(lines, 1) if "\x1b" in text]
    colored = 0
    for _, text in numbered:
        spans = [match.span() for match in ESCAPE.finditer(text)]
        colored += bool(spans) and (spans[0][0] == 0 or spans[-1][1] == len(text))
    if colored >= MIN_COLORED_SHARE * sum(not text.isspace() for text in bare_lines if text):
        return None
    return pl.DataFrame(numbered, schema={"line": pl.Int64, "text": pl.String}, orient="row")
