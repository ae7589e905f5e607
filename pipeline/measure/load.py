"""The load of one virtual server as run.json states it, and the arrival trace of its client."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.measure import arrivals as arrival_times
from pipeline.measure.arrivals import access_times_ns
from pipeline.measure.virtual_server import RunCounters, value_or_reason
from pipeline.raw import Window

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Load:
    """A load, as it can be stated before anything is run."""

    kind: str
    """``open`` or ``closed``."""
    rate_per_s: float | None = None
    """Open: arrivals per second."""
    arrivals: str | None = None
    """Open: how they are spaced, a word of study.json (``even``, ``poisson``)."""
    population: int | None = None
    """Closed: customers."""
    think_time_s: float = 0.0
    duration_s: float = 60.0
    """How long it lasts: what is cold at the start weighs more in a short run."""
    trace: str | None = None
    """Open: name of the client's arrival trace, if it has one (:mod:`pipeline.measure.arrivals`)."""
    requests: int | None = None
    """Open: number of requests that the client sends of its sequence."""

    @property
    def interarrival_s(self) -> Array | None:
        """Interarrival times of the arrival trace, shape (requests,); None without one."""
        if not self.requests or not self.rate_per_s:
            return None
        return arrival_times.interarrival_s(self.trace, self.rate_per_s, self.requests)

    @property
    def mean_rate_per_s(self) -> float:
        """Arrivals per second of an open load: of its arrival trace, else the requested rate."""
        gaps = self.interarrival_s
        return float(self.rate_per_s or 0.0) if gaps is None else len(gaps) / float(gaps.sum())

    @property
    def level(self) -> float:
        """Arrivals per second of an open load, customers of a closed one."""
        return float(self.rate_per_s if self.kind == "open" else self.population or 0)

    @property
    def arrival_text(self) -> str:
        """The arrival process of an open load, as text."""
        if self.interarrival_s is not None:
            return f"{self.trace}'s fixed sequence"
        named = {"even": "evenly spaced", "poisson": "any Poisson stream"}
        return named.get(self.arrivals or "", self.arrivals or "")

    @property
    def label(self) -> str:
        """The load as text."""
        if self.kind == "closed":
            return "1 thread" if self.population == 1 else f"{self.population} threads"
        return f"{self.rate_per_s:g}/s {self.arrivals or ''}".strip()


def stated_load(counters: RunCounters) -> Load:
    """The load that run.json states of a virtual server that has one."""
    work = counters.server.workload
    return Load(
        kind=work.kind,
        rate_per_s=work.rate_per_s,
        arrivals=work.arrivals,
        population=work.population,
        think_time_s=work.think_time_s or 0.0,
        duration_s=counters.window.duration_s,
    )


def logged_arrivals(counters: RunCounters) -> tuple[NDArray[np.int64], Window] | None:
    """Times of the requests in the server's own log, and the load's window by its clock; None where there are none."""
    offset_ns = counters.run.clock_offset_ns(counters.server.role)
    if offset_ns is None:
        return None
    at_ns = value_or_reason(
        lambda: access_times_ns(counters.tables.rows("requests", counters.server.role))
    )
    return None if isinstance(at_ns, str) else (at_ns, counters.window.shifted(offset_ns))


def with_arrival_trace(
    load: Load, client: str, connections: int | None, at_ns: NDArray[np.int64], window: Window
) -> Load:
    """The load with its client's arrival trace, if there is one and the server's log matches it."""
    if load.arrivals != "poisson":
        return load
    traced = replace(load, trace=client, requests=connections)
    gaps = traced.interarrival_s
    return traced if gaps is not None and arrival_times.matches_trace(gaps, at_ns, window) else load
