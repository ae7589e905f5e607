"""block.log: ``grep -H '' /sys/block/*/stat``, 17 fields (Linux 5.5 and later).

A module of its own, although short, because each log has one.
"""

from __future__ import annotations

import numpy as np

from pipeline.synthetic.clocks import Snapshots
from pipeline.synthetic.kernel_counters import DiskCounters

BEFORE = {"reads": 4017, "reads_merged": 5903, "read_sectors": 254658, "read_ms": 18126,
          "writes": 325, "writes_merged": 0, "write_sectors": 10624, "write_ms": 1205,
          "in_flight": 0, "io_ticks_ms": 12016, "queue_ms": 19331}  # fmt: skip
"""The disk's counters at the start of the recording."""


def block_log(snapshots: Snapshots, disks: dict[str, DiskCounters]) -> str:
    """The log of all disks."""
    stats = {name: stat_lines(disk) for name, disk in disks.items()}
    return snapshots.format_log(
        lambda number: [f"/sys/block/{name}/stat:{texts[number]}" for name, texts in stats.items()]
    )


def stat_lines(disk: DiskCounters) -> list[str]:
    """The kernel's line at each snapshot."""
    (reads, read_sectors, read_ms), (writes, write_sectors, write_ms) = zip(
        disk.operations, disk.sectors, disk.time_ms, strict=True
    )
    none = np.zeros_like(reads)
    counters = (reads, none, read_sectors, read_ms, writes, none, write_sectors, write_ms,
                disk.in_flight, disk.io_ticks_ms, read_ms + write_ms)  # fmt: skip
    rows = np.stack(counters, axis=1) + list(BEFORE.values())
    return [format_fields(*row, *(0,) * 6) for row in rows.tolist()]


def format_fields(*numbers: int) -> str:
    """Fields in the kernel's format: eight columns wide, separated by a blank."""
    return " ".join(f"{number:8d}" for number in numbers)
