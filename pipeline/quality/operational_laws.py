"""Operational laws that hold in every run, whatever the model: flow balance, U = X D, N = X (R + Z), U ≤ 1.

Denning and Buzen, "The operational analysis of queueing network models" (Computing Surveys 10, 1978). None of
them needs an assumption about arrivals or service, so that a run that breaks one was not measured right, or was not
in a steady state.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.ledger.catalogue import ALL, AS_PRINTED, KEPT, OFF
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.cpu_limit import CpuLimit
from pipeline.measure.processes import ALL_STATES, BUSY_STATES, machine_counter
from pipeline.measure.run_tables import RunTables
from pipeline.measure.window import MissingData
from pipeline.quality.check import RULE_LIMIT, Check, exact_result, not_evaluated, result_of, words
from pipeline.raw import VirtualServer, Window

FLOW = 0.01
"""Share of requests that may be missing between two who count them."""
ACCOUNTED = 0.10
"""Share of a station's busy time that may be neither the requests' nor the background's."""
LITTLE = 0.05
"""Share by which X (R + Z) may differ from N: the run's two ends, where not all customers are in it."""


def check_flow_balance(client: dict | None, numbers: LedgerView) -> Iterator[Check]:
    """Arrivals = completions: at the client, and between the client and the server's own log.

    ``client``: the summary row of table client.
    """
    dependents = (ALL,)
    name = "flow balance at the client"
    done = None if client is None else client["completions"]
    if client is None or done is None:
        yield not_evaluated(name, "the client's report does not say", dependents, blocking=True)
    else:
        arrived = client["connections"]
        if arrived is None and client["errors"] is not None:
            arrived = done + client["errors"]
        if arrived is None:
            yield not_evaluated(
                name, "the client does not say how many requests it began", dependents
            )
        else:
            yield Check(
                name, exact_result(done, arrived, FLOW * arrived),
                f"{arrived:,} requests were begun and {done:,} completed", dependents,
                done, arrived, FLOW * arrived, "requests",
                f"{done:,} of {arrived:,} requests completed", blocking=True,
            )  # fmt: skip
    name, dependents = "flow balance between client and server", ("lambda_total",)
    rows = [numbers.row(symbol) for symbol in ("lambda_total", "lambda_log")]
    mine, theirs = (row["value"] for row in rows)
    if mine is None or theirs is None:
        why = rows[0 if mine is None else 1]["flags"] or ["one of the two counts is missing"]
        yield not_evaluated(name, "; ".join(why), dependents)
        return
    allowed = max(2.0, FLOW * mine)
    yield Check(
        name, exact_result(theirs, mine, allowed),
        f"the client counts {mine:,.0f} requests, the server's own log {theirs:,.0f}",
        dependents, theirs, mine, allowed, "requests",
        f"the server logged {theirs:,.0f} of {mine:,.0f} requests",
    )  # fmt: skip


def check_littles_law(server: VirtualServer, client: dict | None, numbers: LedgerView) -> Check:
    """N = X (R + Z) at the client.

    Closed: N is the number of threads. Open: N is not set by anybody; the client measured the life of a connection
    and the parts of it separately, and X times both is the number of connections that it had open.
    """
    work, name = server.workload, "Little's law at the client"
    dependents: tuple[str, ...] = ("R_client",)
    rate, time_s = numbers.value("X_client"), numbers.value("R_client")
    if work is None or rate is None or time_s is None:
        return not_evaluated(
            name, "the client's throughput or response time is missing", dependents
        )
    if work.kind == "closed":
        if not work.population:
            return not_evaluated(name, "run.json does not say the population", dependents)
        think_s = work.think_time_s or 0.0
        inside_it = rate * (time_s + think_s)
        return Check(
            name, exact_result(inside_it, work.population, LITTLE * work.population),
            f"X (R + Z) = {words(rate)} /s × ({words(1e3 * time_s)} + {words(1e3 * think_s)}) ms = "
            f"{words(inside_it)} with {work.population} threads",
            (ALL,), inside_it, float(work.population), LITTLE * work.population, "requests",
            f"X (R + Z) is {words(inside_it)} with {work.population} threads", blocking=True,
        )  # fmt: skip
    life_s = None if client is None else client["connection_time_mean_s"]
    connect_s = None if client is None else client["connect_time_mean_s"]
    if life_s is None or connect_s is None:
        return not_evaluated(
            name, "the client does not print how long its connections lived", dependents
        )
    lived, parts = rate * life_s, rate * (connect_s + time_s)
    allowed = LITTLE * parts + rate * 2e-4  # both are printed in tenths of a millisecond
    return Check(
        name, exact_result(lived, parts, allowed),
        f"{words(parts)} connections open by connect and reply times, {words(lived)} by their lives",
        dependents, lived, parts, allowed, "connections",
        f"{words(lived)} connections by their lives, {words(parts)} by their parts",
    )  # fmt: skip


# -- U = X D ------------------------------------------------------------------------------------------------


