"""Rotated logs: segments that are parsed one by one and read as one log.

A collector ends a segment between two snapshots (``#END rotated``) and repeats command lines and virtual
servers at the start of the next one. So each segment is a complete log with its own line accounting and
rejects, and a damaged or missing segment does not affect the others. Across segments:

- ``snapshot`` and ``line`` of the tables continue through all segments that were read (``line`` is that of
  ``zstdcat`` of all segments);
- the first snapshot of a later segment is an interval, unless it follows a ``#GAP`` in which the tool may have
  been restarted;
- warnings are given for a clock that went backwards between two segments, for segments that overlap or are of
  another boot, and for missing snapshots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import ParseError
from pipeline.parse.limits import MAX_EXPANDED_BYTES
from pipeline.parse.log import Log
from pipeline.parse.parsed import Parsed
from pipeline.parse.pieces import read_log
from pipeline.parse.sentinels import GAP_WITHOUT_RESTART


def parse_segments(
    parse_log,
    kind: str,
    segments: Iterable[tuple[Path, str]],
    *,
    max_expanded_bytes: int = MAX_EXPANDED_BYTES,
    **options,
) -> Iterator[Parsed | ParseError]:
    """Parse each segment (path, name) in order; a segment that cannot be read yields its error.

    A log that was not rotated is one segment with the result of ``parse``.
    """
    lines = snapshots = 0
    previous: dict | None = None
    for path, name in segments:
        try:
            log = read_log(path, name=name, max_expanded_bytes=max_expanded_bytes)
            parsed = parse_log(kind, log, **options)
        except ParseError as error:
            yield error
            continue
        ticks = log.ticks.filter(pl.col("time").is_not_null()).with_columns(
            time_ns=pl.col("time").dt.epoch("ns")
        )
        goes_on, warnings = (
            _check_continuity(log, ticks, previous) if previous and ticks.height else (False, [])
        )
        yield _shift_numbers(parsed, lines, snapshots, goes_on, warnings)
        lines += parsed.lines
        snapshots += parsed.snapshots
        if ticks.height:
            previous = {"file": log.file, **ticks.row(-1, named=True)}


def _check_continuity(log: Log, ticks: pl.DataFrame, previous: dict) -> tuple[bool, list[str]]:
    """Whether the first tick of a segment continues ``previous``, the last one before it, and warnings."""
    first = ticks.row(0, named=True)
    place = f"{log.file}:{first['line']}"
    if first["boot_id"] != previous["boot_id"] or first["seq"] <= previous["seq"]:
        return False, [f"{place}: {texts.other_recording(previous['file'])}"]
    warnings = []
    if first["time_ns"] < previous["time_ns"]:
        warnings.append(f"{place}: {texts.CLOCK_BACK}")
    above = log.lines.filter((pl.col("line") < first["line"]) & (pl.col("sentinel") == "GAP"))
    lost = first["seq"] - previous["seq"] - 1
    if lost and above.is_empty():
        warnings.append(f"{place}: {texts.missing_snapshots(lost, previous['file'])}")
    restarted = above.filter(~pl.col("text").str.contains(GAP_WITHOUT_RESTART)).height > 0
    return not restarted, warnings


def _shift_numbers(
    parsed: Parsed, lines: int, snapshots: int, goes_on: bool, warnings: list[str]
) -> Parsed:
    """``parsed`` with the numbers of its lines and snapshots continued from earlier segments."""
    if not lines and not warnings and not goes_on:
        return parsed
    frames = {}
    for name, frame in parsed.tables.items():
        if goes_on and {"is_interval", "snapshot"} <= set(frame.columns):
            is_first = pl.col("snapshot") == 0
            frame = frame.with_columns(is_interval=pl.col("is_interval") | is_first)
        moved = [
            pl.col(n) + by
            for n, by in (("line", lines), ("snapshot", snapshots))
            if n in frame.columns
        ]
        frames[name] = frame.with_columns(moved)
    return replace(parsed, tables=frames, warnings=[*parsed.warnings, *warnings])
