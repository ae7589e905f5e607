"""The tidy tables: every column's name, type, unit and meaning, in one place.

A table is a pandera schema. Parsers build frames in these forms, ``ingest`` writes them as Parquet,
``measure`` reads them, and ``docs/reference/tables.md`` is printed from them.

Conventions: times are UTC; a unit is the column's suffix (``_s``, ``_ms``, ``_ns``, ``_bytes``, ``_percent``,
``_ticks``); the same quantity has the same name everywhere; counters are Int64, never unsigned (Polars
joins signed with unsigned into Int128, which Parquet readers do not know); what could not be read is null, never 0.
"""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

UTC_NS = pl.Datetime("ns", "UTC")

RUN_KEYS = ("study", "server", "run")
"""The partition columns of every stored table. A parser's frame does not have them; ``ingest`` adds them."""


def _column(
    dtype: pl.DataType | type[pl.DataType], meaning: str, *, null: bool = True
) -> pa.Column:
    return pa.Column(dtype, nullable=null, description=meaning)


def _required(dtype: pl.DataType | type[pl.DataType], meaning: str) -> pa.Column:
    return _column(dtype, meaning, null=False)


def _table(name: str, meaning: str, columns: dict[str, pa.Column]) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(columns, name=name, description=meaning, strict=True, ordered=True)


def _snapshot_columns() -> dict[str, pa.Column]:
    """What every sampled row carries: where its snapshot stands in the log and when it was taken."""
    return {
        "snapshot": _required(pl.Int64, "number of the snapshot in its log, from 0"),
        "line": _required(
            pl.Int64,
            "number of the row's first line in the log, from 1; of a rotated log: through all its pieces",
        ),
        "time": _column(UTC_NS, "when the snapshot was taken, by the recording machine's clock"),
        "monotonic_ns": _column(
            pl.Int64, "CLOCK_MONOTONIC of the recording machine; null without sentinels"
        ),
        "seq": _column(pl.Int64, "the collector's tick; null without sentinels"),
        "boot_id": _column(pl.String, "boot id of the recording machine; null without sentinels"),
    }


TOP_SUMMARY = _table(
    "top_summary",
    "One row a snapshot of top: the lines above the table.",
    {
        **_snapshot_columns(),
        "clock": _column(pl.String, "HH:MM:SS as top printed it, in the machine's own zone"),
        "uptime_s": _column(pl.Int64, "time since boot, as coarse as top prints it"),
        "users": _column(pl.Int64, "logged in users"),
        "load_1": _column(pl.Float64, "load average over 1 minute"),
        "load_5": _column(pl.Float64, "load average over 5 minutes"),
        "load_15": _column(pl.Float64, "load average over 15 minutes"),
        "counts_threads": _column(pl.Boolean, "top -H: the counts below are threads"),
        "tasks": _column(pl.Int64, "tasks in all"),
        "tasks_running": _column(pl.Int64, "running tasks"),
        "tasks_sleeping": _column(pl.Int64, "sleeping tasks"),
        "tasks_stopped": _column(pl.Int64, "stopped tasks"),
        "tasks_zombie": _column(pl.Int64, "zombie tasks"),
        "cpu_user_percent": _column(pl.Float64, "us"),
        "cpu_system_percent": _column(pl.Float64, "sy"),
        "cpu_nice_percent": _column(pl.Float64, "ni"),
        "cpu_idle_percent": _column(pl.Float64, "id"),
        "cpu_iowait_percent": _column(pl.Float64, "wa"),
        "cpu_hardirq_percent": _column(pl.Float64, "hi"),
        "cpu_softirq_percent": _column(pl.Float64, "si"),
        "cpu_steal_percent": _column(pl.Float64, "st; null where top does not print it"),
        "memory_total_bytes": _column(pl.Int64, "memory in all"),
        "memory_free_bytes": _column(pl.Int64, "free memory"),
        "memory_used_bytes": _column(pl.Int64, "used memory"),
        "memory_cache_bytes": _column(pl.Int64, "buffers and cache"),
        "memory_available_bytes": _column(pl.Int64, "memory available without swapping"),
        "swap_total_bytes": _column(pl.Int64, "swap in all"),
        "swap_free_bytes": _column(pl.Int64, "free swap"),
        "swap_used_bytes": _column(pl.Int64, "used swap"),
        "is_interval": _required(
            pl.Boolean, "false for top's first iteration, whose percentages are since boot or birth"
        ),
        "flags": _column(pl.String, "doubts about this snapshot, separated by blanks"),
    },
)

