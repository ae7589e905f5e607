"""Which processes of a machine wrote how many bytes under the load of a run, by iotop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl

from pipeline.measure.disks import server_iotop_rows, task_bytes, with_interval_s
from pipeline.measure.group_sums import sum_by_group
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import MissingData, bracketing_span, load_window
from pipeline.raw import HOST
from pipeline.tables import floats, texts

if TYPE_CHECKING:
    from pipeline.api.run import RunData

WRITERS = pl.Schema(
    texts("process", "virtual_server")
    | {"is_collector": pl.Boolean, "tasks": pl.Int64}
    | floats("written_bytes", "read_bytes", "share")
)
"""One row per process name, most bytes written first: the virtual server that it belongs to by the patterns of run.json
(null for others), whether it is one of the tools that recorded the run, its number of tasks, bytes written and read in
the load's window, and its share of all written bytes."""

COLLECTOR = (
    r"^\S+(?:\s+-\S+)*\s+\S*/(?:collectors|agent)/\S+|^(?:\S*/)?(?:top|iotop|iotop-py)(?:\s|$)"
)
"""Commands that record a run: a script of ``collectors/``, or a tool that it starts."""
NO_NAME = r"^\{"
"""What iotop prints for a task that exited before its name was read."""

BARE_NAME = pl.col("process").str.strip_chars("[]")
"""iotop puts the name of a process whose command line is gone in brackets, as it does with kernel threads."""


def df_writers(data: RunData, role: str) -> pl.DataFrame:
    """Bytes that the processes of a machine wrote and read under the load. Schema: ``WRITERS``.

    Threads count for their process, by the name without what iotop adds in brackets. A page is charged to the task that
    dirties it, so the bytes are those of the page cache, not of a disk. Raises ``MissingData`` without iotop.
    """
    tables = RunTables(data.run, data.processed)
    totals = tables.sampled("iotop_totals", role)
    span = bracketing_span(totals, load_window(data.run))
    rows = tables.sampled("iotop_tasks", role)
    bytes_of = task_bytes(with_interval_s(rows, totals), span)
    unnamed = pl.col("command").str.contains(NO_NAME)
    commands = rows.group_by(task=pl.coalesce("tid", "pid")).agg(
        pl.coalesce(pl.col("command").filter(~unnamed).last(), pl.col("command").last()).alias(
            "command"
        )
    )
    program = pl.col("command").str.extract(r"^(\S+)").str.extract(r"([^/]+)$")
    kernel_or_unnamed = pl.col("command").str.contains(r"^[\[{]")
    by_task = (
        bytes_of.join(commands, on="task", how="left", maintain_order="left")
        .with_columns(
            process=pl.when(kernel_or_unnamed).then("command").otherwise(program),
            is_collector=pl.col("command").str.contains(COLLECTOR),
        )
        .with_columns(virtual_server=_virtual_server(data, tables, role))
        .with_columns(
            process=pl.when(pl.col("virtual_server").is_null())
            .then("process")
            .otherwise(BARE_NAME),
            is_collector=pl.col("is_collector") & pl.col("virtual_server").is_null(),
        )
    )
    frame = sum_by_group(
        by_task,
        ["process", "virtual_server", "is_collector"],
        tasks=pl.lit(1),
        written_bytes=pl.col("written_bytes"),
        read_bytes=pl.col("read_bytes"),
    ).with_columns(
        pl.col("tasks").cast(pl.Int64), pl.col("written_bytes", "read_bytes") * span.scale
    )
    total = frame["written_bytes"].sum()
    share = pl.col("written_bytes") / total if total else pl.lit(None, pl.Float64)
    return (
        frame.with_columns(share=share)
        .sort("written_bytes", "process", descending=[True, False], maintain_order=True)
        .select(WRITERS.names())
    )


def _virtual_server(data: RunData, tables: RunTables, role: str) -> pl.Expr:
    """The virtual server whose QEMU (on the host) or server process (in its guest) a task is."""
    cases = [pl.lit(None, pl.String)]
    for vs in data.run.virtual_servers.values():
        if role not in (HOST, vs.role):
            continue
        with suppress(MissingData):
            rows = server_iotop_rows(tables, role, vs)
            own = rows.select(pl.coalesce("tid", "pid")).to_series().unique()
            cases.insert(-1, pl.when(pl.col("task").is_in(own.implode())).then(pl.lit(vs.name)))
    return pl.coalesce(*cases)
