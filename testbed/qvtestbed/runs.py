"""One run of a study: its loads, its place in the plan, and the hardware of its guests."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from .guests import get_image
from .qemu import Hardware

SAFE_NAME = re.compile(r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")


@dataclass(frozen=True)
class WebLoad:
    """An open load: ``rate`` connections per second, one request each."""

    rate: int
    arrivals: str  # "even" or "poisson"

    def to_json(self) -> dict:
        """Return the load as run.json and study.json describe it."""
        return {"kind": "open", "rate_per_s": float(self.rate), "arrivals": self.arrivals}


@dataclass(frozen=True)
class DatabaseLoad:
    """A closed load: ``threads`` threads that run transactions without think time."""

    threads: int

    def to_json(self) -> dict:
        """Return the load as run.json and study.json describe it."""
        return {"kind": "closed", "population": self.threads, "think_time_s": 0.0}


@dataclass(frozen=True)
class Run:
    """One experiment on one server.

    Attributes
    ----------
    loads : dict
        Guest → its load.
    hardware : dict
        Guest → its hardware; empty: that of the server.
    boot : str
        Runs on the same server with the same ``boot`` are recorded on the same started guests.
    details : dict
        What study.json says about the run beside its purpose, duration and loads.
    """

    server: str
    name: str
    purpose: str
    seconds: int
    loads: dict = field(hash=False)
    hardware: dict[str, Hardware] = field(default_factory=dict, hash=False)
    boot: str = ""
    details: dict = field(default_factory=dict, hash=False)

    @property
    def path(self) -> str:
        """Return the run's name within the study: server/run."""
        return f"{self.server}/{self.name}"

    def compute_seed(self, guest: str) -> int:
        """Compute the random seed of a guest's load: the same run always requests the same documents and rows."""
        name = self.path if guest == get_image(guest) else f"{self.path}/{guest}"
        return int(hashlib.sha256(name.encode()).hexdigest()[:7], 16)
