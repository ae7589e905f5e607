"""Estimates whose coverage is tested: the ledger's demands, and the Service Demand Law with moving blocks."""

from __future__ import annotations

import polars as pl
from coverage import Recorded

from pipeline.demands.service_demand import estimate_demands
from pipeline.ledger import run_ledger
from pipeline.measure.virtual_server import RunCounters

STATIONS_OF_THE_LAW = {"cpu": "guest_cpu", "vdisk": "vdisk", "disk": "disk"}
ROWS = {"R_cpu": "cpu", "D_vdisk_req": "vdisk", "D_disk_req": "disk"}


def by_ledger(recorded: Recorded) -> pl.DataFrame:
    """The demands of the corrected variant."""
    ledger = run_ledger(recorded.run, recorded.processed)
    corrected = ledger.filter(
        (pl.col("background") == "off")
        & (pl.col("demand").is_null() | (pl.col("demand") == "service-demand"))
        & (pl.col("equation") != "MVA")
    )
    rows = []
    for row in corrected.iter_rows(named=True):
        station = ROWS.get(row["quantity"])
        if station is not None and row["value"] is not None:
            low, high = (
                row[end] if row[end] is not None else row["value"] for end in ("low", "high")
            )
            rows.append((row["virtual_server"], station, row["value"], low, high))
    numbers = dict.fromkeys(("demand", "low", "high"), pl.Float64)
    schema = {"virtual_server": pl.String, "station": pl.String, **numbers}
    return pl.DataFrame(rows, schema=schema, orient="row")


def by_law(recorded: Recorded) -> pl.DataFrame:
    """The Service Demand Law with moving blocks: what reports and models use (pipeline/demands/service_demand.py)."""
    rows = []
    for server in recorded.run.virtual_servers.values():
        if server.workload is None:
            continue
        demands = estimate_demands(RunCounters(recorded.run, server, recorded.processed))
        rows += [
            (server.name, name, d.value_s, d.low_s, d.high_s)
            for name, station in STATIONS_OF_THE_LAW.items()
            for d in [demands.demands.get(station)]
            if d is not None
        ]
    return pl.DataFrame(
        rows, schema=["virtual_server", "station", "demand", "low", "high"], orient="row"
    )
