"""What the physical server gives to its virtual servers, as study.json tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.raw import HOST, Run, Study


@dataclass(frozen=True)
class CpuLimit:
    """The CPU that all virtual servers of a host share."""

    cpus: float
    """How many CPUs they get in all: the quota, else the CPUs they are bound to, else the host's."""
    quota: float | None = None
    """The quota, CPUs; None where there is none."""
    is_assumed: bool = False
    """Whether nothing says how many CPUs there are, and one is taken."""


def cpu_limit(study: Study | None, run: Run) -> CpuLimit:
    """The envelope of a run's server; without a plan the host's own CPUs."""
    found = server_resources(study, run.server)
    quota, cpus = found.get("cpu_quota"), found.get("cpus")
    if isinstance(quota, int | float) and quota > 0:
        return CpuLimit(float(quota), float(quota))
    if isinstance(cpus, list) and cpus:
        return CpuLimit(float(len(cpus)))
    there = run.facts(HOST).get("cpus")
    if isinstance(there, int | float) and there > 0:
        return CpuLimit(float(there))
    return CpuLimit(1.0, is_assumed=True)


def server_resources(study: Study | None, server: str) -> dict[str, Any]:
    """What study.json says of a server's envelope; nothing where it has none."""
    found: Any = study.manifest if study is not None else None
    for key in ("servers", server, "envelope"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
