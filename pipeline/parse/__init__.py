"""Parsers: from the text of a tool to tidy tables, one module per kind of log.

Each module has ``parse(log, **options) -> Parsed`` with some of the options

- ``date``: the first day of a log without sentinels (``datetime.date`` or ``YYYY-MM-DD``);
- ``tz``: the IANA name of the time zone it was written in;
- ``tool_version``: the recorded version of the tool, whose known faults are flagged or corrected;
- ``log_format``: the format of an access log.

:mod:`recognition`    the kind of a log by its content, ``line_shapes``
:mod:`pieces`         the text of a file in pieces, ``decompress`` (gzip, Zstandard, encodings)
:mod:`reader`         reading a log piece by piece, ``held_lines``
:mod:`grown`          reading on where a log has grown, ``states``
:mod:`log`            lines with numbers and ``sentinels``, without ``escapes``
:mod:`limits`         length of a text and its lines, available memory
:mod:`rotated`        segments of a rotated log
:mod:`prefixes`       text of loggers in front of lines
:mod:`tokens`         lines and fields by NumPy
:mod:`sources`        several hosts or containers in one log
:mod:`line_shapes`    lines that only one kind of log has
:mod:`timestamps`     local times to UTC
:mod:`expressions`    Polars expressions of several parsers
:mod:`top`            output of top: ``top_survey``, ``top_lines``, ``top_snapshots``, ``top_columns``, ``top_rows``,
                      ``top_summary``, ``top_threads``, ``top_languages``, ``top_sketch``, ``top_tokens``
:mod:`ascii_fields`   fields at fixed columns of many lines
:mod:`top_messages`   labels of the numbers above the table of top
:mod:`foreign_tops`   other programs that look like top
:mod:`iotop`          output of iotop: ``iotop_rows``, ``iotop_snapshots``
:mod:`block`          /sys/block/*/stat: ``block_devices``, ``block_times``, ``stamps``
:mod:`tasks`          tasks.log: ``task_pieces``, ``task_records``, ``task_rows``, ``thread_roles``
:mod:`httperf`        httperf's report
:mod:`sysbench`       sysbench's report
:mod:`line_templates` lines of both reports
:mod:`access_log`     access logs of web servers: ``access_plain``, ``access_format``, ``access_json``
:mod:`general_log`    general log of MySQL and MariaDB: ``general_heads``, ``general_times``
:mod:`parsed`         the result: tables, rejects, line accounting
:mod:`redaction`      tables without secrets, and without the values in statements and requests
:mod:`notes`          warnings that are notes
:mod:`errors`         exceptions
:mod:`texts`          reasons and warnings

Example:
    >>> parse_file("block", "host/block.log").summary()                          # doctest: +SKIP
    {'kind': 'block', 'file': 'host/block.log', 'lines': 1201, 'snapshots': 300, ...}
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import polars as pl

from pipeline.kinds import AUTO, KINDS
from pipeline.parse import rotated, texts, timestamps
from pipeline.parse.errors import (
    AccountingError,
    BrokenParserError,
    ClockError,
    LimitError,
    ParseError,
    UnknownFormatError,
    UnreadableError,
)
from pipeline.parse.grown import NotContinuedError, Notes
from pipeline.parse.limits import MAX_EXPANDED_BYTES
from pipeline.parse.log import Log, log_from_text
from pipeline.parse.notes import is_note
from pipeline.parse.parsed import Parsed, joined, to_parsed
from pipeline.parse.pieces import PIECE_BYTES, Pieces, TextSource, read_log
from pipeline.parse.prefixes import find_prefix, strip_prefixes
from pipeline.parse.reader import Reader, read_pieces
from pipeline.parse.recognition import Recognition, recognize
from pipeline.parse.sentinels import SentinelReader
from pipeline.parse.sources import check_sources

__all__ = [
    "AUTO",
    "KINDS",
    "MAX_EXPANDED_BYTES",
    "AccountingError",
    "BrokenParserError",
    "ClockError",
    "LimitError",
    "Log",
    "NotContinuedError",
    "Notes",
    "ParseError",
    "Parsed",
    "Recognition",
    "UnknownFormatError",
    "UnreadableError",
    "is_note",
    "joined",
    "log_from_text",
    "parse_file",
    "parse_log",
    "parse_pieces",
    "parse_segments",
    "pieces_with_sentinels",
    "read_log",
    "recognize",
    "recognized_kind",
    "to_parsed",
]


def parse_file(
    kind: str,
    path: str | Path,
    *,
    name: str | None = None,
    max_expanded_bytes: int = MAX_EXPANDED_BYTES,
    **options: object,
) -> Parsed:
    """Read and parse a log.

    Parameters
    ----------
    kind : str
        One of ``KINDS``, or ``auto``: by the content of the file.
    path : path
        The file; gzip and Zstandard are decompressed.
    name : str, optional
        Its name in messages and rejects (default: the path).
    max_expanded_bytes : int
        Longest text, after decompression.
    **options
        ``date``, ``tz``, ``tool_version`` and ``log_format``, see :func:`parse_log`.

    Returns
    -------
    Parsed

    Raises
    ------
    ParseError
        If the log cannot be used as a whole.
    ValueError
        If there is no such kind.
    """
    return joined(
        parse_pieces(kind, path, name=name, max_expanded_bytes=max_expanded_bytes, **options)
    )


def parse_pieces(
    kind: str,
    path: str | Path,
    *,
    name: str | None = None,
    max_expanded_bytes: int = MAX_EXPANDED_BYTES,
    piece_bytes: int = PIECE_BYTES,
    progress: Callable[[int, int], None] | None = None,
    **options: object,
) -> Iterator[Parsed]:
    """Read and parse a log piece by piece, with memory that does not grow with it.

    Parameters
    ----------
    kind, path, name, max_expanded_bytes, **options
        As for :func:`parse_file`.
    piece_bytes : int
        Usual length of a piece of the text.
    progress : callable, optional
        Called after each piece with the bytes of the file that were read, and that it has.

    Yields
    ------
    Parsed
        Tables, rejects and line accounting of each piece in order, at least one; numbers of lines and snapshots are
        those of the log. The last one has the warnings, the damage and ``unread`` of the whole log.

    Raises
    ------
    ParseError
        If the log cannot be used as a whole, also after some pieces.
    ValueError
        If there is no such kind.
    """
    pieces = pieces_with_sentinels(
        kind,
        path,
        name=name,
        max_expanded_bytes=max_expanded_bytes,
        piece_bytes=piece_bytes,
        **options,
    )
    for parsed, _ in pieces:
        yield parsed


def pieces_with_sentinels(
    kind: str,
    path: str | Path,
    *,
    name: str | None = None,
    max_expanded_bytes: int = MAX_EXPANDED_BYTES,
    piece_bytes: int = PIECE_BYTES,
    notes: Notes | None = None,
    **options: object,
) -> Iterator[tuple[Parsed, SentinelReader]]:
    """Each piece as of :func:`parse_pieces`, and the sentinels of the log so far, for ``rotated.Segments``.

    With ``notes`` of a log whose beginning was read, the pieces are those after it, if the rest is only more text;
    ``NotContinuedError``, before the first one, if it is not.
    """
    if kind != AUTO:
        _module_name(kind)
    file = str(path) if name is None else name
    with contextlib.closing(TextSource.open(path, file, max_expanded_bytes)) as source:
        if kind == AUTO:
            kind = recognized_kind(Pieces(source, None).head())
        if notes is None:
            pieces = Pieces(source, _start(kind), piece_bytes)
        else:
            pieces = notes.pieces(source, _start(kind), piece_bytes)
        for parsed in parse_text(kind, pieces, notes=notes, **options):
            yield parsed, pieces.reader.sentinels


def parse_text(
    kind: str,
    pieces: Pieces,
    *,
    notes: Notes | None = None,
    date: timestamps.Day = None,
    tz: str | None = None,
    tool_version: str | None = None,
    log_format: str | None = None,
) -> Iterator[Parsed]:
    """Parse the pieces of a log's text; see :func:`parse_pieces`."""
    options = {"date": date, "tz": tz, "tool_version": tool_version, "log_format": log_format}
    reader_class = _reader_class(kind)
    facts = pieces.facts
    # a given format says what stands in front
    has_prefix = log_format is None and find_prefix(facts.sample, kind) is not None
    if reader_class is None or facts.is_whole or has_prefix:
        if pieces.before is not None:
            raise NotContinuedError(pieces.source.name, texts.NOT_ONLY_GROWN)
        yield parse_log(kind, pieces.whole().log, **options)
        return
    _check_options(pieces.source.name, date, tz)
    last: Parsed | None = None
    with _faults(kind, pieces.source.name, pieces.head):
        reader = reader_class(pieces.source.name, **_options_of(kind, options))
        for last in read_pieces(reader, pieces, notes):
            yield last
    if last is not None and last.unread and last.rejects.height:
        _check_kind(kind, pieces.head(), *last.unread)


