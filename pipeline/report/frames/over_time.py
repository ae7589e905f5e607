"""What happened over time."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.bundle import HOST
from pipeline.measure.clients import IS_REQUEST
from pipeline.measure.processes import with_lives
from pipeline.report.frames.run import RunData

MARGIN_NS = 3_000_000_000
"""How much of the logs before the before-state and after the load a time line shows."""


def df_spans(data: RunData) -> pl.DataFrame:
    """The before-state and the load: ``name``, ``start``, ``end`` (UTC)."""
    spans = {"before": data.run.before, "load": data.run.window}
    kept = [(name, span.start_ns, span.end_ns) for name, span in spans.items() if span is not None]
    frame = pl.DataFrame(
        kept, schema={"name": pl.String, "start": pl.Int64, "end": pl.Int64}, orient="row"
    )
    return frame.with_columns(
        pl.from_epoch("start", "ns"), pl.from_epoch("end", "ns")
    ).with_columns(pl.col("start", "end").dt.replace_time_zone("UTC"))


def _shown(data: RunData, frame: pl.DataFrame, role: str) -> pl.DataFrame:
    """``frame`` with ``time`` brought to the client's clock, cut to what a time line shows."""
    offset = data.run.clock_offset_ns(role) or 0
    frame = frame.with_columns(
        time=pl.from_epoch(pl.col("time").dt.epoch("ns") - offset, "ns").dt.replace_time_zone("UTC")
    )
    spans = [span for span in (data.run.before, data.run.window) if span is not None]
    if not spans:
        return frame
    low = min(span.start_ns for span in spans) - MARGIN_NS
    high = max(span.end_ns for span in spans) + MARGIN_NS
    return frame.filter(pl.col("time").dt.epoch("ns").is_between(low, high))


def _rate(counter: str, by: list[str]) -> pl.Expr:
    """Growth of a counter a second, between a row and the one before it of the same series; never negative."""
    grown = pl.col(counter).cast(pl.Float64).diff().over(by)
    seconds = pl.col("time").dt.epoch("ns").diff().over(by) / 1e9
    return pl.when((grown >= 0) & (seconds > 0)).then(grown / seconds)


STEP_S = 5
"""Time lines of CPU time are means over so many seconds: TIME+ has steps of 10 ms."""


def df_server_cpu(data: RunData, virtual_server: str) -> pl.DataFrame:
    """CPU of the server's processes in the guest, by top, means over ``STEP_S`` seconds.

    Columns: ``time``, ``series`` (the name and how many processes of it there were), ``value`` (cores).
    """
    vs = data.run.virtual_servers[virtual_server]
    rows = data.rows("top_processes", vs.role)
    if rows.is_empty() or vs.server_processes is None:
        return _no_lines()
    mine = rows.filter(~pl.col("is_thread") & pl.col("command").str.contains(vs.server_processes))
    if mine.is_empty():
        return _no_lines()
    per_process = (
        with_lives(mine)
        .sort("pid", "life", "snapshot")
        .with_columns(value=_rate("cpu_time_s", ["pid", "life"]))
    )
    names = (
        mine.group_by("command", maintain_order=True)
        .agg(count=pl.col("pid").n_unique())
        .with_columns(series=pl.format("{} ({} processes)", "command", "count"))
    )
    at_once = (
        _shown(data, per_process, vs.role)
        .group_by("time", "command", maintain_order=True)
        .agg(pl.col("value").sum())
    )
    return (
        _means(at_once, "command")
        .join(names.select("command", "series"), on="command", how="left", maintain_order="left")
        .select("time", "series", "value")
    )


def _no_lines() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"time": pl.Datetime("ns", "UTC"), "series": pl.String, "value": pl.Float64}
    )


def _means(frame: pl.DataFrame, series: str) -> pl.DataFrame:
    """Means of ``value`` over ``STEP_S`` seconds, drawn at the middle of each stretch."""
    half = pl.duration(milliseconds=500 * STEP_S)
    return (
        frame.group_by(series, time=pl.col("time").dt.truncate(f"{STEP_S}s") + half)
        .agg(pl.col("value").mean())
        .sort(series, "time")
    )


