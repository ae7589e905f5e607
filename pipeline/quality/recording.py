"""Checks of a recording: clocks known and constant, logs complete, manifests not contradicted by the logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline import ingest
from pipeline.ledger.catalogue import ALL
from pipeline.measure.run_tables import RunTables, has_host
from pipeline.quality import texts
from pipeline.quality.check import (
    FAILED,
    PASSED,
    Check,
    bounds_result,
    exact_result,
    not_evaluated,
)
from pipeline.raw import CLIENT, HOST, Run, VirtualServer, Window

MAX_STEP_SHARE = 0.1
"""Tolerated error of a clock, as a share of a sampling step: less than the uncertainty of whole steps."""

GUEST = "guest"
DEPENDENTS = {
    GUEST: ("T_cpu", "T_vdisk", "IO_vdisk_task"),
    HOST: ("T_disk", "IO_disk_task", "T_qemu"),
}
"""Machine → quantities that depend on its clock and its logs."""


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
    offsets = [_clock_offset(run.manifest, role, when) for when in ("before", "after")]
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


def _clock_offset(manifest: dict[str, Any], role: str, when: str) -> tuple[int, int] | None:
    """Offset and uncertainty (ns) in a manifest; None without two integers."""
    value: Any = manifest
    for key in ("roles", role, "clock", when):
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        return None
    offset, uncertainty = value.get("offset_ns"), value.get("uncertainty_ns")
    are_integers = isinstance(offset, int) and isinstance(uncertainty, int)
    return (offset, uncertainty) if are_integers else None


def check_recording(tables: RunTables, server: VirtualServer) -> Iterator[Check]:
    """Whether logs are complete and manifests not contradicted by them: one check per file with a problem.

    A missing log makes its own numbers missing and fails no check.
    """
    run = tables.run
    rows = ingest.manifest(tables.processed, run.study, run.server, run.run)
    by_file: dict[str, list[str]] = {}
    for text in rows["problems"].explode().drop_nulls().to_list():
        file, _, problem = text.partition(": ")
        if not problem.endswith("missing"):
            by_file.setdefault(file.partition(",")[0], []).append(problem)
    has_problem = False
    for file, problems in by_file.items():
        role, _, name = file.partition("/")
        if name and role not in (HOST, CLIENT, server.role):
            continue
        has_problem = True
        is_log = bool(name) and not name.startswith("facts.json")
        machine = HOST if role == HOST else GUEST
        yield Check(
            texts.recording(file), FAILED, "; ".join(problems),
            DEPENDENTS[machine] if name and role != CLIENT else (ALL,),
            float(len(problems)), 0.0, 0.0, "problems", texts.recording_flag(file, problems[0]),
            blocking=not is_log,
        )  # fmt: skip
    if not has_problem:
        yield Check(texts.RECORDING, PASSED, texts.LOGS_COMPLETE, (ALL,), 0.0, 0.0, 0.0, "problems")
