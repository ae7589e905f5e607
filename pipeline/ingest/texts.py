"""Messages of ingesting: problems of a run that its logs show, and errors."""

from __future__ import annotations

import json

from pipeline.parse.texts import size_text

# Errors
NO_MEMORY = "not enough memory for its logs"

# Why stored tables cannot be used
NOT_A_FILE = "not a regular file"
TOO_DEEP = "nested too deeply"
OTHER_CONTENT = "not the content that was written"


def not_read(file: str, reason: str) -> str:
    """Problem: a log that cannot be used."""
    return f"{file}: not read: {reason}"


def continued(file: str, new_bytes: int, size_bytes: int) -> str:
    """A log that has grown since the last time.

    Examples
    --------
    >>> continued("host/top.log", 3_100_000, 303_000_000)
    'host/top.log: 3.1 MB of 303 MB are new'
    """
    return f"{file}: {size_text(new_bytes)} of {size_text(size_bytes)} are new"


def no_record(file: str, line: int, reason: str) -> str:
    """Problem: a log without any record; ``line`` and ``reason`` are those of its first reject."""
    return f"{file}: no record in it; line {line}: {reason}"


def large_offset(role: str, offset_s: float, limit_percent: float, window_s: float) -> str:
    """Problem: a clock offset that is an error of its measurement, or of the clock."""
    return (
        f"run.json: roles.{role}.clock_offset_ns is {offset_s:.4g} s, more than {limit_percent:g} % of the "
        f"window of {window_s:.4g} s: set the clock, or measure the offset again"
    )


def window_without_snapshot(key: str, role: str, first: str, last: str, share: float | None) -> str:
    """Problem: a window of run.json that a machine's logs do not cover, or to a ``share``."""
    covered = (
        f"has no snapshot of {role}"
        if share is None
        else f"is covered to {share:.0%} by snapshots of {role}"
    )
    return f"run.json: {key} {covered}; its logs span {first} to {last} UTC by its clock"


def log_outside_window(log: str, key: str, share: float) -> str:
    """Problem: a log that covers a window of run.json to a ``share``, while others cover it."""
    return f"{log}: its snapshots cover {share:.0%} of {key} of run.json"


def other_boot(log: str, boot_id: str, stated: str, role: str) -> str:
    """Problem: a log of another machine, or of another time."""
    return f"{log}: boot id {json.dumps(boot_id)}, but that of {role} is {json.dumps(stated)}"


def other_interval(role: str, stated: float, median_s: float) -> str:
    """Problem: another sampling interval than that of the logs."""
    return f"{role}/facts.json: interval_s is {stated:g}, but the median interval of the snapshots is {median_s:.3g} s"


def other_memory(role: str, stated: float, total: float) -> str:
    """Problem: another memory size in facts.json than in top.log."""
    return f"{role}/facts.json: memory_bytes is {stated:,}, but top.log has {total:,.0f}"


def no_such_disk(server: str, key: str, disk: str, log: str, devices: str) -> str:
    """Problem: a disk of run.json without counters."""
    return f"run.json: virtual_servers.{server}.{key} is {disk}, but {log} has {devices}"


def no_process(server: str, key: str, role: str) -> str:
    """Problem: a pattern that selects nothing."""
    return f"run.json: virtual_servers.{server}.{key} matches no process of {role}"


def every_process(server: str, key: str, role: str, count: int) -> str:
    """Problem: a pattern that selects everything."""
    return (
        f"run.json: virtual_servers.{server}.{key} matches all {count} names of processes of {role}"
    )


def shared_process(server: str, other: str) -> str:
    """Problem: one QEMU process that two patterns select."""
    return f"run.json: virtual_servers.{server}.qemu_process matches the process of {other}, too"


def no_summary(log: str) -> str:
    """Problem: a load generator's log without its result."""
    return f"{log}: no number of completed requests in it"


def other_duration(where: str, window_s: float, elapsed_s: float) -> str:
    """Problem: a load's window that is not as long as its client says."""
    return f"run.json: {where}: the window is {window_s:.4g} s long, but the client measured {elapsed_s:.4g} s"


def other_rate(where: str, rate: float, sent: float) -> str:
    """Problem: an open load that was not offered."""
    return f"run.json: {where}.rate_per_s is {rate:g}, but the client sent {sent:.4g} requests per second"


