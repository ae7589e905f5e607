"""From a tool's own text to tidy tables: one module a log, all with one shape.

Each module of this package has ``parse(log, **options) -> Parsed``, with the options it knows
among

- ``date``: the day on which a log without sentinels begins (``datetime.date`` or ``YYYY-MM-DD``);
- ``tz``: the IANA name of the time zone it was written in;
- ``tool_version``: the recorded version of the tool, so that its known faults can be told.

Example:
    >>> parse("block", "host/block.log").summary()                          # doctest: +SKIP
    {'kind': 'block', 'file': 'host/block.log', 'lines': 1201, 'snapshots': 300, ...}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import polars as pl

from pipeline.parse import rotated, texts, timestamps
from pipeline.parse.errors import (
    AccountingError,
    BrokenParserError,
    ClockError,
    ParseError,
    UnknownFormatError,
    UnreadableError,
)
from pipeline.parse.log import Log, log_from_text, read_log
from pipeline.parse.parsed import Parsed, to_parsed

KINDS = {
    "top": "top",
    "iotop": "iotop",
    "block": "block",
    "tasks": "tasks",
    "httperf": "httperf",
    "sysbench": "sysbench",
    "access": "access_log",
    "general": "general_log",
}
"""Kinds of logs and the module that reads each."""

__all__ = [
    "KINDS",
    "AccountingError",
    "BrokenParserError",
    "ClockError",
    "Log",
    "ParseError",
    "Parsed",
    "UnknownFormatError",
    "UnreadableError",
    "log_from_text",
    "parse",
    "parse_log",
    "parse_segments",
    "read_log",
    "to_parsed",
]


def parse(
    kind: str,
    path: str | Path,
    *,
    name: str | None = None,
    **options: object,
) -> Parsed:
    """Read the log at ``path`` as one of ``KINDS``; messages and rejects call it ``name``.

    ``options`` are those of ``parse_log``.
    """
    _module_name(kind)
    return parse_log(kind, read_log(path, name=name), **options)


def parse_log(
    kind: str,
    log: Log,
    *,
    date: timestamps.Day = None,
    tz: str | None = None,
    tool_version: str | None = None,
) -> Parsed:
    """Parse a log that is already in memory."""
    module = import_module(f"pipeline.parse.{_module_name(kind)}")
    timestamps.parse_day(date, log.file)
    timestamps.check_time_zone(tz, log.file)
    try:
        return module.parse(log, date=date, tz=tz, tool_version=tool_version)
    except ParseError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        raise BrokenParserError(log.file, texts.parser_failed(kind, error)) from error


def parse_segments(
    kind: str, files: Iterable[tuple[Path, str]], **options
) -> Iterator[Parsed | ParseError]:
    """Read a log that may be in several files, (path, name) in order: one result, or error, a file."""
    _module_name(kind)
    return rotated.parse_segments(parse_log, kind, files, **options)


def _module_name(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(texts.unknown_kind(kind, list(KINDS)))
    return KINDS[kind]