def recognized_kind(log: Log) -> str:
    """The kind of a log by its content (:func:`recognize`).

    Parameters
    ----------
    log : Log

    Returns
    -------
    str
        One of ``KINDS``.

    Raises
    ------
    UnknownFormatError
        If it is none of them; the message says what it looks like.
    """
    recognition = recognize(log)
    if recognition.kind is None:
        raise UnknownFormatError(
            log.file, texts.not_a_known_log(recognition.description, list(KINDS))
        )
    return recognition.kind


def parse_log(
    kind: str,
    log: Log,
    *,
    date: timestamps.Day = None,
    tz: str | None = None,
    tool_version: str | None = None,
    log_format: str | None = None,
) -> Parsed:
    """Parse a log that is in memory.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    log : Log
    date : datetime.date or str, optional
        First day of a log that prints only a time of day.
    tz : str, optional
        IANA name of the time zone of the log's times.
    tool_version : str, optional
        Recorded version of the tool.
    log_format : str, optional
        Format of an access log: Apache's LogFormat or nginx's log_format (``access_format.compile_format``).

    Returns
    -------
    Parsed

    Raises
    ------
    ParseError
        If the log cannot be used as a whole.
    """
    _check_options(log.file, date, tz)
    options = {"date": date, "tz": tz, "tool_version": tool_version, "log_format": log_format}
    with _faults(kind, log.file, lambda: log):
        # a given format says what stands in front
        bare = check_sources(strip_prefixes(log, kind), kind) if log_format is None else log
        parsed = _module(kind).parse(bare, **_options_of(kind, options))
    if parsed.unread and parsed.rejects.height:
        _check_kind(kind, log, *parsed.unread)
    return parsed


