"""Which disks belong together: the guest's virtual disk, and the host's disk that grows as much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

WHOLE_DISK = r"^(?:(?:vd|sd|xvd|hd|ubd)[a-z]+|nvme[0-9]+n[0-9]+|mmcblk[0-9]+|dasd[a-z]+)$"
IN_FILE_NAME = r"(?:^|[^a-z])((?:vd|sd|xvd|hd)[a-z]|nvme[0-9]n[0-9]|dm-[0-9]+)(?:[^a-z]|$)"
UNUSED = r"^(?:ram|zram|sr|fd)[0-9]"
SECTOR_BYTES = 512
MAX_FACTOR = 1.5
"""A host disk that moved more or less than the guest's by this factor does not match it."""


@dataclass(frozen=True)
class DiskGrowth:
    """What a device did between its first and last snapshot."""

    device: str
    bytes_moved: float
    busy_s: float


def growths(block: pl.DataFrame) -> list[DiskGrowth]:
    """Growth of every device of a ``block`` table with at least two snapshots, the busiest first."""
    sectors = pl.col("read_sectors") + pl.col("write_sectors")
    frame = (
        block.sort("snapshot")
        .group_by("device", maintain_order=True)
        .agg(
            moved=(sectors.last() - sectors.first()) * SECTOR_BYTES,
            busy_ms=pl.col("io_ticks_ms").last() - pl.col("io_ticks_ms").first(),
            count=pl.len(),
        )
        .filter(pl.col("count") > 1, ~pl.col("device").str.contains(UNUSED))
        .with_columns(pl.col("moved", "busy_ms").fill_null(0).clip(lower_bound=0))
        .sort("busy_ms", "moved", "device", descending=[True, True, False])
    )
    return [
        DiskGrowth(device, float(moved), busy_ms / 1e3)
        for device, moved, busy_ms in frame.select("device", "moved", "busy_ms").iter_rows()
    ]


def is_whole_disk(device: str) -> bool:
    """Whether it is a whole disk by its name, no partition and no device on top of others."""
    return bool(pl.Series([device]).str.contains(WHOLE_DISK)[0])


def virtual_disk(disks: list[DiskGrowth]) -> DiskGrowth | None:
    """The guest's disk that was busiest; whole disks before others."""
    whole = [disk for disk in disks if is_whole_disk(disk.device)]
    return next(iter(whole or disks), None)


def host_disk(guest: DiskGrowth | None, disks: list[DiskGrowth]) -> DiskGrowth | None:
    """The host's disk that moved about as many bytes as the guest's; None if none or several did.

    A host with one disk has no choice.

    Examples
    --------
    >>> guest = DiskGrowth("vda", 1e6, 3.0)
    >>> host_disk(guest, [DiskGrowth("sda", 9e7, 40.0), DiskGrowth("dm-1", 1.1e6, 3.0)]).device
    'dm-1'
    """
    whole = [disk for disk in disks if is_whole_disk(disk.device)]
    if len(disks) == 1:
        return disks[0]
    if guest is not None and guest.bytes_moved > 0:
        matching = sorted(
            (abs(math.log(disk.bytes_moved / guest.bytes_moved)), disk.device, disk)
            for disk in disks
            if disk.bytes_moved > 0
        )
        if matching and matching[0][0] <= math.log(MAX_FACTOR):
            return matching[0][2]
    return whole[0] if len(whole) == 1 else None
