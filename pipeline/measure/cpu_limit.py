"""The CPU that a physical server gives to its virtual servers, from study.json (key ``envelope``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.raw import HOST, Run, Study


@dataclass(frozen=True)
class CpuLimit:
    """The CPU that all virtual servers of a host share."""

    cpus: float
    """Number of CPUs that they share: the quota, else the CPUs that they are bound to, else the host's."""
    quota: float | None = None
    """The quota, CPUs; None where there is none."""
    is_assumed: bool = False
    """Whether the number of CPUs is unknown, and one is assumed."""


def cpu_limit(study: Study | None, run: Run) -> CpuLimit:
    """The CPU limit of a run's server; without one in study.json the host's CPUs."""
    resources = server_resources(study, run.server)
    quota, cpus = resources.get("cpu_quota"), resources.get("cpus")
    if isinstance(quota, int | float) and quota > 0:
        return CpuLimit(float(quota), float(quota))
    if isinstance(cpus, list) and cpus:
        return CpuLimit(float(len(cpus)))
    host_cpus = run.facts(HOST).get("cpus")
    if isinstance(host_cpus, int | float) and host_cpus > 0:
        return CpuLimit(float(host_cpus))
    return CpuLimit(1.0, is_assumed=True)


def server_resources(study: Study | None, server: str) -> dict[str, Any]:
    """The ``envelope`` of a server in study.json; empty without one."""
    value: Any = study.manifest if study is not None else None
    for key in ("servers", server, "envelope"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
