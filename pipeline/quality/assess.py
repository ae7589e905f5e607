"""The checks of a run, and the flags of the numbers that depend on a failed one.

``check_virtual_server`` checks one virtual server, ``check_run`` every loaded one of a run; ``flag_failed_checks`` adds
failed checks to the flags of the ledger's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from pipeline import ingest
from pipeline.ledger.catalogue import ALL, X_MVA, dependents_of
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.arrivals import access_times_ns
from pipeline.measure.clients import client_rows
from pipeline.measure.cpu_limit import CpuLimit, cpu_limit
from pipeline.measure.load import logged_arrivals, stated_load, with_arrival_trace
from pipeline.measure.run_tables import RunTables
from pipeline.measure.time_series import load_series
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.quality.check import (
    CHECKS,
    FAILED,
    INCONCLUSIVE,
    PASSED,
    RULE_BOUNDS,
    RULE_CROSS_CHECK,
    Check,
    bounds_result,
    checks_frame,
    exact_result,
    not_evaluated,
    words,
)
from pipeline.quality.cross_check import cross_check_run
from pipeline.quality.operational_laws import (
    check_flow_balance,
    check_littles_law,
    check_utilization_bound,
    check_utilization_law,
)
from pipeline.quality.stationarity import check_stationarity
from pipeline.quality.workload import (
    check_arrival_rate,
    check_arrival_variability,
    check_client_errors,
)
from pipeline.raw import CLIENT, HOST, Run, Study, VirtualServer, Window

FLAG_PREFIX = "gate: "
"""How a flag begins that the gate has set."""


OF_A_STEP = 0.1
"""Share of a sampling step that a clock may be off by: less than what taking whole steps leaves open anyway."""

RESTS = {
    "guest": ("T_cpu", "T_vdisk", "IO_vdisk_task"),
    HOST: ("T_disk", "IO_disk_task", "T_qemu"),
}
"""Machine → what rests on its clock and its logs."""

GROUPS = {
    "T_cpu_process": "CPU time in the guest",
    "T_qemu": "CPU time of QEMU",
    "IO_vdisk_task": "bytes in the guest",
    "IO_disk_task": "bytes on the host",
    "T_vdisk": "guest's disk",
    "T_disk": "host's disk",
}
"""What instruments measure → the words of the check that they agree on it."""


def check_run(
    run: Run,
    study: Study | None,
    processed: Path | str,
    ledger: pl.DataFrame,
    compared: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The checks of every virtual server that had a load, form ``CHECKS``.

    ``ledger``: the run's (``ledger.run_ledger``); ``compared``: its instruments, if they are compared already.
    """
    tables, envelope = RunTables(run, Path(processed)), cpu_limit(study, run)
    compared = cross_check_run(tables, envelope) if compared is None else compared
    frames = [
        check_virtual_server(tables, server, ledger, envelope, compared)
        for _, server in sorted(run.virtual_servers.items())
        if server.workload is not None
    ]
    return pl.concat([pl.DataFrame(schema=CHECKS), *frames])


def check_virtual_server(
    tables: RunTables,
    server: VirtualServer,
    ledger: pl.DataFrame,
    envelope: CpuLimit,
    compared: pl.DataFrame,
) -> pl.DataFrame:
    """The checks of one virtual server with a load, form ``CHECKS``; ``compared``: ``cross_check_run`` of the run."""
    window = server.workload.window or tables.run.window
    if window is None:
        return pl.DataFrame(schema=CHECKS)
    numbers = LedgerView(ledger, server.name)
    rows = value_or_reason(lambda: client_rows(tables, server))
    lines = pl.DataFrame() if isinstance(rows, str) else rows
    summary = lines if lines.is_empty() else lines.filter(pl.col("kind") == "summary").sort("line")
    client = None if summary.is_empty() else summary.row(-1, named=True)
    logged = value_or_reason(lambda: access_times_ns(tables.rows("requests", server.role)))
    counters = RunCounters(tables.run, server, tables.processed)
    series = value_or_reason(lambda: load_series(counters))
    shown = lines if lines.is_empty() else lines.filter(pl.col("kind") == "interval")
    checks = [
        *check_flow_balance(client, numbers),
        *check_arrival_rate(server, numbers, _sequence_rate_per_s(counters, client)),
        *check_arrival_variability(server, logged, window),
        check_client_errors(client),
        check_littles_law(server, client, numbers),
        *check_utilization_law(tables, server, window, numbers),
        *check_utilization_bound(tables, server, ledger, numbers, envelope),
        *check_stationarity(series, shown, window.duration_s),
        *check_clocks(tables.run, server, window),
        *check_recording(tables, server),
        *check_source_agreement(server, compared),
    ]
    return checks_frame(server.name, checks)


