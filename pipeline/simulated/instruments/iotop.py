"""iotop.log: ``iotop-py -b -k -o -d 1`` of iotop 0.6 as Debian 12 has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.simulated.clocks import END, Snapshots

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


def iotop_log(
    snapshots: Snapshots,
    movers: list[Mover],
    disk_read_bytes: np.ndarray,
    disk_written_bytes: np.ndarray,
    tid_width: int,
) -> str:
    """The log. ``disk_…_bytes``: what the machine's disks have moved by each snapshot."""
    sentinels = snapshots.lines()
    length = np.diff(snapshots.moments_s)

    def rates(counter: np.ndarray) -> np.ndarray:
        return np.diff(np.asarray(counter, float), axis=-1) / KIB / length

    shape = (len(movers), len(sentinels))
    read, written, waited = (
        np.array([getattr(mover, name) for mover in movers], float).reshape(shape)
        for name in ("read_bytes", "written_bytes", "waited_s")
    )
    read, written = rates(read), rates(written)
    percent = np.minimum(100 * np.diff(waited, axis=1) / length, MOST_PERCENT)
    from_disk, to_disk = rates(disk_read_bytes), rates(disk_written_bytes)
    lines = []
    for number, sentinel in enumerate(sentinels):
        now = number - 1  # the first iteration has nothing to compare with
        shown = np.flatnonzero((read[:, now] > 0) | (written[:, now] > 0) | (percent[:, now] > 0))
        if number == 0:
            shown = shown[:0]
        sums = (read[:, now].sum(), written[:, now].sum(), from_disk[now], to_disk[now])
        total, current = sums[:2], sums[2:]
        lines += [
            sentinel,
            *heads(
                *((0.0, 0.0) if number == 0 else total), *((0.0, 0.0) if number == 0 else current)
            ),
        ]
        lines.append(names(tid_width))
        for at in shown[np.argsort(-percent[shown, now], kind="stable")].tolist():
            lines.append(
                row(movers[at], read[at, now], written[at, now], percent[at, now], tid_width)
            )
    return "\n".join(lines) + "\n" + END


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
