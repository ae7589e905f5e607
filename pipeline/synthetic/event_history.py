"""What happened in a simulated run, as arrays, and how much of it had happened by a given moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from pipeline.synthetic.plan import Load, Plan, VirtualServer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Meter = Callable[[Floats], Floats]
"""A growing function of time: service received between a and b is meter(b) − meter(a)."""

HOST_ITSELF = -1
"""Owner of an operation of the host's own."""


def wall(time_s: Floats) -> Floats:
    """The meter of somebody who is served alone: time itself."""
    return time_s


def grown_by(owner: Ints, at_s: Floats, amount: Floats, moments_s: Floats, owners: int) -> Floats:
    """What has come together for owners 0, 1, … by each moment, both ends included: shape (owners, moments)."""
    mine = (owner >= 0) & (owner < owners)
    grown = np.zeros((owners, len(moments_s) + 1))
    np.add.at(grown, (owner[mine], np.searchsorted(moments_s, at_s[mine])), amount[mine])
    return np.cumsum(grown, axis=1)[:, :-1]


@dataclass(frozen=True)
class Served:
    """Services of one CPU: who, from when to when; ``meter`` tells how much was received in between."""

    owner: Ints
    start_s: Floats
    end_s: Floats
    meter: Meter

    def by(self, moments_s: Floats, owners: int, meter: Meter | None = None) -> Floats:
        """CPU time (s) that each owner had received by each moment: shape (owners, moments)."""
        meter = meter or self.meter
        whole = meter(self.end_s) - meter(self.start_s)
        grown = grown_by(self.owner, self.end_s, whole, moments_s, owners)
        # Services under way at a moment: usually one or a few of them.
        first = np.searchsorted(moments_s, self.start_s, side="right")
        last = np.searchsorted(moments_s, self.end_s, side="left")
        service = np.repeat(np.arange(len(first)), np.maximum(last - first, 0))
        if len(service):
            counted = np.arange(len(service))
            begins = np.searchsorted(service, service, side="left")
            moment = first[service] + counted - begins
            part = meter(moments_s[moment]) - meter(self.start_s[service])
            np.add.at(grown, (self.owner[service], moment), part)
        return grown

    def total_s(self, owner_from: int) -> float:
        """All that owners from that number on received (s)."""
        mine = self.owner >= owner_from
        return float((self.meter(self.end_s[mine]) - self.meter(self.start_s[mine])).sum())


@dataclass(frozen=True)
class Operations:
    """Operations of one disk, in the order of their ends. ``service_s``: its own time, nobody else there."""

    owner: Ints
    issued_s: Floats
    done_s: Floats
    service_s: Floats
    is_write: NDArray[np.bool_]

    def of(self, chosen: NDArray[np.bool_]) -> Operations:
        """Some of them."""
        return Operations(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def busy_periods(self) -> tuple[Floats, Floats]:
        """Starts and ends of the times with at least one operation in flight."""
        order = np.argsort(self.issued_s, kind="stable")
        start, end = self.issued_s[order], np.maximum.accumulate(self.done_s[order])
        begins = np.ones(len(start), bool)
        begins[1:] = start[1:] > end[:-1]
        firsts = np.flatnonzero(begins)
        return start[firsts], end[np.append(firsts[1:], len(start)) - 1] if len(start) else end


@dataclass(frozen=True)
class Guest:
    """What happened in one virtual server."""

    server: VirtualServer
    load: Load | None
    cpu: Served
    disk: Operations
    arrival_s: Floats
    """Of each request, in the order of the replies."""
    reply_s: Floats
    worker: Ints
    """Which of the server's workers (processes or threads) answered."""
    born_s: Floats
    """Of each worker; below 0 for those that were there before."""
    died_s: Floats
    """Of each worker; infinity for those that lived on."""
    wake_ups: int
    """Bursts of requests that found the CPU idle."""
    load_start_s: float
    load_end_s: float

    @property
    def response_s(self) -> Floats:
        """What the client measured of each request."""
        return self.reply_s - self.arrival_s + self.server.network_s


@dataclass(frozen=True)
class History:
    """One simulated run. Times are seconds since the recording began, on a clock that is never wrong."""

    plan: Plan
    server: str
    run: str
    seed: int
    guests: dict[str, Guest]
    disks: dict[str, Operations]
    """By the host disk's name; the owner of an operation is a guest's number, or HOST_ITSELF."""
    before_s: tuple[float, float]
    window_s: tuple[float, float]
    end_s: float