TOP_PROCESSES = _table(
    "top_processes",
    "One row a process (or thread, with -H) and snapshot of top.",
    {
        **_snapshot_columns(),
        "pid": _required(pl.Int64, "process id; the thread's id with -H"),
        "ppid": _column(pl.Int64, "parent's process id, where the column is shown"),
        "user": _column(pl.String, "owner; may end in + where top cut it"),
        "priority": _column(pl.String, "PR: a number or rt"),
        "nice": _column(pl.Int64, "NI"),
        "virtual_bytes": _column(pl.Int64, "VIRT"),
        "resident_bytes": _column(pl.Int64, "RES"),
        "shared_bytes": _column(pl.Int64, "SHR"),
        "state": _column(pl.String, "S"),
        "cpu_percent": _column(
            pl.Float64, "%CPU over the interval; see is_interval of top_summary"
        ),
        "memory_percent": _column(pl.Float64, "%MEM"),
        "cpu_time_s": _column(pl.Float64, "TIME+: CPU time used since birth"),
        "cpu_time_resolution_s": _column(
            pl.Float64, "one step of TIME+ in the form it was printed"
        ),
        "command": _column(pl.String, "COMMAND, the rest of the line"),
        "tgid": _column(pl.Int64, "the thread's process, where the column is shown"),
        "is_thread": _required(pl.Boolean, "the row is a thread (top -H)"),
        "flags": _column(pl.String, "faults of the tool that touch this row, separated by blanks"),
    },
)

IOTOP_TOTALS = _table(
    "iotop_totals",
    "One row a snapshot of iotop: its Total and Actual (Current) lines.",
    {
        **_snapshot_columns(),
        "read_bytes_per_s": _column(pl.Float64, "Total DISK READ: asked for by tasks"),
        "write_bytes_per_s": _column(pl.Float64, "Total DISK WRITE: asked for by tasks"),
        "actual_read_bytes_per_s": _column(
            pl.Float64, "Actual (Current) DISK READ: done by devices"
        ),
        "actual_write_bytes_per_s": _column(
            pl.Float64, "Actual (Current) DISK WRITE: done by devices"
        ),
        "read_bytes": _column(pl.Float64, "the same accumulated since the start (iotop -a)"),
        "write_bytes": _column(pl.Float64, "the same accumulated since the start (iotop -a)"),
        "actual_read_bytes": _column(pl.Float64, "the same accumulated since the start (iotop -a)"),
        "actual_write_bytes": _column(
            pl.Float64, "the same accumulated since the start (iotop -a)"
        ),
        "resolution_bytes": _column(
            pl.Float64, "the coarsest last printed digit of the row's numbers"
        ),
        "is_interval": _required(
            pl.Boolean, "false for the first iteration, whose rates are not one interval's"
        ),
        "flags": _column(pl.String, "faults of the tool that touch this row, separated by blanks"),
    },
)

IOTOP_TASKS = _table(
    "iotop_tasks",
    "One row a task (or process, with -P) and snapshot of iotop.",
    {
        **_snapshot_columns(),
        "tid": _column(pl.Int64, "TID column; null with -P"),
        "pid": _column(pl.Int64, "PID column (iotop -P); null otherwise"),
        "priority": _column(pl.String, "PRIO"),
        "user": _column(pl.String, "owner"),
        "read_bytes_per_s": _column(pl.Float64, "DISK READ over the interval"),
        "write_bytes_per_s": _column(pl.Float64, "DISK WRITE over the interval"),
        "read_bytes": _column(pl.Float64, "DISK READ accumulated since the start (iotop -a)"),
        "write_bytes": _column(pl.Float64, "DISK WRITE accumulated since the start (iotop -a)"),
        "resolution_bytes": _column(pl.Float64, "the coarser last printed digit of the two"),
        "swapin_percent": _column(pl.Float64, "SWAPIN; null where delay accounting is off"),
        "io_percent": _column(pl.Float64, "IO>; null where delay accounting is off"),
        "command": _column(pl.String, "COMMAND, the rest of the line"),
        "is_interval": _required(pl.Boolean, "false for the first iteration"),
        "flags": _column(pl.String, "faults of the tool that touch this row, separated by blanks"),
    },
)

