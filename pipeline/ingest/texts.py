"""Messages of ingesting: problems of a run that its logs show, and errors."""

from __future__ import annotations

# Errors
NO_DASK = "scheduler= needs dask, which is not installed: pip install 'distributed'"


def not_read(file: str, reason: str) -> str:
    """Problem: a log that cannot be used."""
    return f"{file}: not read: {reason}"


def no_record(file: str, line: int, reason: str) -> str:
    """Problem: a log without any record; ``line`` and ``reason`` are those of its first reject."""
    return f"{file}: no record in it; line {line}: {reason}"


def large_offset(role: str, offset_s: float, limit_percent: float, window_s: float) -> str:
    """Problem: a clock offset that is an error of its measurement, or of the clock."""
    return (
        f"run.json: roles.{role}.clock_offset_ns is {offset_s:.4g} s, more than {limit_percent:g} % of the "
        f"window of {window_s:.4g} s: set the clock, or measure the offset again"
    )


def window_without_snapshot(key: str, role: str, first: str, last: str) -> str:
    """Problem: a window of run.json that a machine's logs do not cover."""
    return f"run.json: {key} has no snapshot of {role}; its logs span {first} to {last} UTC by its clock"


def other_cpu_count(role: str, cpus: object, counted: int) -> str:
    """Problem: another number of CPUs in facts.json than in tasks.log."""
    return f"{role}/facts.json: cpus is {cpus}, but tasks.log has counters of {counted} CPUs"


def other_tick_rate(role: str, ticks: object, rate: float) -> str:
    """Problem: another number of clock ticks in facts.json than /proc/stat counted."""
    return f"{role}/facts.json: clock_ticks_per_s is {ticks}, but tasks.log counted {rate:.4g} per second and CPU"


def worker_died(error: BaseException) -> str:
    """Problem: a worker process without a result, out of memory or killed."""
    return f"worker process died: {type(error).__name__}: {error}".strip()


def unsafe_name(name: str) -> str:
    """Error: a study, server or run that cannot be a folder of data/processed."""
    return f"not a safe name: {name}"


def not_writable(processed: object, error: OSError) -> str:
    """Error: a folder for processed data that cannot be created."""
    return f"{processed}: cannot be created: {error.strerror or error}"


def too_few_workers(workers: int) -> str:
    """Error: a wrong argument."""
    return f"workers must be 1 or more (got {workers})"


def no_scheduler(address: str, error: Exception) -> str:
    """Error: a dask scheduler that cannot be reached."""
    return f"no dask scheduler at {address}: {error}"


def no_workers(address: str, seconds: float) -> str:
    """Error: a dask scheduler without workers."""
    return f"no worker at the dask scheduler {address} for {seconds:g} s: start one with `dask worker {address}`"


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
