"""Control groups, version 1 or 2: the CPU share of a server, and the load generators' own.

`queuevisor/servers` holds QEMU, `queuevisor/loads` holds load generators, disks and collectors.
"""

from __future__ import annotations

import os
from pathlib import Path

from .paths import TestbedError

TOP = "queuevisor"
WEIGHT_V1, WEIGHT_V2 = 16384, 1600  # against 1024 and 100 of everyone else


def mounts(path: str = "/proc/mounts") -> tuple[dict[str, Path], Path | None]:
    """Where version 1's controllers are mounted, and version 2's tree."""
    one: dict[str, Path] = {}
    two = None
    with Path(path).open(encoding="utf-8") as stream:
        for line in stream:
            _, where, kind, options, *_ = line.split()
            if kind == "cgroup":
                one.update(
                    {
                        option: Path(where)
                        for option in options.split(",")
                        if option in ("cpu", "cpuset", "blkio")
                    }
                )
            elif kind == "cgroup2":
                two = Path(where)
    return one, two


class Groups:
    """The control groups of one server that is up."""

    def __init__(self, one: dict[str, Path] | None = None, two: Path | None = None) -> None:
        if one is None and two is None:
            one, two = mounts()
        self.one = one or {}
        self.two = two if not self.one else None
        if not self.two and not {"cpu", "cpuset"} <= set(self.one):
            raise TestbedError(
                "control groups are not mounted with cpu and cpuset; the testbed "
                "needs version 1 with both, or version 2"
            )

    def settings(
        self, cpus: list[int], quota: float, period_us: int, pinned: bool = True
    ) -> dict[str, str]:
        """What is written into one group's files."""
        limited = f"{int(quota * period_us)}" if quota < len(cpus) else None
        listed = ",".join(str(cpu) for cpu in cpus)
        if self.two:
            return {
                "cpuset.cpus": listed,
                "cpu.weight": str(WEIGHT_V2),
                "cpu.max": f"{limited or 'max'} {period_us}",
            }
        return {
            "cpuset.cpus": listed,
            "cpuset.mems": "0",
            "cpu.shares": str(WEIGHT_V1),
            "cpu.cfs_period_us": str(period_us),
            "cpu.cfs_quota_us": limited or "-1",
        }

    def folders(self, name: str) -> list[Path]:
        """The folders that make up the group."""
        if self.two:
            return [self.two / TOP / name]
        return [
            self.one[controller] / TOP / name
            for controller in ("cpu", "cpuset", "blkio")
            if controller in self.one
        ]

    def make(self, name: str, settings: dict[str, str]) -> None:
        """Make a group and write its settings."""
        for folder in self.folders(name):
            folder.mkdir(parents=True, exist_ok=True)
        if self.two:
            for level in (self.two, self.two / TOP):
                write(level / "cgroup.subtree_control", "+cpu +cpuset +io")
        else:
            for file in ("cpuset.mems", "cpuset.cpus"):
                everything = (self.one["cpuset"] / file).read_text().strip()
                write(self.one["cpuset"] / TOP / file, everything)
            write(self.one["cpu"] / TOP / "cpu.shares", str(WEIGHT_V1))
        for file, value in settings.items():
            for folder in self.folders(name):
                if (folder / file).exists():
                    write(folder / file, value)

    def limit_disk(self, name: str, device: str, limits: dict[str, int]) -> None:
        """Limit operations a second on a device (`major:minor`); for envelopes of kind blkio."""
        if self.two:
            words = {
                "read_iops": "riops",
                "write_iops": "wiops",
                "read_bps": "rbps",
                "write_bps": "wbps",
            }
            text = " ".join(f"{words[key]}={value}" for key, value in limits.items())
            write(self.two / TOP / name / "io.max", f"{device} {text}")
            return
        for key, value in limits.items():
            write(
                self.one["blkio"] / TOP / name / f"blkio.throttle.{key}_device", f"{device} {value}"
            )

    def enter(self, name: str, pid: int = 0) -> None:
        """Put a process (0: this one) into a group."""
        for folder in self.folders(name):
            write(folder / "cgroup.procs", str(pid or os.getpid()))

    def remove(self) -> list[str]:
        """Remove the groups; returns what could not be removed."""
        left = []
        for name in ("servers", "loads", "."):
            for folder in self.folders(name):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    pass
                except OSError as error:
                    left.append(f"{folder}: {error.strerror}")
        return left


def write(path: Path, value: str) -> None:
    """Write one file of a control group."""
    try:
        path.write_text(value)
    except OSError as error:
        raise TestbedError(f"{path}: cannot write {value!r}: {error.strerror}") from None