BLOCK = _table(
    "block",
    "One row a device and snapshot of /sys/block/DEV/stat (or /proc/diskstats): counters since boot. "
    "Kernel documentation: Documentation/block/stat.rst. Sectors are 512 bytes whatever the device says.",
    {
        **_snapshot_columns(),
        "device": _required(pl.String, "kernel name"),
        "major_minor": _column(pl.String, "major:minor (/proc/diskstats only)"),
        "reads": _column(pl.Int64, "read operations completed"),
        "reads_merged": _column(pl.Int64, "reads merged into others"),
        "read_sectors": _column(pl.Int64, "512-byte sectors read"),
        "read_ms": _column(
            pl.Int64, "time that reads waited and were served, summed over requests"
        ),
        "writes": _column(pl.Int64, "write operations completed"),
        "writes_merged": _column(pl.Int64, "writes merged into others"),
        "write_sectors": _column(pl.Int64, "512-byte sectors written"),
        "write_ms": _column(
            pl.Int64, "time that writes waited and were served, summed over requests"
        ),
        "in_flight": _column(pl.Int64, "requests in flight now"),
        "io_ticks_ms": _column(pl.Int64, "time with at least one request in flight"),
        "time_in_queue_ms": _column(pl.Int64, "requests in flight, integrated over time"),
        "discards": _column(pl.Int64, "discards completed (since 4.18)"),
        "discards_merged": _column(pl.Int64, "discards merged (since 4.18)"),
        "discard_sectors": _column(pl.Int64, "512-byte sectors discarded (since 4.18)"),
        "discard_ms": _column(pl.Int64, "time of discards (since 4.18)"),
        "flushes": _column(pl.Int64, "flushes completed (since 5.5)"),
        "flush_ms": _column(pl.Int64, "time of flushes (since 5.5)"),
        "fields": _required(pl.Int64, "how many fields the kernel printed"),
    },
)

TASKS = _table(
    "tasks",
    "One row a thread and snapshot of tasks.log: the kernel's own counters (/proc/PID/task/TID/stat). "
    "Ticks are clock ticks, clock_ticks_per_s of facts.json in a second.",
    {
        **_snapshot_columns(),
        "pid": _required(pl.Int64, "process id"),
        "tid": _required(pl.Int64, "thread id"),
        "starttime_ticks": _required(pl.Int64, "the thread's start, ticks since boot"),
        "state": _column(pl.String, "state letter"),
        "processor": _column(pl.Int64, "CPU it last ran on"),
        "utime_ticks": _column(pl.Int64, "user time, guest time included"),
        "stime_ticks": _column(pl.Int64, "system time"),
        "guest_time_ticks": _column(pl.Int64, "time in guest mode (0 under emulation)"),
        "blkio_delay_ticks": _column(pl.Int64, "time waiting for block I/O"),
        "comm": _column(pl.String, "the thread's name"),
        "virtual_server_name": _column(
            pl.String,
            "the virtual server it works for, by its hypervisor's name; null if none or unknown",
        ),
        "task_role": _column(
            pl.String,
            "what it does there: vcpu, iothread, worker, emulator or vhost, as recorded, or by the thread's name in "
            "logs of older collectors; null if none or unknown",
        ),
        "task_role_id": _column(
            pl.String,
            "which vCPU (number) or iothread (name), or the QEMU process of a vhost thread",
        ),
    },
)

