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

from pipeline.parse import rotated, timestamps
from pipeline.parse.errors import (
    AccountingError,
    BrokenParserError,
    ClockError,
    ParseError,
    UnknownFormError,
    UnreadableError,
)
from pipeline.parse.log import Log, Parsed, finish, log_of, read_log

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
    "UnknownFormError",
    "UnreadableError",
    "finish",
    "log_of",
    "parse",
    "parse_log",
    "parse_pieces",
    "read_log",
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
    _known(kind)
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
    module = import_module(f"pipeline.parse.{_known(kind)}")
    timestamps.first_day(date, log.file)
    timestamps.zone(tz, log.file)
    try:
        return module.parse(log, date=date, tz=tz, tool_version=tool_version)
    except ParseError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        what = f"the {kind} parser failed: {type(error).__name__}: {error}"
        raise BrokenParserError(log.file, what) from error


def parse_pieces(
    kind: str, files: Iterable[tuple[Path, str]], **options
) -> Iterator[Parsed | ParseError]:
    """Read a log that may be in several files, (path, name) in order: one result, or error, a file."""
    _known(kind)
    return rotated.parse_pieces(parse_log, kind, files, **options)


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"no such kind of log: {kind!r} (known: {', '.join(KINDS)})")
    return KINDS[kind]
