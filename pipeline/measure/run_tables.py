"""The stored tables of one run, each loaded once, times brought to the client's clock."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl

from pipeline import ingest
from pipeline.ingest.stored import partition_path, read_manifest
from pipeline.measure import texts
from pipeline.measure.window import MissingData, on_client_clock
from pipeline.raw import HOST, Run


class RunTables:
    """The tables of one run; every object of the same stored run shares what was loaded."""

    def __init__(self, run: Run, processed: Path | str):
        self.run, self.processed = run, Path(processed)

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
        """Rows of a table with times, with ``client_ns``; ``MissingData`` if the role's clock is unknown, too."""
        require_recorded(self.run, role)
        offset_ns = self.run.clock_offset_ns(role)
        if offset_ns is None:
            raise MissingData(texts.unknown_clock(role))
        return on_client_clock(self.rows(table, role), offset_ns)


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