def check_utilization_law(
    tables: RunTables, server: VirtualServer, window: Window, numbers: LedgerView
) -> Iterator[Check]:
    """U = X D + U_background at the guest's CPU and both disks.

    U is measured without any request (the whole CPU by /proc/stat, the whole disk by io_ticks), D for one request
    (the server's own processes, its share of the bytes), the background in the idle before-state. What is left
    over is work for the requests that no demand holds: interrupts, kernel threads, other processes.
    """
    yield _cpu_law(tables, server, window, numbers)
    for disk, words_ in (("vdisk", "guest's disk"), ("disk", "host's disk")):
        name, dependents = f"U = X D at the {words_}", (f"D_{disk}_req",)
        # iotop's share, so that what the disk did for others shows; the demand itself may not need it
        own_row = numbers.row(f"U_{disk}_req", demand=AS_PRINTED, background=OFF)
        whole, off = (
            numbers.value(f"U_{disk}_total", background=background) for background in (KEPT, OFF)
        )
        own = own_row["value"]
        if whole is None or own is None or off is None:
            why = own_row["flags"] or ["a utilization is missing"]
            yield not_evaluated(name, "; ".join(why), dependents)
            continue
        yield _law(name, whole, own, whole - off, dependents)


def _law(
    name: str, whole: float, own: float, background: float, dependents: tuple[str, ...]
) -> Check:
    expected = own + background
    allowed = max(ACCOUNTED * whole, 0.02)
    rest = whole - expected
    return Check(
        name, exact_result(whole, expected, allowed),
        f"busy {words(100 * whole)} %: {words(100 * own)} % for the requests (X D), "
        f"{words(100 * background)} % background, {words(100 * rest)} % for neither",
        dependents, whole, expected, allowed, "1",
        f"{words(100 * rest, 3)} % of the {name.removeprefix('U = X D at the ')} is in no demand",
    )  # fmt: skip


def _cpu_law(
    tables: RunTables, server: VirtualServer, window: Window, numbers: LedgerView
) -> Check:
    name, dependents = "U = X D at the guest's CPU", ("R_cpu",)
    demand_s, rate = numbers.value("R_cpu", background=OFF), numbers.value("X_req")
    cpus = tables.run.facts(server.role).get("cpus")
    if demand_s is None or rate is None or not cpus:
        return not_evaluated(name, "R_cpu without the background is missing", dependents)
    try:
        rows = tables.sampled("cpus", server.role)
        if tables.run.idle_before is None:
            raise MissingData("no idle before-state")
        spent, every = (machine_counter(rows, states) for states in (BUSY_STATES, ALL_STATES))
        loaded, idle = (
            _share(getattr(spent, over)(span).value, getattr(every, over)(span).value)
            for over, span in (("increase", window), ("idle_increase", tables.run.idle_before))
        )
    except MissingData as reason:
        return not_evaluated(name, str(reason), dependents)
    return _law(name, loaded, rate * demand_s / cpus, idle, dependents)


def _share(spent: float, every: float) -> float:
    if not every:
        raise MissingData("/proc/stat counted nothing")
    return spent / every


# -- U ≤ 1 --------------------------------------------------------------------------------------------------


def check_utilization_bound(
    tables: RunTables,
    server: VirtualServer,
    ledger: pl.DataFrame,
    numbers: LedgerView,
    envelope: CpuLimit,
) -> Iterator[Check]:
    """No station is busy for longer than the time there was.

    Growths are taken between snapshots that enclose the window, so that a full station may show two of their steps
    too much.
    """
    length = numbers.value("T")
    step = tables.run.facts(server.role).get("interval_s") or 1.0
    allowed = 0.01 + (2 * step / length if length else 0.0)
    for name, where, quantity, dependents in (
        (
            "of the server's processes",
            "guest's CPU by the server's processes",
            "U_vcpu",
            ("T_cpu",),
        ),
        ("at the guest's disk", "guest's disk", "U_vdisk_total", ("T_vdisk",)),
        ("at the host's disk", "host's disk", "U_disk_total", ("T_disk",)),
    ):
        row = numbers.row(quantity, background=KEPT)
        why = "; ".join(row["flags"] or ())
        yield _at_most_one(
            f"U ≤ 1 {name}", where, row["value"], row["low"], allowed, dependents, why
        )
    name, dependents = "U ≤ 1 at the CPU that the host gives", ("T_qemu", "R_req")
    shares = ledger.filter((pl.col("quantity") == "U_qemu") & (pl.col("background") == KEPT))
    if shares.is_empty() or shares["value"].null_count():
        yield not_evaluated(name, "CPU time of a QEMU is missing", dependents, blocking=True)
        return
    total, low = (
        float(shares.select(pl.coalesce(column, "value").sum()).item()) / envelope.cpus
        for column in ("value", "low")
    )
    yield _at_most_one(name, "CPU that the host gives", total, low, allowed, dependents, "")


def _at_most_one(
    name: str,
    where: str,
    value: float | None,
    low: float | None,
    allowed: float,
    dependents: tuple[str, ...],
    why: str,
) -> Check:
    if value is None:
        return not_evaluated(name, why or "it was not measured", dependents, blocking=True)
    least = value if low is None else low
    return Check(
        name, result_of(least <= 1 + allowed), f"the {where} was busy {words(100 * value)} % of the time",
        dependents, value, 1.0, allowed, "1", f"{where} {words(100 * value, 3)} % busy", blocking=True, rule=RULE_LIMIT,
    )  # fmt: skip
