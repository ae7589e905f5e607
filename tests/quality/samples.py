"""A ledger, a client's summary and checks of one virtual server, made by hand."""

from dataclasses import replace

import polars as pl

from pipeline import tables
from pipeline.ledger.lookup import LedgerView
from pipeline.measure.window import NS_PER_S
from pipeline.quality.check import FAILED, NOT_EVALUATED, PASSED, Check
from pipeline.raw import VirtualServer, Window, Workload

WINDOW = Window(100 * NS_PER_S, 160 * NS_PER_S)


OPEN = VirtualServer("web", "web", Workload("open", rate_per_s=80.0, arrivals="even"))


CLOSED = VirtualServer("db", "db", Workload("closed", population=16, think_time_s=0.0))


CLIENT = {
    "completions": 4800, "connections": 4800, "errors": 0, "errors_timeout": 0, "errors_other": 0,
    "connection_time_mean_s": 0.0088, "connect_time_mean_s": 0.0001,
}  # fmt: skip


RESULTS = {True: PASSED, False: FAILED, None: NOT_EVALUATED}


def ledger(**values: float | None) -> pl.DataFrame:
    """Rows of one virtual server: ``quantity`` or ``quantity__background`` or ``…__demand_background`` → value."""
    if not values:
        return tables.empty(tables.LEDGER)
    rows = []
    for name, value in values.items():
        quantity, _, choices = name.partition("__")
        demand, _, background = choices.rpartition("_")
        variant = choices if choices == "corrected" else None
        rows.append(
            {
                "study": "s", "server": "first", "run": "r", "virtual_server": "web",
                "quantity": quantity, "variant": variant, "demand": demand.replace("_", "-") or None,
                "background": None if variant else background or None,
                "value": value, "unit": "1", "source": "a test",
                "flags": ["it is not there"] if value is None else None,
            }
        )  # fmt: skip
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return tables.conform(frame, tables.LEDGER)


def numbers(**values: float | None) -> LedgerView:
    return LedgerView(ledger(**values), "web")


def of(checks, name: str) -> Check:
    return next(check for check in checks if check.check == name)


class SampleRun:
    """A run with one guest and one CPU, as far as the checks use it."""

    idle_before = Window(50 * NS_PER_S, 90 * NS_PER_S)
    manifest: dict = {}  # noqa: RUF012
    roles: dict = {}  # noqa: RUF012
    is_imported = False

    def facts(self, role: str) -> dict:
        return {"cpus": 1, "interval_s": 1.0}


def failed(dependents: tuple[str, ...] = ("R_disk",), **changed) -> Check:
    return replace(
        Check("a check", FAILED, "it failed", dependents, flag="a disk is odd"),
        **changed,
    )


GOOD = Check("one", PASSED, "fine", ("R_req",))
