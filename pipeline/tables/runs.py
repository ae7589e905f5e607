"""Tables about whole runs: manifests, rejected lines and the ledger."""

from __future__ import annotations

import polars as pl

from pipeline.tables.schema import UTC_NS, Column, Table, required_column

RUNS = Table(
    "runs",
    "One row per run and virtual server: content of run.json, times converted to UTC.",
    {
        "virtual_server": required_column(pl.String, "name of the virtual server"),
        "role": required_column(pl.String, "folder with the logs of its guest"),
        "accelerator": Column(pl.String, "kvm or tcg"),
        "window_start": Column(UTC_NS, "start of the load, on the client's clock"),
        "window_end": Column(UTC_NS, "end of the load, on the client's clock"),
        "before_start": Column(UTC_NS, "start of the idle baseline"),
        "before_end": Column(UTC_NS, "end of the idle baseline"),
        "workload": Column(pl.String, "open or closed; null for an idle virtual server"),
        "rate_per_s": Column(pl.Float64, "offered rate of an open workload"),
        "arrivals": Column(pl.String, "even or poisson"),
        "population": Column(pl.Int64, "customers of a closed workload"),
        "think_time_s": Column(pl.Float64, "think time of a closed workload"),
        "request": Column(pl.String, "unit of work: HTTP request or transaction"),
        "client_log": Column(pl.String, "log of the load generator, relative to the run's folder"),
        "load_start": Column(UTC_NS, "start of this virtual server's own load"),
        "load_end": Column(UTC_NS, "end of this virtual server's own load"),
        "server_processes": Column(
            pl.String,
            "regular expression that matches the server's processes in the guest",
        ),
        "qemu_process": Column(
            pl.String,
            "regular expression that matches the command line of its QEMU on the host",
        ),
        "virtual_disk": Column(pl.String, "disk of the guest"),
        "host_disk": Column(pl.String, "disk of the host that holds the guest's disk"),
        "guest_clock_offset_ns": Column(pl.Int64, "clock of the guest minus clock of the client"),
        "guest_clock_uncertainty_ns": Column(
            pl.Int64,
            "half of the round-trip time of the measurement",
        ),
        "host_clock_offset_ns": Column(pl.Int64, "clock of the host minus clock of the client"),
        "host_clock_uncertainty_ns": Column(
            pl.Int64,
            "half of the round-trip time of the measurement",
        ),
        "problems": Column(pl.String, "problems of the run, one per line"),
    },
)

REJECTS = Table(
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

LEDGER = Table(
    "ledger",
    "One row per computed quantity. Every number in a report is a row of this table.",
    {
        "study": required_column(pl.String, "study"),
        "server": required_column(pl.String, "physical server"),
        "run": required_column(pl.String, "run"),
        "virtual_server": required_column(pl.String, "virtual server"),
        "subject": Column(
            pl.String,
            "what the value refers to where there are several: pid and start, device, load",
        ),
        "quantity": required_column(pl.String, "symbol of the paper, e.g. R_disk"),
        "value": Column(
            pl.Float64,
            "value; null, with a reason in flags, where it could not be computed",
        ),
        "unit": required_column(pl.String, "unit; 1 for a ratio"),
        "low": Column(pl.Float64, "lower bound of the interval"),
        "high": Column(pl.Float64, "upper bound of the interval"),
        "interval": Column(
            pl.String,
            "kind of interval: `resolution` (limits of the measurement resolution) or `95 %` (confidence)",
        ),
        "equation": Column(pl.String, "number of the paper's equation, or name of an added one"),
        "variant": Column(
            pl.String,
            "as-printed or corrected; null where it applies to both or neither",
        ),
        "demand": Column(
            pl.String,
            "throughput in equation 9: service-demand, as-printed, per-operation",
        ),
        "denominator": Column(pl.String, "utilization in equation 10: own or total"),
        "background": Column(pl.String, "background load of the idle machine: kept or off"),
        "sum": Column(pl.String, "sum in section IV: sum, or nested (host disk inside guest disk)"),
        "source": required_column(pl.String, "tables and columns that it is computed from"),
        "flags": Column(pl.List(pl.String), "warnings and reasons; null where there are none"),
    },
)
