"""Tables of requests: the servers' own logs and the load generators' reports."""

from __future__ import annotations

import polars as pl

from pipeline.tables.schema import UTC_NS, Column, Table, required_column

REQUESTS = Table(
    "requests",
    "One row per request line of a server's log: Apache's access log or MySQL's general query log.",
    {
        "log": required_column(pl.String, "access or general"),
        "line": required_column(pl.Int64, "number of the record's first line in the log, from 1"),
        "time": Column(UTC_NS, "time as logged, converted to UTC"),
        "connection": Column(pl.Int64, "connection (thread) id (general)"),
        "client": Column(pl.String, "address or name of the client (access)"),
        "user": Column(pl.String, "authenticated user (access)"),
        "command": Column(
            pl.String,
            "HTTP method (access) or command: Query, Execute, Connect … (general)",
        ),
        "target": Column(pl.String, "request target (access) or statement (general)"),
        "protocol": Column(pl.String, "HTTP version (access)"),
        "status": Column(pl.Int64, "HTTP status (access)"),
        "response_bytes": Column(
            pl.Int64,
            "bytes sent, without headers unless only those with headers are logged (access)",
        ),
        "referer": Column(pl.String, "Referer (access, combined)"),
        "user_agent": Column(pl.String, "User-Agent (access, combined)"),
        "response_time_s": Column(
            pl.Float64, "response time measured by the server, where its format logs it (access)"
        ),
        "upstream_response_time_s": Column(
            pl.Float64,
            "response time of the servers behind it, summed over all that were asked (access, nginx)",
        ),
        "flags": Column(pl.String, "warnings about this row, separated by blanks"),
    },
)

CLIENT = Table(
    "client",
    "Measurements of the load generator: one summary row per report and one row per interval line.",
    {
        "tool": required_column(pl.String, "httperf or sysbench"),
        "version": Column(pl.String, "version of the tool, where printed"),
        "kind": required_column(pl.String, "summary or interval"),
        "line": required_column(pl.Int64, "number of the record's first line in the log, from 1"),
        "elapsed_s": Column(
            pl.Float64,
            "time since the load started (interval rows) or length of the load (summary)",
        ),
        "threads": Column(pl.Int64, "concurrent threads of the generator (sysbench)"),
        "offered_rate_per_s": Column(
            pl.Float64,
            "rate requested on the command line, where the log shows it",
        ),
        "connections": Column(pl.Int64, "connections opened (httperf)"),
        "requests": Column(
            pl.Int64,
            "requests sent (httperf), or queries or operations of files or memory (sysbench)",
        ),
        "replies": Column(pl.Int64, "replies received (httperf)"),
        "transactions": Column(pl.Int64, "transactions completed (sysbench)"),
        "completions": Column(
            pl.Int64,
            "user requests completed: replies (httperf) or transactions (sysbench)",
        ),
        "throughput_per_s": Column(pl.Float64, "user requests completed per second, as printed"),
        "queries_per_s": Column(pl.Float64, "statements per second (sysbench)"),
        "reads_per_s": Column(pl.Float64, "reads of files per second (sysbench fileio)"),
        "writes_per_s": Column(pl.Float64, "writes of files per second (sysbench fileio)"),
        "fsyncs_per_s": Column(pl.Float64, "calls of fsync per second (sysbench fileio)"),
        "read_bytes_per_s": Column(
            pl.Float64, "bytes read from files per second (sysbench fileio)"
        ),
        "write_bytes_per_s": Column(
            pl.Float64, "bytes written to files per second (sysbench fileio)"
        ),
        "transferred_bytes": Column(
            pl.Float64, "bytes transferred in total (sysbench memory, and fileio before 1.0)"
        ),
        "transferred_bytes_per_s": Column(
            pl.Float64, "bytes transferred per second (sysbench memory, and fileio before 1.0)"
        ),
        "sessions": Column(pl.Int64, "sessions started (httperf --wsess, --wsesslog)"),
        "sessions_completed": Column(pl.Int64, "sessions completed (httperf)"),
        "sessions_per_s": Column(pl.Float64, "sessions completed per second (httperf)"),
        "session_time_mean_s": Column(
            pl.Float64, "mean lifetime of a completed session (httperf), to 0.1 s"
        ),
        "response_time_mean_s": Column(
            pl.Float64,
            "mean response time: reply time, response plus transfer (httperf), or average latency (sysbench)",
        ),
        "response_time_min_s": Column(pl.Float64, "minimum response time"),
        "response_time_max_s": Column(pl.Float64, "maximum response time"),
        "response_time_percentile_s": Column(pl.Float64, "response time at that percentile"),
        "percentile": Column(pl.Float64, "percentile of response_time_percentile_s"),
        "response_time_sum_s": Column(pl.Float64, "sum of all response times (sysbench)"),
        "connect_time_mean_s": Column(pl.Float64, "mean time to connect (httperf)"),
        "connection_time_mean_s": Column(pl.Float64, "mean lifetime of a connection (httperf)"),
        "connection_time_stddev_s": Column(
            pl.Float64,
            "standard deviation of the lifetime of a connection (httperf)",
        ),
        "reply_bytes_mean": Column(pl.Float64, "mean reply size, header and content (httperf)"),
        "errors": Column(pl.Int64, "errors, total"),
        "errors_timeout": Column(pl.Int64, "client timeouts (httperf)"),
        "errors_refused": Column(pl.Int64, "connections refused (httperf)"),
        "errors_reset": Column(pl.Int64, "connections reset (httperf)"),
        "errors_fd_unavailable": Column(pl.Int64, "no file descriptor available (httperf)"),
        "errors_other": Column(pl.Int64, "other errors"),
        "reconnects": Column(pl.Int64, "reconnects (sysbench)"),
        "cpu_user_percent": Column(
            pl.Float64,
            "CPU time of the load generator in user mode (httperf)",
        ),
        "cpu_system_percent": Column(
            pl.Float64,
            "CPU time of the load generator in the kernel (httperf)",
        ),
        "flags": Column(pl.String, "warnings about this row, separated by blanks"),
        **{
            f"replies_{status}": Column(pl.Int64, f"replies with status {status} (httperf)")
            for status in ("1xx", "2xx", "3xx", "4xx", "5xx")
        },
    },
)

IS_REQUEST = (pl.col("log") == "access") | (
    pl.col("command").is_in(["Query", "Execute"])  # a statement that is prepared is not run yet
    & pl.col("target").str.strip_chars().str.to_uppercase().str.starts_with("COMMIT")
)
"""Which rows of table ``requests`` are user requests: all of an access log, what a general log commits."""