TASK_PROCESSES = _table(
    "task_processes",
    "One row a process and snapshot of tasks.log: /proc/PID/stat and /proc/PID/io.",
    {
        **_snapshot_columns(),
        "pid": _required(pl.Int64, "process id"),
        "starttime_ticks": _required(
            pl.Int64, "the process's start, ticks since boot: with pid and boot id its key"
        ),
        "ppid": _column(pl.Int64, "parent's process id"),
        "state": _column(pl.String, "state letter"),
        "threads": _column(pl.Int64, "number of threads"),
        "utime_ticks": _column(
            pl.Int64, "user time of all its threads, ended ones included, guest time included"
        ),
        "stime_ticks": _column(pl.Int64, "system time of all its threads, ended ones included"),
        "child_utime_ticks": _column(pl.Int64, "user time of children waited for"),
        "child_stime_ticks": _column(pl.Int64, "system time of children waited for"),
        "guest_time_ticks": _column(pl.Int64, "time in guest mode"),
        "blkio_delay_ticks": _column(pl.Int64, "time waiting for block I/O"),
        "resident_pages": _column(pl.Int64, "resident memory, pages"),
        "comm": _column(pl.String, "the process's name"),
        "command_line": _column(pl.String, "the command line, where recorded"),
        "read_chars_bytes": _column(pl.Int64, "rchar: read through system calls, caches included"),
        "write_chars_bytes": _column(pl.Int64, "wchar: written through system calls"),
        "read_syscalls": _column(pl.Int64, "syscr"),
        "write_syscalls": _column(pl.Int64, "syscw"),
        "read_bytes": _column(pl.Int64, "read_bytes: fetched from the block layer"),
        "write_bytes": _column(pl.Int64, "write_bytes: sent (or to be sent) to the block layer"),
        "cancelled_write_bytes": _column(
            pl.Int64, "cancelled_write_bytes: dirtied, then truncated"
        ),
        "virtual_server_name": _column(
            pl.String,
            "the virtual server it works for, by its hypervisor's name; null if none or unknown",
        ),
    },
)

CPUS = _table(
    "cpus",
    "One row a CPU (or `cpu`, all together) and snapshot of tasks.log: the cpu lines of /proc/stat.",
    {
        **_snapshot_columns(),
        "cpu": _required(pl.String, "cpu for all together, cpu0, cpu1, …"),
        **{
            f"{name}_ticks": _column(pl.Int64, f"{name} of /proc/stat")
            for name in (
                "user", "nice", "system", "idle", "iowait",
                "irq", "softirq", "steal", "guest", "guest_nice",
            )
        },
    },
)  # fmt: skip

REQUESTS = _table(
    "requests",
    "One row a request line of a server's own log: Apache's access log or MySQL's general query log.",
    {
        "log": _required(pl.String, "access or general"),
        "line": _required(pl.Int64, "number of the record's first line in the log, from 1"),
        "time": _column(UTC_NS, "as logged, brought to UTC"),
        "connection": _column(pl.Int64, "connection (thread) id (general)"),
        "client": _column(pl.String, "client's address or name (access)"),
        "user": _column(pl.String, "authenticated user (access)"),
        "command": _column(
            pl.String, "HTTP method (access) or command: Query, Execute, Connect … (general)"
        ),
        "target": _column(pl.String, "request target (access) or statement (general)"),
        "protocol": _column(pl.String, "HTTP version (access)"),
        "status": _column(pl.Int64, "HTTP status (access)"),
        "response_bytes": _column(pl.Int64, "bytes sent without headers (access); null for -"),
        "referer": _column(pl.String, "Referer (access, combined)"),
        "user_agent": _column(pl.String, "User-Agent (access, combined)"),
        "flags": _column(pl.String, "doubts about this row, separated by blanks"),
    },
)

