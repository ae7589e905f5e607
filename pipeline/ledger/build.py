"""Runs → ledger frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl

from pipeline.bundle import Run, VirtualServer
from pipeline.ledger.inputs import measure_inputs, measure_qemu_cpu
from pipeline.ledger.quantity import exact
from pipeline.ledger.readings import Row, ledger_rows, qemu_rows
from pipeline.ledger.store import store
from pipeline.measure.window import Unmeasured
from pipeline.tables import LEDGER, conform, empty, polars_schema


def run_ledger(run: Run, processed: Path | str) -> pl.DataFrame:
    """The ledger of one ingested run, a row a number: by virtual server, then in the order of the equations.

    A virtual server without a load has only the rows of its QEMU. What a missing log leaves out is a row
    without a value that says why. Form: ``tables.LEDGER``.
    """
    rows = [
        _record(run, server, row)
        for _, server in sorted(run.virtual_servers.items())
        for row in _server_rows(run, server, Path(processed))
    ]
    return conform(pl.DataFrame(rows, schema=polars_schema(LEDGER)), LEDGER)


def study_ledger(
    runs: Iterable[Run], processed: Path | str, progress: Callable[[Run], None] | None = None
) -> pl.DataFrame:
    """The ledgers of several runs, one below the other in the order given; each is also stored."""
    frames = [empty(LEDGER)]
    for run in runs:
        frames.append(run_ledger(run, processed))
        store(frames[-1], run, processed)
        if progress is not None:
            progress(run)
    return pl.concat(frames)


def _server_rows(run: Run, server: VirtualServer, processed: Path) -> list[Row]:
    try:
        return ledger_rows(server, measure_inputs(run, server, processed))
    except Unmeasured:  # no load on it: all that can be said is what it cost the host
        idle = measure_qemu_cpu(run, server, processed)
        return [] if idle is None else [*qemu_rows(idle[0], exact(idle[1].duration_s))]


def _record(run: Run, server: VirtualServer, row: Row) -> dict[str, str | float | None]:
    number = row.number
    value = number.value
    ends = (None, None)
    if value is not None and number.triple is not None and not number.is_exact:
        ends = tuple(float(end) if abs(end) != float("inf") else None for end in number.triple[1:])
    flags = number.flags
    if value is not None and ends[0] is not None and ends[1] is None:
        flags = (*flags, "the interval has no upper end: utilization may be 1")
    return {
        "study": run.study,
        "server": run.server,
        "run": run.run,
        "virtual_server": server.name,
        "subject": row.subject,
        "quantity": row.quantity,
        "value": value,
        "unit": row.unit,
        "low": ends[0],
        "high": ends[1],
        "equation": row.equation,
        "reading": row.reading,
        "source": row.source,
        "flags": "; ".join(flags) or None,
    }