def _sequence_rate_per_s(counters: RunCounters, client: dict | None) -> float | None:
    """The rate of the client's fixed sequence of arrivals; None if it has none or the server's log is not of it."""
    logged = logged_arrivals(counters)
    if client is None or logged is None:
        return None
    load = with_arrival_trace(stated_load(counters), client["tool"], client["connections"], *logged)
    return None if load.interarrival_s is None else load.mean_rate_per_s


def check_clocks(run: Run, server: VirtualServer, window: Window) -> Iterator[Check]:
    """Uncertainty of each clock's offset, and its drift over the run, against the sampling step."""
    for words_, role in (("guest", server.role), (HOST, HOST)):
        step_s = run.facts(role).get("interval_s") or 1.0
        allowed_ms = 1e3 * OF_A_STEP * step_s
        dependents = RESTS[words_]
        name = f"clock of the {words_}"
        known = run.roles.get(role)
        if known is None or known.clock_offset_ns is None or known.clock_uncertainty_ns is None:
            yield not_evaluated(name, "it was not compared with the client's", dependents)
        else:
            off_ms = known.clock_uncertainty_ns / 1e6
            yield Check(
                name, exact_result(off_ms, 0, allowed_ms),
                f"known to {words(off_ms, 3)} ms, {words(1e-3 * off_ms / window.duration_s * 100, 2)} % of the "
                f"load and {words(1e-3 * off_ms / step_s * 100, 2)} % of a sampling step",
                dependents, off_ms, 0.0, allowed_ms, "ms",
                f"{words_}'s clock known to {words(off_ms, 3)} ms only",
            )  # fmt: skip
        yield _drift(run, role, words_, allowed_ms, dependents)


def _drift(
    run: Run, role: str, words_: str, allowed_ms: float, dependents: tuple[str, ...]
) -> Check:
    """Offset after the run less offset before it; both are known to their uncertainties only."""
    name = f"clock of the {words_}, drift"
    ends = [_end(run.manifest, role, when) for when in ("before", "after")]
    if any(end is None for end in ends):
        return not_evaluated(name, "it was compared with the client's once only", dependents)
    (before, unsure), (after, unsure_too) = ends  # type: ignore[misc]
    drift_ms, slack_ms = (after - before) / 1e6, (unsure + unsure_too) / 1e6
    low_ms, high_ms = drift_ms - slack_ms, drift_ms + slack_ms
    return Check(
        name, bounds_result(low_ms, high_ms, 0, allowed_ms),
        f"moved by {words(drift_ms, 3)} ms from before the run to after it (each known to "
        f"{words(slack_ms / 2, 2)} ms)",
        dependents, drift_ms, 0.0, allowed_ms, "ms",
        f"{words_}'s clock drifted by {words(drift_ms, 3)} ms",
        low=low_ms, high=high_ms, rule=RULE_BOUNDS,
    )  # fmt: skip


def _end(manifest: dict[str, Any], role: str, when: str) -> tuple[int, int] | None:
    here: Any = manifest
    for key in ("roles", role, "clock", when):
        here = here.get(key) if isinstance(here, dict) else None
    if not isinstance(here, dict):
        return None
    offset, unsure = here.get("offset_ns"), here.get("uncertainty_ns")
    whole = isinstance(offset, int) and isinstance(unsure, int)
    return (offset, unsure) if whole else None


