"""Processes and threads of a virtual server, and the CPU time of processes (equation 1) and machines."""

from __future__ import annotations

import polars as pl

from pipeline.measure import texts
from pipeline.measure.counters import BoundedValue, Counter, total_with_exited
from pipeline.measure.run_tables import RunTables, require_recorded, ticks_per_s
from pipeline.measure.window import MissingData, SnapshotSpan, snapshot_times
from pipeline.parse.thread_roles import VHOST, role_by_name
from pipeline.raw import HOST, VirtualServer, Window

PROCESS_TIMES = pl.Schema(
    {
        "pid": pl.Int64,
        "pid_generation": pl.Int64,
        "cpu_time_s": pl.Float64,
        "low_s": pl.Float64,
        "high_s": pl.Float64,
        "started_in_window": pl.Boolean,
        "exited_in_window": pl.Boolean,
    }
)

SELF_CPU = pl.col("utime_ticks") + pl.col("stime_ticks")
"""What a process or thread used itself."""
SELF_AND_CHILDREN_CPU = SELF_CPU + pl.sum_horizontal(
    pl.col(f"child_{name}_ticks").fill_null(0) for name in ("utime", "stime")
)
"""With what its children had used when it reaped them."""
THREAD_KEYS = ["pid", "tid", "starttime_ticks"]
PROCESS_KEYS = ["pid", "starttime_ticks"]

BUSY_STATES = ("user", "nice", "system", "irq", "softirq")
"""States of /proc/stat in which a CPU works for this machine; guest time is part of user and nice."""
ALL_STATES = (*BUSY_STATES, "idle", "iowait", "steal")


# -- processes of a virtual server ---------------------------------------------------------------------------


def server_pattern(server: VirtualServer) -> str:
    """Regular expression of the server's processes in the guest; ``MissingData`` where run.json has none."""
    if server.server_processes is None:
        raise MissingData(texts.no_key(server.name, "server_processes"))
    return server.server_processes


def server_rows(tables: RunTables, server: VirtualServer, table: str) -> pl.DataFrame:
    """Rows of the server's processes in the guest's ``top_processes`` or ``task_processes``.

    ``MissingData`` where there is no such process: a pattern that matches nothing measures nothing.
    """
    pattern = server_pattern(server)
    rows = tables.sampled(table, server.role)
    pids = matching_pids(rows, pattern)
    if pids.is_empty():
        raise MissingData(texts.no_process(server.role, pattern))
    if table == "top_processes":
        named = with_pid_generation(rows.filter(~pl.col("is_thread")))
        return named.filter(pl.col("command").str.contains(pattern))
    return rows.filter(pl.col("pid").is_in(pids.implode()))


def qemu_rows(tables: RunTables, server: VirtualServer) -> pl.DataFrame:
    """Rows of the virtual server's QEMU in the host's ``task_processes``; ``MissingData`` where there is none."""
    require_recorded(tables.run, HOST)
    if server.qemu_process is None:
        raise MissingData(texts.no_key(server.name, "qemu_process"))
    rows = tables.sampled("task_processes", HOST)
    pids = rows.filter(pl.col("command_line").str.contains(server.qemu_process))["pid"]
    if pids.is_empty():
        raise MissingData(texts.no_process(HOST, server.qemu_process))
    return rows.filter(pl.col("pid").is_in(pids.unique().implode()))


def own_process_rows(tables: RunTables, server: VirtualServer, role: str) -> pl.DataFrame:
    """Rows of task_processes: of the virtual server's QEMU on the host, of the server's processes in the guest."""
    if role == HOST:
        return qemu_rows(tables, server)
    return server_rows(tables, server, "task_processes")


def matching_pids(processes: pl.DataFrame, pattern: str) -> pl.Series:
    """Pids whose name (column ``command`` of top, ``comm`` of tasks.log) matches ``pattern``, sorted."""
    name = "command" if "command" in processes.columns else "comm"
    return processes.filter(pl.col(name).str.contains(pattern))["pid"].unique().sort()


def thread_ids(tasks: pl.DataFrame, pids: pl.Series) -> pl.Series:
    """Tids of the threads of ``pids`` in tasks.log, sorted."""
    return tasks.filter(pl.col("pid").is_in(pids.implode()))["tid"].unique().sort()


