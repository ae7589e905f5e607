"""Rates over the time of one run: CPU time, disks, completed requests."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from pipeline.api import texts as api_texts
from pipeline.errors import Error
from pipeline.measure.clients import IS_REQUEST, client_rows
from pipeline.measure.counters import Counter
from pipeline.measure.disks import disk_location
from pipeline.measure.group_sums import sum_by_group
from pipeline.measure.processes import (
    THREAD_KEYS,
    qemu_rows,
    server_rows,
    task_counter,
    top_counter,
    with_thread_roles,
)
from pipeline.measure.run_tables import RunTables, ticks_per_s
from pipeline.measure.virtual_server import value_or_reason
from pipeline.measure.window import load_window
from pipeline.raw import HOST
from pipeline.tables import of_rows

if TYPE_CHECKING:
    from pipeline.api.run import RunData


MARGIN_NS = 3_000_000_000
"""Time shown before the idle baseline and after the load."""


def df_spans(data: RunData) -> pl.DataFrame:
    """The idle baseline and the load: ``name``, ``start``, ``end`` (UTC)."""
    spans = {"before": data.run.idle_before, "load": data.run.window}
    kept = [(name, span.start_ns, span.end_ns) for name, span in spans.items() if span is not None]
    frame = of_rows(kept, {"name": pl.String, "start": pl.Int64, "end": pl.Int64})
    return frame.with_columns(_utc("start").alias("start"), _utc("end").alias("end"))


def _utc(since_1970_ns: str | pl.Expr) -> pl.Expr:
    return pl.from_epoch(since_1970_ns, "ns").dt.replace_time_zone("UTC")


def _cut(data: RunData, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``frame`` (``time`` on the client's clock) within the time that is shown."""
    spans = [span for span in (data.run.idle_before, data.run.window) if span is not None]
    if not spans:
        return frame
    low = min(span.start_ns for span in spans) - MARGIN_NS
    high = max(span.end_ns for span in spans) + MARGIN_NS
    return frame.filter(pl.col("time").dt.epoch("ns").is_between(low, high))


MAX_FILLED = dt.timedelta(days=32)
"""Longest time in which seconds without a request are shown as 0: a log may have requests of other years."""


def _can_be_filled(seconds: pl.DataFrame) -> bool:
    return not seconds.is_empty() and seconds["time"][-1] - seconds["time"][0] < MAX_FILLED


STEP_S = 5
"""CPU time is averaged over this interval, because TIME+ has a resolution of 10 ms."""


def _line(data: RunData, counter: Counter, series: str) -> pl.DataFrame:
    """A counter's rate over time: ``time``, ``series``, ``value``."""
    rates = counter.rates().select(
        time=_utc("client_ns"),
        series=pl.lit(series),
        value="value",
    )
    return _cut(data, rates)


def df_server_cpu(data: RunData, virtual_server: str) -> pl.DataFrame:
    """CPU of the server's processes in the guest, by top, means over ``STEP_S`` seconds.

    Columns: ``time``, ``series`` (the command and its number of processes), ``value`` (cores).
    """
    counters = data.counters(virtual_server)
    rows = value_or_reason(lambda: server_rows(counters.tables, counters.server, "top_processes"))
    if isinstance(rows, str):
        return _no_lines()
    ticks = counters.tables.sampled("top_summary", counters.server.role)
    lines = []
    for (command,), of_it in rows.group_by("command", maintain_order=True):
        count = of_it["pid"].n_unique()
        name = command if count == 1 else f"{command} ({count} processes)"
        lines.append(_line(data, top_counter(of_it, ticks), name))
    return _means(pl.concat(lines))


def _no_lines() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"time": pl.Datetime("ns", "UTC"), "series": pl.String, "value": pl.Float64}
    )