def _check_options(file: str, date: timestamps.Day, tz: str | None) -> None:
    """Raise ``ClockError`` for a date or a time zone that does not exist."""
    timestamps.parse_day(date, file)
    timestamps.check_time_zone(tz, file)


def _options_of(kind: str, options: dict[str, object]) -> dict[str, object]:
    """Those of the options that the parser of a kind has."""
    return {n: value for n, value in options.items() if kind == "access" or n != "log_format"}


@contextlib.contextmanager
def _faults(kind: str, file: str, head: Callable[[], Log]) -> Iterator[None]:
    """Turn what a parser raises into a ``ParseError``."""
    try:
        yield
    except UnknownFormatError as error:
        _check_kind(kind, head(), error.line, error.message)
        raise
    except ParseError:
        raise
    except MemoryError:
        raise UnreadableError(file, texts.OUT_OF_MEMORY) from None
    except (Exception, pl.exceptions.PanicException) as error:
        raise BrokenParserError(file, texts.parser_failed(kind, error)) from error


def _check_kind(kind: str, log: Log, line: int | None, reason: str) -> None:
    """Raise ``UnknownFormatError`` if a log in which ``kind`` has no record is recognized as something else."""
    recognition = recognize(log)
    if recognition.kind != kind and recognition.description != texts.UNKNOWN_FILE:
        message = f"{reason}; {texts.looks_like(recognition.description)}"
        raise UnknownFormatError(log.file, message, line)


def parse_segments(
    kind: str,
    files: Iterable[tuple[Path, str]],
    *,
    max_expanded_bytes: int = MAX_EXPANDED_BYTES,
    **options,
) -> Iterator[Parsed | ParseError]:
    """Read and parse a log that may have several segments.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    files : iterable of (Path, str)
        Path and name of each segment, in order.
    max_expanded_bytes : int
        Longest text of a segment, after decompression.
    **options
        See :func:`parse_log`.

    Yields
    ------
    Parsed or ParseError
        One per segment.
    """
    _module_name(kind)
    segments = rotated.Segments()
    for path, name in files:
        try:
            pieces = pieces_with_sentinels(
                kind, path, name=name, max_expanded_bytes=max_expanded_bytes, **options
            )
            parsed = joined(segments.numbered(name, pieces))
        except ParseError as error:
            yield error
        else:
            yield replace(parsed, warnings=[*parsed.warnings, *segments.warnings])


def _module(kind: str) -> ModuleType:
    return import_module(f"pipeline.parse.{_module_name(kind)}")


def _reader_class(kind: str) -> type[Reader] | None:
    """What reads a log of that kind piece by piece."""
    return getattr(_module(kind), "Reader", None)


def _start(kind: str) -> re.Pattern[bytes] | None:
    reader_class = _reader_class(kind)
    return None if reader_class is None else reader_class.START


def _module_name(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(texts.unknown_kind(kind, list(KINDS)))
    return KINDS[kind]