def with_thread_roles(tasks: pl.DataFrame, pids: pl.Series) -> pl.DataFrame:
    """The rows of the QEMU processes ``pids`` and of their vhost threads, with the column ``station``.

    ``tasks``: the host's table of that name. The role is the last one in the recording, else it follows from its
    thread's name (QEMU's ``debug-threads=on``). The main thread and helpers are ``emulator``.
    """
    recorded = pl.col("task_role").drop_nulls().last().over(THREAD_KEYS)
    named = pl.coalesce(role_by_name(pl.col("comm")), pl.lit("emulator"))
    works_for = pl.coalesce(
        pl.when(recorded == "vhost").then(
            pl.col("task_role_id").drop_nulls().last().over(THREAD_KEYS)
        ),
        pl.col("comm").str.extract(VHOST),
    ).cast(pl.Int64, strict=False)
    own = pl.col("pid").is_in(pids.implode()) | works_for.is_in(pids.implode()).fill_null(False)
    return tasks.sort("snapshot").filter(own).with_columns(station=pl.coalesce(recorded, named))


def with_pid_generation(rows: pl.DataFrame) -> pl.DataFrame:
    """``rows`` of top with the column ``pid_generation``: 0, 1, … for each process that had the same pid.

    TIME+ never decreases and a server's process keeps its name; where either changes the pid was
    used again, and that is another process.
    """
    rows = rows.sort("pid", "snapshot")
    previous = pl.col("cpu_time_s").shift().over("pid")
    renamed = pl.col("command") != pl.col("command").shift().over("pid")
    again = ((pl.col("cpu_time_s") < previous) | renamed).fill_null(False)
    return rows.with_columns(again.cast(pl.Int64).cum_sum().over("pid").alias("pid_generation"))


# -- CPU time ------------------------------------------------------------------------------------------------


def cpu_times(rows: pl.DataFrame, span: SnapshotSpan, pattern: str) -> pl.DataFrame:
    """Equation 1's terms: increase of TIME+ in the span, one row per process whose name matches ``pattern``.

    ``rows``: top_processes of the guest. A process that started after the first snapshot counts whole; one that exited
    counts up to its last sample, a lower bound (``exited_in_window``).
    ``low_s`` and ``high_s``: both readings are cut down
    to a step. Form: ``PROCESS_TIMES``.
    """
    named = with_pid_generation(rows.filter(~pl.col("is_thread")))
    start, used = pl.col("snapshot") <= span.first, pl.col("cpu_time_s")
    step = pl.col("cpu_time_resolution_s")
    increase = pl.col("cpu_time_s")
    return (
        named.filter(pl.col("command").str.contains(pattern), pl.col("snapshot") <= span.last)
        .group_by("pid", "pid_generation", maintain_order=True)
        .agg(
            cpu_time_s=used.last() - used.filter(start).last().fill_null(0.0),
            started_in_window=~start.any(),
            base_step=step.filter(start).last().fill_null(0.0),
            top_step=step.last(),
            last_seen=pl.col("snapshot").last(),
        )
        .filter(pl.col("last_seen") >= span.first)
        .with_columns(
            low_s=pl.max_horizontal(increase - pl.col("base_step"), 0.0),
            high_s=increase + pl.col("top_step"),
            exited_in_window=pl.col("last_seen") < span.last,
        )
        .select(PROCESS_TIMES.names())
        .cast(dict(PROCESS_TIMES))
        .sort("pid", "pid_generation")
    )


def total_cpu_time(times: pl.DataFrame, span: SnapshotSpan) -> BoundedValue:
    """Equation 1: the sum of ``times`` (form ``PROCESS_TIMES``), scaled by ``span``."""
    exited = int(times["exited_in_window"].sum())
    value, low, high = (float(times[name].sum()) for name in ("cpu_time_s", "low_s", "high_s"))
    flags = (*span.flags, *((texts.exited(exited),) if exited else ()))
    return BoundedValue(value, low, high, flags).scaled(span.scale)


