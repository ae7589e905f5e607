"""How many times the better server is better, as its page shows it: table and sentences."""

from __future__ import annotations

import polars as pl

from pipeline.api import StudyData
from pipeline.evaluate.server_ratio import CLIENT, LAW
from pipeline.units import format_short

DEMANDS = {
    "D_guest_cpu": "the CPU time of its processes in the guest",
    "D_host_cpu": "the CPU time of its whole virtual machine",
    "D_vdisk": "the time at the guest's disk",
    "D_disk": "the time at the host's disk",
}
"""Service demands in words."""


def df_server_ratio(data: StudyData, better: str, worse: str) -> pl.DataFrame:
    """Every comparison of the two servers, schema ``SERVER_RATIO``; virtual servers by their titles."""
    frame = data.server_ratio(better, worse)
    return frame.with_columns(pl.col("virtual_server").replace(data.titles))


def server_ratio_text(frame: pl.DataFrame, better: str, worse: str) -> list[str]:
    """A sentence for each virtual server on what the client measured, and on the demands behind it."""
    said = []
    for name in frame["virtual_server"].unique(maintain_order=True):
        mine = frame.filter((pl.col("virtual_server") == name) & pl.col("ratio").is_not_null())
        seen = mine.filter((pl.col("quantity") == "R_req") & (pl.col("source") == CLIENT))
        parts = [
            f"For a request to the {name}, the client says: {ratio_text(row, better, worse)}"
            for row in seen.iter_rows(named=True)
        ]
        demands = mine.filter(pl.col("source") == LAW)
        parts += [
            f"by {DEMANDS[row['quantity']]}: {ratio_text(row, better, worse)}"
            for row in demands.iter_rows(named=True)
        ]
        if parts:
            said.append("; ".join(parts) + ".")
    return said


def ratio_text(row: dict, better: str, worse: str) -> str:
    """A row of ``SERVER_RATIO`` in words: "the first server is 2.1 to 2.6 times faster"."""
    times, low, high = row["ratio"], row["low"], row["high"]
    if low is None or high is None:
        who, much = (better, times) if times >= 1 else (worse, 1 / times)
        return f"the {who} server is {format_short(much, 2)} times faster, how surely is not known"
    if low <= 1 <= high:
        return (
            f"which server is faster cannot be told ({format_short(low, 2)} to {format_short(high, 2)} times "
            f"the {worse} server's speed)"
        )
    who = better if low > 1 else worse
    least, most = (low, high) if low > 1 else (1 / high, 1 / low)
    return f"the {who} server is {format_short(least, 2)} to {format_short(most, 2)} times faster"
