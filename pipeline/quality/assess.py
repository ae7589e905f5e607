"""The quality checks of a run, and the flags of the numbers that depend on a failed one.

``check_virtual_server`` makes the checks of one virtual server, ``check_run`` of every loaded one of a run;
``flag_failed_checks`` adds failed checks to the flags of the ledger's rows.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipeline.ledger.catalogue import X_MVA, dependents_of
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.arrivals import access_times_ns
from pipeline.measure.clients import client_result, client_rows
from pipeline.measure.cpu_limit import CpuLimit, cpu_limit
from pipeline.measure.disks import DISKS
from pipeline.measure.load import logged_arrivals, stated_load, with_arrival_trace
from pipeline.measure.run_tables import RunTables
from pipeline.measure.time_series import load_series
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.quality import texts
from pipeline.quality.check import (
    CHECKS,
    FAILED,
    INCONCLUSIVE,
    PASSED,
    Check,
    checks_frame,
    not_evaluated,
)
from pipeline.quality.cross_check import cross_check_run
from pipeline.quality.environment import check_environment
from pipeline.quality.operational_laws import (
    check_flow_balance,
    check_littles_law,
    check_utilization_bound,
    check_utilization_law,
)
from pipeline.quality.recording import (
    check_clocks,
    check_logs,
    check_recording,
    disk_sources,
)
from pipeline.quality.stationarity import check_stationarity
from pipeline.quality.workload import (
    check_arrival_rate,
    check_arrival_variability,
    check_client_errors,
)
from pipeline.raw import HOST, Run, Study, VirtualServer

FLAG_PREFIX = texts.FLAG_PREFIX


def check_run(
    run: Run,
    study: Study | None,
    processed: Path | str,
    ledger: pl.DataFrame,
    cross_checks: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Check every virtual server of a run that had a load.

    Parameters
    ----------
    run, study
        The run, and the study whose study.json states the CPU limit; without it the host's CPUs are the limit.
    processed
        Folder of the ingested tables.
    ledger
        The run's ledger (``ledger.run_ledger``).
    cross_checks
        The run's cross-checks (``cross_check_run``); computed if None.

    Returns
    -------
    polars.DataFrame
        One row per check, form ``CHECKS``, by virtual server. A check without its input is ``not evaluated``, with the
        reason as its message.
    """
    tables, limit = RunTables(run, Path(processed)), cpu_limit(study, run)
    if cross_checks is None:
        cross_checks = cross_check_run(tables, limit)
    frames = [
        check_virtual_server(tables, server, ledger, limit, cross_checks)
        for _, server in sorted(run.virtual_servers.items())
        if server.workload is not None
    ]
    return pl.concat([pl.DataFrame(schema=CHECKS), *frames])


def check_virtual_server(
    tables: RunTables,
    server: VirtualServer,
    ledger: pl.DataFrame,
    limit: CpuLimit,
    cross_checks: pl.DataFrame,
) -> pl.DataFrame:
    """The checks of one virtual server with a load, form ``CHECKS``; ``cross_checks``: of the run."""
    window = server.workload.window or tables.run.window
    if window is None:
        return pl.DataFrame(schema=CHECKS)
    numbers = LedgerView(ledger, server.name)
    counters = RunCounters(tables.run, server, tables.processed)
    client_log = value_or_reason(lambda: client_rows(tables, server))
    summary, intervals = _split_client_log(client_log)
    arrivals_ns = value_or_reason(lambda: access_times_ns(tables.rows("requests", server.role)))
    series = value_or_reason(lambda: load_series(counters))
    checks = [
        *check_flow_balance(summary, numbers),
        *check_arrival_rate(server, numbers, _trace_rate_per_s(counters, summary)),
        *check_arrival_variability(server, arrivals_ns, window),
        check_client_errors(summary),
        check_littles_law(server, summary, numbers),
        *check_utilization_law(tables, server, window, numbers),
        *check_utilization_bound(tables, server, ledger, numbers, limit),
        *check_stationarity(series, intervals, window.duration_s),
        *check_clocks(tables.run, server, window),
        *check_recording(tables, server),
        *check_logs(counters, value_or_reason(lambda: client_result(counters.client()))),
        *check_source_agreement(server, cross_checks),
        *check_environment(tables, server, window, limit, summary),
    ]
    return checks_frame(server.name, checks)


