"""What docs/how-to/add-a-parser.md adds to ``pipeline/tables.py``: the schema of the table ``vmstat``."""

import polars as pl

from pipeline.tables import _column, _required, _snapshot_columns, _table

VMSTAT = _table(
    "vmstat",
    "One row per snapshot of vmstat. Rates are means over the interval; see is_interval.",
    {
        **_snapshot_columns(),
        "runnable": _column(pl.Int64, "tasks that run or wait for a CPU"),
        "blocked": _column(pl.Int64, "tasks in uninterruptible sleep"),
        "swap_used_bytes": _column(pl.Int64, "used swap"),
        "free_bytes": _column(pl.Int64, "free memory"),
        "buffer_bytes": _column(pl.Int64, "memory used as buffers; null with -a"),
        "cache_bytes": _column(pl.Int64, "memory used as cache; null with -a"),
        "inactive_bytes": _column(pl.Int64, "inactive memory (-a)"),
        "active_bytes": _column(pl.Int64, "active memory (-a)"),
        "swap_in_bytes_per_s": _column(pl.Int64, "swapped in"),
        "swap_out_bytes_per_s": _column(pl.Int64, "swapped out"),
        "read_bytes_per_s": _column(pl.Int64, "read from block devices"),
        "write_bytes_per_s": _column(pl.Int64, "written to block devices"),
        "interrupts_per_s": _column(pl.Int64, "interrupts"),
        "context_switches_per_s": _column(pl.Int64, "context switches"),
        "cpu_user_percent": _column(pl.Float64, "us"),
        "cpu_system_percent": _column(pl.Float64, "sy"),
        "cpu_idle_percent": _column(pl.Float64, "id"),
        "cpu_iowait_percent": _column(pl.Float64, "wa"),
        "cpu_steal_percent": _column(pl.Float64, "st"),
        "cpu_guest_percent": _column(pl.Float64, "gu; null where vmstat does not print it"),
        "is_interval": _required(pl.Boolean, "false for the first row, whose means are since boot"),
    },
)
