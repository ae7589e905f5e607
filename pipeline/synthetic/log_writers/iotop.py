"""iotop.log: ``iotop-py -b -k -o -d 1`` of iotop 0.6 as Debian 12 has it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.clocks import Snapshots

KIB = 1024
MAX_PERCENT = 99.99


@dataclass(frozen=True)
class IoTask:
    """A task that reads or writes: its counters at each snapshot."""

    tid: int
    user: str
    command: str
    read_bytes: np.ndarray
    written_bytes: np.ndarray
    waited_s: np.ndarray
    priority: str = "be/4"


def iotop_log(snapshots: Snapshots, io_tasks: list[IoTask], tid_width: int) -> str:
    """The log; the machine's disk traffic is that of its tasks."""
    counters = np.array(
        [[m.read_bytes for m in io_tasks], [m.written_bytes for m in io_tasks], [m.waited_s for m in io_tasks]],
        float,
    )  # fmt: skip
    # The first iteration has no previous counters and shows 0.
    increase = np.diff(counters, axis=-1, prepend=counters[..., :1])
    length = np.diff(snapshots.times_s, prepend=snapshots.times_s[0] - 1)
    read, written = increase[:2] / KIB / length
    from_disk, to_disk = increase[:2].sum(axis=1) / KIB / length
    percent = np.minimum(100 * increase[2] / length, MAX_PERCENT)

    def lines_at(number: int) -> list[str]:
        reads, writes, shares = read[:, number], written[:, number], percent[:, number]
        totals = total_lines(reads.sum(), writes.sum(), from_disk[number], to_disk[number])
        shown = np.flatnonzero((reads > 0) | (writes > 0) | (shares > 0))
        ranked = shown[np.argsort(-shares[shown], kind="stable")].tolist()
        rows = [
            task_line(io_tasks[index], reads[index], writes[index], shares[index], tid_width)
            for index in ranked
        ]
        return [*totals, header_line(tid_width), *rows]

    return snapshots.format_log(lines_at)


def total_lines(read: float, written: float, from_disk: float, to_disk: float) -> list[str]:
    """The two lines of totals, in KiB per second."""
    return [
        f"Total DISK READ:   {format_rate(read):>14} | Total DISK WRITE:   {format_rate(written):>14}",
        f"Current DISK READ: {format_rate(from_disk):>14} | Current DISK WRITE: {format_rate(to_disk):>14}",
    ]


def header_line(tid_width: int) -> str:
    """The line of column names."""
    return f"{'TID':>{tid_width}}  PRIO  USER     DISK READ  DISK WRITE  SWAPIN      IO    COMMAND"


def format_rate(kib_per_s: float) -> str:
    """A rate with option ``-k``: K/s, two decimals."""
    return f"{kib_per_s:.2f} K/s"


def task_line(io_task: IoTask, read: float, written: float, percent: float, tid_width: int) -> str:
    """The line of one task."""
    return (
        f"{io_task.tid:>{tid_width}} {io_task.priority:<4} {io_task.user:<8} "
        f"{format_rate(read):>11} {format_rate(written):>11} "
        f"{0:5.2f} % {percent:5.2f} % {io_task.command}"
    )