def other_population(where: str, population: int, threads: int) -> str:
    """Problem: another number of threads than in the client's log."""
    return f"run.json: {where}.population is {population}, but the client had {threads} threads"


def other_think_time(where: str, think_time_s: float, expected_s: float) -> str:
    """Problem: a think time that the client's numbers exclude."""
    return f"run.json: {where}.think_time_s is {think_time_s:g}, but N/X - R of the client is {expected_s:.3g} s"


def few_requests(log: str, count: int, server: str, completed: int, *, has_format: bool) -> str:
    """Problem: a server's log, or the clock or window by which it is read, that does not fit the client's."""
    text = f"{log}: {count:,} requests in the window of the load, but the client of {server} completed {completed:,}"
    return f"{text}; compare its lines with access_format in run.json" if has_format else text


def other_cpu_count(role: str, cpus: object, counted: int) -> str:
    """Problem: another number of CPUs in facts.json than in tasks.log."""
    return f"{role}/facts.json: cpus is {cpus}, but tasks.log has counters of {counted} CPUs"


def other_tick_rate(role: str, ticks: object, rate: float) -> str:
    """Problem: another number of clock ticks in facts.json than /proc/stat counted."""
    return f"{role}/facts.json: clock_ticks_per_s is {ticks}, but tasks.log counted {rate:.4g} per second and CPU"


def internal_error(error: BaseException) -> str:
    """Problem: a fault of the program."""
    return (
        f"internal error: {type(error).__name__}: {error}; please report it, with --debug for the "
        "traceback"
    )


def damaged(file: str, reason: str) -> str:
    """Why what is stored of a run cannot be used."""
    return f"{file}: {reason}"


def damaged_tables(run: str, processed: object, damage: str) -> str:
    """Error: the stored tables of a run are not those that were written."""
    return f"{processed}: tables of {run} are damaged ({damage}); repair: queuevisor ingest {run}"


def replaced_tables(run: str, processed: object) -> str:
    """Error: another process writes the tables that are read."""
    return f"{processed}: tables of {run} are being replaced by another process; try again when it is done"


def no_space(processed: object, reason: str) -> str:
    """Problem: a full disk, or a quota: ``reason`` says which."""
    return f"{processed}: {reason}; the older state of the run is kept, if any"


def not_readable(path: object, reason: str) -> str:
    """Problem: a file of the run that cannot be read."""
    return f"{path}: cannot be read: {reason}"


def not_written(path: object, reason: str) -> str:
    """Problem: the operating system refuses to write a run's tables."""
    return f"{path}: cannot be written: {reason}"


def unsafe_name(name: str) -> str:
    """Error: a study, server or run that cannot be a folder of data/processed."""
    return f"not a safe name: {name}"


def not_writable(processed: object, error: OSError) -> str:
    """Error: a folder for processed data that cannot be created."""
    return f"{processed}: cannot be created: {error.strerror or error}"


def no_folder(processed: object) -> str:
    """Error: a file where the folder of the tables should be."""
    return f"{processed}: is a file; give a folder for the tables with --processed"


def other_run_files(path: object, names: list[str], client: object, worker: object) -> str:
    """Error: a worker of a cluster that sees a run's files otherwise; sizes of the first, or None if it has none."""
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    seen = [
        "no such file"
        if it is None
        else f"{it:,} bytes"
        if isinstance(it, int)
        else "other content"
        for it in (worker, client)
    ]
    return (
        f"{path}/{names[0]}{more}: {seen[0]} on a worker of the cluster, {seen[1]} on this machine: give a folder that "
        "both share, and wait until the recording is complete"
    )


def not_ingestable(run: str, problems: list[str]) -> str:
    """Error: no run could be ingested; ``run`` is the first."""
    return f"{run} cannot be ingested: {'; '.join(problems)}"


def unknown_table(table: str, names: list[str]) -> str:
    """Error: a table that is not stored."""
    return f"unknown table {table!r}; choose from {', '.join(names)}"


def not_ingested(run: str, processed: object) -> str:
    """Error: a run that was not ingested."""
    return f"{run} is not in {processed}; ingest it first: queuevisor ingest {run}"


def no_code(path: object) -> str:
    """Error: a package missing whose code decides what the tables hold."""
    return f"{path}: no Python code; pipeline/ingest/fingerprint.py lists it"