def df_threads(data: RunData, virtual_server: str) -> pl.DataFrame:
    """CPU of QEMU's threads on the host, by the kernel's counters, means over ``STEP_S`` seconds.

    Columns: ``time``, ``series`` (the thread), ``value`` (cores).
    Threads of one name (``worker``) are added up: QEMU starts and ends them as it needs them.
    """
    vs = data.run.virtual_servers[virtual_server]
    tasks, processes = data.rows("tasks", HOST), data.rows("task_processes", HOST)
    hz = data.run.facts(HOST).get("clock_ticks_per_s")
    if tasks.is_empty() or processes.is_empty() or not hz or vs.qemu_process is None:
        return _no_lines()
    pids = (
        processes.filter(pl.col("command_line").str.contains(vs.qemu_process))["pid"]
        .unique()
        .to_list()
    )
    mine = tasks.filter(pl.col("pid").is_in(pids))
    if mine.is_empty():
        return _no_lines()
    by = ["pid", "tid", "starttime_ticks"]
    per_thread = (
        mine.sort(*by, "snapshot")
        .with_columns(ticks=pl.col("utime_ticks") + pl.col("stime_ticks"))
        .with_columns(value=_rate("ticks", by) / hz)
    )
    at_once = (
        _shown(data, per_thread, HOST)
        .group_by("time", series="comm", maintain_order=True)
        .agg(value=pl.when(pl.col("value").is_not_null().any()).then(pl.col("value").sum()))
    )
    return _means(at_once, "series").select("time", "series", "value")


def df_disks(data: RunData, virtual_server: str) -> pl.DataFrame:
    """The guest's disk and the host's under it.

    Columns: ``time``, ``series`` (the disk), ``utilization`` (0 to 1), ``queue_length``.
    """
    vs = data.run.virtual_servers[virtual_server]
    parts = []
    for role, device, words in (
        (vs.role, vs.virtual_disk, "guest's"),
        (HOST, vs.host_disk, "host's"),
    ):
        rows = data.rows("block", role)
        if device is None or rows.is_empty():
            continue
        mine = rows.filter(pl.col("device") == device).sort("snapshot")
        parts.append(
            _shown(
                data,
                mine.with_columns(
                    series=pl.lit(f"{words} {device}"),
                    utilization=_rate("io_ticks_ms", ["device"]) / 1e3,
                    queue_length=_rate("time_in_queue_ms", ["device"]) / 1e3,
                ),
                role,
            ).select("time", "series", "utilization", "queue_length")
        )
    if not parts:
        return pl.DataFrame(
            schema={
                "time": pl.Datetime("ns", "UTC"),
                "series": pl.String,
                "utilization": pl.Float64,
                "queue_length": pl.Float64,
            }
        )
    return pl.concat(parts)


def df_completions(data: RunData, virtual_server: str) -> pl.DataFrame:
    """Requests completed a second: ``time``, ``series`` (who counted), ``value``.

    The client's own interval lines where it prints them (sysbench), and the server's own log: lines of the
    access log, COMMITs of the general log.
    """
    vs = data.run.virtual_servers[virtual_server]
    work = vs.workload
    parts = []
    if work is not None and work.log is not None:
        window = work.window or data.run.window
        lines = data.rows("client", work.log.split("/")[0]).filter(
            (pl.col("kind") == "interval") & pl.col("elapsed_s").is_not_null()
        )
        tool = Path(work.log).name.split(".")[0]
        lines = lines.filter(pl.col("tool") == tool)
        if window is not None and not lines.is_empty():
            parts.append(
                lines.select(
                    time=pl.from_epoch(
                        window.start_ns + (pl.col("elapsed_s") * 1e9).cast(pl.Int64), "ns"
                    ).dt.replace_time_zone("UTC"),
                    series=pl.lit(f"{tool}, at the client"),
                    value="throughput_per_s",
                )
            )
    logged = data.rows("requests", vs.role)
    if not logged.is_empty():
        seconds = (
            logged.filter(IS_REQUEST & pl.col("time").is_not_null())
            .with_columns(time=pl.col("time").dt.truncate("1s"))
            .group_by("time", log=pl.col("log"))
            .agg(value=pl.len().cast(pl.Float64))
            .sort("time")
        )
        if not seconds.is_empty():
            grid = pl.DataFrame(
                {
                    "time": pl.datetime_range(
                        seconds["time"].min(), seconds["time"].max(), "1s", eager=True
                    ).cast(seconds.schema["time"])
                }
            )
            name = "access log" if seconds["log"][0] == "access" else "COMMITs of the general log"
            whole = grid.join(seconds, on="time", how="left", maintain_order="left").select(
                "time", series=pl.lit(name), value=pl.col("value").fill_null(0.0)
            )
            parts.append(_shown(data, whole, vs.role).select("time", "series", "value"))
    if not parts:
        return _no_lines()
    return pl.concat(parts, how="vertical_relaxed")
