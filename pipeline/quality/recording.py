"""Checks of a recording: clocks known and constant, logs complete, manifests not contradicted by the logs."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline import ingest
from pipeline.ledger.catalogue import ALL
from pipeline.measure import texts as measure_texts
from pipeline.measure.clients import ClientResult
from pipeline.measure.run_tables import RunTables, has_host, measured_offset
from pipeline.measure.snapshots import coverage
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.measure.window import MissingData
from pipeline.quality import texts
from pipeline.quality.check import (
    FAILED,
    PASSED,
    Check,
    bounds_result,
    exact_result,
    not_evaluated,
)
from pipeline.quality.operational_laws import MAX_FLOW_IMBALANCE, MIN_FLOW_TOLERANCE
from pipeline.raw import CLIENT, HOST, Log, Run, VirtualServer, Window
from pipeline.raw import texts as raw_texts

MAX_STEP_SHARE = 0.1
"""Tolerated error of a clock, as a share of a sampling step: less than the uncertainty of whole steps."""

GUEST = "guest"


def disk_sources(disk: str) -> tuple[str, ...]:
    """What a disk's counters measure directly."""
    return (
        f"T_{disk}",
        f"Read_{disk}_total",
        f"Write_{disk}_total",
        f"X_{disk}_total",
        f"L_{disk}",
    )


DEPENDENTS = {
    GUEST: ("T_cpu", "T_cpu_kernel", "T_vdisk", "IO_vdisk_task"),
    HOST: ("T_disk", "IO_disk_task", "T_qemu"),
}
"""Machine → quantities that depend on its clock and its logs."""


LOG_DEPENDENTS = {
    ("top", GUEST): ("T_cpu_process", "T_cpu_idle"),
    ("top", HOST): (),
    ("tasks", GUEST): ("T_cpu_kernel",),
    ("tasks", HOST): ("T_qemu",),
    ("block", GUEST): disk_sources("vdisk"),
    ("block", HOST): disk_sources("disk"),
    ("iotop", GUEST): ("IO_vdisk_task",),
    ("iotop", HOST): ("IO_disk_task",),
    ("access", GUEST): ("lambda_log",),
    ("general", GUEST): ("lambda_log",),
}
"""Kind of log and machine → quantities that are measured by it."""
FACT_LOGS = {"clock_ticks_per_s": "tasks"}
"""Key of facts.json → the kind of log whose numbers alone are computed with it."""


def check_clocks(run: Run, server: VirtualServer, window: Window) -> Iterator[Check]:
    """Uncertainty of each clock's offset, and its drift over the run, against the sampling step.

    Of a run whose times were inferred it is known that they are less certain than that: one check, not evaluated.
    """
    if run.is_imported:
        uncertain_s = [
            role.clock_uncertainty_ns / 1e9
            for name in (HOST, server.role)
            if (role := run.roles.get(name)) is not None and role.clock_uncertainty_ns
        ]
        reason = texts.times_inferred(
            max(uncertain_s, default=None), has_times=not run.has_inferred_times
        )
        yield not_evaluated(texts.TIMES, reason, (ALL,), blocking=True)
        return
    for machine, name in ((GUEST, server.role), (HOST, HOST)):
        if name == HOST and not has_host(run):
            continue
        step_s = run.facts(name).get("interval_s") or 1.0
        tolerance_ms = 1e3 * MAX_STEP_SHARE * step_s
        dependents = DEPENDENTS[machine]
        role = run.roles.get(name)
        if role is None or role.clock_offset_ns is None or role.clock_uncertainty_ns is None:
            yield not_evaluated(texts.clock(machine), texts.UNKNOWN_OFFSET, dependents)
        else:
            error_ms = role.clock_uncertainty_ns / 1e6
            yield Check(
                texts.clock(machine), exact_result(error_ms, 0, tolerance_ms),
                texts.offset_uncertainty(error_ms, window.duration_s, step_s),
                dependents, error_ms, 0.0, tolerance_ms, "ms",
                texts.offset_uncertainty_flag(machine, error_ms),
            )  # fmt: skip
        yield _check_drift(run, name, machine, tolerance_ms)


def _check_drift(run: Run, role: str, machine: str, tolerance_ms: float) -> Check:
    """Offset after the run minus offset before it; both are known to their uncertainties only."""
    name, dependents = texts.clock_drift(machine), DEPENDENTS[machine]
    offsets = [measured_offset(run, role, when) for when in ("before", "after")]
    if any(offset is None for offset in offsets):
        return not_evaluated(name, texts.ONE_OFFSET, dependents)
    (before, error_before), (after, error_after) = offsets  # type: ignore[misc]
    drift_ms, error_ms = (after - before) / 1e6, (error_before + error_after) / 1e6
    low_ms, high_ms = drift_ms - error_ms, drift_ms + error_ms
    return Check(
        name, bounds_result(low_ms, high_ms, 0, tolerance_ms), texts.drift(drift_ms, error_ms / 2),
        dependents, drift_ms, 0.0, tolerance_ms, "ms", texts.drift_flag(machine, drift_ms),
        low=low_ms, high=high_ms, rule=texts.RULE_BOUNDS,
    )  # fmt: skip