CLIENT = _table(
    "client",
    "What a load generator measured: one summary row a report, and one row an interval line.",
    {
        "tool": _required(pl.String, "httperf or sysbench"),
        "version": _column(pl.String, "version, where printed"),
        "kind": _required(pl.String, "summary or interval"),
        "line": _required(pl.Int64, "number of the record's first line in the log, from 1"),
        "elapsed_s": _column(
            pl.Float64, "time since the load began (interval rows) or its whole length (summary)"
        ),
        "threads": _column(pl.Int64, "concurrent threads of the generator (sysbench)"),
        "offered_rate_per_s": _column(
            pl.Float64, "rate asked for on the command line, where the log tells"
        ),
        "connections": _column(pl.Int64, "connections opened (httperf)"),
        "requests": _column(pl.Int64, "requests sent (httperf) or queries in all (sysbench)"),
        "replies": _column(pl.Int64, "replies received (httperf)"),
        "transactions": _column(pl.Int64, "transactions completed (sysbench)"),
        "completions": _column(
            pl.Int64, "user requests completed: replies (httperf) or transactions (sysbench)"
        ),
        "throughput_per_s": _column(pl.Float64, "user requests completed per second, as printed"),
        "queries_per_s": _column(pl.Float64, "statements per second (sysbench)"),
        "response_time_mean_s": _column(
            pl.Float64, "reply time response + transfer (httperf) or average latency"
        ),
        "response_time_min_s": _column(pl.Float64, "smallest"),
        "response_time_max_s": _column(pl.Float64, "largest"),
        "response_time_percentile_s": _column(pl.Float64, "the percentile that was asked for"),
        "percentile": _column(pl.Float64, "which percentile that is"),
        "response_time_sum_s": _column(pl.Float64, "sum of latencies (sysbench)"),
        "connect_time_mean_s": _column(pl.Float64, "connection time [connect] (httperf)"),
        "connection_time_mean_s": _column(pl.Float64, "connection life time (httperf)"),
        "connection_time_stddev_s": _column(pl.Float64, "its standard deviation (httperf)"),
        "reply_bytes_mean": _column(pl.Float64, "mean reply size in all (httperf)"),
        "errors": _column(pl.Int64, "errors in all"),
        "errors_timeout": _column(pl.Int64, "client time-outs (httperf)"),
        "errors_refused": _column(pl.Int64, "connections refused (httperf)"),
        "errors_reset": _column(pl.Int64, "connections reset (httperf)"),
        "errors_fd_unavailable": _column(pl.Int64, "no file descriptor left (httperf)"),
        "errors_other": _column(pl.Int64, "other errors"),
        "reconnects": _column(pl.Int64, "reconnects (sysbench)"),
        "cpu_user_percent": _column(pl.Float64, "client's own CPU, user (httperf)"),
        "cpu_system_percent": _column(pl.Float64, "client's own CPU, system (httperf)"),
        "flags": _column(pl.String, "doubts about this row, separated by blanks"),
        **{
            f"replies_{status}": _column(pl.Int64, f"replies of status {status} (httperf)")
            for status in ("1xx", "2xx", "3xx", "4xx", "5xx")
        },
    },
)

REJECTS = _table(
    "rejects",
    "One row a line that is neither a record nor a header, with the reason.",
    {
        "file": _required(pl.String, "the log, relative to the run's folder where there is one"),
        "line": _required(pl.Int64, "line number, from 1"),
        "reason": _required(pl.String, "why it was not read"),
        "text": _required(pl.String, "the line itself"),
    },
)

RUNS = _table(
    "runs",
    "One row a run and virtual server: what run.json says, times brought to UTC.",
    {
        "virtual_server": _required(pl.String, "its name"),
        "role": _required(pl.String, "the folder of its guest's logs"),
        "accelerator": _column(pl.String, "kvm or tcg"),
        "window_start": _column(UTC_NS, "start of the load, client's clock"),
        "window_end": _column(UTC_NS, "end of the load, client's clock"),
        "before_start": _column(UTC_NS, "start of the idle before-state"),
        "before_end": _column(UTC_NS, "end of the idle before-state"),
        "workload": _column(pl.String, "open or closed; null for a virtual server that stood idle"),
        "rate_per_s": _column(pl.Float64, "offered rate of an open workload"),
        "arrivals": _column(pl.String, "even or poisson"),
        "population": _column(pl.Int64, "customers of a closed workload"),
        "think_time_s": _column(pl.Float64, "think time of a closed workload"),
        "request": _column(pl.String, "what one request is: HTTP request, transaction"),
        "client_log": _column(pl.String, "the client's log, relative to the run's folder"),
        "load_start": _column(UTC_NS, "start of this virtual server's own load"),
        "load_end": _column(UTC_NS, "end of this virtual server's own load"),
        "server_processes": _column(
            pl.String, "regular expression of the server's processes in the guest"
        ),
        "qemu_process": _column(pl.String, "regular expression of QEMU's command line on the host"),
        "virtual_disk": _column(pl.String, "the guest's disk"),
        "host_disk": _column(pl.String, "the host's disk under it"),
        "guest_clock_offset_ns": _column(pl.Int64, "guest's clock minus the client's"),
        "guest_clock_uncertainty_ns": _column(pl.Int64, "half the round trip it was measured with"),
        "host_clock_offset_ns": _column(pl.Int64, "host's clock minus the client's"),
        "host_clock_uncertainty_ns": _column(pl.Int64, "half the round trip it was measured with"),
        "problems": _column(pl.String, "what is wrong with the run or missing from it, one a line"),
    },
)

