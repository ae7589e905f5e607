"""Columns of the runs table: meaning, unit, and where each value comes from.

Seconds, bytes, per second, ratios. The suffix of a name is its unit. Null means that the run has no such value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from pipeline.course import run_measures as measured
from pipeline.ledger.catalogue import AS_PRINTED, CORRECTED, KEPT, OFF, SERVICE
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.virtual_server import RunCounters
from pipeline.measure.window import MissingData
from pipeline.tables.schema import Column, Table, required_column


@dataclass(frozen=True)
class OfLedger:
    """A column that is a row of the ledger: quantity, and variant or choices."""

    meaning: str
    unit: str
    quantity: str
    choices: dict[str, str]
    variant: str | None = None


def _row(
    meaning: str, unit: str, quantity: str, variant: str | None = None, **choices: str
) -> OfLedger:
    return OfLedger(meaning, unit, quantity, choices, variant)


_OWN = {"demand": SERVICE, "denominator": "own", "background": KEPT}
_SERVICE = {"demand": SERVICE, "background": KEPT}
_PRINTED = {"demand": AS_PRINTED, "background": KEPT}


def _disk_columns(d: str, name: str) -> dict[str, OfLedger]:
    return {
        f"T_{d}_s": _row(
            f"busy time of {name} in the window (io_ticks, field 10)",
            "s",
            f"T_{d}",
            background=KEPT,
        ),
        f"U_{d}_total": _row(
            f"equation (3): utilization of {name}", "1", f"U_{d}_total", background=KEPT
        ),
        f"U_{d}_req": _row(
            "equation (8) as printed: the server's share of it by iotop",
            "1",
            f"U_{d}_req",
            **_PRINTED,
        ),
        f"Read_{d}_total_bytes": _row(
            f"equation (4): read from {name}", "bytes", f"Read_{d}_total", background=KEPT
        ),
        f"Write_{d}_total_bytes": _row(
            f"equation (5): written to {name}", "bytes", f"Write_{d}_total", background=KEPT
        ),
        f"IO_{d}_total_bytes": _row(
            "equation (6): both", "bytes", f"IO_{d}_total", background=KEPT
        ),
        f"IO_{d}_req_bytes": _row(
            "equation (7): by the server's tasks, by iotop", "bytes", f"IO_{d}_req", background=KEPT
        ),
        f"X_{d}_per_s": _row(
            f"operations of {name}", "operations/s", f"X_{d}_total", background=KEPT
        ),
        f"N_{d}": _row(
            f"mean number of requests in {name} (time_in_queue, field 11, over T)",
            "requests",
            f"L_{d}",
        ),
        f"D_{d}_s": _row(
            f"equation (9) as a service demand at {name}, background kept",
            "s",
            f"D_{d}_req",
            **_SERVICE,
        ),
        f"D_{d}_as_printed_s": _row(
            "equation (9) as printed: per operation", "s", f"D_{d}_req", **_PRINTED
        ),
        f"D_{d}_net_s": _row(
            "service demand net of background", "s", f"D_{d}_req", demand=SERVICE, background=OFF
        ),
        f"R_{d}_s": _row("equation (10) of the service demand, U = X D", "s", f"R_{d}", **_OWN),
        f"R_{d}_as_printed_s": _row("equation (10) as printed", "s", f"R_{d}", AS_PRINTED),
    }


OF_LEDGER: dict[str, OfLedger] = {
    "lambda_total": _row(
        "requests completed, from the client's report", "requests", "lambda_total"
    ),
    "T_s": _row("length of the load", "s", "T"),
    "T_cpu_s": _row(
        "equation (1): CPU time of the server's processes in the guest, by TIME+",
        "s",
        "T_cpu",
        background=KEPT,
    ),
    "R_cpu_s": _row("equation (2): the same per request", "s", "R_cpu", background=KEPT),
    "T_cpu_net_s": _row("T_cpu net of background", "s", "T_cpu", background=OFF),
    "R_cpu_net_s": _row("R_cpu net of background", "s", "R_cpu", background=OFF),
    "U_vcpu": _row("T_cpu per second and CPU of the guest", "1", "U_vcpu", background=KEPT),
    "T_qemu_s": _row(
        "CPU time of the whole QEMU process on the host", "s", "T_qemu", background=KEPT
    ),
    "U_qemu": _row("the same per second", "CPUs", "U_qemu", background=KEPT),
    **_disk_columns("vdisk", "the guest's disk"),
    **_disk_columns("disk", "the host's disk"),
    "X_per_s": _row("throughput: lambda_total / T", "requests/s", "X_req"),
    "R_client_s": _row("mean response time, from the client's report", "s", "R_client"),
    "X_client_per_s": _row("throughput as the client printed it", "requests/s", "X_client"),
    "N_client": _row(
        "mean number of requests in the system, by Little's law from the client",
        "requests",
        "N_client",
    ),
    "lambda_server_log": _row("requests in the server's own log", "requests", "lambda_log"),
    "R_sum_s": _row(
        "section IV: R_cpu + R_vdisk + R_disk of service demands", "s", "R_req", sum="sum", **_OWN
    ),
    "R_nested_s": _row(
        "the same without the host's disk, which the guest's contains",
        "s",
        "R_req",
        sum="nested",
        **_OWN,
    ),
    "R_as_printed_s": _row("response time by the equations as printed", "s", "R_req", AS_PRINTED),
    "R_corrected_s": _row("response time by the corrected variant", "s", "R_req", CORRECTED),
}


@dataclass(frozen=True)
class OfTables:
    """A column that is read from the run's tables, its client's report or its run.json."""

    meaning: str
    unit: str
    measure: Callable[[RunCounters], float | str | None]
    needs_load: bool = True


OF_TABLES: dict[str, OfTables] = {
    "threads": OfTables("threads of a closed load", "threads", measured.threads),
    "rate_per_s": OfTables(
        "rate that an open load was asked for", "requests/s", measured.rate_per_s
    ),
    "arrivals": OfTables("arrivals of an open load: even or poisson", "", measured.arrivals),
    "T_cpu_boot_s": OfTables(
        "TIME+ of the server's processes at the end of the window, since they started",
        "s",
        measured.cpu_since_boot_s,
    ),
    "T_cpu_all_s": OfTables(
        "growth of TIME+ of all processes of the guest that are there after the window",
        "s",
        measured.cpu_of_all_s,
    ),
    "server_process_count": OfTables(
        "processes of the server in the window", "processes", measured.process_count
    ),
    "operations_vdisk": OfTables(
        "operations of the guest's disk in the window", "operations", measured.operations("vdisk")
    ),
    "operations_disk": OfTables(
        "operations of the host's disk in the window", "operations", measured.operations("disk")
    ),
    "sectors_vdisk": OfTables(
        "sectors of 512 bytes that the guest's disk moved in the window",
        "sectors",
        measured.sectors,
    ),
    "rw_ticks_vdisk_s": OfTables(
        "time of reads and writes, waiting included (fields 4 + 8), in the window",
        "s",
        measured.read_write_s,
    ),
    "io_ticks_boot_vdisk_s": OfTables(
        "io_ticks (field 10) since boot, at the end of the window", "s", measured.busy_since_boot_s
    ),
    "response_s": OfTables("httperf: reply time, response", "s", measured.of_httperf("response")),
    "transfer_s": OfTables("httperf: reply time, transfer", "s", measured.of_httperf("transfer")),
    "R_median_s": OfTables(
        "httperf: median lifetime of a connection", "s", measured.of_httperf("median")
    ),
    "R_sd_s": OfTables(
        "httperf: standard deviation of the lifetime of a connection",
        "s",
        measured.of_httperf("stddev"),
    ),
    "connection_interval_s": OfTables(
        "httperf: time between two connections", "s", measured.of_httperf("interval")
    ),
    "dispersion": OfTables(
        "variance over mean of the requests in each whole second of the load, by access.log",
        "1",
        measured.dispersion,
    ),
    "guest_ticks": OfTables(
        "growth of guest_time of the vCPU threads on the host",
        "ticks",
        measured.vcpu_ticks("guest_time_ticks"),
        False,
    ),
    "user_ticks": OfTables(
        "growth of their utime, which contains guest_time",
        "ticks",
        measured.vcpu_ticks("utime_ticks"),
        False,
    ),
    "system_ticks": OfTables(
        "growth of their stime", "ticks", measured.vcpu_ticks("stime_ticks"), False
    ),
    "ticks_per_s": OfTables(
        "ticks per second of the host", "ticks/s", measured.host_ticks_per_s, False
    ),
}

COMBINATIONS = {
    "R_variants_min_s": (
        "smallest response time over all combinations of choices in the equations",
        "s",
    ),
    "R_variants_max_s": ("largest of them", "s"),
    "R_variants": ("their number", "combinations"),
}
TEXTS = ("arrivals",)


def _with_unit(meaning: str, unit: str) -> str:
    return f"{meaning} ({unit})" if unit else meaning


UNITS: dict[str, str] = {
    **{name: c.unit for name, c in OF_LEDGER.items()},
    **{name: unit for name, (_, unit) in COMBINATIONS.items()},
    **{name: c.unit for name, c in OF_TABLES.items()},
}
"""Column → unit; ``1`` of a ratio, empty for a text."""

RUNS = Table(
    "course_runs",
    "One row per server, run and virtual server of a study, for the lessons.",
    {
        "server": required_column(pl.String, "physical server"),
        "run": required_column(pl.String, "run"),
        "virtual_server": required_column(pl.String, "virtual server"),
        **{name: Column(pl.Float64, _with_unit(c.meaning, c.unit)) for name, c in OF_LEDGER.items()},
        **{name: Column(pl.Float64, _with_unit(*c)) for name, c in COMBINATIONS.items()},
        **{
            name: Column(pl.String if name in TEXTS else pl.Float64, _with_unit(c.meaning, c.unit))
            for name, c in OF_TABLES.items()
        },
    },
)  # fmt: skip


class Quantities(Protocol):
    """The ledger's numbers of one virtual server."""

    def value(self, quantity: str, variant: str | None = None, **choice: str) -> float | None:
        """The number of a quantity; None where it is missing."""

    def response_times_s(self) -> list[float]:
        """R_req by every combination of choices."""


