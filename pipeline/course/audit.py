"""The paper's published times, and the demands that equation (10) read backwards gives for them.

Short, because it serves lesson 7 and its figure alone.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from pipeline.course.given import Given

THREADS = 16
"""Of sysbench, in the paper's section V."""


class Published(NamedTuple):
    """One row of Tables I and II, in seconds and transactions per second."""

    cpu: float
    vdisk: float
    disk: float
    throughput: float

    @property
    def response(self) -> float:
        """R as the paper adds it up."""
        return self.cpu + self.vdisk + self.disk

    @property
    def demands(self) -> tuple[float, float, float]:
        """Demands of the CPU and, by equation (10) backwards, of both disks."""
        x = self.throughput
        return self.cpu, self.vdisk / (1 + x * self.vdisk), self.disk / (1 + x * self.disk)


def published(g: Given, server: str = "first", virtual_server: str = "db") -> Published:
    """A row of the paper's tables."""
    row = g.paper.row(
        by_predicate=(pl.col("server") == server) & (pl.col("virtual_server") == virtual_server),
        named=True,
    )
    times = (row[f"r_{part}_ms"] / 1e3 for part in ("cpu", "vdisk", "disk"))
    return Published(*times, row["x_req_per_s"])
