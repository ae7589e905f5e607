"""iotop: what a line of its output is, without the times and quotes around it.

Example:
    >>> body = pl.DataFrame({"line": [1], "text": ["b'21:36:00    7 be/4 db'"], "sentinel": [None]})
    >>> classify_lines(body).select("clock", "text", "what").row(0)
    ('21:36:00', '   7 be/4 db', 'row')
"""

from __future__ import annotations

import re

import polars as pl

from pipeline.parse import texts
from pipeline.parse.expressions import first_of
from pipeline.parse.iotop_rows import parse_header
from pipeline.parse.log import Log

CLOCK = r"^\s*([0-9][0-9]:[0-9][0-9]:[0-9][0-9]) (.*)$"
DELAY_WARNING = (
    r"(?i)task_delayacct is 0|delay_?acct.*not (?:enabled|available)|cannot determine SWAPIN"
)
BYTES_LITERAL = r"""^b(?:'((?:[^\\]|\\.)*?)'?|"((?:[^\\]|\\.)*?)"?)$"""
"""What Python 3 prints of bytes; the closing quote may be missing."""
ESCAPED_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")


def has_warning(lines: pl.DataFrame) -> bool:
    """Whether delay accounting was off by a line of them."""
    return bool((lines["what"] == "warning").any())


def is_c_program(lines: pl.DataFrame) -> bool:
    """Whether the C program wrote some of these lines, by their alignment."""
    text = pl.col("text")
    return lines.select(
        text.str.contains(r"^  Total DISK READ:").any()
        | text.str.contains(r"^ *[TP]ID PRIO     USER ").any()
    ).item()


def classify_lines(body: pl.DataFrame) -> pl.DataFrame:
    """The lines (``line``, ``text``, ``sentinel``) without byte literals and times, and the type (``what``) of each:
    row, total, actual, names…
    """
    if body["text"].str.contains(r"""^b['"]""").any():
        literal = pl.col("text").str.extract_groups(BYTES_LITERAL).struct
        inside = pl.coalesce(literal.field("1"), literal.field("2"))
        inside = inside.str.replace_all(r"\\(['\\])", "$1")
        has_bytes = inside.str.contains(ESCAPED_BYTES.pattern)
        if body.select(has_bytes.any()).item():
            decoded = inside.map_elements(_decode_bytes, return_dtype=pl.String)
            inside = pl.when(has_bytes).then(decoded).otherwise(inside)
        body = body.with_columns(text=pl.coalesce(inside, "text"))
    body = body.with_columns(clock=pl.lit(None, pl.String))
    if body["text"].str.contains(CLOCK).any():
        timed = pl.col("text").str.extract_groups(CLOCK).struct
        body = body.with_columns(clock=timed.field("1"), text=pl.coalesce(timed.field("2"), "text"))
    text = pl.col("text")
    what = first_of(
        (text.str.contains(r"^\s*[0-9]+\s"), "row"),
        (text.str.contains(r"^\s*Total DISK READ"), "total"),
        (text.str.contains(r"^\s*(?:Actual|Current) DISK READ"), "actual"),
        (text.str.contains(r"DISK (?:READ|WRITE)\b.*\bDISK (?:READ|WRITE)\b"), "names"),
        (text.str.contains(DELAY_WARNING), "warning"),
    )
    body = body.with_columns(what=pl.when(pl.col("sentinel").is_null()).then(what))
    titles = body.filter(pl.col("what") == "names")["text"].unique().to_list()
    bad = [title for title in titles if parse_header(title) is None]
    is_bad = (pl.col("what") == "names") & pl.col("text").is_in(bad)
    return body.with_columns(what=pl.when(is_bad).then(pl.lit("bad names")).otherwise("what"))


def _decode_bytes(text: str) -> str:
    """``\\xc3\\xa4`` of a byte literal as the character; bytes that are not UTF-8 become U+FFFD."""
    return ESCAPED_BYTES.sub(
        lambda run: bytes.fromhex(run[0].replace("\\x", "")).decode("utf-8", "replace"), text
    )


def reject_unknown(lines: pl.DataFrame, log: Log) -> pl.DataFrame:
    """Lines that are not output of iotop, with the reason."""
    is_bad = pl.col("what").is_null() | (pl.col("what") == "bad names")
    return lines.filter(is_bad).select(
        "line",
        reason=first_of(
            (pl.col("sentinel") == "bad", texts.MALFORMED_TICK),
            (log.is_unterminated_line, texts.TRUNCATED),
            (pl.col("what") == "bad names", texts.IOTOP_UNKNOWN_NAMES),
            otherwise=texts.NOT_IOTOP_LINE,
        ),
    )