def check_recording(tables: RunTables, server: VirtualServer) -> Iterator[Check]:
    """Whether logs are whole and manifests are not contradicted by them: one check per file with a problem.

    A log that is missing takes its own numbers with it and is no failure here.
    """
    run = tables.run
    rows = ingest.manifest(tables.processed, run.study, run.server, run.run)
    said = rows["problems"].explode().drop_nulls().to_list()
    by_file: dict[str, list[str]] = {}
    for sentence in said:
        file, _, what = sentence.partition(": ")
        if not what.endswith("missing"):
            by_file.setdefault(file.partition(",")[0], []).append(what)
    name, found = "recording", False
    for file, sentences in by_file.items():
        role, _, rest = file.partition("/")
        if rest and role not in (HOST, CLIENT, server.role):
            continue
        found = True
        is_log = bool(rest) and not rest.startswith("facts.json")
        yield Check(
            f"{name}: {file}", FAILED, "; ".join(sentences),
            RESTS.get(HOST if role == HOST else "guest") if rest and role != CLIENT else (ALL,),
            float(len(sentences)), 0.0, 0.0, "problems",
            f"{file}: {sentences[0]}".replace("; ", ", "), blocking=not is_log,
        )  # fmt: skip
    if not found:
        sentence = "every log ends in good order, and no manifest is contradicted by the logs"
        yield Check(name, PASSED, sentence, (ALL,), 0.0, 0.0, 0.0, "problems")


def check_source_agreement(server: VirtualServer, compared: pl.DataFrame) -> list[Check]:
    """Whether the instruments agree on what the virtual server's numbers are computed from, thing by thing.

    The comparisons of its own processes and disks, and of the machines that it runs on; sums, not single processes.
    """
    mine = compared.filter(
        pl.col("subject").is_null()
        & (
            (pl.col("virtual_server") == server.name)
            | (pl.col("virtual_server").is_null() & pl.col("role").is_in([server.role, HOST]))
        )
    )
    checks = []
    for root, words_ in GROUPS.items():
        rows = mine.filter(pl.col("dependents").str.split(" ").list.contains(root))
        judged = rows.filter(pl.col("outcome") != "missing")
        name = f"instruments agree: {words_}"
        if judged.is_empty():
            reasons = " / ".join(rows["message"].unique(maintain_order=True).to_list())
            checks.append(not_evaluated(name, reasons or "nothing to compare", (root,)))
            continue
        apart = judged.filter(pl.col("outcome") == "disagree")
        within = judged.filter(pl.col("outcome") == "within resolution").height
        told = "; ".join(
            f"{row['quantity']} ({row['source_a']} against {row['source_b']}): {row['message']}"
            for row in apart.iter_rows(named=True)
        )
        checks.append(
            Check(
                name,
                FAILED if apart.height else INCONCLUSIVE if within else PASSED,
                told
                or f"{judged.height} compared, {within} of them more than 2 % apart but within resolution",
                (root,),
                float(apart.height),
                0.0,
                0.0,
                "disagreements",
                f"instruments disagree on {words_}",
                rule=RULE_CROSS_CHECK,
            )
        )
    return checks


# -- what follows from the checks ---------------------------------------------------------------------------


def flag_failed_checks(ledger: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """``ledger`` with a flag for every failed check on every number that rests on it.

    A number that is missing has no mark: there is nothing to doubt. Marking twice marks once.
    """
    failed = checks.filter(pl.col("result") == FAILED)
    told: dict[tuple[str, str], list[str]] = {}
    for row in failed.iter_rows(named=True):
        for quantity in dependents_of(row["dependents"].split(" ")):
            told.setdefault((row["virtual_server"], quantity), []).append(FLAG_PREFIX + row["flag"])

    def flags(row: dict) -> list[str] | None:
        found = row["flags"] or []
        if row["value"] is not None:
            solved = row["quantity"] == "X_req" and row["equation"] == "MVA"
            for quantity in (X_MVA, "X_req") if solved else (row["quantity"],):
                found = [*found, *told.get((row["virtual_server"], quantity), [])]
        return list(dict.fromkeys(found)) or None

    found = [flags(row) for row in ledger.iter_rows(named=True)]
    return ledger.with_columns(pl.Series("flags", found, pl.List(pl.String)))
