"""The ledger as Parquet: data/processed/ledger/study=…/server=…/run=…/ledger.parquet."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline import files
from pipeline.bundle import Run


def store(frame: pl.DataFrame, run: Run, processed: Path | str) -> Path:
    """Write one run's ledger, whole or not at all; the same ledger gives the same bytes."""
    folder = Path(
        processed, "ledger", f"study={run.study}", f"server={run.server}", f"run={run.run}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ledger.parquet"
    with files.whole(path) as part:
        frame.write_parquet(part, compression="zstd")
    return path
