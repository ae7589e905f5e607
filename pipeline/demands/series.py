"""What each station did and how many requests were completed, window by window.

Every instrument is read as a counter that grows: TIME+, ticks, io_ticks. Each ticks at its own moments, so a
counter is interpolated to the edges of common windows on the client's clock; sums over windows are then growths of
the counters, and nothing is counted twice or lost between two windows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.bundle import HOST, Run, VirtualServer, Window
from pipeline.ledger.inputs import RunTables
from pipeline.measure.clients import IS_REQUEST
from pipeline.measure.disks import WRAP_MS
from pipeline.measure.processes import with_lives
from pipeline.measure.window import NS_PER_S, Unmeasured, on_client_clock

Array = NDArray[np.float64]

STATIONS = ("guest_cpu", "host_cpu", "vdisk", "disk")
"""The server's processes in the guest; its whole QEMU on the host; the guest's disk; the host's disk under it."""
COUNTERS = (*STATIONS, "others_cpu", "vdisk_operations", "disk_operations")
"""What is counted: CPU and busy seconds, and operations."""


@dataclass(frozen=True)
class Counter:
    """A quantity that grows: its readings, and the step that one reading is uncertain by."""

    at_s: Array
    """When it was read, seconds on the client's clock since the load began."""
    total: Array
    """What it had come to."""
    step: float
    """Resolution of one reading, in the counter's unit."""
    ended_s: Array = field(default_factory=lambda: np.zeros(0))
    """When processes were last seen that ended: what they did after that is not counted."""

    def at(self, moments_s: Array) -> Array:
        """The counter at other moments, on the straight line between two readings; flat outside them."""
        return np.interp(moments_s, self.at_s, self.total)

    def covers(self, first_s: float, last_s: float, slack_s: float = 2.0) -> bool:
        """Whether readings reach from ``first_s`` to ``last_s``, but for ``slack_s``."""
        return self.at_s[0] <= first_s + slack_s and self.at_s[-1] >= last_s - slack_s


@dataclass(frozen=True)
class Series:
    """One virtual server in one run, over the load or the before-state.

    ``frame`` has a row a window: ``start_s`` (since the load began), ``length_s``, ``completions`` (requests) and
    the columns of ``COUNTERS`` that could be measured. ``steps`` tells each one's resolution, ``missing`` why a
    column is not there.
    """

    frame: pl.DataFrame
    steps: dict[str, float]
    missing: dict[str, str]
    flags: tuple[str, ...] = ()
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Column → what is doubtful about it."""

    def column(self, name: str) -> Array:
        """A column as numbers; raises ``Unmeasured`` with the reason where it is missing."""
        if name not in self.frame.columns:
            raise Unmeasured(self.missing.get(name, f"no {name}"))
        return self.frame[name].to_numpy()


class Counters:
    """The counters of one virtual server in one run; each is read once, when it is first asked for."""

    def __init__(self, run: Run, server: VirtualServer, processed: Path | str):
        self.run, self.server = run, server
        self.tables = RunTables(run, Path(processed))
        if server.workload is not None and server.workload.window is not None:
            self.window: Window = server.workload.window
        elif run.window is not None:
            self.window = run.window
        else:
            raise Unmeasured("run.json does not say when the load ran")
        self._kept: dict[str, Counter | str] = {}

    def counter(self, name: str) -> Counter:
        """One of ``COUNTERS``; raises ``Unmeasured``."""
        if name not in self._kept:
            try:
                self._kept[name] = self._read(name)
            except Unmeasured as reason:
                self._kept[name] = str(reason)
        found = self._kept[name]
        if isinstance(found, str):
            raise Unmeasured(found)
        return found

    def margin_s(self) -> float:
        """A step and a half of the slowest instrument."""
        steps = [0.0]
        for name in COUNTERS:
            with suppress(Unmeasured):
                steps.append(float(np.median(np.diff(self.counter(name).at_s))))
        return 1.5 * max(steps)

    def _read(self, name: str) -> Counter:
        if name == "guest_cpu":
            return self._guest_cpu()
        if name == "host_cpu":
            return self._qemu([self.server])
        if name == "others_cpu":
            others = [s for s in self.run.virtual_servers.values() if s.name != self.server.name]
            return self._qemu(others)
        disk, _, what = name.partition("_")
        return self._disk(disk, what or "busy")

    def since_start(self, client_ns: pl.Series) -> Array:
        """Moments of the client's clock as seconds since the load began."""
        return (client_ns.to_numpy() - self.window.start_ns) / NS_PER_S

    def _guest_cpu(self) -> Counter:
        pattern = self.server.server_processes
        if pattern is None:
            raise Unmeasured("run.json does not say how the processes are told")
        rows = self.tables.sampled("top_processes", self.server.role)
        mine = with_lives(rows.filter(~pl.col("is_thread"))).filter(
            pl.col("command").str.contains(pattern)
        )
        if mine.is_empty():
            raise Unmeasured(f"no process of {self.server.role} is called {pattern}")
        ticks = ticks_of(self.tables.sampled("top_summary", self.server.role))
        total = sum_of_last(mine, ["pid", "life"], pl.col("cpu_time_s"), ticks)
        step = float(mine["cpu_time_resolution_s"].max() or 0.01)
        shown = mine.filter(pl.col("cpu_time_s") > 0).select("pid", "life").n_unique()
        at_s = self.since_start(ticks["client_ns"])
        return Counter(at_s, total, step * max(1, shown) ** 0.5, _ends(mine, ticks, at_s))

    def _qemu(self, servers: list[VirtualServer]) -> Counter:
        processes = self.tables.sampled("task_processes", HOST)
        ticks = ticks_of(processes)
        hertz = self.tables.run.facts(HOST).get("clock_ticks_per_s")
        if not hertz:
            raise Unmeasured("facts.json of host does not say clock_ticks_per_s")
        total = np.zeros(ticks.height)
        for server in servers:
            if server.qemu_process is None:
                raise Unmeasured(f"run.json does not say how {server.name}'s QEMU is told")
            pids = processes.filter(pl.col("command_line").str.contains(server.qemu_process))["pid"]
            mine = processes.filter(pl.col("pid").is_in(pids.unique().implode()))
            if mine.is_empty():
                raise Unmeasured(f"no process of the host is {server.qemu_process}")
            used = (pl.col("utime_ticks") + pl.col("stime_ticks")) / hertz
            total = total + sum_of_last(mine, ["pid", "starttime_ticks"], used, ticks)
        return Counter(self.since_start(ticks["client_ns"]), total, 1 / hertz)

    def _disk(self, disk: str, what: str) -> Counter:
        role, device = (
            (self.server.role, self.server.virtual_disk)
            if disk == "vdisk"
            else (HOST, self.server.host_disk)
        )
        if device is None:
            raise Unmeasured(f"run.json does not say which disk of {role} it is")
        rows = self.tables.sampled("block", role).filter(pl.col("device") == device)
        rows = rows.unique("snapshot").sort("snapshot")
        if rows.height < 2:
            raise Unmeasured(f"no statistics of {device}")
        at_s = self.since_start(rows["client_ns"])
        if what == "operations":
            return Counter(at_s, (rows["reads"] + rows["writes"]).to_numpy().astype(float), 0.0)
        hertz = self.tables.run.facts(role).get("kernel_hz") or 250
        return Counter(
            at_s, _unwrapped(rows["io_ticks_ms"].to_numpy().astype(float)) / 1000, 1 / hertz
        )


