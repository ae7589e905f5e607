"""Compute and store the ledgers of runs."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.ingest.stored import partition_path
from pipeline.ingest.writer import locked
from pipeline.ledger import texts
from pipeline.ledger.catalogue import CHOICES, TIMED
from pipeline.ledger.evaluation import Evaluation, Row
from pipeline.measure.virtual_server import RunCounters
from pipeline.measure.window import MissingData
from pipeline.raw import Run, VirtualServer
from pipeline.tables import LEDGER, conform, polars_schema


def run_ledger(run: Run, processed: Path | str) -> pl.DataFrame:
    """Compute the ledger of one ingested run.

    Parameters
    ----------
    run
        The run.
    processed
        Folder of the ingested tables.

    Returns
    -------
    polars.DataFrame
        One row per number, form ``tables.LEDGER``: by virtual server, then in the order of the equations. A virtual
        server without a load has only the rows of its QEMU. A number that cannot be measured has no value, and the
        reason among its flags.
    """
    rows = [
        _record(run, server, row)
        for _, server in sorted(run.virtual_servers.items())
        for row in _server_rows(run, server, Path(processed))
    ]
    return conform(pl.DataFrame(rows, schema=polars_schema(LEDGER)), LEDGER)


def store_ledger(run: Run, processed: Path | str, frame: pl.DataFrame) -> str:
    """Store the ledger of a run, ``frame``, as data/processed/ledger/study=…/server=…/run=…/ledger.parquet.

    The file is written whole or not at all; the same ledger gives the same bytes. Returns their SHA-256, for
    :func:`read_ledger`. Raises ``OSError`` where it cannot be written.
    """
    content = io.BytesIO()  # Polars reports a full disk as a fault of the file
    frame.write_parquet(content, compression="zstd")
    partition = partition_path((run.study, run.server, run.run))
    folder = _folder(run, processed)
    with locked(Path(processed), partition) as staging:
        (staging / "ledger.parquet").write_bytes(content.getbuffer())
        folder.mkdir(parents=True, exist_ok=True)
        (staging / "ledger.parquet").replace(folder / "ledger.parquet")
    return hashlib.sha256(content.getbuffer()).hexdigest()


def read_ledger(run: Run, processed: Path | str, sha256: str | None) -> pl.DataFrame | None:
    """The stored ledger of a run; None if there is none, or its file has another SHA-256."""
    try:
        content = (_folder(run, processed) / "ledger.parquet").read_bytes()
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    return pl.read_parquet(io.BytesIO(content))


def _folder(run: Run, processed: Path | str) -> Path:
    return Path(processed, LEDGER.name, partition_path((run.study, run.server, run.run)))


def _server_rows(run: Run, server: VirtualServer, processed: Path) -> list[Row]:
    try:
        evaluation = Evaluation(RunCounters(run, server, processed))
    except MissingData:
        return []
    return [*(evaluation.qemu_rows() if server.workload is None else evaluation.rows())]


def _inferred(run: Run) -> tuple[str, ...]:
    """The flag of a number that rests on times which ``queuevisor import`` inferred."""
    if run.has_inferred_times:
        return (texts.TIMES_INFERRED,)
    return (texts.WINDOW_INFERRED,) if run.has_inferred_window else ()


def _record(run: Run, server: VirtualServer, row: Row) -> dict[str, Any]:
    number = row.number
    value = number.value
    ends = (None, None)
    if value is not None and number.value_low_high is not None and not number.is_exact:
        ends = tuple(
            float(end) if abs(end) != float("inf") else None for end in number.value_low_high[1:]
        )
    flags = number.flags
    if value is not None and ends[0] is not None and ends[1] is None:
        flags = (*flags, texts.NO_UPPER_BOUND)
    if value is not None and row.entry.symbol in TIMED:
        flags = (*flags, *_inferred(run))
    return {
        "study": run.study,
        "server": run.server,
        "run": run.run,
        "virtual_server": server.name,
        "subject": row.subject,
        "quantity": row.entry.symbol,
        "value": value,
        "unit": row.entry.unit,
        "low": ends[0],
        "high": ends[1],
        "interval": None if ends[0] is None else "resolution",
        "equation": row.equation,
        "variant": row.variant,
        **{name: row.choice.get(name) for name in CHOICES},
        "source": row.source,
        "flags": list(flags) or None,
    }
