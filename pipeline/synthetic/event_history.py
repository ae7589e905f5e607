"""The history of a simulated run as arrays, and cumulative amounts at given times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.synthetic.plan import Load, Plan, VirtualServer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
CumulativeWork = Callable[[Floats], Floats]
"""A non-decreasing function f of time: the service received between a and b is f(b) − f(a)."""

HOST_OWNER = -1
"""Owner of the host's own operations."""


def identity(time_s: Floats) -> Floats:
    """Cumulative work of a job that is served alone: time itself."""
    return time_s


def cumulative_by_owner(
    owner: Ints, at_s: Floats, amount: Floats, times_s: Floats, owners: int
) -> Floats:
    """Sum of ``amount`` of owners 0, 1, … up to and including each time: shape (owners, times)."""
    is_owned = (owner >= 0) & (owner < owners)
    cumulative = np.zeros((owners, len(times_s) + 1))
    np.add.at(
        cumulative, (owner[is_owned], np.searchsorted(times_s, at_s[is_owned])), amount[is_owned]
    )
    return np.cumsum(cumulative, axis=1)[:, :-1]


@dataclass(frozen=True)
class CpuServices:
    """Services of one CPU: owner, start, end; ``cumulative_work`` gives the CPU time received in between."""

    owner: Ints
    start_s: Floats
    end_s: Floats
    cumulative_work: CumulativeWork

    def cpu_time_by_owner(
        self, times_s: Floats, owners: int, cumulative_work: CumulativeWork | None = None
    ) -> Floats:
        """CPU time (s) that each owner had received by each time: shape (owners, times)."""
        cumulative_work = cumulative_work or self.cumulative_work
        service_s = cumulative_work(self.end_s) - cumulative_work(self.start_s)
        cumulative = cumulative_by_owner(self.owner, self.end_s, service_s, times_s, owners)
        # Services in progress at a time: usually one or a few.
        first = np.searchsorted(times_s, self.start_s, side="right")
        last = np.searchsorted(times_s, self.end_s, side="left")
        service = np.repeat(np.arange(len(first)), np.maximum(last - first, 0))
        if len(service):
            counted = np.arange(len(service))
            begins = np.searchsorted(service, service, side="left")
            time_index = first[service] + counted - begins
            partial_s = cumulative_work(times_s[time_index]) - cumulative_work(
                self.start_s[service]
            )
            np.add.at(cumulative, (self.owner[service], time_index), partial_s)
        return cumulative

    def total_s(self, owner_from: int) -> float:
        """CPU time of all owners from that number on (s)."""
        is_owned = self.owner >= owner_from
        return float(
            (
                self.cumulative_work(self.end_s[is_owned])
                - self.cumulative_work(self.start_s[is_owned])
            ).sum()
        )


@dataclass(frozen=True)
class Operations:
    """Operations of one disk, in order of completion. ``service_s``: service time without waiting."""

    owner: Ints
    issued_s: Floats
    done_s: Floats
    service_s: Floats
    is_write: NDArray[np.bool_]

    def busy_periods(self) -> tuple[Floats, Floats]:
        """Starts and ends of the times with at least one operation in flight."""
        order = np.argsort(self.issued_s, kind="stable")
        start, end = self.issued_s[order], np.maximum.accumulate(self.done_s[order])
        begins = np.ones(len(start), bool)
        begins[1:] = start[1:] > end[:-1]
        firsts = np.flatnonzero(begins)
        return start[firsts], end[np.append(firsts[1:], len(start)) - 1] if len(start) else end


@dataclass(frozen=True)
class GuestHistory:
    """The history of one virtual server."""

    server: VirtualServer
    load: Load | None
    cpu: CpuServices
    disk: Operations
    arrival_s: Floats
    """Of each request, in the order of the replies."""
    reply_s: Floats
    worker: Ints
    """The worker (process or thread) that served each request."""
    started_s: Floats
    """Start of each worker; below 0 if it ran before the recording."""
    exited_s: Floats
    """Exit of each worker; infinity if it still runs at the end."""
    wake_ups: int
    """CPU bursts of requests that found the CPU idle."""
    load_start_s: float
    load_end_s: float

    @property
    def response_s(self) -> Floats:
        """Response time of each request as measured by the client."""
        return self.reply_s - self.arrival_s + self.server.network_s


@dataclass(frozen=True)
class RunHistory:
    """One simulated run. Times are true seconds since the start of the recording."""

    plan: Plan
    server: str
    run: str
    seed: int
    guests: dict[str, GuestHistory]
    disks: dict[str, Operations]
    """By the host disk's name; the owner of an operation is a guest's number, or HOST_ITSELF."""
    before_s: tuple[float, float]
    window_s: tuple[float, float]
    end_s: float
