"""What the lessons ask of a run's tables and of its client's report, and the ledger does not have.

Most are values of frequent mistakes: a counter since boot, all processes, a field that includes waiting. Each function
takes the counters of one virtual server and raises ``MissingData`` where the run has no such value.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import polars as pl

from pipeline.measure.arrivals import access_times_ns, count_dispersion, counts_per_second
from pipeline.measure.counters import Counter
from pipeline.measure.disks import device_rows, disk_location
from pipeline.measure.processes import (
    THREAD_KEYS,
    qemu_rows,
    server_pattern,
    task_counter,
    ticks_per_s,
    with_thread_roles,
)
from pipeline.measure.virtual_server import RunCounters
from pipeline.measure.window import MissingData, bracketing_indices, bracketing_span
from pipeline.parse import ParseError, read_log
from pipeline.parse.httperf import TEMPLATES
from pipeline.raw import HOST

HTTPERF = {
    "response": ("reply_time", "response"),
    "transfer": ("reply_time", "transfer"),
    "median": ("connection_time", "median"),
    "stddev": ("connection_time", "stddev"),
    "interval": ("connection_rate", "ms"),
}
"""Number of httperf's report → its line and group in the parser's templates; all are milliseconds."""


# -- the load as it was asked for ----------------------------------------------------------------------------


def threads(counters: RunCounters) -> float | None:
    """Threads of a closed load."""
    population = counters.server.workload.population  # type: ignore[union-attr]
    return None if population is None else float(population)


def rate_per_s(counters: RunCounters) -> float | None:
    """Rate that an open load was asked for, requests per second."""
    return counters.server.workload.rate_per_s  # type: ignore[union-attr]


def arrivals(counters: RunCounters) -> str | None:
    """Arrivals of an open load: even or poisson."""
    return counters.server.workload.arrivals  # type: ignore[union-attr]


# -- CPU -----------------------------------------------------------------------------------------------------


def cpu_since_boot_s(counters: RunCounters) -> float:
    """TIME+ of the server's processes in the first snapshot after the window, since they started; seconds."""
    last = _at_ends(counters)[1]
    own = last.filter(pl.col("command").str.contains(server_pattern(counters.server)))
    return float(own["cpu_time_s"].sum())


def cpu_of_all_s(counters: RunCounters) -> float:
    """Growth of TIME+ of all processes of the guest, seconds."""
    first, last = _at_ends(counters)
    both = last.join(first, on="pid", how="left", suffix="_first", maintain_order="left")
    return float((both["cpu_time_s"] - both["cpu_time_s_first"].fill_null(0.0)).sum())


def _at_ends(counters: RunCounters) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of top in the guest in the two snapshots that bracket the window."""
    role = counters.server.role
    span = bracketing_span(counters.tables.sampled("top_summary", role), counters.window)
    rows = counters.tables.rows("top_processes", role).filter(~pl.col("is_thread"))
    first, last = (
        rows.filter(snapshot=number).unique("pid", maintain_order=True)
        for number in (span.first, span.last)
    )
    return first, last


def process_count(counters: RunCounters) -> float:
    """Processes of the server in the window."""
    return float(counters.processes().height)


def vcpu_ticks(column: str) -> Callable[[RunCounters], float]:
    """Growth of a column of table tasks over the window, of the QEMU's vCPU threads, ticks."""

    def measure(counters: RunCounters) -> float:
        tables = counters.tables
        pids = qemu_rows(tables, counters.server)["pid"].unique()
        rows = with_thread_roles(tables.sampled("tasks", HOST), pids)
        rows = rows.filter(pl.col("station") == "vcpu")
        if rows.is_empty() or rows[column].null_count():
            raise MissingData(f"no {column} of a vCPU thread")
        ticks = tables.sampled("task_processes", HOST)
        counter = task_counter(rows, ticks, 1.0, THREAD_KEYS, pl.col(column), readings=1)
        return counter.increase(counters.window).value

    return measure


def host_ticks_per_s(counters: RunCounters) -> float:
    """Ticks per second of the host's counters."""
    return ticks_per_s(counters.run, HOST)


# -- disks ---------------------------------------------------------------------------------------------------


def operations(disk: str) -> Callable[[RunCounters], float]:
    """Operations of a disk in the window."""
    return lambda counters: counters.increase(f"{disk}_operations").value


def sectors(counters: RunCounters) -> float:
    """Sectors of 512 bytes that the guest's disk read and wrote in the window."""
    return counters.increase("vdisk_read").value + counters.increase("vdisk_written").value


def read_write_s(counters: RunCounters) -> float:
    """Growth of fields 4 and 8 of the guest's disk in the window, seconds."""
    rows = _guest_disk(counters)
    total = rows.select(
        (pl.col("read_ms") + pl.col("write_ms")).cast(pl.Float64) / 1000
    ).to_series()
    if total.null_count():
        raise MissingData("no time of reads and writes")
    counter = Counter(rows["client_ns"].to_numpy(), total.to_numpy(), "read and write time")
    return counter.increase(counters.window).value


def busy_since_boot_s(counters: RunCounters) -> float:
    """Field 10 of the guest's disk at the end of the window, seconds since boot."""
    counter = counters.counter("vdisk")
    last = bracketing_indices(counter.at_ns, counters.window)[1]
    return float(counter.total[last])


def _guest_disk(counters: RunCounters) -> pl.DataFrame:
    role, device = disk_location(counters.run, counters.server, "vdisk")
    return device_rows(counters.tables.sampled("block", role), device)


# -- arrivals and the client's report ------------------------------------------------------------------------


def dispersion(counters: RunCounters) -> float | None:
    """Variance over mean of the requests in each whole second of the load, without the first and the last."""
    role = counters.server.role
    rows = counters.tables.sampled("requests", role)
    window = counters.window.shifted(counters.run.clock_offset_ns(role) or 0)
    value = count_dispersion(counts_per_second(access_times_ns(rows), window))
    return None if np.isnan(value) else value


def of_httperf(number: str) -> Callable[[RunCounters], float]:
    """A time of httperf's report that table client does not have, seconds."""
    line, group = HTTPERF[number]
    pattern = next(template.pattern for template in TEMPLATES if template.name == line)

    def measure(counters: RunCounters) -> float:
        log = counters.run.client_log(counters.server.name)
        if log is None or log.kind != "httperf":
            raise MissingData("no report of httperf")
        try:
            text = read_log(log.path).body()["text"]
        except (OSError, ParseError) as error:
            raise MissingData(str(error)) from error
        matches = [match for row in text if (match := re.search(pattern, row.strip()))]
        if not matches or matches[-1][group] is None:
            raise MissingData(f"httperf printed no {line}")
        return round(float(matches[-1][group].replace(",", ".")) / 1000, 7)

    return measure
