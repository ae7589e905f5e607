"""What surrounds a run on each machine, as text for a page: steal, pressure, CPU quotas, halt polling, counters.

Only of recordings with ``k`` lines in tasks.log (docs/collectors/task_counters.md), and steal above its limit of any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import polars as pl

from pipeline.api import environment_texts as api_texts
from pipeline.api.run import RunData
from pipeline.measure.kernel_counters import (
    cpu_quotas,
    halt_polling,
    has_kernel_counters,
    pressure_share,
    steal_share,
)
from pipeline.measure.processes import own_process_rows
from pipeline.measure.run_tables import RunTables, ticks_per_s
from pipeline.measure.virtual_server import value_or_reason
from pipeline.measure.window import MissingData
from pipeline.quality.environment import MAX_STEAL
from pipeline.quality.texts import DISK_BUSY
from pipeline.raw import HOST, VirtualServer, Window
from pipeline.tables import of_rows, texts

ENVIRONMENT = texts("machine", "item", "value")
RESOURCES = ("cpu", "io", "memory")
SAMPLED_IO_TICKS = ((5, 0, 0), (6, 10, 0))
"""Linux from and before which io_ticks is sampled; a stable release or a distribution may have the fix earlier."""
FIXED_IO_TICKS = ((6, 1, 94), (6, 2, 0))
"""Stable releases, from and before, that have the fix."""


def df_environment(data: RunData) -> pl.DataFrame:
    """Counters of the machines of a run in the window of its load. Schema: ``ENVIRONMENT``, text.

    One row per counter that was recorded and says something; no rows for a recording without them.
    """
    window = data.run.window
    if window is None:
        return of_rows([], ENVIRONMENT)
    tables = RunTables(data.run, data.processed)
    roles = [vs.role for vs in data.loaded]
    if not any(data.run.is_host_itself(role) for role in roles):
        roles.append(HOST)
    rows = []
    for role in dict.fromkeys(roles):
        items = [*_machine_items(tables, role, window)]
        if has_kernel_counters(tables, role):
            for vs in data.loaded:
                if role in (HOST, vs.role):
                    items += _server_items(data, tables, vs, role, window)
        rows += [(role, *item) for item in items]
    return of_rows(rows, ENVIRONMENT)


def _machine_items(tables: RunTables, role: str, window: Window) -> Iterator[tuple[str, str]]:
    is_recorded = has_kernel_counters(tables, role)
    stolen = value_or_reason(lambda: steal_share(tables, role, window))
    if not isinstance(stolen, str) and stolen > (0 if is_recorded else MAX_STEAL):
        yield api_texts.STEAL, api_texts.steal(stolen)
    if not is_recorded:
        return
    for resource in RESOURCES:
        shares = {}
        for kind in ("some", "full"):
            try:
                share = pressure_share(tables, role, resource, window, kind)
            except MissingData:  # an older kernel has no `full` of the CPU
                continue
            if share > 0:
                shares[kind] = share
        if shares:
            yield api_texts.pressure(resource), api_texts.pressure_shares(shares)
    recorded = tables.run.facts(role).get("kernel_counters")
    if isinstance(recorded, dict) and recorded.get("pressure"):
        yield api_texts.PRESSURE, api_texts.not_recorded(str(recorded["pressure"]))
    quotas = value_or_reason(lambda: list(cpu_quotas(tables, role, window)))
    if not isinstance(quotas, str):
        yield from ((api_texts.quota(use.path), api_texts.quota_use(use)) for use in quotas)


def _server_items(
    data: RunData, tables: RunTables, server: VirtualServer, role: str, window: Window
) -> Iterator[tuple[str, str]]:
    name, facts = data.title(server.name), data.run.facts(role)
    poll_ns = facts.get("halt_poll_ns")
    if role == HOST and data.run.accelerator == "kvm" and isinstance(poll_ns, int):
        polled = value_or_reason(lambda: halt_polling(tables, server, window))
        yield api_texts.halt_polling(name), api_texts.polled(poll_ns, polled)
    device = server.host_disk if role == HOST else server.virtual_disk
    how = _io_ticks_text(data, server, role)
    if device is not None and how is not None:
        yield api_texts.io_ticks(device), how
    since = facts.get("delay_accounting_since_ticks")
    if isinstance(since, int) and since > 0:
        text = value_or_reason(lambda: _delays_text(tables, server, role, since))
        if text:
            yield api_texts.delays(name), text


def _io_ticks_text(data: RunData, server: VirtualServer, role: str) -> str | None:
    """How io_ticks of the server's disk counts, by its behaviour and the kernel's version; None if it is exact."""
    compared = data.cross_checks.filter(
        role=role, virtual_server=server.name, quantity=DISK_BUSY, outcome="disagree"
    )
    if compared.height:
        return api_texts.SAMPLED
    version = kernel_version(data.run.facts(role))
    (first, until), (fixed, unfixed) = SAMPLED_IO_TICKS, FIXED_IO_TICKS
    is_sampled = version is not None and first <= version < until and not fixed <= version < unfixed
    return api_texts.MAYBE_SAMPLED if is_sampled else None


def kernel_version(facts: Mapping[str, object]) -> tuple[int, int, int] | None:
    """The kernel's version by facts.json; Debian has its third number in the text of the build only."""
    built = re.search(r"Debian (\d+)\.(\d+)\.(\d+)", str(facts.get("kernel_build")))
    version = built or re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", str(facts.get("kernel")))
    if version is None:
        return None
    major, minor, patch = version.groups(default="0")
    return int(major), int(minor), int(patch)


def _delays_text(tables: RunTables, server: VirtualServer, role: str, since: int) -> str:
    """How many of the server's processes are older than delay accounting; empty if none is."""
    processes = own_process_rows(tables, server, role).select("pid", "starttime_ticks").unique()
    older = processes.filter(pl.col("starttime_ticks") < since).height
    if not older:
        return ""
    since_s = since / ticks_per_s(tables.run, role)
    return api_texts.older_processes(since_s, older, processes.height)
