"""block.log: ``grep -H '' /sys/block/*/stat``, 17 fields (Linux 5.5 and later)."""

from __future__ import annotations

from pipeline.simulated.clocks import END, Snapshots
from pipeline.simulated.counters import DiskCounters

BEFORE = {"reads": 4017, "merged": 5903, "read_sectors": 254658, "read_ms": 18126, "writes": 325,
          "write_sectors": 10624, "write_ms": 1205, "io_ticks_ms": 12016}  # fmt: skip
"""What the disk had done before the recording."""


def block_log(snapshots: Snapshots, disks: dict[str, DiskCounters]) -> str:
    """The log of the disks by name."""
    lines = []
    for number, sentinel in enumerate(snapshots.lines()):
        lines.append(sentinel)
        lines += [f"/sys/block/{name}/stat:{stat(disk, number)}" for name, disk in disks.items()]
    return "\n".join(lines) + "\n" + END


def stat(disk: DiskCounters, number: int) -> str:
    """The kernel's line at one snapshot."""
    before = BEFORE
    (reads, writes), (read_sectors, write_sectors) = disk.operations, disk.sectors
    read_ms = disk.time_ms[0][number] + before["read_ms"]
    write_ms = disk.time_ms[1][number] + before["write_ms"]
    return fields(
        reads[number] + before["reads"],
        before["merged"],
        read_sectors[number] + before["read_sectors"],
        read_ms,
        writes[number] + before["writes"],
        0,
        write_sectors[number] + before["write_sectors"],
        write_ms,
        disk.in_flight[number],
        disk.io_ticks_ms[number] + before["io_ticks_ms"],
        read_ms + write_ms,
        *(0,) * 6,
    )


def fields(*numbers: int) -> str:
    """Fields as the kernel prints them: eight wide, a blank between them."""
    return " ".join(f"{number:8d}" for number in numbers)
