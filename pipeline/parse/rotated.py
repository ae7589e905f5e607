"""A rotated log: pieces that are parsed one by one and read as one log in order.

A collector that rotates finishes a piece between two snapshots (``#END rotated``) and tells what it
tells only once, command lines and virtual servers, again at the head of the next. So a piece is a
log in its own right: it keeps its own books, its rejects name its file and line, and a damaged or
missing one costs nothing but itself. What goes on over a piece's end is mended here:

- ``snapshot`` and ``line`` of the tables count through all pieces that were read (``line`` is the
  line of ``zstdcat`` over them);
- the first snapshot of a later piece is an interval like any other, unless a ``#GAP`` in which the
  tool may have been started anew stands before it;
- a clock that was set back between two pieces, pieces that overlap or are of another boot, and
  snapshots that are missing between them become warnings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl

from pipeline.parse import texts
from pipeline.parse.errors import ParseError
from pipeline.parse.log import GAP_WITHOUT_RESTART, Log, Parsed, read_log


def parse_segments(
    parse_log, kind: str, segments: Iterable[tuple[Path, str]], **options
) -> Iterator[Parsed | ParseError]:
    """Parse every piece, (path, name), in order; a piece that cannot be read is its error.

    A log that was not rotated is one piece, and comes out as ``parse`` would have it.
    """
    lines = snapshots = 0
    previous: dict | None = None
    for path, name in segments:
        try:
            log = read_log(path, name=name)
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
    """Whether the piece's first tick goes on from the last one before it, ``previous``, and what is doubtful."""
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
    """``parsed`` with its rows counted on from the pieces before it."""
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