class LedgerQuantities(LedgerView):
    """``Quantities`` of a ledger frame."""

    def response_times_s(self) -> list[float]:
        """R_req by every combination of choices."""
        rows = (row for row in self.rows_of("R_req") if row["equation"] == "IV")
        return [row["value"] for row in rows if row["value"] is not None]


def row_of(quantities: Quantities, counters: RunCounters | None) -> dict[str, float | str | None]:
    """One row without its names; without ``counters`` what the ledger has.

    Parameters
    ----------
    quantities : Quantities
        The ledger's numbers of the virtual server.
    counters : RunCounters, optional
        Its counters; None for a run without a window.
    """
    row: dict[str, float | str | None] = {
        name: quantities.value(c.quantity, c.variant, **c.choices) for name, c in OF_LEDGER.items()
    }
    values = quantities.response_times_s()
    ends = (min(values), max(values), float(len(values))) if values else (None, None, None)
    row |= dict(zip(COMBINATIONS, ends, strict=True))
    return row | {name: _measured(source, counters) for name, source in OF_TABLES.items()}


def _measured(source: OfTables, counters: RunCounters | None) -> float | str | None:
    if counters is None or (source.needs_load and counters.server.workload is None):
        return None
    try:
        return source.measure(counters)
    except MissingData:
        return None
