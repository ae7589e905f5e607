"""The ledger as Parquet: data/processed/ledger/study=…/server=…/run=…/ledger.parquet."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import polars as pl

from pipeline.bundle import Run


def store(frame: pl.DataFrame, run: Run, processed: Path | str) -> Path:
    """Write one run's ledger, whole or not at all; the same ledger gives the same bytes."""
    folder = Path(
        processed, "ledger", f"study={run.study}", f"server={run.server}", f"run={run.run}"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "ledger.parquet"
    handle, name = tempfile.mkstemp(dir=folder, prefix=".ledger.", suffix=".parquet")
    os.close(handle)
    try:
        frame.write_parquet(name, compression="zstd")
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path
