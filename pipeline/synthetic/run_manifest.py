"""run.json and facts.json of a simulated run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pipeline.raw import FACTS_FORMAT, RUN_FORMAT
from pipeline.synthetic import texts
from pipeline.synthetic.clocks import CLOCK_UNCERTAINTY_S, NS_PER_S, Machine
from pipeline.synthetic.event_history import GuestHistory, RunHistory
from pipeline.synthetic.kernel_counters import TICKS_PER_S
from pipeline.synthetic.log_writers import httperf, sysbench
from pipeline.synthetic.process_table import (
    CLIENT_TOOL,
    REQUEST,
    SERVER_PROCESSES,
    VIRTUAL_DISK,
    Hardware,
)

DISK_BYTES = 1_677_721_600
KERNELS = {
    "exact": ("6.12.9-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.9-1 (2025-01-10)"),
    "jiffies": ("6.1.0-50-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)"),
    "sampled": ("6.1.0-18-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)"),
}
"""A kernel version for each way of counting io_ticks."""
TOOLS = {"top": "procps-ng 4.0.2", "iotop": "iotop 0.6"}
CLIENT_VERSIONS = {"httperf": "httperf 0.9.0", "sysbench": "sysbench 1.0.20"}
SAMPLING = {
    "top": ["top", "-b", "-w", "512", "-d", "1"],
    "iotop": ["iotop-py", "-b", "-k", "-o", "-d", "1"],
}


def machine_facts(
    history: RunHistory, machine: Machine, role: str, hardware: Hardware, disks: list[str]
) -> dict[str, Any]:
    """facts.json of one role with the block devices ``disks``."""
    monitoring = history.plan.monitoring
    kernel, build = KERNELS[monitoring.disk_counter]
    is_client = role == "client"
    return {
        "format": FACTS_FORMAT,
        "role": role,
        "hostname": role,
        "boot_id": machine.boot_id,
        "kernel": kernel,
        "kernel_build": build,
        "os": "Debian GNU/Linux 12 (bookworm)",
        "machine": "x86_64",
        "cpu_model": "simulated",
        "cpus": hardware.cpus,
        "memory_bytes": hardware.memory_kib * 1024,
        "clock_ticks_per_s": TICKS_PER_S,
        "page_bytes": 4096,
        "time_zone": "UTC",
        "utc_offset_s": 0,
        "delay_accounting": True,
        "tools": client_tools(history) if is_client else TOOLS,
        "commands": commands(history) if is_client else SAMPLING,
        "interval_s": monitoring.interval_s,
        "block_devices": [
            {
                "name": name,
                "size_bytes": DISK_BYTES,
                "major_minor": f"{254 if name == VIRTUAL_DISK else 7}:{number}",
                "rotational": True,
                "partitions": [],
                "slaves": [],
                "holders": [],
                "dm_name": None,
            }
            for number, name in enumerate(disks)
        ],
        "started_ns": machine.epoch_ns(0.0),
        "ended_ns": machine.epoch_ns(history.end_s),
    }


def client_tools(history: RunHistory) -> dict[str, str]:
    """The load generators of the run and their versions."""
    kinds = [guest.server.kind for guest in history.guests.values() if guest.load is not None]
    return {CLIENT_TOOL[kind]: CLIENT_VERSIONS[CLIENT_TOOL[kind]] for kind in kinds}


def commands(history: RunHistory) -> dict[str, list[str]]:
    """The load generator's command of each loaded virtual server."""
    return {
        name: httperf.command(guest)
        if guest.server.kind == "open"
        else sysbench.command(guest, history.plan.seconds, history.seed)
        for name, guest in history.guests.items()
        if guest.load is not None
    }


def run_manifest(
    history: RunHistory, study: str, host: Machine, guests: dict[str, Machine]
) -> dict[str, Any]:
    """run.json. The client runs on the host and has its clock."""
    machines = {"client": host, "host": host} | guests
    roles = {
        role: {
            "hostname": role,
            "boot_id": machine.boot_id,
            "clock_offset_ns": machine.measured_offset_ns,
            "clock_uncertainty_ns": round(CLOCK_UNCERTAINTY_S * NS_PER_S) if role in guests else 0,
            "time_zone": "UTC",
            "tools": client_tools(history) if role == "client" else TOOLS,
        }
        for role, machine in machines.items()
    }
    return {
        "format": RUN_FORMAT,
        "study": study,
        "server": history.server,
        "run": history.run,
        "window": _span(host, *history.window_s),
        "before": _span(host, *history.before_s),
        "accelerator": history.plan.accelerator,
        "roles": roles,
        "virtual_servers": {
            name: _virtual_server(name, guest, host) for name, guest in history.guests.items()
        },
        "commands": commands(history),
        "recorded_by": "queuevisor simulate",
        "notes": _notes(history),
    }


def checksums(files: Mapping[str, str]) -> dict[str, str]:
    """``sha256`` of run.json: that of each of the ``files``, path below the run's folder → text."""
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())}


def _span(host: Machine, start_s: float, end_s: float) -> dict[str, int]:
    return {"start_ns": host.epoch_ns(start_s), "end_ns": host.epoch_ns(end_s)}


def _virtual_server(name: str, guest: GuestHistory, host: Machine) -> dict[str, Any]:
    server, load = guest.server, guest.load
    manifest: dict[str, Any] = {
        "role": name,
        "server_processes": SERVER_PROCESSES[server.kind],
        "qemu_process": f"guest={name}[, ]",
        "virtual_disk": VIRTUAL_DISK,
        "host_disk": server.host_disk,
    }
    if load is None:
        return manifest
    manifest["workload"] = {
        **load.to_manifest(server.kind),
        "request": REQUEST[server.kind],
        "log": f"client/{CLIENT_TOOL[server.kind]}.log",
        **_span(host, guest.load_start_s, guest.load_end_s),
    }
    return manifest


def _notes(history: RunHistory) -> list[str]:
    notes = [texts.SIMULATED]
    for name, guest in history.guests.items():
        load = guest.load
        if load is not None and guest.server.kind == "open" and load.arrivals is None:
            notes.append(texts.arrivals_note(name, load.arrivals_scv))
        if load is not None and load.think_time_s:
            notes.append(texts.think_time_note(name, load.think_time_s))
    return notes
