"""Operational laws that hold in every run, whatever the model: flow balance, U = X D, N = X (R + Z), U ≤ 1.

Denning and Buzen, "The operational analysis of queueing network models" (Computing Surveys 10, 1978). None of
them needs an assumption about arrivals or service, so that a run that breaks one was not measured correctly, or was not
in steady state.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.ledger.catalogue import ALL, AS_PRINTED, KEPT, OFF
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.processes import ALL_STATES, BUSY_STATES, busy_share, machine_counter
from pipeline.measure.run_tables import RunTables, has_host
from pipeline.measure.texts import NO_HOST, NO_IDLE_BASELINE
from pipeline.measure.window import MissingData
from pipeline.quality import texts
from pipeline.quality.check import Check, exact_result, not_evaluated, result_of
from pipeline.raw import VirtualServer, Window

MAX_FLOW_IMBALANCE = 0.01
"""Share of requests by which two counts may differ."""
MIN_FLOW_TOLERANCE = 2.0
"""Requests by which the client's and the server's count may always differ."""
MAX_UNATTRIBUTED = 0.10
"""Share of a station's busy time that may be neither the requests' nor the background's."""
MIN_UNATTRIBUTED = 0.02
"""Utilization that may always be unattributed."""
MAX_CUSTOMER_ERROR = 0.05
"""Share by which X (R + Z) may differ from N: at both ends of a run not all customers are in the system."""
PRINTED_TIMES_ERROR_S = 2e-4
"""Two times printed in tenths of a millisecond."""
MIN_UTILIZATION_TOLERANCE = 0.01


def check_flow_balance(client: dict | None, numbers: LedgerView) -> Iterator[Check]:
    """Arrivals = completions: at the client, and between the client and the server's own log.

    ``client``: the summary row of table client.
    """
    yield _check_client_flow(client)
    dependents = ("lambda_total", "lambda_log")
    rows = [numbers.row(symbol) for symbol in ("lambda_total", "lambda_log")]
    counted, logged = (row["value"] for row in rows)
    if counted is None or logged is None:
        reasons = rows[0 if counted is None else 1]["flags"] or [texts.NO_COUNT]
        yield not_evaluated(texts.SERVER_FLOW, "; ".join(reasons), dependents)
        return
    tolerance = max(MIN_FLOW_TOLERANCE, MAX_FLOW_IMBALANCE * counted)
    yield Check(
        texts.SERVER_FLOW, exact_result(logged, counted, tolerance),
        texts.requests_logged(counted, logged), dependents, logged, counted, tolerance, "requests",
        texts.requests_logged_flag(counted, logged),
    )  # fmt: skip


def _check_client_flow(client: dict | None) -> Check:
    name, dependents = texts.CLIENT_FLOW, (ALL,)
    if client is None:
        return not_evaluated(name, texts.NO_CLIENT_SUMMARY, dependents, blocking=True)
    completed, begun = client["completions"], client["connections"]
    if completed is None:
        return not_evaluated(name, texts.NO_COMPLETIONS, dependents, blocking=True)
    if begun is None and client["errors"] is not None:
        begun = completed + client["errors"]
    if begun is None:
        return not_evaluated(name, texts.NO_REQUESTS_BEGUN, dependents)
    tolerance = MAX_FLOW_IMBALANCE * begun
    return Check(
        name, exact_result(completed, begun, tolerance), texts.requests_completed(begun, completed),
        dependents, completed, begun, tolerance, "requests",
        texts.requests_completed_flag(begun, completed), blocking=True,
    )  # fmt: skip


def check_littles_law(server: VirtualServer, client: dict | None, numbers: LedgerView) -> Check:
    """N = X (R + Z) at the client.

    Closed: N is the number of threads. Open: N is not given; the client measured the lifetime of a connection and its
    parts separately, and X times each is the number of open connections.
    """
    work, name = server.workload, texts.LITTLES_LAW
    dependents: tuple[str, ...] = ("R_client",)
    rate, response_s = numbers.value("X_client"), numbers.value("R_client")
    if work is None or rate is None or response_s is None:
        return not_evaluated(name, texts.NO_THROUGHPUT_OR_RESPONSE, dependents)
    if work.kind == "closed":
        if not work.population:
            return not_evaluated(name, texts.NO_POPULATION, dependents)
        think_s = work.think_time_s or 0.0
        customers = rate * (response_s + think_s)
        tolerance = MAX_CUSTOMER_ERROR * work.population
        return Check(
            name, exact_result(customers, work.population, tolerance),
            texts.customers(rate, response_s, think_s, customers, work.population), (ALL,),
            customers, float(work.population), tolerance, "requests",
            texts.customers_flag(customers, work.population), blocking=True,
        )  # fmt: skip
    lifetime_s = None if client is None else client["connection_time_mean_s"]
    connect_s = None if client is None else client["connect_time_mean_s"]
    if lifetime_s is None or connect_s is None:
        return not_evaluated(name, texts.NO_CONNECTION_TIMES, dependents)
    by_lifetimes, by_parts = rate * lifetime_s, rate * (connect_s + response_s)
    tolerance = MAX_CUSTOMER_ERROR * by_parts + rate * PRINTED_TIMES_ERROR_S
    message = texts.connections(by_lifetimes, by_parts)
    return Check(
        name, exact_result(by_lifetimes, by_parts, tolerance), message, dependents,
        by_lifetimes, by_parts, tolerance, "connections", message,
    )  # fmt: skip


