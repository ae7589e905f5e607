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
from typing import Any

import polars as pl

from pipeline.parse import texts
from pipeline.parse.parsed import Parsed
from pipeline.parse.sentinels import GAP_WITHOUT_RESTART, SentinelReader


class Segments:
    """The segments of a log, which are read in order: numbers of lines and snapshots go on from one to the next.

    Attributes
    ----------
    warnings : list of str
        About where the last segment that was read goes on. A log that was not rotated is one segment, without any.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._lines = self._snapshots = 0
        self._previous: dict[str, Any] | None = None
        """File and last tick of the segments before."""

    def numbered(
        self, file: str, pieces: Iterable[tuple[Parsed, SentinelReader]]
    ) -> Iterator[Parsed]:
        """The pieces of the next segment, numbered on.

        A segment that ends with an exception counts for nothing.

        Parameters
        ----------
        file : str
            Its name in warnings.
        pieces : iterable of (Parsed, SentinelReader)
            As it is read alone, and its sentinels so far.
        """
        lines = snapshots = 0
        goes_on = is_compared = False
        warnings: list[str] = []
        sentinels = None
        for parsed, sentinels in pieces:
            if self._previous and sentinels.first_tick and not is_compared:
                goes_on, warnings = _check_continuity(file, sentinels, self._previous)
                is_compared = True
            yield _shift_numbers(parsed, self._lines, self._snapshots, goes_on)
            lines += parsed.lines
            snapshots += parsed.snapshots
        self.warnings = warnings
        self._lines += lines
        self._snapshots += snapshots
        if sentinels is not None and sentinels.last_tick is not None:
            self._previous = {"file": file, **sentinels.last_tick}


def _check_continuity(
    file: str, sentinels: SentinelReader, previous: dict[str, Any]
) -> tuple[bool, list[str]]:
    """Whether the first tick of a segment continues ``previous``, the last one before it, and warnings."""
    first = sentinels.first_tick
    assert first is not None
    place = f"{file}:{first['line']}"
    if first["boot_id"] != previous["boot_id"] or first["seq"] <= previous["seq"]:
        return False, [f"{place}: {texts.other_recording(previous['file'])}"]
    warnings = []
    if first["time_ns"] < previous["time_ns"]:
        warnings.append(f"{place}: {texts.CLOCK_BACK}")
    lost = first["seq"] - previous["seq"] - 1
    if lost and not sentinels.gaps_before:
        warnings.append(f"{place}: {texts.missing_snapshots(lost, previous['file'])}")
    gaps = pl.Series(sentinels.gaps_before, dtype=pl.String)
    return bool(gaps.str.contains(GAP_WITHOUT_RESTART).all()), warnings


def _shift_numbers(parsed: Parsed, lines: int, snapshots: int, goes_on: bool) -> Parsed:
    """``parsed`` with the numbers of its lines and snapshots continued from earlier segments."""
    if not lines and not goes_on:
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
    return replace(parsed, tables=frames)
