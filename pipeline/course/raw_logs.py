"""Read the raw logs of a run as lesson 6 does by hand: a few lines of plain Python per log.

The lesson's notebook calls these functions, so that its cells hold the equations; a student may
write two of them. :mod:`pipeline.parse` reads the same logs for the tables, with every case that logs can hold.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zstandard

from pipeline.measure.arrivals import counts_per_second
from pipeline.raw import Window

NS_PER_S = 10**9
UNITS = {"B": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
"""Letters of iotop's rates, in bytes."""
ACCESS_TIME = re.compile(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
IOTOP_ROW = re.compile(
    r"^\s*(\d+)\s+\S+\s+\S+\s+([\d.]+) ([BKMG])/s\s+([\d.]+) ([BKMG])/s"
    r"\s+(?:[\d.]+ %|\?unavailable\?)(?:\s+[\d.]+ %)?\s+(.*)$"
)


class Snapshot(NamedTuple):
    """One sample of a log."""

    time_ns: int
    """On the client's clock, since 1970."""
    lines: list[str]


class Rate(NamedTuple):
    """One row of iotop."""

    task: int
    """The thread's number, which iotop prints under TID."""
    command: str
    read_per_s: float
    """Bytes per second since the snapshot before."""
    write_per_s: float

    @property
    def bytes_per_s(self) -> float:
        """Read and written."""
        return self.read_per_s + self.write_per_s


def lines_of(path: Path) -> list[str]:
    """The lines of the log ``path``, or of ``path`` with the ending ``.zst``.

    Raises
    ------
    FileNotFoundError
        If there is neither.
    """
    if path.exists():
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    packed = path.with_name(path.name + ".zst").read_bytes()
    stream = zstandard.ZstdDecompressor().stream_reader(packed)
    return io.TextIOWrapper(stream, encoding="utf-8", errors="replace").read().splitlines()


def snapshots(lines: Iterable[str], clock_offset_ns: int) -> list[Snapshot]:
    """Cut a log at its lines ``#T``, and move their times to the client's clock.

    Examples
    --------
    >>> snapshots(["#T 1005", "a", "#T 2005", "b", "c"], 5)
    [Snapshot(time_ns=1000, lines=['a']), Snapshot(time_ns=2000, lines=['b', 'c'])]
    """
    cut: list[Snapshot] = []
    for line in lines:
        if line.startswith("#T "):
            cut.append(Snapshot(int(line.split()[1]) - clock_offset_ns, []))
        elif cut and not line.startswith("#"):
            cut[-1].lines.append(line)
    return cut


def around(snaps: list[Snapshot], start_ns: int, end_ns: int) -> tuple[int, int]:
    """Indices of the last snapshot at or before the start, and of the first at or after the end.

    Raises
    ------
    IndexError
        If the log does not reach over the whole load.
    """
    before = [index for index, snapshot in enumerate(snaps) if snapshot.time_ns <= start_ns]
    after = [index for index, snapshot in enumerate(snaps) if snapshot.time_ns >= end_ns]
    return before[-1], after[0]


def cpu_times(lines: Iterable[str], pattern: str) -> dict[int, float]:
    """CPU time in seconds (TIME+) by pid, of the processes in one snapshot of top whose command matches.

    Examples
    --------
    >>> row = "  277 root      20   0    7032   4396   3768 S   0.0   0.9   1:02.18 apache2"
    >>> cpu_times([row], "^apache2$")
    {277: 62.18}
    """
    used: dict[int, float] = {}
    for line in lines:
        columns = line.split(None, 11)
        is_row = len(columns) == 12 and columns[0].isdigit()
        if is_row and re.search(pattern, columns[11].strip()):
            minutes, seconds = columns[10].split(":")
            used[int(columns[0])] = 60 * int(minutes) + float(seconds)
    return used


def disk_counters(lines: Iterable[str], device: str) -> list[int]:
    """The fields of ``/sys/block/DEVICE/stat`` in one snapshot; field 1 is at index 0.

    Raises
    ------
    LookupError
        If the snapshot has no line of the device.
    """
    for line in lines:
        if line.startswith(f"/sys/block/{device}/stat:"):
            return [int(field) for field in line.split(":", 1)[1].split()]
    raise LookupError(device)


def rates(lines: Iterable[str]) -> list[Rate]:
    """The rows of one snapshot of iotop.

    Examples
    --------
    >>> rates(["  518 ?err {none}  0.00 K/s  499.14 K/s  0.00 %  0.00 % {no such process}"])
    [Rate(task=518, command='{no such process}', read_per_s=0.0, write_per_s=511119.36)]
    """
    rows = []
    for line in lines:
        if row := IOTOP_ROW.match(line):
            task, read, read_unit, write, write_unit, command = row.groups()
            reads, writes = float(read) * UNITS[read_unit], float(write) * UNITS[write_unit]
            rows.append(Rate(int(task), command, reads, writes))
    return rows


def thread_ids(lines: Iterable[str], pids: Iterable[int]) -> set[int]:
    """Numbers of all threads of the processes ``pids`` that tasks.log ever lists (its rows ``t PID TID …``).

    Examples
    --------
    >>> thread_ids(["p 277 4322 1 S", "t 277 277 4322 S", "t 277 301 4340 S", "t 9 9 1 S"], {277})
    {277, 301}
    """
    wanted = set(pids)
    rows = (line.split(None, 3) for line in lines if line.startswith("t "))
    return {int(row[2]) for row in rows if len(row) > 2 and int(row[1]) in wanted}


def is_program(command: str, pattern: str) -> bool:
    """Whether the program of a command line matches: ``/usr/sbin/apache2 -k start`` is ``apache2``.

    Examples
    --------
    >>> is_program("/usr/sbin/apache2 -k start", "^apache2$"), is_program("{no such process}", "^apache2$")
    (True, False)
    """
    program = command.split()[0].rsplit("/", 1)[-1] if command.split() else ""
    return bool(re.search(pattern, program))


@dataclass(frozen=True)
class Recording:
    """A raw run, seen from one of its virtual servers."""

    folder: Path
    manifest: dict[str, Any]
    """``run.json``."""
    entry: dict[str, Any]
    """Its part about the virtual server."""

    @property
    def load(self) -> dict[str, Any]:
        """What ``run.json`` says of the load; ``start_ns`` and ``end_ns`` are on the client's clock."""
        return self.entry["workload"]

    def report(self) -> str:
        """The report of the load generator."""
        return "\n".join(lines_of(self.folder / self.load["log"]))

    def lines(self, name: str) -> list[str]:
        """The lines of a log of the guest."""
        return lines_of(self.folder / self.entry["role"] / name)

    def snapshots(self, name: str, role: str = "") -> list[Snapshot]:
        """The snapshots of a log of the guest, or of another role (``host``), on the client's clock."""
        role = role or self.entry["role"]
        offset_ns = self.manifest["roles"][role]["clock_offset_ns"]
        return snapshots(lines_of(self.folder / role / name), offset_ns)

    def around(self, snaps: list[Snapshot]) -> tuple[int, int]:
        """Indices of the last snapshot at or before the load's start, and of the first at or after its end."""
        return around(snaps, self.load["start_ns"], self.load["end_ns"])

    def server_pids(self) -> set[int]:
        """Pids of the server's processes in all snapshots of top."""
        pattern = self.entry["server_processes"]
        return {pid for shot in self.snapshots("top.log") for pid in cpu_times(shot.lines, pattern)}

    def server_tids(self) -> set[int]:
        """Numbers of all threads of the server's processes."""
        return thread_ids(self.lines("tasks.log"), self.server_pids())

    def task_bytes(self) -> list[Rate]:
        """The rows of the guest's iotop during the load, with bytes in place of bytes per second."""
        shots = self.snapshots("iotop.log")
        first, last = self.around(shots)
        return [
            row._replace(read_per_s=row.read_per_s * seconds, write_per_s=row.write_per_s * seconds)
            for before, shot in pairwise(shots[first : last + 1])
            for seconds in [(shot.time_ns - before.time_ns) / NS_PER_S]
            for row in rates(shot.lines)
        ]


def open_run(folder: Path, virtual_server: str) -> Recording:
    """Open the raw run in ``folder``.

    Raises
    ------
    OSError, LookupError
        If there is no ``run.json``, or no such virtual server in it.
    """
    manifest = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return Recording(folder, manifest, manifest["virtual_servers"][virtual_server])


@lru_cache(maxsize=64)
def requests_per_second(folder: Path, virtual_server: str, *, is_whole: bool = False) -> np.ndarray:
    """Requests that a web server logged in each whole second of the load.

    Parameters
    ----------
    folder : Path
        Of a raw run with an access.log.
    virtual_server : str
    is_whole : bool
        Whether the first and the last seconds count, which hold only part of the load.

    Returns
    -------
    ndarray
        Counts; without the margins of :func:`pipeline.measure.arrivals.counts_per_second` if ``is_whole``.

    Raises
    ------
    OSError, LookupError
        If the run has no access.log, or no such virtual server.
    """
    run = open_run(folder, virtual_server)
    offset_ns = run.manifest["roles"][run.entry["role"]]["clock_offset_ns"]
    window = Window(run.load["start_ns"] + offset_ns, run.load["end_ns"] + offset_ns)
    times = ACCESS_TIME.findall("\n".join(run.lines("access.log")))
    seconds = np.array([datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z").timestamp() for at in times])
    if is_whole:
        first, last = window.start_ns // NS_PER_S, window.end_ns // NS_PER_S
        inside = seconds[(seconds >= first) & (seconds <= last)] - first
        return np.bincount(inside.astype(int), minlength=last - first + 1)
    return counts_per_second((seconds * NS_PER_S).astype(np.int64), window)
