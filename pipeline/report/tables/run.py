"""Setup of one run: hardware, load, machines."""

from __future__ import annotations

import polars as pl

from pipeline.api import HOST, RunData, VirtualServer
from pipeline.report import texts as page_texts
from pipeline.report.tables.hardware import disk_setting, hardware_items, setting_items
from pipeline.tables import of_rows, texts


def df_facts(data: RunData) -> pl.DataFrame:
    """Setup of the run: ``item``, ``value`` (text)."""
    run = data.run
    rows = [("study", data.study.title)]
    entry = data.study.entry("servers", run.server)
    title = entry.get("title")
    rows.append(("physical server", f"{run.server}: {title}" if title else run.server))
    rows += [(f"  {name}", text) for name, text in hardware_items(entry.get("envelope"))]
    if same := same_machine_text(data):
        rows.append(("host and guest", same))
    elif run.accelerator:
        text = page_texts.ACCELERATORS.get(run.accelerator, run.accelerator)
        rows.append(("accelerator", text))
    for name, span in (("load", run.window), ("idle baseline", run.idle_before)):
        if span is not None:
            rows.append((name, f"{_clock(span.start_ns)}, {span.duration_s:.1f} s"))
    for vs in run.virtual_servers.values():
        rows.append((data.title(vs.name), _load(vs)))
        if facts := run.facts(vs.role):
            rows.append((f"  {vs.name}: machine", _machine(facts)))
            if disk := disk_setting(facts, vs.virtual_disk):
                rows.append((f"  {vs.name}: disk", disk))
    if facts := run.facts(HOST):
        rows.append(("host", _machine(facts)))
        rows += [(f"  {name}", text) for name, text in setting_items(facts)]
        disks = {disk_setting(facts, vs.host_disk) for vs in run.virtual_servers.values()}
        rows += [("  disk", disk) for disk in sorted(disks - {None})]
    rows += [("note of the recording", note) for note in run.notes]
    return of_rows(rows, texts("item", "value"))


def same_machine_text(data: RunData) -> str | None:
    """Names the virtual servers whose machine is the host itself; None if there are none."""
    roles = [
        vs.role for vs in data.run.virtual_servers.values() if data.run.is_host_itself(vs.role)
    ]
    if not roles:
        return None
    return page_texts.same_machine(list(dict.fromkeys([*roles, HOST])))


def _clock(ns: int) -> str:
    return str(
        pl.Series([ns // 1_000_000])
        .cast(pl.Datetime("ms"))
        .dt.to_string("%Y-%m-%d %H:%M:%S UTC")[0]
    )


def _load(vs: VirtualServer) -> str:
    work = vs.workload
    if work is None:
        return page_texts.NO_LOAD
    request = work.request or "request"
    if work.kind == "closed":
        return page_texts.closed_load(work.population, work.think_time_s or 0.0, request)
    spacing = page_texts.SPACINGS.get(work.arrivals or "", "")
    rate = "?" if work.rate_per_s is None else f"{work.rate_per_s:g}"
    return page_texts.open_load(rate, request, spacing)


def _machine(facts: dict) -> str:
    parts = [
        facts.get("os"),
        f"kernel {facts['kernel']}" if facts.get("kernel") else None,
        f"{facts['cpus']} CPU" if facts.get("cpus") else None,
        f"{facts['memory_bytes'] / 2**20:,.0f} MiB" if facts.get("memory_bytes") else None,
    ]
    return ", ".join(str(part) for part in parts if part)
