r"""The kind of a log by its content.

A log is of the kind with the most lines that no other kind has (:mod:`pipeline.parse.line_shapes`). Of other programs'
output only the name is recognized, by one typical line, so that a message can say what the file is.

Example:
    >>> from pipeline.parse.log import log_from_text
    >>> recognize(log_from_text("Total DISK READ: 0.00 B/s | Total DISK WRITE: 0.00 B/s\n", "x.log"))
    Recognition(kind='iotop', description="iotop's output")
    >>> recognize(log_from_text("procs -----------memory----------\n 1 0 0 1 2 3 4 5 6 7 8 9 0\n", "x"))
    Recognition(kind=None, description="vmstat's output")
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

import polars as pl

from pipeline.parse import texts
from pipeline.parse.line_shapes import SHAPES, shape_of
from pipeline.parse.log import Log
from pipeline.parse.prefixes import OWN_PREFIXES, strip_prefixes

MAX_LINES = 2000
"""Lines that are looked at, from the first one."""
MAX_BINARY_SHARE = 0.05
"""Control characters in the text above this share are those of a binary file."""
MIN_SHARE = 0.5
"""A log with a typical line of another program is of one of our kinds only if it has this share of the kind's lines."""

OTHERS = {
    "MySQL's slow query log": r"^# (?:Query_time|User@Host): ",
    "MySQL's error log": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* \d+ \[(?:ERROR|Warning|Note|System)\]",
    "a web server's error log": (
        r"^\[[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:.]+ \d{4}\] \[\S+\]"
        r"|^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?:error|warn|notice|crit|alert|emerg)\] \d+#"
    ),
    "iostat's output": r"^Device:?\s+(?:tps|r/s|rrqm/s)\b",
    "vmstat's output": r"^procs -+memory|^\s*r\s+b\s+swpd\s+free\b",
    "pidstat's output": r"^\S+(?: [AP]M)?\s+UID\s+(?:T?G?ID|PID)\b.*(?:%usr|kB_rd/s|minflt/s)|^#\s+Time\s+UID\s+PID\b",
    "mpstat's output": r"\sCPU\s+%usr\s+%nice\b",
    "sar's output": r"\sCPU\s+%user\s+%nice\b|\s(?:DEV|IFACE)\s+(?:tps|rxpck/s)\b|\s(?:kbmemfree|runq-sz|pgpgin/s)\b",
    "dstat's output": r"\busr sys idl wai\b",
    "perf's output": r"^\s*Performance counter stats for|^# Overhead\s|^# ========\s*$",
    "ps's output": r"^(?:USER|UID)\s+PID\s+.*\b(?:TTY|STAT|CMD|COMMAND)\b|^\s*PID\s+TTY\b",
    "free's output": r"^\s+total\s+used\s+free\s+shared\b",
    "an HTML page": r"(?i)^\s*<(?:!doctype html|html)\b",
}  # fmt: skip
"""Output that is not read here, and a typical line of it."""


@dataclass(frozen=True)
class Recognition:
    """What a file looks like."""

    kind: str | None
    """A key of ``pipeline.parse.KINDS``; None if it is not a log that is read."""
    description: str
    """What it is, as a noun."""


def recognize(log: Log) -> Recognition:
    """The kind of a log by its content.

    Parameters
    ----------
    log : Log

    Returns
    -------
    Recognition
        Of the kind with the most lines of its own.
    """
    lines = log.lines.head(MAX_LINES)["text"]
    if (lines.str.strip_chars() == "").all():
        return Recognition(None, texts.EMPTY_FILE)
    other = next((name for name, line in OTHERS.items() if lines.str.contains(line).any()), None)
    own = log.lines.head(MAX_LINES)
    if other is not None:  # a heading of ps without its first word is one of top
        own = own.filter(~pl.col("text").str.contains(OTHERS[other]))
    head = replace(log, lines=own)
    counts = {kind: _count_lines(head, kind) for kind in SHAPES}
    kind = max(counts, key=counts.__getitem__)
    is_own = counts[kind] > 0 and (other is None or counts[kind] >= MIN_SHARE * own.height)
    if is_own and not (other is not None and kind == "block"):
        return Recognition(kind, texts.KIND_NAMES.get(kind, kind))
    return Recognition(None, other or _general_description(lines))


def _count_lines(log: Log, kind: str) -> int:
    """Number of lines that only this kind has."""
    body = strip_prefixes(log, kind).body()["text"]
    is_own = body.str.contains(f"^(?:{shape_of(kind)})")
    if kind not in OWN_PREFIXES:
        return int(is_own.sum())
    # Polars has no look-around, which these have
    line = re.compile(f"(?:{OWN_PREFIXES[kind].pattern}) (?:{shape_of(kind)})")
    others = body.filter(~is_own)
    return int(is_own.sum()) + sum(line.match(text) is not None for text in others)


def _general_description(lines: pl.Series) -> str:
    """The form of a text of no known program."""
    text = "\n".join(lines.to_list())
    controls = sum(character < " " and character not in "\t\n\f\x1b" for character in text)
    if controls + text.count("\ufffd") > MAX_BINARY_SHARE * len(text):
        return texts.BINARY_FILE
    first = next(line for line in lines if line.strip())
    try:
        if isinstance(json.loads(first if len(lines) > 1 else text), dict | list):
            return texts.JSON_FILE
    except ValueError:
        if text.lstrip()[:1] in "{[" and text.rstrip()[-1:] in "}]":
            return texts.JSON_FILE
    fields = lines.filter(lines.str.strip_chars() != "").str.count_matches(",")
    if fields.len() > 1 and fields[0] and (fields == fields[0]).all():
        return texts.CSV_FILE
    return texts.UNKNOWN_FILE