def load_series(counters: Counters, length_s: float = 1.0) -> Series:
    """The windows of the load, and a margin on both sides, where nothing is completed.

    The margin is what the instruments need to have seen the load's first and last moments: a reading tells of
    all that went before it. Raises ``Unmeasured`` if nothing tells when requests were completed.
    """
    margin_s = counters.margin_s()
    edges = _edges(-margin_s, counters.window.duration_s + margin_s, length_s)
    completions, flags = _completions(counters, edges)
    return _series(counters, edges, completions, flags)


def idle_series(counters: Counters, length_s: float = 1.0) -> Series:
    """The windows of the idle before-state but for the margin before the load; ``completions`` are 0.

    Raises ``Unmeasured`` without a before-state of two windows.
    """
    before = counters.run.before
    if before is None:
        raise Unmeasured("no idle before-state")
    first, last = (
        (moment - counters.window.start_ns) / NS_PER_S
        for moment in (before.start_ns, before.end_ns)
    )
    edges = _edges(first, min(last, -counters.margin_s()), length_s)
    if len(edges) < 3:
        raise Unmeasured("the idle before-state is shorter than two windows")
    return _series(counters, edges, np.zeros(len(edges) - 1), ())


def _series(counters: Counters, edges: Array, completions: Array, flags: tuple[str, ...]) -> Series:
    columns: dict[str, Array] = {
        "start_s": edges[:-1],
        "length_s": np.diff(edges),
        "completions": completions,
    }
    steps, missing, doubts = {}, {}, {}
    for name in COUNTERS:
        try:
            counter = counters.counter(name)
            if not counter.covers(edges[0], edges[-1]):
                raise Unmeasured(f"the readings of {name} do not reach over the span")
        except Unmeasured as reason:
            missing[name] = str(reason)
            continue
        columns[name] = np.diff(counter.at(edges))
        steps[name] = counter.step
        ended = ((counter.ended_s >= edges[0]) & (counter.ended_s < edges[-1])).sum()
        if ended:
            doubts[name] = (f"{ended} processes ended: counted up to their last sighting",)
    return Series(pl.DataFrame(columns), steps, missing, flags, doubts)


def _edges(first_s: float, last_s: float, length_s: float) -> Array:
    """Edges of windows of about ``length_s`` that fill the span."""
    if last_s <= first_s:
        raise Unmeasured("the span has no length")
    return np.linspace(first_s, last_s, max(1, round((last_s - first_s) / length_s)) + 1)