def _split_client_log(rows: pl.DataFrame | str) -> tuple[dict | None, pl.DataFrame]:
    """The last summary row of the client's log, None without one, and its interval rows."""
    if isinstance(rows, str) or rows.is_empty():
        return None, pl.DataFrame()
    summaries = rows.filter(pl.col("kind") == "summary").sort("line")
    summary = None if summaries.is_empty() else summaries.row(-1, named=True)
    return summary, rows.filter(pl.col("kind") == "interval")


def _trace_rate_per_s(counters: RunCounters, client: dict | None) -> float | None:
    """Rate of the client's arrival trace; None without one, or if the server's log does not match it."""
    logged = logged_arrivals(counters)
    if client is None or logged is None:
        return None
    load = with_arrival_trace(stated_load(counters), client["tool"], client["connections"], *logged)
    return None if load.interarrival_s is None else load.mean_rate_per_s


def check_source_agreement(server: VirtualServer, cross_checks: pl.DataFrame) -> list[Check]:
    """Whether sources agree on what the virtual server's numbers are computed from, one check per quantity.

    Uses the cross-checks of its own processes and disks, and of the machines that it runs on; sums, not single
    processes.
    """
    own = cross_checks.filter(
        pl.col("subject").is_null()
        & (
            (pl.col("virtual_server") == server.name)
            | (pl.col("virtual_server").is_null() & pl.col("role").is_in([server.role, HOST]))
        )
    )
    checks = []
    for root, quantity in texts.AGREEMENT_OF.items():
        pairs = own.filter(pl.col("dependents").str.split(" ").list.contains(root))
        compared = pairs.filter(pl.col("outcome") != "not evaluated")
        name = texts.sources_agree(quantity)
        if compared.is_empty():
            reasons = " / ".join(pairs["message"].unique(maintain_order=True).to_list())
            checks.append(not_evaluated(name, reasons or texts.NO_CROSS_CHECK, (root,)))
            continue
        disagreeing = compared.filter(pl.col("outcome") == "disagree")
        within = compared.filter(pl.col("outcome") == "within resolution").height
        message = "; ".join(
            texts.pair(row["quantity"], row["source_a"], row["source_b"], row["message"])
            for row in disagreeing.iter_rows(named=True)
        )
        result = FAILED if disagreeing.height else INCONCLUSIVE if within else PASSED
        dependents = disk_sources(root[2:]) if root[2:] in DISKS else (root,)
        check = Check(
            name, result, message or texts.pairs_compared(compared.height, within),
            dependents if disagreeing.height else (root,),
            float(disagreeing.height), 0.0, 0.0, "disagreements", texts.sources_disagree(quantity),
            rule=texts.RULE_CROSS_CHECK,
        )  # fmt: skip
        checks.append(check)
    return checks


def flag_failed_checks(ledger: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """``ledger`` with a flag for every failed check on every number that depends on it.

    A missing number gets none. Applying it twice gives the same as once. A virtual server without a load has no checks
    of its own; its numbers are read from the host's logs and have the flags of the host's recording.
    """
    unloaded = set(ledger["virtual_server"].unique()) - set(checks["virtual_server"].unique())
    flags_of: dict[tuple[str, str], list[str]] = {}
    for row in checks.filter(pl.col("result") == FAILED).iter_rows(named=True):
        is_shared = row["check"].startswith(
            (texts.recording(f"{HOST}/"), texts.recording("run.json"))
        )
        for quantity in dependents_of(row["dependents"].split()):
            for server in (row["virtual_server"], *(unloaded if is_shared else ())):
                flags_of.setdefault((server, quantity), []).append(FLAG_PREFIX + row["flag"])

    def with_flags(row: dict) -> list[str] | None:
        flags = row["flags"] or []
        if row["value"] is not None:
            is_modelled = row["quantity"] == "X_req" and row["equation"] == "MVA"
            for quantity in (X_MVA, "X_req") if is_modelled else (row["quantity"],):
                flags = [*flags, *flags_of.get((row["virtual_server"], quantity), [])]
        return list(dict.fromkeys(flags)) or None

    flags = [with_flags(row) for row in ledger.iter_rows(named=True)]
    return ledger.with_columns(pl.Series("flags", flags, pl.List(pl.String)))
