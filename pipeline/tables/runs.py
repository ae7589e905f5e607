"""Tables about whole runs: manifests, rejected lines and the ledger."""

from __future__ import annotations

import polars as pl

from pipeline.tables.schema import UTC_NS, column, required_column, table_schema

RUNS = table_schema(
    "runs",
    "One row per run and virtual server: content of run.json, times converted to UTC.",
    {
        "virtual_server": required_column(pl.String, "name of the virtual server"),
        "role": required_column(pl.String, "folder with the logs of its guest"),
        "accelerator": column(pl.String, "kvm or tcg"),
        "window_start": column(UTC_NS, "start of the load, on the client's clock"),
        "window_end": column(UTC_NS, "end of the load, on the client's clock"),
        "before_start": column(UTC_NS, "start of the idle baseline"),
        "before_end": column(UTC_NS, "end of the idle baseline"),
        "workload": column(pl.String, "open or closed; null for an idle virtual server"),
        "rate_per_s": column(pl.Float64, "offered rate of an open workload"),
        "arrivals": column(pl.String, "even or poisson"),
        "population": column(pl.Int64, "customers of a closed workload"),
        "think_time_s": column(pl.Float64, "think time of a closed workload"),
        "request": column(pl.String, "unit of work: HTTP request or transaction"),
        "client_log": column(pl.String, "log of the load generator, relative to the run's folder"),
        "load_start": column(UTC_NS, "start of this virtual server's own load"),
        "load_end": column(UTC_NS, "end of this virtual server's own load"),
        "server_processes": column(
            pl.String,
            "regular expression that matches the server's processes in the guest",
        ),
        "qemu_process": column(
            pl.String,
            "regular expression that matches the command line of its QEMU on the host",
        ),
        "virtual_disk": column(pl.String, "disk of the guest"),
        "host_disk": column(pl.String, "disk of the host that holds the guest's disk"),
        "guest_clock_offset_ns": column(pl.Int64, "clock of the guest minus clock of the client"),
        "guest_clock_uncertainty_ns": column(
            pl.Int64,
            "half of the round-trip time of the measurement",
        ),
        "host_clock_offset_ns": column(pl.Int64, "clock of the host minus clock of the client"),
        "host_clock_uncertainty_ns": column(
            pl.Int64,
            "half of the round-trip time of the measurement",
        ),
        "problems": column(pl.String, "problems of the run, one per line"),
    },
)

REJECTS = table_schema(
    "rejects",
    "One row per line that is neither a record nor a header, with the reason.",
    {
        "file": required_column(
            pl.String,
            "log file, relative to the run's folder where there is one",
        ),
        "line": required_column(pl.Int64, "line number, from 1"),
        "reason": required_column(pl.String, "reason for the rejection"),
        "text": required_column(pl.String, "text of the line"),
    },
)

LEDGER = table_schema(
    "ledger",
    "One row per computed quantity. Every number in a report is a row of this table.",
    {
        "study": required_column(pl.String, "study"),
        "server": required_column(pl.String, "physical server"),
        "run": required_column(pl.String, "run"),
        "virtual_server": required_column(pl.String, "virtual server"),
        "subject": column(
            pl.String,
            "what the value refers to where there are several: pid and start, device, load",
        ),
        "quantity": required_column(pl.String, "symbol of the paper, e.g. R_disk"),
        "value": column(
            pl.Float64,
            "value; null, with a reason in flags, where it could not be computed",
        ),
        "unit": required_column(pl.String, "unit; 1 for a ratio"),
        "low": column(pl.Float64, "lower bound of the interval"),
        "high": column(pl.Float64, "upper bound of the interval"),
        "interval": column(
            pl.String,
            "kind of interval: `resolution` (limits of the measurement resolution) or `95 %` (confidence)",
        ),
        "equation": column(pl.String, "number of the paper's equation, or name of an added one"),
        "variant": column(
            pl.String,
            "as-printed or corrected; null where it applies to both or neither",
        ),
        "demand": column(
            pl.String,
            "throughput in equation 9: service-demand, as-printed, per-operation",
        ),
        "denominator": column(pl.String, "utilization in equation 10: own or total"),
        "background": column(pl.String, "background load of the idle machine: kept or off"),
        "sum": column(pl.String, "sum in section IV: sum, or nested (host disk inside guest disk)"),
        "source": required_column(pl.String, "tables and columns that it is computed from"),
        "flags": column(pl.List(pl.String), "warnings and reasons; null where there are none"),
    },
)
