"""Prefixes that loggers write before each line: syslog, journal, containers, ``ts``."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from pipeline.parse.log import Log

_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRACTION = r"(?:[.,][0-9]+)?"
_ZONE = r"(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?"
_DAY = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}{_FRACTION}{_ZONE}"
_MONTH = rf"(?:<[0-9]{{1,3}}>)?[A-Z][a-z]{{2}} [ 0-9][0-9] {_CLOCK}{_FRACTION}"
_SENDER = r"\S+ [^\s:\[]+(?:\[[0-9]+\])?:"
PREFIXES = tuple(
    rf"^{prefix} "
    for prefix in (
        rf"{_DAY} {_SENDER}",
        rf"{_MONTH} {_SENDER}",
        rf"{_DAY} std(?:out|err) [FP]",
        _DAY,
        _MONTH,
        rf"\[{_DAY}\]",
        rf"\[{_MONTH}\]",
        r"[0-9]{10}[.][0-9]{1,9}",
    )
)
"""Prefixes of loggers: syslog and journal (with sender), containers, ``ts``, brackets."""


def strip_prefixes(log: Log) -> Log:
    """``log`` without the prefix of a logger, if most lines have one.

    Pass the original log to ``to_parsed``: the text of rejects is that of the file.
    """
    sample = [
        text for text in log.lines["text"].head(200).to_list() if text.strip() and text[0] != "#"
    ]
    for prefix in PREFIXES:
        if 2 * sum(re.match(prefix, text) is not None for text in sample) > len(sample):
            text = pl.col("text").str.replace(prefix, "")
            return replace(log, lines=log.lines.with_columns(text=text))
    return log
