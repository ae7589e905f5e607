"""Tables of disk I/O: iotop.log and block.log."""

from __future__ import annotations

import polars as pl

from pipeline.tables.schema import Column, Table, required_column, snapshot_columns

IOTOP_TOTALS = Table(
    "iotop_totals",
    "One row per snapshot of iotop: its Total and Actual (Current) lines.",
    {
        **snapshot_columns(),
        "read_bytes_per_s": Column(pl.Float64, "rate at which tasks read (Total DISK READ)"),
        "write_bytes_per_s": Column(pl.Float64, "rate at which tasks write (Total DISK WRITE)"),
        "actual_read_bytes_per_s": Column(
            pl.Float64,
            "rate at which devices read (Actual or Current DISK READ)",
        ),
        "actual_write_bytes_per_s": Column(
            pl.Float64,
            "rate at which devices write (Actual or Current DISK WRITE)",
        ),
        "read_bytes": Column(pl.Float64, "bytes read by tasks since iotop started (iotop -a)"),
        "write_bytes": Column(pl.Float64, "bytes written by tasks since iotop started (iotop -a)"),
        "actual_read_bytes": Column(
            pl.Float64,
            "bytes read by devices since iotop started (iotop -a)",
        ),
        "actual_write_bytes": Column(
            pl.Float64,
            "bytes written by devices since iotop started (iotop -a)",
        ),
        "resolution_bytes": Column(
            pl.Float64,
            "resolution of the row's least precise number, from its last printed digit",
        ),
        "is_interval": required_column(
            pl.Boolean,
            "false for the first iteration, whose rates do not cover one interval",
        ),
        "flags": Column(
            pl.String,
            "known faults of the tool that affect this row, separated by blanks",
        ),
    },
)

IOTOP_TASKS = Table(
    "iotop_tasks",
    "One row per task (process with -P) and snapshot of iotop.",
    {
        **snapshot_columns(),
        "tid": Column(pl.Int64, "thread id (TID); null with -P"),
        "pid": Column(pl.Int64, "process id (PID, with iotop -P); null otherwise"),
        "priority": Column(pl.String, "I/O priority (PRIO)"),
        "user": Column(pl.String, "owner"),
        "read_bytes_per_s": Column(pl.Float64, "read rate over the interval (DISK READ)"),
        "write_bytes_per_s": Column(pl.Float64, "write rate over the interval (DISK WRITE)"),
        "read_bytes": Column(pl.Float64, "bytes read since iotop started (iotop -a)"),
        "write_bytes": Column(pl.Float64, "bytes written since iotop started (iotop -a)"),
        "resolution_bytes": Column(
            pl.Float64,
            "resolution of the less precise of the two numbers, from its last printed digit",
        ),
        "swapin_percent": Column(
            pl.Float64,
            "time spent swapping in (SWAPIN); null where delay accounting is off",
        ),
        "io_percent": Column(
            pl.Float64,
            "time spent waiting for I/O (IO>); null where delay accounting is off",
        ),
        "command": Column(pl.String, "command name or command line (COMMAND)"),
        "is_interval": required_column(pl.Boolean, "false for the first iteration"),
        "flags": Column(
            pl.String,
            "known faults of the tool that affect this row, separated by blanks",
        ),
    },
)

BLOCK = Table(
    "block",
    "One row per device and snapshot of /sys/block/DEV/stat (or /proc/diskstats): counters since boot. "
    "Kernel documentation: Documentation/block/stat.rst. Sectors are 512 bytes for every device.",
    {
        **snapshot_columns(),
        "device": required_column(pl.String, "device name in the kernel"),
        "major_minor": Column(pl.String, "major:minor (/proc/diskstats only)"),
        "reads": Column(pl.Int64, "read operations completed"),
        "reads_merged": Column(pl.Int64, "reads merged into adjacent requests"),
        "read_sectors": Column(pl.Int64, "512-byte sectors read"),
        "read_ms": Column(pl.Int64, "time of reads, waiting and service, summed over requests"),
        "writes": Column(pl.Int64, "write operations completed"),
        "writes_merged": Column(pl.Int64, "writes merged into adjacent requests"),
        "write_sectors": Column(pl.Int64, "512-byte sectors written"),
        "write_ms": Column(pl.Int64, "time of writes, waiting and service, summed over requests"),
        "in_flight": Column(pl.Int64, "requests in flight at the time of the snapshot"),
        "io_ticks_ms": Column(pl.Int64, "time with at least one request in flight"),
        "time_in_queue_ms": Column(
            pl.Int64,
            "integral over time of the number of requests in flight",
        ),
        "discards": Column(pl.Int64, "discards completed (since Linux 4.18)"),
        "discards_merged": Column(pl.Int64, "discards merged (since Linux 4.18)"),
        "discard_sectors": Column(pl.Int64, "512-byte sectors discarded (since Linux 4.18)"),
        "discard_ms": Column(pl.Int64, "time of discards (since Linux 4.18)"),
        "flushes": Column(pl.Int64, "flushes completed (since Linux 5.5)"),
        "flush_ms": Column(pl.Int64, "time of flushes (since Linux 5.5)"),
        "fields": required_column(pl.Int64, "number of fields that the kernel printed"),
    },
)