def _completions(counters: Counters, edges: Array) -> tuple[Array, tuple[str, ...]]:
    """Requests completed in each window: the client's sum, spread as the best log at hand says."""
    ways: tuple[tuple[str, Callable[[Counters, Array], Array]], ...] = (
        ("", _by_interval_lines),
        ("completions are spread over time by the server's own log", _by_server_log),
        ("nothing says when requests were completed: spread evenly", _evenly),
    )
    total = _completed(counters)
    if total <= 0:
        raise Unmeasured("no request was completed")
    for flag, way in ways:
        try:
            spread = way(counters, edges)
        except Unmeasured:
            continue
        if spread.sum() > 0:
            return spread * (total / spread.sum()), ((flag,) if flag else ())
    raise Unmeasured("the load's window has no length")


def _client_rows(counters: Counters) -> pl.DataFrame:
    log = counters.run.client_log(counters.server.name)
    if log is None:
        raise Unmeasured("the client's log is missing")
    return counters.tables.rows("client", log.role).filter(pl.col("tool") == log.kind)


def _completed(counters: Counters) -> float:
    rows = _client_rows(counters).filter(pl.col("kind") == "summary").sort("line")
    if rows.is_empty() or rows["completions"][-1] is None:
        raise Unmeasured("the client's log has no report")
    return float(rows["completions"][-1])


def _by_interval_lines(counters: Counters, edges: Array) -> Array:
    rows = _client_rows(counters).filter(pl.col("kind") == "interval").sort("elapsed_s")
    rows = rows.drop_nulls("throughput_per_s")
    if rows.height < 2:
        raise Unmeasured("the client printed no interval lines")
    ends = np.concatenate(([0.0], rows["elapsed_s"].to_numpy()))
    done = np.concatenate(([0.0], np.cumsum(np.diff(ends) * rows["throughput_per_s"].to_numpy())))
    return np.diff(np.interp(edges, ends, done))


def _by_server_log(counters: Counters, edges: Array) -> Array:
    rows = counters.tables.rows("requests", counters.server.role)
    offset = counters.run.clock_offset_ns(counters.server.role)
    if offset is None:
        raise Unmeasured(f"the clock of {counters.server.role} was not compared with the client's")
    rows = on_client_clock(rows.filter(IS_REQUEST), offset).drop_nulls("client_ns")
    if rows.is_empty():
        raise Unmeasured("the server's log has no request with a time")
    at_s = (rows["client_ns"].to_numpy() - counters.window.start_ns) / NS_PER_S
    if np.any(rows["time"].dt.nanosecond().to_numpy()):
        return np.histogram(np.clip(at_s, edges[0], edges[-1]), edges)[0].astype(float)
    # a log in whole seconds says when the second began: what it counts is spread over that second
    seconds, counts = np.unique(at_s, return_counts=True)
    moments = np.concatenate((seconds, seconds + 1))
    inside = np.clip(moments[:, None] - seconds, 0, 1)
    grown = (inside * counts).sum(axis=1)
    order = np.argsort(moments)
    return np.diff(np.interp(edges, moments[order], grown[order]))


def _evenly(counters: Counters, edges: Array) -> Array:
    return np.diff(edges)


def ticks_of(rows: pl.DataFrame) -> pl.DataFrame:
    """The snapshots of a sampled table: ``snapshot`` and ``client_ns``. Raises ``Unmeasured`` with fewer than two."""
    ticks = rows.select("snapshot", "client_ns").drop_nulls().unique("snapshot").sort("snapshot")
    if ticks.height < 2:
        raise Unmeasured("fewer than two snapshots with a time")
    return ticks


def sum_of_last(rows: pl.DataFrame, keys: list[str], value: pl.Expr, ticks: pl.DataFrame) -> Array:
    """Sum over ``keys`` of the latest ``value`` at or before each tick: what has ended keeps what it used.

    A process born later begins at 0; one that was there at the first tick begins with what it had.
    """
    steps = (
        rows.select(*keys, "snapshot", value.alias("value"))
        .sort(*keys, "snapshot")
        .with_columns(
            (pl.col("value") - pl.col("value").shift().over(keys).fill_null(0)).alias("d")
        )
        .group_by("snapshot")
        .agg(pl.col("d").sum())
    )
    return (
        ticks.join(steps, on="snapshot", how="left", maintain_order="left")["d"]
        .fill_null(0)
        .cum_sum()
        .to_numpy()
    )


def _ends(rows: pl.DataFrame, ticks: pl.DataFrame, at_s: Array) -> Array:
    """When the processes of ``rows`` that were gone before the log ended were last seen."""
    last = rows.group_by("pid", "life").agg(pl.col("snapshot").max())["snapshot"].sort().to_numpy()
    order = ticks["snapshot"].to_numpy()
    return at_s[np.searchsorted(order, last[last < order[-1]])]


def _unwrapped(readings_ms: Array) -> Array:
    """A 32-bit millisecond counter that begins again at 0."""
    falls = np.diff(readings_ms, prepend=readings_ms[:1]) < 0
    return readings_ms + WRAP_MS * np.cumsum(falls)
