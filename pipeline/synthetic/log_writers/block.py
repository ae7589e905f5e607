"""block.log: ``grep -H '' /sys/block/*/stat``, 17 fields (Linux 5.5 and later)."""

from __future__ import annotations

import numpy as np

from pipeline.synthetic.clocks import Snapshots
from pipeline.synthetic.kernel_counters import DiskCounters

BEFORE = {"reads": 4017, "reads_merged": 5903, "read_sectors": 254658, "read_ms": 18126,
          "writes": 325, "writes_merged": 0, "write_sectors": 10624, "write_ms": 1205,
          "in_flight": 0, "io_ticks_ms": 12016, "queue_ms": 19331}  # fmt: skip
"""What the disk had done before the recording."""


def block_log(snapshots: Snapshots, disks: dict[str, DiskCounters]) -> str:
    """The log of the disks by name."""
    stats = {name: stat_lines(disk) for name, disk in disks.items()}
    return snapshots.log(
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
    shown = np.stack(counters, axis=1) + list(BEFORE.values())
    return [fields(*row, *(0,) * 6) for row in shown.tolist()]


def fields(*numbers: int) -> str:
    """Fields as the kernel prints them: eight wide, a blank between them."""
    return " ".join(f"{number:8d}" for number in numbers)
