"""Rows of the runs table from the history of a simulated run, without its logs.

The ledger's own quantities are computed from exact counters in place of recorded ones, so that a run whose logs nobody
opens costs a tenth. What only a log has (top's and httperf's numbers, the counts of access.log) is null.
"""

from __future__ import annotations

import zlib
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl

from pipeline.course.run_columns import row_of
from pipeline.ledger.catalogue import CATALOGUE
from pipeline.ledger.evaluation import Evaluation
from pipeline.measure.counters import BoundedValue, Counter
from pipeline.measure.window import MissingData, load_window
from pipeline.raw import Run, VirtualServer
from pipeline.synthetic.clocks import draw_machine
from pipeline.synthetic.event_history import Floats, GuestHistory, Operations, RunHistory
from pipeline.synthetic.kernel_counters import (
    SECTOR_BYTES,
    TICKS_PER_S,
    io_ticks_ms,
)
from pipeline.synthetic.process_state import host_processes
from pipeline.synthetic.process_table import (
    FIRST_WORKER,
    GUEST_HARDWARE,
    SERVER_OWNER,
    qemu_pid,
)
from pipeline.synthetic.run_manifest import run_manifest
from pipeline.synthetic.study import FIRST_RUN_NS

SNAPSHOT_S = 0.5
"""Distance of a window from the snapshots that bracket it, half of the interval of one second."""
CPU_COUNTERS = ("guest_cpu", "kernel_cpu")


def simulated_rows(history: RunHistory, study: str) -> list[dict[str, float | str | None]]:
    """The rows of a simulated run, one per virtual server, form ``run_columns.RUNS``.

    Parameters
    ----------
    history : RunHistory
    study : str
        Name of the study.
    """
    run = _run(history, study)
    rows: list[dict[str, float | str | None]] = []
    for name, server in sorted(run.virtual_servers.items()):
        counters = SimulatedCounters(history, run, server)
        names = {"server": run.server, "run": run.run, "virtual_server": name}
        rows.append(names | row_of(_Quantities(counters), counters))  # type: ignore[arg-type]
    return rows


def _run(history: RunHistory, study: str) -> Run:
    """The run as its run.json would have it; its folder does not exist."""
    rng = np.random.default_rng(zlib.crc32(f"{history.server}/{history.run}".encode()))
    host = draw_machine("host", FIRST_RUN_NS, rng, 0.0)
    guests = {name: draw_machine(name, FIRST_RUN_NS, rng, 0.0) for name in history.guests}
    manifest = run_manifest(history, study, host, guests)
    for name in history.guests:
        manifest["roles"][name]["cpus"] = GUEST_HARDWARE.cpus
    return Run(study, history.server, history.run, Path(study, "not written"), manifest)


