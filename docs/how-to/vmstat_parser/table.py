"""The table ``vmstat``: what docs/how-to/add-a-parser.md adds to ``pipeline/tables/``."""

import polars as pl

from pipeline.tables.schema import Column, Table, required_column, snapshot_columns

VMSTAT = Table(
    "vmstat",
    "One row per snapshot of vmstat. Rates are means over the interval; see is_interval.",
    {
        **snapshot_columns(),
        "runnable": Column(pl.Int64, "tasks that run or wait for a CPU"),
        "blocked": Column(pl.Int64, "tasks in uninterruptible sleep"),
        "swap_used_bytes": Column(pl.Int64, "used swap"),
        "free_bytes": Column(pl.Int64, "free memory"),
        "buffer_bytes": Column(pl.Int64, "memory used as buffers; null with -a"),
        "cache_bytes": Column(pl.Int64, "memory used as cache; null with -a"),
        "inactive_bytes": Column(pl.Int64, "inactive memory (-a)"),
        "active_bytes": Column(pl.Int64, "active memory (-a)"),
        "swap_in_bytes_per_s": Column(pl.Int64, "swapped in"),
        "swap_out_bytes_per_s": Column(pl.Int64, "swapped out"),
        "read_bytes_per_s": Column(pl.Int64, "read from block devices"),
        "write_bytes_per_s": Column(pl.Int64, "written to block devices"),
        "interrupts_per_s": Column(pl.Int64, "interrupts"),
        "context_switches_per_s": Column(pl.Int64, "context switches"),
        "cpu_user_percent": Column(pl.Float64, "us"),
        "cpu_system_percent": Column(pl.Float64, "sy"),
        "cpu_idle_percent": Column(pl.Float64, "id"),
        "cpu_iowait_percent": Column(pl.Float64, "wa"),
        "cpu_steal_percent": Column(pl.Float64, "st"),
        "cpu_guest_percent": Column(pl.Float64, "gu; null where vmstat does not print it"),
        "is_interval": required_column(
            pl.Boolean, "false for the first row, whose means are since boot"
        ),
    },
)
