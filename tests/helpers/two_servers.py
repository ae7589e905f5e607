"""A synthetic study of two servers, of which the second takes twice the CPU time per request."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from pipeline import api
from pipeline.files import project_path
from pipeline.synthetic.plan import Load, Plan, Server, VirtualServer
from pipeline.synthetic.study import write_study

SLOWER = 2.0


def open_two_servers(folder: Path) -> api.StudyData:
    """Write the study, the published tables next to it, into ``folder`` and open it."""
    plan = Plan(
        {"web": VirtualServer("web", "open", cpu_s=0.010, disk_operations=1.0)},
        {"low": {"web": Load(rate_per_s=20)}, "more": {"web": Load(rate_per_s=30)}},
        servers={"first": Server("first"), "second": Server("second", cpu_times=SLOWER)},
        seconds=30.0,
    )
    write_study(plan, folder / "raw" / "two", seed=5, replications=2)
    shutil.copytree(project_path("data/raw/published"), folder / "raw" / "published")
    return api.open_study("two", raw=folder / "raw", processed=folder / "processed")


def ratio_row(frame: pl.DataFrame, quantity: str, source: str) -> dict:
    """The row of one quantity from one source."""
    return frame.row(
        by_predicate=(pl.col("quantity") == quantity) & (pl.col("source") == source), named=True
    )
