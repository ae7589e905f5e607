"""What the physical server gives to its virtual servers, as study.json tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.raw import HOST, Run, Study


@dataclass(frozen=True)
class Envelope:
    """The CPU that all virtual servers of a host share."""

    cpus: float
    """How many CPUs they get in all: the quota, else the CPUs they are bound to, else the host's."""
    quota: float | None = None
    """The quota, CPUs; None where there is none."""
    assumed: bool = False
    """Whether nothing says how many CPUs there are, and one is taken."""


def envelope_of(study: Study | None, run: Run) -> Envelope:
    """The envelope of a run's server; without a plan the host's own CPUs."""
    found = said(study, run.server)
    quota, cpus = found.get("cpu_quota"), found.get("cpus")
    if isinstance(quota, int | float) and quota > 0:
        return Envelope(float(quota), float(quota))
    if isinstance(cpus, list) and cpus:
        return Envelope(float(len(cpus)))
    there = run.facts(HOST).get("cpus")
    if isinstance(there, int | float) and there > 0:
        return Envelope(float(there))
    return Envelope(1.0, assumed=True)


def said(study: Study | None, server: str) -> dict[str, Any]:
    """What study.json says of a server's envelope; nothing where it has none."""
    found: Any = study.manifest if study is not None else None
    for key in ("servers", server, "envelope"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