class SimulatedCounters:
    """The counters of one virtual server as ``measure.virtual_server.RunCounters`` has them, exact."""

    def __init__(self, history: RunHistory, run: Run, server: VirtualServer):
        self.history, self.run, self.server = history, run, server
        self.guest: GuestHistory = history.guests[server.name]
        self.window = load_window(run, server)
        self.tables = _NoTables(run)
        start_s, end_s = history.window_s
        self._load_s = np.array([start_s - SNAPSHOT_S, end_s + SNAPSHOT_S])

    def increase(self, name: str) -> BoundedValue:
        """Its increase over the load."""
        return self._increase(name, self._load_s)

    def idle_increase(self, name: str) -> BoundedValue:
        """Its increase over the idle baseline."""
        return self._increase(name, np.array(self.history.before_s))

    def client(self) -> pl.DataFrame:
        """The summary of the client's report, as it is printed."""
        response_s, sent_s = self.guest.response_s, self.guest.arrival_s
        count, digits = len(response_s), 4 if self.guest.server.kind == "open" else 5
        length_s = float((sent_s + response_s).max() - sent_s.min())
        row: dict[str, Any] = {
            "kind": "summary", "line": 1, "completions": count, "throughput_per_s": round(count / length_s, 2),
            "response_time_mean_s": round(float(response_s.mean()), digits), "errors": 0,
            "connections": count if self.guest.server.kind == "open" else None,
        }  # fmt: skip
        return pl.DataFrame([row])

    def requests_logged(self) -> int:
        """Requests in the server's own log."""
        return len(self.guest.reply_s)

    def processes(self) -> pl.DataFrame:
        """Not simulated: raises ``MissingData``."""
        raise MissingData("processes are not simulated")

    def counter(self, name: str) -> Counter:
        """Not simulated, only its increase: raises ``MissingData``."""
        raise MissingData(f"readings of {name} are not simulated")

    def neighbours(self) -> list[VirtualServer]:
        """The other virtual servers of the run, by name."""
        by_name = sorted(self.run.virtual_servers.items())
        return [server for name, server in by_name if name != self.server.name]

    def _increase(self, name: str, times_s: Floats) -> BoundedValue:
        value = float(np.diff(self._readings(name, times_s))[0])
        return BoundedValue(value, value, value)

    def _readings(self, name: str, times_s: Floats) -> Floats:
        if name in CPU_COUNTERS:
            used_s = self.guest.cpu.cpu_time_by_owner(
                times_s, FIRST_WORKER + len(self.guest.started_s)
            )
            return used_s[SERVER_OWNER:].sum(axis=0)
        if name == "host_cpu":
            return self._qemu_s(times_s)
        disk, _, quantity = name.partition("_")
        number = list(self.history.guests).index(self.server.name)
        if disk == "vdisk":
            operations, first, last = self.guest.disk, SERVER_OWNER, np.inf
        elif disk == "disk":
            operations, first, last = self.history.disks[self.guest.server.host_disk], number, number  # fmt: skip
        else:
            raise MissingData(f"{name} is not simulated")
        is_own = (operations.owner >= first) & (operations.owner <= last)
        return _disk_readings(operations, quantity, is_own, self.guest.server.operation_bytes, times_s)  # fmt: skip

    def _qemu_s(self, times_s: Floats) -> Floats:
        pid = qemu_pid(list(self.history.guests).index(self.server.name))
        own = next(p for p in host_processes(self.history, times_s) if p.process.pid == pid)
        return (own.task.user + own.task.system) / TICKS_PER_S


def _disk_readings(
    operations: Operations, quantity: str, is_own: Any, operation_bytes: int, times_s: Floats
) -> Floats:
    issued, done = operations.issued_s, operations.done_s
    if not quantity:
        return io_ticks_ms(operations, times_s, "exact", 0.0) / 1000
    if quantity == "queue":
        inside = np.clip(np.minimum(done, times_s[:, None]) - issued, 0, None)
        return inside.sum(axis=1)
    if quantity == "bytes":
        return (is_own & (issued <= times_s[:, None])).sum(axis=1) * float(operation_bytes)
    counted = done <= times_s[:, None]
    if quantity == "operations":
        return counted.sum(axis=1).astype(float)
    kind = operations.is_write if quantity == "written" else ~operations.is_write
    return (counted & kind).sum(axis=1) * (operation_bytes / SECTOR_BYTES)


class _NoTables(SimpleNamespace):
    """Tables of a run that has no logs."""

    def __init__(self, run: Run):
        super().__init__(run=run)

    def sampled(self, table: str, role: str) -> pl.DataFrame:
        raise MissingData(f"{table} of {role} is not simulated")

    rows = sampled


class _Quantities:
    """The ledger's numbers, computed when they are asked for (``run_columns.Quantities``)."""

    def __init__(self, counters: SimulatedCounters):
        self._evaluation = Evaluation(counters)  # type: ignore[arg-type]
        self._has_load = counters.server.workload is not None

    def value(self, quantity: str, variant: str | None = None, **choice: str) -> float | None:
        if not self._has_load and quantity not in ("T_qemu", "U_qemu"):
            return None
        if variant is not None:
            return self._evaluation.of_variant(quantity, variant).value
        return self._evaluation.get(quantity, choice).value

    def response_times_s(self) -> list[float]:
        if not self._has_load:
            return []
        entry = CATALOGUE["R_req"]
        choices = product(*(entry.options(name) for name in entry.choices))
        values = (
            self._evaluation.get("R_req", dict(zip(entry.choices, choice, strict=True))).value
            for choice in choices
        )
        return [value for value in values if value is not None]
