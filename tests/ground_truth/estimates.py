"""The ledger's demands as an estimate: what equations 2 and 9 say, with the instruments' resolution as interval."""

from __future__ import annotations

import polars as pl
from coverage import Recorded

from pipeline.ledger import run_ledger

ROWS = {
    ("R_cpu", "background off"): "cpu",
    ("D_vdisk_req", "service-demand / background off"): "vdisk",
    ("D_disk_req", "service-demand / background off"): "disk",
}


def by_ledger(recorded: Recorded) -> pl.DataFrame:
    """Demands by the corrected readings, background taken off."""
    ledger = run_ledger(recorded.run, recorded.processed)
    rows = []
    for row in ledger.iter_rows(named=True):
        station = ROWS.get((row["quantity"], row["reading"]))
        if station is not None and row["value"] is not None:
            low, high = (
                row[end] if row[end] is not None else row["value"] for end in ("low", "high")
            )
            rows.append((row["virtual_server"], station, row["value"], low, high))
    numbers = dict.fromkeys(("demand", "low", "high"), pl.Float64)
    schema = {"virtual_server": pl.String, "station": pl.String, **numbers}
    return pl.DataFrame(rows, schema=schema, orient="row")