def _means(frame: pl.DataFrame, step_s: float = STEP_S) -> pl.DataFrame:
    """Means of ``value`` over ``step_s`` seconds, at the middle of each interval."""
    step_us = round(1e6 * step_s)
    if step_us <= 0:
        raise Error(api_texts.step_not_positive(step_s))
    half = pl.duration(microseconds=step_us // 2)
    keys = [name for name in frame.columns if name not in ("time", "value")]
    timed = frame.with_columns(pl.col("time").dt.truncate(f"{step_us}us") + half)
    value = pl.col("value")
    sums = sum_by_group(timed, [*keys, "time"], sum=value, count=value.is_not_null())
    mean = pl.when(pl.col("count") > 0).then(pl.col("sum") / pl.col("count"))
    return sums.select("time", *keys, value=mean).sort(*keys, "time")


THREADS = pl.Schema(
    {
        "time": pl.Datetime("us", "UTC"),
        "thread": pl.String,
        "thread_role": pl.String,
        "cpus": pl.Float64,
    }
)
"""One row per thread of QEMU and time step: the middle of the step, the thread's name, its role (``vcpu``,
``iothread``, ``worker``, ``emulator``; null where neither the log nor the name says it), the CPUs that it used on
average."""


def df_qemu_threads(data: RunData, virtual_server: str, step_s: float) -> pl.DataFrame:
    """CPU of QEMU's threads on the host, by the kernel's counters, means over ``step_s`` seconds. Schema: ``THREADS``.

    Threads of one name (``worker``) are added up: QEMU starts and ends them on demand. A role that an older collector
    did not record follows from the thread's name. Raises ``MissingData``.
    """
    tables = RunTables(data.run, data.processed)
    server = data.run.virtual_servers[virtual_server]
    pids, hertz = qemu_rows(tables, server)["pid"].unique(), ticks_per_s(data.run, HOST)
    tasks = tables.sampled("tasks", HOST)
    own = with_thread_roles(tasks, pids).filter(pl.col("pid").is_in(pids.implode()))
    if not (own["station"] == "vcpu").any():  # no names: any thread may be a vCPU's
        own = own.with_columns(station=pl.col("task_role"))
    lines = [
        _line(data, task_counter(rows, tasks, hertz, THREAD_KEYS), name).with_columns(
            thread_role=pl.lit(rows["station"][0], pl.String)
        )
        for (name,), rows in own.sort("pid", "tid", "snapshot").group_by(
            "comm", maintain_order=True
        )
    ]
    if not lines:
        return THREADS.to_frame()
    return _means(pl.concat(lines), step_s).rename({"series": "thread", "value": "cpus"})


def df_threads(data: RunData, virtual_server: str, step_s: float = STEP_S) -> pl.DataFrame:
    """CPU of QEMU's threads on the host: ``time``, ``series`` (the thread), ``value`` (CPUs); no rows where missing."""
    frame = value_or_reason(lambda: df_qemu_threads(data, virtual_server, step_s))
    if isinstance(frame, str) or frame.is_empty():
        return _no_lines()
    return frame.select("time", series="thread", value="cpus")


def df_disks(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Utilization and queue length of the guest's disk and of the host's disk below it.

    Columns: ``time``, ``series`` (the disk), ``utilization`` (0 to 1), ``queue_length``.
    """
    counters = data.counters(virtual_server)
    none = _no_lines().rename({"value": "utilization"}).with_columns(queue_length=pl.lit(0.0))
    parts = [none]
    for disk, owner in (("vdisk", "guest's"), ("disk", "host's")):
        counted = value_or_reason(
            lambda d=disk: [counters.counter(d), counters.counter(f"{d}_queue")]
        )
        if not isinstance(counted, str):
            name = f"{owner} {disk_location(data.run, counters.server, disk)[1]}"
            busy, queue = (_line(data, counter, name) for counter in counted)
            parts.append(
                busy.rename({"value": "utilization"}).with_columns(queue_length=queue["value"])
            )
    return pl.concat(parts)


def df_completions(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Completed requests per second: ``time``, ``series`` (the log), ``value``.

    From the client's interval lines if it prints any (sysbench), and from the server's log: lines of the
    access log, COMMITs of the general log.
    """
    tables, vs = RunTables(data.run, data.processed), data.run.virtual_servers[virtual_server]
    parts = [_no_lines()]
    lines = value_or_reason(lambda: client_rows(tables, vs))
    if not isinstance(lines, str):
        start_ns = load_window(data.run, vs).start_ns
        shown = lines.filter(pl.col("kind") == "interval").drop_nulls("elapsed_s")
        at_ns = start_ns + (pl.col("elapsed_s") * 1e9).cast(pl.Int64)
        parts.append(
            shown.select(
                time=_utc(at_ns),
                series=pl.col("tool") + ", at the client",
                value="throughput_per_s",
            )
        )
    logged = data.table("requests", vs.role).filter(IS_REQUEST).drop_nulls("time")
    if not logged.is_empty():
        name = "access log" if logged["log"][0] == "access" else "COMMITs of the general log"
        seconds = (
            logged.group_by(time=pl.col("time").dt.truncate("1s"))
            .agg(value=pl.len().cast(pl.Float64))
            .sort("time")
        )
        offset = data.run.clock_offset_ns(vs.role) or 0
        seconds = seconds.with_columns(time=_utc(pl.col("time").dt.epoch("ns") - offset))
        if not _can_be_filled(seconds):
            seconds = _cut(data, seconds)
        if _can_be_filled(seconds):
            seconds = seconds.upsample("time", every="1s")
        seconds = seconds.select("time", series=pl.lit(name), value=pl.col("value").fill_null(0.0))
        parts.append(_cut(data, seconds))
    return pl.concat(parts, how="vertical_relaxed")
