"""The tidy tables: name, type, unit and meaning of every column.

A :class:`~pipeline.tables.schema.Table` is plain data. Parsers return frames with these schemas, ``ingest``
writes them as Parquet, ``measure`` reads them, and ``docs/reference/tables.md`` is printed from them.

Conventions: times are UTC. The suffix of a column is its unit (``_s``, ``_ms``, ``_ns``, ``_bytes``,
``_percent``, ``_ticks``). The same quantity has the same name in every table. Counters are Int64, because
Polars joins signed with unsigned integers into Int128, which Parquet readers do not support. A value that is
not available is null, never 0.
"""

from pipeline.tables.disks import BLOCK, IOTOP_TASKS, IOTOP_TOTALS
from pipeline.tables.processes import (
    CPUS,
    KERNEL_COUNTERS,
    TASK_PROCESSES,
    TASKS,
    TOP_PROCESSES,
    TOP_SUMMARY,
)
from pipeline.tables.requests import CLIENT, REQUESTS
from pipeline.tables.runs import LEDGER, REJECTS, RUNS
from pipeline.tables.schema import (
    RUN_KEYS,
    UTC_NS,
    Table,
    TableError,
    conform,
    empty,
    flat,
    floats,
    of_rows,
    polars_schema,
    texts,
)

SAMPLED = (
    TOP_SUMMARY,
    TOP_PROCESSES,
    IOTOP_TOTALS,
    IOTOP_TASKS,
    BLOCK,
    TASKS,
    TASK_PROCESSES,
    CPUS,
    KERNEL_COUNTERS,
)
LOGGED = (REQUESTS, CLIENT, REJECTS)
STORED = {table.name: table for table in (RUNS, *SAMPLED, *LOGGED)}
"""Tables that ``ingest`` writes, by name. Stored rows also have ``role`` and RUN_KEYS."""

ALL = {**STORED, LEDGER.name: LEDGER}

__all__ = [
    "ALL",
    "BLOCK",
    "CLIENT",
    "CPUS",
    "IOTOP_TASKS",
    "IOTOP_TOTALS",
    "KERNEL_COUNTERS",
    "LEDGER",
    "LOGGED",
    "REJECTS",
    "REQUESTS",
    "RUNS",
    "RUN_KEYS",
    "SAMPLED",
    "STORED",
    "TASKS",
    "TASK_PROCESSES",
    "TOP_PROCESSES",
    "TOP_SUMMARY",
    "UTC_NS",
    "Table",
    "TableError",
    "conform",
    "empty",
    "flat",
    "floats",
    "of_rows",
    "polars_schema",
    "texts",
]
