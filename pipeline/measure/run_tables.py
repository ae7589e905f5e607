"""The stored tables of one run, each loaded once, times brought to the client's clock."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import ingest
from pipeline.ingest.stored import partition_path, read_manifest
from pipeline.measure import texts
from pipeline.measure.snapshots import (
    CLOCK_LOGS,
    by_monotonic_clock,
    clock_difference_ns,
    clock_step_ns,
    require_one_boot,
)
from pipeline.measure.window import NS_PER_S, MissingData, on_client_clock
from pipeline.raw import HOST, Run


class RunTables:
    """The tables of one run; every object of the same stored run shares what was loaded."""

    def __init__(self, run: Run, processed: Path | str):
        self.run, self.processed = run, Path(processed)
        self._differences_ns: dict[str, int | None] = {}
        self._steps_ns: dict[tuple[str, str], int] = {}
        self._sampled: dict[tuple[str, str], tuple[pl.DataFrame, pl.DataFrame]] = {}
        """By table and role: the stored rows, and the same with ``client_ns``."""

    def table(self, name: str, role: str | None = None) -> pl.DataFrame:
        """A stored table, of one role or of all; no rows where the log is missing."""
        names = (self.run.study, self.run.server, self.run.run)
        manifest = read_manifest(self.processed, partition_path(names)) or {}
        kept = _kept(self.processed.absolute(), names, manifest.get("key"))
        if (name, role) not in kept:
            frame = ingest.load(name, self.processed, *names)
            kept[name, role] = frame if role is None else frame.filter(pl.col("role") == role)
        return kept[name, role]

    def rows(self, table: str, role: str) -> pl.DataFrame:
        """Rows of one role; ``MissingData`` if there are none."""
        require_recorded(self.run, role)
        frame = self.table(table, role)
        if frame.is_empty():
            raise MissingData(texts.no_rows(role, table))
        return frame

    def sampled(self, table: str, role: str) -> pl.DataFrame:
        """Rows of a table with times, with ``client_ns``; ``MissingData`` if the role's clock is unknown, too.

        Snapshots of a machine whose clock was set meanwhile are placed by its monotonic clock. ``MissingData`` if the
        machine was restarted within the log.
        """
        require_recorded(self.run, role)
        offset_ns = self.run.clock_offset_ns(role)
        if offset_ns is None:
            raise MissingData(texts.unknown_clock(role))
        rows = self.rows(table, role)
        stored, result = self._sampled.get((table, role), (None, rows))
        if stored is not rows:  # else they are placed already
            require_one_boot(rows, role)
            difference_ns, step_ns = self._clock(table, role)
            if step_ns:
                result = by_monotonic_clock(rows, difference_ns - offset_ns)
            else:
                result = on_client_clock(rows, offset_ns)
            self._sampled[table, role] = rows, result
        return result

    def clock_flags(self, table: str, role: str) -> tuple[str, ...]:
        """A flag if the machine's clock was set while the log of a table was recorded."""
        step_ns = self._clock(table, role)[1]
        return (texts.clock_stepped(role, step_ns / NS_PER_S),) if step_ns else ()

    def _clock(self, table: str, role: str) -> tuple[int, int]:
        """``clock_difference_ns`` of a machine, and ``clock_step_ns`` of a log; 0 and 0 without a monotonic clock."""
        if role not in self._differences_ns:
            frames = (self.table(name, role) for name in CLOCK_LOGS)
            at_end = _is_measured_after(self.run, role)
            self._differences_ns[role] = clock_difference_ns(frames, at_end=at_end)
        difference_ns = self._differences_ns[role]
        if difference_ns is None:
            return 0, 0
        if (table, role) not in self._steps_ns:
            self._steps_ns[table, role] = clock_step_ns(self.table(table, role), difference_ns)
        return difference_ns, self._steps_ns[table, role]


def _is_measured_after(run: Run, role: str) -> bool:
    """Whether the clock offset of a machine that is used was measured after the recording, not before it."""
    before, after = (measured_offset(run, role, when) for when in ("before", "after"))
    used_ns = run.clock_offset_ns(role)
    return after is not None and after[0] == used_ns and (before is None or before[0] != used_ns)


def measured_offset(run: Run, role: str, when: str) -> tuple[int, int] | None:
    """Offset of a machine's clock and its uncertainty (ns), measured ``before`` or ``after`` the recording.

    None where run.json does not have both as integers.
    """
    value: Any = run.manifest
    for key in ("roles", role, "clock", when):
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    offset, uncertainty = value.get("offset_ns"), value.get("uncertainty_ns")
    are_integers = isinstance(offset, int) and isinstance(uncertainty, int)
    return (offset, uncertainty) if are_integers else None


@lru_cache(maxsize=2)
def _kept(
    processed: Path, names: tuple[str, str, str], key: str | None
) -> dict[tuple[str, str | None], pl.DataFrame]:
    """What was loaded of a stored run; another ``key`` is another state of it."""
    return {}


def has_host(run: Run) -> bool:
    """Whether run.json has a host: the servers of a run may be on the machine itself."""
    return HOST in run.roles


def require_recorded(run: Run, role: str) -> None:
    """Raise ``MissingData`` for the host of a run without one; its keys and logs need no reason of their own."""
    if role == HOST and not has_host(run):
        raise MissingData(texts.NO_HOST)


def ticks_per_s(run: Run, role: str) -> float:
    """Clock ticks per second of a machine's counters, from facts.json; ``MissingData`` without the key."""
    require_recorded(run, role)
    ticks = run.facts(role).get("clock_ticks_per_s")
    if not ticks:
        raise MissingData(texts.no_fact(role, "clock_ticks_per_s"))
    return float(ticks)