# -- U = X D ------------------------------------------------------------------------------------------------


def check_utilization_law(
    tables: RunTables, server: VirtualServer, window: Window, numbers: LedgerView
) -> Iterator[Check]:
    """U = X D + U_background at the guest's CPU and both disks.

    U is measured without any request (the whole CPU by /proc/stat, the whole disk by io_ticks), D for one request
    (the server's own processes, its share of the bytes), the background in the idle baseline. The remainder is work
    for the requests that no demand contains: interrupts, kernel threads, other processes.
    """
    yield _check_cpu_law(tables, server, window, numbers)
    for disk, where in texts.DISK_NAMES.items():
        dependents = (f"D_{disk}_req",)
        # iotop's share, so that work of the disk for others shows; the demand itself may not need it
        requests = numbers.row(f"U_{disk}_req", demand=AS_PRINTED, background=OFF)
        whole, net = (
            numbers.value(f"U_{disk}_total", background=background) for background in (KEPT, OFF)
        )
        if whole is None or requests["value"] is None or net is None:
            reasons = requests["flags"] or [texts.NO_UTILIZATION]
            yield not_evaluated(texts.utilization_law(where), "; ".join(reasons), dependents)
        else:
            yield _check_law(where, whole, requests["value"], whole - net, dependents)


def _check_law(
    where: str, whole: float, requests: float, background: float, dependents: tuple[str, ...]
) -> Check:
    expected = requests + background
    tolerance = max(MAX_UNATTRIBUTED * whole, MIN_UNATTRIBUTED)
    return Check(
        texts.utilization_law(where), exact_result(whole, expected, tolerance),
        texts.utilization_parts(whole, requests, background),
        dependents, whole, expected, tolerance, "1", texts.unattributed(where, whole - expected),
    )  # fmt: skip


def _check_cpu_law(
    tables: RunTables, server: VirtualServer, window: Window, numbers: LedgerView
) -> Check:
    name, dependents = texts.utilization_law(texts.GUEST_CPU), ("R_cpu",)
    demand_s, rate = numbers.value("R_cpu", background=OFF), numbers.value("X_req")
    cpus = tables.run.facts(server.role).get("cpus")
    if demand_s is None or rate is None or not cpus:
        return not_evaluated(name, texts.NO_DEMAND, dependents)
    try:
        rows = tables.sampled("cpus", server.role)
        idle_baseline = tables.run.idle_before
        if idle_baseline is None:
            raise MissingData(NO_IDLE_BASELINE)
        busy, total = (machine_counter(rows, states) for states in (BUSY_STATES, ALL_STATES))
        whole = busy_share(tables, server.role, window)
        idle = _share(
            busy.idle_increase(idle_baseline).value, total.idle_increase(idle_baseline).value
        )
    except MissingData as reason:
        return not_evaluated(name, str(reason), dependents)
    return _check_law(texts.GUEST_CPU, whole, rate * demand_s / cpus, idle, dependents)


def _share(busy: float, total: float) -> float:
    if not total:
        raise MissingData(texts.NO_CPU_TICKS)
    return busy / total


# -- U ≤ 1 --------------------------------------------------------------------------------------------------


def check_utilization_bound(
    tables: RunTables,
    server: VirtualServer,
    ledger: pl.DataFrame,
    numbers: LedgerView,
    limit: CpuLimit,
) -> Iterator[Check]:
    """U ≤ 1 at every station.

    Increases are taken between snapshots that bracket the window, so that a saturated station may show two sampling
    steps too much.
    """
    length_s = numbers.value("T")
    step_s = tables.run.facts(server.role).get("interval_s") or 1.0
    tolerance = MIN_UTILIZATION_TOLERANCE + (2 * step_s / length_s if length_s else 0.0)
    for quantity, names in texts.UTILIZATION_BOUNDS.items():
        row = numbers.row(quantity, background=KEPT)
        dependents = ("T_cpu",) if quantity == "U_vcpu" else (f"T_{quantity.split('_')[1]}",)
        reason = "; ".join(row["flags"] or ()) or texts.NOT_MEASURED
        yield _check_bound(*names, row["value"], row["low"], tolerance, dependents, reason)
    dependents = ("T_qemu", "R_req")
    by_qemu = ledger.filter((pl.col("quantity") == "U_qemu") & (pl.col("background") == KEPT))
    value = low = None
    if not by_qemu.is_empty() and not by_qemu["value"].null_count():
        value, low = (
            float(by_qemu.select(pl.coalesce(column, "value").sum()).item()) / limit.cpus
            for column in ("value", "low")
        )
    reason = texts.NO_QEMU_TIME if has_host(tables.run) else NO_HOST
    yield _check_bound(*texts.HOST_CPU_BOUND, value, low, tolerance, dependents, reason)


def _check_bound(
    name: str,
    where: str,
    value: float | None,
    low: float | None,
    tolerance: float,
    dependents: tuple[str, ...],
    reason: str,
) -> Check:
    if value is None:
        return not_evaluated(name, reason, dependents, blocking=True)
    lower_bound = value if low is None else low
    message = texts.utilization(where, value)
    return Check(
        name, result_of(lower_bound <= 1 + tolerance), message, dependents, value, 1.0, tolerance, "1",
        message, blocking=True, rule=texts.RULE_LIMIT,
    )  # fmt: skip
