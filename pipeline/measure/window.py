"""Which snapshots of a log enclose an experiment.

The load runs wholly inside [start, end] of the client's clock. A growth is taken between the last snapshot at
or before the start and the first at or after the end: nothing of the load is lost, and the at most two ticks
outside it are idle. T itself stays the experiment's own length, one T for all instruments, so that
U = busy / T, X = λ_total / T and D = U / X = busy / λ_total agree with each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from pipeline.bundle import Window

NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Enclosure:
    """Two snapshots of one log that stand for a window, the time between them, and doubts about them.

    A growth between the two is multiplied by ``scale`` to stand for the window: 1 where the window lies inside.
    """

    first: int
    last: int
    span_s: float
    scale: float = 1.0
    flags: tuple[str, ...] = ()


class Unmeasured(Exception):  # noqa: N818 - a reason that becomes a flag in the ledger, not a failure
    """A quantity that the logs do not hold; the message is the reason."""


def on_client_clock(frame: pl.DataFrame, clock_offset_ns: int) -> pl.DataFrame:
    """``frame`` with the column ``client_ns``: its ``time`` brought to the client's clock (ns since 1970)."""
    return frame.with_columns((pl.col("time").dt.epoch("ns") - clock_offset_ns).alias("client_ns"))


def enclose(snapshots: pl.DataFrame, window: Window) -> Enclosure:
    """The snapshots that enclose ``window``.

    ``snapshots``: columns ``snapshot`` and ``client_ns``, any number of rows a snapshot. Where the log begins
    after the window does, or ends before, the nearest snapshot is taken and flagged. Raises ``Unmeasured``
    when fewer than two snapshots are there, or none of them lies inside or beyond the window.
    """
    ticks = _ticks(snapshots)
    flags = []
    before = ticks.filter(pl.col("client_ns") <= window.start_ns)
    after = ticks.filter(pl.col("client_ns") >= window.end_ns)
    first, last = ticks["snapshot"][0], ticks["snapshot"][-1]
    if before.is_empty():
        late_s = (ticks["client_ns"][0] - window.start_ns) / NS_PER_S
        flags.append(f"the log begins {late_s:.1f} s after the window does")
    else:
        first = before["snapshot"][-1]
    if after.is_empty():
        early_s = (window.end_ns - ticks["client_ns"][-1]) / NS_PER_S
        flags.append(f"the log ends {early_s:.1f} s before the window does")
    else:
        last = after["snapshot"][0]
    return _enclosure(ticks, first, last, tuple(flags))


def inside(snapshots: pl.DataFrame, window: Window) -> Enclosure:
    """The first and the last snapshot inside ``window``: for an idle span, that must hold nothing of the load."""
    ticks = _ticks(snapshots).filter(pl.col("client_ns").is_between(window.start_ns, window.end_ns))
    if ticks.height < 2:
        raise Unmeasured("fewer than two snapshots inside the before-state")
    found = _enclosure(ticks, ticks["snapshot"][0], ticks["snapshot"][-1], ())
    return replace(found, scale=window.duration_s / found.span_s)


def _ticks(snapshots: pl.DataFrame) -> pl.DataFrame:
    ticks = (
        snapshots.select("snapshot", "client_ns").drop_nulls().unique("snapshot").sort("snapshot")
    )
    if ticks.height < 2:
        raise Unmeasured("fewer than two snapshots with a time")
    return ticks


def _enclosure(ticks: pl.DataFrame, first: int, last: int, flags: tuple[str, ...]) -> Enclosure:
    if first >= last:
        raise Unmeasured("no snapshots inside the window")
    ends = ticks.filter(pl.col("snapshot").is_in([first, last]))["client_ns"]
    return Enclosure(first, last, (ends[1] - ends[0]) / NS_PER_S, flags=flags)


def within(frame: pl.DataFrame, enclosure: Enclosure) -> pl.DataFrame:
    """Rows whose snapshot lies in the enclosure, both ends included."""
    return frame.filter(pl.col("snapshot").is_between(enclosure.first, enclosure.last))