def top_counter(rows: pl.DataFrame, ticks: pl.DataFrame) -> Counter:
    """TIME+ of some processes, together, at every snapshot of top; CPU seconds.

    ``rows``: top_processes ``with_pid_generation``; ``ticks``: any rows of the log with ``snapshot`` and ``client_ns``.
    """
    ticks = snapshot_times(ticks)
    total = total_with_exited(rows, ["pid", "pid_generation"], pl.col("cpu_time_s"), ticks)
    step = float(rows["cpu_time_resolution_s"].max() or 0.01)
    shown = rows.filter(pl.col("cpu_time_s") > 0).select("pid", "pid_generation").n_unique()
    last = rows.group_by("pid", "pid_generation").agg(pl.col("snapshot").max())
    exited = last.filter(pl.col("snapshot") < ticks["snapshot"].max()).join(ticks, on="snapshot")
    return Counter(
        ticks["client_ns"].to_numpy(), total, "TIME+", step * max(1, shown) ** 0.5,
        exited_ns=exited["client_ns"].sort().to_numpy(),
        has_turnover=has_turnover(rows, ["pid", "pid_generation"], ticks),
    )  # fmt: skip


def task_counter(
    rows: pl.DataFrame,
    ticks: pl.DataFrame,
    hertz: float,
    keys: list[str] = PROCESS_KEYS,
    value: pl.Expr = SELF_CPU,
    *,
    readings: int = 2,
    name: str = "CPU time",
) -> Counter:
    """Ticks of some processes or threads, together, at every snapshot of tasks.log; CPU seconds.

    ``readings``: number of counters that ``value`` is the sum of, each rounded down to a whole tick.
    """
    ticks = snapshot_times(ticks)
    counter_count = max(1, rows.select(keys).n_unique())
    return Counter(
        ticks["client_ns"].to_numpy(), total_with_exited(rows, keys, value, ticks) / hertz, name,
        (counter_count * readings) ** 0.5 / hertz, bound=readings * counter_count / hertz,
        has_turnover=has_turnover(rows, keys, ticks),
    )  # fmt: skip


def has_turnover(rows: pl.DataFrame, keys: list[str], ticks: pl.DataFrame) -> bool:
    """Whether some of the processes or threads of ``rows`` are not in all snapshots of the log."""
    of_key = rows.group_by(keys).agg(first=pl.col("snapshot").min(), last=pl.col("snapshot").max())
    first, last = ticks["snapshot"].min(), ticks["snapshot"].max()
    return bool(((of_key["first"] > first) | (of_key["last"] < last)).any())


def qemu_counter(tables: RunTables, servers: list[VirtualServer]) -> Counter:
    """CPU seconds of the QEMU processes of ``servers`` on the host, by the task counters."""
    ticks = tables.sampled("task_processes", HOST)
    rows = [qemu_rows(tables, server) for server in servers]
    hertz = ticks_per_s(tables.run, HOST)
    return task_counter(pl.concat([ticks.clear(), *rows]), ticks, hertz, name="QEMU's CPU time")


def kernel_counter(tables: RunTables, server: VirtualServer) -> Counter:
    """CPU seconds of the server's processes in the guest, by the task counters."""
    rows = server_rows(tables, server, "task_processes")
    ticks = tables.sampled("task_processes", server.role)
    return task_counter(rows, ticks, ticks_per_s(tables.run, server.role))


def busy_share(tables: RunTables, role: str, window: Window) -> float:
    """Share of a machine's CPU time that all its processes and interrupts used; ``MissingData`` without /proc/stat."""
    rows = tables.sampled("cpus", role)
    busy, total = (
        machine_counter(rows, states).increase(window).value for states in (BUSY_STATES, ALL_STATES)
    )
    if total <= 0:
        raise MissingData(texts.NO_CPU_LINE)
    return busy / total


def machine_counter(cpus: pl.DataFrame, states: tuple[str, ...], hertz: float = 1.0) -> Counter:
    """Ticks (or seconds, with ``hertz``) that all CPUs of a machine spent in ``states``, by /proc/stat."""
    rows = cpus.filter(pl.col("cpu") == "cpu").drop_nulls("client_ns")
    rows = rows.unique("snapshot", keep="first", maintain_order=True).sort("snapshot")
    if rows.height < 2:
        raise MissingData(texts.NO_CPU_LINE)
    ticks = pl.sum_horizontal(pl.col(f"{state}_ticks").fill_null(0) for state in states)
    total = rows.select(ticks.cast(pl.Float64)).to_series()
    # the kernel's iowait may fall by a tick or two, and with it a sum
    return Counter(
        rows["client_ns"].to_numpy(), total.cum_max().to_numpy() / hertz, "/proc/stat",
        len(states) ** 0.5 / hertz, bound=len(states) / hertz,
    )  # fmt: skip