SNAPSHOT_LOGS = {
    "top": "top_summary",
    "iotop": "iotop_totals",
    "block": "block",
    "tasks": "task_processes",
}
"""Kind of log → a table with a row of each of its snapshots."""
COUNTERS = ("guest_cpu", "kernel_cpu", "host_cpu", "vdisk", "disk", "vdisk_bytes", "disk_bytes")
"""Counters of the ledger, at least one from each log (``RunCounters``)."""


def check_logs(counters: RunCounters, client: ClientResult | str) -> Iterator[Check]:
    """Whether each log stands for the load's window: one failed check per log that does not.

    The numbers themselves are missing with the reason, or have the flag (``RunCounters``): the check flags none.
    ``client``: the summary of the client's log, or why there is none.
    """
    for log, problems in _problems_of_logs(counters, client):
        if problems:
            yield Check(
                measure_texts.log_in_window(log.name), FAILED, "; ".join(problems), (),
                float(len(problems)), 0.0, 0.0, "problems", texts.recording_flag(log.name, problems[0]),
            )  # fmt: skip


def log_problems(checks: pl.DataFrame) -> list[str]:
    """The failed checks of ``check_logs`` among ``checks``, as ``file: problem``; each once."""
    prefix = measure_texts.log_in_window("")
    failed = checks.filter(pl.col("check").str.starts_with(prefix), result=FAILED)
    pairs = failed.select("check", "message").unique(maintain_order=True).rows()
    return [f"{name.removeprefix(prefix)}: {message}" for name, message in pairs]


def _problems_of_logs(
    counters: RunCounters, client: ClientResult | str
) -> Iterator[tuple[Log, list[str]]]:
    run, server = counters.run, counters.server
    for role in (server.role, HOST):
        for kind, table in SNAPSHOT_LOGS.items():
            log = run.log(role, kind)
            if log is not None and run.clock_offset_ns(role) is not None:
                names = [name for name in COUNTERS if counters.log_of(name) == (table, role)]
                yield log, _snapshot_problems(counters, table, role, names)
    client_log = run.client_log(server.name)
    if client_log is not None and isinstance(client, str):
        yield client_log, [client]
    for kind in ("access", "general"):
        log = run.log(server.role, kind)
        if log is not None and not isinstance(client, str):
            yield log, _request_problems(counters, client.completions)


def _request_problems(counters: RunCounters, completions: int) -> list[str]:
    """Whether a server's own log lacks requests that the client completed."""
    logged = value_or_reason(counters.requests_logged)
    if isinstance(logged, str):
        is_empty = counters.tables.table("requests", counters.server.role).is_empty()
        return [logged] if is_empty and completions else []
    if completions - logged > max(MIN_FLOW_TOLERANCE, MAX_FLOW_IMBALANCE * completions):
        return [texts.requests_logged(completions, logged)]
    return []


def _snapshot_problems(counters: RunCounters, table: str, role: str, names: list[str]) -> list[str]:
    """Why the snapshots of a log do not stand for the window, and what is wrong with increases of ``names``."""
    try:
        coverage(counters.tables.sampled(table, role), counters.window)
    except MissingData as reason:
        return [str(reason)]
    flags = (value_or_reason(lambda name=name: counters.recording_flags(name)) for name in names)
    # a counter without a value has its reason, and that is not about snapshots
    return list(dict.fromkeys(text for each in flags if isinstance(each, tuple) for text in each))


def check_recording(tables: RunTables, server: VirtualServer) -> Iterator[Check]:
    """Whether logs are complete and manifests not contradicted by them: one check per file with a problem.

    A log or facts.json that does not exist makes its own numbers missing and fails no check. Any problem of run.json,
    also a key that is missing, flags all numbers of the virtual server.
    """
    run = tables.run
    rows = ingest.manifest(tables.processed, run.study, run.server, run.run)
    missing_logs = {log.name for log in run.missing()}
    kinds = {run.name_of(path): log.kind for log in run.logs() for path in log.files}
    by_file: dict[str, list[str]] = {}
    for text in rows["problems"].explode().drop_nulls().to_list():
        file, _, problem = text.partition(": ")
        if file not in missing_logs and problem != raw_texts.MISSING:
            by_file.setdefault(file.partition(",")[0], []).append(problem)
    has_problem = False
    for file, problems in by_file.items():
        role, _, name = file.partition("/")
        if name and role not in (HOST, CLIENT, server.role):
            continue
        has_problem = True
        is_log = bool(name) and not name.startswith("facts.json")
        machine = HOST if role == HOST else GUEST
        dependents = DEPENDENTS[machine] if name and role != CLIENT else (ALL,)
        facts = {FACT_LOGS.get(problem.partition(" ")[0]) for problem in problems if not is_log}
        (kind,) = facts if len(facts) == 1 else (None,)
        dependents = LOG_DEPENDENTS.get((kind or kinds.get(file), machine), dependents)
        yield Check(
            texts.recording(file), FAILED, "; ".join(problems),
            dependents,
            float(len(problems)), 0.0, 0.0, "problems", texts.recording_flag(file, problems[0]),
            blocking=not is_log,
        )  # fmt: skip
    if not has_problem:
        yield Check(texts.RECORDING, PASSED, texts.LOGS_COMPLETE, (ALL,), 0.0, 0.0, 0.0, "problems")