LEDGER = _table(
    "ledger",
    "The result: one row per number. Every number in a report is a row of it.",
    {
        "study": _required(pl.String, "study"),
        "server": _required(pl.String, "physical server"),
        "run": _required(pl.String, "run"),
        "virtual_server": _required(pl.String, "virtual server the number is about"),
        "subject": _column(
            pl.String, "what it is about where there are several: pid and start, device, load"
        ),
        "quantity": _required(pl.String, "the paper's symbol, e.g. R_disk"),
        "value": _column(
            pl.Float64, "the number; null with a reason in flags where it could not be had"
        ),
        "unit": _required(pl.String, "its unit; 1 for a ratio"),
        "low": _column(pl.Float64, "lower end of its interval"),
        "high": _column(pl.Float64, "upper end of its interval"),
        "interval": _column(
            pl.String,
            "what low and high are: `resolution` (what the instruments' steps allow) or `95 %`",
        ),
        "equation": _column(pl.String, "number of the paper's equation, or the name of ours"),
        "variant": _column(
            pl.String, "as-printed or corrected; null for what is in both or in neither"
        ),
        "demand": _column(
            pl.String, "equation 9 by which throughput: service-demand, as-printed, per-operation"
        ),
        "denominator": _column(pl.String, "equation 10 with whose utilization: own or total"),
        "background": _column(pl.String, "what an idle machine does anyway: kept or off"),
        "sum": _column(pl.String, "section IV: sum, or nested (the host's disk in the guest's)"),
        "source": _required(pl.String, "tables and columns used"),
        "flags": _column(pl.List(pl.String), "doubts and reasons; null where there are none"),
    },
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
)
LOGGED = (REQUESTS, CLIENT, REJECTS)
STORED = {schema.name: schema for schema in (RUNS, *SAMPLED, *LOGGED)}
"""Tables that ``ingest`` writes, by name. Stored rows also have ``role`` and the RUN_KEYS."""

ALL = {**STORED, LEDGER.name: LEDGER}


def polars_schema(table: pa.DataFrameSchema) -> pl.Schema:
    """The table's columns and Polars types, in order."""
    return pl.Schema({name: column.dtype.type for name, column in table.columns.items()})


def empty(table: pa.DataFrameSchema) -> pl.DataFrame:
    """A frame of the table's form without rows."""
    return pl.DataFrame(schema=polars_schema(table))


def conform(frame: pl.DataFrame, table: pa.DataFrameSchema) -> pl.DataFrame:
    """``frame`` with the table's columns in their order and types; columns that it lacks become null.

    Raises ``pandera.errors.SchemaError`` if a required value is null, ``ValueError`` on a column the table
    does not have.
    """
    schema = polars_schema(table)
    unknown = [name for name in frame.columns if name not in schema]
    if unknown:
        raise ValueError(f"{table.name} has no column {', '.join(unknown)}")
    columns = [
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    ]
    return table.validate(frame.select(columns))


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with lists of texts as one text each, joined by ``; ``, for forms that have no lists."""
    return frame.with_columns(pl.col(pl.List(pl.String)).list.join("; "))
