"""One run with what the pipeline knows of it, and what it is in words."""

from __future__ import annotations

import polars as pl

from pipeline.api import HOST, RunData, VirtualServer
from pipeline.report.tables.hardware import hardware_items
from pipeline.tables import of_rows, texts


def df_facts(data: RunData) -> pl.DataFrame:
    """What the run is: ``what``, ``value`` (text)."""
    run = data.run
    rows = [("study", data.study.title)]
    known = data.study.entry("servers", run.server)
    title = known.get("title")
    rows.append(("physical server", f"{run.server}: {title}" if title else run.server))
    rows += [(f"  {what}", text) for what, text in hardware_items(known.get("envelope"))]
    if same := same_machine_text(data):
        rows.append(("host and guest", same))
    elif run.accelerator:
        words = {"kvm": "kvm (hardware)", "tcg": "tcg (emulation: no guest mode, no KVM exits)"}
        rows.append(("guests run by", words.get(run.accelerator, run.accelerator)))
    for what, span in (("load", run.window), ("idle before it", run.idle_before)):
        if span is not None:
            rows.append((what, f"{_clock(span.start_ns)}, {span.duration_s:.1f} s"))
    for vs in run.virtual_servers.values():
        rows.append((data.title(vs.name), _load(vs)))
        if facts := run.facts(vs.role):
            rows.append((f"  {vs.name}: machine", _machine(facts)))
    if facts := run.facts(HOST):
        rows.append(("host", _machine(facts)))
    return of_rows(rows, texts("what", "value"))


def same_machine_text(data: RunData) -> str | None:
    """A sentence on virtual servers whose machine is the host itself; None if there are none."""
    roles = [
        vs.role for vs in data.run.virtual_servers.values() if data.run.is_host_itself(vs.role)
    ]
    if not roles:
        return None
    names = " and ".join(dict.fromkeys([*roles, HOST]))
    return f"{names} are one machine (the same boot_id), so nothing of a guest is compared with the host"


def _clock(ns: int) -> str:
    return str(
        pl.Series([ns // 1_000_000])
        .cast(pl.Datetime("ms"))
        .dt.to_string("%Y-%m-%d %H:%M:%S UTC")[0]
    )


def _load(vs: VirtualServer) -> str:
    work = vs.workload
    if work is None:
        return "idle in this run"
    request = work.request or "request"
    if work.kind == "closed":
        return f"closed: {work.population} threads, think time {work.think_time_s or 0:g} s, {request}s"
    spacing = {"even": "evenly spaced", "poisson": "Poisson stream"}.get(work.arrivals or "", "")
    rate = "?" if work.rate_per_s is None else f"{work.rate_per_s:g}"
    return f"open: {rate} {request}s a second" + (f", {spacing}" if spacing else "")


def _machine(facts: dict) -> str:
    parts = [
        facts.get("os"),
        f"kernel {facts['kernel']}" if facts.get("kernel") else None,
        f"{facts['cpus']} CPU" if facts.get("cpus") else None,
        f"{facts['memory_bytes'] / 2**20:,.0f} MiB" if facts.get("memory_bytes") else None,
    ]
    return ", ".join(str(part) for part in parts if part)
