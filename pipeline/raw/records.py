"""Records of a raw run, names of logs, and the error of this package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Error

RUN_FORMAT = "queuevisor-run/1"
STUDY_FORMAT = "queuevisor-study/1"
FACTS_FORMAT = "queuevisor-facts/1"

CLIENT = "client"
HOST = "host"

SUFFIXES = ("", ".zst", ".gz")
"""Suffixes of a log's name; of several files of one log the first suffix is read."""

KINDS = {
    "top.log": "top",
    "iotop.log": "iotop",
    "block.log": "block",
    "tasks.log": "tasks",
    "access.log": "access",
    "general.log": "general",
    "httperf.log": "httperf",
    "sysbench.log": "sysbench",
}
"""File name without ``.gz`` or ``.zst`` → kind of log."""

SAMPLED_KINDS = ("top", "iotop", "block", "tasks")
"""Logs of every recorded machine other than the client."""

INFERRED = "inferred"
"""Value of ``times`` in run.json: the clocks of the logs were inferred, not recorded."""

SERVER_LOG = {"HTTP request": "access", "transaction": "general"}
"""Request of a workload → log that its server writes."""

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
INT64 = 2**63
MAX_TIME_NS = 2**62
"""A time of the year 2116; offsets and intervals are added to times without leaving 64 bits."""


class RawRunError(Error):
    """A study or run that does not exist. Attributes: ``reason``, ``file``, ``line`` (None if unknown)."""

    def __init__(self, reason: str, file: Path | str | None = None, line: int | None = None):
        self.reason, self.file, self.line = reason, file, line
        where = "" if file is None else f"{file}: " if line is None else f"{file}, line {line}: "
        super().__init__(where + reason)


def is_safe_name(name: object) -> bool:
    """Whether ``name`` is safe: letters, digits, ``.``, ``_``, ``-``, not hidden, at most 128 characters.

    Such a name cannot leave its folder, and means the same on every file system and in a hive
    partition.
    """
    return (
        isinstance(name, str)
        and _NAME.fullmatch(name) is not None
        and len(name) <= 128
        and name != "__HIVE_DEFAULT_PARTITION__"
    )


@dataclass(frozen=True)
class Window:
    """A time interval in nanoseconds since 1970 (UTC)."""

    start_ns: int
    end_ns: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return (self.end_ns - self.start_ns) / 1e9

    def shifted(self, offset_ns: int) -> Window:
        """The same interval on a clock that is ``offset_ns`` ahead."""
        return Window(self.start_ns + offset_ns, self.end_ns + offset_ns)


@dataclass(frozen=True)
class Role:
    """One recorded machine; values that run.json does not have are None."""

    name: str
    hostname: str | None = None
    boot_id: str | None = None
    clock_offset_ns: int | None = None
    """Clock of the machine minus clock of the client."""
    clock_uncertainty_ns: int | None = None
    time_zone: str | None = None
    tools: Mapping[str, str] = field(default_factory=dict, hash=False)
    cpus: int | None = None
    """Number of CPUs, where facts.json is missing."""


@dataclass(frozen=True)
class Workload:
    """The load on one virtual server."""

    kind: str
    """``open`` or ``closed``."""
    rate_per_s: float | None = None
    arrivals: str | None = None
    population: int | None = None
    think_time_s: float | None = None
    request: str | None = None
    log: str | None = None
    """The load generator's log, relative to the run's folder (without .gz or .zst)."""
    window: Window | None = None
    """Window of this load, on the client's clock."""


@dataclass(frozen=True)
class VirtualServer:
    """One virtual server: role of its logs, workload, and patterns of its processes and disks."""

    name: str
    role: str
    workload: Workload | None = None
    server_processes: str | None = None
    qemu_process: str | None = None
    virtual_disk: str | None = None
    host_disk: str | None = None
    access_format: str | None = None
    """Format of its access log, as its configuration states it; None if it is a well-known one."""


@dataclass(frozen=True)
class LogInfo:
    """What run.json states about one file of a log, because its text does not say it."""

    date: str | None = None
    """First day of its times of day, YYYY-MM-DD."""
    devices: tuple[str, ...] = ()
    """Names of the devices of lines without a name, in the order of the lines of one snapshot."""
    snapshot_times_ns: tuple[int, ...] = ()
    """Times of its snapshots, by the clock of its machine."""
    start_ns: int | None = None
    """Time of its first snapshot, by the clock of its machine."""
    interval_s: float | None = None
    """Time between two snapshots."""

    @property
    def has_times(self) -> bool:
        """Whether it gives the times of the snapshots."""
        return bool(self.snapshot_times_ns) or None not in (self.start_ns, self.interval_s)

    def time_ns(self, snapshot: int) -> int | None:
        """Time of the snapshot of that number (from 0); None where none is stated.

        Examples
        --------
        >>> LogInfo(start_ns=5, interval_s=2.0).time_ns(1)
        2000000005
        """
        if self.snapshot_times_ns:
            times_ns = self.snapshot_times_ns
            return times_ns[snapshot] if snapshot < len(times_ns) else None
        if self.start_ns is None or self.interval_s is None:
            return None
        time_ns = self.start_ns + round(snapshot * self.interval_s * 1e9)
        return time_ns if time_ns < MAX_TIME_NS else None


@dataclass(frozen=True)
class Log:
    """One existing log of a run."""

    role: str
    kind: str
    path: Path
    """Its file; the first segment if it was rotated."""
    name: str
    """Relative to the run's folder, e.g. ``host/top.log.zst``; ``host/top.log`` if it was rotated."""
    segments: tuple[Path, ...] = ()
    """Segments of a rotated log (``top.00001.log.zst``, …) in order; empty for other logs."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All its files in order."""
        return self.segments or (self.path,)


@dataclass(frozen=True)
class MissingLog:
    """One log that a run should have and does not have."""

    role: str
    kind: str
    name: str
    """Relative to the run's folder, e.g. ``host/top.log``."""
