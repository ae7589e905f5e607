"""iotop.log: ``iotop-py -b -k -o -d 1`` of iotop 0.6 as Debian 12 has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.clocks import Snapshots

KIB = 1024
MOST_PERCENT = 99.99


@dataclass(frozen=True)
class Mover:
    """A task that moves bytes: its counters at each snapshot."""

    tid: int
    user: str
    command: str
    read_bytes: np.ndarray
    written_bytes: np.ndarray
    waited_s: np.ndarray
    priority: str = "be/4"


def iotop_log(snapshots: Snapshots, movers: list[Mover], tid_width: int) -> str:
    """The log; the machine's disks move what its tasks move."""
    counters = np.array(
        [[m.read_bytes for m in movers], [m.written_bytes for m in movers], [m.waited_s for m in movers]],
        float,
    )  # fmt: skip
    # The first iteration has nothing to compare with, and shows 0.
    grown = np.diff(counters, axis=-1, prepend=counters[..., :1])
    length = np.diff(snapshots.moments_s, prepend=snapshots.moments_s[0] - 1)
    read, written = grown[:2] / KIB / length
    from_disk, to_disk = grown[:2].sum(axis=1) / KIB / length
    percent = np.minimum(100 * grown[2] / length, MOST_PERCENT)

    def printed(number: int) -> list[str]:
        reads, writes, shares = read[:, number], written[:, number], percent[:, number]
        totals = heads(reads.sum(), writes.sum(), from_disk[number], to_disk[number])
        shown = np.flatnonzero((reads > 0) | (writes > 0) | (shares > 0))
        ranked = shown[np.argsort(-shares[shown], kind="stable")].tolist()
        rows = [row(movers[at], reads[at], writes[at], shares[at], tid_width) for at in ranked]
        return [*totals, names(tid_width), *rows]

    return snapshots.log(printed)


def heads(read: float, written: float, from_disk: float, to_disk: float) -> list[str]:
    """The two lines of totals, in KiB a second."""
    return [
        f"Total DISK READ:   {rate(read):>14} | Total DISK WRITE:   {rate(written):>14}",
        f"Current DISK READ: {rate(from_disk):>14} | Current DISK WRITE: {rate(to_disk):>14}",
    ]


def names(tid_width: int) -> str:
    """The columns' names."""
    return f"{'TID':>{tid_width}}  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND"


def rate(kib_per_s: float) -> str:
    """A rate with ``-k``: K/s, two decimals."""
    return f"{kib_per_s:.2f} K/s"


def row(mover: Mover, read: float, written: float, percent: float, tid_width: int) -> str:
    """One task."""
    return (
        f"{mover.tid:>{tid_width}} {mover.priority:<4} {mover.user:<8} {rate(read):>11} {rate(written):>11} "
        f"{0:5.2f} % {percent:5.2f} % {mover.command}"
    )
